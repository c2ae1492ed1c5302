package hall_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// watch is a box's clock that a test sets.
type watch struct {
	wall   time.Time
	steady time.Duration
	synced bool
}

var morning = time.Date(2026, 3, 2, 9, 0, 0, 0, time.FixedZone("CST", 8*3600))

func (w *watch) pass(d time.Duration) { w.wall, w.steady = w.wall.Add(d), w.steady+d }

func (w *watch) clock() hall.Clock {
	return hall.Clock{
		Wall: func() time.Time { w.pass(300 * time.Microsecond); return w.wall }, Steady: func() time.Duration { return w.steady }, Synced: func() bool { return w.synced },
	}
}

// boot starts a hall in dir; off is the power cut.
func boot(t *testing.T, dir string, w *watch) (h *hall.Hall, off func()) {
	t.Helper()
	return bootAfter(t, dir, w, nil)
}

// bootAfter is boot on a box that was told of others.
func bootAfter(t *testing.T, dir string, w *watch, before func() int) (h *hall.Hall, off func()) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(dir, store.Options{Hall: "440900000000001", Delivered: "cloud", Log: quiet, Before: before})
	if err != nil {
		t.Fatal(err)
	}
	h, err = hall.New(st, plan(), quiet, w.clock())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = st.Run(ctx) })
	off = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(off)
	return h, off
}

func grab(h *hall.Hall, id string) error {
	_, err := h.Do(context.Background(), queue.Take{Ticket: hallsync.TicketID(id), Queue: "A", Channel: hallsync.AtKiosk})
	return err
}

// at gives the business day and the time of day of the hall, and how many wait.
func at(h *hall.Hall) (text string) {
	h.Look(func(m queue.Moment) {
		text = fmt.Sprintf("%s %s %d", m.State.Day(), m.Now.Format("15:04"), m.State.Waiting("A"))
	})
	return text
}

func TestStepsOfTheClockMoveNoDay(t *testing.T) {
	for name, step := range map[string]time.Duration{"a day ahead": 24 * time.Hour, "a day back": -24 * time.Hour, "years back": -20 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := &watch{wall: morning}
			h, _ := boot(t, t.TempDir(), w)
			if err := grab(h, "a"); err != nil {
				t.Fatal(err)
			}
			w.pass(time.Hour)
			w.wall = w.wall.Add(step)
			w.pass(time.Minute)
			if err := grab(h, "b"); err != nil {
				t.Fatal(err)
			}
			if got := at(h); got != "2026-03-02 10:01 2" {
				t.Errorf("after the step the hall is at %s", got)
			}
			w.pass(15 * time.Hour)
			if err := grab(h, "c"); err != nil {
				t.Fatal(err)
			}
			if got := at(h); got != "2026-03-03 01:01 1" {
				t.Errorf("after midnight the hall is at %s", got)
			}
		})
	}
}

func TestTheNetworkIsBelievedAboutTheTime(t *testing.T) {
	w := &watch{wall: morning.Add(-time.Hour)}
	h, _ := boot(t, t.TempDir(), w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	w.wall, w.synced = w.wall.Add(time.Hour), true
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 09:00 2" {
		t.Errorf("the hall is at %s", got)
	}
}

func TestABoxThatLostTheTimeGivesNoTicketsUntilSomebodyKnowsIt(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning}
	h, off := boot(t, dir, w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	off()
	w = &watch{wall: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}
	h, off = boot(t, dir, w)
	for range 2 { // it does not forget by itself, and not by a restart
		var r *queue.Refusal
		if err := grab(h, "b"); !errors.As(err, &r) || r.Code != queue.ClockUnknown {
			t.Fatalf("got %v", err)
		}
		if _, err := h.Do(context.Background(), queue.Open{Window: "1"}); err != nil {
			t.Fatalf("windows must work: %v", err)
		}
		off()
		w.pass(time.Minute)
		h, off = boot(t, dir, w)
	}
	day := morning.Add(26 * time.Hour)
	if _, err := h.Do(context.Background(), queue.SetClock{To: day, Source: queue.ClockByStaff}); err != nil {
		t.Fatal(err)
	}
	if err := grab(h, "c"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-03 11:00 1" {
		t.Errorf("the hall is at %s", got)
	}
}

