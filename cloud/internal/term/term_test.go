package term_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/journal"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/term"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"

	"github.com/prometheus/client_golang/prometheus"
)

const hall = hallsync.HallID("440900000000001")

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

func keeper(c *sealedtest.Centre, v *vault.Vault, days int) *term.Keeper {
	return term.New(term.Options{
		Store: c.Store, Vault: v, Opener: sealed.New(v), Days: days, Now: func() time.Time { return c.Now },
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
}

func taken(n string, day string) hallsync.TicketTaken {
	return hallsync.TicketTaken{
		Ticket: hallsync.TicketID("01JDTICKET" + n), Number: n, FlowNo: "F" + n, BusinessDay: day, Queue: "A", Class: hallsync.Normal,
		Channel: hallsync.AtKiosk, Proof: hallsync.ProofIDCard, Person: "0123456789abcdef0123456789abcdef", By: hallsync.By{Kind: "kiosk", ID: "1"},
	}
}

// twoDays is a hall that has worked on two days, the second one forty days later.
func twoDays(t *testing.T) *sealedtest.Centre {
	t.Helper()
	c := sealedtest.Open(t, hall, start)
	c.Add(taken("A000", "2026-11-22")) // before it sealed
	c.Begin(chain.First, chain.Point{})
	c.NewKey("2026-11-23", false)
	c.Add(taken("A001", "2026-11-23"))
	c.Add(hallsync.TicketCalled{Ticket: "01JDTICKETA001", Number: "A001", Queue: "A", Window: "1", How: "next"})
	c.Send(0)
	c.Now = start.AddDate(0, 0, 40)
	c.Start = c.Now
	c.NewKey(c.Now.Format(time.DateOnly), false)
	c.Add(taken("B001", c.Now.Format(time.DateOnly)))
	c.Checkpoint()
	c.Send(5)
	c.Hello()
	return c
}

func open(t *testing.T, c *sealedtest.Centre, seq hallsync.Seq) (hallsync.Event, error) {
	t.Helper()
	e, found, err := c.Store.Event(t.Context(), hall, c.Epoch, seq)
	if err != nil || !found {
		t.Fatalf("fact %d: %t, %v", seq, found, err)
	}
	return c.Opener.Open(e, sealed.From(t.Context(), c.Store))
}

// When a day's term is over its key is nowhere any more, what it sealed cannot be opened, its tickets are gone, and the chain is whole.
func TestTermIsOver(t *testing.T) {
	c := twoDays(t)
	if _, err := open(t, c, 4); err != nil {
		t.Fatal(err)
	}
	kept, err := keeper(c, c.Vault, 30).Keep(t.Context())
	if err != nil || kept.Destroyed != 1 || kept.Erased != 1 || kept.Tickets != 2 || kept.Waits {
		t.Fatalf("%+v, %v", kept, err)
	}
	var no *sealed.Error
	if _, err := open(t, c, 4); !errors.As(err, &no) || no.Why != sealed.KeyDestroyed {
		t.Errorf("opened: %v", err)
	}
	if _, err := open(t, c, 7); err != nil {
		t.Errorf("of the day that stays: %v", err)
	}
	var erased *hallsync.ErasedError
	if _, err := open(t, c, 1); !errors.As(err, &erased) {
		t.Errorf("in the clear: %v", err)
	}
	if n := c.Tickets(); n != 1 {
		t.Errorf("%d tickets", n)
	}
	rebuilt(t, c)
	a := journal.Auditor{Store: c.Store, Vault: c.Vault, Signers: func(context.Context, hallsync.HallID) ([]gm.PublicKey, error) { return c.Signers(hall), nil }}
	if r, err := a.Hall(t.Context(), hall); err != nil || len(r.Faults)+len(r.Noted) != 0 || r.Erased != 1 {
		t.Errorf("chain %+v, %v", r, err)
	}
	lines, _, err := c.Store.Audits(t.Context(), store.AuditQuery{Action: store.ActionKeysDestroy, Limit: 9})
	if err != nil || len(lines) != 1 {
		t.Errorf("audit %+v, %v", lines, err)
	}
	if again, err := keeper(c, c.Vault, 30).Keep(t.Context()); err != nil || again != (term.Kept{}) {
		t.Errorf("the second time %+v, %v", again, err)
	}
	c.Hello() // tells the key again
	if _, err := open(t, c, 4); !errors.As(err, &no) || no.Why != sealed.KeyDestroyed {
		t.Errorf("the key came back: %v", err)
	}
}

// A hall that tells a destroyed key in a further fact brings nothing back, and the key's wraps do not stay in that fact either.
func TestDestroyedKeysAreNotKeptInFacts(t *testing.T) {
	c := twoDays(t)
	if _, err := keeper(c, c.Vault, 30).Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := len(c.Raw)
	c.Add(c.Keys[0])
	c.Checkpoint()
	if ack := c.Send(sent); ack.Receipt == nil || ack.Rejected != nil {
		t.Errorf("ack %+v", ack)
	}
	e, found, err := c.Store.Event(t.Context(), hall, c.Epoch, hallsync.Seq(sent+1))
	if err != nil || !found || e.Erased == "" || bytes.Contains(e.Body, []byte("wraps")) {
		t.Errorf("the fact is %s, %v", e.Body, err)
	}
	var no *sealed.Error
	if _, err := open(t, c, 4); !errors.As(err, &no) || no.Why != sealed.KeyDestroyed {
		t.Errorf("the key came back: %v", err)
	}
	a := journal.Auditor{Store: c.Store, Vault: c.Vault, Signers: func(context.Context, hallsync.HallID) ([]gm.PublicKey, error) { return c.Signers(hall), nil }}
	if r, err := a.Hall(t.Context(), hall); err != nil || len(r.Faults)+len(r.Noted) != 0 || r.Erased != 2 {
		t.Errorf("chain %+v, %v", r, err)
	}
}

// A fact that its hall had erased before it came has a place in the chain; the end of its term does not take that.
func TestFactsThatCameErasedStayInTheChain(t *testing.T) {
	c := sealedtest.Open(t, hall, start)
	err := c.Store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.PutErasure(store.Erasure{ID: "o", Hall: hall, Kind: store.ErasePerson, Made: start, Done: start})
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Begin(chain.First, chain.Point{})
	c.NewKey("2026-11-23", false)
	var e hallsync.Event
	if err := json.Unmarshal(c.Add(taken("A001", "2026-11-23")), &e); err != nil {
		t.Fatal(err)
	}
	hash := gm.Sum(e.Body())
	e.Sealed, e.Erased = nil, &hallsync.Erased{Hash: hash[:], Order: "o"}
	if c.Raw[2], err = json.Marshal(e); err != nil {
		t.Fatal(err)
	}
	c.Checkpoint()
	c.Send(0)
	c.Now = start.AddDate(0, 0, 40)
	c.Start = c.Now
	c.NewKey(c.Now.Format(time.DateOnly), false)
	c.Checkpoint()
	c.Send(4)
	c.Hello()
	a := journal.Auditor{Store: c.Store, Vault: c.Vault, Signers: func(context.Context, hallsync.HallID) ([]gm.PublicKey, error) { return c.Signers(hall), nil }}
	for _, days := range []int{0, 30, 30} {
		if kept, err := keeper(c, c.Vault, days).Keep(t.Context()); err != nil || kept.Waits {
			t.Fatalf("%+v, %v", kept, err)
		}
		if r, err := a.Hall(t.Context(), hall); err != nil || len(r.Faults)+len(r.Noted) != 0 || r.Erased == 0 {
			t.Errorf("%d days: chain %+v, %v", days, r, err)
		}
	}
}

func rebuilt(t *testing.T, c *sealedtest.Centre) {
	t.Helper()
	if _, err := c.Ingest.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := c.Tickets(); n != 1 {
		t.Errorf("%d tickets after a rebuild", n)
	}
}

// No file of the database keeps the wrapped key once it is destroyed: neither the rows, nor freed pages, nor the journal beside it.
func TestDestroyedKeyIsInNoFile(t *testing.T) {
	c := twoDays(t)
	var fact hallsync.Event
	var made hallsync.KeyMade
	if err := errors.Join(json.Unmarshal(c.Raw[2], &fact), json.Unmarshal(fact.Payload, &made)); err != nil {
		t.Fatal(err)
	}
	wrap, err := json.Marshal(made.Wraps[0].Wrapped)
	if err != nil {
		t.Fatal(err)
	}
	wrap = bytes.Trim(wrap, `"`)
	if !inFiles(t, c.Path, wrap) {
		t.Fatal("it never was there")
	}
	if _, err := keeper(c, c.Vault, 30).Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, c.Path, wrap) {
		t.Error("the wrapped key is still in a file")
	}
}

// inFiles reports whether a text stands in a file beside the database.
func inFiles(t *testing.T, path string, text []byte) bool {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, text) {
			return true
		}
	}
	return false
}

