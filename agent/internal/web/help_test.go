package web_test

import (
	"strings"
	"testing"
)

func TestAKioskCallsTheGuide(t *testing.T) {
	s := open(t)
	events, stop := s.listen(staffToken, "", "")
	defer stop()
	next(t, events, "snapshot")
	s.post(screenToken, "/api/v1/help", nil).want(t, 403, "not_allowed")
	if r := s.post(kioskToken, "/api/v1/help", nil).want(t, 201, ""); r.text("help", "place") != "kiosk-1" || r.text("help", "name") != "1 号取号机" || r.at("help", "coming") != false {
		t.Errorf("%s", r.Raw)
	}
	if calls, _ := next(t, events, "help").data["help"].([]any); len(calls) != 1 {
		t.Errorf("the guide sees %v", calls)
	}
	for token, sees := range map[string]bool{kioskToken: true, staffToken: true, screenToken: false, opsToken: false} {
		if r := s.get(token, "/api/v1/hall").want(t, 200, ""); (r.at("help") != nil) != sees {
			t.Errorf("%s sees %s", token, r.Raw)
		}
	}
	s.post(kioskToken, "/api/v1/help/kiosk-1/come", nil).want(t, 403, "not_allowed")
	s.post(staffToken, "/api/v1/help/kiosk-9/come", nil).want(t, 404, "nobody_calls")
	if r := s.post(staffToken, "/api/v1/help/kiosk-1/come", nil).want(t, 200, ""); r.at("help", "coming") != true {
		t.Errorf("%s", r.Raw)
	}
	if r := s.get(kioskToken, "/api/v1/hall").want(t, 200, ""); !strings.Contains(r.Raw, `"coming":true`) {
		t.Errorf("the kiosk is not told: %s", r.Raw)
	}
}
