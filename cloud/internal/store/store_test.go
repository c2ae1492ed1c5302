package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const hall = hallsync.HallID("440900000000001")

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

func open(t *testing.T, path string, o store.Options) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func write(t *testing.T, st *store.Store, do func(*store.Tx) error) {
	t.Helper()
	if err := st.Write(t.Context(), do); err != nil {
		t.Fatal(err)
	}
}

func event(seq hallsync.Seq) store.Event {
	body := fmt.Appendf(nil, `{"seq":%d}`, seq)
	return store.Event{Hall: hall, Epoch: "e", Seq: seq, Kind: "day.opened", V: 1, At: start, Received: start, Hash: store.HashOf(body), Body: body}
}

func count(t *testing.T, st *store.Store) int {
	t.Helper()
	_, total, err := st.Events(t.Context(), store.EventQuery{Hall: hall, Epoch: "e", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func TestConcurrentWritesShareCommitsAndFailAlone(t *testing.T) {
	var mu sync.Mutex
	writes := 0
	st := open(t, filepath.Join(t.TempDir(), "new", "cloud.db"), store.Options{Committed: func(n int, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		writes += n
	}})
	refused := errors.New("refused")
	const callers = 40
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			errs[i] = st.Write(context.Background(), func(tx *store.Tx) error {
				if err := tx.AddEvent(event(hallsync.Seq(i + 1))); err != nil {
					return err
				}
				if i%4 == 0 {
					return refused
				}
				return nil
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		if wantErr := i%4 == 0; errors.Is(err, refused) != wantErr || !wantErr && err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := count(t, st); got != callers*3/4 {
		t.Errorf("%d facts stored, want %d", got, callers*3/4)
	}
	mu.Lock()
	defer mu.Unlock()
	if writes != callers {
		t.Errorf("%d writes observed, want %d", writes, callers)
	}
}

func TestWriteIsUndoneWhole(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	write(t, st, func(tx *store.Tx) error { return tx.AddEvent(event(1)) })
	err := st.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.AddEvent(event(2)); err != nil {
			return err
		}
		return tx.AddEvent(event(1)) // the key is taken
	})
	if err == nil {
		t.Fatal("a key was stored twice")
	}
	if got := count(t, st); got != 1 {
		t.Fatalf("%d facts, want 1", got)
	}
	write(t, st, func(tx *store.Tx) error { return tx.AddEvent(event(2)) })
}

func TestWriteAfterCloseAndWithDeadContext(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	for range 200 { // the queue may take a write although the context has ended; then it is done
		err := st.Write(dead, func(*store.Tx) error { ran = true; return nil })
		if err != nil && (!errors.Is(err, context.Canceled) || ran) {
			t.Fatalf("error %v, ran %t", err, ran)
		}
		ran = false
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := st.Write(t.Context(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("after close: %v", err)
	}
}

func TestDatabaseHasOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	st := open(t, path, store.Options{})
	var locked *store.LockedError
	if _, err := store.Open(t.Context(), path, store.Options{}); !errors.As(err, &locked) || locked.Path != path {
		t.Fatalf("second owner: %v", err)
	}
	guest := open(t, path, store.Options{Shared: true})
	write(t, guest, func(tx *store.Tx) error {
		return tx.PutUser(store.User{Name: "li", Origin: store.FromCLI, Created: start})
	})
	if _, found, err := st.User(t.Context(), "li"); err != nil || !found {
		t.Fatalf("user added beside the service: %t, %v", found, err)
	}
}

func TestDatabaseIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	st := open(t, path, store.Options{})
	write(t, st, func(tx *store.Tx) error { return tx.AddEvent(event(1)) })
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestOddPathsAreFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "数据 #1?mode=memory&x=%41.db")
	st := open(t, path, store.Options{})
	write(t, st, func(tx *store.Tx) error { return tx.AddEvent(event(1)) })
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Fatalf("database file: %v, %v", info, err)
	}
}

func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "backup.db")
	st := open(t, path, store.Options{})
	write(t, st, func(tx *store.Tx) error { return tx.AddEvent(event(1)) })
	if err := st.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if err := st.Backup(t.Context(), copied); !errors.Is(err, os.ErrExist) {
		t.Fatalf("backup over a file: %v", err)
	}
	write(t, st, func(tx *store.Tx) error { return tx.AddEvent(event(2)) })
	var locked *store.LockedError
	if _, err := store.Restore(t.Context(), path, copied, start); !errors.As(err, &locked) {
		t.Fatalf("restore under a running service: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := store.Restore(t.Context(), path, copied, start)
	if err != nil || kept.Kept != path+".before-restore-20261123T010000Z" {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	if got := count(t, open(t, path, store.Options{})); got != 1 {
		t.Errorf("%d facts after restore, want 1", got)
	}
	if got := count(t, open(t, kept.Kept, store.Options{})); got != 2 {
		t.Errorf("%d facts in the kept database, want 2", got)
	}
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cloud.db")
	newer := filepath.Join(dir, "newer.db")
	st := open(t, newer, store.Options{})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, newer, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
	if _, err := store.Open(t.Context(), newer, store.Options{}); err == nil {
		t.Error("a database of a later program was opened")
	}
	empty := filepath.Join(dir, "empty.db")
	execute(t, empty, `CREATE TABLE other (x INTEGER)`)
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte("no database at all, by any means"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{newer, empty, garbage, filepath.Join(dir, "missing.db")} {
		if _, err := store.Restore(t.Context(), path, from, start); err == nil {
			t.Errorf("%s was restored", from)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s left a database behind", from)
		}
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	st := open(t, path, store.Options{Shared: true})
	write(t, st, func(tx *store.Tx) error {
		for seq := range hallsync.Seq(6) {
			if err := tx.AddEvent(event(seq + 1)); err != nil {
				return err
			}
		}
		return tx.PutCursor(store.Cursor{Hall: hall, Epoch: "e", Ordinal: 1, Contiguous: 6, Highest: 6, Created: start})
	})
	v, err := st.Verify(t.Context(), "")
	if err != nil || len(v.Faults) != 0 || v.Events != 6 || v.Halls != 1 {
		t.Fatalf("sound log: %+v, %v", v, err)
	}
	execute(t, path, `UPDATE events SET body = x'7b7d' WHERE seq = 2`)
	execute(t, path, `DELETE FROM events WHERE seq IN (3, 6)`)
	v, err = st.Verify(t.Context(), "")
	want := fmt.Sprint([]store.Fault{{hall, "e", 2, store.FaultHash}, {hall, "e", 3, store.FaultHole}, {hall, "e", 6, store.FaultHole}})
	if err != nil || fmt.Sprint(v.Faults) != want {
		t.Fatalf("faults %+v, want %s, %v", v.Faults, want, err)
	}
}

// execute changes a database file from outside.
func execute(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}
