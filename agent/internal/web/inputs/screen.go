package inputs

import (
	"context"
	"sync"
	"time"

	"halledge/drivers/device"
)

// testFor is how long the text of a self-test stays.
const testFor = 5 * time.Second

// Screen is the page of a calling screen, seen as a device: it is told the frames that LED panels are told, and whether a page is open
// there is its health. It implements device.Screen and device.SelfTester.
type Screen struct {
	desk  *Desk
	place string
	began time.Time

	mu       sync.Mutex
	frame    device.Frame
	trial    bool // the text of a self-test stands there
	pages    int
	came     time.Time // when the first of them came
	gone     time.Time // when the last one went; zero: none did
	counters device.Counters
}

// Screen gives the screen of a place, the same one each time.
func (d *Desk) Screen(place string) *Screen {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.screens[place]
	if s == nil {
		s = &Screen{desk: d, place: place, began: time.Now()}
		d.screens[place] = s
	}
	return s
}

// Open notes that a page is there, until closed is called.
func (s *Screen) Open() (closed func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.there(time.Now()) {
		s.came = time.Now()
		s.counters.Opens++
		if !s.gone.IsZero() {
			s.counters.Failures++
		}
	}
	s.pages++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pages--; s.pages == 0 {
			s.gone = time.Now()
		}
	})
}

// there reports whether a page is open; one that polls or loads itself again is away for a moment only. mu is held.
func (s *Screen) there(now time.Time) bool {
	return s.pages > 0 || !s.gone.IsZero() && now.Sub(s.gone) < pollGap
}

// Frame is what the page is to show; empty: nothing was said yet.
func (s *Screen) Frame() device.Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trial {
		return device.Frame{Scene: device.SceneNotice, Lines: []string{"显示测试 ABC123"}, Serial: "test"}
	}
	return s.frame
}

// Run implements device.Device. The pages come by themselves.
func (s *Screen) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Health implements device.Device. A screen whose page was never open is Starting: perhaps there is no such machine.
func (s *Screen) Health() device.Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch h := (device.Health{State: device.Starting, Since: s.began, Counters: s.counters}); {
	case s.pages > 0:
		h.State, h.Since, h.LastGood = device.OK, s.came, now
		return h
	case s.there(now):
		h.State, h.Since, h.LastGood = device.OK, s.came, s.gone
		return h
	case !s.gone.IsZero():
		h.State, h.Code, h.Since, h.LastGood = device.Offline, device.CodePageGone, s.gone, s.gone
		return h
	default:
		return h
	}
}

// Show implements device.Screen. It returns when the frame is on its way to the pages that are open. Where none is, the frame is not
// forgotten: the next page begins with it, unless a newer one came.
func (s *Screen) Show(_ context.Context, f device.Frame) error {
	s.mu.Lock()
	s.frame = f
	there := s.there(time.Now())
	if there {
		s.counters.Jobs++
	}
	s.mu.Unlock()
	s.wake()
	if !there {
		return s.nobody("show")
	}
	return nil
}

// SelfTest shows a text for a moment, and then what stood there.
func (s *Screen) SelfTest(ctx context.Context) error {
	if !s.try(true) {
		return s.nobody("self-test")
	}
	defer s.try(false)
	t := time.NewTimer(testFor)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return &device.Error{Op: s.place + " self-test", Code: device.CodeTimeout, Retry: true, Err: ctx.Err()}
	case <-t.C:
		return nil
	}
}

// try begins or ends a self-test; false if there is no page to see it.
func (s *Screen) try(on bool) bool {
	s.mu.Lock()
	there := s.there(time.Now())
	s.trial = on && there
	s.mu.Unlock()
	s.wake()
	return there
}

func (s *Screen) nobody(op string) error {
	return &device.Error{Op: s.place + " " + op, Code: device.CodePageGone, Retry: true}
}

// wake has the pages look.
func (s *Screen) wake() {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.desk.wake(s.place)
}
