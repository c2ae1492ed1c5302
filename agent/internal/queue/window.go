package queue

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"halledge/agent/internal/queue/line"
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

// SetRoll lets windows call the numbers of a paper roll, from a number on, or ends that. It is for the hour in which no tickets can be
// printed. Whoever has the next number is taken to wait since the one before was called, and is weighed against those who wait with a
// ticket, so that neither waits for ever.
type SetRoll struct {
	Queue hallsync.QueueID
	On    bool
	Next  int // 0: 1
	By    hallsync.By
}

func (c SetRoll) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	switch {
	case s.plan.queue(c.Queue) == nil:
		return nil, refuse(UnknownQueue)
	case !c.On && s.Roll(c.Queue) == 0:
		return nil, nil
	}
	return facts(hallsync.RollSet{Queue: c.Queue, On: c.On, Next: max(1, c.Next), By: c.By}), nil
}

// Roll gives the next number of a queue's paper roll, 0 if it has none.
func (s *State) Roll(q hallsync.QueueID) int { return s.rolls[q].Next }

// roll is a paper roll whose numbers are called.
type roll struct {
	Next  int    `json:"next"`
	Since int64  `json:"since"` // when the number before was called, by the hall's clock
	Turn  uint64 `json:"turn"`
}

func (s *State) applyRoll(f hallsync.RollSet, at time.Time) {
	r, on := s.rolls[f.Queue]
	switch {
	case !f.On:
		delete(s.rolls, f.Queue)
		return
	case !on:
		s.turns++
		r.Since, r.Turn = s.age(at), s.turns
	}
	r.Next = f.Next
	s.rolls[f.Queue] = r
}

// RollNumber is how a number of a paper roll is shown and spoken.
func RollNumber(q hallsync.QueueID, n int) string { return fmt.Sprintf("%sR%03d", q, n) }

// numbered reports whether somebody has a number.
func (s *State) numbered(number string) bool {
	for _, t := range s.tickets {
		if t.Number == number {
			return true
		}
	}
	return false
}

// nextOfRoll is the next number of a roll that nobody has.
func (s *State) nextOfRoll(q hallsync.QueueID) int {
	n := s.rolls[q].Next
	for s.numbered(RollNumber(q, n)) { // the roll was set back, or somebody of yesterday still waits: nobody is called twice
		n++
	}
	return n
}

// ofRolls gives the next of each roll that a window serves, as somebody who waits since the one before was called: nobody knows when he
// came. The entry has no ID.
func (s *State) ofRolls(id hallsync.WindowID, now time.Time) (out []*line.Entry) {
	for _, q := range s.Serves(id, now) {
		if r, on := s.rolls[q]; on && !s.dead {
			out = append(out, &line.Entry{Queue: q, Class: hallsync.Normal, Came: r.Since, Base: r.Since, Turn: r.Turn})
		}
	}
	return out
}

// callRoll gives the facts that call the next number of the roll that was chosen. The ticket's name is made of its running number,
// because nobody drew one.
func (s *State) callRoll(c *line.Choice, id hallsync.WindowID, now time.Time, by hallsync.By) []hallsync.Payload {
	q := c.First().Queue
	n := s.nextOfRoll(q)
	number, flow := RollNumber(q, n), flowNo(s.day, s.flow+1)
	ticket := hallsync.TicketID(flow + "-" + number)
	return facts(
		hallsync.TicketTaken{
			Ticket: ticket, Number: number, Ordinal: n, FlowNo: flow, BusinessDay: s.day, Queue: q,
			Class: hallsync.Normal, Channel: hallsync.AtRoll, Proof: hallsync.ProofNone, Windows: s.serve(q, now), By: by,
		},
		hallsync.TicketCalled{
			Ticket: ticket, Number: number, Queue: q, Window: id, How: HowNext,
			Why: hallsync.Why{Rule: RuleRoll, Next: s.number(c.Second())}, By: by,
		})
}

// SetDuty lets a window serve one more queue until a time (潮汐窗口), or ends that when the time has come. It expires by itself.
type SetDuty struct {
	Window hallsync.WindowID
	Queue  hallsync.QueueID
	Until  time.Time
	By     hallsync.By
}

