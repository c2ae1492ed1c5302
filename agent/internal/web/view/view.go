// Package view gives the shapes in which a hall is shown to programs and pages: tickets, windows and the hall as a whole. They
// are the public contract of the agent's HTTP interface; every member is always present.
package view

import (
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/queue/admit"
	"halledge/firmware-protocols/hallsync"
)

// Ticket is a ticket as it is shown. Ahead counts the people before it and is 0 when it does not wait; Wait is null when too
// little is known or it does not wait; Window is where it is or was dealt with last, null while it waits for any.
type Ticket struct {
	ID       hallsync.TicketID    `json:"id"`
	Number   string               `json:"number"`
	Queue    hallsync.QueueID     `json:"queue"`
	Class    hallsync.Class       `json:"class"`
	State    hallsync.TicketState `json:"state"`
	Ahead    int                  `json:"ahead"`
	Wait     *hallsync.WaitRange  `json:"wait"`
	Window   *hallsync.WindowID   `json:"window"`
	TakenAt  time.Time            `json:"taken_at"`
	Print    hallsync.PrintState  `json:"print"`
	Reprints int                  `json:"reprints"`
}

// Window is a window as it is shown. Ticket is the one called or served there; Staff is null for readers who need not
// know. Since is when the window or its ticket last changed, null if nothing ever happened there.
type Window struct {
	ID     hallsync.WindowID    `json:"id"`
	Name   string               `json:"name"`
	State  hallsync.WindowState `json:"state"`
	Queues []hallsync.QueueID   `json:"queues"`
	Ticket *Ticket              `json:"ticket"`
	Staff  *hallsync.StaffID    `json:"staff"`
	Since  *time.Time           `json:"since"`
}

// Queue is a line of citizens. Wait is the estimate for somebody who comes now.
type Queue struct {
	ID      hallsync.QueueID    `json:"id"`
	Name    string              `json:"name"`
	Waiting int                 `json:"waiting"`
	Wait    *hallsync.WaitRange `json:"wait"`
}

// Gives is whether a queue gives numbers now. Reason is the code of why not; Opens is when it will, null if not today; Closes is when it
// stops, null if it does not; Left is how many numbers are left today, null for no limit. Late: who comes now would probably still wait
// when it closes.
type Gives struct {
	Open   bool         `json:"open"`
	Reason admit.Reason `json:"reason"`
	Opens  *time.Time   `json:"opens"`
	Closes *time.Time   `json:"closes"`
	Left   *int         `json:"left"`
	Late   bool         `json:"late"`
}

// Call is one line of a calling screen.
type Call struct {
	Number string            `json:"number"`
	Window hallsync.WindowID `json:"window"`
	At     time.Time         `json:"at"`
	Times  int               `json:"times"`
}

// TicketOf shows a ticket of a state.
func TicketOf(m queue.Moment, t queue.Ticket) Ticket {
	v := Ticket{
		ID: t.ID, Number: t.Number, Queue: t.Queue, Class: t.Class, State: t.State,
		TakenAt: stamp(m.State, t.TakenAt), Print: t.Print, Reprints: t.Reprints,
	}
	at := t.Window
	if t.State == hallsync.Waiting {
		v.Ahead = m.Ahead(t.ID)
		v.Wait = m.Waits().Tickets[t.ID]
		at = t.Target
	}
	if at != "" {
		v.Window = &at
	}
	return v
}

// TicketByID shows a ticket, or gives nil if the day has none of that id.
func TicketByID(m queue.Moment, id hallsync.TicketID) *Ticket {
	t, ok := m.State.Ticket(id)
	if !ok {
		return nil
	}
	v := TicketOf(m, t)
	return &v
}

// WindowOf shows a window; withStaff says whether the reader may know who works there. ok is false if there is no such window.
func WindowOf(m queue.Moment, id hallsync.WindowID, withStaff bool) (v Window, ok bool) {
	s := m.State
	w, ok := s.Window(id)
	if !ok {
		return Window{}, false
	}
	v = Window{ID: w.ID, State: w.State, Queues: []hallsync.QueueID{}}
	for i := range s.Plan().Windows {
		if p := &s.Plan().Windows[i]; p.ID == id {
			v.Name = p.Name
			v.Queues = append(v.Queues, s.Serves(id, m.Now)...)
		}
	}
	if w.Ticket != "" {
		v.Ticket = TicketByID(m, w.Ticket)
	}
	if withStaff && w.Staff != "" {
		v.Staff = &w.Staff
	}
	if !w.Since.IsZero() {
		since := stamp(s, w.Since)
		v.Since = &since
	}
	return v, true
}

// QueueOf shows a queue of the plan.
func QueueOf(m queue.Moment, q queue.QueuePlan) Queue {
	return Queue{ID: q.ID, Name: q.Name, Waiting: m.State.Waiting(q.ID), Wait: m.Waits().Next[q.ID]}
}

func givesOf(m queue.Moment, q hallsync.QueueID) Gives {
	a := m.State.Admits(q, m.Now, m.Waits().Next[q])
	g := Gives{Open: a.Reason == "", Reason: a.Reason, Late: a.Late}
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = stamp(m.State, t)
		return &t
	}
	g.Opens, g.Closes = at(a.Opens), at(a.Closes)
	if a.Left >= 0 {
		g.Left = &a.Left
	}
	return g
}

// stamp is a time as it is shown: with the hall's offset, to the millisecond.
func stamp(s *queue.State, t time.Time) time.Time {
	return t.In(s.Plan().Location).Truncate(time.Millisecond)
}
