package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"halledge/agent/kit/chain"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Rebuild empties the projections and makes them again of the log, a hall in one transaction: epoch by epoch in the order they were first
// seen, up to each cursor. It returns the number of facts read.
func (in *Ingester) Rebuild(ctx context.Context) (int, error) {
	cursors, err := in.store.AllCursors(ctx)
	if err != nil {
		return 0, fmt.Errorf("rebuild: %w", err)
	}
	erased := false
	var halls []hallsync.HallID
	for _, c := range cursors {
		if !slices.Contains(halls, c.Hall) {
			halls = append(halls, c.Hall)
		}
	}
	total := 0
	for _, hall := range halls {
		err := in.store.Write(ctx, func(tx *store.Tx) error {
			facts, some, err := in.rebuildHall(tx, hall)
			total, erased = total+facts, erased || some
			return err
		})
		if err != nil {
			return total, fmt.Errorf("rebuild: %w", err)
		}
	}
	if erased {
		in.erased()
	}
	return total, nil
}

// RebuildHall makes the projections of one hall again, which pays what is owed of it. Whoever calls it has the journal of the database emptied.
func (in *Ingester) RebuildHall(tx *store.Tx, hall hallsync.HallID) (int, error) {
	facts, _, err := in.rebuildHall(tx, hall)
	return facts, err
}

// rebuildHall says too whether facts were erased: an answer of the hall may be readable for the first time.
func (in *Ingester) rebuildHall(tx *store.Tx, hall hallsync.HallID) (facts int, erased bool, err error) {
	cursors, err := tx.Cursors(hall)
	if err != nil {
		return 0, false, err
	}
	if err := clearHall(tx, hall); err != nil {
		return 0, false, err
	}
	for _, c := range cursors {
		out := outcome{cursor: c}
		n, err := in.refold(tx, &out)
		if err == nil {
			err = tx.PutCursor(out.cursor)
		}
		if err != nil {
			return facts, erased, err
		}
		facts, erased = facts+n, erased || out.erased
	}
	return facts, erased, nil
}

func clearHall(tx *store.Tx, hall hallsync.HallID) error {
	if err := tx.ClearProjections(hall); err != nil {
		return err
	}
	return errors.Join(tx.ForgetMissing(hall), tx.PayRebuild(hall))
}

func (in *Ingester) refold(tx *store.Tx, out *outcome) (int, error) {
	facts, now, keys := 0, in.now(), remember(tx.DataKey)
	for after := hallsync.Seq(0); ; {
		events, err := tx.EventsAfter(out.cursor.Hall, out.cursor.Epoch, after, advanceLimit)
		if err != nil {
			return facts, err
		}
		for _, e := range events {
			if e.Seq > out.cursor.Contiguous {
				return facts, nil
			}
			var fact hallsync.Event
			if json.Unmarshal(e.Body, &fact) == nil { // or what was stored as readable by another version of this program
				if err := in.bring(tx, out, e, fact, keys, now); err != nil {
					return facts, err
				}
			}
			facts++
			after = e.Seq
		}
		if len(events) < advanceLimit {
			return facts, nil
		}
	}
}

// maxErased bounds the facts that one answer of a hall names.
const maxErased = 1 << 16

// erasedByHall is the answer of a hall to an order to erase a person: what it names goes at the centre too. Nothing goes without an order of
// the centre. The tickets that it says something of are dropped at once; those of which there is more come back when the projections are made
// again.
func (in *Ingester) erasedByHall(tx *store.Tx, out *outcome, e store.Event, f hallsync.PersonErased, now time.Time) error {
	order, found, err := tx.Erasure(f.Order)
	switch {
	case err != nil:
		return err
	case !found || order.Hall != e.Hall || order.Kind != store.ErasePerson:
		fault := store.ChainFault{Hall: e.Hall, Epoch: e.Epoch, Seq: e.Seq, Kind: string(chain.Unordered), At: now}
		added, err := tx.AddChainFault(fault)
		if added {
			out.cursor.Faults++
			out.faults = append(out.faults, fault)
		}
		return err
	case !order.Done.IsZero():
		return nil
	}
	named, before := 0, order.Facts
	for _, r := range f.Facts {
		for seq := r.From; seq <= r.To && seq < e.Seq && named < maxErased; seq++ { // what comes behind it, it cannot know
			named++
			gone, err := in.eraseFact(tx, e.Hall, store.FactRef{Epoch: e.Epoch, Seq: seq}, f.Order)
			if err != nil {
				return err
			}
			if gone {
				order.Facts++
			}
		}
	}
	order.Done, order.Args = now, nil
	if err := tx.PutErasure(order); err != nil || order.Facts == before {
		return err
	}
	out.erased = true
	return out.owes(tx, e.Hall, now)
}

// eraseFact erases one fact and drops the ticket that it is about. A fact that nobody can read was not in the projections.
func (in *Ingester) eraseFact(tx *store.Tx, hall hallsync.HallID, at store.FactRef, order string) (gone bool, err error) {
	e, found, err := tx.Event(hall, at)
	if err != nil || !found {
		return false, err
	}
	opened, err := in.opener.Open(e, tx.DataKey)
	var no *sealed.Error
	var erased *hallsync.ErasedError
	if err != nil && !errors.As(err, &no) && !errors.As(err, &erased) {
		return false, err
	}
	if gone, err := sealed.Erase(tx, hall, at, order); err != nil || !gone {
		return false, err
	}
	if p, _ := decode(opened); p != nil && p.Subject().Ticket != "" {
		return true, tx.DropTicket(hall, p.Subject().Ticket)
	}
	return true, nil
}
