// Package line gives the order of those who wait: whom a window calls next and why, how many are before somebody, and when each is
// likely to be called. It is pure, and as quick with ten thousand people as with ten: inside a lane nobody overtakes anybody, so only
// the heads of lanes are compared.
package line

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Order is how those who wait are weighed against each other. People age: an entry's score is the time it has waited times the weight
// of its class times the weight its queue has at the window. Two guards stand above the weights, so that nobody starves and no
// class has the hall to itself.
type Order struct {
	Weights     map[hallsync.Class]int           // percent; a class without one has 100
	Boosts      map[hallsync.Class]time.Duration // added to a class's score from the start
	MaxWait     time.Duration                    // whoever has waited longer goes first, oldest first; 0: no such guard
	PriorityRun int                              // calls of elder and priority tickets in a row while others of the queue wait; 0: no limit
	Early       time.Duration                    // a booked ticket may be called that long before its time; earlier only if nobody else waits
}

// guard is how long anybody waits in vain for what need not come: calls of a queue that nobody takes a number of, or a window.
const guard = 30 * time.Minute

// patience is the same for one queue, in milliseconds.
func (o *Order) patience() int64 { return cmp.Or(o.MaxWait, guard).Milliseconds() }

// Privileged reports whether a class goes before others for the citizen's sake.
func Privileged(c hallsync.Class) bool { return c == hallsync.Elder || c == hallsync.Priority }

// Window is what a window may call: its queues, and how much each weighs there in percent, 100 without a word.
type Window struct {
	ID      hallsync.WindowID
	Queues  []hallsync.QueueID
	Weights map[hallsync.QueueID]int
}

// Serves reports whether a queue is one of the window's.
func (w *Window) Serves(q hallsync.QueueID) bool { return slices.Contains(w.Queues, q) }

// Entry is somebody who waits. Came and Base are milliseconds of the hall's clock.
type Entry struct {
	ID     hallsync.TicketID `json:"id"`
	Queue  hallsync.QueueID  `json:"queue"`
	Class  hallsync.Class    `json:"class"`
	Came   int64             `json:"came"`             // when the ticket was taken
	Base   int64             `json:"base"`             // from when it ages
	Turn   uint64            `json:"turn"`             // when it entered the line, as a count
	Front  bool              `json:"front,omitempty"`  // transferred to the front
	Due    uint64            `json:"due,omitempty"`    // came back after it was passed: due when its queue has had so many calls
	Target hallsync.WindowID `json:"target,omitempty"` // the only window that may call it, while somebody works there and for no longer than anybody waits
	Since  int64             `json:"since,omitempty"`  // when it came back, or was sent there
}

// Hall is the lines of a hall, and what is counted about calls. It is not safe for concurrent use.
type Hall struct {
	orders map[hallsync.QueueID]*Order
	manned map[hallsync.WindowID]bool
	lines  map[hallsync.QueueID]*line
	counts map[hallsync.QueueID]Count
}

// Count is what is counted about the calls of a queue: all of the day, and the privileged ones since the last other one.
type Count struct {
	Calls uint64 `json:"calls"`
	Run   int    `json:"run,omitempty"`
}

// New gives a hall in which nobody waits. People in a queue without an order, because the plan no longer has it, are weighed equally and
// may be called by every window.
func New(orders map[hallsync.QueueID]*Order) *Hall {
	return &Hall{orders: orders, manned: map[hallsync.WindowID]bool{}, lines: map[hallsync.QueueID]*line{}, counts: map[hallsync.QueueID]Count{}}
}

// Reorder makes the hall weigh by other orders from now on.
func (h *Hall) Reorder(orders map[hallsync.QueueID]*Order) { h.orders = orders }

// Man says whether somebody works at a window. Who was sent to a window where nobody works, or was sent there too long ago, may be called by
// any window of the queue as well.
func (h *Hall) Man(w hallsync.WindowID, on bool) { h.manned[w] = on }

// Target is the only window that may call an entry, empty for any.
func (h *Hall) Target(e *Entry, age int64) hallsync.WindowID {
	if h.manned[e.Target] && age-e.Since < h.order(e.Queue).patience() {
		return e.Target
	}
	return ""
}

// Insert puts an entry into its line.
func (h *Hall) Insert(e *Entry) {
	l := h.lines[e.Queue]
	if l == nil {
		l = &line{}
		h.lines[e.Queue] = l
	}
	l.insert(e)
}

// Remove takes an entry out of its line. It must be as it was when it was inserted.
func (h *Hall) Remove(e *Entry) {
	if l := h.lines[e.Queue]; l != nil {
		l.remove(e)
	}
}

