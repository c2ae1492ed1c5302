package journal_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/journal"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const hall = hallsync.HallID("440900000000001")

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// written is a centre with a log of two checkpoints: 1 segment, 2 key, 3–6 facts, 7 checkpoint, 8–11 facts, 12 checkpoint, 13 fact.
func written(t *testing.T) (*sealedtest.Centre, journal.Auditor) {
	t.Helper()
	c := sealedtest.Open(t, hall, start)
	c.Begin(chain.First, chain.Point{})
	c.NewKey("2026-11-23", false)
	for n := range 9 {
		if n == 4 || n == 8 {
			c.Checkpoint()
		}
		c.Add(hallsync.WindowWasOpened{Window: hallsync.WindowID(fmt.Sprint(n))})
	}
	c.Send(0)
	return c, journal.Auditor{Store: c.Store, Vault: c.Vault, Signers: func(context.Context, hallsync.HallID) ([]gm.PublicKey, error) {
		return c.Signers(hall), nil
	}}
}

// tamper changes the database behind the program's back.
func tamper(t *testing.T, path, text string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, a journal.Auditor) (journal.Result, string) {
	t.Helper()
	r, err := a.Hall(t.Context(), hall)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Faults) == 0 {
		return r, "good"
	}
	f := r.Faults[0]
	return r, fmt.Sprint(f.Kind, " ", f.Number, "-", f.Last)
}

func TestGoodChain(t *testing.T) {
	_, a := written(t)
	r, said := verify(t, a)
	if said != "good" || r.Entries != 13 || r.Signed != 12 && r.Signed != 13 || r.Segments != 1 {
		t.Errorf("%s, %+v", said, r)
	}
}

// Whatever somebody changes in the centre's database, the first entry that is wrong is named.
func TestTamperingIsNamed(t *testing.T) {
	const where = ` WHERE hall = '440900000000001' AND seq = `
	tests := map[string]struct {
		tamper func(t *testing.T, c *sealedtest.Centre)
		want   string
	}{
		"a fact's bytes": {func(t *testing.T, c *sealedtest.Centre) {
			var e hallsync.Event
			if err := json.Unmarshal(c.Raw[4], &e); err != nil {
				t.Fatal(err)
			}
			e.Sealed[20] ^= 1
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			hash := store.HashOf(raw)
			tamper(t, c.Path, `UPDATE events SET body = $1, hash = $2`+where+`5`, raw, hash[:])
		}, "changed 5-5"},
		"a fact's kind":     {func(t *testing.T, c *sealedtest.Centre) { tamper(t, c.Path, `UPDATE events SET kind = 'x'`+where+`4`) }, "changed 4-4"},
		"a fact is missing": {func(t *testing.T, c *sealedtest.Centre) { tamper(t, c.Path, `DELETE FROM events`+where+`9`) }, "missing 9-9"},
		"the end is gone":   {func(t *testing.T, c *sealedtest.Centre) { tamper(t, c.Path, `DELETE FROM events`+where+`13`) }, "cut_off 13-13"},
		"no fact at all":    {func(t *testing.T, c *sealedtest.Centre) { tamper(t, c.Path, `UPDATE events SET body = 'x'`+where+`6`) }, "changed 6-6"},
		"a link is gone":    {func(t *testing.T, c *sealedtest.Centre) { tamper(t, c.Path, `UPDATE events SET link = NULL`+where+`6`) }, "changed 6-6"},
		"a body is erased": {func(t *testing.T, c *sealedtest.Centre) {
			var e hallsync.Event
			if err := json.Unmarshal(c.Raw[7], &e); err != nil {
				t.Fatal(err)
			}
			hash := gm.Sum(e.Body())
			e.Sealed, e.Erased = nil, &hallsync.Erased{Hash: hash[:], Order: "mine"}
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			tamper(t, c.Path, `UPDATE events SET body = $1, erased = 'mine'`+where+`8`, raw)
		}, "erased_unordered 8-8"},
		"written anew with fitting heads": {func(t *testing.T, c *sealedtest.Centre) { rewrite(t, c) }, "rewritten 4-4"},
		"the start":                       {func(t *testing.T, c *sealedtest.Centre) { tamper(t, c.Path, `UPDATE segments SET start = x'00'`) }, "changed 1-1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, a := written(t)
			tt.tamper(t, c)
			if _, said := verify(t, a); said != tt.want {
				t.Errorf("%s, want %s", said, tt.want)
			}
		})
	}
}

