package hallsync

// Subject is what a fact is about: a ticket, at a window if there is one, or a window. It is empty when the fact is about
// the day, a device, an appointment, a person or the clock.
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
func (BookingSet) Subject() Subject          { return Subject{} }
func (BookingCancelled) Subject() Subject    { return Subject{} }
func (BookingMissed) Subject() Subject       { return Subject{} }
func (PersonBlocked) Subject() Subject       { return Subject{} }
func (ClockStepped) Subject() Subject        { return Subject{} }
func (ClockSet) Subject() Subject            { return Subject{} }
