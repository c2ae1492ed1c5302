package store

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"halledge/firmware-protocols/hallsync"
)

// Read gives the stored bytes of facts behind after, oldest first, at most limit of them and at most maxBytes together (but at
// least one). The slices are copies. Facts of a commit that is not settled are not given.
func (s *Store) Read(after hallsync.Seq, limit, maxBytes int) (raws [][]byte, err error) {
	next := uint64(s.Next())
	err = s.view(func(tx *bbolt.Tx) error {
		c, size := tx.Bucket(bucketLog).Cursor(), 0
		for k, v := c.Seek(bytes8(uint64(after) + 1)); k != nil && number(k) < next && len(raws) < limit; k, v = c.Next() {
			if size += len(v); size > maxBytes && len(raws) > 0 {
				return nil
			}
			raws = append(raws, append([]byte(nil), v...))
		}
		return nil
	})
	return raws, err
}

// First is the oldest sequence still held, or Next if the log is empty.
func (s *Store) First() (first hallsync.Seq, err error) {
	first = s.Next()
	err = s.view(func(tx *bbolt.Tx) error {
		if k, _ := tx.Bucket(bucketLog).Cursor().First(); k != nil {
			first = hallsync.Seq(number(k))
		}
		return nil
	})
	return first, err
}

// Load gives what the state is made of: the last snapshot (nil if there is none) and every fact behind it, in order. A fact
// whose kind this program does not know is skipped: it cannot be of this program's state.
func (s *Store) Load(restore func(snapshot []byte) error, apply func(hallsync.Event, hallsync.Payload) error) error {
	return s.view(func(tx *bbolt.Tx) error {
		snap := tx.Bucket(bucketState).Get(keySnapshot)
		from := uint64(0)
		if len(snap) >= 8 {
			from = number(snap[:8])
			if err := restore(snap[8:]); err != nil {
				return err
			}
		}
		c := tx.Bucket(bucketLog).Cursor()
		for k, v := c.Seek(bytes8(from + 1)); k != nil; k, v = c.Next() {
			e, p, err := decode(k, v)
			if err != nil {
				return err
			}
			if p == nil {
				continue
			}
			if err := apply(e, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func decode(k, v []byte) (hallsync.Event, hallsync.Payload, error) {
	var e hallsync.Event
	if err := json.Unmarshal(v, &e); err != nil {
		return e, nil, fmt.Errorf("fact %d: %w", number(k), err)
	}
	if uint64(e.Seq) != number(k) {
		return e, nil, fmt.Errorf("fact %d says it is %d", number(k), e.Seq)
	}
	p, err := e.Decode()
	if isUnknown(err) {
		return e, nil, nil
	}
	return e, p, err
}
