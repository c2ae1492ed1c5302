package ops_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/ops"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web/inputs"
	"halledge/firmware-protocols/hallsync"
)

// A kiosk whose page goes away is told after two minutes, as long as a window is open.
func TestASilentKioskIsTold(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30*365*24*time.Hour + 9*time.Hour)
		desk := inputs.New()
		hall := queue.New(&queue.Plan{
			Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}, Windows: []queue.WindowPlan{{ID: "1", Queues: []hallsync.QueueID{"A"}}},
		})
		b := &box{hall: hall}
		apply(t, hall, queue.TurnDay{}, queue.Open{Window: "1"})
		sources := b.sources(dir)
		sources.Uplink = nil
		sources.Silent = func() map[string]time.Time {
			out := map[string]time.Time{}
			for _, place := range []string{"kiosk-1", "kiosk-2"} {
				if since, gone := desk.Gone(place); gone {
					out[place] = since
				}
			}
			return out
		}
		w := ops.NewWatcher(sources, texts(t))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		told := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, c := range w.Conditions() {
				if c.Code == "kiosk_silent" {
					got = append(got, c.Subject)
					if c.Severity != "warning" || c.Title == c.Code || c.Advice == "" {
						t.Errorf("%+v", c)
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		_, first := desk.Watch("kiosk-1")
		_, second := desk.Watch("kiosk-1") // the old page and the new one while it loads itself again
		time.Sleep(5 * time.Minute)
		told("while it is there, and another was never")
		first()
		time.Sleep(5 * time.Minute)
		told("one of two pages went")
		second()
		time.Sleep(119 * time.Second)
		told("it may come back")
		time.Sleep(3 * time.Second)
		told("two minutes are over", "kiosk-1")
		_, third := desk.Watch("kiosk-1")
		time.Sleep(time.Second)
		told("it is back")
		b.with(func() { apply(t, hall, queue.Close{Window: "1"}) })
		third()
		time.Sleep(time.Hour)
		told("in the evening")
		time.Sleep(14 * time.Hour)
		b.with(func() { apply(t, hall, queue.TurnDay{}, queue.TurnDay{}, queue.Open{Window: "1"}) })
		time.Sleep(10 * time.Minute)
		told("it was not switched on today", "kiosk-1")
		cancel()
		<-done
	})
}
