package store

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"halledge/firmware-protocols/hallsync"
)

// maxGroup bounds the requests of one commit.
const maxGroup = 512

type request struct {
	do   func(*Tx) error
	err  error
	kept bool // its writes are in the transaction
	done chan struct{}
}

// Update runs do on the writer's goroutine and commits what it wrote. do must be quick and must not call Update. If do returns
// an error or panics, none of its writes is kept and Update returns that error; if the commit fails, an *Error.
//
// ctx bounds the wait to be taken, not the commit: a request that was taken is always answered.
func (s *Store) Update(ctx context.Context, do func(*Tx) error) error {
	r := &request{do: do, done: make(chan struct{})}
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return &Error{Op: "update", Code: Closed, Err: errors.New("writer has ended")}
	}
	select {
	case <-r.done:
	case <-s.closed: // the writer may have answered just before it ended
		select {
		case <-r.done:
		default:
			return &Error{Op: "update", Code: Closed, Err: errors.New("writer has ended")}
		}
	}
	return r.err
}

// drain adds the requests that wait behind first.
func (s *Store) drain(first *request) []*request {
	group := []*request{first}
	for len(group) < maxGroup {
		select {
		case r := <-s.requests:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

func (s *Store) refuseRest() {
	for {
		select {
		case r := <-s.requests:
			r.err = &Error{Op: "update", Code: Closed, Err: errors.New("writer has ended")}
			close(r.done)
		default:
			return
		}
	}
}

// commit runs a group in one transaction and answers everybody in it.
func (s *Store) commit(group []*request) {
	facts, err := s.transact(group)
	switch {
	case err != nil:
		s.opts.Log.Error("commit failed", "error", err)
		for _, r := range group {
			if r.kept {
				r.err = err
			}
		}
		if s.watch != nil {
			s.watch.RolledBack()
		}
	case len(facts) > 0:
		s.mu.Lock()
		s.next = facts[len(facts)-1].Seq + 1
		s.mu.Unlock()
		if s.watch != nil {
			s.watch.Committed(facts)
		}
	}
	for _, r := range group {
		close(r.done)
	}
}

// transact gives the facts it committed. A group that wrote nothing costs no disk sync.
func (s *Store) transact(group []*request) (facts []Fact, err error) {
	btx, err := s.db.Begin(true)
	if err != nil {
		for _, r := range group {
			r.kept = true
		}
		return nil, wrap("begin", err)
	}
	defer func() { _ = btx.Rollback() }() // no effect after Commit
	btx.Bucket(bucketLog).FillPercent = 0.95
	tx := &Tx{store: s, tx: btx, next: s.next}
	wrote := false
	for _, r := range group {
		tx.begin()
		if r.err = guard(r.do, tx); r.err != nil {
			continue
		}
		r.kept = true
		if !tx.wrote() {
			continue
		}
		if err := tx.flush(); err != nil {
			keepAll(group)
			return nil, wrap("write", err)
		}
		wrote = true
	}
	if !wrote {
		return nil, nil
	}
	if err := errors.Join(btx.Bucket(bucketMeta).Put(keyNext, bytes8(uint64(tx.next))), tx.prune()); err != nil {
		return nil, wrap("write", err)
	}
	if err := btx.Commit(); err != nil {
		return nil, wrap("commit", err)
	}
	return tx.facts, nil
}

// keepAll marks every request of a failed group that had no error of its own.
func keepAll(group []*request) {
	for _, r := range group {
		if r.err == nil {
			r.kept = true
		}
	}
}

// guard runs a request's function; a panic in it fails that request alone.
func guard(do func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("store: request panicked: %v", r)
		}
	}()
	return do(tx)
}

// View reads the database as it was committed last. do must not keep the bytes it is given.
func (s *Store) view(do func(*bbolt.Tx) error) error { return wrap("read", s.db.View(do)) }

// Cursor gives the last sequence a reader has dealt with; 0 for a reader that never set it.
func (s *Store) Cursor(name string) (seq hallsync.Seq, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		seq = hallsync.Seq(number(tx.Bucket(bucketCursors).Get([]byte(name))))
		return nil
	})
	return seq, err
}
