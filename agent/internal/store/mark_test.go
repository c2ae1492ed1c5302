package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store"
)

// used runs a store for a moment.
func used(t *testing.T, dir string) {
	t.Helper()
	s, stop := running(t, dir, options())
	if err := appendOne(s, 1); err != nil || s.Restored() || s.Behind() {
		t.Fatalf("%v, restored %t, behind %t", err, s.Restored(), s.Behind())
	}
	stop()
}

func TestAnOlderCopyIsKnownWithoutTheCentre(t *testing.T) {
	file := func(dir string) string { return filepath.Join(dir, store.FileName) }
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string, older []byte)
		behind bool
		lost   int
	}{
		"untouched":           {change: func(*testing.T, string, []byte) {}},
		"an older copy":       {change: func(t *testing.T, dir string, older []byte) { write(t, file(dir), older) }, behind: true},
		"without the mark":    {change: func(t *testing.T, dir string, _ []byte) { gone(t, filepath.Join(dir, store.MarkName)) }, behind: true},
		"with a damaged mark": {change: func(t *testing.T, dir string, _ []byte) { write(t, filepath.Join(dir, store.MarkName), []byte("{")) }, behind: true},
		"gone":                {change: func(t *testing.T, dir string, _ []byte) { gone(t, file(dir)) }, lost: 1},
		"damaged":             {change: func(t *testing.T, dir string, _ []byte) { write(t, file(dir), []byte("noise")) }, lost: 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			used(t, dir)
			older := read(t, file(dir))
			used(t, dir)
			c.change(t, dir, older)
			for range 2 { // until the numbers were passed over, whatever the power does
				s, stop := running(t, dir, options())
				if s.Behind() != c.behind || s.Restored() != c.behind || s.Lost() != c.lost {
					t.Errorf("behind %t, restored %t, %d lost", s.Behind(), s.Restored(), s.Lost())
				}
				stop()
			}
			s, stop := running(t, dir, options())
			err := s.Update(context.Background(), func(tx *store.Tx) error { tx.Caught(); return nil })
			if err != nil || s.Behind() {
				t.Errorf("still behind: %v", err)
			}
			stop()
			if s, _ = running(t, dir, options()); s.Behind() || s.Restored() {
				t.Error("behind again")
			}
		})
	}
}

func gone(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// The power goes while the stamp changes, before or after the database has it: that is no other file.
func TestThePowerGoesWhileTheStampChanges(t *testing.T) {
	dir := t.TempDir()
	used(t, dir)
	mark := filepath.Join(dir, store.MarkName)
	cut := errors.New("no power")
	_, err := store.Open(dir, options().Committing(func(*bbolt.Tx) error { return cut }))
	if !errors.Is(err, cut) {
		t.Fatalf("got %v", err)
	}
	between := read(t, mark)
	s, stop := running(t, dir, options())
	if s.Restored() || s.Behind() {
		t.Error("taken for another file before it had its stamp")
	}
	stop()
	settled := read(t, mark)
	if string(between) == string(settled) || len(between) <= len(settled) {
		t.Errorf("mark %s, then %s", between, settled)
	}
}

// The service starts on a disk that is full, and somebody makes room: a backup from before is another file all the same.
func TestABackupFromBeforeAFullStartIsKnown(t *testing.T) {
	dir := t.TempDir()
	used(t, dir)
	file := filepath.Join(dir, store.FileName)
	backup := read(t, file)
	var full atomic.Bool
	full.Store(true)
	s, stop := running(t, dir, options().Committing(func(tx *bbolt.Tx) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return tx.Commit()
	}))
	full.Store(false)
	if err := appendOne(s, 2); err != nil {
		t.Fatal(err)
	}
	stop()
	write(t, file, backup)
	full.Store(true)
	s, stop = running(t, dir, options().Committing(func(tx *bbolt.Tx) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return tx.Commit()
	}))
	if !s.Behind() {
		t.Error("an older copy is not known")
	}
	full.Store(false)
	if err := s.Update(context.Background(), func(tx *store.Tx) error { tx.Caught(); return nil }); err != nil {
		t.Fatal(err)
	}
	stop()
	if s, _ = running(t, dir, options()); s.Behind() {
		t.Error("behind again")
	}
}

// On a disk that takes no mark the hall works, and what was said before is not forgotten.
func TestNumbersArePassedOnlyIfThatIsKept(t *testing.T) {
	dir := t.TempDir()
	s, stop := running(t, dir, options())
	mark := filepath.Join(dir, store.MarkName)
	pass := func(day string, logs int) error {
		return s.Update(context.Background(), func(tx *store.Tx) error { return tx.Passed(day, logs) })
	}
	if err := pass("2026-03-02", 2); err != nil {
		t.Fatal(err)
	}
	gone(t, mark)
	if err := os.MkdirAll(filepath.Join(mark, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	var refused *store.Error
	if err := pass("2026-03-02", 3); !errors.As(err, &refused) {
		t.Errorf("passed with nothing kept: %v", err)
	}
	if err := pass("2026-03-02", 1); err != nil {
		t.Errorf("nothing new: %v", err)
	}
	stop()
	if s, stop = running(t, dir, options()); !s.Restored() {
		t.Error("without a mark the file is as good as another")
	}
	stop()
	if err := os.RemoveAll(mark); err != nil {
		t.Fatal(err)
	}
}

// Whichever file comes, it follows the logs that were passed over on its day.
func TestLogsOfTheDayAreCounted(t *testing.T) {
	dir := t.TempDir()
	s, stop := running(t, dir, options())
	const today, tomorrow = "2026-03-02", "2026-03-03"
	if err := s.Update(context.Background(), func(tx *store.Tx) error { return tx.Passed(today, 3) }); err != nil {
		t.Fatal(err)
	}
	stop()
	gone(t, filepath.Join(dir, store.FileName))
	s, _ = running(t, dir, options())
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		if a, b := tx.LostOn(today), tx.LostOn(tomorrow); a != 4 || b != 1 || s.Lost() != 1 {
			t.Errorf("today %d, tomorrow %d, %d are gone", a, b, s.Lost())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
