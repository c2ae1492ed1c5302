package queue_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// next calls the next ticket to a window, finishing the one that is there, and gives the fact; nil if nobody was called.
func (b *bench) next(w hallsync.WindowID) *hallsync.TicketCalled {
	b.t.Helper()
	b.after(10 * time.Second)
	for _, f := range b.must(queue.CallNext{Window: w}) {
		if c, ok := f.(hallsync.TicketCalled); ok {
			return &c
		}
	}
	return nil
}

func (b *bench) wantNext(w hallsync.WindowID, number string, rule line.Rule) {
	b.t.Helper()
	c := b.next(w)
	if c == nil {
		b.t.Fatalf("nobody was called, want %s", number)
	}
	if c.Number != number || c.Why.Rule != string(rule) {
		b.t.Fatalf("called %s by %s, want %s by %s", c.Number, c.Why.Rule, number, rule)
	}
}

func TestClassesAgeByTheirWeight(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("n", "A", hallsync.Normal)
	b.after(4 * time.Minute)
	b.take("e", "A", hallsync.Elder)
	b.take("n2", "A", hallsync.Normal)
	b.after(9 * time.Minute) // 13 against 9 × 1.5
	b.wantNext("1", "A002", line.Weight)
	b.wantNext("1", "A001", line.Turn)
	b.wantNext("1", "A003", line.Turn)
}

func TestWindowPrefersItsOwnQueue(t *testing.T) {
	p := plan()
	p.Windows[1].Weights = map[hallsync.QueueID]int{"B": 50}
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "2"})
	b.take("b", "B", "")
	b.after(time.Minute)
	b.take("a", "A", "")
	b.after(2 * time.Minute)
	b.wantNext("2", "A001", line.Weight)
	b.wantNext("2", "B001", line.Turn)
}

func TestWhoWaitsTooLongGoesFirst(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("n", "A", hallsync.Normal)
	b.after(11 * time.Minute)
	b.take("p", "A", hallsync.Priority)
	b.after(20 * time.Minute) // 31 against 20 × 2
	b.wantNext("1", "A001", line.MaxWait)
	b.wantNext("1", "A002", line.Turn)
}

func TestPrivilegedDoNotHaveTheHallToThemselves(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("n", "A", hallsync.Normal)
	b.after(time.Minute)
	for i := range 4 {
		b.take(fmt.Sprint("p", i), "A", hallsync.Priority)
	}
	b.after(5 * time.Minute)
	b.wantNext("1", "A002", line.Weight)
	b.wantNext("1", "A003", line.Weight)
	b.wantNext("1", "A001", line.PriorityLimit)
	b.wantNext("1", "A004", line.Turn)
}

func TestWhoComesBackIsCalledAfterThreeCalls(t *testing.T) {
	p := plan()
	p.Queues[0].MissLimit = 2
	b := newBenchOf(t, p)
	b.must(queue.Open{Window: "1"})
	b.take("late", "A", "")
	b.next("1")
	b.must(queue.Pass{Window: "1"})
	for i := range 6 {
		b.take(fmt.Sprint("n", i), "A", "")
	}
	b.must(queue.Requeue{Ticket: "late"})
	for _, number := range []string{"A002", "A003", "A004"} {
		b.wantNext("1", number, line.Turn)
	}
	b.wantNext("1", "A001", line.Returned)
	b.must(queue.Pass{Window: "1"})
	if got := b.ticket("late").State; got != hallsync.Abandoned {
		t.Errorf("after the second miss the ticket is %s", got)
	}
}

func TestNoWindowIsIdleForSomebodyWhoCameBack(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("late", "A", "")
	b.next("1")
	b.must(queue.Pass{Window: "1"})
	b.must(queue.Requeue{Ticket: "late"})
	b.wantNext("1", "A001", line.Idle)
}

// A slot is half an hour long: who comes at its end is booked still, but was not there to wait.
func TestWhoComesLateToAnAppointmentDoesNotPassThoseWhoWaited(t *testing.T) {
	for came, first := range map[time.Duration]string{15 * time.Minute: "A002", 16 * time.Minute: "A001", 44 * time.Minute: "A001"} {
		b := booked(t)
		b.must(queue.Open{Window: "1"})
		b.at(moment(10, 0).Add(came - 10*time.Minute)).takes(nil)
		f, _ := b.at(moment(10, 0).Add(came)).wantTake("", func(c *queue.Take) { c.Booking = "AP1" })
		if ahead := map[string]int{"A001": 1, "A002": 0}[first]; f.Class != hallsync.Appointment || f.Ahead != ahead {
			t.Errorf("who comes %s after the slot began is %s and told that %d are before, want %d", came, f.Class, f.Ahead, ahead)
		}
		if got := calledNumber(b.must(queue.CallNext{Window: "1"})); got != first {
			t.Errorf("who comes %s after the slot began: called %s, want %s", came, got, first)
		}
	}
}

