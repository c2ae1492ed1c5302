package queue_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.FixedZone("", 8*3600))

func plan() *queue.Plan {
	order := line.Order{
		Weights: map[hallsync.Class]int{hallsync.Elder: 150, hallsync.Priority: 200},
		MaxWait: 30 * time.Minute, PriorityRun: 2, Early: 5 * time.Minute,
	}
	return &queue.Plan{
		Location: start.Location(),
		Queues:   []queue.QueuePlan{{ID: "A", Name: "综合业务", Order: order, Calling: queue.Calling{ReturnAfter: 3}}, {ID: "B", Name: "社保业务", Order: order, Calling: queue.Calling{ReturnAfter: 3}}},
		Windows: []queue.WindowPlan{
			{ID: "1", Name: "1号窗口", Queues: []hallsync.QueueID{"A"}},
			{ID: "2", Name: "2号窗口", Queues: []hallsync.QueueID{"A", "B"}},
			{ID: "3", Name: "3号窗口", Queues: []hallsync.QueueID{"B"}},
		},
		CallGap: 5 * time.Second, PassRecall: 10 * time.Minute, WaitSamples: 5,
	}
}

// bench is a hall whose clock the test moves.
type bench struct {
	t     testing.TB
	s     *queue.State
	now   time.Time
	facts []hallsync.Payload
	times []time.Time
	taken int
}

func newBench(t testing.TB) *bench { return newBenchOf(t, plan()) }

func newBenchOf(t testing.TB, p *queue.Plan) *bench {
	b := &bench{t: t, s: queue.New(p), now: start}
	b.must(queue.TurnDay{})
	return b
}

// try runs a command the way the hall does: decide, then apply each fact.
func (b *bench) try(c queue.Command) ([]hallsync.Payload, error) {
	b.t.Helper()
	before := b.dump()
	facts, err := b.s.Decide(c, b.now)
	if after := b.dump(); after != before {
		b.t.Fatalf("Decide(%T) changed the state\nbefore %s\nafter  %s", c, before, after)
	}
	if err != nil && len(facts) > 0 {
		b.t.Fatalf("Decide(%T) gave facts and the error %v", c, err)
	}
	for _, f := range facts {
		b.s.Apply(f, b.now)
		b.facts = append(b.facts, f)
		b.times = append(b.times, b.now)
	}
	return facts, err
}

func (b *bench) must(c queue.Command) []hallsync.Payload {
	b.t.Helper()
	facts, err := b.try(c)
	if err != nil {
		b.t.Fatalf("%T: %v", c, err)
	}
	return facts
}

func (b *bench) refused(c queue.Command, want queue.Code) *queue.Refusal {
	b.t.Helper()
	_, err := b.try(c)
	var r *queue.Refusal
	if !errors.As(err, &r) {
		b.t.Fatalf("%T: got %v, want refusal %s", c, err, want)
	}
	if r.Code != want {
		b.t.Fatalf("%T: refused with %s, want %s", c, r.Code, want)
	}
	return r
}

func (b *bench) after(d time.Duration) *bench { b.now = b.now.Add(d); return b }

func (b *bench) take(id string, q hallsync.QueueID, class hallsync.Class) hallsync.TicketID {
	b.t.Helper()
	b.must(queue.Take{Ticket: hallsync.TicketID(id), Queue: q, Class: class, Because: "x", Channel: hallsync.AtKiosk})
	return hallsync.TicketID(id)
}

func (b *bench) ticket(id hallsync.TicketID) queue.Ticket {
	b.t.Helper()
	t, ok := b.s.Ticket(id)
	if !ok {
		b.t.Fatalf("no ticket %s", id)
	}
	return t
}

func (b *bench) dump() string {
	b.t.Helper()
	raw, err := json.Marshal(b.s)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(raw)
}

// calledNumber gives the number of the call among facts, or "".
func calledNumber(facts []hallsync.Payload) string {
	for _, f := range facts {
		if c, ok := f.(hallsync.TicketCalled); ok {
			return c.Number
		}
	}
	return ""
}