func TestTheCentreIsBelievedAboutTheTime(t *testing.T) {
	w := &watch{wall: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}
	h, _ := boot(t, t.TempDir(), w)
	var r *queue.Refusal
	if err := grab(h, "a"); !errors.As(err, &r) || r.Code != queue.ClockUnknown {
		t.Fatalf("got %v", err)
	}
	h.Told(morning)
	h.Told(morning.Add(30 * time.Second)) // not far enough from what is known
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 09:00 1" {
		t.Errorf("the hall is at %s", got)
	}
}

func TestNothingTurnsADayBeforeTheClockWasLookedAfter(t *testing.T) {
	w := &watch{wall: morning}
	h, _ := boot(t, t.TempDir(), w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	w.wall = w.wall.Add(24 * time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	dirty, stop := h.Watch()
	defer stop()
	var done sync.WaitGroup
	done.Go(func() { _ = h.Run(ctx) })
	<-dirty // the step is noted
	cancel()
	done.Wait()
	if got := at(h); got != "2026-03-02 09:00 1" {
		t.Errorf("the hall is at %s", got)
	}
}

func TestAStepDoesNotStopTheHallsClock(t *testing.T) {
	for name, synced := range map[string]bool{"nobody vouches": false, "the network vouches": true} {
		t.Run(name, func(t *testing.T) {
			w := &watch{wall: morning}
			dir := t.TempDir()
			h, off := boot(t, dir, w)
			do := func(c queue.Command) {
				t.Helper()
				if _, err := h.Do(context.Background(), c); err != nil {
					t.Fatalf("%T: %v", c, err)
				}
			}
			do(queue.Open{Window: "1"})
			for _, id := range []string{"a", "b", "c"} {
				if err := grab(h, id); err != nil {
					t.Fatal(err)
				}
			}
			do(queue.CallNext{Window: "1"})
			w.wall, w.synced = w.wall.Add(time.Hour), synced
			w.pass(10 * time.Second)
			do(queue.CallNext{Window: "1"})
			w.pass(10 * time.Second)
			do(queue.CallNext{Window: "1"})
			off()
			h, _ = boot(t, dir, w)
			if err := grab(h, "d"); err != nil {
				t.Errorf("after a start: %v", err)
			}
		})
	}
}

func TestAYearMistypedOpensNoDay(t *testing.T) {
	w := &watch{wall: morning}
	h, _ := boot(t, t.TempDir(), w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	var r *queue.Refusal
	_, err := h.Do(context.Background(), queue.SetClock{To: morning.AddDate(10, 0, 0), Source: queue.ClockByStaff})
	if !errors.As(err, &r) || r.Code != queue.ClockFar {
		t.Fatalf("got %v", err)
	}
	if got := at(h); got != "2026-03-02 09:00 1" {
		t.Errorf("the hall is at %s", got)
	}
	if _, err := h.Do(context.Background(), queue.SetClock{To: morning.AddDate(0, 0, 3), Source: queue.ClockByStaff, Sure: true}); err != nil {
		t.Fatal(err)
	}
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-05 09:00 1" {
		t.Errorf("after being asked again the hall is at %s", got)
	}
}

// A box whose clock stood still over a weekend goes on with the right day as soon as anybody knows it.
func TestAWeekendWithoutAClock(t *testing.T) {
	later := 62 * time.Hour
	for name, learn := range map[string]func(h *hall.Hall, w *watch){
		"network": func(_ *hall.Hall, w *watch) { w.wall, w.synced = w.wall.Add(later), true },
		"centre":  func(h *hall.Hall, w *watch) { h.Told(w.wall.Add(later)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := t.TempDir(), &watch{wall: morning}
			h, off := boot(t, dir, w)
			if err := grab(h, "a"); err != nil {
				t.Fatal(err)
			}
			off()
			w.pass(time.Minute)
			h, off = boot(t, dir, w)
			if err := grab(h, "b"); err != nil {
				t.Fatal(err)
			}
			learn(h, w)
			if err := grab(h, "c"); err != nil {
				t.Fatal(err)
			}
			if got := at(h); got != "2026-03-04 23:01 1" {
				t.Errorf("the hall is at %s", got)
			}
			off()
			h, _ = boot(t, dir, w)
			if err := grab(h, "d"); err != nil {
				t.Errorf("after a start: %v", err)
			}
		})
	}
}

// A box that starts a year later than it stopped has lost the time as well: the day it would open could never be taken back.
func TestAStartFarAheadIsNotBelieved(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning}
	h, off := boot(t, dir, w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	off()
	w.wall = w.wall.AddDate(1, 0, 0)
	h, _ = boot(t, dir, w)
	var r *queue.Refusal
	if err := grab(h, "b"); !errors.As(err, &r) || r.Code != queue.ClockUnknown {
		t.Fatalf("got %v", err)
	}
	if _, err := h.Do(context.Background(), queue.SetClock{To: morning.Add(time.Hour), Source: queue.ClockByStaff}); err != nil {
		t.Fatal(err)
	}
	if err := grab(h, "c"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 10:00 2" {
		t.Errorf("the hall is at %s", got)
	}
}

func TestACorrectionOutlivesAStart(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning.Add(time.Hour)}
	h, off := boot(t, dir, w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Do(context.Background(), queue.SetClock{To: morning, Source: queue.ClockByStaff}); err != nil {
		t.Fatal(err)
	}
	off()
	h, _ = boot(t, dir, w)
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 09:00 2" {
		t.Errorf("the hall is at %s", got)
	}
}

func TestASmallLossOfTimeAtTheStartIsNoted(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning}
	h, off := boot(t, dir, w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	off()
	h, _ = boot(t, dir, &watch{wall: morning.Add(-time.Minute)})
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 09:00 2" {
		t.Errorf("the hall is at %s", got)
	}
}

