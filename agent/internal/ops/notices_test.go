package ops_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/notices"
	"halledge/agent/internal/ops"
	"halledge/agent/internal/queue"
)

// What is wrong with notices is told for as long as it is: of a group of screens or of one screen.
func TestTroublesOfNoticesAreTold(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30 * 365 * 24 * time.Hour)
		b := &box{hall: queue.New(&queue.Plan{Location: time.UTC})}
		var now []notices.Trouble
		sources := b.sources(dir)
		sources.Uplink = nil
		sources.Notices = func() (out []notices.Trouble) {
			b.with(func() { out = now })
			return out
		}
		w := ops.NewWatcher(sources, texts(t))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		told := func(when string, want ...string) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			got := map[string]bool{}
			for _, c := range w.Conditions() {
				if c.Code == "notice_refused" || c.Code == "notice_altered" {
					got[c.Code+" "+c.Subject] = true
					if c.Title == c.Code || c.Advice == "" {
						t.Errorf("%+v", c)
					}
				}
			}
			for _, x := range want {
				if !got[x] {
					t.Errorf("%s: %s is not told", when, x)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		told("all is well")
		b.with(func() {
			now = []notices.Trouble{{Kind: notices.Refused, Subject: "hall", Detail: "notice_forged"}, {Kind: notices.Altered, Subject: "screen-1", Detail: "6"}}
		})
		told("two troubles", "notice_refused hall", "notice_altered screen-1")
		b.with(func() { now = now[:1] })
		told("one is over", "notice_refused hall")
		b.with(func() { now = nil })
		told("both are")
		cancel()
		<-done
	})
}
