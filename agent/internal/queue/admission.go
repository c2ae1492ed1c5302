package queue

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"halledge/agent/internal/queue/admit"
	"halledge/agent/internal/queue/line"
	"halledge/firmware-protocols/hallsync"
)

// Booking is an appointment of today or tomorrow. Nothing in it says who the citizen is: Person is the hall's own keyed digest of the
// identity number.
type Booking struct {
	hallsync.BookingSet
	State  hallsync.BookingState `json:"state"`
	Ticket hallsync.TicketID     `json:"ticket,omitempty"`
}

// open reports whether the citizen may still come with it; who was noted as missing is only late.
func (b *Booking) open() bool { return b.State == hallsync.Booked || b.State == hallsync.BookingNoShow }

// SetBooking notes an appointment, of the centre or made at the hall, new, changed, or made again after it was cancelled or missed. One
// that has been used stays as it is.
type SetBooking struct{ hallsync.BookingSet }

func (c SetBooking) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	have := s.bookings[c.Booking]
	switch {
	case c.Booking == "" || !c.End.After(c.Start):
		return nil, refuse(BookingInvalid)
	case s.plan.queue(c.Queue) == nil:
		return nil, refuse(UnknownQueue)
	case have != nil && (have.State == hallsync.BookingArrived || have.open() && same(have.BookingSet, c.BookingSet)):
		return nil, nil
	}
	return facts(c.BookingSet), nil
}

func same(a, b hallsync.BookingSet) bool {
	return a.Queue == b.Queue && a.Person == b.Person && a.Start.Equal(b.Start) && a.End.Equal(b.End)
}

// CancelBooking takes an appointment away that was not used yet.
type CancelBooking struct {
	Booking hallsync.BookingID
	By      hallsync.By
}

func (c CancelBooking) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	if have := s.bookings[c.Booking]; have == nil || !have.open() {
		return nil, nil
	}
	return facts(hallsync.BookingCancelled{Booking: c.Booking, By: c.By}), nil
}

// MissBookings notes who had an appointment and did not come. Since is when this hall began to work: who could not have come in is not
// counted as missing, nor is anybody whose time the hall's clock jumped over, or who came and took an ordinary number.
type MissBookings struct{ Since time.Time }

func (c MissBookings) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	var out []hallsync.Payload
	for _, b := range s.Bookings() {
		if _, until := s.CheckIn(b); b.State == hallsync.Booked && now.After(until) {
			excused := c.Since.After(b.Start) || s.leapt.After(b.Start) || s.cameAnyway(b)
			out = append(out, hallsync.BookingMissed{Booking: b.Booking, Excused: excused})
		}
	}
	return out, nil
}

// cameAnyway reports whether the citizen of an appointment took an ordinary number for the same thing in the same half of the day.
func (s *State) cameAnyway(b Booking) bool {
	half := func(at time.Time) string { return at.In(s.plan.Location).Format(time.DateOnly + " PM") }
	return b.Person != "" && slices.ContainsFunc(s.persons[b.Person], func(t *Ticket) bool {
		return (t.Home == b.Queue || t.Queue == b.Queue || slices.Contains(t.Then, b.Queue)) && half(t.TakenAt) == half(b.Start)
	})
}

// CheckIn gives from when and until when the citizen of an appointment can come as one who is booked.
func (s *State) CheckIn(b Booking) (from, until time.Time) {
	rules := admit.Rules{}
	if p := s.plan.queue(b.Queue); p != nil {
		rules = p.Rules
	}
	return b.Start.Add(-rules.Early), b.End.Add(rules.Late)
}

// Booking gives an appointment.
func (s *State) Booking(id hallsync.BookingID) (Booking, bool) {
	if b := s.bookings[id]; b != nil {
		return *b, true
	}
	return Booking{}, false
}

