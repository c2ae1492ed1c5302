package ingest

import (
	"encoding/json"
	"fmt"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Touched says which projections a fact changed.
type Touched uint8

// The projections.
const (
	Tickets Touched = 1 << iota
	Windows
)

// fold brings one fact into the projections. Facts come in order of epoch and sequence. A fact about a ticket that is not known
// (its beginning is in a gap) changes no ticket; a fact that was refused, whose kind is not known, or that is about a device (the
// live report says how devices are) changes nothing.
func fold(tx *store.Tx, e store.Event) (Touched, error) {
	if e.Refused != "" {
		return 0, nil
	}
	var event hallsync.Event
	if err := json.Unmarshal(e.Body, &event); err != nil {
		return 0, nil //nolint:nilerr // what was stored as readable by another version of this program
	}
	p, err := event.Decode()
	if err != nil {
		return 0, nil //nolint:nilerr // a kind this program does not know
	}
	touched, err := foldPayload(tx, e, p)
	if err != nil {
		return 0, fmt.Errorf("project %s %s/%d: %w", e.Kind, e.Epoch, e.Seq, err)
	}
	return touched, nil
}

func foldPayload(tx *store.Tx, e store.Event, p hallsync.Payload) (Touched, error) {
	switch f := p.(type) {
	case hallsync.DayOpened:
		if err := tx.PutDay(e.Hall, store.Day{BusinessDay: f.BusinessDay, Open: true}); err != nil {
			return 0, err
		}
		if f.Instead != "" { // nothing else changes
			return Tickets, nil
		}
		return Tickets | Windows, tx.FreeAllWindows(e.Hall)
	case hallsync.DayClosed:
		return Tickets, tx.PutDay(e.Hall, store.Day{BusinessDay: f.BusinessDay})
	case hallsync.TicketTaken:
		return Tickets, tx.PutTicket(taken(e, f))
	case hallsync.WindowWasOpened, hallsync.WindowWasClosed, hallsync.WindowWasPaused, hallsync.WindowWasUnpaused:
		return Windows, foldWindow(tx, e, p)
	}
	return foldTicket(tx, e, p)
}

func foldTicket(tx *store.Tx, e store.Event, p hallsync.Payload) (Touched, error) {
	id := p.Subject().Ticket
	if id == "" {
		return 0, nil
	}
	k, known, err := tx.Ticket(e.Hall, id)
	if err != nil || !known {
		return 0, err
	}
	place := move(&k, e, p)
	if err := tx.PutTicket(k); err != nil {
		return 0, err
	}
	if place == stays {
		return Tickets, addCall(tx, e, p, k)
	}
	if err := tx.FreeWindows(e.Hall, id, e.At); err != nil {
		return 0, err
	}
	if place == enters {
		w, err := window(tx, e.Hall, k.Window)
		if err != nil {
			return 0, err
		}
		w.Ticket, w.Since = id, e.At
		if err := tx.PutWindow(w); err != nil {
			return 0, err
		}
	}
	return Tickets | Windows, addCall(tx, e, p, k)
}

func addCall(tx *store.Tx, e store.Event, p hallsync.Payload, k store.Ticket) error {
	c := store.Call{Hall: e.Hall, Epoch: e.Epoch, Seq: e.Seq, At: e.At, Ticket: k.ID, Number: k.Number, Queue: k.Queue, Window: k.Window}
	switch f := p.(type) {
	case hallsync.TicketCalled:
		c.How, c.Times, c.Rule, c.WaitedS = f.How, 1, f.Why.Rule, f.Why.WaitedS
	case hallsync.TicketRecalled:
		c.How, c.Times = "recall", f.Times
	default:
		return nil
	}
	return tx.AddCall(c)
}

// window reads a window, or begins its record with its first fact.
func window(tx *store.Tx, hall hallsync.HallID, id hallsync.WindowID) (store.Window, error) {
	w, known, err := tx.Window(hall, id)
	if !known {
		w = store.Window{Hall: hall, ID: id, State: hallsync.WindowClosed}
	}
	return w, err
}

func foldWindow(tx *store.Tx, e store.Event, p hallsync.Payload) error {
	w, err := window(tx, e.Hall, p.Subject().Window)
	if err != nil {
		return err
	}
	w.Since, w.Reason = e.At, ""
	switch f := p.(type) {
	case hallsync.WindowWasOpened:
		w.State, w.Staff = hallsync.WindowOpen, f.By.Staff
	case hallsync.WindowWasClosed:
		w.State, w.Staff = hallsync.WindowClosed, ""
	case hallsync.WindowWasPaused:
		w.State, w.Reason = hallsync.WindowPaused, f.Reason
	case hallsync.WindowWasUnpaused:
		w.State = hallsync.WindowOpen
	}
	return tx.PutWindow(w)
}
