// Package queue gives the rules of a hall's queue: which facts follow from a command (Decide) and what the hall looks like
// after a fact (Apply). It is pure: no clock, no disk, no network, no goroutine. The same facts always give the same state.
//
// Order depends on the hall's clock alone, milliseconds that go on evenly whatever is done to the box's wall clock or to the hall's
// time: each step is a fact, too, and is taken out again (see age). Times only serve what people see.
package queue

import (
	"slices"
	"time"

	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// Plan is the part of the configuration the rules need. It is never changed after New.
type Plan struct {
	Location       *time.Location // time zone of the business day
	Queues         []QueuePlan
	Windows        []WindowPlan
	CallGap        time.Duration  // a called ticket cannot be finished by CallNext within this
	ArrivalPressed bool           // CallNext refuses until 开始办理 was pressed
	PassRecall     time.Duration  // a passed ticket may be called again by its window within this
	WaitSamples    int            // finished services needed before a wait is estimated
	Reprints       int            // copies of one slip that kiosks make; 0: no limit
	MaxOpen        int            // open tickets of one person in the hall; 0: no limit
	HallPool       bool           // a held ticket may be resumed at any window that serves its queue
	EndAfter       time.Duration  // open tickets are closed so long after the hall went home; 0: at the end of the day
	EndFrom        time.Duration  // since midnight: before that a hall has not gone home
	Calendar       admit.Calendar // days that are not like their day of the week, by date
}

// QueuePlan is one queue. ID is the prefix of its numbers.
type QueuePlan struct {
	ID      hallsync.QueueID
	Name    string
	Service time.Duration // what a service usually takes; 0: unknown
	Order   line.Order
	Carry   bool // who still waits at the end of the day waits on the next
	Calling
	admit.Rules
}

// WindowPlan is one window and the queues it serves.
type WindowPlan struct {
	ID      hallsync.WindowID
	Name    string
	Queues  []hallsync.QueueID
	Weights map[hallsync.QueueID]int // percent; a queue without one has 100
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

// reach is what a window may call at a moment of the hall's clock.
func (s *State) reach(w *WindowPlan, age int64) *line.Window {
	return &line.Window{ID: w.ID, Queues: s.serves(w, age), Weights: w.Weights}
}

// serves gives the queues of a window: those of the plan, and those it has for a while.
func (s *State) serves(w *WindowPlan, age int64) []hallsync.QueueID {
	have := s.windows[w.ID]
	if have == nil || len(have.Duties) == 0 {
		return w.Queues
	}
	out := slices.Clone(w.Queues)
	for _, d := range have.Duties {
		if age < d.UntilMS && !slices.Contains(out, d.Queue) {
			out = append(out, d.Queue)
		}
	}
	return out
}

// Serves gives the queues of a window: those of the plan, and those it has for a while.
func (s *State) Serves(id hallsync.WindowID, now time.Time) []hallsync.QueueID {
	if w := s.plan.window(id); w != nil {
		return s.serves(w, s.age(now))
	}
	return nil
}

// Calling is how people of a queue are called.
type Calling struct {
	ReturnAfter int           // a ticket that was passed and came back is due after so many further calls of its queue
	RecallGap   time.Duration // between two calls of one ticket; half as long again for elders, who walk slowly
	RecallLimit int           // calls of one ticket at a window; 0: no limit
	MissLimit   int           // a ticket that came back and is passed for so many-th time is given up; 0: never
	PassAfter   time.Duration // who is passed sooner after his call has not missed it; half as long again for elders
}

// calling gives how people of a queue are called; the zero value holds for a queue that the plan no longer has.
func (s *State) calling(q hallsync.QueueID) Calling {
	if p := s.plan.queue(q); p != nil {
		return p.Calling
	}
	return Calling{}
}

// State is a hall at one moment of its log. It is not safe for concurrent use.
type State struct {
	plan     *Plan
	day      string // business day, 2006-01-02; empty before the first one
	after    int    // numbers of the day begin behind this
	flow     int    // running number of the day
	turns    uint64 // entries into lines since the log began
	clock    int64  // the hall's clock at the last fact
	skew     int64  // milliseconds from the hall's time to the hall's clock
	offset   int64  // milliseconds from the box's wall clock to the hall's time
	dead     bool   // nobody knows the time
	latest   time.Time
	leapt    time.Time      // the hall's time when it was put forward last
	early    bool           // the business day was opened by a clock that was ahead
	instead  string         // the day that was opened so, on the day that took its place
	used     map[string]int // behind which the unused numbers of a day begin that was left
	ordinals map[hallsync.QueueID]int
	tickets  map[hallsync.TicketID]*Ticket
	windows  map[hallsync.WindowID]*Window
	lines    *line.Hall
	calls    []Call                        // newest last
	slips    map[hallsync.TicketID]*Ticket // tickets whose slip waits for a printer
	failed   map[hallsync.TicketID]*Ticket // tickets whose last slip did not come out
	passed   []*Ticket                     // newest last
	devices  map[string]hallsync.DeviceChanged
	cameras  map[string]hallsync.CameraPinned
	services map[hallsync.QueueID][]int64         // seconds of today's last services, newest last
	past     map[hallsync.QueueID]map[int][]int64 // the same by hour of the week, of any day
	accuracy map[hallsync.QueueID]*accuracy       // how far estimates were off

	rolls    map[hallsync.QueueID]roll // paper rolls that are called, by queue
	given    map[hallsync.QueueID]admit.Count
	persons  map[string][]*Ticket // today's, of everybody who was recognised
	bookings map[hallsync.BookingID]*Booking
	blocks   map[string]Block // persons who take no numbers
	edited   hallsync.PlanEdited
}

// maxCalls bounds the calls that a state remembers for display.
const maxCalls = 32

// New gives the empty state of a hall that has no log yet.
func New(plan *Plan) *State {
	return &State{
		plan:     plan,
		ordinals: map[hallsync.QueueID]int{},
		tickets:  map[hallsync.TicketID]*Ticket{},
		windows:  map[hallsync.WindowID]*Window{},
		lines:    line.New(orders(plan)),
		slips:    map[hallsync.TicketID]*Ticket{},
		failed:   map[hallsync.TicketID]*Ticket{},
		services: map[hallsync.QueueID][]int64{},
		past:     map[hallsync.QueueID]map[int][]int64{},
		accuracy: map[hallsync.QueueID]*accuracy{},
		used:     map[string]int{},
		rolls:    map[hallsync.QueueID]roll{},
		given:    map[hallsync.QueueID]admit.Count{},
		persons:  map[string][]*Ticket{},
		bookings: map[hallsync.BookingID]*Booking{},
		blocks:   map[string]Block{},
		devices:  map[string]hallsync.DeviceChanged{},
		cameras:  map[string]hallsync.CameraPinned{},
	}
}

func orders(p *Plan) map[hallsync.QueueID]*line.Order {
	out := map[hallsync.QueueID]*line.Order{}
	for i := range p.Queues {
		out[p.Queues[i].ID] = &p.Queues[i].Order
	}
	return out
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

// Instead is a later day that was opened by a clock that was ahead, if the business day in force took its place; empty otherwise.
func (s *State) Instead() string { return s.instead }

// Ticket gives a copy of one of the day's tickets.
func (s *State) Ticket(id hallsync.TicketID) (Ticket, bool) {
	t := s.tickets[id]
	if t == nil {
		return Ticket{}, false
	}
	return *t, true
}

// age is a moment of the hall's time on the hall's clock, in milliseconds; that one never goes back.
func (s *State) age(at time.Time) int64 { return max(s.clock, at.UnixMilli()+s.skew) }

// Ahead counts the people who are called before a waiting ticket of its own queue if everything stays as it is now; it is 0 for a
// ticket that does not wait.
func (s *State) Ahead(id hallsync.TicketID, now time.Time) int {
	t := s.tickets[id]
	if t == nil || t.State != hallsync.Waiting {
		return 0
	}
	return s.lines.Ahead(&t.Entry, s.age(now))
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

// Camera gives by what the machine at a camera's address is known; it is zero for one that was never there.
func (s *State) Camera(code string) hallsync.CameraPinned { return s.cameras[code] }

// Waiting counts the people in one line.
func (s *State) Waiting(q hallsync.QueueID) int { return s.lines.Len(q) }

// Longest gives how long whoever waits longest in a line has waited, 0 if nobody does. A booked ticket waits from its time on.
func (s *State) Longest(q hallsync.QueueID, now time.Time) time.Duration {
	return max(0, time.Duration(s.lines.Oldest(q, s.age(now)))*time.Millisecond)
}

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
