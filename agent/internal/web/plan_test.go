package web_test

import (
	"strings"
	"testing"

	"halledge/agent/internal/config"
)

func TestAQueueInWhichSomebodyWaitsIsNotRemoved(t *testing.T) {
	s := open(t, func(_ *config.Site, p *config.Plan) {
		p.Schema = 1
		p.Rules.Voice = config.Voice{Repeat: 1, Languages: []string{"zh-CN"}, Rate: 100, Volume: 80, MaxAgeS: 60}
	})
	s.take("B")
	id := s.take("B")
	edit := s.get(staffToken, "/api/v1/plan").want(t, 200, "").body
	edit["queues"] = edit["queues"].([]any)[:1]
	var windows []any
	for _, w := range edit["windows"].([]any) {
		w.(map[string]any)["queues"] = []string{"A"}
		windows = append(windows, w)
	}
	edit["windows"] = windows
	r := s.post(staffToken, "/api/v1/plan", edit).want(t, 409, "queue_waiting")
	if r.text("queue") != "B" || r.at("people") != 2.0 || !strings.Contains(r.text("detail"), "B 队列还有 2 人") {
		t.Errorf("%s", r.Raw)
	}
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("1", "transfer", map[string]any{"ticket": id, "to": map[string]string{"queue": "A"}, "reason": "走错队"}).want(t, 200, "")
	if r := s.post(staffToken, "/api/v1/plan", edit).want(t, 409, "queue_waiting"); r.at("people") != 1.0 {
		t.Errorf("%s", r.Raw)
	}
}
