package rerun_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/line"
	"halledge/agent/internal/queue/rerun"
	"halledge/firmware-protocols/hallsync"
)

// ideal is a day in which staff only ever call the next, as soon as they are free: the one that is free longest first.
type ideal struct {
	*hall
	rt     *rapid.T
	plan   *queue.Plan
	breath bool // after a ticket they rest, if somebody waits
	agenda []event
	free   map[hallsync.WindowID]time.Time
	script []event
	waits  []hallsync.TicketID // drawn by withdrawals
}

type event struct {
	at time.Time
	do func()
}

func (d *ideal) draw(name string, most int) int { return rapid.IntRange(0, most).Draw(d.rt, name) }

func (d *ideal) in(seconds int, do func()) {
	at := d.now.Add(time.Duration(seconds) * time.Second)
	i := 0
	for i < len(d.agenda) && !d.agenda[i].at.After(at) {
		i++
	}
	d.agenda = slices.Insert(d.agenda, i, event{at, do})
}

// plays runs the day: services end first, then what was drawn happens, then free windows call.
func (d *ideal) plays() {
	for len(d.agenda)+len(d.script) > 0 {
		next := append(slices.Clone(d.script[:min(1, len(d.script))]), d.agenda[:min(1, len(d.agenda))]...)
		d.now = slices.MinFunc(next, func(a, b event) int { return a.at.Compare(b.at) }).at
		for _, list := range []*[]event{&d.agenda, &d.script} {
			for len(*list) > 0 && !(*list)[0].at.After(d.now) {
				do := (*list)[0].do
				*list = (*list)[1:]
				do()
			}
		}
		d.calls()
	}
}

func (d *ideal) calls() {
	var free []hallsync.WindowID
	for _, w := range d.plan.Windows {
		if _, ok := d.free[w.ID]; ok {
			free = append(free, w.ID)
		}
	}
	slices.SortStableFunc(free, func(a, b hallsync.WindowID) int { return d.free[a].Compare(d.free[b]) })
	for _, w := range free {
		for _, f := range d.do(queue.CallNext{Window: w}) {
			if c, ok := f.(hallsync.TicketCalled); ok {
				delete(d.free, w)
				outcome := rapid.SampledFrom([]string{"finish", "finish", "finish", "pass", "return", "transfer"}).Draw(d.rt, "outcome")
				d.in(1+d.draw("stay", 600), func() { d.leaves(w, c.Ticket, outcome) })
			}
		}
	}
}

func (d *ideal) leaves(w hallsync.WindowID, id hallsync.TicketID, outcome string) {
	switch outcome {
	case "pass", "return":
		d.do(queue.Pass{Window: w})
	case "transfer":
		to := d.plan.Queues[d.draw("to", len(d.plan.Queues)-1)].ID
		d.do(queue.Transfer{Window: w, ToQueue: to, Position: rapid.SampledFrom([]hallsync.Position{hallsync.AtFront, hallsync.ByArrival, hallsync.AtEnd}).Draw(d.rt, "position")})
	default:
		d.do(queue.Finish{Window: w})
	}
	if outcome == "return" {
		d.in(1+d.draw("away", 900), func() { d.do(queue.Requeue{Ticket: id}) })
	}
	rest := 0
	if d.breath && d.could(w) {
		rest = d.draw("breath", 60)
	}
	if rest == 0 {
		d.free[w] = d.now
		return
	}
	d.in(rest, func() { d.free[w] = d.now })
}

// could reports whether somebody waits whom a window may call.
func (d *ideal) could(w hallsync.WindowID) bool {
	facts, err := d.s.Decide(queue.CallNext{Window: w}, d.now)
	return err == nil && len(facts) > 0
}

// drawPlan draws queues and windows. With breath every window has a queue of its own: who of two people at rest goes on first when somebody
// is taken by a third is not decided by any order.
func drawPlan(rt *rapid.T, breath bool) *queue.Plan {
	p := &queue.Plan{Location: morning.Location()}
	ids := []hallsync.QueueID{"A", "B", "C"}[:rapid.IntRange(1, 3).Draw(rt, "queues")]
	for _, id := range ids {
		p.Queues = append(p.Queues, queue.QueuePlan{ID: id, Calling: queue.Calling{ReturnAfter: rapid.IntRange(0, 3).Draw(rt, "return")}, Order: line.Order{
			Weights: map[hallsync.Class]int{
				hallsync.Elder: rapid.IntRange(50, 300).Draw(rt, "elder"), hallsync.Priority: rapid.IntRange(50, 300).Draw(rt, "priority"),
			},
			MaxWait:     time.Duration(rapid.IntRange(0, 40).Draw(rt, "max_wait")) * time.Minute,
			PriorityRun: rapid.IntRange(0, 3).Draw(rt, "run"),
		}})
	}
	windows := rapid.IntRange(1, 3).Draw(rt, "windows")
	if breath {
		windows = len(ids)
	}
	for w := range windows {
		plan := queue.WindowPlan{ID: hallsync.WindowID(fmt.Sprint(w + 1)), Queues: ids}
		if breath {
			plan.Queues = ids[w : w+1]
		}
		p.Windows = append(p.Windows, plan)
	}
	return p
}

