package queue_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// sequences is how many random days are compared with the reference.
const sequences = 100_000

// TestOrderIsThatOfTheReference compares each call of random days, and why it is made, with a reference that knows no lines and no heads,
// only the rules and the facts: it looks at everybody who waits and takes the best.
func TestOrderIsThatOfTheReference(t *testing.T) {
	var rules sync.Map
	each(t, sequences, func(r *rand.Rand, name int) {
		d := newDay(&sequence{T: t, name: name}, r)
		d.saw = func(rule string) { rules.Store(rule, true) }
		d.run(14)
	})
	for _, rule := range []line.Rule{line.Front, line.Returned, line.MaxWait, line.Weight, line.PriorityLimit, line.Turn, line.Idle, queue.RuleRoll} {
		if _, saw := rules.Load(string(rule)); !saw {
			t.Errorf("nobody was called by %s", rule)
		}
	}
}

// person is what the reference knows of a ticket.
type person struct {
	id     hallsync.TicketID
	number string
	queue  hallsync.QueueID
	class  hallsync.Class
	target hallsync.WindowID
	base   int64
	turn   int64
	due    int64 // 0: did not come back
	since  int64 // since when it is back, or was sent to its target
	front  bool
	waits  bool
}

// day is a random day: commands, and what the reference knows.
type day struct {
	t      *sequence
	r      *rand.Rand
	saw    func(rule string)
	plan   *queue.Plan
	s      *queue.State
	now    time.Time
	skew   time.Duration
	taken  int
	turns  int64
	people []*person
	calls  map[hallsync.QueueID]int64
	runs   map[hallsync.QueueID]int
	open   map[hallsync.WindowID]bool
	manned map[hallsync.WindowID]bool   // open, and nobody rests
	lent   int64                        // until when window 3 serves queue A
	rolls  map[hallsync.QueueID]*person // whoever has the next number of a paper roll
	next   map[hallsync.QueueID]int
}

func newDay(t *sequence, r *rand.Rand) *day {
	p := plan()
	p.CallGap = 0
	for i := range p.Queues {
		q := &p.Queues[i]
		q.Order.PriorityRun = r.IntN(3)
		q.Order.MaxWait = time.Duration(r.IntN(3)) * 15 * time.Minute
		q.Order.Early = time.Duration(r.IntN(3)) * 5 * time.Minute
		q.Order.Weights = map[hallsync.Class]int{hallsync.Elder: 50 + r.IntN(200), hallsync.Priority: 50 + r.IntN(300)}
		q.Order.Boosts = map[hallsync.Class]time.Duration{hallsync.Appointment: time.Duration(r.IntN(600)) * time.Second}
		q.Calling.ReturnAfter = r.IntN(4)
		q.Rules.Early, q.Rules.Late = time.Hour, 15*time.Minute
	}
	p.Windows[1].Weights = map[hallsync.QueueID]int{"A": 50 + r.IntN(100)}
	d := &day{
		t: t, r: r, plan: p, s: queue.New(p), now: start,
		calls: map[hallsync.QueueID]int64{}, runs: map[hallsync.QueueID]int{}, manned: map[hallsync.WindowID]bool{},
		open: map[hallsync.WindowID]bool{}, rolls: map[hallsync.QueueID]*person{}, next: map[hallsync.QueueID]int{},
	}
	d.do(queue.TurnDay{})
	for _, w := range []hallsync.WindowID{"1", "2", "3"} {
		d.do(queue.Open{Window: w})
	}
	return d
}

// age is the hall's clock: what was done to the time is taken out of it.
func (d *day) age() int64 { return d.now.Add(d.skew).UnixMilli() }

func (d *day) order(q hallsync.QueueID) *queue.QueuePlan {
	i := slices.IndexFunc(d.plan.Queues, func(p queue.QueuePlan) bool { return p.ID == q })
	return &d.plan.Queues[i]
}

// do runs a command and lets the reference hear of its facts.
func (d *day) do(c queue.Command) (called *hallsync.TicketCalled) {
	facts, err := d.s.Decide(c, d.now)
	if err != nil {
		return nil
	}
	for _, f := range facts {
		d.s.Apply(f, d.now)
		if c, ok := f.(hallsync.TicketCalled); ok {
			called = &c
		}
		d.hear(f)
	}
	return called
}

