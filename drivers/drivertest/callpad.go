package drivertest

import (
	"cmp"
	"context"
	"errors"
	"testing"

	"halledge/drivers/device"
)

// CallPadHarness is a call-pad driver under test. Press is a finger on a key that all pads have, and gives false while the hardware
// is not on yet; Shown gives the ticket number on the pad's display; Blank empties that, as a power cut does. Both are nil for a pad
// without a display, which only tells of its keys and is asked nothing. Unasked says that a pad with a display speaks by itself and
// answers nothing.
type CallPadHarness struct {
	Harness
	Unasked bool
	Other   device.KeyCode // a key that the pad has in the place of pass; empty: it has that
	Press   func(device.KeyCode) bool
	Shown   func() string
	Blank   func()
}

func (h CallPadHarness) other() device.KeyCode { return cmp.Or(h.Other, device.KeyPass) }

// CallPad tests a driver of class callpad.
func CallPad(t *testing.T, fresh Fresh[CallPadHarness]) {
	fit := func(t *testing.T) (Harness, func(*rig)) {
		h := fresh(t)
		return h.Harness, func(r *rig) {
			r.presses(h, h.other()) // not next: a driver ignores that when it comes twice in a moment
			r.presses(h, device.KeyRecall)
			r.displays(h, "A001")
		}
	}
	life(t, fit)
	fingers(t, fresh)
	if h := fresh(t); h.Shown != nil {
		displays(t, fresh)
		if !h.Unasked {
			babbles(t, fit)
			cancels(t, fresh)
		}
	}
	t.Run("refuses a display while absent", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.reaches(device.Offline)
		r.fails(r.device.(device.CallPad).Display(t.Context(), device.PadFrame{Number: "A001", State: "called"}), device.CodeOffline)
	})
	t.Run("ends although nobody takes its keys", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		for range 100 {
			r.until("the pad", func() bool { return h.Press(device.KeyRecall) })
		}
		r.until("keys to arrive", func() bool { return r.device.Health().Counters.Jobs > 0 })
		r.stop()
	})
	t.Run("closes its channel at the end", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.plug()
		r.reaches(device.OK)
		r.stop()
		closes(r, r.device.(device.CallPad).Keys())
	})
}

// fingers tests that a key counts once and in its time.
func fingers(t *testing.T, fresh Fresh[CallPadHarness]) {
	t.Run("does not press a key again that was pressed before it was plugged in", func(t *testing.T) {
		h := fresh(t)
		h.Press(device.KeyNext)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.until("the pad", func() bool { return h.Press(h.other()) })
		receive(r, r.device.(device.CallPad).Keys(), "a key", func(k device.Key) bool {
			if k.Code != h.other() {
				t.Errorf("got %s", k.Code)
			}
			return k.Code == h.other()
		})
	})
	t.Run("calls one citizen for a key that bounces", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		for _, code := range []device.KeyCode{device.KeyNext, device.KeyNext, h.other()} {
			r.until("the pad", func() bool { return h.Press(code) })
		}
		next := 0
		receive(r, r.device.(device.CallPad).Keys(), "the last key", func(k device.Key) bool {
			if k.Code == device.KeyNext {
				next++
			}
			return k.Code == h.other()
		})
		if next > 1 {
			t.Errorf("next was pressed %d times", next)
		}
	})
}

// displays tests a pad's display.
func displays(t *testing.T, fresh Fresh[CallPadHarness]) {
	t.Run("displays its number again after a replug", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.displays(h, "A001")
		r.unplug()
		r.reaches(device.Offline)
		h.Blank()
		r.plug()
		r.until("the number to come back", func() bool { return h.Shown() == "A001" })
	})
	t.Run("tells staff that a key did nothing, and shows the number again", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		pad, ok := r.device.(device.Refuser)
		if !ok {
			return // this pad cannot
		}
		r.plug()
		r.reaches(device.OK)
		r.displays(h, "A001")
		var de *device.Error
		if err := pad.Refuse(t.Context()); errors.As(err, &de) && de.Code != device.CodeUnsupported {
			t.Errorf("refuse: %v", err)
		}
		r.until("the number to come back", func() bool { return h.Shown() == "A001" })
	})
}

// cancels tests that nobody waits for a pad that does not answer.
func cancels(t *testing.T, fresh Fresh[CallPadHarness]) {
	t.Run("gives a cancelled display back at once", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.far.mute(true)
		ctx, cancel := context.WithCancel(t.Context())
		call := make(chan error, 1)
		go func() {
			call <- r.device.(device.CallPad).Display(ctx, device.PadFrame{Number: "A001", State: "called"})
		}()
		cancel()
		r.fails(r.returns("Display", call, stopsWithin))
	})
}

// presses proves that a key arrives, and once.
func (r *rig) presses(h CallPadHarness, code device.KeyCode) {
	r.t.Helper()
	r.until("the pad", func() bool { return h.Press(code) })
	receive(r, r.device.(device.CallPad).Keys(), "key "+string(code), func(k device.Key) bool {
		if k.Code != code {
			r.t.Errorf("pressed %s, got %s", code, k.Code)
		}
		return k.Code == code && !k.At.IsZero()
	})
}

// displays proves that the pad shows a number; one without a display takes it nevertheless, so that nobody tries again.
func (r *rig) displays(h CallPadHarness, number string) {
	r.t.Helper()
	frame := device.PadFrame{Number: number, Waiting: 12, State: "called"}
	if err := r.device.(device.CallPad).Display(r.t.Context(), frame); err != nil {
		r.t.Fatalf("Display: %v\n%s", err, r.log.String())
	}
	if h.Shown == nil {
		return
	}
	r.until(number+" on the pad", func() bool { return h.Shown() == number })
}
