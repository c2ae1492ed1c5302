package queue_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/admit"
	"halledge/firmware-protocols/hallsync"
)

// lunch is a hall whose first window rests from noon on with somebody waiting, and half an hour has gone by.
func lunch(t *testing.T, hours []admit.Span, day time.Time) *bench {
	t.Helper()
	p := plan()
	p.EndAfter, p.EndFrom = 30*time.Minute, 17*time.Hour
	for i := range p.Queues {
		p.Queues[i].Hours = hours
	}
	b := &bench{t: t, s: queue.New(p), now: day.Add(9 * time.Hour)}
	b.must(queue.TurnDay{})
	b.must(queue.Open{Window: "1"})
	b.must(queue.Take{Ticket: "w", Queue: "A", Channel: hallsync.AtDesk, Override: "加班"})
	b.at(day.Add(12 * time.Hour)).must(queue.Close{Window: "1"})
	return b.after(31 * time.Minute)
}

func TestTheHallHasNotGoneHomeAtLunch(t *testing.T) {
	workdays := [7]bool{false, true, true, true, true, true, false}
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, start.Location())
	morning := []admit.Span{{Days: workdays, From: 8 * time.Hour, To: 11*time.Hour + 30*time.Minute}}
	for name, b := range map[string]*bench{
		"a Saturday opened by staff":    lunch(t, morning, monday.AddDate(0, 0, 5)),
		"numbers in the mornings alone": lunch(t, morning, monday),
	} {
		if facts := b.must(queue.EndDay{}); len(facts) > 0 {
			t.Errorf("%s: at lunch %+v", name, facts)
		}
		b.at(b.now.Truncate(time.Hour).Add(5*time.Hour + 29*time.Minute)).must(queue.EndDay{}) // 17:29
		if got := b.ticket("w").State; got != hallsync.Waiting {
			t.Errorf("%s: before the end of the day the ticket is %s", name, got)
		}
		b.after(time.Minute).must(queue.EndDay{})
		if got := b.ticket("w").State; got != hallsync.Closed {
			t.Errorf("%s: in the evening the ticket is %s", name, got)
		}
	}
}

// Somebody still works after all: who was sent home by mistake waits on at the old place.
func TestAClosedTicketIsReopenedTheSameDay(t *testing.T) {
	b := lunch(t, []admit.Span{{Days: [7]bool{1: true}, From: 8 * time.Hour, To: 17 * time.Hour}}, time.Date(2026, 3, 2, 0, 0, 0, 0, start.Location()))
	b.at(start.Add(9 * time.Hour)).must(queue.EndDay{})
	b.must(queue.Open{Window: "1"})
	b.must(queue.Open{Window: "3"})
	b.must(queue.Take{Ticket: "later", Queue: "A", Channel: hallsync.AtDesk, Override: "加班"})
	b.refused(queue.Reopen{Window: "1", Ticket: "w"}, queue.ReasonRequired)
	b.refused(queue.Reopen{Window: "3", Ticket: "w", Reason: "还在办"}, queue.WindowNotEntitled)
	b.must(queue.Reopen{Window: "1", Ticket: "w", Reason: "还在办"})
	if c := b.next("1"); c.Ticket != "w" {
		t.Errorf("called %s", c.Number)
	}
	b.at(start.AddDate(0, 0, 1)).must(queue.TurnDay{})
	b.must(queue.Open{Window: "1"})
	b.refused(queue.Reopen{Window: "1", Ticket: "w", Reason: "还在办"}, queue.UnknownTicket)
}

