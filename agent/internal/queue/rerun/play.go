package rerun

import (
	"context"
	"slices"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// usual is how long a ticket keeps a window if nothing is known about its queue.
const usual = 5 * time.Minute

// Play plays the day by a plan. It fails only when ctx ends.
func (d *Day) Play(ctx context.Context, plan *queue.Plan) (*Course, error) {
	p := &player{
		day: d, plan: plan, state: queue.New(plan), posts: map[hallsync.WindowID]*post{}, waits: map[hallsync.TicketID]wait{},
		medians: d.medians(), idle: newIdle(plan, d.end),
	}
	for i := range plan.Windows {
		w := &post{id: plan.Windows[i].ID}
		p.posts[w.id] = w
		p.order = append(p.order, w)
	}
	for p.next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.calls()
	}
	for _, t := range d.taken {
		if w, waits := p.waits[t.id]; waits {
			now, _ := p.state.Ticket(t.id)
			p.course.Left = append(p.course.Left, t.call(now.Queue, now.Class, w.entry, max(w.entry, d.shut)))
		}
	}
	p.course.Idle = p.idle.windows
	return &p.course, nil
}

// player is a day that is played.
type player struct {
	day     *Day
	plan    *queue.Plan
	state   *queue.State
	now     int64
	told    int       // happenings so far
	agenda  []pending // in order
	posts   map[hallsync.WindowID]*post
	order   []*post // of the plan
	waits   map[hallsync.TicketID]wait
	medians map[hallsync.QueueID]int64
	idle    *idle
	course  Course
}

// pending is what will be at a moment.
type pending struct {
	at int64
	do func()
}

// post is a window.
type post struct {
	id      hallsync.WindowID
	open    bool
	serving bool
	resting bool
	since   int64            // free since
	ends    hallsync.Payload // a pause or a close that waits, nil for none
	soft    bool             // until nobody is left to call
}

// wait is somebody in line: by which of the ticket's legs, and since when.
type wait struct {
	leg   int
	entry int64
}

// next goes on to the next moment and lets everything happen that is due then; false if the day is over.
func (p *player) next() bool {
	at := p.day.end + 1
	if p.told < len(p.day.happenings) {
		at = min(at, p.day.happenings[p.told].at)
	}
	if len(p.agenda) > 0 {
		at = min(at, p.agenda[0].at)
	}
	p.idle.pass(p.state, min(at, p.day.end))
	if at > p.day.end {
		return false
	}
	p.now = at
	for len(p.agenda) > 0 && p.agenda[0].at <= at {
		do := p.agenda[0].do
		p.agenda = p.agenda[1:]
		do()
	}
	for ; p.told < len(p.day.happenings) && p.day.happenings[p.told].at <= at; p.told++ {
		p.happen(p.day.happenings[p.told])
	}
	return true
}

func (p *player) time() time.Time { return time.UnixMilli(p.now) }

func (p *player) apply(f hallsync.Payload) { p.state.Apply(f, p.time()) }

// in lets something be done after a while, or at once.
func (p *player) in(ms int64, do func()) {
	if ms <= 0 {
		do()
		return
	}
	at := p.now + ms
	i, _ := slices.BinarySearchFunc(p.agenda, at, func(x pending, at int64) int {
		if x.at <= at {
			return -1
		}
		return 1
	})
	p.agenda = slices.Insert(p.agenda, i, pending{at, do})
}

// happen lets what was recorded happen, unless the replay has gone another way.
func (p *player) happen(h happening) {
	switch f := h.fact.(type) {
	case nil:
	case hallsync.TicketTaken:
		p.apply(f)
		p.waits[f.Ticket] = wait{entry: p.day.tickets[f.Ticket].legs[0].entry}
	case hallsync.DayOpened:
		p.apply(f)
		p.idle.last = p.now
	case hallsync.WindowWasOpened, hallsync.WindowWasUnpaused:
		if w := p.posts[f.Subject().Window]; w != nil {
			if w.ends = nil; !w.open {
				w.open, w.since = true, p.now
			}
			p.apply(f)
		}
	case hallsync.WindowWasPaused, hallsync.WindowWasClosed:
		if w := p.posts[f.Subject().Window]; w != nil {
			if w.ends, w.soft = f, h.soft; !w.serving && !w.soft {
				p.end(w)
			}
		}
	case hallsync.WindowDutySet:
		p.apply(f)
	default:
		p.change(f, h.leg)
	}
}

// change does something to a ticket that waits, if it still does.
func (p *player) change(f hallsync.Payload, leg int) {
	id := f.Subject().Ticket
	if w, waits := p.waits[id]; !waits || w.leg != leg {
		return
	}
	p.apply(f)
	switch f.(type) {
	case hallsync.TicketAbandoned, hallsync.TicketWithdrawn:
		delete(p.waits, id)
	}
}