// Tally counts a call.
func (h *Hall) Tally(e *Entry) {
	c := h.counts[e.Queue]
	c.Calls++
	if c.Run++; !Privileged(e.Class) {
		c.Run = 0
	}
	h.counts[e.Queue] = c
}

// Calls is how many calls a queue had today.
func (h *Hall) Calls(q hallsync.QueueID) uint64 { return h.counts[q].Calls }

// Counts gives what is counted, for Restore.
func (h *Hall) Counts() map[hallsync.QueueID]Count { return h.counts }

// Restore sets what is counted.
func (h *Hall) Restore(counts map[hallsync.QueueID]Count) { maps.Copy(h.counts, counts) }

// Clear ends the day.
func (h *Hall) Clear() {
	clear(h.lines)
	clear(h.counts)
}

// Len counts those who wait in a queue.
func (h *Hall) Len(q hallsync.QueueID) int {
	n := 0
	if l := h.lines[q]; l != nil {
		for _, lane := range l.all() {
			n += len(lane)
		}
	}
	return n
}

// Oldest gives the longest anybody of a queue has waited, in milliseconds. Who came back has waited since then.
func (h *Hall) Oldest(q hallsync.QueueID, age int64) (longest int64) {
	l := h.lines[q]
	if l == nil {
		return 0
	}
	longest = h.Head(q, age)
	for _, lane := range [...]lane{l.front, l.back, l.sent} {
		for _, e := range lane {
			longest = max(longest, age-e.since())
		}
	}
	return longest
}

// Head gives how long the first of a queue has waited, in milliseconds, among those who stand in line like everybody else.
func (h *Hall) Head(q hallsync.QueueID, age int64) (longest int64) {
	if l := h.lines[q]; l != nil {
		for _, lane := range l.lanes {
			if len(lane) > 0 {
				longest = max(longest, age-lane[0].Base)
			}
		}
	}
	return longest
}

// since gives from when an entry waits for this call.
func (e *Entry) since() int64 {
	if e.Due > 0 {
		return cmp.Or(e.Since, e.Base) // earlier programs did not note it
	}
	return e.Base
}

// clone copies the first of each lane, at most limit.
func (h *Hall) clone(limit int) *Hall {
	c := &Hall{orders: h.orders, manned: h.manned, lines: map[hallsync.QueueID]*line{}, counts: maps.Clone(h.counts)}
	for q, l := range h.lines {
		c.lines[q] = l.clone(limit)
	}
	return c
}

// line is those who wait in one queue.
type line struct {
	lanes [4]lane // by class, each in order of base
	front lane    // transferred to the front, in order of turn
	back  lane    // came back after being passed, in order of turn
	sent  lane    // to one window only
}

// lane is entries that never overtake each other.
type lane []*Entry

func byBase(a, b *Entry) int {
	return cmp.Or(cmp.Compare(a.Base, b.Base), cmp.Compare(a.Turn, b.Turn))
}

func byTurn(a, b *Entry) int { return cmp.Compare(a.Turn, b.Turn) }

func (l *line) all() [7]lane {
	return [...]lane{l.front, l.back, l.lanes[0], l.lanes[1], l.lanes[2], l.lanes[3], l.sent}
}

// place gives the lane an entry belongs to, and that lane's order.
func (l *line) place(e *Entry) (*lane, func(a, b *Entry) int) {
	switch {
	case e.Target != "":
		return &l.sent, byTurn
	case e.Front:
		return &l.front, byTurn
	case e.Due > 0:
		return &l.back, byTurn
	}
	return &l.lanes[e.Class.Rank()], byBase
}

func (l *line) insert(e *Entry) {
	where, order := l.place(e)
	i, _ := slices.BinarySearchFunc(*where, e, order)
	*where = slices.Insert(*where, i, e)
}

func (l *line) remove(e *Entry) {
	where, order := l.place(e)
	i, ok := slices.BinarySearchFunc(*where, e, order)
	switch {
	case !ok || (*where)[i] != e:
	case i == 0: // as it is nearly always: the rest need not move
		(*where)[0] = nil
		*where = (*where)[1:]
	default:
		*where = slices.Delete(*where, i, i+1)
	}
}

func (l *line) clone(limit int) *line {
	some := func(all lane) lane { return slices.Clone(all[:min(limit, len(all))]) }
	c := &line{front: some(l.front), back: some(l.back), sent: some(l.sent)}
	for i := range l.lanes {
		c.lanes[i] = some(l.lanes[i])
	}
	return c
}

// heads gives the first two of each lane but those sent to one window: the others of a lane come after them at any window.
func (l *line) heads(offer func(*Entry)) {
	for _, lane := range [...]lane{l.front, l.back, l.lanes[0], l.lanes[1], l.lanes[2], l.lanes[3]} {
		for _, e := range lane[:min(2, len(lane))] {
			offer(e)
		}
	}
}
