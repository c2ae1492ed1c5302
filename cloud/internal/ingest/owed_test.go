package ingest_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
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
