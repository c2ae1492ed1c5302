package inputs

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/registry"
)

func TestPageOfAScreenIsADevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		s := d.Screen("screen-1")
		if !registry.Is(s, device.ClassScreen) || d.Screen("screen-1") != s || d.Screen("screen-2") == s {
			t.Error("not one screen for each place")
		}
		is := func(state device.State, code device.Code, since time.Duration) {
			t.Helper()
			h := s.Health()
			if h.State != state || h.Code != code || time.Since(h.Since) != since {
				t.Errorf("health %+v since %v, want %s %s since %v", h, time.Since(h.Since), state, code, since)
			}
		}
		time.Sleep(time.Hour)
		is(device.Starting, "", time.Hour)
		shut := s.Open()
		time.Sleep(time.Minute)
		is(device.OK, "", time.Minute)
		second := s.Open()
		shut()
		shut() // again
		time.Sleep(time.Minute)
		is(device.OK, "", 2*time.Minute)
		second()
		time.Sleep(pollGap - 1) // it polls, or loads itself again
		is(device.OK, "", 2*time.Minute+pollGap-1)
		third := s.Open()
		third()
		time.Sleep(10 * time.Minute)
		is(device.Offline, device.CodePageGone, 10*time.Minute)
		if h := s.Health(); time.Since(h.LastGood) != 10*time.Minute || h.Counters.Opens != 1 {
			t.Errorf("health %+v", h)
		}
		defer s.Open()()
		is(device.OK, "", 0)
		if h := s.Health(); h.Counters.Opens != 2 || h.Counters.Failures != 1 {
			t.Errorf("health %+v", h)
		}
	})
}

func TestFramesReachThePage(t *testing.T) {
	d := New()
	s := d.Screen("screen-1")
	call := device.Frame{Scene: device.SceneCalling, Lines: []string{"请A001号", "到1号窗口"}, Serial: "1"}
	var failed *device.Error
	if err := s.Show(t.Context(), call); !errors.As(err, &failed) || failed.Code != device.CodePageGone || !failed.Retry {
		t.Errorf("nobody there: %v", err)
	}
	if err := s.SelfTest(t.Context()); !errors.As(err, &failed) || failed.Code != device.CodePageGone {
		t.Errorf("nobody there: %v", err)
	}
	defer s.Open()()
	if !reflect.DeepEqual(s.Frame(), call) {
		t.Errorf("the page begins with %+v", s.Frame())
	}
	dirty, cancel := d.Watch("screen-1")
	defer cancel()
	if err := s.Show(t.Context(), device.Frame{Lines: []string{"欢迎光临"}}); err != nil {
		t.Fatal(err)
	}
	<-dirty
	if s.Frame().Lines[0] != "欢迎光临" || s.Health().Counters.Jobs != 1 {
		t.Errorf("shows %+v, %+v", s.Frame(), s.Health())
	}
}

func TestSelfTestOfAPageEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New().Screen("screen-1")
		defer s.Open()()
		if err := s.Show(t.Context(), device.Frame{Lines: []string{"A001"}}); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			within time.Duration
			fails  bool
		}{"whole": {time.Minute, false}, "cancelled": {time.Second, true}} {
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			done := make(chan error, 1)
			go func() { done <- s.SelfTest(ctx) }()
			synctest.Wait()
			if f := s.Frame(); f.Scene != device.SceneNotice || f.Lines[0] == "A001" {
				t.Errorf("%s: shows %+v", name, f)
			}
			if err := <-done; (err != nil) != c.fails {
				t.Errorf("%s: %v", name, err)
			}
			if f := s.Frame(); f.Lines[0] != "A001" {
				t.Errorf("%s: after it %+v", name, f)
			}
			cancel()
		}
	})
}
