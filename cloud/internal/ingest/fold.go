package ingest

import (
	"errors"
	"fmt"
	"time"

	"halledge/cloud/internal/said"
	"halledge/cloud/internal/sealed"
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

// bring brings one fact into the projections. Facts come in order of epoch and sequence. A fact about a ticket that is not known
// (its beginning is in a gap) changes no ticket; a fact that was refused, that was erased or whose key is not known, whose kind is not known, or
// that is about a device (the live report says how devices are) changes nothing. What a sealed fact says is judged here, and it may be refused.
func (in *Ingester) bring(tx *store.Tx, out *outcome, e store.Event, fact hallsync.Event, keys sealed.Source, now time.Time) error {
	if e.Refused != "" || e.Erased != "" {
		return nil
	}
	p, refused, err := in.read(tx, &out.cursor, e, fact, keys, now)
	if err != nil {
		return err
	}
	if refused != "" {
		out.cursor.Refused++
		out.reject(e.Seq, refused)
		return tx.RefuseEvent(e.Hall, e.Epoch, e.Seq, refused)
	}
	if p == nil {
		return nil
	}
	touched, err := in.fold(tx, out, e, p, now)
	if err != nil {
		return fmt.Errorf("project %s %s/%d: %w", e.Kind, e.Epoch, e.Seq, err)
	}
	out.touched |= touched
	return nil
}

// read gives what a fact says, nil for nothing that concerns the projections, or the code under which it is refused.
func (in *Ingester) read(
	tx *store.Tx, c *store.Cursor, e store.Event, fact hallsync.Event, keys sealed.Source, now time.Time,
) (p hallsync.Payload, refused string, err error) {
	if fact.Sealed == nil && fact.Erased == nil && !fact.Kind.InClear() && (in.required || c.SealedFrom > 0 && e.Seq > c.SealedFrom) {
		return nil, FactUnsealed, nil
	}
	opened, err := in.opener.OpenFact(fact, keys)
	var no *sealed.Error
	var erased *hallsync.ErasedError
	switch {
	case errors.As(err, &erased):
		return nil, "", nil
	case errors.As(err, &no) && no.Why == sealed.KeyUnknown:
		return nil, "", tx.MissKey(e.Hall, no.Key, now)
	case errors.As(err, &no) && no.Why == sealed.KeyDestroyed:
		return nil, "", nil
	case errors.As(err, &no):
		return nil, FactUnsealable, nil
	case err != nil:
		return nil, "", err
	}
	if p, refused = decode(opened); p != nil {
		p = said.Bounded(p) // the fact itself stays as it came
	}
	return p, refused, nil
}

// fold does with a fact what its kind asks for.
func (in *Ingester) fold(tx *store.Tx, out *outcome, e store.Event, p hallsync.Payload, now time.Time) (Touched, error) {
	switch f := p.(type) {
	case hallsync.KeyMade:
		if out.cursor.SealedFrom == 0 {
			out.cursor.SealedFrom = e.Seq
		}
		return 0, nil
	case hallsync.PersonErased:
		return Tickets | Windows, in.erasedByHall(tx, out, e, f, now)
	}
	return foldPayload(tx, e, p)
}

func foldPayload(tx *store.Tx, e store.Event, p hallsync.Payload) (Touched, error) {
	switch f := p.(type) {
	case hallsync.DayOpened:
		if err := tx.PutDay(e.Hall, store.Day{BusinessDay: f.BusinessDay, Open: true, Thousands: thousands(f)}); err != nil {
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

// perLog is how many numbers of a day a hall keeps for each log, above what any queue gives on it.
const perLog = 1000

// thousands counts those that a hall has begun on a day when it opens it, or goes on with it behind more numbers.
func thousands(f hallsync.DayOpened) int { return max(f.After, 0)/perLog + 1 }

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
	w.Since, w.Said = e.At, store.FactRef{}
	switch f := p.(type) {
	case hallsync.WindowWasOpened:
		w.State, w.Staff = hallsync.WindowOpen, f.By.Staff
	case hallsync.WindowWasClosed:
		w.State, w.Staff = hallsync.WindowClosed, ""
	case hallsync.WindowWasPaused:
		w.State = hallsync.WindowPaused
		if f.Reason != "" {
			w.Said = store.FactRef{Epoch: e.Epoch, Seq: e.Seq}
		}
	case hallsync.WindowWasUnpaused:
		w.State = hallsync.WindowOpen
	}
	return tx.PutWindow(w)
}
