package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

const (
	hall  = hallsync.HallID("440900000000001")
	epoch = "7f3a"
)

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// openStore opens a database that ends with the test.
func openStore(t testing.TB, path string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), path, store.Options{})
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

func newStore(t testing.TB) *store.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "cloud.db"))
}

// openVault gives the centre's keys in a directory, the same ones each time.
func openVault(t testing.TB, dir string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(vault.Options{Directory: dir, Make: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newIngester(t testing.TB, st *store.Store) *ingest.Ingester {
	t.Helper()
	return withVault(st, openVault(t, filepath.Join(t.TempDir(), "vault")), nil)
}

// withVault gives a centre whose clock stands still, so that no rebuild takes any time and none has to wait after it.
func withVault(st *store.Store, v *vault.Vault, signers func(hallsync.HallID) []gm.PublicKey) *ingest.Ingester {
	return ingest.New(ingest.Options{
		Store: st, Vault: v, Opener: sealed.New(v), Signers: signers, Changed: func(hallsync.HallID, ingest.Touched) {},
		Now: func() time.Time { return start.Add(time.Hour) }, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
}

// fact writes a fact as a hall does.
func fact(t testing.TB, id hallsync.HallID, epoch string, seq hallsync.Seq, p hallsync.Payload) json.RawMessage {
	t.Helper()
	e, err := hallsync.NewEvent(id, epoch, seq, start.Add(time.Duration(seq)*time.Second), p)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, e)
}

func encode(t testing.TB, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func batchOf(t testing.TB, facts ...json.RawMessage) []byte {
	t.Helper()
	return encode(t, hallsync.Batch{Events: facts})
}

// send ingests facts that must be taken.
func send(t testing.TB, in *ingest.Ingester, facts ...json.RawMessage) hallsync.Ack {
	t.Helper()
	ack, err := in.Ingest(t.Context(), hall, batchOf(t, facts...))
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

// pay has the projections made again that are owed.
func pay(tb rapid.TB, in *ingest.Ingester) {
	if _, err := in.Pay(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

func hello(t testing.TB, in *ingest.Ingester, epoch string, first, next hallsync.Seq) hallsync.Ack {
	t.Helper()
	raw := encode(t, hallsync.Hello{Hall: hall, Epoch: epoch, First: first, Next: next, Boot: "b", ClockMS: start.UnixMilli()})
	h, err := ingest.ParseHello(hall, raw)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := in.Hello(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

func ticketID(n int) hallsync.TicketID { return hallsync.TicketID(fmt.Sprintf("01JDTICKET%016d", n)) }

func taken(n int) hallsync.TicketTaken {
	return hallsync.TicketTaken{
		Ticket: ticketID(n), Number: fmt.Sprintf("A%03d", n), Ordinal: n, FlowNo: fmt.Sprintf("20261123%06d", n),
		BusinessDay: "2026-11-23", Queue: "A", Class: hallsync.Normal, Channel: hallsync.AtKiosk, Place: "1",
		Proof: hallsync.ProofNone, Printer: "1", By: hallsync.By{Kind: "kiosk", ID: "1"},
	}
}

func called(n int, window hallsync.WindowID) hallsync.TicketCalled {
	return hallsync.TicketCalled{
		Ticket: ticketID(n), Number: fmt.Sprintf("A%03d", n), Queue: "A", Window: window, How: "next",
		Why: hallsync.Why{Rule: "arrival", WaitedS: 7}, By: hallsync.By{Kind: "staff", Staff: "s1"},
	}
}