// end pauses or closes a window.
func (p *player) end(w *post) {
	p.apply(w.ends)
	w.open, w.ends = false, nil
}

// calls lets each window that is free call once: who calls makes nobody else wait.
func (p *player) calls() {
	free := slices.DeleteFunc(slices.Clone(p.order), func(w *post) bool { return !w.open || w.serving || w.resting })
	slices.SortStableFunc(free, func(a, b *post) int {
		switch {
		case a.since < b.since:
			return -1
		case a.since > b.since:
			return 1
		}
		return 0
	})
	for _, w := range free {
		if !p.call(w) && w.ends != nil {
			p.end(w)
		}
	}
}

// call lets a window call the next; false if there is nobody.
func (p *player) call(w *post) bool {
	f, ok := choose(p.state, w.id, p.now)
	if !ok {
		return false
	}
	t, i := p.day.tickets[f.Ticket], p.waits[f.Ticket]
	have, _ := p.state.Ticket(f.Ticket)
	p.apply(f)
	delete(p.waits, t.id)
	c := t.call(f.Queue, have.Class, i.entry, p.now)
	c.Window, c.Rule = w.id, f.Why.Rule
	p.course.Calls = append(p.course.Calls, c)
	w.serving = true
	l := t.legs[i.leg]
	stay := l.stay
	if !l.called || l.open {
		stay = max(stay, p.usual(f.Queue))
	}
	p.in(max(1, stay), func() { p.leave(w, t, i.leg) })
	return true
}

// leave ends a ticket's stay at a window.
func (p *player) leave(w *post, t *ticket, i int) {
	l := t.legs[i]
	switch {
	case i+1 == len(t.legs):
		p.apply(hallsync.TicketFinished{Ticket: t.id, Window: w.id})
	case t.legs[i+1].delay > 0 && l.missed:
		p.apply(hallsync.TicketPassed{Ticket: t.id, Number: t.number, Window: w.id})
	case t.legs[i+1].delay > 0:
		p.apply(hallsync.TicketHeld{Ticket: t.id, Window: w.id})
	}
	if i+1 < len(t.legs) {
		p.in(t.legs[i+1].delay, func() {
			p.apply(t.legs[i+1].enter)
			p.waits[t.id] = wait{leg: i + 1, entry: p.now}
		})
	}
	w.serving = false
	if w.ends != nil && !w.soft {
		p.end(w)
	}
	w.resting = l.rest > 0
	p.in(l.rest, func() { w.resting, w.since = false, p.now })
}

// usual is how long a ticket of a queue keeps a window, if it never did.
func (p *player) usual(q hallsync.QueueID) int64 {
	if ms, ok := p.medians[q]; ok {
		return ms
	}
	for i := range p.plan.Queues {
		if plan := &p.plan.Queues[i]; plan.ID == q && plan.Service > 0 {
			return plan.Service.Milliseconds()
		}
	}
	return usual.Milliseconds()
}

// choose gives the call that a window would make.
func choose(s *queue.State, w hallsync.WindowID, now int64) (f hallsync.TicketCalled, ok bool) {
	facts, err := s.Decide(queue.CallNext{Window: w}, time.UnixMilli(now))
	if err != nil { // it is closed, or the plan does not have it
		return f, false
	}
	for _, p := range facts {
		if f, ok = p.(hallsync.TicketCalled); ok {
			return f, true
		}
	}
	return f, false
}

func callable(s *queue.State, w hallsync.WindowID, now int64) bool {
	_, ok := choose(s, w, now)
	return ok
}

// idle counts how long windows are open and have nobody, while somebody waits whom they may call.
type idle struct {
	plan    *queue.Plan
	last    int64
	windows map[hallsync.WindowID]time.Duration
}

func newIdle(plan *queue.Plan, from int64) *idle {
	return &idle{plan: plan, last: from, windows: map[hallsync.WindowID]time.Duration{}}
}

// pass lets time go by until a moment; the state has not changed since the last one.
func (i *idle) pass(s *queue.State, now int64) {
	if now <= i.last {
		return
	}
	span := time.Duration(now-i.last) * time.Millisecond
	i.last = now
	waits := false
	for q := range i.plan.Queues {
		waits = waits || s.Waiting(i.plan.Queues[q].ID) > 0
	}
	if !waits {
		return
	}
	for w := range i.plan.Windows {
		id := i.plan.Windows[w].ID
		have, _ := s.Window(id)
		if have.State == hallsync.WindowOpen && have.Ticket == "" && callable(s, id, now) {
			i.windows[id] += span
		}
	}
}
