package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store/seal"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// schema is the number of the file's layout. Files of a newer program are refused, older ones are migrated.
//
//	1  answers by key and their keys by time; the snapshot among the counters
//	2  answers one behind the other; the snapshot in a bucket of its own, which other commits need not write again
//	3  with keys: answers, the snapshot and new facts are sealed, the log is chained
const (
	schema       = 2
	schemaSealed = 3
)

// migrate brings a file of an older program to the present layout, in the transaction that prepares it.
func migrate(tx *bbolt.Tx, have uint64) error {
	if have == 1 {
		if err := migrate1(tx); err != nil {
			return fmt.Errorf("migrate from schema 1: %w", err)
		}
	}
	return nil
}

// Where schema 1 has its answers.
const (
	answersByKey  = "answers"
	answersByTime = "answers_by_time"
)

func migrate1(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if snapshot := meta.Get(keySnapshot); snapshot != nil {
		if err := errors.Join(tx.Bucket(bucketState).Put(keySnapshot, append([]byte(nil), snapshot...)), meta.Delete(keySnapshot)); err != nil {
			return err
		}
	}
	old, times := tx.Bucket([]byte(answersByKey)), tx.Bucket([]byte(answersByTime))
	if old == nil || times == nil {
		return dropAnswers1(tx) // they were given up
	}
	t := &Tx{tx: tx, store: &Store{}, placed: map[AnswerKey]uint64{}}
	err := times.ForEach(func(when, _ []byte) error {
		var a struct {
			Status int       `json:"status"`
			Body   []byte    `json:"body"`
			Asked  string    `json:"asked"`
			At     time.Time `json:"at"`
		}
		if len(when) != 8+len(AnswerKey{}) || json.Unmarshal(old.Get(when[8:]), &a) != nil {
			return nil //nolint:nilerr // it was pruned, or could not be given again by the older program either
		}
		t.answers = append(t.answers, pendingAnswer{AnswerKey(when[8:]), Answer(a)})
		return nil
	})
	return errors.Join(err, t.flushAnswers(), dropAnswers1(tx))
}

// dropAnswers gives up all answers.
func dropAnswers(tx *bbolt.Tx) error {
	if err := tx.DeleteBucket(bucketAnswers); err != nil {
		return err
	}
	_, err := tx.CreateBucket(bucketAnswers)
	return err
}

// dropAnswers1 gives up the answers of schema 1, which frees their pages for the next transaction.
func dropAnswers1(tx *bbolt.Tx) error {
	for _, name := range []string{answersByKey, answersByTime} {
		if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, errNoBucket) {
			return err
		}
	}
	return nil
}

// smallest is the length of a file that bbolt has just begun: four of the smallest pages.
const smallest = 4 * 4096

// inspect reads every page of an existing file before bbolt may write to it: bbolt gathers the free pages on a goroutine of its
// own, where a damaged page would end the program at each start. It also decodes the facts that the state is made of. Damage
// comes back as corruption.
func (s *Store) inspect() (err error) {
	fi, err := os.Stat(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.Size() == 0: // bbolt begins with an empty file
		return nil
	case fi.Size() < smallest:
		return fmt.Errorf("%w: file of %d bytes", errCorrupt, fi.Size())
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a page that the disk cannot read is a fault of memory
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errCorrupt, r)
		}
	}()
	db, err := bbolt.Open(s.path, 0o640, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.View(s.inspectAll)
}

// inspectAll reads all there is.
func (s *Store) inspectAll(tx *bbolt.Tx) error {
	err := tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { return nil })
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	meta, state, log := tx.Bucket(bucketMeta), tx.Bucket(bucketState), tx.Bucket(bucketLog)
	if state == nil {
		state = meta // as older programs left it
	}
	have := uint64(0)
	if meta != nil {
		have = number(meta.Get(keySchema))
	}
	switch {
	case meta == nil || log == nil || have > schemaSealed:
		return nil // prepare has its own word on these
	case have == schemaSealed && !s.opts.Keys.on():
		return &Error{Op: "open", Code: Sealed, Err: errors.New("no keys were given")}
	}
	if err := s.ownLog(log); err != nil {
		return err
	}
	ring, err := s.readRing(tx)
	var unusable *gm.KeyError
	switch {
	case errors.As(err, &unusable):
		return &Error{Op: "open", Code: Failed, Err: err}
	case errors.Is(err, errSealed):
		return err
	case err == nil:
		s.ring = ring
		err = s.readable(ring, meta, state, log)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return nil
}

// ownLog fails with Foreign for the log of another hall.
func (s *Store) ownLog(log *bbolt.Bucket) error {
	var e struct {
		Hall hallsync.HallID `json:"hall"`
	}
	_, v := log.Cursor().Last()
	if raw, _ := split(v); v == nil || json.Unmarshal(raw, &e) != nil || e.Hall == s.opts.Hall {
		return nil // none, or damaged: that is found where facts are read
	}
	return &Error{Op: "open", Code: Foreign, Err: fmt.Errorf("log of hall %s, this is hall %s", e.Hall, s.opts.Hall)}
}

// readable reports what is wrong with the snapshot or the facts behind it.
func (s *Store) readable(ring seal.Ring, meta, state, log *bbolt.Bucket) error {
	snap, last := state.Get(keySnapshot), uint64(0)
	if len(snap) >= 8 {
		last = number(snap[:8])
		plain, err := s.openSnapshot(ring, number(meta.Get(keySchema)), snap)
		if err != nil || !json.Valid(plain) {
			return errors.Join(errors.New("snapshot is not JSON"), err)
		}
	}
	c := log.Cursor()
	for k, v := c.Seek(bytes8(last + 1)); k != nil; k, v = c.Next() {
		if number(k) != last+1 {
			return fmt.Errorf("hole: %d is followed by %d", last, number(k))
		}
		last++
		if _, _, err := s.decode(ring, k, v); err != nil {
			return err
		}
	}
	if next := hallsync.Seq(number(meta.Get(keyNext))); next != hallsync.Seq(last+1) {
		return fmt.Errorf("last fact is %d, next sequence is %d", last, next)
	}
	return nil
}
