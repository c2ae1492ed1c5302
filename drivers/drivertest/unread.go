package drivertest

import (
	"slices"
	"testing"
	"time"

	"halledge/drivers/device"
)

// unreader is what scanners and card readers have in common.
type unreader interface {
	device.Device
	Unread() <-chan device.Unread
}

// unreadSuite is what the tests of things that cannot be read need to know about a class.
type unreadSuite struct {
	faults  []device.Fault // that spoil may lead to
	failing device.Code    // of a device that goes on failing
	// fresh gives a device, and with it what shows it something that it cannot read, and what proves that it reads.
	fresh func(t *testing.T) (h Harness, spoil, works func(*rig))
}

// unreads tests that whoever shows something is never left without an answer, and that noise is no flood.
func unreads(t *testing.T, s unreadSuite) {
	t.Run("tells once of what it cannot read, and reads the next", func(t *testing.T) {
		h, spoil, works := s.fresh(t)
		r := start(t, h)
		r.plug()
		r.reaches(device.OK)
		jobs := r.device.Health().Counters.Jobs
		spoil(r)
		r.tells(s)
		if health := r.device.Health(); health.Counters.Jobs != jobs || health.State != device.OK {
			t.Errorf("after one that could not be read the health is %+v", health)
		}
		works(r)
		select {
		case u := <-r.device.(unreader).Unread():
			t.Errorf("it was told again: %s", u.Fault)
		default:
		}
	})
	t.Run("is degraded while it goes on failing, and tells no more than once a second", func(t *testing.T) {
		h, spoil, works := s.fresh(t)
		r := start(t, h)
		r.plug()
		r.reaches(device.OK)
		var last time.Time
		r.until("being degraded", func() bool {
			before := r.device.Health().Counters.Garbage
			spoil(r)
			r.until("the noise", func() bool { return r.device.Health().Counters.Garbage > before })
			select {
			case u := <-r.device.(unreader).Unread():
				if gap := u.At.Sub(last); gap < time.Second {
					t.Errorf("told again after %s", gap)
				}
				last = u.At
			default:
			}
			return r.device.Health().State == device.Degraded
		})
		if code := r.device.Health().Code; code != s.failing {
			t.Errorf("its condition is %q, want %q", code, s.failing)
		}
		r.until("reading again", func() bool {
			works(r)
			return r.device.Health().State == device.OK
		})
	})
	t.Run("ends although nobody hears what it could not read", func(t *testing.T) {
		h, spoil, _ := s.fresh(t)
		r := start(t, h)
		r.plug()
		r.reaches(device.OK)
		spoil(r)
		r.until("the noise", func() bool { return len(r.device.(unreader).Unread()) > 0 })
		r.stop()
	})
}

// tells waits until the device says that it could not read something.
func (r *rig) tells(s unreadSuite) {
	r.t.Helper()
	receive(r, r.device.(unreader).Unread(), "the fault", func(u device.Unread) bool {
		if !slices.Contains(s.faults, u.Fault) || u.At.IsZero() {
			r.t.Errorf("it told %+v, want one of %v", u, s.faults)
		}
		return true
	})
}

// babbles tests a device that is asked and answers nonsense, as one of another make or at another speed does: that has a name of
// its own, and nothing comes of it.
func babbles(t *testing.T, fresh func(t *testing.T) (h Harness, works func(*rig))) {
	t.Run("says that answers are nonsense, and recovers", func(t *testing.T) {
		h, works := fresh(t)
		r := start(t, h)
		says := func() {
			t.Helper()
			r.until("nonsense to have its code", func() bool { return r.device.Health().Code == device.CodeBadReply })
		}
		r.far.babble(true)
		r.plug()
		says() // from the first
		r.far.babble(false)
		r.settles(works)
		jobs := r.device.Health().Counters.Jobs
		r.far.babble(true)
		says() // in the midst
		if n := r.device.Health().Counters.Jobs; n != jobs {
			t.Errorf("nonsense led to %d jobs", n-jobs)
		}
		r.far.babble(false)
		r.settles(works)
	})
}
