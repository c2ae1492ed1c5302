package drivertest

import (
	"fmt"
	"testing"

	"halledge/drivers/device"
)

// IDCardHarness is a driver for card readers under test. Tap puts a card of an invented person on the reader until it was read;
// Spoil puts the same card there so that it cannot be read, and takes it away. Name, Number and Address are what is on it.
type IDCardHarness struct {
	Harness
	Tap, Spoil            func()
	Name, Number, Address string
}

// IDCardReader tests a driver of class idcard.
func IDCardReader(t *testing.T, fresh Fresh[IDCardHarness]) {
	fit := func(t *testing.T) (Harness, func(*rig)) {
		h := fresh(t)
		return h.Harness, func(r *rig) { r.reads(h) }
	}
	life(t, fit)
	babbles(t, fit)
	t.Run("reads one card after the other", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		for range 3 {
			r.reads(h)
		}
		if jobs := r.device.Health().Counters.Jobs; jobs < 3 {
			t.Errorf("three cards count as %d", jobs)
		}
	})
	unreads(t, unreadSuite{
		faults:  []device.Fault{device.CardUnreadable, device.CardRemoved, device.CardUnknown, device.CardRefused},
		failing: device.CodeCardsUnread,
		fresh: func(t *testing.T) (Harness, func(*rig), func(*rig)) {
			h := fresh(t)
			spoil := func(r *rig) {
				r.hides(h.Name, h.Number, h.Address)
				h.Spoil()
			}
			return h.Harness, spoil, func(r *rig) { r.reads(h) }
		},
	})
	t.Run("closes its channels at the end", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.plug()
		r.reaches(device.OK)
		r.stop()
		closes(r, r.device.(device.IDCardReader).Cards())
		closes(r, r.device.(device.IDCardReader).Unread())
	})
	t.Run("ends although nobody takes its cards", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.hides(h.Name, h.Number, h.Address)
		r.plug()
		r.reaches(device.OK)
		h.Tap()
		r.until("the card", func() bool { return r.device.Health().Counters.Jobs > 0 })
		r.stop()
	})
}

// reads proves that a card arrives.
func (r *rig) reads(h IDCardHarness) {
	r.t.Helper()
	r.hides(h.Name, h.Number, h.Address)
	h.Tap()
	receive(r, r.device.(device.IDCardReader).Cards(), "the card", func(c device.IDCard) bool {
		r.texts = append(r.texts, fmt.Sprintf("%+v %#v", c, c))
		return c.Number.Reveal() == h.Number && c.Name.Reveal() == h.Name && c.Address.Reveal() == h.Address && !c.At.IsZero()
	})
}
