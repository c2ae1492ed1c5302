// Package halltest gives tests a running hall on a store of its own.
package halltest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/hall"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
)

// Open gives a hall that works by a plan until the test ends.
func Open(t *testing.T, plan *queue.Plan) *hall.Hall {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.TempDir(), store.Options{Hall: "440900000000001", Delivered: "cloud", Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hall.New(st, plan, quiet, Clock(time.Now))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	Run(t, st.Run)
	return h
}

// Clock is a clock that is never set.
func Clock(wall func() time.Time) hall.Clock {
	return hall.Clock{Wall: wall, Steady: func() time.Duration { return time.Duration(wall().UnixNano()) }, Synced: func() bool { return false }}
}

// Run runs a part until the test ends. What was begun last ends first, so a part ends before the hall it was begun on.
func Run(t *testing.T, part func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = part(ctx) })
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
}
