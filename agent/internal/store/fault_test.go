package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// faulty is a store whose commits fail as often as the test says.
type faulty struct {
	*store.Store
	before atomic.Int32 // commits to fail before anything is on disk
	after  atomic.Int32 // commits to fail when everything is there but for the disk's last word
	stop   func()

	mu        sync.Mutex
	committed []hallsync.Seq
	undone    int
}

func (f *faulty) commit(tx *bbolt.Tx) error {
	if f.before.Add(-1) >= 0 {
		return syscall.ENOSPC
	}
	err := tx.Commit()
	if err == nil && f.after.Add(-1) >= 0 {
		return syscall.EIO
	}
	return err
}

// Committed implements store.Committed.
func (f *faulty) Committed(facts []store.Fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fact := range facts {
		f.committed = append(f.committed, fact.Seq)
	}
}

// RolledBack implements store.Committed.
func (f *faulty) RolledBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.undone++
}

// both runs a test without keys and with them; base is how many facts a log with keys begins with.
func both(t *testing.T, test func(t *testing.T, o store.Options, base hallsync.Seq)) {
	t.Run("in the clear", func(t *testing.T) { test(t, options(), 0) })
	t.Run("sealed", func(t *testing.T) {
		o := options()
		o.Keys = owner(t).keys
		test(t, o, 2)
	})
}

func newFaulty(t *testing.T, dir string, o store.Options) *faulty {
	t.Helper()
	f := &faulty{}
	st, err := store.Open(dir, o.Committing(f.commit))
	if err != nil {
		t.Fatal(err)
	}
	f.Store = st
	st.Watch(f)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- st.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

// seen gives the facts the watcher was told of, and how often it was told to forget.
func (f *faulty) seen() (seqs []hallsync.Seq, undone int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append(seqs, f.committed...), f.undone
}

func TestCommitThatFailsEarlyLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, o store.Options, base hallsync.Seq) {
		f := newFaulty(t, t.TempDir(), o)
		f.before.Store(1)
		var full *store.Error
		if err := appendOne(f.Store, 1); !errors.As(err, &full) || full.Code != store.Full {
			t.Fatalf("got %v", err)
		}
		if f.Trouble() == nil {
			t.Error("nobody is told about the failed commit")
		}
		if err := appendOne(f.Store, 2); err != nil || f.Trouble() != nil {
			t.Fatalf("afterwards %v, trouble %v", err, f.Trouble())
		}
		seqs, undone := f.seen()
		if len(seqs) != 1 || seqs[0] != base+1 || undone != 1 {
			t.Errorf("watcher saw %v, undone %d times", seqs, undone)
		}
	})
}

func TestCommitThatFailsLateIsStoredOnce(t *testing.T) {
	both(t, func(t *testing.T, o store.Options, base hallsync.Seq) {
		f := newFaulty(t, t.TempDir(), o)
		f.after.Store(1) // the sync of the root fails, the next one works
		if err := appendOne(f.Store, 1); err != nil {
			t.Fatalf("the fact is on disk, but %v", err)
		}
		if err := appendOne(f.Store, 2); err != nil {
			t.Fatal(err)
		}
		seqs, undone := f.seen()
		if len(seqs) != 2 || seqs[0] != base+1 || seqs[1] != base+2 || undone != 0 {
			t.Errorf("watcher saw %v, undone %d times", seqs, undone)
		}
		if _, err := f.Verify(); err != nil {
			t.Error(err)
		}
	})
}

// A commit in doubt must not be seen, answered with success, or overwritten until it is settled.
func TestNothingHappensWhileACommitIsInDoubt(t *testing.T) {
	both(t, func(t *testing.T, o store.Options, base hallsync.Seq) {
		dir := t.TempDir()
		f := newFaulty(t, dir, o)
		f.after.Store(3)
		for n := range 2 { // the second one cannot even begin: settling fails again
			var failed *store.Error
			if err := appendOne(f.Store, n); !errors.As(err, &failed) || failed.Code != store.Failed {
				t.Fatalf("attempt %d: %v", n, err)
			}
		}
		raws, err := f.Read(base, 10, 1<<20)
		if err != nil || len(raws) != 0 || f.Next() != base+1 {
			t.Errorf("readers see %d facts, next is %d, %v", len(raws), f.Next(), err)
		}
		if err := appendOne(f.Store, 3); err != nil {
			t.Fatal(err)
		}
		seqs, undone := f.seen()
		if len(seqs) != 2 || seqs[0] != base+1 || seqs[1] != base+2 || undone != 0 {
			t.Errorf("watcher saw %v, undone %d times", seqs, undone)
		}
		st, err := f.Verify()
		if err != nil || st.Facts != int(base)+2 || st.Next != base+3 {
			t.Errorf("log is %+v, %v", st, err)
		}
		f.stop()
		again, _ := running(t, dir, o)
		if again.Next() != base+3 {
			t.Errorf("next is %d after reopening", again.Next())
		}
	})
}

// A disk that cannot read a page any more gives faults of memory, here by a file that is cut short under the program.
func TestUnreadablePageIsAnErrorAndThenPutAside(t *testing.T) {
	both(t, func(t *testing.T, o store.Options, base hallsync.Seq) {
		dir := t.TempDir()
		f := newFaulty(t, dir, o)
		for n := range 300 {
			if err := appendOne(f.Store, n); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Truncate(filepath.Join(dir, store.FileName), int64(2*os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		var failed *store.Error
		if _, err := f.Read(0, 1000, 1<<20); !errors.As(err, &failed) || failed.Code != store.Failed {
			t.Errorf("read: %v", err)
		}
		if _, err := f.Verify(); err == nil {
			t.Error("verify found nothing wrong")
		}
		if err := appendOne(f.Store, 300); !errors.As(err, &failed) || failed.Code != store.Failed {
			t.Errorf("append: %v", err)
		}
		f.stop()
		s, _ := running(t, dir, o)
		if s.PutAside() == "" {
			t.Error("the damaged file is still in use")
		}
		if err := appendOne(s, 1); err != nil {
			t.Error(err)
		}
	})
}

func TestFullDiskDoesNotKeepAHallFromStarting(t *testing.T) {
	both(t, func(t *testing.T, o store.Options, base hallsync.Seq) {
		full := o.Committing(func(*bbolt.Tx) error { return syscall.ENOSPC })
		dir := t.TempDir()
		var refused *store.Error
		if _, err := store.Open(dir, full); !errors.As(err, &refused) || refused.Code != store.Full {
			t.Fatalf("a new file on a full disk: %v", err)
		}
		s, stop := running(t, dir, o)
		if err := appendOne(s, 1); err != nil {
			t.Fatal(err)
		}
		epoch := s.Epoch()
		stop()
		s, _ = running(t, dir, full)
		raws, err := s.Read(0, 10, 1<<20)
		if err != nil || len(raws) != int(base)+1 || s.Epoch() != epoch || s.Next() != base+2 {
			t.Errorf("%d facts, epoch %s, next %d, %v", len(raws), s.Epoch(), s.Next(), err)
		}
		if err := appendOne(s, 2); !errors.As(err, &refused) || refused.Code != store.Full {
			t.Errorf("got %v", err)
		}
	})
}

func TestDiskSpaceIsSetAside(t *testing.T) {
	dir := t.TempDir()
	s, _ := running(t, dir, options())
	var fi unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, store.FileName), &fi); err != nil {
		t.Fatal(err)
	}
	if got := fi.Blocks * 512; got < 16<<20 || s.Size() > 17<<20 {
		t.Errorf("%d bytes are set aside in a file of %d", got, s.Size())
	}
}
