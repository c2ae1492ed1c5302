package queue

import (
	"fmt"
	"time"

	"halledge/agent/internal/queue/admit"
	"halledge/firmware-protocols/hallsync"
)

// Code is the stable reason of a refusal; messages/zh-CN.yaml has a sentence for each.
type Code string

// The refusals: what is not there, what is wrong with the command itself, the window, and at last the ticket.
const (
	UnknownQueue      Code = "unknown_queue"
	UnknownWindow     Code = "unknown_window"
	UnknownTicket     Code = "unknown_ticket"
	ClassInvalid      Code = "class_invalid"
	ChannelInvalid    Code = "channel_invalid"
	GradeInvalid      Code = "grade_invalid"
	TargetRequired    Code = "target_required"
	ReasonRequired    Code = "reason_required"
	StepRepeated      Code = "step_repeated" // one number for the same thing twice
	WindowClosed      Code = "window_closed"
	WindowBusy        Code = "window_busy"
	WindowChanged     Code = "window_changed" // another ticket is there than the one it was meant for
	WindowNotEntitled Code = "window_not_entitled"
	NoTicket          Code = "no_ticket"
	TicketOtherWindow Code = "ticket_other_window"
	TicketState       Code = "ticket_state"
	TicketJustCalled  Code = "ticket_just_called"
	RecallTooSoon     Code = "recall_too_soon"
	RecallLimit       Code = "recall_limit"
	SlipBusy          Code = "slip_busy"
	SlipJustPrinted   Code = "slip_just_printed"
	ReprintLimit      Code = "reprint_limit"
	AlreadyRated      Code = "already_rated"
	DayNotOpen        Code = "day_not_open" // the caller must turn the day first
	QueueClosed       Code = Code(admit.Closed)
	QuotaUsed         Code = Code(admit.QuotaUsed)
	SlotQuotaUsed     Code = Code(admit.SlotQuotaUsed)
	ClosingSoon       Code = Code(admit.ClosingSoon)
	AlreadyWaiting    Code = "already_waiting"
	TooManyOpen       Code = "too_many_open"
	PersonBlocked     Code = "person_blocked"
	PersonRequired    Code = "person_required"
	BookingInvalid    Code = "booking_invalid"
	BookingUnknown    Code = "booking_unknown"
	BookingUsed       Code = "booking_used"
	BookingEarly      Code = "booking_early"
	ClockFar          Code = "clock_far"
	PlanChanged       Code = "plan_changed"  // by somebody else meanwhile
	QueueWaiting      Code = "queue_waiting" // somebody still waits in a queue that shall go
	ClockUnknown      Code = "clock_unknown" // nobody knows what day it is
)

// Refusal says why a command has no facts. Nothing has changed.
type Refusal struct {
	Code   Code
	Ticket hallsync.TicketID    // the ticket in question, if any
	State  hallsync.TicketState // its state
	Window hallsync.WindowID    // the window in question, if any
	Queue  hallsync.QueueID     // the queue in question, if any
	People int                  // how many wait in it
	After  time.Duration        // when it may be tried again, if that is all
	Opens  time.Time            // from when it is possible, if it is today
	Closes time.Time            // until when it was
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("refused: %s (ticket %s %s, window %s)", r.Code, r.Ticket, r.State, r.Window)
}

func refuse(c Code) *Refusal { return &Refusal{Code: c} }

func refuseWindow(c Code, w hallsync.WindowID) *Refusal { return &Refusal{Code: c, Window: w} }

func refuseTicket(c Code, t *Ticket) *Refusal {
	return &Refusal{Code: c, Ticket: t.ID, State: t.State, Window: t.Window}
}
