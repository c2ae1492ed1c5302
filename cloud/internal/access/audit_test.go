package access_test

import (
	"log/slog"
	"testing"
	"time"

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
		for _, age := range []time.Duration{keep, keep - time.Minute, 0} {
			if err := tx.AddAudit(store.Audit{At: at.Add(-age)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Desk = access.New(access.Options{Store: f.st, Keep: keep, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
	f.run()
	for _, c := range []struct {
		pass time.Duration
		want int
	}{{0, 3}, {day, 1}} {
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
