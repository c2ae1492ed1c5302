package rerun

import (
	"cmp"
	"slices"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Recorder makes a Day of the facts of a log. It must be given all of them, in order: those of other days are left out by it.
type Recorder struct {
	plan    *queue.Plan
	date    string
	days    []string
	clock   int64
	skew    int64 // milliseconds from the hall's time to its clock
	day     *Day  // nil outside the day
	found   *Day
	state   *queue.State
	idle    *idle
	freed   map[hallsync.WindowID]freed
	could   map[hallsync.WindowID]bool  // who might still have called when the day was closed; nil before that
	earlier map[hallsync.TicketID]taken // of the day before: some may be carried over
}

// freed is when a window's last ticket left it, which one that was, and how long the window had been idle until then.
type freed struct {
	at   int64
	leg  *leg
	idle time.Duration
	rest bool // nothing happened there since
}

type taken struct {
	fact hallsync.TicketTaken
	at   time.Time
}

// NewRecorder begins a record of one business day, 2006-01-02. The plan is the one in force: a log does not say what others were.
func NewRecorder(plan *queue.Plan, date string) *Recorder {
	return &Recorder{plan: plan, date: date, earlier: map[hallsync.TicketID]taken{}}
}

// Days gives the business days that were seen, in order.
func (r *Recorder) Days() []string { return r.days }

// Add records one fact.
func (r *Recorder) Add(p hallsync.Payload, at time.Time) {
	if p.Kind().OfLog() {
		return
	}
	if f, ok := p.(hallsync.DayOpened); ok {
		r.open(f, at)
		return
	}
	now := max(r.clock, at.UnixMilli()+r.skew)
	r.clock = now
	switch f := p.(type) {
	case hallsync.ClockSet:
		r.skew -= f.ByMS
		return
	case hallsync.ClockStepped, hallsync.RollSet, hallsync.CameraPinned:
		return
	case hallsync.TicketTaken:
		r.earlier[f.Ticket] = taken{f, at}
	}
	if r.day == nil {
		return
	}
	p = shifted(p, time.Duration(now-at.UnixMilli())*time.Millisecond)
	r.idle.pass(r.state, now)
	r.window(p, now)
	r.ticket(p, now)
	r.state.Apply(p, time.UnixMilli(now))
	if _, over := p.(hallsync.DayClosed); over {
		r.day.over = true
		r.finish()
	}
}

// shifted gives a fact as it would be if the hall's time were its clock. A number of a paper roll becomes one that somebody took: in a
// replay nobody calls the next of a roll.
func shifted(p hallsync.Payload, by time.Duration) hallsync.Payload {
	switch f := p.(type) {
	case hallsync.TicketTaken:
		if f.Channel == hallsync.AtRoll {
			f.Channel = hallsync.AtWindow
		}
		if !f.BookedFor.IsZero() {
			f.BookedFor = f.BookedFor.Add(by)
		}
		return f
	case hallsync.WindowDutySet:
		f.Until = f.Until.Add(by)
		return f
	}
	return p
}

// open begins a day. Who was carried over stands in line from the start.
func (r *Recorder) open(f hallsync.DayOpened, at time.Time) {
	if f.Instead == f.BusinessDay { // it goes on
		return
	}
	r.days = append(r.days, f.BusinessDay)
	before := r.earlier
	r.earlier, r.clock, r.skew = map[hallsync.TicketID]taken{}, at.UnixMilli(), 0
	for _, id := range f.Carried {
		if t, ok := before[id]; ok {
			r.earlier[id] = t
		}
	}
	if r.finish(); f.BusinessDay != r.date {
		return
	}
	r.state, r.freed, r.could = queue.New(r.plan), map[hallsync.WindowID]freed{}, nil
	r.day = &Day{Date: f.BusinessDay, end: r.clock, tickets: map[hallsync.TicketID]*ticket{}}
	for _, id := range f.Carried {
		t, ok := r.earlier[id]
		if !ok {
			continue
		}
		was := shifted(t.fact, 0).(hallsync.TicketTaken)
		r.day.happenings = append(r.day.happenings, happening{at: t.at.UnixMilli(), fact: was})
		r.state.Apply(was, t.at)
		r.taken(was, t.at.UnixMilli())
		r.day.tickets[id].leg().entry = r.clock // nobody waits in the hall at night
	}
	r.day.happenings = append(r.day.happenings, happening{at: r.clock, fact: f})
	r.state.Apply(f, at)
	r.idle = newIdle(r.plan, r.clock)
}

// Day gives the day, as far as it is in the log; nil if its begin is not.
func (r *Recorder) Day() *Day {
	r.finish()
	return r.found
}

// finish ends the record of the day, if one is under way.
func (r *Recorder) finish() {
	d := r.day
	if d == nil {
		return
	}
	r.day, r.found = nil, d
	r.idle.pass(r.state, r.clock)
	d.end, d.shut = r.clock, r.clock
	slices.SortStableFunc(d.happenings, func(a, b happening) int { return cmp.Compare(a.at, b.at) })
	if d.over {
		d.shut = 0
		for _, h := range d.happenings {
			if _, ok := h.fact.(hallsync.WindowWasClosed); ok {
				d.shut = max(d.shut, h.at)
			}
		}
		for _, last := range r.freed {
			d.shut = max(d.shut, last.at)
		}
	}
	for w, last := range r.freed {
		if r.busy(w); last.rest && last.leg.rest > 0 {
			last.leg.rest++ // it does not call at the very end
		}
	}
	d.recorded.Idle = r.idle.windows
	for _, t := range d.taken {
		l := t.leg()
		if !l.called && t.gone < 0 {
			d.recorded.Left = append(d.recorded.Left, t.call(t.queue, t.class, l.entry, max(l.entry, d.shut)))
		}
		if t.window != "" {
			l.stay, l.open = l.stay+d.end-t.since, true
		}
	}
}

// window records what happened to windows.
func (r *Recorder) window(p hallsync.Payload, now int64) {
	h := happening{at: now, fact: p}
	switch f := p.(type) {
	case hallsync.WindowWasOpened, hallsync.WindowWasUnpaused, hallsync.WindowWasPaused:
	case hallsync.WindowDutySet:
		r.day.happenings = append(r.day.happenings, h)
		return
	case hallsync.WindowWasClosed:
		could, known := r.could[f.Window]
		if !known {
			could = callable(r.state, f.Window, now)
		}
		h.soft = !could
		if last := r.freed[f.Window]; could && f.By.Kind == "system" && last.leg != nil {
			h.at, r.idle.windows[f.Window] = last.at, last.idle // nobody worked there any more
		}
	case hallsync.TicketClosed: // the day is closed: tickets first, windows after them
		if r.could == nil {
			r.could = map[hallsync.WindowID]bool{}
			for i := range r.plan.Windows {
				id := r.plan.Windows[i].ID
				r.could[id] = callable(r.state, id, now)
			}
		}
		return
	default:
		return
	}
	r.busy(p.Subject().Window)
	r.day.happenings = append(r.day.happenings, h)
}

// busy says that something else happens at a window than that its ticket left: its rest after that is over.
func (r *Recorder) busy(w hallsync.WindowID) {
	if last := r.freed[w]; last.rest {
		last.leg.rest = (r.idle.windows[w] - last.idle).Milliseconds()
		last.rest = false
		r.freed[w] = last
	}
}

// taken records a new ticket.
func (r *Recorder) taken(f hallsync.TicketTaken, now int64) {
	t := &ticket{id: f.Ticket, number: f.Number, class: f.Class, queue: f.Queue, gone: -1, legs: []*leg{{entry: now}}}
	if !f.BookedFor.IsZero() {
		t.booked = f.BookedFor.UnixMilli()
	}
	r.day.tickets[t.id] = t
	r.day.taken = append(r.day.taken, t)
}

// call is a call of a ticket out of a line that it entered at a moment.
func (t *ticket) call(q hallsync.QueueID, c hallsync.Class, entry, now int64) Call {
	return Call{Ticket: t.id, Number: t.number, Queue: q, Class: c, Due: max(entry, t.booked), Called: now}
}

// leave ends a ticket's stay at a window.
func (r *Recorder) leave(t *ticket, now int64) {
	if t.window == "" {
		return
	}
	t.leg().stay += now - t.since
	r.freed[t.window] = freed{at: now, leg: t.leg(), idle: r.idle.windows[t.window], rest: true}
	t.window, t.left = "", now
}

// arrive begins a stay at a window, or goes on with it.
func (r *Recorder) arrive(t *ticket, w hallsync.WindowID, now int64) {
	if t.window != "" {
		return
	}
	r.busy(w)
	t.leg().called = true
	t.window, t.since = w, now
}

// next begins a further wait of a ticket that was at a window.
func (r *Recorder) next(t *ticket, enter hallsync.Payload, now int64) {
	t.legs = append(t.legs, &leg{enter: enter, delay: now - t.left, entry: now})
}

// happens records something about a ticket that waits.
func (r *Recorder) happens(t *ticket, p hallsync.Payload, now int64) {
	r.day.happenings = append(r.day.happenings, happening{at: now, fact: p, leg: len(t.legs) - 1})
}

// ticket records what happened to tickets.
func (r *Recorder) ticket(p hallsync.Payload, now int64) {
	if f, ok := p.(hallsync.TicketTaken); ok {
		r.taken(f, now)
		r.day.happenings = append(r.day.happenings, happening{at: now, fact: f})
		return
	}
	t := r.day.tickets[p.Subject().Ticket]
	if t == nil {
		return
	}
	switch f := p.(type) {
	case hallsync.TicketCalled:
		t.queue = f.Queue
		if l := t.leg(); !l.called {
			c := t.call(f.Queue, t.class, l.entry, now)
			c.Window, c.Rule, l.queue = f.Window, f.Why.Rule, f.Queue
			r.day.recorded.Calls = append(r.day.recorded.Calls, c)
		}
		r.arrive(t, f.Window, now)
		t.leg().missed = false
	case hallsync.TicketResumed:
		r.arrive(t, f.Window, now)
	case hallsync.TicketPassed:
		r.leave(t, now)
		t.leg().missed = true
	case hallsync.TicketFinished, hallsync.TicketHeld, hallsync.TicketClosed:
		r.leave(t, now)
	default:
		r.moved(t, p, now)
	}
}

// moved records what may happen to a ticket that waits as well as to one that was called.
func (r *Recorder) moved(t *ticket, p hallsync.Payload, now int64) {
	waits := !t.leg().called
	switch f := p.(type) {
	case hallsync.TicketRequeued:
		r.next(t, f, now)
	case hallsync.TicketTransferred:
		t.queue = f.Queue
		r.leave(t, now)
		if waits {
			r.happens(t, f, now)
		} else {
			r.next(t, f, now)
		}
	case hallsync.TicketAbandoned, hallsync.TicketWithdrawn:
		r.leave(t, now)
		if waits {
			t.gone = len(r.day.happenings)
			r.happens(t, p, now)
		}
	case hallsync.TicketReopened:
		switch {
		case f.From == hallsync.Closed && waits: // to this record it has waited all the time
		case f.To != hallsync.Waiting:
			r.arrive(t, f.Window, now)
		case t.gone >= 0:
			r.day.happenings[t.gone].fact, t.gone = nil, -1
		default:
			r.next(t, hallsync.TicketTransferred{Ticket: t.id, From: f.Window, Queue: t.queue, Position: hallsync.ByArrival, By: f.By}, now)
		}
	case hallsync.TicketClassSet:
		t.class = f.Class
		if waits {
			r.happens(t, f, now)
		}
	}
}

// medians gives how long a ticket of each queue keeps a window, in milliseconds, by those that were served.
func (d *Day) medians() map[hallsync.QueueID]int64 {
	stays := map[hallsync.QueueID][]int64{}
	for _, t := range d.taken {
		for _, l := range t.legs {
			if l.called && !l.missed && !l.open {
				stays[l.queue] = append(stays[l.queue], l.stay)
			}
		}
	}
	out := map[hallsync.QueueID]int64{}
	for q, all := range stays {
		slices.Sort(all)
		out[q] = all[len(all)/2]
	}
	return out
}