func drawDay(t testing.TB, rt *rapid.T, breath bool) *ideal {
	p := drawPlan(rt, breath)
	d := &ideal{hall: newHall(t, p), rt: rt, plan: p, breath: breath, free: map[hallsync.WindowID]time.Time{}}
	at := morning
	later := func(most int, do func()) {
		at = at.Add(time.Duration(d.draw("after", most)) * time.Second)
		d.script = append(d.script, event{at, do})
	}
	for _, w := range p.Windows {
		later(120, func() { d.do(queue.Open{Window: w.ID}); d.free[w.ID] = d.now })
	}
	for n := range rapid.IntRange(1, 40).Draw(rt, "happenings") {
		w := p.Windows[d.draw("window", len(p.Windows)-1)].ID
		switch d.draw("happening", 9) {
		case 0:
			later(300, func() { d.away(w, queue.Pause{Window: w}) })
		case 1:
			later(300, func() {
				if have, _ := d.s.Window(w); have.State == hallsync.WindowPaused {
					d.do(queue.Unpause{Window: w})
					d.free[w] = d.now
				}
			})
		case 2:
			if !breath { // a rest lasts while somebody waits
				later(300, d.withdraws)
			}
		default:
			id, q, class := hallsync.TicketID(fmt.Sprint("t", n)), p.Queues[d.draw("queue", len(p.Queues)-1)].ID,
				rapid.SampledFrom([]hallsync.Class{"", "", hallsync.Elder, hallsync.Priority}).Draw(rt, "class")
			later(300, func() {
				d.do(queue.Take{Ticket: id, Queue: q, Class: class, Because: "x", Channel: hallsync.AtKiosk})
				d.waits = append(d.waits, id)
			})
		}
	}
	if rapid.Bool().Draw(rt, "closes early") {
		later(300, func() { d.away(p.Windows[0].ID, queue.Close{Window: p.Windows[0].ID}) })
	}
	d.plays()
	if rapid.Bool().Draw(rt, "closes") {
		for _, w := range p.Windows {
			if _, open := d.free[w.ID]; open {
				d.do(queue.Close{Window: w.ID})
			}
		}
	}
	if rapid.Bool().Draw(rt, "over") {
		d.now = morning.Add(24 * time.Hour)
		d.do(queue.TurnDay{})
	}
	return d
}

// away pauses or closes a window that is free.
func (d *ideal) away(w hallsync.WindowID, c queue.Command) {
	if _, free := d.free[w]; free {
		d.do(c)
		delete(d.free, w)
	}
}

// withdraws lets the first who still waits go home.
func (d *ideal) withdraws() {
	for _, id := range d.waits {
		if t, ok := d.s.Ticket(id); ok && t.State == hallsync.Waiting {
			d.do(queue.Withdraw{Ticket: id})
			return
		}
	}
}

// Under its own plan, and if staff only called the next, a day is played as it was: the same people are called, by the same windows, by the
// same rules, at the same moments.
func TestADayIsPlayedAsItWas(t *testing.T) {
	called := 0
	rapid.Check(t, func(rt *rapid.T) {
		d := drawDay(t, rt, rapid.Bool().Draw(rt, "breath"))
		day := d.day(d.plan)
		got, err := day.Play(context.Background(), d.plan)
		if err != nil {
			rt.Fatal(err)
		}
		want := day.Recorded()
		called += len(want.Calls)
		if !slices.Equal(got.Calls, want.Calls) {
			rt.Fatalf("calls\n got %v\nwant %v", said(got), said(want))
		}
		if !slices.Equal(got.Left, want.Left) {
			rt.Fatalf("left\n got %+v\nwant %+v", got.Left, want.Left)
		}
		for _, w := range d.plan.Windows {
			if got.Idle[w.ID] != want.Idle[w.ID] {
				rt.Fatalf("window %s idle for %s, was for %s", w.ID, got.Idle[w.ID], want.Idle[w.ID])
			}
		}
	})
	if called == 0 {
		t.Error("nobody was called in any day")
	}
}

// Under any plan everybody of the day is called or left, in each line once, nobody before the ticket was taken, no window has two people at
// a time, and the same question has the same answer.
func TestAnyPlanPlaysTheWholeDay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawDay(t, rt, true)
		day := d.day(d.plan)
		plan := drawPlan(rt, false)
		got, err := day.Play(context.Background(), plan)
		if err != nil {
			rt.Fatal(err)
		}
		again, err := day.Play(context.Background(), plan)
		if err != nil || !slices.Equal(got.Calls, again.Calls) || !slices.Equal(got.Left, again.Left) {
			rt.Fatalf("%v: played again\n%v\n%v", err, said(got), said(again))
		}
		known := map[hallsync.TicketID]bool{}
		for _, c := range slices.Concat(day.Recorded().Calls, day.Recorded().Left) {
			known[c.Ticket] = true
		}
		calls := slices.Concat(got.Calls, got.Left)
		for i, c := range calls {
			if c.Called < c.Due {
				rt.Fatalf("%s was called before it stood in line: %+v", c.Ticket, c)
			}
			same := func(o rerun.Call) bool { return o.Ticket == c.Ticket && o.Queue == c.Queue && o.Due == c.Due }
			if slices.ContainsFunc(calls[i+1:], same) {
				rt.Fatalf("%s was called twice for one wait", c.Ticket)
			}
			delete(known, c.Ticket)
		}
		for _, t := range d.s.Tickets() {
			if t.State == hallsync.Withdrawn {
				delete(known, t.ID)
			}
		}
		if len(known) > 0 {
			rt.Fatalf("forgotten: %v", known)
		}
	})
}
