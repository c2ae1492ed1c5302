package ops_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/ops"
	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// A screen whose page goes away is told after two minutes, as long as a window is open: who switches it off in the evening goes home.
func TestAPageThatIsGoneIsTold(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30*365*24*time.Hour + 9*time.Hour)
		hall := queue.New(&queue.Plan{
			Location: time.UTC, Queues: []queue.QueuePlan{{ID: "A"}}, Windows: []queue.WindowPlan{{ID: "1", Queues: []hallsync.QueueID{"A"}}},
		})
		b := &box{hall: hall, devices: []hallsync.DeviceStatus{{Name: "screen-1.page", Class: "screen", State: "offline", Code: "page_gone"}}}
		apply(t, hall, queue.TurnDay{})
		sources := b.sources(dir)
		sources.Uplink = nil
		w := ops.NewWatcher(sources, texts(t))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		told := func(when string, want bool) {
			t.Helper()
			synctest.Wait()
			got := false
			for _, c := range w.Conditions() {
				if c.Code == "device_page_gone" {
					got = true
					if c.Subject != "screen-1.page" || c.Severity != "warning" || c.Title == c.Code || c.Advice == "" {
						t.Errorf("%+v", c)
					}
				}
			}
			if got != want {
				t.Errorf("%s: told %v", when, got)
			}
		}
		time.Sleep(time.Hour)
		told("before anybody works", false)
		b.with(func() { apply(t, hall, queue.Open{Window: "1"}) })
		time.Sleep(119 * time.Second)
		told("it may come back", false)
		time.Sleep(3 * time.Second)
		told("two minutes are over", true)
		b.with(func() { apply(t, hall, queue.Close{Window: "1"}) })
		time.Sleep(time.Second)
		told("in the evening", false)
		cancel()
		<-done
	})
}
