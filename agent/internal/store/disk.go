package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"halledge/agent/internal/store/swap"
)

// DiskSync is how long one durable 4 KiB write takes: overwrite, then fdatasync. A commit needs two of them.
type DiskSync struct{ P50, P99 time.Duration }

// DiskSamples is enough for a stable 99th percentile of a healthy disk and still a moment on a slow one.
const DiskSamples = 100

// MeasureSync measures the disk under dir by that many writes. It gives up after a second, with what it has by then.
func MeasureSync(dir string, samples int) (d DiskSync, err error) {
	f, err := os.CreateTemp(dir, "sync-*.tmp")
	if err != nil {
		return d, fmt.Errorf("measure disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	var took []time.Duration
	for began := time.Now(); len(took) < samples && time.Since(began) < time.Second; {
		page[0]++
		t := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			return d, fmt.Errorf("measure disk: %w", err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return d, fmt.Errorf("measure disk: %w", err)
		}
		took = append(took, time.Since(t))
	}
	slices.Sort(took)
	return DiskSync{P50: took[len(took)/2], P99: took[len(took)*99/100]}, nil
}

// quiet is how long nobody must have asked for anything before the file is copied: the copy holds up the writer for a moment.
const quiet = 5 * time.Second

// The file is copied when it is so long, and so little of it is in use.
const (
	copyFrom = 64 << 20
	copyPart = 4
)

// tidy copies the file when that pays, and always when its free pages hold what was taken out of it.
func (s *Store) tidy() {
	if !s.wipe && !s.slack() {
		return
	}
	if err := s.compact(); err != nil {
		s.opts.Log.Warn("file not copied", "error", err)
	}
}

// slack reports whether most of a long file is free.
func (s *Store) slack() bool {
	size := s.Size()
	free := int64(s.db.Stats().FreePageN) * int64(s.db.Info().PageSize)
	return size >= copyFrom && size-free < size/copyPart
}

// compact puts a copy without free pages in the place of the file, and wipes the old one. It belongs to the writer.
func (s *Store) compact() (err error) {
	if _, err := s.settle(); err != nil { // what is in doubt is told by the number of the last transaction
		return err
	}
	s.wiping.Wait() // for the file before
	if _, err := swap.Recover(s.path); err != nil {
		return err
	}
	made := swap.Copy(s.path)
	db, err := s.bolt(made)
	if err == nil {
		err = bbolt.Compact(db, s.db, copyStep)
	}
	if err == nil {
		err = db.Sync()
	}
	if err == nil {
		err = swap.Replace(s.path)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		if gone := os.Remove(made); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	s.swap.Lock()
	old := s.db
	s.db = db
	s.swap.Unlock()
	s.wipe, s.unsettled = false, true
	if err := errors.Join(old.Close(), swap.Settle(s.path)); err != nil {
		s.wipe = true
		return err
	}
	s.unsettled = false
	if err := s.reserve(db); err != nil {
		s.opts.Log.Warn("disk space not set aside", "error", err)
	}
	s.wipeOld()
	return nil
}

// copyStep bounds a transaction of the copy.
const copyStep = 1 << 20

// wipeOld wipes the file that was replaced, beside the writer, which waits for it at its end.
func (s *Store) wipeOld() {
	s.wiping.Go(func() {
		if err := swap.Wipe(s.path); err != nil {
			s.opts.Log.Warn("old file not wiped", "error", err)
		}
	})
}

// Backup writes the database as it is to w. Its keys lie in it wrapped for this box's storage key, which is not part of it: without that,
// nobody but the centre can read what is sealed.
func (s *Store) Backup(w io.Writer) error {
	return s.view(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
}

// Who wants the directory waits so long for an agent that is ending.
const (
	lockWait  = time.Second
	lockEvery = 20 * time.Millisecond
)

// Lock has the directory of a database for one process, until the file is closed. It fails with Locked while another has it.
func Lock(dir string) (held *os.File, err error) {
	if held, err = os.Open(dir); err != nil {
		return nil, &Error{Op: "lock", Code: Failed, Err: err}
	}
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		err = unix.Flock(int(held.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return held, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return nil, errors.Join(&Error{Op: "lock", Code: Failed, Err: err}, held.Close())
		case time.Since(began) > lockWait:
			return nil, errors.Join(&Error{Op: "lock", Code: Locked, Err: err}, held.Close())
		}
	}
}
