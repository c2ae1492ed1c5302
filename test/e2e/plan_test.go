package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"halledge/test/demo"
)

// plan is what GET /api/v1/plan gives and POST takes.
type plan struct {
	Revision int64            `json:"revision"`
	Queues   []map[string]any `json:"queues"`
	Windows  []map[string]any `json:"windows"`
	Staff    []map[string]any `json:"staff"`
	Calendar map[string]any   `json:"calendar,omitempty"`
}

// The hall's manager changes queues, windows and staff while the centre is away: the hall works by it at once, still after its power
// was cut, and the centre learns of it when it is back.
func TestTheHallIsRearrangedWithoutTheCentre(t *testing.T) {
	t.Parallel()
	d := demo.Start(t)
	d.Sim(t, "stop", "cloud")
	d.Verb(t, "1", "open", nil)
	waiting := d.Take(t, "A")

	var p plan
	d.Get(t, "staff", "/api/v1/plan").Into(t, &p)
	if raw := d.Get(t, "staff", "/api/v1/plan").Body; strings.Contains(string(raw), "argon2id") || len(p.Staff) == 0 {
		t.Fatalf("%s", raw)
	}
	refusedPlan(t, d, p)
	before := p.Revision
	p.Queues = append(p.Queues, map[string]any{"id": "D", "name": "税务办理", "identity": "none"})
	p.Windows = append(p.Windows, map[string]any{"id": "3", "name": "3号窗口", "queues": []string{"A", "D"}})
	p.Staff = append(p.Staff, map[string]any{"id": "1999", "name": "测试新", "role": "clerk", "windows": []string{"3"}, "pin": "20261"})
	header := map[string]string{"Idempotency-Key": demo.Key()}
	for range 2 { // the second one is told what the first was
		a, err := d.Do(d.Agent.URL, d.Agent.Tokens["staff"], http.MethodPost, "/api/v1/plan", p, header)
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("%d %s %v", a.Status, a.Body, err)
		}
	}
	works := func() error { // the hall by its new plan
		names := []string{}
		for _, w := range d.Hall(t).Windows {
			names = append(names, w.Name)
		}
		if !slices.Contains(names, "3号窗口") {
			return fmt.Errorf("windows %v", names)
		}
		return nil
	}
	demo.Until(t, demo.Patience, "a third window", works)
	d.Verb(t, "3", "open", nil)
	if called := d.Verb(t, "3", "call-next", nil).Ticket; called == nil || called.Number != waiting.Number {
		t.Errorf("window 3 called %+v, %s waits", called, waiting.Number)
	}
	if got := d.Take(t, "D").Number; got != "D001" {
		t.Errorf("the new queue gives %s", got)
	}
	signIn := map[string]string{"user": "1999", "pin": "20261", "page": "window-3"}
	if a, err := d.Do(d.Agent.URL, "", http.MethodPost, "/sign-in", signIn, nil); err != nil || a.Status != http.StatusNoContent {
		t.Errorf("the new colleague: %d %s %v", a.Status, a.Body, err)
	}

	d.Sim(t, "stop", "agent")
	d.Sim(t, "start", "agent")
	demo.Until(t, demo.Patience, "the hall again", func() error { return d.Ready(d.Agent.URL) })
	if err := works(); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	d.Get(t, "staff", "/api/v1/plan").Into(t, &p)
	if p.Revision != before+1 {
		t.Errorf("revision %d, was %d", p.Revision, before)
	}
	p.Windows[2]["name"] = "综合3号窗口"
	var today struct{ Day string }
	d.Get(t, "staff", "/api/v1/bookings").Into(t, &today)
	p.Calendar["holidays"] = []string{today.Day} // a typhoon
	d.Post(t, "staff", "/api/v1/plan", p, http.StatusOK)
	demo.Until(t, demo.Patience, "the holiday", func() error {
		a, err := d.Do(d.Agent.URL, d.Agent.Tokens["kiosk"], http.MethodPost, "/api/v1/tickets", map[string]any{"queue": "A", "channel": "kiosk"}, nil)
		if err == nil && !strings.Contains(string(a.Body), "queue_closed") {
			err = fmt.Errorf("a number is given: %s", a.Body)
		}
		return err
	})
	d.Sim(t, "start", "cloud")
	demo.Until(t, demo.Patience, "the centre again", func() error { return d.Ready(d.Cloud.URL) })
	edits := 0
	for _, f := range inCloud(t, d) {
		if f.Kind == "plan.edited" {
			edits++
		}
	}
	if edits != 2 {
		t.Errorf("the centre has %d edits, want 2", edits)
	}
}

// refusedPlan wants nothing to change by what is wrong.
func refusedPlan(t *testing.T, d *demo.Demo, p plan) {
	t.Helper()
	staff := d.Agent.Tokens["staff"]
	old := p
	old.Revision--
	refused(t, d, staff, "/api/v1/plan", old, nil, 409, "plan_changed")
	refused(t, d, d.Agent.Tokens["kiosk"], "/api/v1/plan", p, nil, 403, "not_allowed")
	empty := p
	empty.Windows = nil
	refused(t, d, staff, "/api/v1/plan", empty, nil, 422, "plan_invalid")
	short := p
	short.Staff = append(slices.Clone(p.Staff), map[string]any{"id": "1999", "name": "测试新", "role": "clerk", "pin": "12"})
	refused(t, d, staff, "/api/v1/plan", short, nil, 422, "pin_form")
	var now plan
	if d.Get(t, "staff", "/api/v1/plan").Into(t, &now); now.Revision != p.Revision || len(now.Windows) != len(p.Windows) {
		t.Errorf("a refused edit changed the plan to %+v", now)
	}
}
