package web_test

import (
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/internal/web"
	"halledge/firmware-protocols/hallsync"
)

// played is a morning at window 1: an elder is called before somebody who came a little earlier.
func played(t *testing.T, s *stage) {
	t.Helper()
	s.verb("1", "open", nil).want(t, 200, "")
	s.take("A")
	s.verb("1", "call-next", nil).want(t, 200, "")
	s.take("A")
	s.later(time.Minute)
	s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk", "class": "elder"}).want(t, 201, "")
	s.later(10 * time.Minute)
	s.verb("1", "call-next", nil).want(t, 200, "")
	s.later(5 * time.Minute)
	s.verb("1", "call-next", nil).want(t, 200, "")
	s.later(5 * time.Minute)
	s.verb("1", "finish", nil).want(t, 200, "")
}

func TestADayIsPlayedAgain(t *testing.T) {
	s := open(t)
	s.later(monday(9, 0).Sub(s.now()))
	played(t, s)
	r := s.get(staffToken, "/api/v1/rerun").want(t, 200, "")
	if r.text("day") != "2035-03-05" || r.at("all", "recorded", "people") != 3.0 || r.at("order", "weights", "elder") != 150.0 || r.at("order", "max_wait_min") != 30.0 {
		t.Errorf("%s", r.Raw)
	}
	elder := func(r reply, course string) float64 {
		t.Helper()
		for _, g := range r.at("classes").([]any) {
			if one := g.(map[string]any); one["class"] == "elder" {
				return one[course].(map[string]any)["median_s"].(float64)
			}
		}
		t.Fatalf("no elders: %s", r.Raw)
		return 0
	}
	if was, same := elder(r, "recorded"), elder(r, "after"); was < 600 || was > 605 || same != elder(r, "before") {
		t.Errorf("the elder waited %v and would have waited %v", was, same)
	}
	r = s.get(staffToken, "/api/v1/rerun?day=2035-03-05&weights=elder%3D50&max_wait=0&priority_run=1").want(t, 200, "")
	if after := elder(r, "after"); after < 899 || after > 905 { // a part of a second is left away
		t.Errorf("without privilege the elder would have waited %v: %s", after, r.Raw)
	}
	if r.at("later", "elder") != 1.0 || r.at("sooner", "normal") != 1.0 {
		t.Errorf("%s", r.Raw)
	}

	s.get(kioskToken, "/api/v1/rerun").want(t, 403, "not_allowed")
	for _, bad := range []string{"weights=king%3D100", "weights=elder", "max_wait=-1", "priority_run=x"} {
		s.get(staffToken, "/api/v1/rerun?"+bad).want(t, 400, "rerun_change")
	}
	none := s.get(staffToken, "/api/v1/rerun?day=2035-03-01").want(t, 404, "rerun_day")
	if days, ok := none.at("days").([]any); !ok || len(days) == 0 || days[len(days)-1] != "2035-03-05" {
		t.Errorf("%s", none.Raw)
	}
}

// blocked is a log that holds up who reads it from its begin, while it is told to.
type blocked struct {
	facts
	hold    atomic.Bool
	reading chan struct{}
	goOn    chan struct{}
}

type facts interface {
	Read(after hallsync.Seq, limit, maxBytes int) (raws [][]byte, err error)
}

func (b *blocked) Read(after hallsync.Seq, limit, maxBytes int) ([][]byte, error) {
	if b.hold.Load() && after == 0 {
		b.reading <- struct{}{}
		<-b.goOn
	}
	return b.facts.Read(after, limit, maxBytes)
}

func TestOneDayIsPlayedAtATime(t *testing.T) {
	log := &blocked{reading: make(chan struct{}), goOn: make(chan struct{})}
	s := open(t)
	s.stop()
	s.build = func(d web.Deps) (*web.Server, error) {
		log.facts, d.Facts = d.Facts, log
		return web.New(d)
	}
	s.start()
	log.hold.Store(true)
	first := make(chan reply, 1)
	go func() { first <- s.get(staffToken, "/api/v1/rerun") }()
	<-log.reading
	s.get(staffToken, "/api/v1/rerun").want(t, 429, "rerun_busy")
	log.hold.Store(false)
	close(log.goOn)
	(<-first).want(t, 200, "")
	s.get(staffToken, "/api/v1/rerun").want(t, 200, "")
}
