package line

import (
	"cmp"

	"halledge/firmware-protocols/hallsync"
)

// Rule is why somebody is called.
type Rule string

// The rules.
const (
	Front         Rule = "front"          // transferred to the front
	Returned      Rule = "returned"       // was passed, came back, and its calls are over, or it has waited for them for too long
	MaxWait       Rule = "max_wait"       // waited longer than anybody should
	Weight        Rule = "weight"         // weighs more than one that came earlier
	PriorityLimit Rule = "priority_limit" // after so many of privilege it is an ordinary one's turn
	Turn          Rule = "turn"           // came first
	Idle          Rule = "idle"           // not due yet, but nobody else waits
)

// tier is the coarse part of a rank; the lower one is called first.
type tier int

const (
	tierFront    tier = iota // transferred to the front
	tierReturned             // came back, and its calls have passed or do not come
	tierOverdue              // waited longer than anybody should
	tierWeighed              // by score
	tierLimited              // privileged, and it is an ordinary one's turn
	tierEarly                // not due yet: only so that no window is idle
)

// rank is an entry's place among those a window may call.
type rank struct {
	tier  tier
	score int64 // weighted milliseconds
	class int   // between equal scores
	base  int64
	turn  uint64
}

func (r rank) compare(o rank) int {
	if c := cmp.Compare(r.tier, o.tier); c != 0 {
		return c
	}
	switch r.tier {
	case tierFront, tierReturned:
		return cmp.Compare(r.turn, o.turn)
	case tierWeighed, tierLimited:
		return cmp.Or(cmp.Compare(o.score, r.score), cmp.Compare(o.class, r.class), cmp.Compare(r.base, o.base), cmp.Compare(r.turn, o.turn))
	}
	return cmp.Or(cmp.Compare(r.base, o.base), cmp.Compare(r.turn, o.turn))
}

// order gives the order of a queue.
func (h *Hall) order(q hallsync.QueueID) *Order {
	if o := h.orders[q]; o != nil {
		return o
	}
	return &Order{}
}

func (o *Order) weight(c hallsync.Class) int64 {
	if w, ok := o.Weights[c]; ok {
		return int64(w)
	}
	return 100
}

func (w *Window) weight(q hallsync.QueueID) int64 {
	if have, ok := w.Weights[q]; ok {
		return int64(have)
	}
	return 100
}

// rank weighs an entry at a window, at a moment of the hall's clock.
func (h *Hall) rank(e *Entry, w *Window, age int64) rank {
	o, count := h.order(e.Queue), h.counts[e.Queue]
	r := rank{tier: tierWeighed, class: e.Class.Rank(), base: e.since(), turn: e.Turn}
	waited := age - e.Base
	switch {
	case e.Front:
		r.tier = tierFront
	case e.Due > count.Calls && age-e.Since < o.patience():
		r.tier = tierEarly
	case e.Due > 0: // whenever it was booked for: nobody behind it may wait for that
		r.tier = tierReturned
	case waited < -o.Early.Milliseconds():
		r.tier = tierEarly
	case o.MaxWait > 0 && waited >= o.MaxWait.Milliseconds():
		r.tier = tierOverdue
	case Privileged(e.Class) && o.PriorityRun > 0 && count.Run >= o.PriorityRun && h.ordinaryWaits(e.Queue, o, age):
		r.tier = tierLimited
	}
	r.score = max(0, waited)*o.weight(e.Class)/100*w.weight(e.Queue)/100 + o.Boosts[e.Class].Milliseconds()
	return r
}

// ordinaryWaits reports whether somebody without privilege waits in a queue whom any window of it may call now.
func (h *Hall) ordinaryWaits(q hallsync.QueueID, o *Order, age int64) bool {
	l := h.lines[q]
	if l == nil {
		return false
	}
	for _, c := range [...]hallsync.Class{hallsync.Normal, hallsync.Appointment} {
		if lane := l.lanes[c.Rank()]; len(lane) > 0 && age-lane[0].Base >= -o.Early.Milliseconds() {
			return true
		}
	}
	return false
}

// candidate is an entry a window may call next.
type candidate struct {
	entry *Entry
	rank  rank
}

// Choice is whom a window would call, nil for nobody, and the runner-up.
type Choice struct {
	first, second candidate
	limited       rank  // the best of those who wait because it is an ordinary one's turn
	oldest        int64 // since when the first of all ages who is due
}

// First is whom to call, nil for nobody.
func (c *Choice) First() *Entry { return c.first.entry }

// Second is who would have been called without the first, nil for nobody.
func (c *Choice) Second() *Entry { return c.second.entry }

func (c *Choice) offer(n candidate) {
	if n.rank.tier != tierEarly && (c.oldest == 0 || n.entry.Base < c.oldest) {
		c.oldest = n.entry.Base
	}
	if n.rank.tier == tierLimited && (c.limited.tier != tierLimited || n.rank.compare(c.limited) < 0) {
		c.limited = n.rank
	}
	switch {
	case c.first.entry == nil || n.rank.compare(c.first.rank) < 0:
		c.first, c.second = n, c.first
	case c.second.entry == nil || n.rank.compare(c.second.rank) < 0:
		c.second = n
	}
}

// Choose gives whom a window should call at a moment of the hall's clock. Others are people who stand in no line, and may be called by it
// as well.
func (h *Hall) Choose(w *Window, age int64, others ...*Entry) (c Choice) {
	offer := func(e *Entry) { c.offer(candidate{e, h.rank(e, w, age)}) }
	for _, e := range others {
		offer(e)
	}
	for q, l := range h.lines {
		serves := w.Serves(q) || h.orders[q] == nil
		if serves {
			l.heads(offer)
		}
		for _, e := range l.sent {
			if e.Target == w.ID || serves && h.Target(e, age) == "" {
				offer(e)
			}
		}
	}
	return c
}

// Why gives the rule by which the first is called, and its score in weighted seconds.
func (c *Choice) Why() (r Rule, score int64) {
	switch c.first.rank.tier {
	case tierFront:
		r = Front
	case tierReturned:
		r = Returned
	case tierOverdue:
		r = MaxWait
	case tierEarly:
		r = Idle
	default:
		switch {
		case c.limited.tier == tierLimited && c.limited.score > c.first.rank.score:
			r = PriorityLimit
		case c.oldest < c.first.entry.Base:
			r = Weight
		default:
			r = Turn
		}
	}
	return r, c.first.rank.score / 1000
}

// Ahead counts those of the same queue who would be called before somebody if everything stayed as it is. The entry need not be in the
// line yet.
func (h *Hall) Ahead(e *Entry, age int64) (n int) {
	l := h.lines[e.Queue]
	if l == nil {
		return 0
	}
	at := h.Target(e, age)
	w := &Window{ID: at} // the queue weighs alike at every window
	mine := h.rank(e, w, age)
	for _, lane := range l.all() {
		for _, o := range lane {
			if to := h.Target(o, age); o != e && (to == "" || to == at) && h.rank(o, w, age).compare(mine) < 0 {
				n++
			}
		}
	}
	return n
}
