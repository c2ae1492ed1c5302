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
type SetBooking struct {
	hallsync.BookingSet
	Aliases []string // of the person, see Take
}

func (c SetBooking) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	have := s.bookings[c.Booking]
	if have != nil && have.Person != "" && slices.Contains(c.Aliases, have.Person) {
		c.Person = have.Person
	} else {
		c.Person = s.name(c.Person, c.Aliases)
	}
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

// BookingsOf gives the appointments of a day of a person with some names that were not used yet, by time.
func (s *State) BookingsOf(names []string, now time.Time) []Booking {
	return slices.DeleteFunc(s.Bookings(), func(b Booking) bool {
		return b.Person == "" || !slices.Contains(names, b.Person) || !b.open() || s.businessDay(b.Start) != s.businessDay(now)
	})
}

// name gives what a person is called today who has several names, because the hall's index has several keys: as on the tickets and
// appointments of the day that he has already, else by his first name. So he is one and the same while a key is replaced by another.
func (s *State) name(person string, aliases []string) string {
	names := append([]string{person}, aliases...)
	ticketed := func(name string) bool { return name != "" && len(s.persons[name]) > 0 }
	booked := func(name string) bool {
		for _, b := range s.bookings {
			if name != "" && b.Person == name && b.open() && s.businessDay(b.Start) == s.day {
				return true
			}
		}
		return false
	}
	for _, has := range []func(string) bool{ticketed, booked} {
		if i := slices.IndexFunc(names, has); i >= 0 && len(aliases) > 0 {
			return names[i]
		}
	}
	return person
}

// checkIn gives the appointment a take stands for, and from when its citizen waits; that is zero when the citizen comes too late for it, noted as
// missing or not yet, or too early with a word of staff: then he waits like everybody else.
func (c *Take) checkIn(s *State, now time.Time) (at time.Time, err error) {
	b := s.bookings[c.Booking]
	switch {
	case b == nil:
		return at, refuse(BookingUnknown)
	case b.Person != "" && c.Person != "" && !slices.Contains(c.Aliases, b.Person):
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

// Live gives copies of the open tickets of a person with some names, the oldest first.
func (s *State) Live(names ...string) []Ticket {
	var out []Ticket
	for _, name := range names {
		for _, t := range s.live(name) {
			out = append(out, *t)
		}
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
	Aliases    []string // of the person, see Take
	Until      time.Time
	Everywhere bool
	Reason     string
	By         hallsync.By
}

func (c SetBlock) decide(s *State, now time.Time) (out []hallsync.Payload, err error) {
	for _, name := range c.Aliases { // what was said of him under another name ends, and what is said now holds for the first
		if _, blocked := s.blocks[name]; blocked && c.Person != "" && c.Reason != "" {
			out = append(out, hallsync.PersonBlocked{Person: name, Until: now, Reason: c.Reason, By: c.By})
		}
	}
	have, blocked := s.blocks[c.Person]
	over := !now.Before(c.Until)
	switch {
	case c.Person == "":
		return nil, refuse(PersonRequired)
	case c.Reason == "":
		return nil, refuse(ReasonRequired)
	case over && !blocked, blocked && have.Everywhere == c.Everywhere && have.Until.Equal(c.Until):
		return out, nil
	}
	return append(out, hallsync.PersonBlocked{Person: c.Person, Until: c.Until, Everywhere: c.Everywhere, Reason: c.Reason, By: c.By}), nil
}

func (s *State) applyBlock(f hallsync.PersonBlocked, at time.Time) {
	delete(s.blocks, f.Person)
	if at.Before(f.Until) {
		s.blocks[f.Person] = Block{Until: f.Until, Everywhere: f.Everywhere, Reason: f.Reason, Staff: f.By.Staff}
	}
}

// applyErased takes a person's digest, and what windows wrote about him, out of the tickets and appointments that are named, and with it the
// block of whoever they name.
// Whoever has nothing but a block is forgotten by ending it first.
func (s *State) applyErased(f hallsync.PersonErased) {
	forget := func(person *string) {
		delete(s.blocks, *person)
		*person = ""
	}
	for _, id := range f.Tickets {
		s.onTicket(id, func(t *Ticket) {
			s.persons[t.Person] = slices.DeleteFunc(s.persons[t.Person], func(other *Ticket) bool { return other == t })
			if len(s.persons[t.Person]) == 0 {
				delete(s.persons, t.Person)
			}
			forget(&t.Person)
			t.Note = ""
		})
	}
	for _, id := range f.Bookings {
		if b := s.bookings[id]; b != nil {
			forget(&b.Person)
		}
	}
}

// Of gives the tickets and appointments of those who have one of some digests.
func (s *State) Of(persons []string) (tickets []hallsync.TicketID, bookings []hallsync.BookingID) {
	for id, t := range s.tickets {
		if t.Person != "" && slices.Contains(persons, t.Person) {
			tickets = append(tickets, id)
		}
	}
	for id, b := range s.bookings {
		if b.Person != "" && slices.Contains(persons, b.Person) {
			bookings = append(bookings, id)
		}
	}
	slices.Sort(tickets)
	slices.Sort(bookings)
	return tickets, bookings
}

func (s *State) blocked(c *Take, now time.Time) bool {
	return slices.ContainsFunc(append([]string{c.Person}, c.Aliases...), func(name string) bool {
		b, ok := s.blocks[name]
		return ok && now.Before(b.Until) && (b.Everywhere || c.Channel == hallsync.Online)
	})
}
