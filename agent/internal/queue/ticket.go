package queue

import (
	"slices"
	"strings"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Ticket is one number of the day and everything that happened to it. Nothing in it says who the citizen is.
type Ticket struct {
	ID      hallsync.TicketID    `json:"id"`
	Number  string               `json:"number"`
	Ordinal int                  `json:"ordinal"`
	FlowNo  string               `json:"flow_no"`
	Queue   hallsync.QueueID     `json:"queue"`
	Class   hallsync.Class       `json:"class"`
	Channel hallsync.Channel     `json:"channel"`
	Place   string               `json:"place,omitempty"`
	Proof   hallsync.Proof       `json:"proof"`
	State   hallsync.TicketState `json:"state"`
	TakenAt time.Time            `json:"taken_at"`

	Turn   uint64            `json:"turn"`             // place in line
	Front  bool              `json:"front,omitempty"`  // transferred to the front
	Target hallsync.WindowID `json:"target,omitempty"` // the only window that may call it

	Window     hallsync.WindowID `json:"window,omitempty"` // where it is, or was last
	Calls      int               `json:"calls,omitempty"`  // calls of this session at the window
	Why        hallsync.Why      `json:"why,omitzero"`     // of its last call
	CalledAt   time.Time         `json:"called_at,omitzero"`
	StartedAt  time.Time         `json:"started_at,omitzero"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
	PassedAt   time.Time         `json:"passed_at,omitzero"`
	Staff      hallsync.StaffID  `json:"staff,omitempty"` // who finished it
	Rated      hallsync.Grade    `json:"rated,omitempty"`

	Print    hallsync.PrintState `json:"print"`
	Printer  string              `json:"printer,omitempty"` // place whose printer made the first slip
	Reprints int                 `json:"reprints,omitempty"`
}

// inOrder gives copies of the tickets one wants, in the order they were taken.
func inOrder(all map[hallsync.TicketID]*Ticket, want func(*Ticket) bool) []Ticket {
	some := make([]*Ticket, 0, len(all))
	for _, t := range all {
		if want(t) {
			some = append(some, t)
		}
	}
	slices.SortFunc(some, func(a, b *Ticket) int { return strings.Compare(a.FlowNo, b.FlowNo) })
	out := make([]Ticket, len(some))
	for i, t := range some {
		out[i] = *t
	}
	return out
}

// line is the waiting tickets of one queue in order of service.
type line []*Ticket

// before is the simple order of service: transferred to the front, then class, then turn. The rule that decided is named in
// every call's Why.
func before(a, b *Ticket) int {
	switch {
	case a.Front != b.Front:
		if a.Front {
			return -1
		}
		return 1
	case !a.Front && a.Class.Rank() != b.Class.Rank():
		return b.Class.Rank() - a.Class.Rank()
	case a.Turn < b.Turn:
		return -1
	case a.Turn > b.Turn:
		return 1
	}
	return 0
}

func (l line) insert(t *Ticket) line {
	i, _ := slices.BinarySearchFunc(l, t, before)
	return slices.Insert(l, i, t)
}

func (l line) remove(t *Ticket) line {
	for i := range l {
		if l[i] == t {
			return slices.Delete(l, i, i+1)
		}
	}
	return l
}

// index counts the tickets before t.
func (l line) index(t *Ticket) int {
	i, _ := slices.BinarySearchFunc(l, t, before)
	return i
}

// Window is one 窗口 as the day has left it.
type Window struct {
	ID     hallsync.WindowID    `json:"id"`
	State  hallsync.WindowState `json:"state"`
	Ticket hallsync.TicketID    `json:"ticket,omitempty"` // called or serving here
	Held   []hallsync.TicketID  `json:"held,omitempty"`
	Last   hallsync.TicketID    `json:"last,omitempty"` // last ticket that left the window
	Staff  hallsync.StaffID     `json:"staff,omitempty"`
	Reason string               `json:"reason,omitempty"` // of a pause
	Since  time.Time            `json:"since,omitzero"`
}

func (w *Window) clone() Window {
	c := *w
	c.Held = slices.Clone(w.Held)
	return c
}
