package queue_test

import (
	"fmt"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

func TestOneNumberForSeveralThings(t *testing.T) {
	b := newBench(t)
	for _, w := range []hallsync.WindowID{"1", "3"} {
		b.must(queue.Open{Window: w})
	}
	f, _ := b.wantTake("", func(c *queue.Take) { c.Then = []hallsync.QueueID{"B"} })
	b.wantNext("1", "A001", line.Turn)
	b.after(time.Minute).must(queue.Finish{Window: "1"})
	if got := b.ticket(f.Ticket); got.State != hallsync.Waiting || got.Queue != "B" || len(got.Then) != 0 {
		t.Fatalf("after the first thing the ticket is %+v", got)
	}
	b.wantNext("3", "A001", line.Turn)
	b.next("3") // finishes it by calling on
	if got := b.ticket(f.Ticket).State; got != hallsync.Done {
		t.Errorf("after the last thing the ticket is %s", got)
	}
	b.wantTake(queue.UnknownQueue, func(c *queue.Take) { c.Then = []hallsync.QueueID{"Z"} })
}

// Who came for the first thing has not missed the second one yet.
func TestMissesAreForgottenWhenSomebodyCame(t *testing.T) {
	p := plan()
	p.Queues[0].MissLimit, p.Queues[1].MissLimit = 2, 2
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "2"})
	b.must(queue.Take{Ticket: "t", Queue: "A", Channel: hallsync.AtKiosk, Then: []hallsync.QueueID{"B"}})
	missed := func() {
		b.next("2")
		b.must(queue.Pass{Window: "2"})
	}
	missed()
	b.must(queue.Requeue{Ticket: "t"})
	b.next("2")
	b.must(queue.Finish{Window: "2"})
	if missed(); b.ticket("t").State != hallsync.Passed {
		t.Fatalf("missed once at the second thing it is %s", b.ticket("t").State)
	}
	b.must(queue.Requeue{Ticket: "t"})
	if missed(); b.ticket("t").State != hallsync.Abandoned {
		t.Errorf("missed twice there it is %s", b.ticket("t").State)
	}
}

func TestAWindowThatHoldsSomebodyStaysOpen(t *testing.T) {
	b := into(t, hallsync.Held)
	b.refused(queue.Close{Window: "1"}, queue.WindowBusy)
	b.must(queue.Transfer{Window: "1", Ticket: "t", ToQueue: "A"})
	b.must(queue.Close{Window: "1"})
}

func TestHeldTicketsComeBackByThemselves(t *testing.T) {
	b := into(t, hallsync.Serving)
	b.must(queue.Hold{Window: "1", Reason: "复印材料", For: 10 * time.Minute})
	b.take("later", "A", "")
	if got := b.after(10*time.Minute - time.Second).must(queue.Return{}); len(got) != 0 {
		t.Errorf("back too soon: %v", got)
	}
	b.after(time.Second).must(queue.Return{})
	b.wantNext("1", "A001", line.Turn)
}

func TestHeldTicketsOfTheHallAreResumedAnywhere(t *testing.T) {
	for _, pool := range []bool{false, true} {
		p := plan()
		p.HallPool = pool
		b := newBenchOf(t, p)
		for _, w := range []hallsync.WindowID{"1", "2", "3"} {
			b.must(queue.Open{Window: w})
		}
		b.take("t", "A", "")
		b.next("1")
		b.must(queue.Start{Window: "1"})
		b.must(queue.Hold{Window: "1"})
		b.refused(queue.Resume{Window: "3", Ticket: "t"}, queue.TicketOtherWindow) // it does not serve A
		if !pool {
			b.refused(queue.Resume{Window: "2", Ticket: "t"}, queue.TicketOtherWindow)
			continue
		}
		b.must(queue.Resume{Window: "2", Ticket: "t"})
		w1, _ := b.s.Window("1")
		w2, _ := b.s.Window("2")
		if len(w1.Held) != 0 || w2.Ticket != "t" {
			t.Errorf("window 1 holds %v, window 2 has %q", w1.Held, w2.Ticket)
		}
	}
}