// A clock that is days ahead at the start, with nobody there who knows the time, opens no day: staff say what day it is. Who waits, waits on.
func TestAStartDaysAheadWaitsForSomebodyWhoKnowsTheTime(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning}
	h, off := boot(t, dir, w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	tomorrow := morning.Add(24 * time.Hour)
	if _, err := h.Do(context.Background(), queue.SetBooking{BookingSet: hallsync.BookingSet{
		Booking: "b", Queue: "A", Start: tomorrow, End: tomorrow.Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	off()
	w = &watch{wall: morning.Add(time.Hour + 20*24*time.Hour)}
	h, _ = boot(t, dir, w)
	var r *queue.Refusal
	if err := grab(h, "b"); !errors.As(err, &r) || r.Code != queue.ClockUnknown {
		t.Fatalf("got %v", err)
	}
	w.wall, w.synced = morning.Add(time.Hour+5*time.Minute), true
	if err := grab(h, "c"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 10:05 2" {
		t.Errorf("the hall is at %s", got)
	}
	h.Look(func(m queue.Moment) {
		if _, known := m.State.Booking("b"); !known {
			t.Error("the appointment of tomorrow is gone")
		}
	})
}

// With a network that vouches for the clock a hall may have been closed for as long as it likes.
func TestAHolidayWithANetwork(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning, synced: true}
	h, off := boot(t, dir, w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	off()
	w.wall = w.wall.AddDate(0, 0, 9)
	h, _ = boot(t, dir, w)
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-11 09:00 1" {
		t.Errorf("the hall is at %s", got)
	}
}

// A day ahead is little enough to be believed, and too much to stay so: once the network is there the true day is opened.
func TestADayOpenedByAClockAheadIsTakenBack(t *testing.T) {
	dir, w := t.TempDir(), &watch{wall: morning}
	h, off := boot(t, dir, w)
	if err := grab(h, "a"); err != nil {
		t.Fatal(err)
	}
	off()
	w = &watch{wall: morning.Add(30 * time.Hour)}
	h, _ = boot(t, dir, w)
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-03 15:00 1" {
		t.Fatalf("the hall is at %s", got)
	}
	w.wall, w.synced = morning.Add(time.Hour), true
	if err := grab(h, "c"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 10:00 2" {
		t.Errorf("the hall is at %s", got)
	}
	h.Look(func(m queue.Moment) {
		if c, _ := m.State.Ticket("c"); c.Number != "A002" || m.State.Instead() != "2026-03-03" {
			t.Errorf("%s is given, instead of %q", c.Number, m.State.Instead())
		}
	})
	w.pass(24 * time.Hour)
	if err := grab(h, "d"); err != nil {
		t.Fatal(err)
	}
	h.Look(func(m queue.Moment) {
		if d, _ := m.State.Ticket("d"); d.Number != "A002" || m.State.Day() != "2026-03-03" || m.State.Instead() != "" {
			t.Errorf("the next day is %s and gives %s, instead of %q", m.State.Day(), d.Number, m.State.Instead())
		}
	})
}

func TestAFirstStartInAFarYearOpensNoDay(t *testing.T) {
	w := &watch{wall: time.Date(2099, 1, 1, 9, 0, 0, 0, time.UTC)}
	h, _ := boot(t, t.TempDir(), w)
	var r *queue.Refusal
	if err := grab(h, "a"); !errors.As(err, &r) || r.Code != queue.ClockUnknown {
		t.Fatalf("got %v", err)
	}
	w.wall, w.synced = morning, true
	if err := grab(h, "b"); err != nil {
		t.Fatal(err)
	}
	if got := at(h); got != "2026-03-02 09:00 1" {
		t.Errorf("the hall is at %s", got)
	}
}

// A box that has lost the time is told of the numbers of other boxes: those of the day that it then turns out to be are passed over, and until
// then nobody says that they are.
func TestTheNumbersOfOtherBoxesArePassedWhenTheTimeIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		worked time.Time // when the box was on before; zero: never
		papers bool      // the box is told when it is enrolled; or else when it says hello
		renew  bool      // it is told to begin a new epoch
	}{
		"a new box":                 {papers: true},
		"a new disk":                {},
		"a box of yesterday":        {worked: morning.AddDate(0, 0, -1), papers: true},
		"a disk of yesterday":       {worked: morning.AddDate(0, 0, -1)},
		"a disk of today":           {worked: morning},
		"an old log of yesterday's": {worked: morning.AddDate(0, 0, -1), renew: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if !c.worked.IsZero() {
				h, off := boot(t, dir, &watch{wall: c.worked})
				if err := grab(h, "before"); err != nil {
					t.Fatal(err)
				}
				off()
			}
			before := 0
			if c.papers {
				before = 1
			}
			h, _ := bootAfter(t, dir, &watch{wall: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}, func() int { return before })
			if c.renew {
				if err := h.Renew(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			} else if passed, err := h.Pass(t.Context(), 1); passed || err != nil {
				t.Fatalf("passed %t, %v", passed, err)
			}
			h.Told(morning.Add(time.Hour))
			facts, err := h.Do(t.Context(), take("again"))
			if err != nil || facts[len(facts)-1].(hallsync.TicketTaken).Number != "A1001" {
				t.Errorf("got %v, %v", facts, err)
			}
			if passed, err := h.Pass(t.Context(), 1); !passed || err != nil {
				t.Errorf("passed %t, %v", passed, err)
			}
			before = 0
			if facts, err = h.Do(t.Context(), take("next")); err != nil || facts[len(facts)-1].(hallsync.TicketTaken).Number != "A1002" {
				t.Errorf("got %v, %v", facts, err)
			}
		})
	}
}
