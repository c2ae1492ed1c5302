package web_test

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
)

// console is what window w's page is told beside the window.
func (s *stage) console(t *testing.T, w string) reply {
	t.Helper()
	return s.get(staffToken, "/api/v1/hall?window="+w).want(t, 200, "")
}

func TestConsoleCountsDownTheRecall(t *testing.T) {
	gap, limit := 20, 2
	s := open(t, func(_ *config.Site, p *config.Plan) {
		p.Rules.Order.RecallGapS, p.Rules.Order.RecallLimit = &gap, &limit
	})
	s.take("A")
	s.verb("1", "open", nil).want(t, 200, "")
	if c := s.console(t, "1"); c.at("console", "recall") != nil {
		t.Errorf("nobody is called: %s", c.Raw)
	}
	s.verb("1", "call-next", nil).want(t, 200, "")
	c := s.console(t, "1")
	in, _ := c.at("console", "recall", "in_ms").(float64)
	if in <= 15_000 || in > 20_000 || c.at("console", "recall", "left") != 1.0 {
		t.Errorf("%s", c.Raw)
	}
	s.verb("1", "recall", nil).want(t, 409, "recall_too_soon")
	s.later(20 * time.Second)
	if c := s.console(t, "1"); c.at("console", "recall", "in_ms") != 0.0 {
		t.Errorf("%s", c.Raw)
	}
	s.verb("1", "recall", nil).want(t, 200, "")
	if c := s.console(t, "1"); c.at("console", "recall", "left") != 0.0 {
		t.Errorf("%s", c.Raw)
	}
}

func TestConsoleTellsWhatToKnowOfATicket(t *testing.T) {
	s := open(t, func(_ *config.Site, p *config.Plan) { p.Rules.HallPool = true })
	id := s.post(kioskToken, "/api/v1/tickets", map[string]any{"queue": "A", "channel": "kiosk", "then": []string{"B"}}).want(t, 201, "").text("ticket", "id")
	for _, w := range []string{"1", "2", "3"} {
		s.verb(w, "open", nil).want(t, 200, "")
	}
	s.verb("2", "call-next", nil).want(t, 200, "")
	s.verb("2", "transfer", map[string]any{"to": map[string]string{"window": "1"}, "note": "a\x00"}).want(t, 400, "field_characters")
	s.verb("2", "transfer", map[string]any{"to": map[string]string{"window": "1"}, "note": " 缺复印件 "}).want(t, 200, "")
	s.verb("1", "call-next", nil).want(t, 200, "")
	if c := s.console(t, "1"); c.text("console", "about", id, "note") != "缺复印件" || fmt.Sprint(c.at("console", "about", id, "then")) != "[B]" {
		t.Errorf("%s", c.Raw)
	}
	s.verb("1", "start", nil).want(t, 200, "")
	s.verb("1", "hold", map[string]any{"reason": "去缴费", "for_min": 10}).want(t, 200, "")
	for w, n := range map[string]int{"1": 1, "2": 1, "3": 0} { // one pool, for the windows of its queue
		c := s.console(t, w)
		if held, _ := c.at("console", "held").([]any); len(held) != n || n == 1 && (c.text("console", "about", id, "note") != "去缴费" || c.at("console", "about", id, "until") == nil) {
			t.Errorf("window %s: %s", w, c.Raw)
		}
	}
	s.verb("2", "resume", map[string]string{"ticket": id}).want(t, 200, "")
}

func TestConsoleShowsDutiesAndTheLongestWait(t *testing.T) {
	s := open(t)
	s.take("B")
	until := s.now().Add(time.Hour).Format(time.RFC3339)
	s.post(staffToken, "/api/v1/windows/2/duty", map[string]string{"queue": "B", "until": until}).want(t, 200, "")
	s.later(10 * time.Minute)
	c := s.console(t, "2")
	longest, _ := c.at("console", "longest", "B").(float64)
	if at, err := time.Parse(time.RFC3339, c.text("console", "duties", "B")); err != nil || at.Sub(s.now()) > 50*time.Minute || longest < 600 || longest > 660 {
		t.Errorf("%v %s", err, c.Raw)
	}
	if c := s.console(t, "1"); fmt.Sprint(c.at("console", "duties")) != "map[]" {
		t.Errorf("%s", c.Raw)
	}
}

func TestConsoleKnowsWhenTimesAreLong(t *testing.T) {
	wait := 20
	s := open(t, func(_ *config.Site, p *config.Plan) {
		p.Queues[0].ServiceS, p.Queues[0].Order.MaxWaitMin = 400, &wait
	})
	r := s.get("", "/window/1").want(t, 200, "")
	for _, want := range []string{`"A":{"serve":[600,1200],"wait":[600,1200]}`, `"B":{"serve":[450,900],"wait":[900,1800]}`, `"directs":false`} {
		if !strings.Contains(html.UnescapeString(r.Raw), want) {
			t.Errorf("no %s in %s", want, r.Raw)
		}
	}
	b := s.browser()
	b.signIn("m01", "window-1").want(t, 204, "")
	if r := b.do("GET", "/window/1", ""); !strings.Contains(html.UnescapeString(r.Raw), `"directs":true`) {
		t.Errorf("the manager cannot give duties: %s", r.Raw)
	}
}
