package hallsync

import (
	"encoding/json"
	"fmt"
)

// Kind names the type of a fact.
type Kind string

// Payload is what a fact says. Each payload type has exactly one Kind.
type Payload interface {
	Kind() Kind
	Subject() Subject
}

// The kinds of facts.
const (
	KindDayOpened         Kind = "day.opened"
	KindDayClosed         Kind = "day.closed"
	KindTicketTaken       Kind = "ticket.taken"
	KindTicketCalled      Kind = "ticket.called"
	KindTicketRecalled    Kind = "ticket.recalled"
	KindTicketStarted     Kind = "ticket.started"
	KindTicketFinished    Kind = "ticket.finished"
	KindTicketStepDone    Kind = "ticket.step_done"
	KindTicketPassed      Kind = "ticket.passed"
	KindTicketRequeued    Kind = "ticket.requeued"
	KindTicketTransferred Kind = "ticket.transferred"
	KindTicketHeld        Kind = "ticket.held"
	KindTicketResumed     Kind = "ticket.resumed"
	KindTicketAbandoned   Kind = "ticket.abandoned"
	KindTicketWithdrawn   Kind = "ticket.withdrawn"
	KindTicketClassSet    Kind = "ticket.class_set"
	KindTicketReopened    Kind = "ticket.reopened"
	KindTicketClosed      Kind = "ticket.closed"
	KindTicketRated       Kind = "ticket.rated"
	KindTicketUnrated     Kind = "ticket.unrated"
	KindSlipAsked         Kind = "slip.asked"
	KindSlipChanged       Kind = "slip.changed"
	KindWindowOpened      Kind = "window.opened"
	KindWindowClosed      Kind = "window.closed"
	KindWindowPaused      Kind = "window.paused"
	KindWindowUnpaused    Kind = "window.unpaused"
	KindWindowDuty        Kind = "window.duty"
	KindRollSet           Kind = "roll.set"
	KindPlanEdited        Kind = "plan.edited"
	KindDeviceChanged     Kind = "device.changed"
	KindCameraPinned      Kind = "camera.pinned"
	KindBookingSet        Kind = "booking.set"
	KindBookingCancelled  Kind = "booking.cancelled"
	KindBookingMissed     Kind = "booking.missed"
	KindPersonBlocked     Kind = "person.blocked"
	KindClockStepped      Kind = "clock.stepped"
	KindClockSet          Kind = "clock.set"
	KindKeyMade           Kind = "key.made"
	KindSegmentBegun      Kind = "segment.begun"
	KindLogCheckpointed   Kind = "log.checkpointed"
	KindPersonErased      Kind = "person.erased"
)

// UnknownKindError says that a fact is of a kind or version this program does not know.
type UnknownKindError struct {
	Kind Kind
	V    int
}

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("unknown fact kind %q version %d", string(e.Kind), e.V)
}

// PayloadError says that a fact's payload is not what its kind requires.
type PayloadError struct {
	Kind Kind
	Err  error
}

func (e *PayloadError) Error() string { return fmt.Sprintf("payload of %s: %v", e.Kind, e.Err) }
func (e *PayloadError) Unwrap() error { return e.Err }

func decodePayload(k Kind, v int, raw json.RawMessage) (Payload, error) {
	if v != 1 {
		return nil, &UnknownKindError{Kind: k, V: v}
	}
	switch k {
	case KindDayOpened:
		return into[DayOpened](raw)
	case KindDayClosed:
		return into[DayClosed](raw)
	case KindSlipAsked:
		return into[SlipAsked](raw)
	case KindSlipChanged:
		return into[SlipChanged](raw)
	case KindWindowOpened:
		return into[WindowWasOpened](raw)
	case KindWindowClosed:
		return into[WindowWasClosed](raw)
	case KindWindowPaused:
		return into[WindowWasPaused](raw)
	case KindWindowUnpaused:
		return into[WindowWasUnpaused](raw)
	case KindWindowDuty:
		return into[WindowDutySet](raw)
	case KindRollSet:
		return into[RollSet](raw)
	case KindPlanEdited:
		return into[PlanEdited](raw)
	case KindDeviceChanged:
		return into[DeviceChanged](raw)
	case KindCameraPinned:
		return into[CameraPinned](raw)
	case KindBookingSet:
		return into[BookingSet](raw)
	case KindBookingCancelled:
		return into[BookingCancelled](raw)
	case KindBookingMissed:
		return into[BookingMissed](raw)
	case KindPersonBlocked:
		return into[PersonBlocked](raw)
	case KindClockStepped:
		return into[ClockStepped](raw)
	case KindClockSet:
		return into[ClockSet](raw)
	case KindKeyMade:
		return into[KeyMade](raw)
	case KindSegmentBegun:
		return into[SegmentBegun](raw)
	case KindLogCheckpointed:
		return into[LogCheckpointed](raw)
	case KindPersonErased:
		return into[PersonErased](raw)
	}
	return decodeTicket(k, v, raw)
}

func decodeTicket(k Kind, v int, raw json.RawMessage) (Payload, error) {
	switch k {
	case KindTicketTaken:
		return into[TicketTaken](raw)
	case KindTicketCalled:
		return into[TicketCalled](raw)
	case KindTicketRecalled:
		return into[TicketRecalled](raw)
	case KindTicketStarted:
		return into[TicketStarted](raw)
	case KindTicketFinished:
		return into[TicketFinished](raw)
	case KindTicketStepDone:
		return into[TicketStepDone](raw)
	case KindTicketPassed:
		return into[TicketPassed](raw)
	case KindTicketRequeued:
		return into[TicketRequeued](raw)
	case KindTicketTransferred:
		return into[TicketTransferred](raw)
	case KindTicketHeld:
		return into[TicketHeld](raw)
	case KindTicketResumed:
		return into[TicketResumed](raw)
	case KindTicketAbandoned:
		return into[TicketAbandoned](raw)
	case KindTicketWithdrawn:
		return into[TicketWithdrawn](raw)
	case KindTicketClassSet:
		return into[TicketClassSet](raw)
	case KindTicketReopened:
		return into[TicketReopened](raw)
	case KindTicketClosed:
		return into[TicketClosed](raw)
	case KindTicketRated:
		return into[TicketRated](raw)
	case KindTicketUnrated:
		return into[TicketUnrated](raw)
	}
	return nil, &UnknownKindError{Kind: k, V: v}
}

func into[P Payload](raw json.RawMessage) (Payload, error) {
	var p P
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, &PayloadError{Kind: p.Kind(), Err: err}
	}
	return p, nil
}
