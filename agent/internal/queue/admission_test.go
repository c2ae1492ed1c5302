package queue_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

var workdays = [7]bool{1: true, 2: true, 3: true, 4: true, 5: true}

// office is open in the morning and in the afternoon of working days.
func office(change func(p *queue.Plan)) *queue.Plan {
	p := plan()
	p.Queues[0].Hours = []admit.Span{
		{Days: workdays, From: 9 * time.Hour, To: 12 * time.Hour}, {Days: workdays, From: 14*time.Hour + 30*time.Minute, To: 17 * time.Hour},
	}
	change(p)
	return p
}

// moment is a time of the test's first Monday.
func moment(hour, minute int) time.Time {
	return time.Date(2026, 3, 2, hour, minute, 0, 0, start.Location())
}

func (b *bench) at(now time.Time) *bench { b.now = now; return b }

func (b *bench) takes(change func(c *queue.Take)) (hallsync.TicketTaken, *queue.Refusal) {
	b.t.Helper()
	b.taken++
	c := queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("x", b.taken)), Queue: "A", Channel: hallsync.AtKiosk}
	if change != nil {
		change(&c)
	}
	facts, err := b.try(c)
	var r *queue.Refusal
	if errors.As(err, &r) {
		return hallsync.TicketTaken{}, r
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return facts[0].(hallsync.TicketTaken), nil
}

func (b *bench) wantTake(want queue.Code, change func(c *queue.Take)) (hallsync.TicketTaken, *queue.Refusal) {
	b.t.Helper()
	f, r := b.takes(change)
	got := queue.Code("")
	if r != nil {
		got = r.Code
	}
	if got != want {
		b.t.Fatalf("take gave %q, want %q", got, want)
	}
	return f, r
}

func TestNumbersAreGivenInHours(t *testing.T) {
	b := newBenchOf(t, office(func(p *queue.Plan) {
		p.Calendar = admit.Calendar{"2026-03-03": admit.Holiday, "2026-03-07": int(time.Monday)}
	}))
	for _, tc := range []struct {
		now   time.Time
		want  queue.Code
		opens time.Time
	}{
		{moment(8, 59), queue.QueueClosed, moment(9, 0)},
		{moment(9, 0), "", time.Time{}},
		{moment(12, 0), queue.QueueClosed, moment(14, 30)},
		{moment(17, 0), queue.QueueClosed, time.Time{}},
		{moment(10, 0).AddDate(0, 0, 1), queue.QueueClosed, time.Time{}}, // a holiday
		{moment(10, 0).AddDate(0, 0, 5), "", time.Time{}},                // a Saturday that makes up for it
		{moment(10, 0).AddDate(0, 0, 6), queue.QueueClosed, time.Time{}}, // Sunday
	} {
		b.at(tc.now).must(queue.TurnDay{})
		if _, r := b.wantTake(tc.want, nil); r != nil && !r.Opens.Equal(tc.opens) {
			t.Errorf("%s: opens %s, want %s", tc.now, r.Opens, tc.opens)
		}
	}
	b.wantTake("", func(c *queue.Take) { c.Override = "主管同意" })
	b.wantTake("", func(c *queue.Take) { c.Queue = "B" }) // it has no hours, and holidays are of the calendar day
}

func TestQuotas(t *testing.T) {
	b := newBenchOf(t, office(func(p *queue.Plan) {
		p.Queues[0].Quota, p.Queues[0].Slot, p.Queues[0].SlotQuota = 3, time.Hour, 2
	}))
	b.wantTake("", nil)
	b.wantTake("", nil)
	if _, r := b.wantTake(queue.SlotQuotaUsed, nil); !r.Opens.Equal(moment(10, 0)) {
		t.Errorf("opens %s", r.Opens)
	}
	b.at(moment(10, 0)).wantTake("", nil)
	b.at(moment(11, 0)).wantTake(queue.QuotaUsed, nil)
	if a := b.s.Admits("A", b.now, nil); a.Left != 0 || a.Reason != admit.QuotaUsed {
		t.Errorf("%+v", a)
	}
	b.at(moment(9, 0).AddDate(0, 0, 1)).must(queue.TurnDay{})
	if a := b.s.Admits("A", b.now, nil); a.Left != 3 || a.Reason != "" || !a.Closes.Equal(moment(12, 0).AddDate(0, 0, 1)) {
		t.Errorf("%+v", a)
	}
}