func TestPaperRoll(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("t", "A", "")
	b.must(queue.SetRoll{Queue: "A", On: true, Next: 17})
	b.wantNext("1", "A001", line.Turn) // who has a ticket comes first
	b.wantNext("1", "AR017", queue.RuleRoll)
	b.wantNext("1", "AR018", queue.RuleRoll)
	b.must(queue.Pass{Window: "1"})
	b.must(queue.SetRoll{Queue: "A", On: true, Next: 18}) // set back by mistake: nobody is called twice
	b.wantNext("1", "AR019", queue.RuleRoll)
	b.must(queue.SetRoll{Queue: "A"})
	if c := b.next("1"); c != nil {
		t.Errorf("called %s without a roll", c.Number)
	}
	b.refused(queue.SetRoll{Queue: "Z", On: true}, queue.UnknownQueue)
}

func TestWhoWaitsIsCarriedOverNight(t *testing.T) {
	p := plan()
	p.Queues[0].Carry = true
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "1"})
	b.take("a", "A", "")
	b.take("b", "B", "")
	b.at(moment(9, 0).AddDate(0, 0, 1)).must(queue.TurnDay{})
	if _, kept := b.s.Ticket("b"); kept {
		t.Error("a ticket of an ordinary queue is kept")
	}
	b.take("new", "A", "")
	if got := b.ticket("new").Number; got != "A002" {
		t.Errorf("the new day begins with %s", got)
	}
	b.must(queue.Open{Window: "1"})
	b.wantNext("1", "A001", line.MaxWait)
	b.wantNext("1", "A002", line.Turn)
	b.must(queue.Finish{Window: "1"})
	b.at(moment(9, 0).AddDate(0, 0, 2)).must(queue.TurnDay{})
	b.take("third", "A", "")
	if got := b.ticket("third").Number; got != "A001" {
		t.Errorf("with nobody left the day begins with %s", got)
	}
}

// A ticket that went to another queue keeps its number, which its first queue must not give again.
func TestWhoWasSentElsewhereKeepsTheNumberOverNight(t *testing.T) {
	p := plan()
	p.Queues[1].Carry = true
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "1"})
	b.take("a", "A", "")
	b.wantNext("1", "A001", line.Turn)
	b.must(queue.Transfer{Window: "1", ToQueue: "B"})
	b.at(moment(9, 0).AddDate(0, 0, 1)).must(queue.TurnDay{})
	b.take("new", "A", "")
	b.take("other", "B", "")
	if got, other := b.ticket("new").Number, b.ticket("other").Number; got != "A002" || other != "B001" {
		t.Errorf("the new day begins with %s and %s beside A001", got, other)
	}
}

// Whoever comes for several things takes a number of each: neither hours nor quotas are got round by naming another thing first.
func TestEachOfSeveralThingsCountsWhereItIsDone(t *testing.T) {
	p := plan()
	p.Queues[1].Quota = 1
	b := newBenchOf(t, p)
	take := func(id string, first hallsync.QueueID, then ...hallsync.QueueID) queue.Take {
		return queue.Take{Ticket: hallsync.TicketID(id), Queue: first, Then: then, Channel: hallsync.AtKiosk}
	}
	b.must(take("a", "A", "B"))
	b.refused(take("b", "B"), queue.QuotaUsed)
	b.refused(take("c", "A", "B"), queue.QuotaUsed)
	b.must(take("d", "A"))
	c := take("e", "A", "B")
	c.Override = "主管同意"
	b.must(c)
}

// Whoever comes back after being passed is due after some calls, whatever time he was booked for: he would stand before all others who
// come back.
func TestBookedPeopleWhoComeBackHoldUpNobody(t *testing.T) {
	p := plan()
	p.Queues[0].Early = 5 * time.Hour
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "1"})
	for _, id := range []string{"x", "y"} {
		b.must(queue.SetBooking{BookingSet: hallsync.BookingSet{Booking: hallsync.BookingID(id), Queue: "A", Start: moment(14, 0), End: moment(14, 30)}})
		b.must(queue.Take{Ticket: hallsync.TicketID(id), Queue: "A", Booking: hallsync.BookingID(id), Channel: hallsync.AtKiosk})
	}
	b.take("z", "A", "")
	for range 3 { // z, and as nobody else waits the booked ones
		b.after(time.Minute).next("1")
		b.must(queue.Pass{Window: "1"})
	}
	for _, id := range []hallsync.TicketID{"x", "y", "z"} {
		b.must(queue.Requeue{Ticket: id})
	}
	for n := range 6 { // ordinary people, after three of whom the others are due
		b.take(fmt.Sprint("n", n), "A", "")
	}
	called := map[hallsync.TicketID]int{}
	for n := range 6 {
		b.after(time.Minute)
		if c := b.next("1"); c != nil {
			called[c.Ticket] = n
		}
	}
	for _, id := range []hallsync.TicketID{"x", "y", "z"} {
		if n, ok := called[id]; !ok || n < 3 {
			t.Errorf("%s is called as number %d, %t: %v", id, n, ok, called)
		}
	}
}

