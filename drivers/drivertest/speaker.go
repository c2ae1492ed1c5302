package drivertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"halledge/drivers/device"
)

// SpeakerHarness is a speaker driver under test. Heard gives the texts that were heard to their end, in order; Begun those that were
// begun.
type SpeakerHarness struct {
	Harness
	Heard func() []string
	Begun func() []string
}

// longSpeech is more than any test waits for.
var longSpeech = strings.Repeat("请在休息区等候，", 40)

// Speaker tests a driver of class speaker.
func Speaker(t *testing.T, fresh Fresh[SpeakerHarness]) {
	fit := func(t *testing.T) (Harness, func(*rig)) {
		h := fresh(t)
		n := 0
		return h.Harness, func(r *rig) {
			n++
			r.says(h, fmt.Sprintf("请A%03d号", n))
		}
	}
	life(t, fit)
	babbles(t, fit)
	t.Run("refuses a sentence while absent", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.reaches(device.Offline)
		r.fails(r.say(t.Context(), "请A001号"), device.CodeOffline)
	})
	t.Run("says one after the other, each to its end", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		calls := make(chan error, 3)
		for n := range cap(calls) {
			go func() { calls <- r.say(t.Context(), fmt.Sprintf("请A%03d号", n)) }()
		}
		for range cap(calls) {
			if err := r.returns("Say", calls, Patience); err != nil {
				t.Error(err)
			}
		}
		if begun, heard := h.Begun(), h.Heard(); len(heard) != cap(calls) || !slices.Equal(begun, heard) {
			t.Errorf("begun %q, heard %q", begun, heard)
		}
	})
	t.Run("gives a cancelled sentence back at once, and is silent", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		call := make(chan error, 1)
		go func() { call <- r.say(ctx, longSpeech) }()
		r.until("the speech to begin", func() bool { return len(h.Begun()) > 0 })
		cancel()
		r.fails(r.returns("Say", call, stopsWithin), device.CodeTimeout)
		r.settles(func(r *rig) { r.says(h, "请A002号") })
	})
	t.Run("says that a sentence broke off", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		call := make(chan error, 1)
		go func() { call <- r.say(t.Context(), longSpeech) }()
		r.until("the speech to begin", func() bool { return len(h.Begun()) > 0 })
		r.unplug()
		r.fails(r.returns("Say", call, Patience), device.CodeOffline)
		r.reaches(device.Offline)
		r.plug()
		r.settles(func(r *rig) { r.says(h, "请A002号") })
	})
}

func (r *rig) say(ctx context.Context, text string) error {
	return r.device.(device.Speaker).Say(ctx, device.Announcement{Text: text, Language: "zh-CN"})
}

// says proves that a sentence is heard, and that Say returns only then.
func (r *rig) says(h SpeakerHarness, text string) {
	r.t.Helper()
	if err := r.say(r.t.Context(), text); err != nil {
		r.t.Fatalf("Say: %v\n%s", err, r.log.String())
	}
	if heard := h.Heard(); !slices.Contains(heard, text) {
		r.t.Errorf("Say returned, and %q was not heard to its end but %q", text, heard)
	}
}
