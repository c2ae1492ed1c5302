package web_test

import (
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/firmware-protocols/hallsync"
)

func ticketID(id string) hallsync.TicketID { return hallsync.TicketID(id) }

func slowTakes(_ *config.Site, p *config.Plan) { p.Rules.TakesPerS = 2 }

func TestWindowDay(t *testing.T) {
	s := open(t)
	first, second := s.take("A"), s.take("A")
	opened := s.verb("1", "open", nil).want(t, 200, "")
	wantKeys(t, "answer", opened.body, "window", "ticket", "why")
	wantKeys(t, "W", opened.at("window"), "id", "name", "state", "queues", "ticket", "staff", "since")
	if opened.text("window", "state") != "open" || opened.at("ticket") != nil || opened.at("why") != nil || opened.at("window", "staff") != nil {
		t.Errorf("%s", opened.Raw)
	}
	if _, err := time.Parse(time.RFC3339, opened.text("window", "since")); err != nil {
		t.Error(err)
	}
	s.verb("1", "open", nil).want(t, 200, "") // twice is fine

	called := s.verb("1", "call-next", nil).want(t, 200, "")
	wantKeys(t, "why", called.at("why"), "rule", "score", "waited_s", "next")
	wantKeys(t, "T", called.at("ticket"), ticketKeys...)
	if called.text("ticket", "id") != first || called.text("ticket", "state") != "called" || called.text("ticket", "window") != "1" ||
		called.text("window", "ticket", "id") != first || called.text("why", "next") != "A002" {
		t.Errorf("%s", called.Raw)
	}
	for _, step := range []struct{ verb, ticketState string }{
		{"recall", "called"}, {"start", "serving"}, {"hold", "held"}, {"resume", "serving"}, {"finish", "done"}, {"reopen", "serving"},
		{"finish", "done"},
	} {
		r := s.verb("1", step.verb, map[string]string{"reason": "试"}).want(t, 200, "")
		if r.text("ticket", "state") != step.ticketState || r.text("ticket", "id") != first || r.at("why") != nil {
			t.Errorf("%s: %s", step.verb, r.Raw)
		}
		next := "" // a page that is opened now learns why the window has this ticket
		if step.ticketState == "called" || step.ticketState == "serving" {
			next = "A002"
		}
		if c := s.get(staffToken, "/api/v1/hall?window=1"); c.text("console", "why", "next") != next || (c.at("console", "why") == nil) != (next == "") {
			t.Errorf("after %s: %s", step.verb, c.Raw)
		}
	}
	s.verb("1", "call-next", nil).want(t, 200, "")
	s.verb("1", "pause", nil).want(t, 409, "window_busy")
	passed := s.verb("1", "pass", nil).want(t, 200, "")
	if passed.text("ticket", "state") != "passed" || passed.text("ticket", "id") != second {
		t.Errorf("%s", passed.Raw)
	}
	back := s.verb("1", "call", map[string]string{"ticket": second}).want(t, 200, "")
	if back.text("ticket", "state") != "called" || back.text("why", "rule") != "designated" {
		t.Errorf("%s", back.Raw)
	}
	finished := s.verb("1", "call-next", nil).want(t, 200, "") // 办结并叫下一个, with nobody waiting
	if finished.at("ticket") != nil || finished.at("why") != nil || finished.at("window", "ticket") != nil {
		t.Errorf("%s", finished.Raw)
	}
	if r := s.verb("1", "pause", map[string]string{"reason": "就餐"}).want(t, 200, ""); r.text("window", "state") != "paused" {
		t.Errorf("%s", r.Raw)
	}
	if c := s.get(staffToken, "/api/v1/hall?window=1"); c.text("console", "reason") != "就餐" {
		t.Errorf("the window's page does not learn why it is paused: %s", c.Raw)
	}
	if r := s.verb("1", "call-next", nil).want(t, 200, ""); r.text("window", "state") != "open" {
		t.Errorf("call-next does not unpause: %s", r.Raw)
	}
	if r := s.verb("1", "close", nil).want(t, 200, ""); r.text("window", "state") != "closed" {
		t.Errorf("%s", r.Raw)
	}
}