func (d *day) hear(f hallsync.Payload) {
	switch f := f.(type) {
	case hallsync.WindowWasOpened:
		d.open[f.Window], d.manned[f.Window] = true, true
	case hallsync.WindowWasUnpaused:
		d.manned[f.Window] = true
	case hallsync.WindowWasPaused:
		d.manned[f.Window] = false
	case hallsync.WindowWasClosed:
		d.open[f.Window], d.manned[f.Window] = false, false
	case hallsync.RollSet:
		d.hearRoll(f)
		return
	case hallsync.TicketTaken:
		d.turns++
		if f.Channel == hallsync.AtRoll {
			d.next[f.Queue] = f.Ordinal + 1
			d.rolls[f.Queue] = &person{queue: f.Queue, class: hallsync.Normal, base: d.age(), turn: d.turns}
		}
		p := &person{id: f.Ticket, number: f.Number, queue: f.Queue, class: f.Class, base: d.age(), turn: d.turns, waits: true}
		if b, ok := d.s.Booking(f.Booking); ok && !d.now.After(b.Start.Add(15*time.Minute)) {
			p.base += b.Start.Sub(d.now).Milliseconds()
		}
		d.people = append(d.people, p)
		return
	}
	i := slices.IndexFunc(d.people, func(p *person) bool { return p.id == f.Subject().Ticket })
	if i < 0 {
		return
	}
	p := d.people[i]
	switch f := f.(type) {
	case hallsync.TicketCalled:
		d.calls[p.queue]++
		if d.runs[p.queue]++; !line.Privileged(p.class) {
			d.runs[p.queue] = 0
		}
		p.waits, p.front, p.due, p.target = false, false, 0, ""
	case hallsync.TicketRequeued:
		d.turns++
		p.waits, p.front, p.turn, p.due = true, false, d.turns, d.calls[p.queue]+int64(d.order(p.queue).ReturnAfter)
		p.since = d.age()
	case hallsync.TicketTransferred:
		p.waits, p.queue, p.target, p.front, p.due = true, f.Queue, f.Window, f.Position == hallsync.AtFront, 0
		p.since = d.age()
		if f.Position == hallsync.AtEnd {
			d.turns++
			p.turn, p.base = d.turns, d.age()
		}
	case hallsync.TicketClassSet:
		p.class = f.Class
	case hallsync.TicketAbandoned, hallsync.TicketWithdrawn:
		p.waits = false
	case hallsync.TicketReopened:
		p.waits = f.To == hallsync.Waiting
	}
}

func (d *day) hearRoll(f hallsync.RollSet) {
	switch {
	case !f.On:
		delete(d.rolls, f.Queue)
	case d.rolls[f.Queue] == nil:
		d.turns++
		d.rolls[f.Queue] = &person{queue: f.Queue, class: hallsync.Normal, base: d.age(), turn: d.turns}
	}
	d.next[f.Queue] = f.Next
}

func (d *day) run(steps int) {
	windows := []hallsync.WindowID{"1", "2", "3"}
	for range steps {
		d.now = d.now.Add(time.Duration(d.r.IntN(600)) * time.Second)
		w := windows[d.r.IntN(3)]
		switch d.r.IntN(4) {
		case 0:
			d.take()
		case 1:
			d.call(w)
		case 2:
			d.meddle(w)
		default:
			d.anybody(w)
		}
	}
	for _, w := range windows {
		d.do(queue.Open{Window: w})
	}
	for range 4 {
		d.call(windows[d.r.IntN(3)])
	}
}

func (d *day) take() {
	d.taken++
	c := queue.Take{
		Ticket: hallsync.TicketID(fmt.Sprint("t", d.taken)), Queue: []hallsync.QueueID{"A", "B"}[d.r.IntN(2)], Channel: hallsync.AtKiosk,
		Class: []hallsync.Class{hallsync.Normal, hallsync.Normal, hallsync.Elder, hallsync.Priority}[d.r.IntN(4)], Because: "x",
	}
	if d.r.IntN(3) == 0 {
		from := d.now.Add(time.Duration(d.r.IntN(100)-45) * time.Minute) // the slot may be nearly over, or far away
		c.Booking = hallsync.BookingID(fmt.Sprint("b", d.taken))
		d.do(queue.SetBooking{BookingSet: hallsync.BookingSet{Booking: c.Booking, Queue: c.Queue, Start: from, End: from.Add(30 * time.Minute)}})
	}
	d.do(c)
}