// rewrite does what somebody can who has the database and not the vault: he changes entry 4 and makes all heads behind it fit, up to the next
// checkpoint.
func rewrite(t *testing.T, c *sealedtest.Centre) {
	t.Helper()
	segments, err := c.Store.Segments(t.Context(), hall, c.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	first, err := chain.ParseStart(segments[0].Start)
	if err != nil {
		t.Fatal(err)
	}
	state := chain.Follow(first.Point(), chain.Key{})
	for seq := 1; seq <= 13; seq++ {
		var e hallsync.Event
		if err := json.Unmarshal(c.Raw[seq-1], &e); err != nil {
			t.Fatal(err)
		}
		if seq == 4 {
			e.Sealed[20] ^= 1
		}
		link, err := state.Copy(chain.Entry{Number: uint64(seq), Clear: e.Clear(), Body: e.Body()})
		if err != nil {
			t.Fatal(err)
		}
		if seq < 4 {
			continue
		}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		tamper(t, c.Path, `UPDATE events SET body = $1, link = $2 WHERE seq = $3`, raw, link.Bytes(), seq)
	}
}

// What the hall has lost for ever is no fault of the centre's, and what comes behind it is verified all the same.
func TestChainWithAGap(t *testing.T) {
	c, a := written(t)
	for n := range 5 {
		c.Add(hallsync.WindowWasClosed{Window: hallsync.WindowID(fmt.Sprint(n))})
	}
	c.Checkpoint()
	c.Add(hallsync.WindowWasClosed{Window: "8"})
	hello := hallsync.Hello{Hall: hall, Epoch: c.Epoch, First: 16, Next: hallsync.Seq(len(c.Raw) + 1)}
	if _, err := c.Ingest.Hello(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	c.Send(15)
	r, said := verify(t, a)
	if said != "good" || r.Entries != 15 {
		t.Errorf("%s, %+v", said, r)
	}
	tamper(t, c.Path, `UPDATE events SET body = replace(body, '2026', '2025') WHERE seq = 20`)
	if _, said := verify(t, a); said != "changed 20-20" {
		t.Errorf("behind the gap: %s", said)
	}
}

// The audit: each line that is changed, added, taken away or put elsewhere is named.
func TestAuditIsChained(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"good":      {`SELECT 1`, "good"},
		"changed":   {`UPDATE audit SET actor = 'nobody' WHERE number = 3`, "changed 3"},
		"a result":  {`UPDATE audit SET result = 'ok' WHERE number = 4`, "changed 4"},
		"deleted":   {`DELETE FROM audit WHERE number = 2`, "missing 2"},
		"end":       {`DELETE FROM audit WHERE number = 5`, "cut_off 5"},
		"moved":     {`UPDATE audit SET number = 9 WHERE number = 2`, "missing 2"},
		"added":     {`INSERT INTO audit (at_ms, actor, action, subject, result, remote) VALUES (1, 'x', 'x', 'x', 'ok', '')`, "added 6"},
		"beginning": {`DELETE FROM audit WHERE number = 1`, "missing 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := sealedtest.Open(t, hall, start)
			a := journal.Auditor{Store: c.Store, Vault: c.Vault}
			for i := range 5 {
				line := store.Audit{At: start, Actor: fmt.Sprint("user", i), Action: store.ActionSignIn, Result: "sign_in_wrong"}
				if err := c.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.AddAudit(line) }); err != nil {
					t.Fatal(err)
				}
			}
			signed, err := c.Store.CheckpointAudit(t.Context(), start, c.Vault.Checkpoint)
			if err != nil || !signed {
				t.Fatalf("signed %t, %v", signed, err)
			}
			tamper(t, c.Path, tt.text)
			found, err := a.Audit(t.Context())
			got := "good"
			var fault *chain.Fault
			if errors.As(err, &fault) {
				got = fmt.Sprint(fault.Kind, " ", fault.Number)
			} else if err != nil || found.Vouched != 5 {
				t.Fatalf("%+v, %v", found, err)
			}
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// Lines that were there before the chain are adopted by it, and old ones may go as far as was signed.
func TestAuditAdoptedAndPruned(t *testing.T) {
	c := sealedtest.Open(t, hall, start)
	a := journal.Auditor{Store: c.Store, Vault: c.Vault}
	tamper(t, c.Path, `INSERT INTO audit (at_ms, actor, action, subject, result, remote) VALUES (1, 'li', 'sign_in', '', 'ok', ''), (2, 'li', 'sign_out', '', 'ok', '')`)
	for i := range 4 {
		at := start.Add(time.Duration(i) * time.Hour)
		if err := c.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.AddAudit(store.Audit{At: at, Actor: "wang"}) }); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Store.CheckpointAudit(t.Context(), at, c.Vault.Checkpoint); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := a.Audit(t.Context()); err != nil || found.Entries != 6 {
		t.Fatalf("%+v, %v", found, err)
	}
	err := c.Store.Write(t.Context(), func(tx *store.Tx) error {
		dropped, err := tx.PruneAudit(start.Add(90*time.Minute), 100)
		if dropped != 4 {
			t.Errorf("%d dropped", dropped)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := a.Audit(t.Context()); err != nil || found.Entries != 2 {
		t.Errorf("after pruning %+v, %v", found, err)
	}
	tamper(t, c.Path, `UPDATE audit SET actor = 'x' WHERE number = 5`)
	var fault *chain.Fault
	if _, err := a.Audit(t.Context()); !errors.As(err, &fault) || fault.Kind != chain.Changed || fault.Number != 5 {
		t.Errorf("tampered after pruning: %v", err)
	}
}
