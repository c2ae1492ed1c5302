package queue

import (
	"slices"
	"time"

	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// How a ticket came to be called, in TicketCalled.How.
const (
	HowNext         = "next"
	HowDesignated   = "designated"
	HowPassedRecall = "passed_recall"
	HowTransferIn   = "transfer_in"
)

// RuleDesignated in Why.Rule: named by staff. The other rules are those of package line.
const RuleDesignated = "designated"

// RuleRoll in Why.Rule: the next number of a paper roll.
const RuleRoll = "roll"

// CallNext is 叫下一个. On a window that has a ticket it is 办结并叫下一个: finish and call in one. With nobody waiting it
// still finishes, and calls nobody. It ends a pause.
type CallNext struct {
	Window hallsync.WindowID
	Holds  *hallsync.TicketID // what the caller believes to be at the window, empty for nothing; nil: no matter what it is
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
		if c.Holds != nil && *c.Holds != t.ID { // somebody the caller has not seen yet must not be finished unheard
			return nil, refuseTicket(WindowChanged, t)
		}
		done, err := s.finishForNext(t, now, c.By)
		if err != nil {
			return nil, err
		}
		out = append(out, done...)
	}
	choice := s.lines.Choose(s.reach(s.plan.window(w.ID), s.age(now)), s.age(now), s.ofRolls(w.ID, now)...)
	switch {
	case choice.First() == nil:
		return out, nil
	case s.age(now)-w.MissedMS < s.plan.CallGap.Milliseconds(): // or five people are called and passed in a breath
		r := refuseWindow(TicketJustCalled, w.ID)
		r.After = s.plan.CallGap - time.Duration(s.age(now)-w.MissedMS)*time.Millisecond
		return nil, r
	case choice.First().ID == "":
		return append(out, s.callRoll(&choice, w.ID, now, c.By)...), nil
	}
	first := s.tickets[choice.First().ID]
	how := HowNext
	if first.Target == w.ID {
		how = HowTransferIn
	}
	return append(out, called(first, w.ID, how, s.explain(&choice, now), "", c.By)), nil
}

// finishForNext finishes the ticket at a window because the next one is called. Pads have no start key, so a called ticket is
// started and finished too, but not right after its call: the finger may have pressed twice.
func (s *State) finishForNext(t *Ticket, now time.Time, by hallsync.By) ([]hallsync.Payload, error) {
	if t.State == hallsync.Called {
		if s.plan.ArrivalPressed {
			return nil, refuseTicket(TicketState, t)
		}
		if s.age(now)-t.CalledMS < s.plan.CallGap.Milliseconds() {
			return nil, refuseTicket(TicketJustCalled, t)
		}
	}
	return s.finish(t, now, by), nil
}

// ReasonNextStep is why a ticket goes on to the next thing its citizen came for.
const ReasonNextStep = "next_step"

// finish gives the facts that end a called, serving or held ticket, or what was done of it so far.
func (s *State) finish(t *Ticket, now time.Time, by hallsync.By) []hallsync.Payload {
	var out []hallsync.Payload
	started := t.StartedMS
	if t.State == hallsync.Called {
		out = append(out, hallsync.TicketStarted{Ticket: t.ID, Window: t.Window, By: by})
		started = s.age(now)
	}
	took := (s.age(now) - started) / 1000
	if len(t.Then) > 0 {
		return append(out, hallsync.TicketStepDone{Ticket: t.ID, Window: t.Window, Queue: t.Queue, ServiceS: took, By: by},
			hallsync.TicketTransferred{
				Ticket: t.ID, From: t.Window, Queue: t.Then[0], Position: hallsync.ByArrival, Reason: ReasonNextStep, By: by,
			})
	}
	return append(out, hallsync.TicketFinished{Ticket: t.ID, Window: t.Window, ServiceS: took, By: by})
}

// callable reports whether a window may call a ticket by call-next: it serves the queue, or the ticket was sent to it. People
// in a queue that the plan no longer has are everybody's.
func (s *State) callable(p *WindowPlan, t *Ticket, now time.Time) bool {
	return t.Target == p.ID || s.lines.Target(&t.Entry, s.age(now)) == "" && s.serving(p, t, now)
}

