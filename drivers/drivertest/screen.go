package drivertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"halledge/drivers/device"
)

// ScreenHarness is a screen driver under test. Shown gives the lines on the screen now; Blank empties it, as a power cut does. Mute says
// that the screen never answers.
type ScreenHarness struct {
	Harness
	Shown func() []string
	Blank func()
	Mute  bool
}

// Screen tests a driver of class screen.
func Screen(t *testing.T, fresh Fresh[ScreenHarness]) {
	fit := func(t *testing.T) (Harness, func(*rig)) {
		h := fresh(t)
		n := 0
		return h.Harness, func(r *rig) {
			n++
			r.shows(h, fmt.Sprintf("请A%03d号", n), "到1号窗口")
		}
	}
	life(t, fit)
	if fresh(t).Mute {
		t.Run("does not pass for a screen that answers", func(t *testing.T) {
			h := fresh(t)
			r := start(t, h.Harness)
			r.plug()
			r.reaches(device.OK)
			r.shows(h, "请A001号", "到1号窗口")
			if health := r.device.Health(); !health.Blind {
				t.Errorf("health %+v of a screen nobody hears from", health)
			}
		})
	} else {
		babbles(t, fit)
	}
	t.Run("goes from scene to scene", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		for i, scene := range append(device.Scenes(), "") {
			f := device.Frame{Scene: scene, Lines: []string{fmt.Sprintf("A%03d", i), "到1号窗口"}, Flash: i%2 == 0, Serial: fmt.Sprint(i)}
			if err := r.device.(device.Screen).Show(t.Context(), f); err != nil {
				t.Fatalf("%s: %v\n%s", scene, err, r.log.String())
			}
			r.until(fmt.Sprintf("%q on the screen", f.Lines), func() bool { return slices.Equal(h.Shown(), f.Lines) })
		}
	})
	t.Run("refuses a frame while absent", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.reaches(device.Offline)
		r.fails(r.device.(device.Screen).Show(t.Context(), device.Frame{Lines: []string{"A001"}}), device.CodeOffline)
	})
	t.Run("shows its frame again after a replug", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.shows(h, "请A001号", "到1号窗口")
		r.unplug()
		r.reaches(device.Offline)
		h.Blank()
		r.plug()
		r.until("the frame to come back", func() bool { return slices.Equal(h.Shown(), []string{"请A001号", "到1号窗口"}) })
	})
	t.Run("gives a cancelled frame back at once", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.far.mute(true)
		ctx, cancel := context.WithCancel(t.Context())
		call := make(chan error, 1)
		go func() { call <- r.device.(device.Screen).Show(ctx, device.Frame{Lines: []string{"A001"}}) }()
		cancel()
		_ = r.returns("Show", call, stopsWithin) // a screen that is only written to may have taken it already
		r.far.mute(false)
		r.settles(func(r *rig) { r.shows(h, "请A002号", "到2号窗口") })
	})
}

// shows proves that a frame is on the screen.
func (r *rig) shows(h ScreenHarness, lines ...string) {
	r.t.Helper()
	if err := r.device.(device.Screen).Show(r.t.Context(), device.Frame{Lines: lines}); err != nil {
		r.t.Fatalf("Show: %v\n%s", err, r.log.String())
	}
	r.until(fmt.Sprintf("%q on the screen", lines), func() bool { return slices.Equal(h.Shown(), lines) })
}
