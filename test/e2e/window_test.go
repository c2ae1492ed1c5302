package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"halledge/test/demo"
)

// looks waits until a device shows something.
func looks(t *testing.T, d *demo.Demo, device, want string) {
	t.Helper()
	demo.Until(t, demo.Patience, device+" shows "+want, func() error {
		if got := d.Sim(t, "look", device); !strings.Contains(got, want) {
			return fmt.Errorf("it shows %q", got)
		}
		return nil
	})
}

// trembling is how long another 叫号 of a pad is taken for the same one.
const trembling = 300 * time.Millisecond

// Window 2 works with what stands on its desk alone: a pad with 21 keys, on which digits and 确认 are the verbs without a key, and a device
// that asks the citizen afterwards.
func TestAWindowWithoutAScreen(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	first, second := d.Take(t, "A"), d.Take(t, "A")
	looks(t, d, "window-2.pad", "waiting=2 ticket=")
	keys := func(all ...string) {
		for _, key := range all {
			d.Sim(t, "press", key, "--window", "2")
		}
	}
	keys("next") // opens the window too
	pressed := time.Now()
	looks(t, d, "window-2.pad", "waiting=1 ticket=001")
	keys("1", "confirm") // 开始办理
	window(t, d, 1, first.ID, "serving")
	keys("0", "confirm") // 挂起
	window(t, d, 1, "", "")
	demo.Until(t, demo.Patience, "the moment after which a finger does not tremble any more", func() error {
		if time.Since(pressed) < trembling {
			return errors.New("it is too soon for another 叫号")
		}
		return nil
	})
	keys("next")
	looks(t, d, "window-2.pad", "waiting=0 ticket=002")
	keys("5", "confirm") // 过号
	window(t, d, 1, "", "")
	keys("3", "confirm") // 回呼 of the one that was held
	window(t, d, 1, first.ID, "serving")
	keys("rate") // the service has ended
	looks(t, d, "window-2.rater", "请您评价")
	d.Sim(t, "rate", "4")
	rated(t, d, first.ID, "satisfied")
	var a struct{ Ticket demo.Ticket }
	d.Get(t, "staff", "/api/v1/tickets/"+second.ID).Into(t, &a)
	if a.Ticket.State != "passed" {
		t.Errorf("the second ticket is %s", a.Ticket.State)
	}
}

// window waits until a window, by its place in the list, has a ticket in a state.
func window(t *testing.T, d *demo.Demo, n int, ticket, state string) {
	t.Helper()
	demo.Until(t, demo.Patience, "window's ticket "+state, func() error {
		got, in := "", ""
		if w := d.Hall(t).Windows[n]; w.Ticket != nil {
			got, in = w.Ticket.ID, w.Ticket.State
		}
		if got != ticket || in != state {
			return fmt.Errorf("it has %q, %s", got, in)
		}
		return nil
	})
}

// rated waits until the cloud knows the grade of a ticket.
func rated(t *testing.T, d *demo.Demo, ticket, grade string) {
	t.Helper()
	demo.Until(t, demo.Patience, "the rating in the cloud", func() error {
		for _, f := range cloudFacts(t, d) {
			var p struct{ Ticket, Grade string }
			if f.Kind != "ticket.rated" || json.Unmarshal(f.Payload, &p) != nil || p.Ticket != ticket {
				continue
			}
			if p.Grade != grade {
				t.Errorf("rated %s, want %s", p.Grade, grade)
			}
			return nil
		}
		return fmt.Errorf("no rating yet")
	})
}
