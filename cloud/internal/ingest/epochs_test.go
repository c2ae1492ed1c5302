package ingest_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

// Threat 5: a hall that begins one log after the other is heard so many times a day; what it sends of the last of them is taken as ever.
func TestThreat05NewEpochsAreBounded(t *testing.T) {
	st, v, figures, now := newStore(t), openVault(t, filepath.Join(t.TempDir(), "vault")), prometheus.NewRegistry(), start
	in := ingest.New(ingest.Options{
		Store: st, Vault: v, Opener: sealed.New(v), Changed: func(hallsync.HallID, ingest.Touched) {}, Now: func() time.Time { return now },
		Metrics: figures, Log: slog.New(slog.DiscardHandler),
	})
	name := func(n int) string { return fmt.Sprintf("e%d", n) }
	for n := range store.EpochsADay {
		hello(t, in, name(n), 1, 1)
		now = now.Add(time.Minute)
	}
	refused := func(err error) {
		t.Helper()
		var never *ingest.BatchError
		if !errors.As(err, &never) || never.Reason != ingest.EpochsTooMany {
			t.Errorf("error %v", err)
		}
	}
	_, err := in.Hello(t.Context(), hallsync.Hello{Hall: hall, Epoch: "more", First: 1, Next: 1})
	refused(err)
	_, err = in.Ingest(t.Context(), hall, batchOf(t, fact(t, hall, "more", 1, taken(1))))
	refused(err)
	if got := figure(t, figures, "hall_cloud_epochs_refused_total"); got != 2 {
		t.Errorf("%v counted", got)
	}
	last := name(store.EpochsADay - 1)
	if ack := hello(t, in, last, 1, 1); ack.EpochStale {
		t.Errorf("the epoch in force at its hello: %+v", ack)
	}
	if ack := send(t, in, fact(t, hall, last, 1, taken(1))); ack.UpTo != 1 {
		t.Errorf("its facts: %+v", ack)
	}
	if ack := hello(t, in, name(0), 1, 1); !ack.EpochStale || ack.Logs != 1 {
		t.Errorf("one before it: %+v", ack)
	}
	if _, err := in.Hello(t.Context(), hallsync.Hello{Hall: "440900000000002", Epoch: "e", First: 1, Next: 1}); err != nil {
		t.Errorf("another hall: %v", err)
	}
	if cursors, err := st.Cursors(t.Context(), hall); err != nil || len(cursors) != store.EpochsADay {
		t.Errorf("%d cursors, %v", len(cursors), err)
	}
	now = start.Add(24*time.Hour + time.Second)
	hello(t, in, "next", 1, 1)
	_, err = in.Hello(t.Context(), hallsync.Hello{Hall: hall, Epoch: "soon", First: 1, Next: 1})
	refused(err)
}

// figure reads a counter that has no labels.
func figure(t *testing.T, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no %s", name)
	return 0
}
