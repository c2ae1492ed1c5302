package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What people write to others keeps no number of a person: neither on a page nor in a fact.
func TestNumbersInRemarksAreMasked(t *testing.T) {
	s := open(t)
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("2", "open", nil).want(t, 200, "")
	id := s.take("A")
	s.verb("2", "call", map[string]string{"ticket": id, "reason": "打13800138000没人接"}).want(t, 200, "")
	s.verb("2", "start", nil).want(t, 200, "")
	s.verb("2", "hold", map[string]string{"reason": "取991101199003070016的原件"}).want(t, 200, "")
	s.verb("2", "resume", map[string]string{"ticket": id}).want(t, 200, "")
	s.verb("2", "transfer", map[string]any{"to": map[string]string{"window": "1"}, "note": "本人 139 1234 5678"}).want(t, 200, "")
	s.verb("1", "call-next", nil).want(t, 200, "")
	if c := s.console(t, "1"); c.text("console", "about", id, "note") != "本人 139****5678" {
		t.Errorf("the next window reads %s", c.Raw)
	}
	s.verb("1", "finish", nil).want(t, 200, "")
	s.post(kioskToken, "/api/v1/ratings", map[string]any{
		"ticket": id, "grade": "dissatisfied", "reasons": []string{"13800138000"}, "text": "请打０６６８－２８８１２３４",
	}).want(t, 201, "")
	s.stop()
	raw, err := os.ReadFile(filepath.Join(s.dir, "hall.db"))
	must(t, err)
	all := string(raw)
	for _, number := range []string{"13800138000", "991101199003070016", "139 1234 5678", "2881234", "２８８１２３４"} {
		if strings.Contains(all, number) {
			t.Errorf("the log holds %s", number)
		}
	}
	for _, shown := range []string{"138****8000", "9911**********0016", "139****5678", "0668-288****"} {
		if !strings.Contains(all, shown) {
			t.Errorf("the log does not hold %s", shown)
		}
	}
}