func TestTheNextSlotIsOneThatGivesNumbers(t *testing.T) {
	b := newBenchOf(t, office(func(p *queue.Plan) {
		p.Queues[0].Slot, p.Queues[0].SlotQuota = time.Hour, 1
	}))
	for now, opens := range map[time.Time]time.Time{moment(11, 59): moment(14, 30), moment(16, 30): {}} {
		b.at(now).wantTake("", nil)
		if _, r := b.wantTake(queue.SlotQuotaUsed, nil); !r.Opens.Equal(opens) {
			t.Errorf("%s: opens %s, want %s", now, r.Opens, opens)
		}
	}
}

// Somebody who comes for several things has each of them open until it is done.
func TestSeveralThingsAreOpenToo(t *testing.T) {
	p := plan()
	for i := range p.Queues {
		p.Queues[i].PerPerson = 1
	}
	b := newBenchOf(t, p)
	first, _ := b.wantTake("", func(c *queue.Take) { c.Person, c.Then = "p", []hallsync.QueueID{"B"} })
	for _, again := range []func(c *queue.Take){
		func(c *queue.Take) { c.Person, c.Queue = "p", "B" },
		func(c *queue.Take) { c.Person, c.Queue, c.Override = "p", "B", "主管同意" },
	} {
		if _, r := b.wantTake(queue.AlreadyWaiting, again); r.Ticket != first.Ticket {
			t.Errorf("refused because of %q", r.Ticket)
		}
	}
	b.wantTake("", func(c *queue.Take) { c.Person, c.Queue = "q", "B" })
	b.wantTake(queue.AlreadyWaiting, func(c *queue.Take) { c.Person, c.Then = "q", []hallsync.QueueID{"B"} })
}

func TestOnePersonHasOneOpenTicketPerQueue(t *testing.T) {
	p := plan()
	p.MaxOpen = 2
	p.Queues = append(p.Queues, queue.QueuePlan{ID: "C"})
	for i := range p.Queues {
		p.Queues[i].PerPerson = 1
	}
	b := newBenchOf(t, p)
	by := func(person string, q hallsync.QueueID) func(*queue.Take) {
		return func(c *queue.Take) { c.Person, c.Queue = person, q }
	}
	first, _ := b.wantTake("", by("p", "A"))
	if _, r := b.wantTake(queue.AlreadyWaiting, by("p", "A")); r.Ticket != first.Ticket {
		t.Errorf("refused because of %s", r.Ticket)
	}
	b.wantTake("", by("q", "A"))
	b.wantTake("", by("", "A"))
	b.wantTake("", by("p", "B"))
	b.wantTake(queue.TooManyOpen, by("p", "C"))
	b.must(queue.Withdraw{Ticket: first.Ticket})
	b.wantTake("", by("p", "A"))
}

func TestBlockedPersonsTakeNothingOnline(t *testing.T) {
	b := newBenchOf(t, plan())
	b.at(moment(9, 0))
	block := queue.SetBlock{Person: "p", Until: moment(23, 0), Reason: "三次预约未到", By: hallsync.By{Kind: "staff", Staff: "m01"}}
	b.must(block)
	if again := b.must(block); len(again) != 0 {
		t.Errorf("said twice: %v", again)
	}
	everywhere := block
	everywhere.Person, everywhere.Everywhere = "q", true
	b.must(everywhere)
	b.refused(queue.SetBlock{Until: moment(23, 0), Reason: "x"}, queue.PersonRequired)
	b.refused(queue.SetBlock{Person: "p", Until: moment(23, 0)}, queue.ReasonRequired)
	online := func(c *queue.Take) { c.Person, c.Channel = "p", hallsync.Online }
	b.wantTake(queue.PersonBlocked, online)
	b.wantTake("", func(c *queue.Take) { c.Person = "p" })
	b.wantTake(queue.PersonBlocked, func(c *queue.Take) { c.Person = "q" })
	b.wantTake("", func(c *queue.Take) { c.Person, c.Channel = "", hallsync.Online })
	b.s = restored(t, plan(), b.s)
	b.wantTake(queue.PersonBlocked, func(c *queue.Take) { c.Person = "q" })
	everywhere.Until = moment(9, 0) // pardoned
	b.must(everywhere)
	b.wantTake("", func(c *queue.Take) { c.Person = "q" })
	b.wantTake(queue.PersonBlocked, online)
	b.at(moment(23, 0)).wantTake("", online)
	if over := b.must(queue.SetBlock{Person: "q", Until: moment(23, 0), Reason: "x"}); len(over) != 0 {
		t.Errorf("a block that is over already: %v", over)
	}
}

