package sealedtest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

// Centre is a centre with one hall: a database and a vault in a directory, and what takes the hall's facts.
type Centre struct {
	*Box
	Path   string // of the database
	Store  *store.Store
	Vault  *vault.Vault
	Opener *sealed.Opener
	Ingest *ingest.Ingester
	Now    time.Time
}

// Open gives a centre that a box of a hall speaks with.
func Open(t testing.TB, hall hallsync.HallID, now time.Time) *Centre {
	t.Helper()
	dir := t.TempDir()
	c := &Centre{Path: filepath.Join(dir, "cloud.db"), Now: now}
	var err error
	if c.Store, err = store.Open(context.Background(), c.Path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Store.Close() })
	if c.Vault, err = vault.Open(vault.Options{Directory: filepath.Join(dir, "vault"), Make: true}); err != nil {
		t.Fatal(err)
	}
	c.Box = New(t, c.Vault.Keys().Open, hall, "7f3a", now)
	c.Opener = sealed.New(c.Vault)
	c.Ingest = ingest.New(c.Options())
	return c
}

// Options are those of what takes the hall's facts.
func (c *Centre) Options() ingest.Options {
	return ingest.Options{
		Store: c.Store, Vault: c.Vault, Opener: c.Opener, Signers: c.Signers, Now: func() time.Time { return c.Now },
		Changed: func(hallsync.HallID, ingest.Touched) {}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	}
}

// Send takes what the box has written since a place in its log.
func (c *Centre) Send(since int) hallsync.Ack {
	c.T.Helper()
	ack, err := c.Ingest.Ingest(context.Background(), c.Hall, c.Batch(since))
	if err != nil {
		c.T.Fatal(err)
	}
	return ack
}

// Hello greets, with a clock that agrees.
func (c *Centre) Hello() hallsync.Ack {
	c.T.Helper()
	ack, err := c.Ingest.Hello(context.Background(), hallsync.Hello{
		Hall: c.Hall, Epoch: c.Epoch, First: 1, Next: hallsync.Seq(len(c.Raw) + 1), ClockMS: c.Now.UnixMilli(), Keys: c.Keys,
	})
	if err != nil {
		c.T.Fatal(err)
	}
	return ack
}

// Tickets counts the tickets in the projections.
func (c *Centre) Tickets() int {
	c.T.Helper()
	_, total, err := c.Store.Tickets(context.Background(), store.TicketQuery{Hall: c.Hall, Limit: 1})
	if err != nil {
		c.T.Fatal(err)
	}
	return total
}
