package queue

import (
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Open is 开窗. Opening a window that is open already is no fact, unless somebody else comes to work there.
type Open struct {
	Window hallsync.WindowID
	By     hallsync.By
}

func (c Open) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	w, ok := s.Window(c.Window)
	switch {
	case !ok:
		return nil, refuseWindow(UnknownWindow, c.Window)
	case w.State == hallsync.WindowPaused, w.State == hallsync.WindowOpen && (c.By.Staff == "" || c.By.Staff == w.Staff):
		return nil, nil
	}
	return facts(hallsync.WindowWasOpened{Window: c.Window, By: c.By}), nil
}

// Close is 关窗; it is refused while a ticket is called, served or held there.
type Close struct {
	Window hallsync.WindowID
	By     hallsync.By
}

func (c Close) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	w, ok := s.Window(c.Window)
	switch {
	case !ok:
		return nil, refuseWindow(UnknownWindow, c.Window)
	case w.State == hallsync.WindowClosed:
		return nil, nil
	case w.Ticket != "" || len(w.Held) > 0:
		return nil, refuseWindow(WindowBusy, w.ID)
	}
	return facts(hallsync.WindowWasClosed{Window: c.Window, By: c.By}), nil
}

// Pause is 暂停服务; it is refused while a ticket is called or served.
type Pause struct {
	Window hallsync.WindowID
	Reason string
	By     hallsync.By
}

func (c Pause) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	w, err := s.openWindow(c.Window)
	switch {
	case err != nil:
		return nil, err
	case w.State == hallsync.WindowPaused:
		return nil, nil
	case w.Ticket != "":
		return nil, refuseWindow(WindowBusy, w.ID)
	}
	return facts(hallsync.WindowWasPaused{Window: c.Window, Reason: c.Reason, By: c.By}), nil
}

// Unpause ends a pause.
type Unpause struct {
	Window hallsync.WindowID
	By     hallsync.By
}

func (c Unpause) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	w, err := s.openWindow(c.Window)
	if err != nil || w.State != hallsync.WindowPaused {
		return nil, err
	}
	return facts(hallsync.WindowWasUnpaused{Window: c.Window, By: c.By}), nil
}

// openWindow finds a window and refuses a closed one.
func (s *State) openWindow(id hallsync.WindowID) (Window, error) {
	w, ok := s.Window(id)
	if !ok {
		return Window{}, refuseWindow(UnknownWindow, id)
	}
	if w.State == hallsync.WindowClosed {
		return Window{}, refuseWindow(WindowClosed, id)
	}
	return w, nil
}

// wake gives the fact that ends a pause, for commands that imply going on with work.
func (w *Window) wake(by hallsync.By) []hallsync.Payload {
	if w.State == hallsync.WindowPaused {
		return facts(hallsync.WindowWasUnpaused{Window: w.ID, By: by})
	}
	return nil
}

// subject finds the ticket a window command speaks of: the named one, or the one at the window. A named ticket that is at
// another window is refused.
func (s *State) subject(w Window, id hallsync.TicketID) (*Ticket, error) {
	if id == "" {
		id = w.Ticket
	}
	if id == "" {
		return nil, refuseWindow(NoTicket, w.ID)
	}
	t := s.tickets[id]
	if t == nil {
		return nil, refuse(UnknownTicket)
	}
	switch t.State {
	case hallsync.Called, hallsync.Serving, hallsync.Held:
		if t.Window != w.ID {
			return nil, refuseTicket(TicketOtherWindow, t)
		}
	}
	return t, nil
}

// known checks what comes first in the contract: unknown window, unknown ticket, closed window.
func (s *State) known(window hallsync.WindowID, ticket hallsync.TicketID) (Window, error) {
	if _, ok := s.Window(window); !ok {
		return Window{}, refuseWindow(UnknownWindow, window)
	}
	if ticket != "" && s.tickets[ticket] == nil {
		return Window{}, refuse(UnknownTicket)
	}
	return s.openWindow(window)
}

// find checks a window command in the order of the contract: what known checks, then the ticket.
func (s *State) find(window hallsync.WindowID, ticket hallsync.TicketID, states ...hallsync.TicketState) (Window, *Ticket, error) {
	w, err := s.known(window, ticket)
	if err != nil {
		return Window{}, nil, err
	}
	t, err := s.subject(w, ticket)
	if err != nil {
		return Window{}, nil, err
	}
	_, err = s.inState(t.ID, states...)
	return w, t, err
}
