package ingest

import (
	"context"
	"fmt"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Rebuild empties the projections and makes them again of the log, in one transaction: hall by hall, epoch by epoch in the order
// they were first seen, up to each cursor. It returns the number of facts read.
func Rebuild(ctx context.Context, st *store.Store) (int, error) {
	cursors, err := st.AllCursors(ctx)
	if err != nil {
		return 0, fmt.Errorf("rebuild: %w", err)
	}
	facts := 0
	err = st.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ClearProjections(); err != nil {
			return err
		}
		for _, c := range cursors {
			n, err := refold(tx, c)
			if err != nil {
				return err
			}
			facts += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("rebuild: %w", err)
	}
	return facts, nil
}

func refold(tx *store.Tx, c store.Cursor) (int, error) {
	facts := 0
	for after := hallsync.Seq(0); ; {
		events, err := tx.EventsAfter(c.Hall, c.Epoch, after, advanceLimit)
		if err != nil {
			return facts, err
		}
		for _, e := range events {
			if e.Seq > c.Contiguous {
				return facts, nil
			}
			if _, err := fold(tx, e); err != nil {
				return facts, err
			}
			facts++
			after = e.Seq
		}
		if len(events) < advanceLimit {
			return facts, nil
		}
	}
}
