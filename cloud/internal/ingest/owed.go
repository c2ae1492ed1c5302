package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	// rest is how many times as long as a hall's last rebuild took it is left alone after it: a hall that has its projections made again and
	// again gets a tenth of the writer, which all halls share.
	rest = 9
	// again is how soon a rebuild is tried once more that failed.
	again = 10 * time.Second
	// scrubPatience is for how long everybody waits while a reader holds the journal of the database.
	scrubPatience = 500 * time.Millisecond
	// lookAgain is how soon is found what another process owes.
	lookAgain = time.Minute
)

// Run makes the projections again that are owed, until ctx ends. It leaves the writer to everybody else for as long as it has used it. What was
// erased goes out of the journal of the database too, also what the process before left there.
func (in *Ingester) Run(ctx context.Context) error {
	in.unclean.Store(true)
	for {
		paid, next, err := in.payNext(ctx)
		if err != nil && ctx.Err() == nil {
			in.log.Error("projections not made again", "error", err)
		}
		if err := in.scrub(ctx); err != nil && ctx.Err() == nil {
			in.log.Warn("what was erased is still in the journal of the database", "error", err)
			next = min(next, again)
		}
		kicked := in.owing
		if paid {
			kicked = nil
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-kicked:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// Pay makes the projections again that are owed, of all halls that are not left alone yet, and says when there is more to do.
func (in *Ingester) Pay(ctx context.Context) (next time.Duration, err error) {
	for {
		paid, next, failed := in.payNext(ctx)
		if err = errors.Join(err, failed); !paid {
			return next, err
		}
	}
}

// payNext makes the projections of the hall again that waits longest of those that are not left alone, in one transaction between the facts of
// all, and says how long that took. There was none: it says when there may be one.
func (in *Ingester) payNext(ctx context.Context) (paid bool, next time.Duration, err error) {
	in.paying.Lock()
	defer in.paying.Unlock()
	owed, err := in.store.OwedRebuilds(ctx)
	if err != nil {
		return false, again, fmt.Errorf("read what is owed: %w", err)
	}
	now := in.now()
	for hall, until := range in.rested {
		if !until.After(now) {
			delete(in.rested, hall)
		}
	}
	next = lookAgain
	for _, hall := range owed {
		until, rests := in.rested[hall]
		if !rests {
			took, err := in.payHall(ctx, hall)
			return true, took, err
		}
		next = min(next, until.Sub(now))
	}
	return false, next, nil
}

// payHall makes the projections of one hall again, and has it left alone after that.
func (in *Ingester) payHall(ctx context.Context, hall hallsync.HallID) (took time.Duration, err error) {
	erased := false
	err = in.store.Write(ctx, func(tx *store.Tx) (err error) {
		begun := in.now() // it does not pay for having waited
		_, erased, err = in.rebuildHall(tx, hall)
		took = in.now().Sub(begun)
		return err
	})
	wait := rest * took
	if err != nil {
		wait = max(wait, again)
	}
	in.rested[hall] = in.now().Add(wait)
	if err != nil {
		return took, fmt.Errorf("hall %s: %w", hall, err)
	}
	in.metrics.rebuilds.Inc()
	if erased {
		in.erased()
	}
	in.changed(hall, Tickets|Windows)
	return took, nil
}

// owes notes that the projections of the hall are to be made again: not now, when everybody waits for the writer.
func (out *outcome) owes(tx *store.Tx, hall hallsync.HallID, now time.Time) error {
	out.owing = true
	return tx.OweRebuild(hall, now)
}

// erased has Run empty the journal of the database. It is told after the commit, or what is emptied would not have it yet.
func (in *Ingester) erased() {
	in.unclean.Store(true)
	in.kick()
}

// scrub empties the journal if it may keep what was erased.
func (in *Ingester) scrub(ctx context.Context) error {
	if !in.unclean.Swap(false) {
		return nil
	}
	err := in.store.Scrub(ctx, scrubPatience)
	if err != nil {
		in.unclean.Store(true)
	}
	return err
}

// kick has Run look at once.
func (in *Ingester) kick() {
	select {
	case in.owing <- struct{}{}:
	default:
	}
}
