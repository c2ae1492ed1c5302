package access_test

import (
	"log/slog"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/store"
)

// What the audit has kept long enough goes, at the start of the program and while it runs; the rest stays.
func TestAuditIsKeptForItsTime(t *testing.T) {
	const day, keep = 24 * time.Hour, 200 * 24 * time.Hour
	f := start(t)
	at := f.clock.now()
	err := f.st.Write(t.Context(), func(tx *store.Tx) error {
		for i := range 600 { // more than one step takes
			if err := tx.AddAudit(store.Audit{At: at.Add(-keep - time.Duration(i+1)*time.Minute)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.signAudit(t, at.Add(-keep))
	for i, age := range []time.Duration{keep, keep - time.Minute, 0} {
		if err := f.st.Write(t.Context(), func(tx *store.Tx) error { return tx.AddAudit(store.Audit{At: at.Add(-age)}) }); err != nil {
			t.Fatal(err)
		}
		f.signAudit(t, at.Add(time.Duration(i)*time.Hour))
	}
	f.Desk = access.New(access.Options{Store: f.st, Keep: keep, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
	f.run()
	for _, c := range []struct {
		pass time.Duration
		want int
	}{{0, 3}, {day, 1}} { // each line has been signed for
		f.clock.pass(c.pass)
		deadline := time.Now().Add(patience)
		for len(f.audit()) != c.want {
			if time.Now().After(deadline) {
				t.Fatalf("%d lines %s later, want %d", len(f.audit()), c.pass, c.want)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

// signAudit signs where the audit is, as the service does every few minutes.
func (f *fixture) signAudit(t *testing.T, at time.Time) {
	t.Helper()
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.st.CheckpointAudit(t.Context(), at, func(c chain.Checkpoint) (chain.Checkpoint, error) { return c.Sign(key) }); err != nil {
		t.Fatal(err)
	}
}
