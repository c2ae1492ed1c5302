package hallsync

// Kind implements Payload.
func (DayOpened) Kind() Kind         { return KindDayOpened }
func (DayClosed) Kind() Kind         { return KindDayClosed }
func (TicketTaken) Kind() Kind       { return KindTicketTaken }
func (TicketCalled) Kind() Kind      { return KindTicketCalled }
func (TicketRecalled) Kind() Kind    { return KindTicketRecalled }
func (TicketStarted) Kind() Kind     { return KindTicketStarted }
func (TicketFinished) Kind() Kind    { return KindTicketFinished }
func (TicketStepDone) Kind() Kind    { return KindTicketStepDone }
func (PlanEdited) Kind() Kind        { return KindPlanEdited }
func (RollSet) Kind() Kind           { return KindRollSet }
func (TicketPassed) Kind() Kind      { return KindTicketPassed }
func (TicketRequeued) Kind() Kind    { return KindTicketRequeued }
func (TicketTransferred) Kind() Kind { return KindTicketTransferred }
func (TicketHeld) Kind() Kind        { return KindTicketHeld }
func (TicketResumed) Kind() Kind     { return KindTicketResumed }
func (TicketAbandoned) Kind() Kind   { return KindTicketAbandoned }
func (TicketWithdrawn) Kind() Kind   { return KindTicketWithdrawn }
func (TicketClassSet) Kind() Kind    { return KindTicketClassSet }
func (TicketReopened) Kind() Kind    { return KindTicketReopened }
func (TicketClosed) Kind() Kind      { return KindTicketClosed }
func (TicketRated) Kind() Kind       { return KindTicketRated }
func (TicketUnrated) Kind() Kind     { return KindTicketUnrated }
func (SlipAsked) Kind() Kind         { return KindSlipAsked }
func (SlipChanged) Kind() Kind       { return KindSlipChanged }
func (WindowWasOpened) Kind() Kind   { return KindWindowOpened }
func (WindowWasClosed) Kind() Kind   { return KindWindowClosed }
func (WindowWasPaused) Kind() Kind   { return KindWindowPaused }
func (WindowWasUnpaused) Kind() Kind { return KindWindowUnpaused }
func (WindowDutySet) Kind() Kind     { return KindWindowDuty }
func (DeviceChanged) Kind() Kind     { return KindDeviceChanged }
func (ClockStepped) Kind() Kind      { return KindClockStepped }
func (ClockSet) Kind() Kind          { return KindClockSet }
func (BookingSet) Kind() Kind        { return KindBookingSet }
func (BookingCancelled) Kind() Kind  { return KindBookingCancelled }
func (BookingMissed) Kind() Kind     { return KindBookingMissed }