func TestTransferAndAbandon(t *testing.T) {
	s := open(t)
	id := s.take("A")
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("2", "open", nil).want(t, 200, "")
	s.verb("1", "call-next", nil).want(t, 200, "")
	s.verb("1", "transfer", nil).want(t, 422, "target_required")
	s.verb("1", "transfer", `{"to":{"queue":"A","floor":"2"}}`).want(t, 400, "field_unknown")
	moved := s.verb("1", "transfer", `{"to":{"queue":"A","window":"2","position":"front"},"reason":"要复核"}`).want(t, 200, "")
	if moved.text("ticket", "state") != "waiting" || moved.text("ticket", "window") != "2" || moved.text("ticket", "id") != id {
		t.Errorf("%s", moved.Raw)
	}
	if r := s.verb("1", "call-next", nil); r.at("ticket") != nil {
		t.Errorf("another window called it: %s", r.Raw)
	}
	if r := s.verb("2", "call-next", nil); r.text("ticket", "id") != id || r.text("why", "rule") != "front" {
		t.Errorf("%s", r.Raw)
	}
	gone := s.verb("2", "abandon", map[string]string{"reason": "没有来"}).want(t, 200, "")
	if gone.text("ticket", "state") != "abandoned" {
		t.Errorf("%s", gone.Raw)
	}
	s.verb("2", "reopen", nil).want(t, 422, "reason_required")
	s.verb("2", "reopen", map[string]string{"reason": " \t"}).want(t, 422, "reason_required")
	if r := s.verb("2", "reopen", map[string]string{"reason": "误操作"}).want(t, 200, ""); r.text("ticket", "state") != "waiting" {
		t.Errorf("%s", r.Raw)
	}
}

func TestWindowVerbsAreRefused(t *testing.T) {
	s := open(t)
	id := s.take("A")
	s.post("", "/api/v1/windows/1/open", nil).want(t, 401, "sign_in")
	s.post(kioskToken, "/api/v1/windows/1/open", nil).want(t, 403, "not_allowed")
	s.post(opsToken, "/api/v1/windows/9/open", nil).want(t, 403, "not_allowed")
	s.do("POST", "/api/v1/windows/1/open", staffToken, "", nil).want(t, 400, "idempotency_key_missing")
	s.verb("9", "open", nil).want(t, 404, "unknown_window")
	s.verb("9", "recall", nil).want(t, 404, "unknown_window")
	s.verb("1", "dance", nil).want(t, 404, "not_found")
	s.verb("1", "call", map[string]string{"ticket": "01NONE"}).want(t, 404, "unknown_ticket")
	s.verb("1", "recall", nil).want(t, 409, "window_closed")
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("1", "recall", nil).want(t, 409, "no_ticket")
	refused := s.verb("1", "start", map[string]string{"ticket": id}).want(t, 409, "ticket_state")
	if refused.text("state") != "waiting" || refused.text("ticket") != id {
		t.Errorf("%s", refused.Raw)
	}
	s.verb("1", "call-next", nil).want(t, 200, "")
	s.verb("1", "call", map[string]string{"ticket": id}).want(t, 409, "window_busy")
	s.verb("1", "close", nil).want(t, 409, "window_busy")
	s.verb("1", "hold", map[string]string{"reason": strings.Repeat("长", 201)}).want(t, 400, "field_too_long")
	s.verb("1", "hold", map[string]string{"reason": "a\x00\x1b@"}).want(t, 400, "field_characters")
	s.verb("2", "open", nil).want(t, 200, "")
	s.verb("2", "recall", map[string]string{"ticket": id}).want(t, 409, "ticket_other_window")
}