// restored is a state as a restart brings it back.
func restored(t *testing.T, p *queue.Plan, s *queue.State) *queue.State {
	t.Helper()
	raw, err := s.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := queue.Restore(p, raw)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestWhoWouldStillWaitAtClosingIsToldBefore(t *testing.T) {
	for closing, want := range map[admit.Closing]queue.Code{admit.Ignored: "", admit.Warns: "", admit.Stops: queue.ClosingSoon} {
		b := newBenchOf(t, office(func(p *queue.Plan) { p.Queues[0].Closing = closing }))
		b.must(queue.Open{Window: "1"})
		for range 5 {
			b.wantTake("", nil)
			b.must(queue.CallNext{Window: "1"})
			b.after(10 * time.Minute)
			b.must(queue.Finish{Window: "1"})
		}
		b.at(moment(11, 55))
		b.wantTake("", nil)
		b.must(queue.CallNext{Window: "1"})
		b.wantTake(want, nil)
		if a := b.s.Admits("A", b.now, b.s.Forecast(b.now).Next["A"]); !a.Late || queue.Code(a.Reason) != want {
			t.Errorf("%q: %+v", closing, a)
		}
		b.wantTake("", func(c *queue.Take) { c.Override = "群众愿意等" })
	}
}

// booked gives a hall with an appointment at ten.
func booked(t *testing.T) *bench {
	b := newBenchOf(t, office(func(p *queue.Plan) {
		p.Queues[0].Early, p.Queues[0].Late, p.Queues[0].Quota = 15*time.Minute, 15*time.Minute, 1
	}))
	b.must(queue.SetBooking{BookingSet: hallsync.BookingSet{Booking: "AP1", Queue: "A", Start: moment(10, 0), End: moment(10, 30), Person: "p"}})
	return b
}

func TestBookedPeopleCheckInAndAreCalledAtTheirTime(t *testing.T) {
	b := booked(t)
	b.must(queue.Open{Window: "1"})
	b.at(moment(9, 30)).wantTake("", nil) // and the quota is used
	checkIn := func(c *queue.Take) { c.Booking, c.Queue = "AP1", "" }
	if _, r := b.wantTake(queue.BookingEarly, checkIn); !r.Opens.Equal(moment(9, 45)) {
		t.Errorf("opens %s", r.Opens)
	}
	f, _ := b.at(moment(9, 45)).wantTake("", checkIn)
	if f.Class != hallsync.Appointment || f.Queue != "A" || f.Person != "p" || !f.BookedFor.Equal(moment(10, 0)) {
		t.Errorf("%+v", f)
	}
	if _, r := b.wantTake(queue.BookingUsed, checkIn); r.Ticket != f.Ticket {
		t.Errorf("whoever shows the code again is told of %q", r.Ticket)
	}
	if _, r := b.wantTake(queue.BookingUsed, func(c *queue.Take) { c.Booking, c.Person = "AP1", "q" }); r.Ticket != "" {
		t.Error("somebody else is told of the ticket")
	}
	b.wantTake("", func(c *queue.Take) { c.Override = "补号" })
	b.wantNext("1", "A001", line.Turn)
	b.wantNext("1", "A003", line.Turn) // before 9:55 the appointment is not due
	b.at(moment(9, 55)).takes(func(c *queue.Take) { c.Override = "补号" })
	b.at(moment(10, 6)).wantNext("1", "A004", line.Turn)
	b.wantNext("1", "A002", line.Turn)
}

func TestEarlyWithAWordOfStaffIsAnOrdinaryNumber(t *testing.T) {
	b := booked(t)
	f, _ := b.at(moment(9, 0)).wantTake("", func(c *queue.Take) { c.Booking, c.Override = "AP1", "老人不便来回" })
	if f.Class != hallsync.Normal || !f.BookedFor.IsZero() {
		t.Errorf("%+v", f)
	}
	b.wantTake(queue.BookingUsed, func(c *queue.Take) { c.Booking = "AP1" })
}

func TestLateForAnAppointmentIsAnOrdinaryNumber(t *testing.T) {
	b := booked(t)
	b.at(moment(9, 30)).wantTake("", nil) // the quota is used, but the number was kept
	late := func(c *queue.Take) { c.Booking = "AP1" }
	f, _ := b.at(moment(10, 46)).wantTake("", late)
	if f.Class != hallsync.Normal || !f.BookedFor.IsZero() {
		t.Errorf("%+v", f)
	}
}

func TestLateForAnAppointmentFindsTheHallClosed(t *testing.T) {
	b := booked(t)
	late := func(c *queue.Take) { c.Booking = "AP1" }
	if _, r := b.at(moment(12, 10)).wantTake(queue.QueueClosed, late); !r.Opens.Equal(moment(14, 30)) {
		t.Errorf("opens %s", r.Opens)
	}
	b.at(moment(14, 30)).wantTake("", late)
}

// Nobody can come in while nobody here knows the time, or when it was put forward over his appointment.
func TestAppointmentsThatTheClockJumpedOverAreExcused(t *testing.T) {
	for name, set := range map[string][]queue.Command{
		"lost":   {queue.StepClock{Dead: true}, queue.SetClock{To: moment(11, 0), Source: queue.ClockByStaff}},
		"slow":   {queue.SetClock{To: moment(11, 0), Source: queue.ClockByCloud}},
		"slewed": {queue.SetClock{To: moment(9, 1), Source: queue.ClockByCloud}},
	} {
		b := booked(t)
		b.at(moment(9, 0))
		for _, c := range set {
			b.must(c)
		}
		b.s = restored(t, b.s.Plan(), b.s)
		got := b.at(moment(11, 1)).must(queue.MissBookings{Since: moment(8, 0)})
		if want := (hallsync.BookingMissed{Booking: "AP1", Excused: name != "slewed"}); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestAppointmentsAreMissedUnlessTheHallWasDown(t *testing.T) {
	for since, excused := range map[time.Time]bool{moment(8, 0): false, moment(10, 10): true} {
		b := booked(t)
		if got := b.at(moment(10, 45)).must(queue.MissBookings{Since: since}); len(got) != 0 {
			t.Errorf("missed too soon: %v", got)
		}
		got := b.after(time.Second).must(queue.MissBookings{Since: since})
		if len(got) != 1 || got[0] != (hallsync.BookingMissed{Booking: "AP1", Excused: excused}) {
			t.Errorf("got %+v", got)
		}
		if again := b.must(queue.MissBookings{Since: since}); len(again) != 0 {
			t.Errorf("missed twice: %v", again)
		}
		f, _ := b.wantTake("", func(c *queue.Take) { c.Booking = "AP1" }) // who comes after all gets an ordinary number
		if f.Class != hallsync.Normal || !f.BookedFor.IsZero() {
			t.Errorf("%+v", f)
		}
		b.wantTake(queue.BookingUsed, func(c *queue.Take) { c.Booking = "AP1" })
	}
}

func TestAppointmentsFollowTheCentre(t *testing.T) {
	b := booked(t)
	set := hallsync.BookingSet{Booking: "AP1", Queue: "A", Start: moment(10, 0), End: moment(10, 30), Person: "p"}
	if again := b.must(queue.SetBooking{BookingSet: set}); len(again) != 0 {
		t.Errorf("the same appointment is news: %v", again)
	}
	set.Start, set.End = moment(16, 0), moment(16, 30)
	b.must(queue.SetBooking{BookingSet: set})
	if mine := b.s.BookingsOf([]string{"p"}, b.now); len(mine) != 1 || !mine[0].Start.Equal(moment(16, 0)) {
		t.Errorf("%+v", mine)
	}
	b.must(queue.CancelBooking{Booking: "AP1"})
	b.must(queue.SetBooking{BookingSet: set}) // and is made again
	b.at(moment(17, 0)).must(queue.MissBookings{Since: moment(8, 0)})
	if again := b.must(queue.SetBooking{BookingSet: set}); len(again) != 0 {
		t.Errorf("the same appointment is news after it was missed: %v", again)
	}
	set.Start, set.End = moment(17, 0), moment(17, 30)
	b.must(queue.SetBooking{BookingSet: set})
	b.at(moment(18, 0)).must(queue.MissBookings{Since: moment(8, 0)})
	b.must(queue.CancelBooking{Booking: "AP1"}) // who was missing may not come with it any more
	b.wantTake(queue.BookingUsed, func(c *queue.Take) { c.Booking = "AP1" })
	b.wantTake(queue.BookingUnknown, func(c *queue.Take) { c.Booking = "AP9" })
	b.refused(queue.SetBooking{BookingSet: hallsync.BookingSet{Booking: "AP2", Queue: "Z", Start: moment(1, 0), End: moment(2, 0)}}, queue.UnknownQueue)
	b.refused(queue.SetBooking{BookingSet: hallsync.BookingSet{Booking: "AP2", Queue: "A", Start: moment(2, 0), End: moment(2, 0)}}, queue.BookingInvalid)
	b.at(moment(9, 0).AddDate(0, 0, 1)).must(queue.TurnDay{})
	if left := b.s.Bookings(); len(left) != 1 { // the clock may be a day ahead
		t.Errorf("of yesterday's appointments %v are kept", left)
	}
	b.at(moment(9, 0).AddDate(0, 0, 2)).must(queue.TurnDay{})
	if left := b.s.Bookings(); len(left) != 0 {
		t.Errorf("old appointments are kept: %v", left)
	}
}

// A hall that has gone home calls nobody any more, and says so; one where somebody still works, or will, does not.
func TestNumbersEndWhenTheHallHasGoneHome(t *testing.T) {
	p := plan()
	week := [7]bool{true, true, true, true, true, true, true}
	for i := range p.Queues {
		p.Queues[i].Hours = []admit.Span{{Days: week, From: 9 * time.Hour, To: 12 * time.Hour}, {Days: week, From: 14 * time.Hour, To: 17 * time.Hour}}
	}
	p.Queues[1].Carry = true
	p.EndAfter = 30 * time.Minute
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "1"})
	passed := b.take("p", "A", "")
	b.next("1")
	b.must(queue.Pass{Window: "1"})
	waits, carried := b.take("w", "A", ""), b.take("c", "B", "")

	quiet := func(why string) {
		t.Helper()
		if facts := b.must(queue.EndDay{}); len(facts) > 0 {
			t.Fatalf("%s: %+v", why, facts)
		}
	}
	at := func(h, m int) *bench {
		b.now = start.Add(time.Duration(h-9)*time.Hour + time.Duration(m)*time.Minute)
		return b
	}
	at(13, 0)
	quiet("at noon, with a window open")
	b.must(queue.Close{Window: "1"})
	at(13, 45)
	quiet("before the hours of the afternoon")
	at(17, 29)
	quiet("half an hour is not over")
	at(17, 31)
	b.must(queue.Open{Window: "1"})
	at(18, 30)
	quiet("somebody works late")
	b.must(queue.Close{Window: "1"})
	at(18, 59)
	quiet("the window has just closed")
	at(19, 0).must(queue.EndDay{})
	for id, want := range map[hallsync.TicketID]hallsync.TicketState{waits: hallsync.Closed, passed: hallsync.Closed, carried: hallsync.Waiting} {
		if got := b.ticket(id).State; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	quiet("once is enough")
	b.now = start.Add(24 * time.Hour)
	b.must(queue.TurnDay{})
	if got := b.ticket(carried).State; got != hallsync.Waiting {
		t.Errorf("on the next day the carried ticket is %s", got)
	}
}

func TestAHallWithoutHoursNeverGoesHome(t *testing.T) {
	p := plan()
	p.EndAfter = 30 * time.Minute
	b := newBenchOf(t, p)
	b.take("w", "A", "")
	if facts := b.after(12 * time.Hour).must(queue.EndDay{}); len(facts) > 0 {
		t.Errorf("%+v", facts)
	}
}

// A second number was taken while the first was thrown away: only one of them can be open.
func TestReopeningGivesNobodyASecondNumber(t *testing.T) {
	for name, limit := range map[string]struct {
		change func(p *queue.Plan)
		want   queue.Code
	}{
		"in the queue": {func(p *queue.Plan) { p.Queues[0].PerPerson = 1 }, queue.AlreadyWaiting},
		"in the hall":  {func(p *queue.Plan) { p.MaxOpen = 1 }, queue.TooManyOpen},
	} {
		for state, end := range map[hallsync.TicketState]func(b *bench){
			hallsync.Abandoned: func(b *bench) { b.must(queue.Abandon{Window: "1", Ticket: "x", Reason: "误按"}) },
			hallsync.Done:      func(b *bench) { b.next("1"); b.must(queue.Finish{Window: "1"}) },
			hallsync.Closed:    func(b *bench) { b.s.Apply(hallsync.TicketClosed{Ticket: "x", From: hallsync.Waiting}, b.now) },
		} {
			p := plan()
			limit.change(p)
			b := newBenchOf(t, p)
			b.must(queue.Open{Window: "1"})
			b.must(queue.Take{Ticket: "x", Queue: "A", Channel: hallsync.AtKiosk, Person: "p"})
			end(b)
			b.must(queue.Take{Ticket: "y", Queue: "A", Channel: hallsync.AtKiosk, Person: "p"})
			again := queue.Reopen{Window: "1", Ticket: "x", Reason: "误按"}
			if r := b.refused(again, limit.want); r.Ticket != "y" {
				t.Errorf("%s, %s: refused for %s", name, state, r.Ticket)
			}
			b.must(queue.Withdraw{Ticket: "y"})
			b.must(again)
			if live := b.s.Live("p"); len(live) != 1 || live[0].ID != "x" {
				t.Errorf("%s, %s: open are %+v", name, state, live)
			}
		}
	}
}

func TestPriorityNeedsAReason(t *testing.T) {
	b := newBench(t)
	b.refused(queue.Take{Ticket: "x", Queue: "A", Class: hallsync.Priority, Channel: hallsync.AtDesk}, queue.ReasonRequired)
	b.must(queue.Take{Ticket: "x", Queue: "A", Class: hallsync.Elder, Channel: hallsync.AtKiosk}) // his card says so
	b.must(queue.Take{Ticket: "y", Queue: "A", Class: hallsync.Priority, Because: "现役军人", Channel: hallsync.AtDesk})
}

// One number for the same thing twice would count once against its quota.
func TestOneNumberIsForEachThingOnce(t *testing.T) {
	p := plan()
	p.Queues[1].Quota = 1
	b := newBenchOf(t, p)
	for _, then := range [][]hallsync.QueueID{{"A"}, {"B", "B"}, {"B", "A"}} {
		c := queue.Take{Ticket: "x", Queue: "A", Then: then, Channel: hallsync.AtKiosk}
		if r := b.refused(c, queue.StepRepeated); r.Queue != then[len(then)-1] {
			t.Errorf("%v is refused for %s", then, r.Queue)
		}
	}
	b.must(queue.Take{Ticket: "x", Queue: "A", Then: []hallsync.QueueID{"B"}, Channel: hallsync.AtKiosk})
	b.refused(queue.Take{Ticket: "y", Queue: "A", Then: []hallsync.QueueID{"B"}, Channel: hallsync.AtKiosk}, queue.QuotaUsed)
}

// Who has an appointment and takes an ordinary number for it, because the kiosk did not know him or it was too early, has not stayed away.
func TestWhoCameWithAnOrdinaryNumberHasNotMissedHisAppointment(t *testing.T) {
	for name, c := range map[string]struct {
		at      time.Time
		queue   hallsync.QueueID
		person  string
		excused bool
	}{
		"in the morning":     {moment(9, 50), "A", "p", true},
		"for something else": {moment(9, 50), "B", "p", false},
		"somebody else":      {moment(9, 50), "A", "q", false},
		"in the afternoon":   {moment(14, 0), "A", "p", false},
	} {
		b := newBench(t)
		b.must(queue.SetBooking{BookingSet: hallsync.BookingSet{
			Booking: "AP", Queue: "A", Person: "p", Start: moment(10, 0), End: moment(10, 30)}})
		b.must(queue.Open{Window: "2"})
		b.at(c.at).must(queue.Take{Ticket: "x", Queue: c.queue, Person: c.person, Channel: hallsync.AtDesk})
		b.next("2")
		b.must(queue.Finish{Window: "2"})
		got := b.at(moment(17, 0)).must(queue.MissBookings{})
		if want := (hallsync.BookingMissed{Booking: "AP", Excused: c.excused}); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// The hall's time is put back over the end of a slot: what was given in it is given.
func TestASlotIsNotWholeAgainWhenTheClockGoesBack(t *testing.T) {
	p := plan()
	p.Queues[0].Slot, p.Queues[0].SlotQuota = 30*time.Minute, 2
	b := newBenchOf(t, p)
	b.at(moment(9, 20)).wantTake("", nil)
	b.wantTake("", nil)
	b.wantTake(queue.SlotQuotaUsed, nil)
	b.at(moment(9, 31)).wantTake("", nil)
	b.must(queue.SetClock{To: moment(9, 25), Source: queue.ClockByNetwork})
	b.at(moment(9, 25)).wantTake(queue.SlotQuotaUsed, nil)
	b.at(moment(9, 31)).wantTake("", nil)
	b.wantTake(queue.SlotQuotaUsed, nil)
}
