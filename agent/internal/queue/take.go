package queue

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// Take gives a number. The caller draws Ticket, a ULID; a second number under the same one is refused.
type Take struct {
	Ticket   hallsync.TicketID
	Queue    hallsync.QueueID
	Class    hallsync.Class // empty: normal
	Channel  hallsync.Channel
	Place    string
	Proof    hallsync.Proof    // empty: none
	Printer  string            // place whose printer makes the slip; empty: no paper
	Person   string            // keyed digest of the identity number; empty: nobody was recognised
	Aliases  []string          // digests of the same number by other keys of the hall's index
	Identity hallsync.Identity // pending: nobody could be asked about the code; empty: as the proof says
	Booking  hallsync.BookingID
	Because  string             // why it has its class, by staff; a priority ticket needs one
	Override string             // why hours and quotas do not hold, by staff; empty: they do
	Then     []hallsync.QueueID // queues to go on to with the same number, each once
	By       hallsync.By
}

// maxSteps bounds what somebody can come for with one number, after the first thing.
const maxSteps = 8

func (c Take) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	c.Person, c.Aliases = s.name(c.Person, c.Aliases), append([]string{c.Person}, c.Aliases...)
	var booked time.Time
	if c.Booking != "" {
		var err error
		if booked, err = c.checkIn(s, now); err != nil {
			return nil, err
		}
	}
	if err := c.complete(s); err != nil {
		return nil, err
	}
	if t := s.tickets[c.Ticket]; t != nil {
		return nil, refuseTicket(TicketState, t)
	}
	if s.dead {
		return nil, refuse(ClockUnknown)
	}
	if s.DayOver(now) {
		return nil, refuse(DayNotOpen)
	}
	newcomer := s.newcomer(&c, booked, now)
	expect, wait := s.expect(newcomer, now)
	if err := c.admit(s, now, booked, wait); err != nil {
		return nil, err
	}
	ordinal := max(s.ordinals[c.Queue], s.after) + 1
	return facts(hallsync.TicketTaken{
		Ticket: c.Ticket, Number: Number(c.Queue, ordinal), Ordinal: ordinal, FlowNo: flowNo(s.day, s.flow+1), BusinessDay: s.day,
		Queue: c.Queue, Class: c.Class, Channel: c.Channel, Place: c.Place, Proof: c.Proof, Identity: c.Identity,
		Person: c.Person, Booking: c.Booking, BookedFor: booked, Then: c.Then, Override: c.Override, ClassReason: c.Because,
		Ahead: s.lines.Ahead(newcomer, s.age(now)), Wait: wait, Expect: expect, Windows: s.serve(c.Queue, now), Printer: c.Printer, By: c.By,
	}), nil
}

// complete fills in what was left out, and refuses what makes no sense.
func (c *Take) complete(s *State) error {
	c.Class, c.Proof = cmp.Or(c.Class, hallsync.Normal), cmp.Or(c.Proof, hallsync.ProofNone)
	unknown := func(q hallsync.QueueID) bool { return s.plan.queue(q) == nil }
	switch {
	case unknown(c.Queue):
		return refuse(UnknownQueue)
	case !c.Class.Valid():
		return refuse(ClassInvalid)
	case !c.Channel.Valid():
		return refuse(ChannelInvalid)
	case c.Class == hallsync.Priority && c.Because == "": // nobody has it of himself; see SetClass
		return refuse(ReasonRequired)
	case len(c.Then) > maxSteps || slices.ContainsFunc(c.Then, unknown):
		return refuse(UnknownQueue)
	}
	for i, q := range c.Then {
		if q == c.Queue || slices.Contains(c.Then[:i], q) { // quotas and one person's tickets are counted by queue
			return &Refusal{Code: StepRepeated, Queue: q}
		}
	}
	return nil
}

// newcomer is the ticket as it would stand in line.
func (s *State) newcomer(c *Take, booked, now time.Time) *line.Entry {
	e := &line.Entry{ID: c.Ticket, Queue: c.Queue, Class: c.Class, Came: s.age(now), Base: s.age(now), Turn: s.turns + 1}
	if !booked.IsZero() {
		e.Base += booked.Sub(now).Milliseconds()
	}
	return e
}

// serve lists the windows that serve a queue.
func (s *State) serve(q hallsync.QueueID, now time.Time) []hallsync.WindowID {
	out := []hallsync.WindowID{}
	for i := range s.plan.Windows {
		if slices.Contains(s.serves(&s.plan.Windows[i], s.age(now)), q) {
			out = append(out, s.plan.Windows[i].ID)
		}
	}
	return out
}

// Number is a ticket number as it is printed and spoken: the queue's letter and at least three digits (A001 … A999, A1000).
func Number(q hallsync.QueueID, ordinal int) string { return fmt.Sprintf("%s%03d", q, ordinal) }

// flowNo is yyyyMMdd and six digits.
func flowNo(day string, n int) string {
	if len(day) == len(time.DateOnly) {
		day = day[:4] + day[5:7] + day[8:]
	}
	return fmt.Sprintf("%s%06d", day, n)
}

// Withdraw is the citizen's own 退号, from waiting or passed.
type Withdraw struct {
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Withdraw) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	t, err := s.inState(c.Ticket, hallsync.Waiting, hallsync.Passed)
	if err != nil {
		return nil, err
	}
	return facts(hallsync.TicketWithdrawn{Ticket: t.ID, By: c.By}), nil
}

// Requeue puts a passed ticket back in line under its old number.
type Requeue struct {
	Ticket hallsync.TicketID
	By     hallsync.By
}

func (c Requeue) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	t, err := s.inState(c.Ticket, hallsync.Passed)
	if err != nil {
		return nil, err
	}
	return facts(hallsync.TicketRequeued{Ticket: t.ID, After: s.calling(t.Queue).ReturnAfter, By: c.By}), nil
}

// Rate stores a citizen's rating of a finished ticket, once.
type Rate struct {
	Ticket  hallsync.TicketID
	Grade   hallsync.Grade
	Reasons []string
	Text    string
	By      hallsync.By
}

func (c Rate) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if s.tickets[c.Ticket] == nil {
		return nil, refuse(UnknownTicket)
	}
	if !c.Grade.Valid() {
		return nil, refuse(GradeInvalid)
	}
	t, err := s.inState(c.Ticket, hallsync.Done)
	if err != nil {
		return nil, err
	}
	if t.Rated != "" {
		return nil, refuseTicket(AlreadyRated, t)
	}
	return facts(hallsync.TicketRated{
		Ticket: t.ID, Window: t.Window, Staff: t.Staff, Grade: c.Grade, Reasons: c.Reasons, Text: c.Text, By: c.By,
	}), nil
}

// LeaveUnrated records that the citizen of a finished ticket was asked at the window and gave no rating. The second time it does
// nothing; a rating may still follow.
type LeaveUnrated struct {
	Ticket hallsync.TicketID
	Why    hallsync.Unrated
	By     hallsync.By
}

func (c LeaveUnrated) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if s.tickets[c.Ticket] == nil {
		return nil, refuse(UnknownTicket)
	}
	t, err := s.inState(c.Ticket, hallsync.Done)
	switch {
	case err != nil:
		return nil, err
	case t.Rated != "":
		return nil, refuseTicket(AlreadyRated, t)
	case t.Unrated != "":
		return nil, nil
	}
	return facts(hallsync.TicketUnrated{Ticket: t.ID, Window: t.Window, Staff: t.Staff, Why: c.Why, By: c.By}), nil
}

// Note records that a device has changed; it does nothing when the log says so already.
type Note struct{ Fact hallsync.DeviceChanged }

func (c Note) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if s.devices[c.Fact.Device] == c.Fact {
		return nil, nil
	}
	return facts(c.Fact), nil
}

// TurnDay closes the business day that is over and opens the new one; it does nothing while the day lasts. Lost says how many thousands of its
// numbers were begun in logs before this one, and may still be on slips.
type TurnDay struct{ Lost int }

func (c TurnDay) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	return s.turnDay(now, c.Lost), nil
}

// afterLost is more than a queue gives in a day.
const afterLost = 1000

// NumbersPassed is how many whole thousands of numbers the day in force goes on behind.
func (s *State) NumbersPassed() int { return s.after / afterLost }

// Logs counts the thousands of numbers that were begun before those of a day, which go on behind DayOpened.After.
func Logs(after int) int { return (after + afterLost - 1) / afterLost }

// PassNumbers has the day go on behind all numbers that may be on slips of today and are not in this log. Lost counts the thousands that
// were begun of them.
type PassNumbers struct{ Lost int }

func (c PassNumbers) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if s.day == "" {
		return nil, nil
	}
	last := s.after
	for _, n := range s.ordinals {
		last = max(last, n)
	}
	after := max(last/afterLost+1, c.Lost) * afterLost
	return facts(hallsync.DayOpened{BusinessDay: s.day, After: after, Instead: s.day}), nil
}