// Bookings gives all appointments, by time.
func (s *State) Bookings() []Booking {
	out := make([]Booking, 0, len(s.bookings))
	for _, b := range s.bookings {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Booking) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Booking, b.Booking)) })
	return out
}

// BookingsOf gives a person's appointments of a day that were not used yet, by time.
func (s *State) BookingsOf(person string, now time.Time) []Booking {
	return slices.DeleteFunc(s.Bookings(), func(b Booking) bool {
		return person == "" || b.Person != person || !b.open() || s.businessDay(b.Start) != s.businessDay(now)
	})
}

// checkIn gives the appointment a take stands for, and from when its citizen waits; that is zero when the citizen comes too late for it, noted as
// missing or not yet, or too early with a word of staff: then he waits like everybody else.
func (c *Take) checkIn(s *State, now time.Time) (at time.Time, err error) {
	b := s.bookings[c.Booking]
	switch {
	case b == nil:
		return at, refuse(BookingUnknown)
	case b.Person != "" && c.Person != "" && b.Person != c.Person:
		return at, refuse(BookingUsed)
	case !b.open():
		if t := s.tickets[b.Ticket]; t != nil && t.State.Open() { // the slip was lost, or the code shown twice
			return at, refuseTicket(BookingUsed, t)
		}
		return at, refuse(BookingUsed)
	}
	c.Queue, c.Person = b.Queue, cmp.Or(c.Person, b.Person)
	from, until := s.CheckIn(*b)
	today := s.businessDay(b.Start) == s.businessDay(now)
	switch {
	case today && c.Override != "" && now.Before(from):
		return at, nil
	case !today || now.Before(from):
		r := refuse(BookingEarly)
		r.Opens = from
		return at, r
	case now.After(until):
		return at, nil
	}
	if !line.Privileged(c.Class) {
		c.Class = hallsync.Appointment
	}
	if p := s.plan.queue(b.Queue); p != nil && now.After(b.Start.Add(p.Late)) {
		return now, nil // still booked, but he has not waited since then, and must not pass those who have
	}
	return b.Start, nil
}

func (s *State) applyBooking(p hallsync.Payload) {
	set := func(id hallsync.BookingID, to hallsync.BookingState) {
		if b := s.bookings[id]; b != nil {
			b.State = to
		}
	}
	switch f := p.(type) {
	case hallsync.BookingSet:
		s.bookings[f.Booking] = &Booking{BookingSet: f, State: hallsync.Booked}
	case hallsync.BookingCancelled:
		set(f.Booking, hallsync.BookingGone)
	case hallsync.BookingMissed:
		set(f.Booking, hallsync.BookingNoShow)
	}
}

// Admits tells whether a queue gives a number to somebody who comes now. wait is what would be said about the wait, or nil.
func (s *State) Admits(q hallsync.QueueID, now time.Time, wait *hallsync.WaitRange) admit.State {
	p := s.plan.queue(q)
	if p == nil {
		return admit.State{Reason: admit.Closed}
	}
	longest := time.Duration(0)
	if wait != nil {
		longest = time.Duration(wait.HighS) * time.Second
	}
	return p.Rules.At(now.In(s.plan.Location), s.plan.Calendar, s.given[q], longest)
}

// live gives the open tickets of a person, the oldest first.
func (s *State) live(person string) []*Ticket {
	if person == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.persons[person]), func(t *Ticket) bool { return !t.State.Open() })
}

// Live gives copies of a person's open tickets, the oldest first.
func (s *State) Live(person string) []Ticket {
	var out []Ticket
	for _, t := range s.live(person) {
		out = append(out, *t)
	}
	return out
}

