// Package term forgets in time: when the term of a day is over, the keys of what halls said on that day are destroyed, and with them whatever
// is sealed with them, here and in every copy (PIPL articles 19 and 47). It also wraps keys anew after the vault's were rotated, and signs the
// chain of the audit.
package term

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	signEvery  = time.Minute // looks whether it is time for a checkpoint of the audit
	termEvery  = 6 * time.Hour
	step       = 200 // keys in one write, so that no other write waits for long
	vouchedFor = 24 * time.Hour
	maxSkew    = time.Hour

	scrubPatience = 10 * time.Second
)

// By is how the centre itself comes into the audit.
const By = "system"

// Options are the parts of a Keeper.
type Options struct {
	Store   *store.Store
	Vault   *vault.Vault
	Opener  *sealed.Opener
	Days    int              // the term of facts; 0: for ever
	Now     func() time.Time // nil: time.Now
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Keeper forgets. Run it once.
type Keeper struct {
	o         Options
	destroyed prometheus.Counter
}

// New makes a Keeper.
func New(o Options) *Keeper {
	if o.Now == nil {
		o.Now = time.Now
	}
	k := &Keeper{o: o, destroyed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hall_cloud_data_keys_destroyed_total", Help: "Data keys whose term was over.",
	})}
	o.Metrics.MustRegister(k.destroyed)
	return k
}

// Run keeps the terms until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(signEvery)
	defer tick.Stop()
	kept := time.Time{}
	for {
		now := k.o.Now()
		if err := k.Sign(ctx); err != nil && ctx.Err() == nil {
			k.o.Log.Error("audit not signed", "error", err)
		}
		if now.Sub(kept).Abs() >= termEvery {
			if _, err := k.Keep(ctx); err != nil && ctx.Err() == nil {
				k.o.Log.Error("terms not kept", "error", err)
			}
			kept = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sign signs where the audit's chain is, if it is time.
func (k *Keeper) Sign(ctx context.Context) error {
	_, err := k.o.Store.CheckpointAudit(ctx, k.o.Now(), k.o.Vault.Checkpoint)
	return err
}

// Kept says what was done.
type Kept struct {
	Destroyed int  // data keys
	Tickets   int  // dropped with them
	Erased    int  // facts that were never sealed
	Rewrapped int  // data keys wrapped for the vault's key in force
	Indexes   int  // keys of indexes of people, likewise
	Waits     bool // nobody vouches for the clock: nothing was destroyed
}

// Keep destroys what is over and wraps the rest anew. Nothing is destroyed by a clock that no hall agrees with: what is gone stays gone.
func (k *Keeper) Keep(ctx context.Context) (kept Kept, err error) {
	now := k.o.Now()
	if kept.Rewrapped, err = k.rewrap(ctx); err != nil {
		return kept, fmt.Errorf("wrap data keys anew: %w", err)
	}
	if kept.Indexes, err = k.rewrapIndexes(ctx); err != nil {
		return kept, fmt.Errorf("wrap index keys anew: %w", err)
	}
	if k.o.Days == 0 {
		return kept, nil
	}
	sure, err := k.vouched(ctx, now)
	if err != nil {
		return kept, err
	}
	if !sure {
		kept.Waits = true
		k.o.Log.Warn("terms wait: no hall has been heard whose clock agrees")
		return kept, nil
	}
	first := now.UTC().AddDate(0, 0, -k.o.Days) // of those that stay
	day := first.Format(time.DateOnly)
	if kept.Destroyed, err = k.destroy(ctx, day, now); err != nil {
		return kept, fmt.Errorf("destroy data keys: %w", err)
	}
	if kept.Erased, err = k.erase(ctx, first.Truncate(24*time.Hour), day, now); err != nil {
		return kept, fmt.Errorf("erase facts in the clear: %w", err)
	}
	err = k.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		kept.Tickets, err = tx.DropTickets(day, first.Truncate(24*time.Hour))
		return err
	})
	if err != nil {
		return kept, fmt.Errorf("drop tickets: %w", err)
	}
	if kept.Destroyed+kept.Tickets+kept.Erased == 0 {
		return kept, nil
	}
	k.destroyed.Add(float64(kept.Destroyed))
	k.o.Log.Info("terms kept", "keys", kept.Destroyed, "facts", kept.Erased, "tickets", kept.Tickets, "before", day)
	return kept, k.o.Store.Scrub(ctx, scrubPatience)
}

