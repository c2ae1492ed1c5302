package queue

import (
	"time"

	"halledge/firmware-protocols/hallsync"
)

// How a ticket came to be called, in TicketCalled.How.
const (
	HowNext         = "next"
	HowDesignated   = "designated"
	HowPassedRecall = "passed_recall"
	HowTransferIn   = "transfer_in"
)

// The rules that choose a ticket, in Why.Rule.
const (
	RuleFront      = "front"      // transferred to the front
	RuleClass      = "class"      // a higher class than the runner-up
	RuleTurn       = "turn"       // the first in line
	RuleDesignated = "designated" // named by staff
)

// CallNext is 叫下一个. On a window that has a ticket it is 办结并叫下一个: finish and call in one. With nobody waiting it
// still finishes, and calls nobody. It ends a pause.
type CallNext struct {
	Window hallsync.WindowID
	By     hallsync.By
}

func (c CallNext) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	if _, ok := s.Window(c.Window); !ok {
		return nil, refuseWindow(UnknownWindow, c.Window)
	}
	w, err := s.openWindow(c.Window)
	if err != nil {
		return nil, err
	}
	out := w.wake(c.By)
	if t := s.tickets[w.Ticket]; t != nil {
		done, err := s.finishForNext(t, now, c.By)
		if err != nil {
			return nil, err
		}
		out = append(out, done...)
	}
	first, second := s.next(w.ID)
	if first == nil {
		return out, nil
	}
	how := HowNext
	if first.Target != "" {
		how = HowTransferIn
	}
	return append(out, called(first, w.ID, how, explain(first, second, now), "", c.By)), nil
}

// finishForNext finishes the ticket at a window because the next one is called. Pads have no start key, so a called ticket is
// started and finished too, but not right after its call: the finger may have pressed twice.
func (s *State) finishForNext(t *Ticket, now time.Time, by hallsync.By) ([]hallsync.Payload, error) {
	if t.State == hallsync.Called {
		if s.plan.ArrivalPressed {
			return nil, refuseTicket(TicketState, t)
		}
		if since := now.Sub(t.CalledAt); since >= 0 && since < s.plan.CallGap {
			return nil, refuseTicket(TicketJustCalled, t)
		}
	}
	return finish(t, now, by), nil
}

// finish gives the facts that end a called, serving or held ticket.
func finish(t *Ticket, now time.Time, by hallsync.By) []hallsync.Payload {
	var out []hallsync.Payload
	started := t.StartedAt
	if t.State == hallsync.Called {
		out = append(out, hallsync.TicketStarted{Ticket: t.ID, Window: t.Window, By: by})
		started = now
	}
	return append(out, hallsync.TicketFinished{Ticket: t.ID, Window: t.Window, ServiceS: seconds(now.Sub(started)), By: by})
}

// next gives the ticket a window should call and the runner-up; both may be nil.
func (s *State) next(id hallsync.WindowID) (first, second *Ticket) {
	p := s.plan.window(id)
	for q, l := range s.lines {
		for _, t := range l {
			if !s.callable(p, q, t) {
				continue
			}
			switch {
			case first == nil || before(t, first) < 0:
				first, second = t, first
			case second == nil || before(t, second) < 0:
				second = t
			default: // the rest of this line comes later still
			}
			if second != nil && before(t, second) > 0 {
				break
			}
		}
	}
	return first, second
}

// callable reports whether a window may call a ticket by call-next: it serves the queue, or the ticket was sent to it. People
// in a queue that the plan no longer has are everybody's.
func (s *State) callable(p *WindowPlan, q hallsync.QueueID, t *Ticket) bool {
	if t.Target != "" {
		return t.Target == p.ID
	}
	return p.serves(q) || s.plan.queue(q) == nil
}

func explain(first, second *Ticket, now time.Time) hallsync.Why {
	why := hallsync.Why{Rule: RuleTurn, Score: int64(first.Turn), WaitedS: seconds(now.Sub(first.TakenAt))}
	switch {
	case first.Front:
		why.Rule, why.Score = RuleFront, 0
	case second != nil && first.Class.Rank() > second.Class.Rank():
		why.Rule, why.Score = RuleClass, int64(first.Class.Rank())
	}
	if second != nil {
		why.Next = second.Number
	}
	return why
}

func called(t *Ticket, w hallsync.WindowID, how string, why hallsync.Why, reason string, by hallsync.By) hallsync.Payload {
	return hallsync.TicketCalled{
		Ticket: t.ID, Number: t.Number, Queue: t.Queue, Window: w, How: how, Why: why, Reason: reason, By: by,
	}
}

// CallTicket calls a named ticket: one that waits, or a passed one (过号重呼) by the window that passed it within the plan's
// time, or by any window with a reason.
type CallTicket struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	Reason string
	By     hallsync.By
}

func (c CallTicket) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	if c.Ticket == "" {
		return nil, refuse(UnknownTicket)
	}
	if _, ok := s.Window(c.Window); ok && s.tickets[c.Ticket] == nil {
		return nil, refuse(UnknownTicket)
	}
	w, err := s.openWindow(c.Window)
	if err != nil {
		return nil, err
	}
	if w.Ticket != "" {
		return nil, refuseWindow(WindowBusy, w.ID)
	}
	t, err := s.inState(c.Ticket, hallsync.Waiting, hallsync.Passed)
	if err != nil {
		return nil, err
	}
	how := HowDesignated
	if t.State == hallsync.Passed {
		how = HowPassedRecall
		mine := t.Window == w.ID && now.Sub(t.PassedAt) <= s.plan.PassRecall
		if !mine && c.Reason == "" {
			return nil, refuseTicket(ReasonRequired, t)
		}
	}
	if !s.callable(s.plan.window(w.ID), t.Queue, t) {
		return nil, refuseTicket(WindowNotEntitled, t)
	}
	why := hallsync.Why{Rule: RuleDesignated, WaitedS: seconds(now.Sub(t.TakenAt))}
	if natural, _ := s.next(w.ID); natural != nil && natural != t {
		why.Next = natural.Number
	}
	return append(w.wake(c.By), called(t, w.ID, how, why, c.Reason, c.By)), nil
}

// Recall is 重呼 of the called ticket.
type Recall struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Recall) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Called)
	if err != nil {
		return nil, err
	}
	return facts(hallsync.TicketRecalled{Ticket: t.ID, Number: t.Number, Window: w.ID, Times: t.Calls + 1, By: c.By}), nil
}

// seconds is a duration in whole seconds, never negative: a clock that was set back gives 0.
func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }
