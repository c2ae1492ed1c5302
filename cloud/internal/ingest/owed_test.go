package ingest_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

// lateHall is a hall that tells its facts first and their keys afterwards, a centre, and a clock that goes on by a second with each look at it.
type lateHall struct {
	*sealedtest.Box
	st      *store.Store
	v       *vault.Vault
	in      *ingest.Ingester
	now     time.Time
	changed chan ingest.Touched
}

// late has the hall send so many tickets, each under a key of its own that nobody knows yet.
func late(t *testing.T, path string, n int) *lateHall {
	t.Helper()
	v := openVault(t, filepath.Join(t.TempDir(), "vault"))
	h := &lateHall{Box: sealedtest.New(t, v.Keys().Open, hall, epoch, start), st: openStore(t, path), v: v, now: start, changed: make(chan ingest.Touched, 100)}
	h.in = h.centre(func() time.Time { h.now = h.now.Add(time.Second); return h.now })
	for i := range n {
		h.NewKey("2026-11-23", true)
		h.Add(taken(i + 1))
	}
	send(t, h.in, h.Raw...)
	return h
}

func (h *lateHall) centre(now func() time.Time) *ingest.Ingester {
	return ingest.New(ingest.Options{
		Store: h.st, Vault: h.v, Opener: sealed.New(h.v), Changed: func(_ hallsync.HallID, what ingest.Touched) { h.changed <- what },
		Now: now, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
}

// tell sends one key in a fact of its own, as the message of a hall that means no good.
func (h *lateHall) tell(t *testing.T, key int) {
	t.Helper()
	if ack := send(t, h.in, h.Add(h.Keys[key])); ack.UpTo != hallsync.Seq(len(h.Raw)) {
		t.Fatalf("ack %+v", ack)
	}
}

// Threat 5: a hall whose keys come late, one in each message, has its projections made again beside its messages: the first time at once, then
// for a tenth of the time.
func TestThreat05LateKeysKeepNobodyWaiting(t *testing.T) {
	h := late(t, filepath.Join(t.TempDir(), "cloud.db"), 3)
	want := func(n int, when string) {
		t.Helper()
		if got := tickets(t, h.st); got != n {
			t.Errorf("%d tickets %s", got, when)
		}
	}
	h.tell(t, 0)
	want(0, "in the message of the first key")
	begun := h.now
	next, err := h.in.Pay(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(1, "behind it")
	h.tell(t, 1)
	h.tell(t, 2)
	if next, err = h.in.Pay(t.Context()); err != nil || next < 6*time.Second || next > 9*h.now.Sub(begun) {
		t.Errorf("the next time in %v, %v", next, err)
	}
	want(1, "while the hall is left alone")
	h.now = h.now.Add(next)
	pay(t, h.in)
	want(3, "in the end")
	if owed, err := h.st.OwedRebuilds(t.Context()); err != nil || len(owed) != 0 {
		t.Errorf("owed %v, %v", owed, err)
	}
}

// What is owed outlives the program, and a rebuild of everything pays it.
func TestDebtsOutliveTheProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	h := late(t, path, 2)
	h.tell(t, 0)
	if err := h.st.Close(); err != nil {
		t.Fatal(err)
	}
	h.st = openStore(t, path)
	h.in = h.centre(time.Now)
	pay(t, h.in)
	if n := tickets(t, h.st); n != 1 {
		t.Errorf("%d tickets", n)
	}
	h.tell(t, 1)
	if _, err := h.in.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if owed, err := h.st.OwedRebuilds(t.Context()); err != nil || len(owed) != 0 {
		t.Errorf("owed %v, %v", owed, err)
	}
}

// What a hall's answer erases is in no file of the database any more, as soon as no reader holds its journal, and what a process before left
// there goes too.
func TestRunEmptiesTheJournalOfWhatWasErased(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	dir, v := t.TempDir(), openVault(t, filepath.Join(t.TempDir(), "vault"))
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "cloud.db")
		st := openStore(t, path)
		in := withVault(st, v, nil)
		want := func(there bool, when string) {
			t.Helper()
			found := false
			for _, name := range []string{path, path + "-wal"} {
				raw, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				found = found || bytes.Contains(raw, []byte(secret))
			}
			if found != there {
				t.Errorf("%s: there %t", when, found)
			}
		}
		erase := func(order string, seq hallsync.Seq) {
			t.Helper()
			tk := taken(int(seq))
			tk.Person = secret
			send(t, in, fact(t, hall, epoch, seq, tk))
			if err := st.Write(t.Context(), func(tx *store.Tx) error {
				return tx.PutErasure(store.Erasure{ID: order, Hall: hall, Kind: store.ErasePerson, Actor: "root", Reason: "r", Made: start})
			}); err != nil {
				t.Fatal(err)
			}
			send(t, in, fact(t, hall, epoch, seq+1, hallsync.PersonErased{
				Order: order, Facts: []hallsync.Range{{From: seq, To: seq}}, Tickets: []hallsync.TicketID{tk.Ticket},
			}))
		}
		erase("o1", 1)
		want(true, "while nobody empties it")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- in.Run(ctx) }()
		time.Sleep(time.Second)
		want(false, "after the start")

		release := holdJournal(t, path)
		erase("o2", 3)
		time.Sleep(time.Minute)
		want(true, "while somebody reads")
		release()
		time.Sleep(time.Minute)
		want(false, "after that")
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// holdJournal reads in a database until release is called.
func holdJournal(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err == nil {
		err = tx.QueryRowContext(t.Context(), `SELECT count(*) FROM events`).Scan(new(int))
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// Run pays by itself, at once, and shows what has changed.
func TestRunPays(t *testing.T) {
	h := late(t, filepath.Join(t.TempDir(), "cloud.db"), 1)
	h.in = h.centre(time.Now)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.in.Run(ctx) }()
	h.tell(t, 0)
	for what := range h.changed {
		if what == ingest.Tickets|ingest.Windows {
			break
		}
	}
	if n := tickets(t, h.st); n != 1 {
		t.Errorf("%d tickets", n)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
