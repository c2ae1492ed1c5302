package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"halledge/firmware-protocols/hallsync"
)

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
	return db.View(func(tx *bbolt.Tx) error {
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
		if meta == nil || log == nil || number(meta.Get(keySchema)) > schema {
			return nil // prepare has its own word on these
		}
		if err := readable(meta, state, log); err != nil {
			return fmt.Errorf("%w: %w", errCorrupt, err)
		}
		return nil
	})
}

// readable reports what is wrong with the snapshot or the facts behind it.
func readable(meta, state, log *bbolt.Bucket) error {
	snap, last := state.Get(keySnapshot), uint64(0)
	if len(snap) >= 8 {
		if last = number(snap[:8]); !json.Valid(snap[8:]) {
			return errors.New("snapshot is not JSON")
		}
	}
	c := log.Cursor()
	for k, v := c.Seek(bytes8(last + 1)); k != nil; k, v = c.Next() {
		if number(k) != last+1 {
			return fmt.Errorf("hole: %d is followed by %d", last, number(k))
		}
		last++
		if _, _, err := decode(k, v); err != nil {
			return err
		}
	}
	if next := hallsync.Seq(number(meta.Get(keyNext))); next != hallsync.Seq(last+1) {
		return fmt.Errorf("last fact is %d, next sequence is %d", last, next)
	}
	return nil
}
