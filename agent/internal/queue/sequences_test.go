package queue_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// each runs something for so many random sequences, on two processors, and says how many there were.
func each(t *testing.T, n int, do func(r *rand.Rand, name int)) {
	t.Helper()
	if testing.Short() {
		n /= 100
	}
	seed := rand.Uint64()
	var next, done atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for i := int(next.Add(1)); i <= n && !t.Failed(); i = int(next.Add(1)) {
				do(rand.New(rand.NewPCG(seed, uint64(i))), i)
				done.Add(1)
			}
		})
	}
	all.Wait()
	t.Logf("seed %d, %d sequences", seed, done.Load())
}

// sequence is a short one: a failure ends it, not the goroutine that runs others.
type sequence struct {
	*testing.T
	name   int
	failed bool
}

func (s *sequence) Fatalf(format string, args ...any) {
	s.failed = true
	s.Errorf("sequence %d: "+format, append([]any{s.name}, args...)...)
}

// TestShortSequencesKeepTheInvariants asks of a hundred thousand short sequences of any commands what the longer ones of rapid are asked
// for: no number is given twice, no ticket is at two windows, nobody is lost, no wait that people are told is less than nothing, and the state
// is the fold of its facts.
func TestShortSequencesKeepTheInvariants(t *testing.T) {
	p := plan()
	p.WaitSamples, p.Queues[0].Carry, p.MaxOpen = 1, true, 1
	for i := range p.Queues {
		p.Queues[i].MissLimit, p.Queues[i].PassAfter, p.Queues[i].ReturnAfter = 2, 20*time.Second, 0
	}
	each(t, sequences, func(r *rand.Rand, name int) {
		rt := &sequence{T: t, name: name}
		b := &bench{t: t, s: queue.New(p), now: start}
		b.quick(rt, queue.TurnDay{})
		w := newWitness(rt, p)
		numbers := map[string]hallsync.TicketID{}
		var taken []hallsync.TicketID
		day := b.s.Day()
		for _, w := range []hallsync.WindowID{"1", "2", "3"} {
			b.quick(rt, queue.Open{Window: w})
		}
		for n := range 14 {
			b.after(time.Duration(oneOf(bySource{r}, "seconds", 0, 1, 7, 21, 300, -30, 40000)) * time.Second)
			facts := b.quick(rt, randomCommand(bySource{r}, n, taken))
			for _, f := range facts {
				w.hear(f, b.now)
			}
			w.look(b.s)
			if b.s.Day() != day {
				day, taken, numbers = b.s.Day(), nil, map[string]hallsync.TicketID{}
				for _, carried := range b.s.Tickets() {
					taken, numbers[carried.Number] = append(taken, carried.ID), carried.ID
				}
			}
			for _, f := range facts {
				take, ok := f.(hallsync.TicketTaken)
				if !ok {
					continue
				}
				if other, twice := numbers[take.Number]; twice {
					rt.Fatalf("number %s given to %s and %s", take.Number, other, take.Ticket)
				}
				taken, numbers[take.Number] = append(taken, take.Ticket), take.Ticket
				sane(rt, take.Number, take.Wait)
			}
			if check(rt, b, taken); rt.failed {
				return
			}
		}
		forecast := b.s.Forecast(b.now)
		for id, w := range forecast.Tickets {
			sane(rt, string(id), w)
		}
		for q, w := range forecast.Next {
			sane(rt, string(q), w)
		}
		again := queue.New(p)
		for i, f := range b.facts {
			again.Apply(f, b.times[i])
		}
		want, err := json.Marshal(b.s)
		got, errAgain := json.Marshal(again)
		if err != nil || errAgain != nil || string(got) != string(want) {
			rt.Fatalf("the fold differs\n got %s\nwant %s", got, want)
		}
	})
}

// quick runs a command without looking whether Decide kept its hands off the state; the longer sequences do.
func (b *bench) quick(rt failer, c queue.Command) []hallsync.Payload {
	facts, err := b.s.Decide(c, b.now)
	if err != nil && len(facts) > 0 {
		rt.Fatalf("Decide(%T) gave facts and the error %v", c, err)
	}
	for _, f := range facts {
		b.s.Apply(f, b.now)
		b.facts, b.times = append(b.facts, f), append(b.times, b.now)
	}
	return facts
}

// sane checks a wait that somebody may be told: whole steps of five minutes, not less than nothing.
func sane(rt failer, who string, w *hallsync.WaitRange) {
	if w != nil && (w.LowS < 0 || w.HighS < max(300, w.LowS) || w.LowS%300 != 0 || w.HighS%300 != 0) {
		rt.Fatalf("%s is told to wait for %+v", who, *w)
	}
}

