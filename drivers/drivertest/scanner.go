package drivertest

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"halledge/drivers/device"
)

// ScannerHarness is a scanner driver under test. Scan makes the hardware read a code; Spoil makes it send the same text as no code
// can be. Both give false while the hardware is not on yet.
type ScannerHarness struct {
	Harness
	Scan, Spoil func(payload string) bool
	Failing     device.Code // of one that goes on failing; empty: noise
}

// Scanner tests a driver of class scanner.
func Scanner(t *testing.T, fresh Fresh[ScannerHarness]) {
	life(t, func(t *testing.T) (Harness, func(*rig)) {
		h := fresh(t)
		n := 0
		return h.Harness, func(r *rig) {
			n++
			r.scans(h, fmt.Sprintf("YSS-%03d-测试", n))
		}
	})
	t.Run("gives a whole long code", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		r.scans(h, strings.Repeat("0123456789", 200))
	})
	unreads(t, unreadSuite{
		faults: []device.Fault{device.ScanUnreadable, device.ScanTooLong}, failing: cmp.Or(fresh(t).Failing, device.CodeNoise),
		fresh: func(t *testing.T) (Harness, func(*rig), func(*rig)) {
			h := fresh(t)
			n := 0
			spoil := func(r *rig) {
				r.hides(notCode)
				r.until("the scanner", func() bool { return h.Spoil(notCode) })
			}
			return h.Harness, spoil, func(r *rig) {
				n++
				r.scans(h, fmt.Sprintf("YSS-%03d", n))
			}
		},
	})
	t.Run("closes its channels at the end", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.plug()
		r.reaches(device.OK)
		r.stop()
		closes(r, r.device.(device.Scanner).Scans())
		closes(r, r.device.(device.Scanner).Unread())
	})
	t.Run("ends although nobody takes its codes", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		for i := range 100 {
			r.until("the scanner", func() bool { return h.Scan(fmt.Sprintf("UNREAD-%03d", i)) })
		}
		r.hides("UNREAD-")
		r.until("codes to arrive", func() bool { return r.device.Health().Counters.Jobs > 0 })
		r.stop()
	})
}

// notCode is in what is spoiled and must be nowhere else.
const notCode = "991101199003070016"

// scans proves that a code arrives as it was read. A code that came out of noise before it is no harm.
func (r *rig) scans(h ScannerHarness, payload string) {
	r.t.Helper()
	r.hides(payload)
	r.until("the scanner", func() bool { return h.Scan(payload) })
	receive(r, r.device.(device.Scanner).Scans(), "code "+payload, func(s device.Scan) bool {
		return s.Payload.Reveal() == payload && !s.At.IsZero()
	})
}

// receive takes from the channel until right says that this is the one.
func receive[T any](r *rig, from <-chan T, what string, right func(T) bool) {
	r.t.Helper()
	deadline := time.After(Patience)
	for {
		select {
		case v, ok := <-from:
			if !ok {
				r.t.Fatalf("the channel was closed before %s", what)
			}
			if right(v) {
				return
			}
		case <-deadline:
			r.t.Fatalf("waited in vain for %s\n%s", what, r.log.String())
		}
	}
}

// closes proves that the channel is closed.
func closes[T any](r *rig, ch <-chan T) {
	r.t.Helper()
	deadline := time.After(Patience)
	for {
		select {
		case _, ok := <-ch:
			if !ok {
				return
			}
		case <-deadline:
			r.t.Fatal("Run returned and the channel is open")
		}
	}
}
