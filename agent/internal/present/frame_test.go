package present_test

import (
	"reflect"
	"testing"
	"time"

	"halledge/agent/internal/present"
	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// day is a state after some commands, a minute apart.
func day(t *testing.T, commands ...queue.Command) *queue.State {
	t.Helper()
	window := func(id hallsync.WindowID) queue.WindowPlan {
		return queue.WindowPlan{ID: id, Name: string(id) + "号窗口", Queues: []hallsync.QueueID{"A"}}
	}
	s := queue.New(&queue.Plan{
		Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}, Windows: []queue.WindowPlan{window("1"), window("2"), window("3")},
	})
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range append([]queue.Command{queue.TurnDay{}}, commands...) {
		now = now.Add(time.Minute)
		facts, err := s.Decide(c, now)
		if err != nil {
			t.Fatalf("%T: %v", c, err)
		}
		for _, f := range facts {
			s.Apply(f, now)
		}
	}
	return s
}

func TestEveryScene(t *testing.T) {
	notice, second := at(""), at("")
	notice.Notice, second.Windows = "今日停电检修", []hallsync.WindowID{"2"}
	called := []queue.Command{queue.Open{Window: "1"}, take(1), queue.CallNext{Window: "1"}}
	for name, c := range map[string]struct {
		view     present.View
		commands []queue.Command
		want     device.Frame
	}{
		"nothing yet":      {at("1"), nil, device.Frame{Scene: device.SceneClosed, Lines: []string{"暂未开放"}}},
		"no such window":   {at("9"), nil, device.Frame{Scene: device.SceneClosed, Lines: []string{"暂未开放"}}},
		"nobody":           {at("1"), called[:1], device.Frame{Scene: device.SceneWaiting, Lines: []string{idle}}},
		"called":           {at("1"), called, device.Frame{Scene: device.SceneCalling, Lines: []string{"请A001号"}, Flash: true}},
		"served":           {at("1"), append(called[:3:3], queue.Start{Window: "1"}), device.Frame{Scene: device.SceneServing, Lines: []string{"A001"}}},
		"paused":           {at("1"), append(called[:1:1], queue.Pause{Window: "1"}), device.Frame{Scene: device.ScenePaused, Lines: []string{"暂停服务"}}},
		"hall, nobody":     {at(""), called[:1], device.Frame{Scene: device.SceneWaiting, Lines: []string{idle}}},
		"hall, notice":     {notice, called[:1], device.Frame{Scene: device.SceneNotice, Lines: []string{"今日停电检修"}}},
		"hall, a call":     {notice, called, device.Frame{Scene: device.SceneCalling, Lines: []string{"请A001号", "到1号窗口"}, Flash: true}},
		"of other windows": {second, called, device.Frame{Scene: device.SceneWaiting, Lines: []string{idle}}},
	} {
		got := c.view.Frame(day(t, c.commands...))
		if got.Flash == (got.Serial == "") {
			t.Errorf("%s: flashes %v, serial %q", name, got.Flash, got.Serial)
		}
		if got.Serial = ""; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestEarlierCallsComeBelow(t *testing.T) {
	s := day(t, queue.Open{Window: "1"}, queue.Open{Window: "2"}, queue.Open{Window: "3"}, take(1), take(2), take(3),
		queue.CallNext{Window: "1"}, queue.CallNext{Window: "2"}, queue.CallNext{Window: "3"})
	all := present.View{}.Frame(s)
	if want := []string{"A002到2号窗口", "A001到1号窗口"}; all.Lines[0] != "请A003号" || !reflect.DeepEqual(all.More, want) {
		t.Errorf("the hall's screen: %+v", all)
	}
	some := present.View{Windows: []hallsync.WindowID{"1", "2"}}.Frame(s)
	if want := []string{"A001到1号窗口"}; some.Lines[0] != "请A002号" || !reflect.DeepEqual(some.More, want) {
		t.Errorf("the screen of windows 1 and 2: %+v", some)
	}
}
