package store

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store/seal"
	"halledge/firmware-protocols/hallsync"
)

// Read gives the stored bytes of facts behind after, oldest first, at most limit of them and at most maxBytes together (but at
// least one). The slices are copies. Facts of a commit that is not settled are not given.
func (s *Store) Read(after hallsync.Seq, limit, maxBytes int) (raws [][]byte, err error) {
	next := uint64(s.Next())
	err = s.view(func(tx *bbolt.Tx) error {
		c, size := tx.Bucket(bucketLog).Cursor(), 0
		for k, v := c.Seek(bytes8(uint64(after) + 1)); k != nil && number(k) < next && len(raws) < limit; k, v = c.Next() {
			raw, _ := split(v)
			if size += len(raw); size > maxBytes && len(raws) > 0 {
				return nil
			}
			raws = append(raws, append([]byte(nil), raw...))
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

// InClear gives the log with what its facts say in the clear, for who works on this box.
func (s *Store) InClear() Clear { return Clear{s} }

// Clear is a log whose sealed facts are opened when they are read.
type Clear struct{ s *Store }

// Read is Store.Read. It fails when a fact cannot be opened.
func (c Clear) Read(after hallsync.Seq, limit, maxBytes int) ([][]byte, error) {
	raws, err := c.s.Read(after, limit, maxBytes)
	if err != nil || !c.s.opts.Keys.on() {
		return raws, err
	}
	c.s.mu.RLock()
	ring := c.s.ring
	c.s.mu.RUnlock()
	for i, raw := range raws {
		var e hallsync.Event
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("fact after %d: %w", after, err)
		}
		if e, err = e.Open(ring); err != nil {
			return nil, err
		}
		opened, err := encode(e)
		if err != nil {
			return nil, err
		}
		raws[i] = opened.raw
	}
	return raws, nil
}

// Load gives what the state is made of: the last snapshot (nil if there is none) and every fact behind it, in order. A fact
// whose kind this program does not know is skipped: it cannot be of this program's state.
func (s *Store) Load(restore func(snapshot []byte) error, apply func(hallsync.Event, hallsync.Payload) error) error {
	return s.view(func(tx *bbolt.Tx) error {
		ring, err := s.readRing(tx)
		if err != nil {
			return err
		}
		return s.load(tx, ring, restore, apply)
	})
}

func (s *Store) load(tx *bbolt.Tx, ring seal.Ring, restore func([]byte) error, apply func(hallsync.Event, hallsync.Payload) error) error {
	snap := tx.Bucket(bucketState).Get(keySnapshot)
	from := uint64(0)
	if len(snap) >= 8 {
		from = number(snap[:8])
		state, err := s.openSnapshot(ring, number(tx.Bucket(bucketMeta).Get(keySchema)), snap)
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		if err := restore(state); err != nil {
			return err
		}
	}
	c := tx.Bucket(bucketLog).Cursor()
	for k, v := c.Seek(bytes8(from + 1)); k != nil; k, v = c.Next() {
		e, p, err := s.decode(ring, k, v)
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
}

func (s *Store) decode(ring seal.Ring, k, v []byte) (hallsync.Event, hallsync.Payload, error) {
	var e hallsync.Event
	raw, _ := split(v)
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, nil, fmt.Errorf("fact %d: %w", number(k), err)
	}
	if uint64(e.Seq) != number(k) {
		return e, nil, fmt.Errorf("fact %d says it is %d", number(k), e.Seq)
	}
	if s.opts.Keys.on() {
		opened, err := e.Open(ring)
		if err != nil {
			return e, nil, err
		}
		e = opened
	}
	p, err := e.Decode()
	if isUnknown(err) {
		return e, nil, nil
	}
	return e, p, err
}
