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
	// lookAgain is how soon is found what another process owes.
	lookAgain = time.Minute
)

// Run makes the projections again that are owed, until ctx ends.
func (in *Ingester) Run(ctx context.Context) error {
	for {
		next, err := in.Pay(ctx)
		if err != nil && ctx.Err() == nil {
			in.log.Error("projections not made again", "error", err)
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-in.owing:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// Pay makes the projections again that are owed: of each hall that is not left alone yet, one after the other, between the facts of all. It
// says when there is more to do. Run does so by itself.
func (in *Ingester) Pay(ctx context.Context) (next time.Duration, err error) {
	in.paying.Lock()
	defer in.paying.Unlock()
	owed, err := in.store.OwedRebuilds(ctx)
	if err != nil {
		return again, fmt.Errorf("read what is owed: %w", err)
	}
	next = lookAgain
	for _, hall := range owed {
		wait := in.rested[hall].Sub(in.now())
		if wait <= 0 {
			var failed error
			if wait, failed = in.payHall(ctx, hall); failed == nil {
				continue
			}
			err = errors.Join(err, failed)
		}
		next = min(next, wait)
	}
	for hall, until := range in.rested {
		if !until.After(in.now()) {
			delete(in.rested, hall)
		}
	}
	return next, err
}

// payHall makes the projections of one hall again, and has it left alone after that.
func (in *Ingester) payHall(ctx context.Context, hall hallsync.HallID) (wait time.Duration, err error) {
	took := time.Duration(0)
	err = in.store.Write(ctx, func(tx *store.Tx) error {
		begun := in.now() // it does not pay for having waited
		_, err := in.RebuildHall(tx, hall)
		took = in.now().Sub(begun)
		return err
	})
	wait = rest * took
	if err != nil {
		wait = max(wait, again)
	}
	in.rested[hall] = in.now().Add(wait)
	if err != nil {
		return wait, fmt.Errorf("hall %s: %w", hall, err)
	}
	in.metrics.rebuilds.Inc()
	in.changed(hall, Tickets|Windows)
	return wait, nil
}

// owes notes that the projections of the hall are to be made again: not now, when everybody waits for the writer.
func (out *outcome) owes(tx *store.Tx, hall hallsync.HallID, now time.Time) error {
	out.owing = true
	return tx.OweRebuild(hall, now)
}

// kick has Run look at once.
func (in *Ingester) kick() {
	select {
	case in.owing <- struct{}{}:
	default:
	}
}