// Threat 22: a clock that no hall agrees with destroys nothing.
func TestThreat22ClockThatNobodySharesDestroysNothing(t *testing.T) {
	c := twoDays(t)
	c.Now = c.Now.AddDate(2, 0, 0) // the centre's clock jumps
	if kept, err := keeper(c, c.Vault, 30).Keep(t.Context()); err != nil || !kept.Waits || kept.Destroyed != 0 {
		t.Fatalf("nobody heard: %+v, %v", kept, err)
	}
	late := hallsync.Hello{Hall: hall, Epoch: c.Epoch, First: 1, Next: hallsync.Seq(len(c.Raw) + 1), ClockMS: c.Now.AddDate(-2, 0, 0).UnixMilli()}
	if _, err := c.Ingest.Hello(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	c.Add(taken("B002", "2027-01-02"))
	c.Send(len(c.Raw) - 1)
	if kept, err := keeper(c, c.Vault, 30).Keep(t.Context()); err != nil || !kept.Waits || kept.Destroyed != 0 {
		t.Errorf("a hall says another time: %+v, %v", kept, err)
	}
	if _, err := open(t, c, 4); err != nil {
		t.Error(err)
	}
}

// After a rotation data keys and the keys of indexes of people are wrapped for the key in force, and the old one is not needed for them any more.
func TestRewrap(t *testing.T) {
	c := twoDays(t)
	index := store.IndexKey{Hall: hall, ID: "i", Made: start}
	err := c.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
		if index.Wraps, err = c.Vault.Wrap(func(to gm.PublicKey) ([]byte, error) { return to.Wrap([]byte("the key of the index, 32 bytes ..")) }); err != nil {
			return err
		}
		foreign := store.IndexKey{Hall: hall, ID: "foreign", Wraps: []hallsync.KeyWrap{{For: "nobody", Wrapped: []byte{1}}}, Made: start}
		return errors.Join(tx.PutIndexKey(index), tx.PutIndexKey(foreign))
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(filepath.Dir(c.Path), "vault")
	if _, err := vault.Rotate(vault.Options{Directory: dir}); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(vault.Options{Directory: dir})
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := keeper(c, v, 0).Keep(t.Context()); err != nil || kept != (term.Kept{Rewrapped: 2, Indexes: 1}) {
		t.Fatalf("%+v, %v", kept, err)
	}
	names, err := c.Store.IndexKeys(t.Context(), store.IndexKey{}, 9)
	if err != nil || len(names) != 2 || names[1].ID != "i" || !v.Current(names[1].Wraps) {
		t.Fatal(names, err)
	}
	if secret, err := v.Secret(names[1].Wraps); err != nil || string(secret) != "the key of the index, 32 bytes .." {
		t.Errorf("%q, %v", secret, err)
	}
	keys, err := c.Store.DataKeys(t.Context(), "", store.DataKey{}, 9)
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	for _, k := range keys {
		if !v.Current(k.Wraps) {
			t.Errorf("%s is wrapped for another key", k.Key)
		}
		if _, err := sealed.New(v).Unwrap(k); err != nil {
			t.Error(err)
		}
	}
}

// Run signs the audit, and ends with its context.
func TestRun(t *testing.T) {
	c := twoDays(t)
	if err := c.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.AddAudit(store.Audit{At: start}) }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	k := keeper(c, c.Vault, 0)
	go func() { done <- k.Run(ctx) }()
	await.That(t, "somebody signs", func() bool {
		log, err := c.Store.AuditChain(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(log.Checkpoints) == 1 && log.Checkpoints[0].Signed(c.Vault.Keys().Sign...)
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
