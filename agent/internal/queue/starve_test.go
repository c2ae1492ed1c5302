package queue_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// Nobody else takes a number of the queue, so the calls that would go first never come.
func TestWhoComesBackToAQuietQueueIsCalledWithinTheGuard(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "2"})
	b.take("rare", "A", "")
	b.next("2")
	b.must(queue.Pass{Window: "2"})
	b.must(queue.Requeue{Ticket: "rare"})
	back := b.now
	for i := range 20 {
		b.take(fmt.Sprint("b", i), "B", "")
		b.after(3 * time.Minute)
		c := b.next("2")
		if waits := b.now.Sub(back); c.Number != "A001" {
			if waits >= 30*time.Minute {
				t.Fatalf("%s after A001 came back %s is called", waits, c.Number)
			}
			if got := b.s.Longest("A", b.now); got != waits {
				t.Errorf("the longest wait is told as %s, want %s", got, waits)
			}
			continue
		}
		if c.Why.Rule != string(line.Returned) {
			t.Errorf("called by %s", c.Why.Rule)
		}
		return
	}
	t.Error("A001 is never called")
}

// Who waits longest may stand at the front or be sent to one window.
func TestTheLongestWaitIsOfEverybody(t *testing.T) {
	for name, to := range map[string]queue.Transfer{
		"front": {Window: "1", Ticket: "x", ToQueue: "A", Position: hallsync.AtFront, Reason: "x"},
		"sent":  {Window: "1", Ticket: "x", ToQueue: "A", ToWindow: "1", Reason: "x"},
	} {
		b := newBench(t)
		b.must(queue.Open{Window: "1"})
		b.take("x", "A", "")
		b.after(20*time.Minute).take("y", "A", "")
		b.must(to)
		if got := b.s.Longest("A", b.after(time.Minute).now); got != 21*time.Minute {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestNobodyWhoComesBackStarves lets people come to two queues in any pattern, be missed and come back. Once somebody has waited for as long as
// anybody should since he stood in line last, only those go first who stood in line before that; before those who did not miss their call,
// also others who come back and whose turn it is, each once.
func TestNobodyWhoComesBackStarves(t *testing.T) {
	each(t, sequences/40, func(r *rand.Rand, name int) { newReturns(&sequence{T: t, name: name}, r).run(60) })
}

// returns is a hall with one window of two queues, of which one may be taken rarely.
type returns struct {
	rt    *sequence
	r     *rand.Rand
	s     *queue.State
	now   time.Time
	guard time.Duration
	in    map[hallsync.TicketID]time.Time // since when somebody stands in line
	late  map[hallsync.TicketID]int       // how many stood in line before, when he had waited for too long
	back  map[hallsync.TicketID]bool      // who came back
	taken int
}

func newReturns(rt *sequence, r *rand.Rand) *returns {
	p := plan()
	v := &returns{rt: rt, r: r, now: start, guard: time.Duration(5+r.IntN(40)) * time.Minute,
		in: map[hallsync.TicketID]time.Time{}, late: map[hallsync.TicketID]int{}, back: map[hallsync.TicketID]bool{}}
	for i := range p.Queues {
		o := &p.Queues[i].Order
		o.MaxWait, o.PriorityRun, p.Queues[i].ReturnAfter = v.guard, r.IntN(4), r.IntN(6)
		p.Queues[i].MissLimit = 2
		o.Weights = map[hallsync.Class]int{hallsync.Elder: 10 + r.IntN(990)}
	}
	p.CallGap = 0
	v.s = queue.New(p)
	v.do(queue.TurnDay{})
	v.do(queue.Open{Window: "2"})
	return v
}

func (v *returns) do(c queue.Command) (called hallsync.TicketID) {
	facts, err := v.s.Decide(c, v.now)
	if err != nil {
		v.rt.Fatalf("%T: %v", c, err)
	}
	for _, f := range facts {
		v.s.Apply(f, v.now)
		if c, ok := f.(hallsync.TicketCalled); ok {
			called = c.Ticket
		}
	}
	return called
}

func (v *returns) run(steps int) {
	rare := 1 + v.r.IntN(30)
	for range steps {
		v.now = v.now.Add(time.Duration(v.r.IntN(480)) * time.Second)
		queues := []hallsync.QueueID{"B"}
		if v.r.IntN(rare) == 0 {
			queues = append(queues, "A")
		}
		for _, q := range queues {
			v.taken++
			id := hallsync.TicketID(fmt.Sprint("t", v.taken))
			v.do(queue.Take{Ticket: id, Queue: q, Class: []hallsync.Class{hallsync.Normal, hallsync.Elder}[v.r.IntN(2)], Channel: hallsync.AtKiosk})
			v.in[id] = v.now
		}
		v.call()
		if v.rt.failed {
			return
		}
	}
}

// call calls the next, who may not come, and come back later.
func (v *returns) call() {
	for id, since := range v.in {
		if _, known := v.late[id]; known || v.now.Sub(since) < v.guard {
			continue
		}
		for _, other := range v.in {
			if !other.After(since.Add(v.guard)) {
				v.late[id]++
			}
		}
	}
	id := v.do(queue.CallNext{Window: "2"})
	delete(v.in, id)
	delete(v.late, id)
	for other := range v.late {
		if v.back[id] && !v.back[other] {
			continue
		}
		if v.late[other]--; v.late[other] < 0 {
			v.rt.Fatalf("%s waits since %s, and %s is called at %s", other, v.in[other], id, v.now)
		}
	}
	if id != "" && v.r.IntN(3) == 0 {
		v.do(queue.Pass{Window: "2"})
		if t, _ := v.s.Ticket(id); t.State == hallsync.Passed {
			v.do(queue.Requeue{Ticket: id})
			v.in[id], v.back[id] = v.now, true
		}
	}
}

// sent is a hall in which somebody was sent to window 2, and then something happens there.
func sent(t *testing.T, then func(b *bench)) *bench {
	t.Helper()
	b := newBench(t)
	b.must(queue.Open{Window: "1"})
	b.must(queue.Open{Window: "2"})
	b.take("x", "A", "")
	b.next("1")
	b.must(queue.Transfer{Window: "1", ToWindow: "2"})
	then(b)
	return b
}

func TestNobodyWaitsForAWindowWhereNobodyWorks(t *testing.T) {
	for name, then := range map[string]func(b *bench){
		"it pauses":           func(b *bench) { b.must(queue.Pause{Window: "2", Reason: "午休"}) },
		"it closes":           func(b *bench) { b.must(queue.Close{Window: "2"}) },
		"its clerk went away": func(b *bench) { b.after(30 * time.Minute) },
	} {
		b := sent(t, then)
		if c := b.next("1"); c == nil || c.Ticket != "x" {
			t.Errorf("%s: window 1 calls %+v", name, c)
		}
	}
	b := sent(t, func(b *bench) { b.after(29 * time.Minute) })
	if c := b.next("1"); c != nil {
		t.Errorf("window 1 calls %s, who was sent to window 2", c.Number)
	}
	b = sent(t, func(b *bench) { b.must(queue.Pause{Window: "2"}) })
	if c := b.next("2"); c == nil || c.Ticket != "x" || c.How != queue.HowTransferIn {
		t.Errorf("window 2 calls %+v when it goes on", c)
	}
}

func TestAReasonCallsWhoWasSentToAnotherWindow(t *testing.T) {
	b := sent(t, func(b *bench) { b.must(queue.Open{Window: "3"}) })
	b.refused(queue.CallTicket{Window: "1", Ticket: "x"}, queue.WindowNotEntitled)
	b.refused(queue.CallTicket{Window: "3", Ticket: "x", Reason: "等太久"}, queue.WindowNotEntitled) // it does not serve the queue
	b.must(queue.CallTicket{Window: "1", Ticket: "x", Reason: "等太久"})
}

func TestTwoRollsTakeTurns(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "2"})
	b.must(queue.SetRoll{Queue: "A", On: true})
	b.must(queue.SetRoll{Queue: "B", On: true})
	for _, want := range []string{"AR001", "BR001", "AR002", "BR002", "AR003", "BR003"} {
		b.wantNext("2", want, queue.RuleRoll)
	}
}

// There is always somebody with a ticket: who has a number of the roll is called within the guard all the same.
func TestARollIsCalledBesideTickets(t *testing.T) {
	b := newBench(t)
	b.must(queue.Open{Window: "2"})
	for i := range 5 {
		b.take(fmt.Sprint("first", i), "B", "")
	}
	b.must(queue.SetRoll{Queue: "A", On: true})
	last, next := b.now, 1
	for i := range 90 {
		b.take(fmt.Sprint("b", i), "B", "")
		b.after(2 * time.Minute)
		c := b.next("2")
		if c.Number == queue.RollNumber("A", next) {
			last, next = b.now, next+1
		}
		if waits := b.now.Sub(last); waits > 33*time.Minute {
			t.Fatalf("the roll waits for %s", waits)
		}
	}
	if next < 5 || next > 30 {
		t.Errorf("of 90 calls %d are of the roll", next-1)
	}
}

func TestARollOfAnEarlierProgramGoesOn(t *testing.T) {
	s, err := queue.Restore(plan(), []byte(`{"day":"2026-03-02","roll":{"A":17,"B":3}}`))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, s: s, now: start}
	b.must(queue.Open{Window: "2"})
	b.wantNext("2", "AR017", queue.RuleRoll)
	b.wantNext("2", "BR003", queue.RuleRoll)
}

