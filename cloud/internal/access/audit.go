package access

import (
	"context"
	"fmt"
	"time"

	"halledge/cloud/internal/store"
)

const (
	pruneEvery = time.Hour
	pruneStep  = 500 // lines in one write, so that no other write waits for long
)

// Note writes into the audit what somebody who is in does. The line's time and actor are set here.
func (d *Desk) Note(ctx context.Context, who Who, a store.Audit) error {
	a.At, a.Actor, a.By = d.now(), who.User, who.By
	if err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.AddAudit(a) }); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// prune drops what the audit has kept long enough.
func (d *Desk) prune(ctx context.Context, now time.Time) error {
	if d.keep == 0 {
		return nil
	}
	before, total := now.Add(-d.keep), 0
	for {
		dropped := 0
		err := d.store.Write(ctx, func(tx *store.Tx) (err error) {
			dropped, err = tx.PruneAudit(before, pruneStep)
			return err
		})
		if err != nil {
			return fmt.Errorf("prune audit: %w", err)
		}
		if total += dropped; dropped == 0 {
			break
		}
	}
	if total > 0 {
		d.log.Info("audit pruned", "lines", total, "before", before)
	}
	return nil
}
