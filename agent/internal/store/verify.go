package store

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"halledge/firmware-protocols/hallsync"
)

func isUnknown(err error) bool {
	var unknown *hallsync.UnknownKindError
	return errors.As(err, &unknown)
}

// Stats describes the log.
type Stats struct {
	Epoch     string       `json:"epoch"`
	First     hallsync.Seq `json:"first"`
	Next      hallsync.Seq `json:"next"`
	Delivered hallsync.Seq `json:"delivered"`
	Facts     int          `json:"facts"`
	Bytes     int64        `json:"bytes"`
}

// Verify reads the whole log and gives the first thing wrong with it: a hole, a fact that is not what its key says, or a
// payload that does not decode. It also runs bbolt's own check of the file, which bears no writer beside it.
func (s *Store) Verify() (Stats, error) {
	st := Stats{Epoch: s.Epoch(), Next: s.Next(), Bytes: s.Size()}
	err := s.view(func(tx *bbolt.Tx) error {
		st.Delivered = hallsync.Seq(number(tx.Bucket(bucketCursors).Get([]byte(s.opts.Delivered))))
		if err := st.walk(tx.Bucket(bucketLog)); err != nil {
			return err
		}
		// bbolt's check runs on a goroutine of its own, where a damaged page would end the program: each page is read here first.
		err := tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(_, _ []byte) error { return nil })
		})
		if err != nil {
			return err
		}
		for err := range tx.Check() {
			return fmt.Errorf("file: %w", err)
		}
		return nil
	})
	return st, err
}

// walk counts the facts of the log and looks at each.
func (st *Stats) walk(log *bbolt.Bucket) error {
	c, last := log.Cursor(), uint64(0)
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if last == 0 {
			st.First = hallsync.Seq(number(k))
		} else if number(k) != last+1 {
			return fmt.Errorf("hole: %d is followed by %d", last, number(k))
		}
		last = number(k)
		if _, _, err := decode(k, v); err != nil {
			return err
		}
		st.Facts++
	}
	if last != 0 && hallsync.Seq(last+1) != st.Next {
		return fmt.Errorf("last fact is %d, next sequence is %d", last, st.Next)
	}
	return nil
}
