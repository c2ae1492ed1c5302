package queue_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// witness hears the facts of a hall and knows nothing of its state: whom it called when, and what became of it.
type witness struct {
	rt     failer
	plan   *queue.Plan
	clock  int64
	class  map[hallsync.TicketID]hallsync.Class
	person map[hallsync.TicketID]string
	first  map[hallsync.TicketID]int64 // the call that a ticket is at a window since
	misses map[hallsync.TicketID]int
	last   map[hallsync.WindowID]visit
}

// visit is the last call at a window.
type visit struct {
	ticket hallsync.TicketID
	at     int64
	missed bool // and nobody came
}

func newWitness(rt failer, plan *queue.Plan) *witness {
	return &witness{
		rt: rt, plan: plan, class: map[hallsync.TicketID]hallsync.Class{}, person: map[hallsync.TicketID]string{},
		first: map[hallsync.TicketID]int64{}, misses: map[hallsync.TicketID]int{}, last: map[hallsync.WindowID]visit{},
	}
}

// hear looks at one fact: nobody is given up who had no time to come, and no window calls on before its gap is over because nobody came.
func (w *witness) hear(f hallsync.Payload, at time.Time) {
	w.clock = max(w.clock, at.UnixMilli())
	switch f := f.(type) {
	case hallsync.TicketTaken:
		w.class[f.Ticket], w.person[f.Ticket] = f.Class, f.Person
		if f.Class == hallsync.Priority && f.ClassReason == "" {
			w.rt.Fatalf("%s has priority without a reason", f.Number)
		}
		for i, q := range f.Then {
			for _, other := range append([]hallsync.QueueID{f.Queue}, f.Then[:i]...) {
				if q == other {
					w.rt.Fatalf("%s is for %s twice", f.Number, q)
				}
			}
		}
	case hallsync.TicketClassSet:
		w.class[f.Ticket] = f.Class
	case hallsync.TicketCalled:
		if v := w.last[f.Window]; f.How != queue.HowDesignated && f.How != queue.HowPassedRecall && v.missed && w.clock-v.at < w.plan.CallGap.Milliseconds() {
			w.rt.Fatalf("window %s calls %s %d ms after %s, who was not waited for", f.Window, f.Number, w.clock-v.at, v.ticket)
		}
		w.first[f.Ticket], w.last[f.Window] = w.clock, visit{ticket: f.Ticket, at: w.clock}
	case hallsync.TicketRecalled:
		w.last[f.Window] = visit{ticket: f.Ticket, at: w.clock}
	case hallsync.TicketReopened:
		switch f.To {
		case hallsync.Called:
			w.first[f.Ticket], w.last[f.Window] = w.clock, visit{ticket: f.Ticket, at: w.clock}
		case hallsync.Serving:
			delete(w.last, f.Window) // somebody is served there again
		}
	case hallsync.TicketStepDone:
		w.misses[f.Ticket] = 0
	case hallsync.TicketPassed:
		usual := w.plan.Queues[0].PassAfter.Milliseconds()
		if w.class[f.Ticket] == hallsync.Elder {
			usual = usual * 3 / 2
		}
		if w.clock-w.first[f.Ticket] >= usual {
			w.misses[f.Ticket]++
		}
		if v := w.last[f.Window]; v.ticket == f.Ticket {
			v.missed = true
			w.last[f.Window] = v
		}
	case hallsync.TicketAbandoned:
		if f.Reason == queue.ReasonMissed && w.misses[f.Ticket] < w.plan.Queues[0].MissLimit {
			w.rt.Fatalf("%s is given up after %d misses", f.Ticket, w.misses[f.Ticket])
		}
	case hallsync.DayOpened, hallsync.TicketResumed, hallsync.TicketTransferred:
		clear(w.last) // somebody else was at a window meanwhile, or went away for another reason
	}
}

// look counts what each person has: nobody comes to more open tickets than the hall gives, by whatever way.
func (w *witness) look(s *queue.State) {
	open := map[string]int{}
	for id, person := range w.person {
		if t, there := s.Ticket(id); there && t.State.Open() && person != "" {
			if open[person]++; open[person] > w.plan.MaxOpen {
				w.rt.Fatalf("%s has %d open tickets", person, open[person])
			}
		}
	}
}

// TestNobodyLosesByTheHandsAtAWindow lets clerks press what they like, at any pace, about a few people who take numbers again and again.
func TestNobodyLosesByTheHandsAtAWindow(t *testing.T) {
	p := plan()
	p.MaxOpen = 1
	for i := range p.Queues {
		p.Queues[i].MissLimit, p.Queues[i].PassAfter, p.Queues[i].ReturnAfter = 2, 20*time.Second, 0
	}
	each(t, sequences, func(r *rand.Rand, name int) {
		rt := &sequence{T: t, name: name}
		b := &bench{t: t, s: queue.New(p), now: start}
		w := newWitness(rt, p)
		var taken []hallsync.TicketID
		for n := -3; n < 30 && !rt.failed; n++ {
			b.after(time.Duration([]int{0, 1, 4, 19, 21, 31}[r.IntN(6)]) * time.Second)
			var c queue.Command = queue.TurnDay{}
			window := []hallsync.WindowID{"1", "2"}[r.IntN(2)]
			id := hallsync.TicketID("")
			if len(taken) > 0 {
				id = taken[r.IntN(len(taken))]
			}
			switch {
			case n == -3:
			case n < 0:
				c = queue.Open{Window: []hallsync.WindowID{"1", "2"}[n+2]}
			default:
				c = []queue.Command{
					queue.Take{
						Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtKiosk, Person: []string{"", "p", "q"}[r.IntN(3)],
						Class: []hallsync.Class{hallsync.Normal, hallsync.Elder}[r.IntN(2)],
					},
					queue.CallNext{Window: window}, queue.CallNext{Window: window}, queue.Pass{Window: window}, queue.Pass{Window: window},
					queue.Requeue{Ticket: id}, queue.Requeue{Ticket: id}, queue.Abandon{Window: window, Ticket: id, Reason: "x"},
					queue.Finish{Window: window}, queue.Reopen{Window: window, Ticket: id, Reason: "x"}, queue.Withdraw{Ticket: id},
				}[r.IntN(11)]
			}
			for _, f := range b.quick(rt, c) {
				w.hear(f, b.now)
				if f, ok := f.(hallsync.TicketTaken); ok {
					taken = append(taken, f.Ticket)
				}
			}
			w.look(b.s)
		}
	})
}