// TestNobodyWaitsBeyondTheGuard lets people of any class come in any pattern into a hall whose windows call as soon as they are free, under
// any weights. From the moment on at which somebody has waited as long as anybody should, only those who came before go first; so it takes
// no longer than the services of these take at the windows, whoever else comes.
func TestNobodyWaitsBeyondTheGuard(t *testing.T) {
	each(t, sequences/5, func(r *rand.Rand, name int) {
		v := newVisitors(&sequence{T: t, name: name}, r)
		v.serve()
		for i, came := range v.came {
			called, ok := v.called[i]
			if !ok {
				v.rt.Fatalf("visitor %d is never called", i)
				return
			}
			overdue := came.Add(v.limit)
			if called.Before(overdue) {
				continue
			}
			rounds := 1
			for before := range i {
				if !v.called[before].Before(overdue) {
					rounds++
				}
			}
			rounds = (rounds + len(v.free) - 1) / len(v.free)
			if late := called.Sub(overdue); late > time.Duration(rounds)*longestService {
				v.rt.Fatalf("visitor %d is called %s after the guard, with %d rounds before", i, late, rounds)
			}
		}
	})
}

const longestService = 10 * time.Minute

// visitors is a day of people who come into one queue.
type visitors struct {
	rt     *sequence
	r      *rand.Rand
	s      *queue.State
	limit  time.Duration
	came   []time.Time
	class  []hallsync.Class
	called map[int]time.Time
	free   map[hallsync.WindowID]time.Time
	order  []hallsync.WindowID
}

func newVisitors(rt *sequence, r *rand.Rand) *visitors {
	p := plan()
	o := &p.Queues[0].Order
	o.MaxWait, o.PriorityRun = time.Duration(1+r.IntN(40))*time.Minute, r.IntN(4)
	o.Weights = map[hallsync.Class]int{hallsync.Normal: 10 + r.IntN(200), hallsync.Elder: 10 + r.IntN(990), hallsync.Priority: 10 + r.IntN(990)}
	p.Queues, p.Windows, p.CallGap = p.Queues[:1], nil, 0
	v := &visitors{rt: rt, r: r, limit: o.MaxWait, called: map[int]time.Time{}, free: map[hallsync.WindowID]time.Time{}}
	for n := range 1 + r.IntN(3) {
		id := hallsync.WindowID(fmt.Sprint(n + 1))
		p.Windows = append(p.Windows, queue.WindowPlan{ID: id, Queues: []hallsync.QueueID{"A"}})
		v.free[id], v.order = start, append(v.order, id)
	}
	v.s = queue.New(p)
	v.do(queue.TurnDay{}, start)
	for _, w := range v.order {
		v.do(queue.Open{Window: w}, start)
	}
	at := start
	for range 4 + r.IntN(12) {
		if r.IntN(3) > 0 { // or they come together
			at = at.Add(time.Duration(r.IntN(600)) * time.Second)
		}
		v.came = append(v.came, at)
		v.class = append(v.class, []hallsync.Class{hallsync.Normal, hallsync.Elder, hallsync.Priority, hallsync.Priority}[r.IntN(4)])
	}
	return v
}

func (v *visitors) do(c queue.Command, at time.Time) (called hallsync.TicketID) {
	facts, err := v.s.Decide(c, at)
	if err != nil {
		v.rt.Fatalf("%T: %v", c, err)
	}
	for _, f := range facts {
		v.s.Apply(f, at)
		if c, ok := f.(hallsync.TicketCalled); ok {
			called = c.Ticket
		}
	}
	return called
}

// serve lets everybody come and be served.
func (v *visitors) serve() {
	for next := 0; len(v.called) < len(v.came) && !v.rt.failed; {
		w := v.order[0]
		for _, o := range v.order {
			if v.free[o].Before(v.free[w]) {
				w = o
			}
		}
		at := v.free[w]
		if len(v.called) == next && v.came[next].After(at) { // nobody waits
			at = v.came[next]
		}
		for ; next < len(v.came) && !v.came[next].After(at); next++ {
			v.do(queue.Take{Ticket: hallsync.TicketID(fmt.Sprint(next)), Queue: "A", Class: v.class[next], Because: "x", Channel: hallsync.AtKiosk}, v.came[next])
		}
		var who int
		id := v.do(queue.CallNext{Window: w}, at)
		if _, err := fmt.Sscan(string(id), &who); err != nil {
			v.rt.Fatalf("window %s calls %q at %s", w, id, at)
			return
		}
		v.called[who] = at
		v.free[w] = at.Add(time.Duration(1+v.r.Int64N(int64(longestService/time.Second))) * time.Second)
	}
}