// serving reports whether a window serves the queue of a ticket.
func (s *State) serving(p *WindowPlan, t *Ticket, now time.Time) bool {
	return slices.Contains(s.serves(p, s.age(now)), t.Queue) || s.plan.queue(t.Queue) == nil
}

// explain says why a ticket is called.
func (s *State) explain(c *line.Choice, now time.Time) hallsync.Why {
	rule, score := c.Why()
	why := hallsync.Why{Rule: string(rule), Score: score, WaitedS: s.tickets[c.First().ID].waited(s.age(now))}
	why.Next = s.number(c.Second())
	return why
}

// number is what somebody who may be called has in hand, empty for nobody.
func (s *State) number(e *line.Entry) string {
	switch {
	case e == nil:
		return ""
	case e.ID == "":
		return RollNumber(e.Queue, s.nextOfRoll(e.Queue))
	}
	return s.tickets[e.ID].Number
}

func called(t *Ticket, w hallsync.WindowID, how string, why hallsync.Why, reason string, by hallsync.By) hallsync.Payload {
	return hallsync.TicketCalled{
		Ticket: t.ID, Number: t.Number, Queue: t.Queue, Window: w, How: how, Why: why, Reason: reason, By: by,
	}
}

// CallTicket calls a named ticket: one that waits, or a passed one (过号重呼) by the window that passed it within the plan's
// time, or by any window with a reason; with one also who was sent to another window. A waiting one that is not the next needs a reason as well.
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
		mine := t.Window == w.ID && s.age(now)-t.PassedMS <= s.plan.PassRecall.Milliseconds()
		if !mine && c.Reason == "" {
			return nil, refuseTicket(ReasonRequired, t)
		}
	}
	if p := s.plan.window(w.ID); !s.callable(p, t, now) && (c.Reason == "" || !s.serving(p, t, now)) {
		return nil, refuseTicket(WindowNotEntitled, t)
	}
	why := hallsync.Why{Rule: RuleDesignated, WaitedS: t.waited(s.age(now))}
	choice := s.lines.Choose(s.reach(s.plan.window(w.ID), s.age(now)), s.age(now))
	if natural := choice.First(); natural != nil && natural.ID != t.ID {
		why.Next = s.tickets[natural.ID].Number
		if t.State == hallsync.Waiting && c.Reason == "" { // somebody else goes before those who came earlier
			return nil, refuseTicket(ReasonRequired, t)
		}
	}
	return append(w.wake(c.By), called(t, w.ID, how, why, c.Reason, c.By)), nil
}

// Recall is 重呼 of the called ticket.
type Recall struct {
	Window hallsync.WindowID
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Recall) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	w, t, err := s.find(c.Window, c.Ticket, hallsync.Called)
	if err != nil {
		return nil, err
	}
	in, left := s.recallable(t, now)
	if in > 0 {
		r := refuseTicket(RecallTooSoon, t)
		r.After = in
		return nil, r
	}
	if left == 0 {
		return nil, refuseTicket(RecallLimit, t)
	}
	return facts(hallsync.TicketRecalled{Ticket: t.ID, Number: t.Number, Window: w.ID, Times: t.Calls + 1, By: c.By}), nil
}

// walks gives how long it takes a citizen to come who usually needs so long: elders walk slowly.
func (t *Ticket) walks(usual time.Duration) time.Duration {
	if t.Class == hallsync.Elder {
		return usual + usual/2
	}
	return usual
}

// recallable says in how long a called ticket may be called again, and how often still, -1 for without limit.
func (s *State) recallable(t *Ticket, now time.Time) (in time.Duration, left int) {
	o := s.calling(t.Queue)
	gap := t.walks(o.RecallGap)
	left = -1
	if o.RecallLimit > 0 {
		left = max(0, o.RecallLimit-t.Calls)
	}
	return max(0, gap-time.Duration(s.age(now)-t.CalledMS)*time.Millisecond), left
}

// Recallable says in how long the ticket that is called at a window may be called again, and how often still, -1 for without limit. ok is
// false if none is called there.
func (s *State) Recallable(id hallsync.WindowID, now time.Time) (in time.Duration, left int, ok bool) {
	w := s.windows[id]
	if w == nil {
		return 0, 0, false
	}
	t := s.tickets[w.Ticket]
	if t == nil || t.State != hallsync.Called {
		return 0, 0, false
	}
	in, left = s.recallable(t, now)
	return in, left, true
}