// Somebody with a number of the roll who still waits at the end of the day has that number, and neither the roll nor the slips of the
// next day go by it.
func TestTheRollOfTheNextDayKnowsWhoStillWaits(t *testing.T) {
	p := plan()
	p.Queues[1].Carry = true
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "1"})
	b.must(queue.SetRoll{Queue: "A", On: true, Next: 57})
	b.wantNext("1", "AR057", queue.RuleRoll)
	b.must(queue.Transfer{Window: "1", ToQueue: "B"})
	b.at(moment(9, 0).AddDate(0, 0, 1)).must(queue.TurnDay{})
	b.take("slip", "A", "")
	if got := b.ticket("slip").Number; got != "A001" {
		t.Errorf("the first slip is %s", got)
	}
	b.must(queue.Open{Window: "1"}) // it serves A alone
	b.wantNext("1", "A001", line.Turn)
	b.must(queue.SetRoll{Queue: "A", On: true, Next: 57})
	b.after(time.Minute)
	b.wantNext("1", "AR058", queue.RuleRoll)
}

func TestANoteTravelsWithTheTicket(t *testing.T) {
	b := into(t, hallsync.Serving)
	b.must(queue.Transfer{Window: "1", ToQueue: "B", Note: "材料已核对，缺复印件"})
	b.must(queue.Open{Window: "3"})
	b.wantNext("3", "A001", line.Turn)
	w, _ := b.s.Window("3")
	if got := b.ticket(w.Ticket).Note; got != "材料已核对，缺复印件" {
		t.Errorf("window 3 reads %q", got)
	}
	b.must(queue.Transfer{Window: "3", ToQueue: "A"})
	if got := b.ticket(w.Ticket).Note; got == "" {
		t.Error("a transfer without a word takes the note away")
	}
	b.wantNext("1", "A001", line.Turn)
	b.must(queue.Start{Window: "1"})
	b.must(queue.Hold{Window: "1", Reason: "去缴费", For: time.Minute})
	held := b.ticket(w.Ticket)
	if until, ok := b.s.HeldUntil(&held, b.now); held.Note != "去缴费" || !ok || !until.Equal(b.now.Add(time.Minute)) {
		t.Errorf("held for %q until %v", held.Note, until)
	}
}

func TestAWindowKnowsWhenItMayCallAgain(t *testing.T) {
	p := plan()
	p.Queues[0].Calling = queue.Calling{RecallGap: 20 * time.Second, RecallLimit: 2}
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "1"})
	if _, _, ok := b.s.Recallable("1", b.now); ok {
		t.Error("nobody is called")
	}
	b.take("t", "A", "")
	b.next("1")
	for _, step := range []struct {
		after time.Duration
		in    time.Duration
		left  int
	}{{0, 20 * time.Second, 1}, {15 * time.Second, 5 * time.Second, 1}, {5 * time.Second, 0, 1}} {
		in, left, ok := b.after(step.after).s.Recallable("1", b.now)
		if in != step.in || left != step.left || !ok {
			t.Errorf("in %v, %d times, %v; want %+v", in, left, ok, step)
		}
	}
	b.must(queue.Recall{Window: "1"})
	if _, left, _ := b.s.Recallable("1", b.after(time.Minute).now); left != 0 {
		t.Errorf("%d calls left", left)
	}
	b.refused(queue.Recall{Window: "1"}, queue.RecallLimit)
}

func TestAWindowKnowsItsDuties(t *testing.T) {
	b := newBench(t)
	until := b.now.Add(time.Hour)
	b.must(queue.SetDuty{Window: "1", Queue: "B", Until: until})
	if got := b.s.Duties("1", b.now); len(got) != 1 || !got["B"].Equal(until) {
		t.Errorf("%v", got)
	}
	b.take("t", "B", "")
	if got := b.after(59*time.Minute).s.Longest("B", b.now); got != 59*time.Minute {
		t.Errorf("the first has waited %v", got)
	}
	if got := b.after(time.Minute).s.Duties("1", b.now); len(got) != 0 {
		t.Errorf("over, and still %v", got)
	}
}
