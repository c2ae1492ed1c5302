package ingest_test

import (
	"fmt"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// The model folds a log in memory by a table of what each kind does, the way the domain's state table is written. It shares no
// code with the projection it is compared with.

type modelTicket struct {
	state                  hallsync.TicketState
	queue                  hallsync.QueueID
	window                 hallsync.WindowID
	calls, copies          int
	print                  hallsync.PrintState
	grade                  hallsync.Grade
	taken                  int
	called, started, ended int // position in the log, 0 for never
}

type modelWindow struct {
	state  hallsync.WindowState
	reason string
	staff  hallsync.StaffID
	ticket hallsync.TicketID
}

// The effect of a kind on the ticket's state, and whether the ticket is at a window afterwards.
var states = map[hallsync.Kind]struct {
	to      hallsync.TicketState
	at, end bool
}{
	hallsync.KindTicketCalled:      {to: hallsync.Called, at: true},
	hallsync.KindTicketFinished:    {to: hallsync.Done, end: true},
	hallsync.KindTicketPassed:      {to: hallsync.Passed},
	hallsync.KindTicketRequeued:    {to: hallsync.Waiting},
	hallsync.KindTicketTransferred: {to: hallsync.Waiting},
	hallsync.KindTicketHeld:        {to: hallsync.Held},
	hallsync.KindTicketResumed:     {to: hallsync.Serving, at: true},
	hallsync.KindTicketAbandoned:   {to: hallsync.Abandoned, end: true},
	hallsync.KindTicketWithdrawn:   {to: hallsync.Withdrawn, end: true},
	hallsync.KindTicketClosed:      {to: hallsync.Closed, end: true},
}

func model(log []hallsync.Payload) view {
	tickets := map[hallsync.TicketID]*modelTicket{}
	windows := map[hallsync.WindowID]*modelWindow{}
	day := store.Day{}
	var calls []string
	at := func(id hallsync.WindowID) *modelWindow {
		if windows[id] == nil {
			windows[id] = &modelWindow{state: hallsync.WindowClosed}
		}
		return windows[id]
	}
	for i, p := range log {
		pos := i + 1
		switch f := p.(type) {
		case hallsync.DayOpened:
			begun := max(f.After, 0)/1000 + 1
			if f.BusinessDay <= day.BusinessDay {
				begun = max(begun, day.Thousands)
			}
			day = store.Day{BusinessDay: f.BusinessDay, Open: true, Thousands: begun}
			for _, w := range windows {
				w.ticket = ""
			}
		case hallsync.DayClosed:
			if f.BusinessDay > day.BusinessDay {
				day.Thousands = 0
			}
			day = store.Day{BusinessDay: f.BusinessDay, Thousands: day.Thousands}
		case hallsync.TicketTaken:
			tickets[f.Ticket] = &modelTicket{state: hallsync.Waiting, queue: f.Queue, print: hallsync.SlipPending, taken: pos}
		case hallsync.WindowWasOpened:
			w := at(f.Window)
			w.state, w.staff, w.reason = hallsync.WindowOpen, f.By.Staff, ""
		case hallsync.WindowWasClosed:
			w := at(f.Window)
			w.state, w.staff, w.reason = hallsync.WindowClosed, "", ""
		case hallsync.WindowWasPaused:
			w := at(f.Window)
			w.state, w.reason = hallsync.WindowPaused, f.Reason
		case hallsync.WindowWasUnpaused:
			w := at(f.Window)
			w.state, w.reason = hallsync.WindowOpen, ""
		default:
			id, window := about(p)
			t := tickets[id]
			if t == nil {
				continue
			}
			calls = append(calls, t.apply(p, pos, id, window)...)
			if moved, seat := t.moved(p); moved {
				for _, w := range windows {
					if w.ticket == id {
						w.ticket = ""
					}
				}
				if seat {
					at(t.window).ticket = id
				}
			}
		}
	}
	v := view{tickets: map[hallsync.TicketID]string{}, windows: map[hallsync.WindowID]string{}, calls: calls, day: fmt.Sprint(day)}
	for id, t := range tickets {
		v.tickets[id] = fmt.Sprint(t.state, t.queue, t.window, t.calls, t.print, t.copies, t.grade, mark(t.taken), mark(t.called), mark(t.started), mark(t.ended))
	}
	for id, w := range windows {
		v.windows[id] = fmt.Sprint(w.state, w.reason, w.staff, w.ticket)
	}
	return v
}

func mark(pos int) string {
	if pos == 0 {
		return "-"
	}
	return fmt.Sprint(pos)
}

func (t *modelTicket) apply(p hallsync.Payload, pos int, id hallsync.TicketID, window hallsync.WindowID) (calls []string) {
	if e, ok := states[p.Kind()]; ok {
		t.state = e.to
		if e.end {
			t.ended = pos
		}
	}
	switch f := p.(type) {
	case hallsync.TicketCalled:
		t.window, t.calls = window, t.calls+1
		if t.called == 0 {
			t.called = pos
		}
		return []string{fmt.Sprint(pos, id, window, f.How, 1)}
	case hallsync.TicketRecalled:
		t.calls++
		return []string{fmt.Sprint(pos, id, t.window, "recall", f.Times)}
	case hallsync.TicketStarted:
		t.state, t.started = hallsync.Serving, pos
	case hallsync.TicketRequeued:
		t.window = ""
	case hallsync.TicketTransferred:
		t.queue, t.window = f.Queue, f.Window
	case hallsync.TicketResumed, hallsync.TicketAbandoned:
		t.window = window
	case hallsync.TicketReopened:
		t.state, t.window, t.ended = f.To, window, 0
		if f.To == hallsync.Waiting {
			t.window = ""
		}
	case hallsync.TicketRated:
		t.grade = f.Grade
	case hallsync.SlipAsked:
		t.copies, t.print = f.Copy, hallsync.SlipPending
	case hallsync.SlipChanged:
		t.print = f.State
	}
	return nil
}

// moved says whether a fact takes the ticket from where it was, and whether it now sits at its window.
func (t *modelTicket) moved(p hallsync.Payload) (moved, seat bool) {
	if f, ok := p.(hallsync.TicketReopened); ok {
		return true, f.To != hallsync.Waiting
	}
	e, ok := states[p.Kind()]
	return ok, e.at
}

func about(p hallsync.Payload) (hallsync.TicketID, hallsync.WindowID) {
	switch f := p.(type) {
	case hallsync.TicketCalled:
		return f.Ticket, f.Window
	case hallsync.TicketRecalled:
		return f.Ticket, f.Window
	case hallsync.TicketStarted:
		return f.Ticket, f.Window
	case hallsync.TicketFinished:
		return f.Ticket, f.Window
	case hallsync.TicketPassed:
		return f.Ticket, f.Window
	case hallsync.TicketRequeued:
		return f.Ticket, ""
	case hallsync.TicketTransferred:
		return f.Ticket, f.Window
	case hallsync.TicketHeld:
		return f.Ticket, f.Window
	case hallsync.TicketResumed:
		return f.Ticket, f.Window
	case hallsync.TicketAbandoned:
		return f.Ticket, f.Window
	case hallsync.TicketWithdrawn:
		return f.Ticket, ""
	case hallsync.TicketReopened:
		return f.Ticket, f.Window
	case hallsync.TicketClosed:
		return f.Ticket, ""
	case hallsync.TicketRated:
		return f.Ticket, f.Window
	case hallsync.SlipAsked:
		return f.Ticket, ""
	case hallsync.SlipChanged:
		return f.Ticket, ""
	}
	return "", ""
}