// anybody does something about one of those who came.
func (d *day) anybody(w hallsync.WindowID) {
	if len(d.people) == 0 {
		return
	}
	id := d.people[d.r.IntN(len(d.people))].id
	switch d.r.IntN(6) {
	case 0:
		d.do(queue.SetClass{Ticket: id, Class: []hallsync.Class{hallsync.Normal, hallsync.Elder, hallsync.Priority}[d.r.IntN(3)], Reason: "x"})
	case 1:
		d.do(queue.CallTicket{Window: w, Ticket: id, Reason: "x"})
	case 2:
		d.do(queue.Requeue{Ticket: id})
	case 3:
		d.do(queue.Withdraw{Ticket: id})
	case 4:
		d.do(queue.Reopen{Window: w, Ticket: id, Reason: "x"})
	default:
		d.transfer(w, id)
	}
}

func (d *day) transfer(w hallsync.WindowID, id hallsync.TicketID) {
	d.do(queue.Transfer{
		Window: w, Ticket: id, ToQueue: []hallsync.QueueID{"A", "B"}[d.r.IntN(2)], ToWindow: []hallsync.WindowID{"", "", "1", "3"}[d.r.IntN(4)],
		Position: []hallsync.Position{hallsync.AtFront, hallsync.ByArrival, hallsync.AtEnd}[d.r.IntN(3)], Reason: "x",
	})
}

// meddle does something at a window, or to the time.
func (d *day) meddle(w hallsync.WindowID) {
	switch d.r.IntN(10) {
	case 8:
		d.do(queue.SetRoll{Queue: []hallsync.QueueID{"A", "B"}[d.r.IntN(2)], On: d.r.IntN(4) > 0, Next: d.r.IntN(3)})
	case 7:
		if d.do(queue.Pause{Window: w}); d.r.IntN(3) == 0 {
			d.do(queue.Unpause{Window: w})
		}
	case 0, 1:
		if d.do(queue.Pass{Window: w}); d.r.IntN(2) == 0 {
			for _, missed := range d.s.Missed(1) {
				d.do(queue.Requeue{Ticket: missed.ID})
			}
		}
	case 2:
		d.transfer(w, "")
	case 3:
		d.do(queue.Start{Window: w})
		d.do(queue.Hold{Window: w, For: 10 * time.Minute})
	case 4:
		d.do(queue.Return{})
	case 5:
		if d.do(queue.Close{Window: w}); d.r.IntN(2) == 0 {
			d.do(queue.Open{Window: w})
		}
	case 6:
		until := d.now.Add(time.Duration(d.r.IntN(30)) * time.Minute)
		d.do(queue.SetDuty{Window: "3", Queue: "A", Until: until})
		d.lent = until.Add(d.skew).UnixMilli()
	default:
		step := time.Duration(d.r.IntN(10_000)-5_000) * time.Second
		if _, err := d.s.Decide(queue.SetClock{To: d.now.Add(step), Source: queue.ClockByStaff}, d.now); err == nil {
			d.do(queue.SetClock{To: d.now.Add(step), Source: queue.ClockByStaff})
			d.now, d.skew = d.now.Add(step), d.skew-step
		}
	}
}

// call lets a window call the next, and compares.
func (d *day) call(w hallsync.WindowID) {
	if d.t.failed || !d.open[w] {
		return
	}
	number, rule, next := d.best(w)
	d.saw(rule)
	got := hallsync.TicketCalled{}
	if c := d.do(queue.CallNext{Window: w}); c != nil {
		got = *c
	}
	if got.Number != number || got.Why.Rule != rule || got.Why.Next != next {
		d.t.Fatalf("window %s called %q by %q before %q, the reference %q by %q before %q of %+v",
			w, got.Number, got.Why.Rule, got.Why.Next, number, rule, next, d.s.Tickets())
	}
}

// standing is somebody among those a window may call; the one with the smaller key is first.
type standing struct {
	*person
	key   []int64
	score int64
}

// The tiers of keys.
const (
	refFront = iota
	refReturned
	refOverdue
	refWeighed
	refLimited
	refEarly
)