func TestJustCalled(t *testing.T) {
	s := open(t, func(_ *config.Site, p *config.Plan) { p.Rules.CallGapS = 5 })
	s.take("A")
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("1", "call-next", nil).want(t, 200, "")
	if r := s.verb("1", "call-next", nil).want(t, 409, "ticket_just_called"); r.text("state") != "called" {
		t.Errorf("%s", r.Raw)
	}
	s.later(6 * time.Second)
	s.verb("1", "call-next", nil).want(t, 200, "")
}

func TestCallNextForATicketThatIsNoLongerThere(t *testing.T) {
	s := open(t)
	first, second := s.take("A"), s.take("A")
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("1", "call-next", map[string]any{"holds": ""}).want(t, 200, "")
	s.verb("1", "call-next", map[string]any{"holds": 1}).want(t, 400, "field_type")
	refused := s.verb("1", "call-next", map[string]any{"holds": ""}).want(t, 409, "window_changed")
	if refused.text("ticket") != first || refused.text("state") != "called" || refused.text("window") != "1" || !strings.Contains(refused.text("detail"), "已叫号") {
		t.Errorf("%s", refused.Raw)
	}
	s.verb("1", "call-next", map[string]any{"holds": first}).want(t, 200, "")
	s.verb("1", "call-next", map[string]any{"holds": first}).want(t, 409, "window_changed")
	if w := s.get(staffToken, "/api/v1/tickets/"+second).want(t, 200, ""); w.text("ticket", "state") != "called" {
		t.Errorf("the second press finished who was called by the first: %s", w.Raw)
	}
	s.verb("1", "call-next", nil).want(t, 200, "") // pads do not know
}

func TestRatings(t *testing.T) {
	s := open(t)
	id := s.take("A")
	s.get(kioskToken, "/api/v1/windows/9/rating").want(t, 404, "unknown_window")
	s.post(kioskToken, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "satisfied"}).want(t, 409, "ticket_state")
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("1", "call-next", nil).want(t, 200, "")
	if r := s.get(kioskToken, "/api/v1/windows/1/rating").want(t, 200, ""); r.at("ticket") != nil {
		t.Errorf("%s", r.Raw)
	}
	s.verb("1", "finish", nil).want(t, 200, "")
	if r := s.get(kioskToken, "/api/v1/windows/1/rating").want(t, 200, ""); r.text("ticket", "id") != id {
		t.Errorf("%s", r.Raw)
	}
	s.post(kioskToken, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "5"}).want(t, 422, "grade_invalid")
	s.post(kioskToken, "/api/v1/ratings", map[string]string{"ticket": "01NONE", "grade": "satisfied"}).want(t, 404, "unknown_ticket")
	s.post(kioskToken, "/api/v1/ratings", map[string]any{"ticket": id, "grade": "fair", "text": strings.Repeat("长", 501)}).want(t, 400, "field_too_long")
	s.post(kioskToken, "/api/v1/ratings", map[string]any{"ticket": id, "grade": "fair", "text": "好\x00"}).want(t, 400, "field_characters")
	s.post(kioskToken, "/api/v1/ratings", map[string]any{"ticket": id, "grade": "fair", "reasons": []string{"\x1b@"}}).want(t, 400, "field_characters")
	s.post(kioskToken, "/api/v1/ratings", map[string]any{"ticket": id, "grade": "fair", "reasons": make([]string, 11)}).want(t, 400, "field_too_long")
	s.post(screenToken, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "satisfied"}).want(t, 403, "not_allowed")
	token := s.signer.Token(ticketID(id))
	done := s.post(token, "/api/v1/ratings", map[string]any{"ticket": id, "grade": "dissatisfied", "reasons": []string{"等候太久"}, "text": "谢谢"}).want(t, 201, "")
	if done.text("ticket", "id") != id {
		t.Errorf("%s", done.Raw)
	}
	s.post(kioskToken, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "satisfied"}).want(t, 409, "already_rated")
	if r := s.get(token, "/api/v1/tickets/"+id); r.at("rated") != true {
		t.Errorf("%s", r.Raw)
	}
	if r := s.get(kioskToken, "/api/v1/windows/1/rating"); r.at("ticket") != nil {
		t.Errorf("asked twice: %s", r.Raw)
	}
}