func TestRecallsHaveAGapAndALimit(t *testing.T) {
	p := plan()
	p.Queues[0].RecallGap, p.Queues[0].RecallLimit = 20*time.Second, 3
	for class, gap := range map[hallsync.Class]time.Duration{hallsync.Normal: 20 * time.Second, hallsync.Elder: 30 * time.Second} {
		b := newBenchOf(t, p)
		b.must(queue.Open{Window: "1"})
		b.take("t", "A", class)
		b.next("1")
		b.after(gap - time.Second)
		if r := b.refused(queue.Recall{Window: "1"}, queue.RecallTooSoon); r.After != time.Second {
			t.Errorf("%s: may be tried after %s", class, r.After)
		}
		b.after(time.Second).must(queue.Recall{Window: "1"})
		b.after(gap).must(queue.Recall{Window: "1"})
		b.after(gap).refused(queue.Recall{Window: "1"}, queue.RecallLimit)
	}
}

// TestSettingTheClockChangesNoOrder runs the same day with a clock that is set now and then and with one that is not.
func TestSettingTheClockChangesNoOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range 200 {
		var orders [2][]string
		for with := range 2 {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			b := newBench(t)
			b.must(queue.Open{Window: "2"})
			for n := range 20 {
				b.after(time.Duration(r.IntN(300)) * time.Second)
				b.must(queue.Take{
					Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: []hallsync.QueueID{"A", "B"}[r.IntN(2)],
					Class: []hallsync.Class{hallsync.Normal, hallsync.Elder, hallsync.Priority}[r.IntN(3)], Because: "x", Channel: hallsync.AtKiosk,
				})
				if step := time.Duration(r.IntN(7200)-7200) * time.Second; r.IntN(4) == 0 && with == 1 {
					b.must(queue.SetClock{To: b.now.Add(step), Source: queue.ClockByCloud})
					b.after(step).must(queue.TurnDay{}) // yesterday, perhaps
				}
				if n%3 == 2 {
					if c := b.next("2"); c != nil {
						orders[with] = append(orders[with], c.Number)
					}
				}
			}
			for c := b.next("2"); c != nil; c = b.next("2") {
				orders[with] = append(orders[with], c.Number)
			}
		}
		if len(orders[0]) != 20 || !slices.Equal(orders[0], orders[1]) {
			t.Fatalf("day %d\n without %v\n    with %v", i, orders[0], orders[1])
		}
	}
}

func TestAWindowHelpsOutUntilATime(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "3"})
	b.take("a", "A", "")
	if c := b.next("3"); c != nil {
		t.Fatalf("window 3 called %s", c.Number)
	}
	b.must(queue.SetDuty{Window: "3", Queue: "A", Until: b.now.Add(time.Hour)})
	b.wantNext("3", "A001", line.Turn)
	b.take("a2", "A", "")
	b.after(time.Hour)
	if c := b.next("3"); c != nil {
		t.Fatalf("after its time window 3 called %s", c.Number)
	}
	b.must(queue.SetDuty{Window: "3", Queue: "A", Until: b.now.Add(time.Hour)})
	b.must(queue.SetDuty{Window: "3", Queue: "A", Until: b.now})
	if got := b.s.Serves("3", b.now); !slices.Equal(got, []hallsync.QueueID{"B"}) {
		t.Errorf("window 3 serves %v", got)
	}
	b.refused(queue.SetDuty{Window: "3", Queue: "Z"}, queue.UnknownQueue)
	b.refused(queue.SetDuty{Window: "9", Queue: "A"}, queue.UnknownWindow)
}

func TestAGrantedClassCountsFromWhenTheTicketWasTaken(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.take("first", "A", "")
	b.after(time.Second).take("soldier", "A", "")
	b.after(10 * time.Minute)
	b.refused(queue.SetClass{Ticket: "soldier", Class: "king", Reason: "x"}, queue.ClassInvalid)
	b.refused(queue.SetClass{Ticket: "soldier", Class: hallsync.Priority}, queue.ReasonRequired)
	b.refused(queue.SetClass{Ticket: "nobody", Class: hallsync.Priority, Reason: "x"}, queue.UnknownTicket)
	by := hallsync.By{Kind: "staff", Staff: "w01"}
	got := b.must(queue.SetClass{Ticket: "soldier", Class: hallsync.Priority, Reason: "现役军人", By: by})
	want := hallsync.TicketClassSet{Ticket: "soldier", From: hallsync.Normal, Class: hallsync.Priority, Reason: "现役军人", By: by}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if again := b.must(queue.SetClass{Ticket: "soldier", Class: hallsync.Priority, Reason: "现役军人"}); len(again) != 0 {
		t.Errorf("the same class again: %+v", again)
	}
	taken := b.must(queue.Take{Ticket: "family", Queue: "A", Class: hallsync.Priority, Because: "烈士家属", Channel: hallsync.AtDesk})
	if f, ok := taken[0].(hallsync.TicketTaken); !ok || f.ClassReason != "烈士家属" {
		t.Errorf("%+v", taken)
	}
	if n := b.s.Ahead("first", b.now); n != 1 {
		t.Errorf("%d are before the first, want the soldier", n)
	}
	b.wantNext("1", "A002", line.Weight)
	b.must(queue.Pass{Window: "1"})
	b.must(queue.SetClass{Ticket: "soldier", Class: hallsync.Normal, Reason: "点错了"})
	if got := b.ticket("soldier"); got.Class != hallsync.Normal || got.State != hallsync.Passed || b.s.Waiting("A") != 2 {
		t.Errorf("%+v, %d wait", got, b.s.Waiting("A"))
	}
}