// vouched reports whether a hall that was heard of late has a clock that agrees with ours.
func (k *Keeper) vouched(ctx context.Context, now time.Time) (bool, error) {
	cursors, err := k.o.Store.AllCursors(ctx)
	if err != nil {
		return false, err
	}
	for _, c := range cursors {
		if c.Skew != nil && c.Skew.Abs() <= maxSkew && now.Sub(c.Received).Abs() <= vouchedFor {
			return true, nil
		}
	}
	return false, nil
}

// destroy destroys the keys of days before one: their rows lose the wraps, and the facts that told them lose their bodies, by an order that
// the hall's chain can name.
func (k *Keeper) destroy(ctx context.Context, day string, now time.Time) (int, error) {
	total := 0
	for {
		keys, err := k.o.Store.DataKeys(ctx, day, store.DataKey{}, step)
		if err != nil || len(keys) == 0 {
			return total, err
		}
		err = k.o.Store.Write(ctx, func(tx *store.Tx) error {
			for _, key := range keys {
				if err := forget(tx, key, day, now); err != nil {
					return err
				}
			}
			return tx.AddAudit(store.Audit{At: now, Actor: "hall-cloud", By: By, Action: store.ActionKeysDestroy, Subject: "before " + day, Result: "ok"})
		})
		if err != nil {
			return total, err
		}
		for _, key := range keys {
			k.o.Opener.Forget(key.Hall, key.Key)
		}
		total += len(keys)
	}
}

func forget(tx *store.Tx, key store.DataKey, day string, now time.Time) error {
	if err := tx.DestroyDataKey(key.Hall, key.Key, now); err != nil {
		return err
	}
	return sealed.EraseTold(tx, key.Hall, key.Key, day, now)
}

// erase takes the bodies of facts that came in the clear before a time.
func (k *Keeper) erase(ctx context.Context, before time.Time, day string, now time.Time) (int, error) {
	for total := 0; ; {
		count := 0
		err := k.o.Store.Write(ctx, func(tx *store.Tx) error {
			facts, err := tx.ClearBefore(before, step)
			if err != nil {
				return err
			}
			count = len(facts)
			for _, e := range facts {
				if err := eraseClear(tx, e, day, now); err != nil {
					return err
				}
			}
			return nil
		})
		if total += count; err != nil || count == 0 {
			return total, err
		}
	}
}

func eraseClear(tx *store.Tx, e store.Event, day string, now time.Time) error {
	order, err := sealed.TermOrder(tx, e.Hall, day, now)
	if err != nil {
		return err
	}
	at := store.FactRef{Epoch: e.Epoch, Seq: e.Seq}
	gone, err := sealed.Erase(tx, e.Hall, at, order.ID)
	if err == nil && !gone {
		gone, err = empty(tx, e.Hall, at, order.ID)
	}
	if err != nil {
		return err
	}
	if gone {
		order.Facts++
	}
	return tx.PutErasure(order)
}

// empty takes everything of what never was a fact that the chain could take, and reports that it did. A fact that its hall had erased before it
// came stays as it is: it has nothing left but its place in the chain.
func empty(tx *store.Tx, hall hallsync.HallID, at store.FactRef, order string) (bool, error) {
	e, found, err := tx.Event(hall, at)
	if err != nil || !found {
		return false, err
	}
	var fact hallsync.Event
	if json.Unmarshal(e.Body, &fact) == nil && fact.Erased != nil {
		return false, tx.EraseEvent(hall, at.Epoch, at.Seq, order, e.Body)
	}
	return true, tx.EraseEvent(hall, at.Epoch, at.Seq, order, []byte("{}"))
}
