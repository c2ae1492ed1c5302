package queue

import (
	"slices"
	"strings"
	"time"

	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// Ticket is one number of the day and everything that happened to it. Nothing in it says who the citizen is.
type Ticket struct {
	line.Entry
	Number  string               `json:"number"`
	Ordinal int                  `json:"ordinal"`
	Home    hallsync.QueueID     `json:"home,omitempty"` // the queue that numbered it
	FlowNo  string               `json:"flow_no"`
	Channel hallsync.Channel     `json:"channel"`
	Place   string               `json:"place,omitempty"`
	Proof   hallsync.Proof       `json:"proof"`
	Person  string               `json:"person,omitempty"` // keyed digest of an identity number
	Booking hallsync.BookingID   `json:"booking,omitempty"`
	Then    []hallsync.QueueID   `json:"then,omitempty"` // queues to go on to with the same number
	State   hallsync.TicketState `json:"state"`
	TakenAt time.Time            `json:"taken_at"`
	Expect  hallsync.Expectation `json:"expect,omitzero"` // until its first call

	Window     hallsync.WindowID `json:"window,omitempty"` // where it is, or was last
	Calls      int               `json:"calls,omitempty"`  // calls of this session at the window
	Why        hallsync.Why      `json:"why,omitzero"`     // of its last call
	CalledAt   time.Time         `json:"called_at,omitzero"`
	StartedAt  time.Time         `json:"started_at,omitzero"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
	PassedAt   time.Time         `json:"passed_at,omitzero"`
	Staff      hallsync.StaffID  `json:"staff,omitempty"` // who finished it
	Rated      hallsync.Grade    `json:"rated,omitempty"`
	Unrated    hallsync.Unrated  `json:"unrated,omitempty"` // asked at the window, without an answer
	Note       string            `json:"note,omitempty"`    // what a window last left to know about it: with a transfer, or why it was held

	// Moments of the hall's clock.
	CalledMS  int64 `json:"called_ms,omitempty"` // last, recalls too
	StartedMS int64 `json:"started_ms,omitempty"`
	PassedMS  int64 `json:"passed_ms,omitempty"`
	HeldMS    int64 `json:"held_ms,omitempty"` // until when it is held; 0: without end

	Misses   int  `json:"misses,omitempty"`   // how often it was passed
	Returned bool `json:"returned,omitempty"` // came back after that

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

// leaveNote keeps what a window says about a ticket; without a word the last one stays.
func (t *Ticket) leaveNote(note string) {
	if note != "" {
		t.Note = note
	}
}

// waited gives the seconds since a ticket was taken, at a moment of the hall's clock.
func (t *Ticket) waited(age int64) int64 { return max(0, age-t.Came) / 1000 }

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
	Duties []Duty               `json:"duties,omitempty"` // queues it serves for a while
}

// Duty is a queue that a window serves until a moment of the hall's clock (潮汐窗口).
type Duty struct {
	Queue   hallsync.QueueID `json:"queue"`
	UntilMS int64            `json:"until_ms"`
}

func (w *Window) clone() Window {
	c := *w
	c.Held, c.Duties = slices.Clone(w.Held), slices.Clone(w.Duties)
	return c
}
