// Package queue gives the rules of a hall's queue: which facts follow from a command (Decide) and what the hall looks like
// after a fact (Apply). It is pure: no clock, no disk, no network, no goroutine. The same facts always give the same state.
//
// Order never depends on clocks: a ticket's place in line is its turn, a counter that grows with each entry. Times only
// serve what people see (waits, 5 seconds after a call, 10 minutes after a pass).
package queue

import (
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Plan is the part of the configuration the rules need. It is never changed after New.
type Plan struct {
	Location       *time.Location // time zone of the business day
	Queues         []QueuePlan
	Windows        []WindowPlan
	CallGap        time.Duration // a called ticket cannot be finished by CallNext within this
	ArrivalPressed bool          // CallNext refuses until 开始办理 was pressed
	PassRecall     time.Duration // a passed ticket may be called again by its window within this
	WaitSamples    int           // finished services needed before a wait is estimated
}

// QueuePlan is one queue. ID is the prefix of its numbers.
type QueuePlan struct {
	ID   hallsync.QueueID
	Name string
}

// WindowPlan is one window and the queues it serves.
type WindowPlan struct {
	ID     hallsync.WindowID
	Name   string
	Queues []hallsync.QueueID
}

func (p *Plan) queue(id hallsync.QueueID) *QueuePlan {
	for i := range p.Queues {
		if p.Queues[i].ID == id {
			return &p.Queues[i]
		}
	}
	return nil
}

func (p *Plan) window(id hallsync.WindowID) *WindowPlan {
	for i := range p.Windows {
		if p.Windows[i].ID == id {
			return &p.Windows[i]
		}
	}
	return nil
}

func (w *WindowPlan) serves(q hallsync.QueueID) bool {
	for _, id := range w.Queues {
		if id == q {
			return true
		}
	}
	return false
}

// State is a hall at one moment of its log. It is not safe for concurrent use.
type State struct {
	plan     *Plan
	day      string // business day, 2006-01-02; empty before the first one
	after    int    // numbers of the day begin behind this
	flow     int    // running number of the day
	turns    uint64 // entries into lines since the log began
	ordinals map[hallsync.QueueID]int
	tickets  map[hallsync.TicketID]*Ticket
	windows  map[hallsync.WindowID]*Window
	lines    map[hallsync.QueueID]line
	calls    []Call                        // newest last
	slips    map[hallsync.TicketID]*Ticket // tickets whose slip waits for a printer
	failed   map[hallsync.TicketID]*Ticket // tickets whose last slip did not come out
	passed   []*Ticket                     // newest last
	devices  map[string]hallsync.DeviceChanged
	services map[hallsync.QueueID][]int64 // seconds of the last services, newest last
}

// Bounds of what a state remembers for display and estimates.
const (
	maxCalls    = 32
	maxServices = 20
)

// New gives the empty state of a hall that has no log yet.
func New(plan *Plan) *State {
	return &State{
		plan:     plan,
		ordinals: map[hallsync.QueueID]int{},
		tickets:  map[hallsync.TicketID]*Ticket{},
		windows:  map[hallsync.WindowID]*Window{},
		lines:    map[hallsync.QueueID]line{},
		slips:    map[hallsync.TicketID]*Ticket{},
		failed:   map[hallsync.TicketID]*Ticket{},
		services: map[hallsync.QueueID][]int64{},
		devices:  map[string]hallsync.DeviceChanged{},
	}
}

// Decide gives the facts that follow from a command, or a *Refusal. It changes nothing; the caller stores the facts and then
// applies each of them.
func (s *State) Decide(c Command, now time.Time) ([]hallsync.Payload, error) { return c.decide(s, now) }

// Command is something a person or a part of the hall wants to happen.
type Command interface {
	decide(s *State, now time.Time) ([]hallsync.Payload, error)
}

// Day is the business day in force, 2006-01-02, or empty before the first.
func (s *State) Day() string { return s.day }

// Ticket gives a copy of one of the day's tickets.
func (s *State) Ticket(id hallsync.TicketID) (Ticket, bool) {
	t := s.tickets[id]
	if t == nil {
		return Ticket{}, false
	}
	return *t, true
}

// Ahead counts the people before a waiting ticket in its own line; it is 0 for a ticket that does not wait.
func (s *State) Ahead(id hallsync.TicketID) int {
	t := s.tickets[id]
	if t == nil || t.State != hallsync.Waiting {
		return 0
	}
	return s.lines[t.Queue].index(t)
}

// Window gives a copy of one window; it is closed if nothing ever happened there. ok is false if the plan has no such window.
func (s *State) Window(id hallsync.WindowID) (w Window, ok bool) {
	if s.plan.window(id) == nil {
		return Window{}, false
	}
	if have := s.windows[id]; have != nil {
		return have.clone(), true
	}
	return Window{ID: id, State: hallsync.WindowClosed}, true
}

// Plan gives the plan the state works by; it must not be changed.
func (s *State) Plan() *Plan { return s.plan }

// Device is what the log says last about a device; it is zero for one that was never spoken of.
func (s *State) Device(name string) hallsync.DeviceChanged { return s.devices[name] }

// Waiting counts the people in one line.
func (s *State) Waiting(q hallsync.QueueID) int { return len(s.lines[q]) }

// Call is one call as screens show it: the newest is last.
type Call struct {
	Ticket hallsync.TicketID `json:"ticket"`
	Number string            `json:"number"`
	Window hallsync.WindowID `json:"window"`
	At     time.Time         `json:"at"`
	Times  int               `json:"times"`
}

// Calls gives the latest calls, at most n, newest first, each ticket once. A ticket that is waited for no longer (passed, given up,
// back in line) is not among them: nobody should walk to a window for it.
func (s *State) Calls(n int) []Call {
	out := make([]Call, 0, n)
	for i := len(s.calls) - 1; i >= 0 && len(out) < n; i-- {
		t := s.tickets[s.calls[i].Ticket]
		if t != nil && (t.State == hallsync.Called || t.State == hallsync.Serving || t.State == hallsync.Held || t.State == hallsync.Done) {
			out = append(out, s.calls[i])
		}
	}
	return out
}

// Missed gives the tickets that are passed now, at most n, newest first.
func (s *State) Missed(n int) []Ticket {
	out := make([]Ticket, 0, min(n, len(s.passed)))
	for i := len(s.passed) - 1; i >= 0 && len(out) < n; i-- {
		out = append(out, *s.passed[i])
	}
	return out
}

// Tickets gives copies of all the day's tickets in the order they were taken.
func (s *State) Tickets() []Ticket {
	return inOrder(s.tickets, func(*Ticket) bool { return true })
}

// FailedSlips gives the open tickets whose last slip did not come out, in the order they were taken.
func (s *State) FailedSlips() []Ticket {
	return inOrder(s.failed, func(t *Ticket) bool { return t.State.Open() })
}

// Slips gives the tickets whose slip waits for a printer, in the order they were taken.
func (s *State) Slips() []Ticket {
	return inOrder(s.slips, func(*Ticket) bool { return true })
}
