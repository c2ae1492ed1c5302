package store

import (
	"context"
	"database/sql"
	"fmt"

	"halledge/firmware-protocols/hallsync"
)

// Verification is the result of reading the whole log.
type Verification struct {
	Halls   int
	Events  int
	Refused int
	Faults  []Fault
}

// What can be wrong with the stored log.
const (
	FaultHash = "hash" // the bytes are not those that came
	FaultHole = "hole" // a fact below the cursor is missing and not known to be gone
)

// Fault is one thing that is wrong: What is FaultHash or FaultHole.
type Fault struct {
	Hall  hallsync.HallID
	Epoch string
	Seq   hallsync.Seq
	What  string
}

// maxFaults bounds what Verify lists.
const maxFaults = 1000

// Verify reads every fact and compares its bytes with the hash stored when it came, and the log with the cursors.
func (s *Store) Verify(ctx context.Context) (Verification, error) {
	var v Verification
	cursors, err := s.AllCursors(ctx)
	if err != nil {
		return v, err
	}
	halls := map[hallsync.HallID]bool{}
	for _, c := range cursors {
		halls[c.Hall] = true
		if err := s.verifyEpoch(ctx, c, &v); err != nil {
			return v, fmt.Errorf("verify %s epoch %s: %w", c.Hall, c.Epoch, err)
		}
	}
	v.Halls = len(halls)
	return v, nil
}

func (s *Store) verifyEpoch(ctx context.Context, c Cursor, v *Verification) error {
	fault := func(seq hallsync.Seq, what string) {
		if len(v.Faults) < maxFaults {
			v.Faults = append(v.Faults, Fault{Hall: c.Hall, Epoch: c.Epoch, Seq: seq, What: what})
		}
	}
	gone, err := s.gone(ctx, c.Hall, c.Epoch)
	if err != nil {
		return err
	}
	next := hallsync.Seq(1)
	reach := func(seq hallsync.Seq) {
		for next < seq && len(v.Faults) < maxFaults {
			if end, ok := gone[next]; ok {
				next = end + 1
				continue
			}
			fault(next, FaultHole)
			next++
		}
	}
	err = s.query(ctx, `SELECT seq, kind, v, at_ms, received_ms, hash, refused, body FROM events
		WHERE hall = $1 AND epoch = $2 ORDER BY seq`, func(rows *sql.Rows) error {
		var e Event
		if err := scanEvent(rows, &e); err != nil {
			return err
		}
		v.Events++
		if e.Refused != "" {
			v.Refused++
		}
		if HashOf(e.Body) != e.Hash {
			fault(e.Seq, FaultHash)
		}
		if e.Seq <= c.Contiguous {
			reach(e.Seq)
			next = e.Seq + 1
		}
		return nil
	}, c.Hall, c.Epoch)
	reach(c.Contiguous + 1)
	return err
}

// gone reads the gaps of an epoch: first missing fact → last missing fact.
func (s *Store) gone(ctx context.Context, hall hallsync.HallID, epoch string) (map[hallsync.Seq]hallsync.Seq, error) {
	gaps := map[hallsync.Seq]hallsync.Seq{}
	err := s.query(ctx, `SELECT from_seq, to_seq FROM gaps WHERE hall = $1 AND epoch = $2`, func(rows *sql.Rows) error {
		var from, to int64
		if err := rows.Scan(&from, &to); err != nil {
			return err
		}
		gaps[hallsync.Seq(from)] = hallsync.Seq(to)
		return nil
	}, hall, epoch)
	return gaps, err
}
