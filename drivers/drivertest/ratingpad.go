package drivertest

import (
	"context"
	"testing"
	"time"

	"halledge/drivers/device"
)

// RatingPadHarness is a rating-device driver under test. Grades are those that the device has a key for. Press is a finger on the key
// of a grade, and gives false while the hardware is not on yet; Asked reports whether the question with a tag is being asked. Unasked says that the
// device speaks by itself and answers nothing.
type RatingPadHarness struct {
	Harness
	Grades  []int
	Unasked bool
	Asked   func(tag uint16) bool
	Press   func(stars int) bool
}

// long is the time for a question that is answered, or given up by who asks.
const long = 2 * Patience

// RatingPad tests a driver of class ratingpad.
func RatingPad(t *testing.T, fresh Fresh[RatingPadHarness]) {
	fit := func(t *testing.T) (Harness, func(*rig)) {
		h := fresh(t)
		return h.Harness, func(r *rig) {
			for i, stars := range h.Grades {
				r.rates(h, uint16(i+1), stars)
			}
		}
	}
	life(t, fit)
	if !fresh(t).Unasked {
		babbles(t, fit)
	}
	unanswered(t, fresh)
	t.Run("takes no press for an answer that nobody asked for", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		before := r.device.Health().Counters
		r.until("the device", func() bool { return h.Press(h.Grades[0]) })
		if h.Unasked {
			r.until("the press to be thrown away", func() bool { return r.device.Health().Counters.Garbage > before.Garbage })
		}
		r.rates(h, 7, h.Grades[len(h.Grades)-1])
	})
	t.Run("asks one at a time", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		first := r.asks(t.Context(), h, 1)
		_, err := r.device.(device.RatingPad).Ask(t.Context(), device.RatingRequest{Session: 2, Timeout: long})
		r.fails(err, device.CodeBusy)
		r.until("the press", func() bool { return h.Press(h.Grades[0]) })
		if a := <-first; a.err != nil || a.rating.Session != 1 {
			t.Errorf("the first question was answered %+v, %v", a.rating, a.err)
		}
	})
}

// unanswered tests questions that nobody answers: no grade may come of them.
func unanswered(t *testing.T, fresh Fresh[RatingPadHarness]) {
	t.Run("gives no grade when nobody answers", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		_, err := r.device.(device.RatingPad).Ask(t.Context(), device.RatingRequest{Session: 3, Timeout: time.Second / 2})
		r.fails(err, device.CodeTimeout)
		r.rates(h, 4, h.Grades[0])
	})
	t.Run("gives a cancelled question back at once", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		ctx, cancel := context.WithCancel(t.Context())
		call := r.asks(ctx, h, 5)
		cancel()
		r.fails(r.ends(call).err)
		r.until("the end of the question", func() bool { return !h.Asked(5) })
		r.rates(h, 6, h.Grades[0])
	})
	t.Run("loses the question with its cable", func(t *testing.T) {
		h := fresh(t)
		r := start(t, h.Harness)
		r.plug()
		r.reaches(device.OK)
		call := r.asks(t.Context(), h, 7)
		r.unplug()
		r.fails(r.ends(call).err, device.CodeOffline)
		r.reaches(device.Offline)
		r.plug()
		r.reaches(device.OK)
		r.rates(h, 8, h.Grades[0])
	})
	t.Run("refuses a question while absent", func(t *testing.T) {
		r := start(t, fresh(t).Harness)
		r.reaches(device.Offline)
		_, err := r.device.(device.RatingPad).Ask(t.Context(), device.RatingRequest{Session: 1, Timeout: long})
		r.fails(err, device.CodeOffline)
	})
}

// answered is what came of a question.
type answered struct {
	rating device.Rating
	err    error
}

// asks asks a question and waits until it is asked.
func (r *rig) asks(ctx context.Context, h RatingPadHarness, tag uint16) <-chan answered {
	r.t.Helper()
	call := make(chan answered, 1)
	go func() {
		rating, err := r.device.(device.RatingPad).Ask(ctx, device.RatingRequest{Session: tag, Prompt: "工号 018", Timeout: long})
		call <- answered{rating, err}
	}()
	r.until("the question to be asked", func() bool { return h.Asked(tag) || len(call) > 0 })
	return call
}

func (r *rig) ends(call <-chan answered) answered {
	r.t.Helper()
	select {
	case a := <-call:
		return a
	case <-time.After(stopsWithin):
		r.t.Fatal("Ask does not return")
		return answered{}
	}
}

// rates proves that a grade that is pressed is the answer of the question.
func (r *rig) rates(h RatingPadHarness, tag uint16, stars int) {
	r.t.Helper()
	call := r.asks(r.t.Context(), h, tag)
	r.until("the press", func() bool { return h.Press(stars) })
	select {
	case a := <-call:
		if a.err != nil || a.rating.Stars != stars || a.rating.Session != tag {
			r.t.Errorf("pressed %d for question %d, got %+v, %v", stars, tag, a.rating, a.err)
		}
	case <-time.After(Patience):
		r.t.Fatalf("no answer: %+v\n%s", r.device.Health(), r.log.String())
	}
}