// A pass sooner than anybody could have come is allowed, but nobody is given up for it.
func TestAPassAtOnceIsNoMiss(t *testing.T) {
	for class, gap := range map[hallsync.Class]time.Duration{hallsync.Normal: 20 * time.Second, hallsync.Elder: 30 * time.Second} {
		p := plan()
		p.Queues[0].MissLimit, p.Queues[0].PassAfter, p.Queues[0].ReturnAfter = 2, 20*time.Second, 0
		b := newBenchOf(t, p)
		b.must(queue.Open{Window: "1"})
		b.take("t", "A", class)
		pass := func(after time.Duration, recall bool) hallsync.TicketState {
			t.Helper()
			if c := b.next("1"); c == nil || c.Ticket != "t" {
				t.Fatalf("called %+v", c)
			}
			if b.after(after); recall {
				b.must(queue.Recall{Window: "1"})
			}
			b.must(queue.Pass{Window: "1"})
			return b.ticket("t").State
		}
		for i := range 4 {
			if got := pass(gap-time.Second, false); got != hallsync.Passed {
				t.Fatalf("%s: after %d quick passes the ticket is %s", class, i+1, got)
			}
			b.must(queue.Requeue{Ticket: "t"})
		}
		pass(gap, true) // from its first call on he had the time
		b.must(queue.Requeue{Ticket: "t"})
		pass(gap-time.Second, false)
		b.must(queue.Requeue{Ticket: "t"})
		if got := pass(gap, false); got != hallsync.Abandoned {
			t.Errorf("%s: after the second miss the ticket is %s", class, got)
		}
	}
}

func TestPeopleAreNotCalledAndPassedInOneBreath(t *testing.T) {
	for name, away := range map[string][]queue.Command{
		"passed":        {queue.Pass{Window: "1"}},
		"and came back": {queue.Pass{Window: "1"}, queue.Requeue{Ticket: "a"}},
		"and went":      {queue.Pass{Window: "1"}, queue.Withdraw{Ticket: "a"}},
		"given up":      {queue.Abandon{Window: "1"}},
	} {
		b := newBench(t)
		b.must(queue.Open{Window: "1"})
		b.take("a", "A", "")
		b.take("b", "A", "")
		b.must(queue.CallNext{Window: "1"})
		for _, c := range away {
			b.must(c)
		}
		b.after(4*time.Second).refused(queue.CallNext{Window: "1"}, queue.TicketJustCalled)
		if got := calledNumber(b.after(time.Second).must(queue.CallNext{Window: "1"})); got != "A002" {
			t.Errorf("%s: then %q is called", name, got)
		}
	}
}