// best is the reference: whom a window calls, by which rule, and who would be called otherwise.
func (d *day) best(id hallsync.WindowID) (number, rule, next string) {
	i := slices.IndexFunc(d.plan.Windows, func(w queue.WindowPlan) bool { return w.ID == id })
	w := d.plan.Windows[i]
	var can []standing
	servesOf := func(q hallsync.QueueID) bool {
		return slices.Contains(w.Queues, q) || id == "3" && q == "A" && d.age() < d.lent
	}
	for q, p := range d.rolls {
		if servesOf(q) {
			p.number = d.freeOfRoll(q)
			can = append(can, d.stand(&w, p))
		}
	}
	for _, p := range d.people {
		serves := servesOf(p.queue)
		kept := d.manned[p.target] && d.age() < p.since+guardOf(&d.order(p.queue).Order).Milliseconds()
		if p.waits && (p.target == id || !kept && serves) {
			can = append(can, d.stand(&w, p))
		}
	}
	if len(can) == 0 {
		return "", "", ""
	}
	slices.SortFunc(can, func(a, b standing) int { return slices.Compare(a.key, b.key) })
	first := can[0]
	if len(can) > 1 {
		next = can[1].number
	}
	any := func(is func(o standing) bool) bool { return slices.ContainsFunc(can, is) }
	switch {
	case first.id == "":
		rule = "roll"
	case first.key[0] == refFront:
		rule = "front"
	case first.key[0] == refReturned:
		rule = "returned"
	case first.key[0] == refOverdue:
		rule = "max_wait"
	case first.key[0] == refEarly:
		rule = "idle"
	case any(func(o standing) bool { return o.key[0] == refLimited && o.score > first.score }):
		rule = "priority_limit"
	case any(func(o standing) bool { return o.key[0] != refEarly && o.base < first.base }):
		rule = "weight"
	default:
		rule = "turn"
	}
	return first.number, rule, next
}

// freeOfRoll is the next number of a roll that nobody was called by.
func (d *day) freeOfRoll(q hallsync.QueueID) string {
	for n := d.next[q]; ; n++ {
		number := queue.RollNumber(q, n)
		if !slices.ContainsFunc(d.people, func(p *person) bool { return p.number == number }) {
			return number
		}
	}
}

func (d *day) stand(w *queue.WindowPlan, p *person) standing {
	o := &d.order(p.queue).Order
	waited := d.age() - p.base
	percent := func(have int, ok bool) int64 {
		if !ok {
			return 100
		}
		return int64(have)
	}
	byClass, inClass := o.Weights[p.class]
	byQueue, inQueue := w.Weights[p.queue]
	score := max(0, waited)*percent(byClass, inClass)/100*percent(byQueue, inQueue)/100 + o.Boosts[p.class].Milliseconds()
	due := func(p *person) bool { return d.age()-p.base >= -o.Early.Milliseconds() }
	ordinary := slices.ContainsFunc(d.people, func(other *person) bool {
		return other.waits && other.queue == p.queue && other.target == "" && !other.front && other.due == 0 && !line.Privileged(other.class) && due(other)
	})
	s := standing{person: p, score: score}
	switch {
	case p.front:
		s.key = []int64{refFront, p.turn}
	case p.due > d.calls[p.queue] && d.age() < p.since+guardOf(o).Milliseconds():
		s.key = []int64{refEarly, p.since, p.turn}
	case p.due > 0:
		s.key = []int64{refReturned, p.turn}
	case !due(p):
		s.key = []int64{refEarly, p.base, p.turn}
	case o.MaxWait > 0 && waited >= o.MaxWait.Milliseconds():
		s.key = []int64{refOverdue, p.base, p.turn}
	case line.Privileged(p.class) && o.PriorityRun > 0 && d.runs[p.queue] >= o.PriorityRun && ordinary:
		s.key = []int64{refLimited, -score, -int64(p.class.Rank()), p.base, p.turn}
	default:
		s.key = []int64{refWeighed, -score, -int64(p.class.Rank()), p.base, p.turn}
	}
	return s
}

// guardOf is how long who came back waits in vain for the calls that go first, or who was sent to a window for that: no longer than anybody does.
func guardOf(o *line.Order) time.Duration {
	if o.MaxWait > 0 {
		return o.MaxWait
	}
	return 30 * time.Minute
}