func (c SetDuty) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	switch {
	case s.plan.window(c.Window) == nil:
		return nil, refuseWindow(UnknownWindow, c.Window)
	case s.plan.queue(c.Queue) == nil:
		return nil, refuse(UnknownQueue)
	}
	return facts(hallsync.WindowDutySet{Window: c.Window, Queue: c.Queue, Until: c.Until, By: c.By}), nil
}

func (s *State) applyDuty(f hallsync.WindowDutySet, at time.Time) {
	w, age := s.at(f.Window), s.age(at)
	until := age + f.Until.Sub(at).Milliseconds()
	w.Duties = slices.DeleteFunc(w.Duties, func(d Duty) bool { return d.Queue == f.Queue || d.UntilMS <= age })
	if until > age {
		w.Duties = append(w.Duties, Duty{Queue: f.Queue, UntilMS: until})
	}
}

// Duties gives the queues that a window serves for a while, each with when that ends.
func (s *State) Duties(id hallsync.WindowID, now time.Time) map[hallsync.QueueID]time.Time {
	out, age := map[hallsync.QueueID]time.Time{}, s.age(now)
	if w := s.windows[id]; w != nil {
		for _, d := range w.Duties {
			if d.UntilMS > age {
				out[d.Queue] = s.when(d.UntilMS, now)
			}
		}
	}
	return out
}

// when gives the time of a moment of the hall's clock, as seen now.
func (s *State) when(ms int64, now time.Time) time.Time {
	return now.Add(time.Duration(ms-s.age(now)) * time.Millisecond)
}

// HeldUntil gives when a held ticket goes back to its line by itself; ok is false if it does not.
func (s *State) HeldUntil(t *Ticket, now time.Time) (at time.Time, ok bool) {
	if t.State != hallsync.Held || t.HeldMS == 0 {
		return time.Time{}, false
	}
	return s.when(t.HeldMS, now), true
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

// ReasonPlan is why a ticket was moved when its window was no longer in the plan.
const ReasonPlan = "plan_changed"

// FitPlan brings the hall in line with a plan that is not the one it worked by before: a ticket at a window that is gone goes
// back to the front of its line, one that was sent to such a window may be called by any, and the window is closed. It does
// nothing when everything fits. Who waits in a queue that is gone, as only the centre takes one away, may be called by every window.
type FitPlan struct{}

func (FitPlan) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	by := hallsync.By{Kind: "system"}
	gone := func(id hallsync.WindowID) bool { return id != "" && s.plan.window(id) == nil }
	var out []hallsync.Payload
	for _, t := range s.Tickets() {
		f := hallsync.TicketTransferred{Ticket: t.ID, Queue: t.Queue, Reason: ReasonPlan, By: by}
		switch t.State {
		case hallsync.Waiting:
			if gone(t.Target) {
				f.Position = hallsync.ByArrival
				out = append(out, f)
			}
		case hallsync.Called, hallsync.Serving, hallsync.Held:
			if gone(t.Window) {
				f.From, f.Position = t.Window, hallsync.AtFront
				out = append(out, f)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.windows)) {
		if gone(id) && s.windows[id].State != hallsync.WindowClosed {
			out = append(out, hallsync.WindowWasClosed{Window: id, By: by})
		}
	}
	return out, nil
}

// EditPlan replaces the hall's plan by one that its manager wrote. The caller has checked it, and gives it to Refit once it is stored. It is
// refused while somebody waits in a queue that the plan shall no longer have.
type EditPlan struct {
	hallsync.PlanEdited
	Gone []hallsync.QueueID // queues that are left out
}

func (c EditPlan) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if c.Revision <= s.edited.Revision {
		return nil, refuse(PlanChanged)
	}
	for _, q := range c.Gone {
		if n := s.Waiting(q); n > 0 {
			return nil, &Refusal{Code: QueueWaiting, Queue: q, People: n}
		}
	}
	return facts(c.PlanEdited), nil
}

// Edited gives the plan that the hall's manager wrote last, the zero value if nobody did.
func (s *State) Edited() hallsync.PlanEdited { return s.edited }

// Refit makes the state go on by another plan. What does not fit any more is the business of FitPlan.
func (s *State) Refit(plan *Plan) {
	s.plan = plan
	s.lines.Reorder(orders(plan))
}

// PinCamera says by what a camera is known from now on.
type PinCamera struct{ Fact hallsync.CameraPinned }

func (c PinCamera) decide(*State, time.Time) ([]hallsync.Payload, error) { return facts(c.Fact), nil }
