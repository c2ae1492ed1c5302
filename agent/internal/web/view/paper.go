package view

import (
	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// PaperState is whether slips come out of a printer.
type PaperState string

// The states.
const (
	PaperOK      PaperState = "ok"
	PaperLow     PaperState = "low"     // the roll is near its end
	PaperUnknown PaperState = "unknown" // it cannot tell, or has not told yet
	PaperOut     PaperState = "out"
	PaperCover   PaperState = "cover_open"
	PaperFault   PaperState = "fault"   // a jammed cutter and the like
	PaperOffline PaperState = "offline" // nobody reaches it
	PaperNone    PaperState = "none"    // there is no printer
)

// Prints says whether a slip is worth trying.
func (s PaperState) Prints() bool { return s == PaperOK || s == PaperLow || s == PaperUnknown }

// Paper is what a kiosk knows before it gives a number: whether the slip will come out, and where. State is that of the printer that
// makes the next slip, the spare one if Spare is true; At is where that one stands, for people, empty if it is here.
type Paper struct {
	State   PaperState `json:"state"`
	Printer string     `json:"printer"`
	Spare   bool       `json:"spare"`
	At      string     `json:"at"`
}

// PaperOf gives the paper of a printer.
func PaperOf(d hallsync.DeviceStatus) PaperState {
	switch {
	case d.State == string(device.Starting), d.State == string(device.OK) && d.Blind:
		return PaperUnknown
	case d.State == string(device.OK):
		return PaperOK
	case d.State != string(device.Degraded):
		return PaperOffline
	}
	switch device.Code(d.Code) {
	case device.CodePaperLow:
		return PaperLow
	case device.CodePaperOut:
		return PaperOut
	case device.CodeCoverOpen:
		return PaperCover
	}
	return PaperFault
}

// Slip is what is known of a ticket's paper beside its state. Code says why it failed. Sure is false for a failed one that may be out all
// the same. At is where it comes out if that is not where it was asked for, Left how many more a kiosk makes; null: no limit.
type Slip struct {
	Code string `json:"code"`
	Sure bool   `json:"sure"`
	At   string `json:"at"`
	Left *int   `json:"left"`
}

// SlipOf shows the paper of a ticket; at names the place of a printer.
func SlipOf(m queue.Moment, t queue.Ticket, at func(printer string) string) Slip {
	v := Slip{Code: t.Slip.Code, Sure: t.Print != hallsync.SlipFailed || t.Slip.Out != hallsync.OutUnknown}
	if t.Slip.Device != "" {
		v.At = at(t.Slip.Device)
	}
	if limit := m.State.Plan().Reprints; limit > 0 {
		left := max(0, limit-t.Slip.Copies)
		v.Left = &left
	}
	return v
}

// Slipless is an open ticket whose slip did not come out, or perhaps did not if Sure is false. Place is where it was wanted.
type Slipless struct {
	Ticket hallsync.TicketID `json:"ticket"`
	Number string            `json:"number"`
	Queue  hallsync.QueueID  `json:"queue"`
	Place  string            `json:"place"`
	Code   string            `json:"code"`
	Sure   bool              `json:"sure"`
}

func sliplessOf(s *queue.State) []Slipless {
	var out []Slipless
	for _, t := range s.FailedSlips() {
		out = append(out, Slipless{
			Ticket: t.ID, Number: t.Number, Queue: t.Queue, Place: t.Printer, Code: t.Slip.Code, Sure: t.Slip.Out != hallsync.OutUnknown,
		})
	}
	return out
}
