package hallsync

import (
	"maps"
	"slices"
)

// Subject is what a fact is about: a ticket, at a window if there is one, or a window. It is empty when the fact is about
// the day, a device, a camera, an appointment, a person or the clock.
type Subject struct {
	Ticket TicketID
	Window WindowID
}

// Subject implements Payload.
func (DayOpened) Subject() Subject           { return Subject{} }
func (DayClosed) Subject() Subject           { return Subject{} }
func (f TicketTaken) Subject() Subject       { return Subject{Ticket: f.Ticket} }
func (f TicketCalled) Subject() Subject      { return Subject{f.Ticket, f.Window} }
func (f TicketRecalled) Subject() Subject    { return Subject{f.Ticket, f.Window} }
func (f TicketStarted) Subject() Subject     { return Subject{f.Ticket, f.Window} }
func (f TicketFinished) Subject() Subject    { return Subject{f.Ticket, f.Window} }
func (f TicketStepDone) Subject() Subject    { return Subject{f.Ticket, f.Window} }
func (PlanEdited) Subject() Subject          { return Subject{} }
func (RollSet) Subject() Subject             { return Subject{} }
func (f TicketPassed) Subject() Subject      { return Subject{f.Ticket, f.Window} }
func (f TicketRequeued) Subject() Subject    { return Subject{Ticket: f.Ticket} }
func (f TicketTransferred) Subject() Subject { return Subject{f.Ticket, f.Window} }
func (f TicketHeld) Subject() Subject        { return Subject{f.Ticket, f.Window} }
func (f TicketResumed) Subject() Subject     { return Subject{f.Ticket, f.Window} }
func (f TicketAbandoned) Subject() Subject   { return Subject{f.Ticket, f.Window} }
func (f TicketWithdrawn) Subject() Subject   { return Subject{Ticket: f.Ticket} }
func (f TicketClassSet) Subject() Subject    { return Subject{Ticket: f.Ticket} }
func (f TicketReopened) Subject() Subject    { return Subject{f.Ticket, f.Window} }
func (f TicketClosed) Subject() Subject      { return Subject{Ticket: f.Ticket} }
func (f TicketRated) Subject() Subject       { return Subject{f.Ticket, f.Window} }
func (f TicketUnrated) Subject() Subject     { return Subject{f.Ticket, f.Window} }
func (f SlipAsked) Subject() Subject         { return Subject{Ticket: f.Ticket} }
func (f SlipChanged) Subject() Subject       { return Subject{Ticket: f.Ticket} }
func (f WindowWasOpened) Subject() Subject   { return Subject{Window: f.Window} }
func (f WindowWasClosed) Subject() Subject   { return Subject{Window: f.Window} }
func (f WindowWasPaused) Subject() Subject   { return Subject{Window: f.Window} }
func (f WindowWasUnpaused) Subject() Subject { return Subject{Window: f.Window} }
func (f WindowDutySet) Subject() Subject     { return Subject{Window: f.Window} }
func (DeviceChanged) Subject() Subject       { return Subject{} }
func (CameraPinned) Subject() Subject        { return Subject{} }
func (BookingSet) Subject() Subject          { return Subject{} }
func (BookingCancelled) Subject() Subject    { return Subject{} }
func (BookingMissed) Subject() Subject       { return Subject{} }
func (PersonBlocked) Subject() Subject       { return Subject{} }
func (ClockStepped) Subject() Subject        { return Subject{} }
func (ClockSet) Subject() Subject            { return Subject{} }
func (KeyMade) Subject() Subject             { return Subject{} }
func (SegmentBegun) Subject() Subject        { return Subject{} }
func (LogCheckpointed) Subject() Subject     { return Subject{} }
func (PersonErased) Subject() Subject        { return Subject{} }

// Trail finds the facts about a person who is known by some digests: hall and centre look by the same rule. Facts come to it in the order in
// which they happened: the first one of a ticket or an appointment says whose it is.
type Trail struct {
	persons  []string
	tickets  map[TicketID]bool
	bookings map[BookingID]bool
}

// NewTrail gives a trail before any fact.
func NewTrail(persons []string) *Trail {
	return &Trail{persons: persons, tickets: map[TicketID]bool{}, bookings: map[BookingID]bool{}}
}

// Concerns reports whether the next fact is about the person.
func (t *Trail) Concerns(p Payload) bool {
	his := func(digest string) bool { return slices.Contains(t.persons, digest) }
	switch f := p.(type) {
	case TicketTaken:
		if his(f.Person) {
			t.tickets[f.Ticket] = true
		}
	case BookingSet:
		if his(f.Person) {
			t.bookings[f.Booking] = true
		}
		return t.bookings[f.Booking]
	case BookingCancelled:
		return t.bookings[f.Booking]
	case BookingMissed:
		return t.bookings[f.Booking]
	case PersonBlocked:
		return his(f.Person)
	}
	return t.tickets[p.Subject().Ticket]
}

// Found gives the tickets and appointments of the person so far.
func (t *Trail) Found() (tickets []TicketID, bookings []BookingID) {
	return slices.Sorted(maps.Keys(t.tickets)), slices.Sorted(maps.Keys(t.bookings))
}