// Midnight comes while somebody is called, served, held, passed: in a queue that carries over nobody is lost.
func TestWhoIsAtAWindowAtMidnightIsCarriedOver(t *testing.T) {
	p := plan()
	p.Queues[0].Carry = true
	p.Queues[1].ReturnAfter = 0
	b := newBenchOf(t, p)
	b.at(start.Add(14 * time.Hour))
	for _, w := range []hallsync.WindowID{"1", "2", "3"} {
		b.must(queue.Open{Window: w})
	}
	for _, id := range []string{"passed", "held", "served", "called", "waits"} {
		b.take(id, "A", "")
	}
	b.take("other", "B", "")
	b.next("1")
	b.must(queue.Pass{Window: "1"})
	b.next("1")
	b.must(queue.Start{Window: "1"})
	b.must(queue.Hold{Window: "1"})
	b.next("1")
	b.must(queue.Start{Window: "1"})
	b.next("2")
	b.next("3")
	b.after(time.Hour).must(queue.TurnDay{})
	if _, there := b.s.Ticket("other"); there {
		t.Error("a ticket of a queue that ends with the day is still there")
	}
	for id, want := range map[hallsync.TicketID]hallsync.TicketState{
		"passed": hallsync.Passed, "held": hallsync.Waiting, "served": hallsync.Waiting, "called": hallsync.Waiting, "waits": hallsync.Waiting,
	} {
		if got, _ := b.s.Ticket(id); got.State != want {
			t.Errorf("%s is %q, want %s", id, got.State, want)
		}
	}
	b.must(queue.Requeue{Ticket: "passed"})
	b.must(queue.Open{Window: "1"})
	for _, want := range []hallsync.TicketID{"held", "served", "called", "passed", "waits"} {
		if c := b.next("1"); c == nil || c.Ticket != want {
			t.Fatalf("called %+v, want %s", c, want)
		}
	}
}

func TestNumbersOfLogsThatWereLostAreNotGivenAgain(t *testing.T) {
	numbers := map[string]bool{}
	for lost := range 3 {
		b := &bench{t: t, s: queue.New(plan()), now: start}
		b.must(queue.TurnDay{Lost: lost})
		f, _ := b.takes(nil)
		if numbers[f.Number] || numbers[f.FlowNo] {
			t.Errorf("after %d losses %s and %s are given again", lost, f.Number, f.FlowNo)
		}
		numbers[f.Number], numbers[f.FlowNo] = true, true
	}
}

// TestADayOpenedTooEarlyIsTakenBack puts the clock far ahead and back to where it was, in between people take numbers.
func TestADayOpenedTooEarlyIsTakenBack(t *testing.T) {
	b := newBench(t)
	b.take("a", "A", "")
	set := func(to time.Time) {
		t.Helper()
		b.must(queue.SetClock{To: to, Source: queue.ClockByNetwork})
		b.at(to).must(queue.TurnDay{})
	}
	set(start.AddDate(0, 0, 20))
	b.must(queue.Open{Window: "1"})
	b.take("b", "A", "")
	b.take("c", "A", "")
	b.next("1")
	set(start.Add(time.Hour))
	if b.s.Day() != "2026-03-02" || b.s.Instead() != "2026-03-22" {
		t.Fatalf("day %s instead of %q", b.s.Day(), b.s.Instead())
	}
	if w, _ := b.s.Window("1"); w.Ticket != "b" || w.State != hallsync.WindowOpen {
		t.Errorf("the window is %+v", w)
	}
	if f, _ := b.takes(nil); f.Number != "A003" || f.BusinessDay != "2026-03-02" {
		t.Errorf("%s of %s is given", f.Number, f.BusinessDay)
	}
	if c := b.next("1"); c == nil || c.Ticket != "c" {
		t.Errorf("called %+v", c)
	}
	b.at(start.AddDate(0, 0, 1)).must(queue.TurnDay{})
	if f, _ := b.takes(nil); f.Number != "A001" || b.s.Instead() != "" {
		t.Errorf("on the next day %s is given, instead of %q", f.Number, b.s.Instead())
	}
	b.at(start.AddDate(0, 0, 20)).must(queue.TurnDay{})
	if f, _ := b.takes(nil); f.Number != "A003" {
		t.Errorf("on the day that was open before %s is given", f.Number)
	}
}

// A clock that is put back a little over midnight, or by nobody who knows the time, takes no day back.
func TestASmallCorrectionTakesNoDayBack(t *testing.T) {
	b := newBench(t)
	b.at(start.Add(15*time.Hour + 10*time.Minute)).must(queue.TurnDay{})
	b.must(queue.SetClock{To: b.now.Add(-time.Hour), Source: queue.ClockByNetwork})
	if facts := b.after(-time.Hour).must(queue.TurnDay{}); len(facts) > 0 {
		t.Errorf("%+v", facts)
	}
	if facts := b.after(-20 * time.Hour).must(queue.TurnDay{}); len(facts) > 0 {
		t.Errorf("%+v", facts)
	}
}

