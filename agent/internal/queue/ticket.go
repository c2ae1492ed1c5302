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
	Expect  hallsync.Expectation `json:"expect,omitzero"` // until its first call, or until it is given another place in line

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
	FirstMS   int64 `json:"first_ms,omitempty"`  // the call that it has been at the window since
	StartedMS int64 `json:"started_ms,omitempty"`
	PassedMS  int64 `json:"passed_ms,omitempty"`
	HeldMS    int64 `json:"held_ms,omitempty"` // until when it is held; 0: without end

	Misses   int  `json:"misses,omitempty"`   // how often it was passed when it had had time to come
	Returned bool `json:"returned,omitempty"` // came back after that

	Print    hallsync.PrintState `json:"print"`
	Printer  string              `json:"printer,omitempty"` // place whose printer made the first slip
	Reprints int                 `json:"reprints,omitempty"`
	Slip     Slip                `json:"slip,omitzero"`
}

// Slip is what is known of a ticket's paper, of its last copy if nothing else is said.
type Slip struct {
	Spare  bool             `json:"spare,omitempty"`  // meant for the place's second printer
	Device string           `json:"device,omitempty"` // printer that made it or was to
	Code   string           `json:"code,omitempty"`   // why it failed
	Out    hallsync.Outcome `json:"out,omitempty"`    // and how much of it came out all the same
	EndMS  int64            `json:"end_ms,omitempty"` // moment of the hall's clock when it was printed or failed
	Asked  bool             `json:"asked,omitempty"`  // by somebody at a kiosk
	Copies int              `json:"copies,omitempty"` // that people asked for at kiosks, without those of which nothing came out
}

// reprintGap keeps a second touch of a kiosk's button, after the slip is out, from giving a second copy.
const reprintGap = 10 * time.Second

// Reprint is 补打: one more copy of the slip of an open ticket, refused while a copy is on its way. At a kiosk it is refused as well
// right after a copy came out, and after Plan.Reprints of them.
type Reprint struct {
	Ticket  hallsync.TicketID
	Printer string
	By      hallsync.By
}

// atKiosk is the Kind of those who act at a kiosk.
const atKiosk = "kiosk"

func (c Reprint) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	t, err := s.inState(c.Ticket, hallsync.Waiting, hallsync.Called, hallsync.Serving, hallsync.Held, hallsync.Passed)
	if err != nil {
		return nil, err
	}
	if t.Print == hallsync.SlipPending || t.Print == hallsync.SlipPrinting {
		return nil, refuseTicket(SlipBusy, t)
	}
	if c.By.Kind == atKiosk {
		if rest := t.Slip.EndMS + reprintGap.Milliseconds() - s.age(now); t.Print == hallsync.SlipPrinted && rest > 0 {
			r := refuseTicket(SlipJustPrinted, t)
			r.After = time.Duration(rest) * time.Millisecond
			return nil, r
		}
		if s.plan.Reprints > 0 && t.Slip.Copies >= s.plan.Reprints {
			return nil, refuseTicket(ReprintLimit, t)
		}
	}
	return facts(hallsync.SlipAsked{Ticket: t.ID, Printer: c.Printer, Copy: t.Reprints + 1, By: c.By}), nil
}

// SlipProgress records how far the printing of a slip is. Spare says that the place has another printer that is well: it makes another
// copy of one that failed, unless that one may be whole. A second whole slip is always somebody's decision.
type SlipProgress struct {
	hallsync.SlipChanged
	Spare bool
}

func (c SlipProgress) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	t := s.tickets[c.Ticket]
	if t == nil {
		return nil, refuse(UnknownTicket)
	}
	out := facts(c.SlipChanged)
	if c.State == hallsync.SlipFailed && c.Spare && c.Out != hallsync.OutUnknown && !t.Slip.Spare && t.State.Open() {
		out = append(out, hallsync.SlipAsked{
			Ticket: t.ID, Printer: t.Printer, Copy: t.Reprints + 1, Spare: true, By: hallsync.By{Kind: "system"},
		})
	}
	return out, nil
}

func (s *State) applySlipAsked(t *Ticket, f hallsync.SlipAsked) {
	t.Printer, t.Reprints = f.Printer, f.Copy
	t.Slip.Spare, t.Slip.Device, t.Slip.Code, t.Slip.Out = f.Spare, "", "", hallsync.OutUnknown
	if !f.Spare { // what the hall prints instead is still the copy that was asked for
		t.Slip.Asked = f.By.Kind == atKiosk
	}
	s.setSlip(t, hallsync.SlipPending)
}

func (s *State) applySlipChanged(t *Ticket, f hallsync.SlipChanged, at time.Time) {
	t.Slip.Device, t.Slip.Code, t.Slip.Out = f.Device, f.Code, f.Out
	if f.State == hallsync.SlipPrinted || f.State == hallsync.SlipFailed {
		t.Slip.EndMS = s.age(at)
		if t.Slip.Asked && !(f.State == hallsync.SlipFailed && f.Out == hallsync.OutNothing) {
			t.Slip.Copies++
			t.Slip.Asked = false
		}
	}
	s.setSlip(t, f.State)
}

// SetClass gives a ticket that is in line, or may come back to it, another class. Why is written down: whoever lets one go before others
// answers for it.
type SetClass struct {
	Ticket hallsync.TicketID
	Class  hallsync.Class
	Reason string
	By     hallsync.By
}

func (c SetClass) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if s.tickets[c.Ticket] == nil {
		return nil, refuse(UnknownTicket)
	}
	if !c.Class.Valid() {
		return nil, refuse(ClassInvalid)
	}
	t, err := s.inState(c.Ticket, hallsync.Waiting, hallsync.Passed)
	switch {
	case err != nil:
		return nil, err
	case c.Reason == "":
		return nil, refuseTicket(ReasonRequired, t)
	case c.Class == t.Class:
		return nil, nil
	}
	return facts(hallsync.TicketClassSet{Ticket: t.ID, From: t.Class, Class: c.Class, Reason: c.Reason, By: c.By}), nil
}

func (s *State) applyClassSet(t *Ticket, f hallsync.TicketClassSet) {
	if t.State == hallsync.Waiting {
		s.lines.Remove(&t.Entry) // lanes are by class
		defer s.lines.Insert(&t.Entry)
	}
	t.Class, t.Expect = f.Class, hallsync.Expectation{}
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

	MissedMS int64 `json:"missed_ms,omitempty"` // when the last ticket was called, by the hall's clock, if it left because nobody came
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
