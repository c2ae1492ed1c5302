package hall

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Clock is what the box knows about the time.
type Clock struct {
	Wall   func() time.Time     // what its clock shows
	Steady func() time.Duration // goes on evenly whatever is done to the wall clock
	Synced func() bool          // the network keeps the wall clock right
}

// SystemClock is the box's own clock.
func SystemClock() Clock {
	start := time.Now()
	return Clock{Wall: time.Now, Steady: func() time.Duration { return time.Since(start) }, Synced: synced}
}

// synced asks the kernel whether somebody keeps its clock in step with the world's.
func synced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}

// Bounds of what is taken for an ordinary clock.
const (
	step      = 2 * time.Second  // less is what a clock is slewed by
	deadStep  = 10 * time.Minute // a box that starts further back than this has lost the time
	deadLeap  = 36 * time.Hour   // and one that starts so much later without a network has a clock that may be ahead: staff say what day it is
	firstSane = 2025             // a clock before this year was never set
	lastSane  = 2050             // and one behind this year has lost count
)

// errClockMoved says that the clock must be looked after before anything else may happen.
var errClockMoved = errors.New("clock has moved")

// seen is the clock at one moment.
type seen struct {
	wall   time.Time
	steady time.Duration
}

// moved gives what must be done about the clock, nil if nothing. It belongs to the writer's goroutine.
func (h *Hall) moved() queue.Command {
	now := seen{h.clock.Wall().Round(0), h.clock.Steady()}
	last := h.seen
	h.seen = now
	hallTime := now.wall.Add(h.ahead.Offset())
	var by time.Duration
	dead := h.ahead.ClockDead()
	if last.wall.IsZero() { // the first look after the start
		latest := h.ahead.Latest()
		if hallTime.Before(latest) || !latest.IsZero() && hallTime.Sub(latest) > deadLeap && !h.clock.Synced() {
			by = hallTime.Sub(latest)
		}
		dead = dead || by < -deadStep || by > 0 || hallTime.Year() < firstSane || hallTime.Year() > lastSane
	} else {
		by = now.wall.Sub(last.wall) - (now.steady - last.steady)
	}
	if by.Abs() < step {
		by = 0
	}
	switch {
	case by != 0 || dead != h.ahead.ClockDead():
		return queue.StepClock{By: by, Dead: dead}
	case (dead || h.ahead.Offset().Abs() >= step) && h.clock.Synced():
		return queue.SetClock{Source: queue.ClockByNetwork}
	}
	return nil
}

// settleClock notes what became of the clock.
func (h *Hall) settleClock(ctx context.Context) error {
	return h.store.Update(ctx, func(tx *store.Tx) error {
		for range 2 { // a step, and then what the network says about it
			if h.due == nil {
				h.due = h.moved()
			}
			now := h.time()
			switch c := h.due.(type) {
			case nil:
				return nil
			case queue.StepClock:
				now = now.Add(-c.By) // the hall's time goes on as if the step had not been
			case queue.SetClock:
				c.To = h.clock.Wall() // not when it was noticed: a commit may lie between
				h.due = c
			}
			res, err := h.decide(tx, h.due, now)
			if err != nil {
				return err
			}
			if res.Refusal != nil {
				h.log.Warn("the clock's time not taken over", "refusal", string(res.Refusal.Code))
			}
			h.due = nil
		}
		return nil
	})
}

// time is the hall's time: the box's wall clock, without Go's monotonic part, so that it reads the same before and after it was
// stored, and without the steps that nobody vouched for. It belongs to the writer's goroutine.
func (h *Hall) time() time.Time { return h.at(h.ahead) }

func (h *Hall) at(s *queue.State) time.Time {
	return h.clock.Wall().Add(s.Offset()).In(h.plan.Location).Round(0)
}

// toldBy is how far the hall's time may be from the centre's. The centre is told later than it says, so it cannot be much less.
const toldBy = time.Minute

// Told is what the centre says the time is. It is believed when the hall's time is far from it, or nobody here knows the time; a network
// that keeps the box's clock knows better.
func (h *Hall) Told(now time.Time) {
	far, dead := false, false
	h.Read(func(s *queue.State, _ hallsync.Seq) {
		far, dead = h.at(s).Sub(now).Abs() > toldBy, s.ClockDead()
	})
	if h.clock.Synced() || !far && !dead {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := h.Do(ctx, queue.SetClock{To: now, Source: queue.ClockByCloud, By: hallsync.By{Kind: "cloud"}}); err != nil {
		h.log.Warn("the centre's time not taken over", "error", err)
	}
}
