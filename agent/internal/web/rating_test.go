package web_test

import (
	"fmt"
	"testing"
	"time"
)

// serveAt finishes a fresh ticket at a window and gives its id.
func (s *stage) serveAt(window, queue string) string {
	s.t.Helper()
	id := s.take(queue)
	s.verb(window, "open", nil).want(s.t, 200, "")
	s.verb(window, "call", map[string]string{"ticket": id, "reason": "出示小票"}).want(s.t, 200, "")
	s.verb(window, "finish", nil).want(s.t, 200, "")
	return id
}

// asked is the ticket the tablet of window 1 asks about, or "".
func (s *stage) asked() string {
	s.t.Helper()
	r := s.get(kioskToken, "/api/v1/windows/1/rating").want(s.t, 200, "")
	if r.at("ticket") == nil {
		return ""
	}
	return r.text("ticket", "id")
}

func TestATabletRatesWhatItsWindowFinished(t *testing.T) {
	s := open(t)
	tablet := s.browser()
	tablet.do("GET", "/rate/1?token="+kioskToken, "").want(t, 200, "")
	here, there := s.serveAt("1", "A"), s.serveAt("2", "A")
	rate := func(id, key string) reply {
		return tablet.do("POST", "/api/v1/ratings?as=rate-1", fmt.Sprintf(`{"ticket":%q,"grade":"satisfied"}`, id), "Idempotency-Key", key)
	}
	rate(there, "a").want(t, 403, "not_allowed")
	tablet.do("POST", "/api/v1/tickets/"+there+"/unrated?as=rate-1", `{"why":"timeout"}`, "Idempotency-Key", "b").want(t, 403, "not_allowed")
	rate("01NONE", "c").want(t, 404, "unknown_ticket")
	first := rate(here, "d").want(t, 201, "")
	if again := rate(here, "d").want(t, 201, ""); again.Raw != first.Raw || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same press again: %v %s", again.Header, again.Raw)
	}
	rate(here, "e").want(t, 409, "already_rated")
	s.get(kioskToken, "/api/v1/windows/2/rating").want(t, 200, "")
}

func TestNobodyAnsweredIsNoGrade(t *testing.T) {
	s := open(t)
	s.later(monday(9, 0).Sub(s.now())) // the evening below is one of the same day
	id := s.serveAt("1", "A")
	path := "/api/v1/tickets/" + id + "/unrated"
	if r := s.get(kioskToken, "/api/v1/windows/1/rating"); r.text("matter") == "" || r.text("state") != "open" {
		t.Errorf("%s", r.Raw)
	}
	s.post(kioskToken, path, map[string]string{"why": "bored"}).want(t, 400, "field_type")
	s.post(screenToken, path, map[string]string{"why": "timeout"}).want(t, 403, "not_allowed")
	s.post(kioskToken, "/api/v1/tickets/01NONE/unrated", map[string]string{"why": "timeout"}).want(t, 404, "unknown_ticket")
	s.post(kioskToken, path, map[string]string{"why": "timeout"}).want(t, 200, "")
	s.post(kioskToken, path, map[string]string{"why": "next_call"}).want(t, 200, "")
	if got := s.asked(); got != "" {
		t.Errorf("asked again about %s", got)
	}
	s.later(8 * time.Hour) // late in the evening, on the own phone
	own := s.signer.Token(ticketID(id))
	s.post(own, path, map[string]string{"why": "timeout"}).want(t, 403, "not_allowed")
	s.post(own, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "dissatisfied"}).want(t, 201, "")
	s.post(kioskToken, path, map[string]string{"why": "timeout"}).want(t, 409, "already_rated")
}

func TestTheNextCallEndsTheQuestion(t *testing.T) {
	s := open(t)
	id := s.serveAt("1", "A")
	if got := s.asked(); got != id {
		t.Errorf("asked about %q, want %q", got, id)
	}
	s.take("A")
	s.verb("1", "call-next", nil).want(t, 200, "")
	if got := s.asked(); got != "" {
		t.Errorf("somebody else is at the window, and the tablet asks about %s", got)
	}
	s.post(kioskToken, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "fair"}).want(t, 201, "") // pressed before, sent late
	later := s.serveAt("2", "A")
	s.later(11 * time.Minute)
	if r := s.get(kioskToken, "/api/v1/windows/2/rating"); r.at("ticket") != nil {
		t.Errorf("%s is asked about although its citizen left long ago", later)
	}
}

// A clerk asks for the rating that a citizen did not give in time; the tablet of that window hears of it, if there is one.
func TestAWindowAsksForARatingAgain(t *testing.T) {
	s := open(t)
	ask := func() reply { return s.post(staffToken, "/api/v1/windows/1/ask-rating", nil) }
	s.post(kioskToken, "/api/v1/windows/1/ask-rating", nil).want(t, 403, "not_allowed")
	s.post(staffToken, "/api/v1/windows/9/ask-rating", nil).want(t, 404, "unknown_window")
	ask().want(t, 409, "nothing_to_rate")
	id := s.serveAt("1", "A")
	s.post(kioskToken, "/api/v1/tickets/"+id+"/unrated", map[string]string{"why": "timeout"}).want(t, 200, "")
	ask().want(t, 409, "rater_away")
	tablet := s.browser()
	tablet.do("GET", "/rate/1?token="+kioskToken, "").want(t, 200, "")
	poll := func(input any) reply {
		seq := s.get(kioskToken, "/api/v1/hall").at("seq")
		return tablet.do("GET", fmt.Sprintf("/api/v1/hall?as=rate-1&wait=0&after=%v&input=%v", seq, input), "").want(t, 200, "")
	}
	n := poll("").at("input_n")
	if r := ask().want(t, 200, ""); r.text("ticket", "id") != id {
		t.Errorf("asked about %s", r.Raw)
	}
	if r := poll(fmt.Sprintf("%.0f", n)); r.at("input") == nil || r.text("input", "kind") != "rating" || r.text("input", "ticket") != id {
		t.Errorf("the tablet hears %s", r.Raw)
	}
	if got := s.asked(); got != "" {
		t.Errorf("a tablet that was told nothing asks about %s", got)
	}
	if r := tablet.do("GET", "/api/v1/windows/1/rating?as=rate-1&again=1", "").want(t, 200, ""); r.text("ticket", "id") != id {
		t.Errorf("asked again about %s", r.Raw)
	}
	s.post(kioskToken, "/api/v1/ratings", map[string]string{"ticket": id, "grade": "fair"}).want(t, 201, "")
	ask().want(t, 409, "nothing_to_rate")
	s.serveAt("1", "A")
	s.later(11 * time.Minute)
	ask().want(t, 409, "nothing_to_rate")
}
