package queue

import (
	"slices"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Start is 开始办理 of the called ticket.
type Start struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Start) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Called)
	if err != nil {
		return nil, err
	}
	return facts(hallsync.TicketStarted{Ticket: t.ID, Window: w.ID, By: c.By}), nil
}

// Finish is 办结 of a called, serving or held ticket.
type Finish struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Finish) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	_, t, err := s.find(c.Window, c.Ticket, hallsync.Called, hallsync.Serving, hallsync.Held)
	if err != nil {
		return nil, err
	}
	return s.finish(t, now, c.By), nil
}

// ReasonMissed is why a ticket was given up that came back and was missed again.
const ReasonMissed = "missed_again"

// Pass is 过号 of the called ticket: nobody came. A ticket that had come back after an earlier pass is given up for the day, unless it was
// passed before anybody could have come: that is no miss.
type Pass struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Pass) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Called)
	if err != nil {
		return nil, err
	}
	how := s.calling(t.Queue)
	early := s.age(now)-t.FirstMS < t.walks(how.PassAfter).Milliseconds()
	out := facts(hallsync.TicketPassed{Ticket: t.ID, Number: t.Number, Window: w.ID, Early: early, By: c.By})
	if how.MissLimit > 0 && t.Returned && !early && t.Misses+1 >= how.MissLimit {
		out = append(out, hallsync.TicketAbandoned{Ticket: t.ID, Window: w.ID, From: hallsync.Passed, Reason: ReasonMissed, By: c.By})
	}
	return out, nil
}

// Transfer is 转号 to another queue, another window or both; the number stays. An empty Position means by arrival.
type Transfer struct {
	Window   hallsync.WindowID
	Ticket   hallsync.TicketID
	ToQueue  hallsync.QueueID
	ToWindow hallsync.WindowID
	Position hallsync.Position
	Reason   string
	Note     string // for the window that calls it next
	Directs  bool   // by somebody who directs the hall
	By       hallsync.By
}

func (c Transfer) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	switch c.Position {
	case "":
		c.Position = hallsync.ByArrival
	case hallsync.AtFront, hallsync.ByArrival, hallsync.AtEnd:
	default:
		return nil, refuse(TargetRequired)
	}
	switch {
	case s.plan.window(c.Window) == nil:
		return nil, refuseWindow(UnknownWindow, c.Window)
	case c.ToQueue == "" && c.ToWindow == "":
		return nil, refuse(TargetRequired)
	case c.ToQueue != "" && s.plan.queue(c.ToQueue) == nil:
		return nil, refuse(UnknownQueue)
	case c.ToWindow != "" && s.plan.window(c.ToWindow) == nil:
		return nil, refuseWindow(UnknownWindow, c.ToWindow)
	}
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Waiting, hallsync.Called, hallsync.Serving, hallsync.Held)
	if err != nil {
		return nil, err
	}
	if err := s.outOfTurn(w.ID, t, c.Directs, c.Reason, now); err != nil {
		return nil, err
	}
	if c.ToQueue == "" {
		c.ToQueue = t.Queue
	}
	return facts(hallsync.TicketTransferred{
		Ticket: t.ID, From: w.ID, Queue: c.ToQueue, Window: c.ToWindow, Position: c.Position, Reason: c.Reason, Note: c.Note, By: c.By,
	}), nil
}

// Hold is 挂起 of the ticket being served.
type Hold struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	Reason string
	For    time.Duration // then it goes back to its old place in line; 0: it does not by itself
	By     hallsync.By
}

func (c Hold) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Serving)
	if err != nil {
		return nil, err
	}
	held := hallsync.TicketHeld{Ticket: t.ID, Window: w.ID, Reason: c.Reason, By: c.By}
	if c.For > 0 {
		held.Until = now.Add(c.For)
	}
	return facts(held), nil
}

// ReasonHeldLong is why a held ticket is back in line.
const ReasonHeldLong = "held_long"

// Return puts held tickets whose time is over back to their old places in line.
type Return struct{}

func (Return) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	var out []hallsync.Payload
	for _, t := range s.Tickets() {
		if t.State == hallsync.Held && t.HeldMS > 0 && s.age(now) >= t.HeldMS {
			out = append(out, hallsync.TicketTransferred{
				Ticket: t.ID, From: t.Window, Queue: t.Queue, Position: hallsync.ByArrival, Reason: ReasonHeldLong, By: hallsync.By{Kind: "system"},
			})
		}
	}
	return out, nil
}

