package web_test

import (
	"fmt"
	"reflect"
	"testing"

	"halledge/drivers/device"
)

// A page that stands for a screen is told frames as a panel is, and is there as long as its stream is open.
func TestPageOfAScreenIsToldFrames(t *testing.T) {
	s := open(t)
	screen := s.server.Screen("1")
	program, leave := s.listen(screenToken, "?beat=1", "")
	defer leave()
	if first := next(t, program, "snapshot"); first.data["frame"] != nil || screen.Health().State != device.Starting {
		t.Errorf("a program passes for a screen: %+v, %+v", first.data["frame"], screen.Health())
	}
	call := device.Frame{Scene: device.SceneCalling, Lines: []string{"请A001号", "到1号窗口"}, More: []string{"A002到2号窗口"}, Flash: true, Serial: "t1/1/2"}
	if err := screen.Show(t.Context(), call); err == nil {
		t.Error("a frame was shown to nobody")
	}
	page, shut := s.listen(screenToken, "?frame=1", "")
	first := next(t, page, "snapshot")
	want := map[string]any{"scene": "calling", "lines": []any{"请A001号", "到1号窗口"}, "more": []any{"A002到2号窗口"}, "flash": true, "serial": "t1/1/2"}
	if !reflect.DeepEqual(first.data["frame"], want) {
		t.Errorf("the page begins with %+v", first.data["frame"])
	}
	if h := screen.Health(); h.State != device.OK {
		t.Errorf("health %+v", h)
	}
	if err := screen.Show(t.Context(), device.Frame{Scene: device.SceneWaiting, Lines: []string{"欢迎光临"}}); err != nil {
		t.Fatal(err)
	}
	if e := next(t, page, "frame"); e.id != "" || e.data["frame"].(map[string]any)["scene"] != "waiting" {
		t.Errorf("%+v", e)
	}
	other, shutOther := s.listen(screenToken, "?frame=1", "")
	defer shutOther()
	if e := next(t, other, "snapshot"); e.data["frame"].(map[string]any)["scene"] != "waiting" {
		t.Errorf("the next page begins with %+v", e.data["frame"])
	}
	shut()
	if h := screen.Health(); h.State != device.OK {
		t.Errorf("with one of two pages gone: %+v", h)
	}
	select {
	case e := <-program:
		if e.name == "frame" {
			t.Errorf("a program was told %+v", e)
		}
	default:
	}
}

// A browser without server-sent events waits for the next frame as it does for the hall.
func TestFramesByLongPolling(t *testing.T) {
	s := open(t)
	screen := s.server.Screen("1")
	now := s.get(screenToken, "/api/v1/hall?frame=1")
	if now.body["frame"] != nil {
		t.Errorf("a frame of nobody: %+v", now.body["frame"])
	}
	if err := screen.Show(t.Context(), device.Frame{Scene: device.SceneWaiting, Lines: []string{"欢迎光临"}}); err != nil {
		t.Fatalf("a page that polls is there between two questions: %v", err)
	}
	later := make(chan reply, 1)
	before := s.get(screenToken, "/api/v1/hall?frame=1")
	go func() {
		r, err := s.try("GET", fmt.Sprintf("/api/v1/hall?frame=1&wait=30&after=%v", before.body["seq"]), screenToken, "", nil)
		if err != nil {
			t.Error(err)
		}
		later <- r
	}()
	n := 0
	s.await("the answer to a poll that waits", func() bool { // the first frames may come before it does
		n++
		if err := screen.Show(t.Context(), device.Frame{Scene: device.SceneNotice, Lines: []string{"今日停电检修"}, Serial: fmt.Sprint(n)}); err != nil {
			t.Error(err)
		}
		return len(later) > 0
	})
	if frame := (<-later).body["frame"].(map[string]any); frame["scene"] != "notice" {
		t.Errorf("%+v", frame)
	}
	if plain := s.get(screenToken, "/api/v1/hall"); plain.body["frame"] != nil {
		t.Errorf("a program is told %+v", plain.body["frame"])
	}
}
