package queue

import (
	"fmt"

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
	WindowClosed      Code = "window_closed"
	WindowBusy        Code = "window_busy"
	WindowNotEntitled Code = "window_not_entitled"
	NoTicket          Code = "no_ticket"
	TicketOtherWindow Code = "ticket_other_window"
	TicketState       Code = "ticket_state"
	TicketJustCalled  Code = "ticket_just_called"
	SlipBusy          Code = "slip_busy"
	AlreadyRated      Code = "already_rated"
	DayNotOpen        Code = "day_not_open" // the caller must turn the day first
)

// Refusal says why a command has no facts. Nothing has changed.
type Refusal struct {
	Code   Code
	Ticket hallsync.TicketID    // the ticket in question, if any
	State  hallsync.TicketState // its state
	Window hallsync.WindowID    // the window in question, if any
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("refused: %s (ticket %s %s, window %s)", r.Code, r.Ticket, r.State, r.Window)
}

func refuse(c Code) *Refusal { return &Refusal{Code: c} }

func refuseWindow(c Code, w hallsync.WindowID) *Refusal { return &Refusal{Code: c, Window: w} }

func refuseTicket(c Code, t *Ticket) *Refusal {
	return &Refusal{Code: c, Ticket: t.ID, State: t.State, Window: t.Window}
}
