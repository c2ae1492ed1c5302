package ingest

import (
	"context"
	"encoding/json"
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
	var halls []hallsync.HallID
	for _, c := range cursors {
		if !slices.Contains(halls, c.Hall) {
			halls = append(halls, c.Hall)
		}
	}
	total := 0
	for _, hall := range halls {
		err := in.store.Write(ctx, func(tx *store.Tx) error {
			facts, err := in.RebuildHall(tx, hall)
			total += facts
			return err
		})
		if err != nil {
			return total, fmt.Errorf("rebuild: %w", err)
		}
	}
	return total, nil
}

// RebuildHall makes the projections of one hall again.
func (in *Ingester) RebuildHall(tx *store.Tx, hall hallsync.HallID) (int, error) {
	cursors, err := tx.Cursors(hall)
	if err != nil {
		return 0, err
	}
	facts := 0
	if err := clearHall(tx, hall); err != nil {
		return 0, err
	}
	for _, c := range cursors {
		out := outcome{cursor: c}
		n, err := in.refold(tx, &out)
		if err == nil {
			err = tx.PutCursor(out.cursor)
		}
		if err != nil {
			return facts, err
		}
		facts += n
	}
	return facts, nil
}

// refoldAll does so in the middle of a batch, whose cursor is in the outcome.
func (in *Ingester) refoldAll(tx *store.Tx, out *outcome) error {
	if err := tx.PutCursor(out.cursor); err != nil {
		return err
	}
	if _, err := in.RebuildHall(tx, out.cursor.Hall); err != nil {
		return err
	}
	cursors, err := tx.Cursors(out.cursor.Hall)
	if err != nil {
		return err
	}
	for _, c := range cursors {
		if c.Epoch == out.cursor.Epoch {
			out.cursor = c
		}
	}
	out.refold = false
	out.touched |= Tickets | Windows
	return nil
}

func clearHall(tx *store.Tx, hall hallsync.HallID) error {
	if err := tx.ClearProjections(hall); err != nil {
		return err
	}
	return tx.ForgetMissing(hall)
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
// the centre.
func erasedByHall(tx *store.Tx, out *outcome, e store.Event, f hallsync.PersonErased, now time.Time) error {
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
	named := 0
	for _, r := range f.Facts {
		for seq := r.From; seq <= r.To && seq <= out.cursor.Highest && named < maxErased; seq++ {
			named++
			gone, err := sealed.Erase(tx, e.Hall, store.FactRef{Epoch: e.Epoch, Seq: seq}, f.Order)
			if err != nil {
				return err
			}
			if gone {
				order.Facts++
				out.refold = true
			}
		}
	}
	order.Done, order.Args = now, nil
	return tx.PutErasure(order)
}