// admit refuses a take that the rules of the hall or its queue do not allow. Staff with a reason stand above hours and quotas, but
// nobody gets two tickets for one thing. booked is the time of an appointment; it is zero for who is late for one, and comes like
// everybody else, but to a number that was kept for him.
func (c *Take) admit(s *State, now, booked time.Time, wait *hallsync.WaitRange) error {
	if err := s.personal(c.Person, c.Queue, c.Then); err != nil {
		return err
	}
	switch {
	case s.blocked(c, now):
		return refuse(PersonBlocked)
	case c.Override != "":
		return nil
	}
	if here := s.Admits(c.Queue, now, wait); c.Booking == "" || booked.IsZero() && here.Reason == admit.Closed {
		if err := refusedBy(here); err != nil {
			return err
		}
	}
	for _, q := range c.Then { // each thing counts where it is done
		if err := refusedBy(s.Admits(q, now, nil)); err != nil {
			return err
		}
	}
	return nil
}

// personal refuses one more open ticket of a person that would be too many, in one of its queues or in the hall.
func (s *State) personal(person string, first hallsync.QueueID, then []hallsync.QueueID) error {
	mine := s.live(person)
	for _, q := range append([]hallsync.QueueID{first}, then...) {
		same := slices.DeleteFunc(slices.Clone(mine), func(t *Ticket) bool { return t.Queue != q && !slices.Contains(t.Then, q) })
		if p := s.plan.queue(q); p != nil && p.PerPerson > 0 && len(same) >= p.PerPerson {
			return refuseTicket(AlreadyWaiting, same[0])
		}
	}
	if s.plan.MaxOpen > 0 && len(mine) >= s.plan.MaxOpen {
		return refuseTicket(TooManyOpen, mine[0])
	}
	return nil
}

// refusedBy gives the refusal of a queue that gives no numbers, nil if it does.
func refusedBy(a admit.State) error {
	if a.Reason == "" {
		return nil
	}
	r := refuse(Code(a.Reason))
	r.Opens, r.Closes = a.Opens, a.Closes
	return r
}

// Block keeps a person from taking numbers until a time: online only, or everywhere.
type Block struct {
	Until      time.Time        `json:"until"`
	Everywhere bool             `json:"everywhere,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	Staff      hallsync.StaffID `json:"staff,omitempty"` // who said so
}

// Block gives what keeps a person from taking numbers, also when it is over.
func (s *State) Block(person string) (Block, bool) {
	b, ok := s.blocks[person]
	return b, ok
}

// Blocks gives the persons who take no numbers, all or online.
func (s *State) Blocks(now time.Time) map[string]Block {
	out := maps.Clone(s.blocks)
	maps.DeleteFunc(out, func(_ string, b Block) bool { return !now.Before(b.Until) })
	return out
}

// SetBlock keeps a person from taking numbers until a time, or ends that when the time has come. Unless it says everywhere, the person
// still gets numbers at the hall.
type SetBlock struct {
	Person     string
	Until      time.Time
	Everywhere bool
	Reason     string
	By         hallsync.By
}

func (c SetBlock) decide(s *State, now time.Time) ([]hallsync.Payload, error) {
	have, blocked := s.blocks[c.Person]
	over := !now.Before(c.Until)
	switch {
	case c.Person == "":
		return nil, refuse(PersonRequired)
	case c.Reason == "":
		return nil, refuse(ReasonRequired)
	case over && !blocked, blocked && have.Everywhere == c.Everywhere && have.Until.Equal(c.Until):
		return nil, nil
	}
	return facts(hallsync.PersonBlocked{Person: c.Person, Until: c.Until, Everywhere: c.Everywhere, Reason: c.Reason, By: c.By}), nil
}

func (s *State) applyBlock(f hallsync.PersonBlocked, at time.Time) {
	delete(s.blocks, f.Person)
	if at.Before(f.Until) {
		s.blocks[f.Person] = Block{Until: f.Until, Everywhere: f.Everywhere, Reason: f.Reason, Staff: f.By.Staff}
	}
}

func (s *State) blocked(c *Take, now time.Time) bool {
	b, ok := s.blocks[c.Person]
	return ok && now.Before(b.Until) && (b.Everywhere || c.Channel == hallsync.Online)
}
