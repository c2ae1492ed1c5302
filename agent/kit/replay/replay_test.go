package replay

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestACodeCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New[string]()
		m := g.Mark("code")
		for i, step := range []struct {
			wait time.Duration
			who  string
			want State
			then func()
		}{
			{0, "kiosk-1", Fresh, nil},
			{0, "kiosk-1", Fresh, nil}, // the first is still being resolved
			{0, "kiosk-2", Used, func() { g.Keep(m, "kiosk-1", "first", time.Time{}) }},
			{Same, "kiosk-1", Again, nil},
			{0, "kiosk-2", Used, nil},
			{time.Second, "kiosk-1", Used, nil},
			{Kept, "kiosk-2", Fresh, func() { g.Forget(m) }}, // it came to nothing
			{0, "kiosk-1", Fresh, func() { g.Bind(m, "kiosk-1", "ticket") }},
			{Kept - time.Second, "kiosk-1", Again, func() { g.Forget(m) }}, // no longer possible
			{0, "kiosk-2", Used, nil},
			{time.Second, "kiosk-2", Fresh, func() { g.Keep(m, "kiosk-2", "long", time.Now().Add(time.Hour)) }},
			{time.Hour - time.Second, "kiosk-1", Used, nil},
			{time.Second, "kiosk-1", Fresh, func() { g.Keep(m, "kiosk-1", "for ever", time.Now().Add(1000*time.Hour)) }},
			{Long, "kiosk-2", Fresh, nil},
		} {
			time.Sleep(step.wait)
			res, got := g.Begin(m, step.who)
			if got != step.want || (got == Again) == (res == "") {
				t.Fatalf("step %d: %d %q, want %d", i, got, res, step.want)
			}
			if step.then != nil {
				step.then()
			}
		}
		if g.Bind(g.Mark("new"), "desk", "ticket"); len(g.seen) != 2 {
			t.Errorf("%d remembered", len(g.seen))
		}
	})
}

func TestAGuardIsBounded(t *testing.T) {
	g := New[int]()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range Most / 2 {
				g.Begin(g.Mark(fmt.Sprint(w, "/", i)), "kiosk-1")
			}
		})
	}
	wg.Wait()
	if len(g.seen) > Most {
		t.Fatalf("%d codes remembered", len(g.seen))
	}
	if New[int]().Mark("a") == g.Mark("a") {
		t.Error("two guards mark a code alike")
	}
}

// What a code has given stays, however late its owner answers somebody who asked before.
func TestALateAnswerDoesNotUndoTheEffect(t *testing.T) {
	g := New[string]()
	m := g.Mark("code")
	g.Begin(m, "kiosk-1")
	g.Bind(m, "kiosk-2", "ticket")
	if got := g.Keep(m, "kiosk-1", "good", time.Time{}); got != "ticket" {
		t.Errorf("kept %q", got)
	}
	if got, state := g.Begin(m, "kiosk-2"); got != "ticket" || state != Again {
		t.Errorf("%q %d", got, state)
	}
	if _, state := g.Begin(m, "kiosk-1"); state != Used {
		t.Errorf("another gets it: %d", state)
	}
	other := g.Mark("other")
	g.Begin(other, "kiosk-1")
	g.Forget(other) // a twin of the question came to nothing
	g.Keep(other, "kiosk-1", "good", time.Time{})
	if _, state := g.Begin(other, "kiosk-2"); state != Used {
		t.Errorf("a good answer is forgotten: %d", state)
	}
}