// businessDay is the calendar day in the hall's time zone.
func (s *State) businessDay(now time.Time) string {
	return now.In(s.plan.Location).Format(time.DateOnly)
}

// DayOver reports whether the business day in force has ended, or was opened too early, so that TurnDay has something to do. While nobody
// knows the time no day ends.
func (s *State) DayOver(now time.Time) bool {
	today := s.businessDay(now)
	return !s.dead && (today > s.day || s.early && today < s.day)
}

// turnDay gives the facts of a change of day: open tickets are closed, windows too. A clock that jumps back never reopens an
// earlier day. When somebody who knows the time puts it back, the true day takes the place of the one that was opened too early, with
// everybody who is there. A day that comes a second time has its numbers behind those that were used, so none is given twice.
func (s *State) turnDay(now time.Time, lost int) []hallsync.Payload {
	if !s.DayOver(now) {
		return nil
	}
	opened := hallsync.DayOpened{BusinessDay: s.businessDay(now)}
	opened.After = s.used[opened.BusinessDay]
	if s.day == "" {
		opened.After = max(opened.After, lost*afterLost)
	}
	if opened.BusinessDay < s.day {
		opened.Instead = s.day
		for _, t := range s.Tickets() {
			if t.State.Open() {
				opened.Carried = append(opened.Carried, t.ID)
			}
		}
		return facts(opened)
	}
	var out []hallsync.Payload
	if s.day != "" {
		out, opened.Carried = s.closing()
		for i := range s.plan.Windows {
			if w := s.windows[s.plan.Windows[i].ID]; w != nil && w.State != hallsync.WindowClosed {
				out = append(out, hallsync.WindowWasClosed{Window: w.ID, By: hallsync.By{Kind: "system"}})
			}
		}
		out = append(out, hallsync.DayClosed{BusinessDay: s.day})
	}
	return append(out, opened)
}

// EndDay is 日终清号 of a hall that has gone home: the numbers of today are over for that time, no window is open, and nothing has happened for
// as long. Then nobody will call those who still wait, and their own pages must not say that somebody might. Who waits in a queue that
// carries over waits on. A hall where a queue gives numbers at any time never goes home, and none does before Plan.EndFrom: numbers may be
// over at noon, or given on a Saturday by staff alone, and the windows open again after lunch.
type EndDay struct{}

func (EndDay) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	if s.plan.EndAfter <= 0 || s.dead || s.DayOver(now) || now.Sub(s.latest) < s.plan.EndAfter {
		return nil, nil
	}
	here, end := now.In(s.plan.Location), s.plan.EndFrom
	for i := range s.plan.Queues {
		last, ok := s.plan.Queues[i].Over(here, s.plan.Calendar)
		if !ok {
			return nil, nil
		}
		end = max(end, last)
	}
	if end == 0 || here.Sub(admit.Midnight(here).Add(end)) < s.plan.EndAfter {
		return nil, nil
	}
	for _, w := range s.windows {
		if w.State != hallsync.WindowClosed {
			return nil, nil
		}
	}
	over, _ := s.closing()
	return over, nil
}

// ReasonDayOver is why a ticket of a queue that carries over is back in line: its window closes with the day.
const ReasonDayOver = "day_over"

// closing gives the facts that close every open ticket, except those that are carried over. Of these who was called or served goes to the
// front, and who was passed may come back the next day.
func (s *State) closing() (over []hallsync.Payload, carried []hallsync.TicketID) {
	for _, t := range s.Tickets() {
		p := s.plan.queue(t.Queue)
		switch {
		case !t.State.Open():
		case p != nil && p.Carry:
			carried = append(carried, t.ID)
			if t.State != hallsync.Waiting && t.State != hallsync.Passed {
				over = append(over, hallsync.TicketTransferred{
					Ticket: t.ID, From: t.Window, Queue: t.Queue, Position: hallsync.AtFront, Reason: ReasonDayOver, By: hallsync.By{Kind: "system"},
				})
			}
		default:
			over = append(over, hallsync.TicketClosed{Ticket: t.ID, From: t.State})
		}
	}
	return over, carried
}

func facts(p ...hallsync.Payload) []hallsync.Payload { return p }

// inState finds a ticket and refuses it in any state but the given ones.
func (s *State) inState(id hallsync.TicketID, states ...hallsync.TicketState) (*Ticket, error) {
	t := s.tickets[id]
	if t == nil {
		return nil, refuse(UnknownTicket)
	}
	for _, st := range states {
		if t.State == st {
			return t, nil
		}
	}
	return nil, refuseTicket(TicketState, t)
}
