package store_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store"
	"halledge/agent/internal/store/swap"
)

// alone wants nothing beside the database but its receipt.
func alone(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != store.FileName && e.Name() != store.ReceiptName && e.Name() != store.MarkName {
			t.Errorf("%s is left", e.Name())
		}
	}
}

func TestReadersAndWritersWhileTheFileIsCopied(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	s, stop := running(t, dir, p.with(&now))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if raws, err := s.Read(0, 5, 1<<20); err != nil || len(raws) < 2 {
					t.Errorf("%d facts, %v", len(raws), err)
				}
			}
		})
	}
	for n := range 10 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
		if err := s.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	if st, err := s.Verify(p.centre); err != nil || st.Facts != 12 {
		t.Errorf("log %+v, %v", st, err)
	}
	stop()
	alone(t, dir)
	s, _ = running(t, dir, p.with(&now))
	if s.Next() != 13 || s.PutAside() != "" || s.ChainFault() != nil {
		t.Errorf("next %d, aside %q, fault %v", s.Next(), s.PutAside(), s.ChainFault())
	}
}

// The power may go at any step of the copy: all facts are there, and what is left over goes at the next start.
func TestPowerGoesWhileTheFileIsCopied(t *testing.T) {
	p, now := owner(t), noon
	for name, die := range map[string]func(t *testing.T, file string){
		"while it is written": func(t *testing.T, file string) {
			write(t, swap.Copy(file), read(t, file)[:20000])
		},
		"when it is whole": func(t *testing.T, file string) {
			write(t, swap.Copy(file), read(t, file))
		},
		"between the names": func(t *testing.T, file string) {
			write(t, swap.Copy(file), read(t, file))
			if err := os.Link(file, file+".replaced"); err != nil {
				t.Fatal(err)
			}
		},
		"before it is wiped": func(t *testing.T, file string) {
			write(t, swap.Copy(file), read(t, file))
			if err := swap.Replace(file); err != nil {
				t.Fatal(err)
			}
		},
		"while it is wiped": func(t *testing.T, file string) {
			write(t, swap.Copy(file), read(t, file))
			if err := swap.Replace(file); err != nil {
				t.Fatal(err)
			}
			old := read(t, file+".replaced")
			clear(old[:len(old)/2])
			write(t, file+".replaced", old)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, stop := running(t, dir, p.with(&now))
			for n := range 5 {
				if err := appendOne(s, n); err != nil {
					t.Fatal(err)
				}
			}
			epoch := s.Epoch()
			stop()
			die(t, filepath.Join(dir, store.FileName))
			s, stop = running(t, dir, p.with(&now))
			if st, err := s.Verify(p.centre); err != nil || st.Facts != 7 || s.Epoch() != epoch || s.PutAside() != "" {
				t.Errorf("log %+v, epoch %s, aside %q, %v", st, s.Epoch(), s.PutAside(), err)
			}
			stop()
			alone(t, dir)
		})
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t *testing.T, file string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// When there is no room for the copy, the old file stays in use.
func TestNoRoomForTheCopy(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	s, stop := running(t, dir, p.with(&now))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(swap.Copy(filepath.Join(dir, store.FileName)), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(context.Background()); err == nil {
		t.Error("copied")
	}
	if err := appendOne(s, 2); err != nil {
		t.Error(err)
	}
	if st, err := s.Verify(p.centre); err != nil || st.Facts != 4 {
		t.Errorf("log %+v, %v", st, err)
	}
	stop()
	if err := os.RemoveAll(swap.Copy(filepath.Join(dir, store.FileName))); err != nil {
		t.Fatal(err)
	}
}

// The writer copies by itself when something was taken out and nobody asks for anything.
func TestTheFileIsCopiedInAQuietMoment(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	s, stop := running(t, dir, p.with(&now).Quiet(time.Millisecond))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, store.FileName)
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := erase(s); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	for {
		now, err := os.Stat(file)
		if err == nil && !os.SameFile(before, now) {
			break
		}
		select {
		case <-deadline:
			t.Fatal("not copied")
		case <-time.After(time.Millisecond):
		}
	}
	if err := appendOne(s, 2); err != nil {
		t.Error(err)
	}
	stop()
	alone(t, dir)
}

// A disk that is too full to seal what an older program left gives up the answers, and neither the hall nor a fact.
func TestAdoptionOnAFullDisk(t *testing.T) {
	p, now, dir := owner(t), noon.Add(time.Hour), t.TempDir()
	firstSchema(t, dir, "first")
	_, stop := running(t, dir, options()) // the present layout, without keys
	stop()
	o := p.with(&now)
	full := 2 // what cannot be written: the start's commit may, the adoption may not
	commits := 0
	s, stop := running(t, dir, o.Committing(func(tx *bbolt.Tx) error {
		if commits++; commits == full {
			return syscall.ENOSPC
		}
		return tx.Commit()
	}))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	if _, ok := answerTo(t, s); ok {
		t.Error("the answer is there: the test does not test what it is for")
	}
	if st, err := s.Verify(p.centre); err != nil || st.Facts != 8 {
		t.Errorf("log %+v, %v", st, err)
	}
	stop()
}

// The second name is all there is of a file: a power cut came just after a damaged one was put aside. The hall starts, and what is left is kept.
func TestTheLastNameOfAFileIsKept(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, store.FileName+".replaced"), []byte("all there is"))
	s, _ := running(t, dir, options())
	if s.PutAside() == "" || s.Lost() != 1 || s.Next() != 1 {
		t.Fatalf("put aside %q, %d lost, next %d", s.PutAside(), s.Lost(), s.Next())
	}
	if got := read(t, s.PutAside()); string(got) != "all there is" {
		t.Errorf("now it is %q", got)
	}
}
