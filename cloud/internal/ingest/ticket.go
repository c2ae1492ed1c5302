package ingest

import (
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// place is what a fact does to the window a ticket is at.
type place int

const (
	stays  place = iota // where it is
	enters              // the window of the fact
	leaves              // any window
)

func taken(e store.Event, f hallsync.TicketTaken) store.Ticket {
	slip := hallsync.SlipNone
	if f.Printer != "" {
		slip = hallsync.SlipPending
	}
	return store.Ticket{
		Hall: e.Hall, ID: f.Ticket, Number: f.Number, FlowNo: f.FlowNo, BusinessDay: f.BusinessDay, Queue: f.Queue,
		Class: f.Class, Channel: f.Channel, Place: f.Place, Proof: f.Proof, State: hallsync.Waiting, Taken: e.At, Print: slip,
	}
}

// move changes a ticket by a fact about it. The hall decided; nothing is checked here.
func move(k *store.Ticket, e store.Event, p hallsync.Payload) place {
	at := e.At
	switch f := p.(type) {
	case hallsync.TicketCalled:
		k.State, k.Window, k.Calls = hallsync.Called, f.Window, k.Calls+1
		if k.Called == nil {
			k.Called = &at
		}
		return enters
	case hallsync.TicketRecalled:
		k.Calls++
		return stays
	case hallsync.TicketStarted:
		k.State, k.Started = hallsync.Serving, &at
		return stays
	case hallsync.TicketFinished:
		k.State, k.Ended, k.ServiceS = hallsync.Done, &at, &f.ServiceS
		return leaves
	case hallsync.TicketPassed:
		k.State = hallsync.Passed
		return leaves
	case hallsync.TicketRequeued:
		k.State, k.Window = hallsync.Waiting, ""
		return leaves
	case hallsync.TicketTransferred:
		k.State, k.Queue, k.Window = hallsync.Waiting, f.Queue, f.Window
		return leaves
	case hallsync.TicketHeld:
		k.State = hallsync.Held
		return leaves
	case hallsync.TicketResumed:
		k.State, k.Window = hallsync.Serving, f.Window
		return enters
	case hallsync.TicketAbandoned:
		k.State, k.Window, k.Ended = hallsync.Abandoned, f.Window, &at
		return leaves
	case hallsync.TicketWithdrawn:
		k.State, k.Ended = hallsync.Withdrawn, &at
		return leaves
	case hallsync.TicketClosed:
		k.State, k.Ended = hallsync.Closed, &at
		return leaves
	case hallsync.TicketReopened:
		return reopen(k, f)
	case hallsync.TicketClassSet:
		k.Class = f.Class
	case hallsync.TicketRated:
		k.Grade = f.Grade
	case hallsync.SlipAsked:
		k.Reprints, k.Print = f.Copy, hallsync.SlipPending
	case hallsync.SlipChanged:
		k.Print = f.State
	}
	return stays
}

func reopen(k *store.Ticket, f hallsync.TicketReopened) place {
	k.State, k.Ended, k.ServiceS = f.To, nil, nil
	if f.To == hallsync.Waiting {
		k.Window = ""
		return leaves
	}
	k.Window = f.Window
	return enters
}