// Resume is 恢复办理 of a held ticket: the named one, or the one held last at this window. Where the plan has one pool of held tickets
// for the hall, a named one may be held at another window.
type Resume struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Resume) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	w, err := s.known(c.Window, c.Ticket)
	switch {
	case err != nil:
		return nil, err
	case w.Ticket != "":
		return nil, refuseWindow(WindowBusy, w.ID)
	case c.Ticket == "" && len(w.Held) == 0:
		return nil, refuseWindow(NoTicket, w.ID)
	case c.Ticket == "":
		c.Ticket = w.Held[len(w.Held)-1]
	}
	if t := s.tickets[c.Ticket]; t != nil && t.State == hallsync.Held && t.Window != w.ID && s.plan.HallPool &&
		slices.Contains(s.Serves(w.ID, now), t.Queue) {
		return append(w.wake(c.By), hallsync.TicketResumed{Ticket: t.ID, Window: w.ID, By: c.By}), nil
	}
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Held)
	if err != nil {
		return nil, err
	}
	return append(w.wake(c.By), hallsync.TicketResumed{Ticket: t.ID, Window: w.ID, By: c.By}), nil
}

// outOfTurn checks what a window does to a ticket that has not come to it: one in line, or one that another window has passed. Only a
// window that may call it can do so, or somebody who directs the hall, and says why: nobody picks among those who wait unseen.
func (s *State) outOfTurn(w hallsync.WindowID, t *Ticket, directs bool, reason string, now time.Time) error {
	switch {
	case t.State != hallsync.Waiting && (t.State != hallsync.Passed || t.Window == w):
		return nil
	case !directs && !s.callable(s.plan.window(w), t, now):
		return refuseTicket(WindowNotEntitled, t)
	case reason == "":
		return refuseTicket(ReasonRequired, t)
	}
	return nil
}

// Abandon is 弃号 by staff, from any open state.
type Abandon struct {
	Window  hallsync.WindowID
	Ticket  hallsync.TicketID
	Reason  string
	Directs bool // by somebody who directs the hall
	By      hallsync.By
}

func (c Abandon) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	w, t, err := s.find(c.Window, c.Ticket,
		hallsync.Waiting, hallsync.Called, hallsync.Serving, hallsync.Held, hallsync.Passed)
	if err != nil {
		return nil, err
	}
	if err := s.outOfTurn(w.ID, t, c.Directs, c.Reason, now); err != nil {
		return nil, err
	}
	return facts(hallsync.TicketAbandoned{Ticket: t.ID, Window: w.ID, From: t.State, Reason: c.Reason, By: c.By}), nil
}

// Reopen is 撤销: it undoes a slip of the finger the same day, at the same window, with a reason. A done ticket is served
// again, an abandoned one waits again at its old place, a passed one is called again. One that was closed because the hall seemed to have
// gone home waits again at the word of any window that serves its queue. Without a ticket it means the last one that left the window.
// Nobody comes to have more open tickets by that than Take would give him.
type Reopen struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	Reason string
	By     hallsync.By
}

func (c Reopen) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	w, err := s.known(c.Window, c.Ticket)
	if err != nil {
		return nil, err
	}
	if c.Ticket == "" {
		c.Ticket = w.Last
	}
	if t := s.tickets[c.Ticket]; t != nil && w.Ticket != "" && (t.State == hallsync.Done || t.State == hallsync.Passed) {
		return nil, refuseWindow(WindowBusy, w.ID)
	}
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Done, hallsync.Abandoned, hallsync.Passed, hallsync.Closed)
	switch {
	case err != nil:
		return nil, err
	case t.State == hallsync.Closed && !s.callable(s.plan.window(w.ID), t, now):
		return nil, refuseTicket(WindowNotEntitled, t)
	case t.State != hallsync.Closed && t.Window != w.ID:
		return nil, refuseTicket(TicketOtherWindow, t)
	case c.Reason == "":
		return nil, refuseTicket(ReasonRequired, t)
	case t.State != hallsync.Passed:
		if err := s.personal(t.Person, t.Queue, t.Then); err != nil {
			return nil, err
		}
	}
	to := hallsync.Waiting
	switch t.State {
	case hallsync.Done:
		to = hallsync.Serving
	case hallsync.Passed:
		to = hallsync.Called
	}
	out := facts(hallsync.TicketReopened{Ticket: t.ID, Window: w.ID, From: t.State, To: to, Reason: c.Reason, By: c.By})
	if to != hallsync.Waiting {
		out = append(w.wake(c.By), out...)
	}
	return out, nil
}

// RateWithin is how long after its end a service is asked about at the window.
const RateWithin = 10 * time.Minute

// ToRate gives the ticket whose citizen may be asked for a rating at a window: the one that was finished there last and not rated yet. A
// window that has called somebody else asks nobody any more.
func (s *State) ToRate(id hallsync.WindowID, now time.Time) (t Ticket, ok bool) {
	w, _ := s.Window(id)
	t, ok = s.Ticket(w.Last)
	return t, ok && w.Ticket == "" && t.State == hallsync.Done && t.Rated == "" && now.Sub(t.FinishedAt) < RateWithin
}
