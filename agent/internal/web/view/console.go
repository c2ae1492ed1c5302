package view

import (
	"math"
	"slices"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Console is what a window's page shows beside the window itself. Who waits is counted, never named.
type Console struct {
	Window  hallsync.WindowID `json:"window"`
	Waiting int               `json:"waiting"` // people this window could call
	Reason  string            `json:"reason"`  // of the window's pause
	Why     *hallsync.Why     `json:"why"`     // of the call of the window's ticket; null without one
	Recall  *Recall           `json:"recall"`  // of the ticket that is called here; null without one
	Held    []Ticket          `json:"held"`    // held here, the latest last, then those of other windows that may be resumed here
	Passed  []Ticket          `json:"passed"`  // of this window's queues, newest first

	Longest map[hallsync.QueueID]int64     `json:"longest"` // seconds whoever waits longest has waited, by queue of the window
	Duties  map[hallsync.QueueID]time.Time `json:"duties"`  // queues it serves for a while, and until when
	About   map[hallsync.TicketID]About    `json:"about"`   // of its own ticket, the held and the passed ones, if there is something
}

// Recall is when a called ticket may be called again, and how often still: null without a limit.
type Recall struct {
	InMS int64 `json:"in_ms"` // from when this was told
	Left *int  `json:"left"`
}

// About is what a window should know of a ticket beside the ticket.
type About struct {
	Note  string             `json:"note"`  // left by the window before, or why it is held
	Then  []hallsync.QueueID `json:"then"`  // queues it goes on to
	Until *time.Time         `json:"until"` // when a held one goes back to its line; null if it does not
}

// ConsoleOf gives the console of a window, nil if there is no such window.
func ConsoleOf(m queue.Moment, id hallsync.WindowID) *Console {
	s := m.State
	w, ok := s.Window(id)
	if !ok {
		return nil
	}
	c := &Console{
		Window: id, Reason: w.Reason, Held: []Ticket{}, Passed: []Ticket{}, Longest: map[hallsync.QueueID]int64{},
		Duties: s.Duties(id, m.Now), About: map[hallsync.TicketID]About{},
	}
	for q, until := range c.Duties {
		c.Duties[q] = stamp(s, until)
	}
	queues := s.Serves(id, m.Now)
	for _, q := range queues {
		c.Waiting += s.Waiting(q)
		c.Longest[q] = int64(s.Longest(q, m.Now) / time.Second)
	}
	if in, left, ok := s.Recallable(id, m.Now); ok {
		c.Recall = &Recall{InMS: in.Milliseconds()}
		if left >= 0 {
			c.Recall.Left = &left
		}
	}
	if t, ok := s.Ticket(w.Ticket); ok {
		c.tell(m, t)
		if t.Why.Rule != "" {
			c.Why = &t.Why
		}
	}
	for _, t := range heldFor(m, w, queues) {
		c.Held = append(c.Held, TicketOf(m, t))
		c.tell(m, t)
	}
	for _, t := range s.Missed(math.MaxInt) {
		if slices.Contains(queues, t.Queue) && len(c.Passed) < maxPassed {
			c.Passed = append(c.Passed, TicketOf(m, t))
			c.tell(m, t)
		}
	}
	return c
}

// heldFor gives the tickets that a window may resume: its own, and from the hall's pool those of its queues.
func heldFor(m queue.Moment, w queue.Window, queues []hallsync.QueueID) (out []queue.Ticket) {
	s := m.State
	add := func(ids []hallsync.TicketID, want func(queue.Ticket) bool) {
		for _, id := range ids {
			if t, ok := s.Ticket(id); ok && want(t) {
				out = append(out, t)
			}
		}
	}
	add(w.Held, func(queue.Ticket) bool { return true })
	if !s.Plan().HallPool {
		return out
	}
	for i := range s.Plan().Windows {
		if other, ok := s.Window(s.Plan().Windows[i].ID); ok && other.ID != w.ID {
			add(other.Held, func(t queue.Ticket) bool { return slices.Contains(queues, t.Queue) })
		}
	}
	return out
}

// tell notes what there is about a ticket.
func (c *Console) tell(m queue.Moment, t queue.Ticket) {
	a := About{Note: t.Note, Then: slices.Clone(t.Then)}
	if at, ok := m.State.HeldUntil(&t, m.Now); ok {
		at = stamp(m.State, at)
		a.Until = &at
	}
	if a.Note == "" && len(a.Then) == 0 && a.Until == nil {
		return
	}
	if a.Then == nil {
		a.Then = []hallsync.QueueID{}
	}
	c.About[t.ID] = a
}