// TestNoNumberIsGivenTwiceWhateverTheClockDoes sets the clock to and fro over days, and lets people come.
func TestNoNumberIsGivenTwiceWhateverTheClockDoes(t *testing.T) {
	each(t, sequences/10, func(r *rand.Rand, name int) {
		rt, p := &sequence{T: t, name: name}, plan()
		p.Queues[0].Carry = r.IntN(2) == 0
		b := &bench{t: t, s: queue.New(p), now: start}
		b.quick(rt, queue.TurnDay{})
		given, open := map[string]bool{}, map[hallsync.TicketID]bool{}
		for n := range 30 {
			b.after(time.Duration(r.IntN(4000)) * time.Second)
			switch r.IntN(5) {
			case 0:
				by := time.Duration(r.IntN(200)-100) * time.Hour / 2
				b.quick(rt, queue.SetClock{To: b.now.Add(by), Source: queue.ClockByNetwork})
				b.after(by)
				begin, _ := time.ParseInLocation(time.DateOnly, b.s.Day(), start.Location())
				b.quick(rt, queue.TurnDay{})
				if today := b.now.Format(time.DateOnly); b.s.Day() != today && begin.Sub(b.now) > 2*time.Hour {
					rt.Fatalf("at %s the day is %s", b.now, b.s.Day())
				}
			case 1:
				b.quick(rt, queue.Open{Window: "2"})
				b.quick(rt, queue.SetRoll{Queue: "B", On: true})
				b.quick(rt, queue.CallNext{Window: "2"})
			default:
				b.quick(rt, queue.TurnDay{})
				b.quick(rt, queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtKiosk})
			}
			for _, f := range b.facts {
				switch f := f.(type) {
				case hallsync.TicketTaken:
					once := []string{f.FlowNo, string(f.Ticket)}
					if f.Channel != hallsync.AtRoll { // what a roll of paper begins with is said by staff
						once = append(once, f.BusinessDay+f.Number)
					}
					for _, what := range once {
						if given[what] {
							rt.Fatalf("%s is given twice", what)
						}
						given[what] = true
					}
					open[f.Ticket] = true
				case hallsync.TicketFinished:
					delete(open, f.Ticket)
				case hallsync.TicketClosed:
					delete(open, f.Ticket)
				}
			}
			b.facts, b.times = nil, nil
			for id := range open {
				if got, _ := b.s.Ticket(id); !got.State.Open() {
					rt.Fatalf("ticket %s is lost: %q", id, got.State)
				}
			}
			if rt.failed {
				return
			}
		}
		raw, err := json.Marshal(b.s)
		if err != nil {
			rt.Fatalf("%v", err)
		}
		again, err := queue.Restore(p, raw)
		if err != nil {
			rt.Fatalf("%v", err)
		}
		if got, _ := json.Marshal(again); string(got) != string(raw) {
			rt.Fatalf("the snapshot differs\n got %s\nwant %s", got, raw)
		}
	})
}

// Who is booked for this morning still is when the clock was a day ahead, and everybody seemed to have stayed away.
func TestAppointmentsOutliveAClockADayAhead(t *testing.T) {
	p := plan()
	p.Queues[0].Early = 15 * time.Minute
	b := newBenchOf(t, p)
	b.must(queue.SetBooking{BookingSet: hallsync.BookingSet{Booking: "AP", Queue: "A", Start: moment(10, 0), End: moment(10, 30)}})
	ahead := start.Add(30 * time.Hour)
	b.must(queue.SetClock{To: ahead, Source: queue.ClockByNetwork})
	b.at(ahead).must(queue.TurnDay{})
	b.must(queue.MissBookings{Since: ahead})
	b.must(queue.SetClock{To: moment(9, 30), Source: queue.ClockByNetwork})
	b.at(moment(9, 30)).must(queue.TurnDay{})
	f, _ := b.at(moment(9, 50)).wantTake("", func(c *queue.Take) { c.Booking = "AP" })
	if f.Class != hallsync.Appointment || f.BusinessDay != "2026-03-02" {
		t.Errorf("%+v", f)
	}
}
