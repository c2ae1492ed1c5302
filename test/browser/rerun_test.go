package browser_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// rerun plays the day of the hall again: as it is, under other weights, and under a rule that is none.
func (s *site) rerun(t *testing.T) {
	s.Verb(t, "1", "open", nil)
	s.Take(t, "A")
	s.Post(t, "staff", "/api/v1/tickets", map[string]any{"queue": "A", "channel": "desk", "class": "elder"}, http.StatusCreated)
	demo.Until(t, demo.Patience, "a call at window 1, where somebody was just called", func() error {
		a, err := s.Do(s.Agent.URL, s.Agent.Tokens["staff"], http.MethodPost, "/api/v1/windows/1/call-next", map[string]any{}, nil)
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("%d: %s", a.Status, a.Body)
		}
		return err
	})
	p := s.board(t, "")
	p.Click("link", "回放")
	p.Has("button", "回放")
	p.Sees("换一套规则，把这一天重走一遍", "结果和现行规则一样", "等候时间（分钟）", "对比", "老幼残孕", "有人等却空着的时间")
	if got := chrome.Eval[string](p, `document.getElementById('rerun-elder').value + '/' + document.getElementById('rerun-max_wait').value`); got != "150/30" {
		t.Errorf("the form begins with %s, want the order in force", got)
	}
	p.Fill("老幼残孕的权重%", "300")
	p.Fill("等满多久先叫分钟，0 不设", "20")
	p.Click("button", "回放")
	p.Sees("照填写的规则叫号")
	if bars := chrome.Eval[int](p, `document.querySelectorAll('.rerun-svg rect').length`); bars < 2+6*2 {
		t.Errorf("the chart has %d bars", bars)
	}
	s.both(t, p, "board-rerun")
	p.Allow("400")
	p.Fill("老幼残孕的权重%", "5")
	p.Click("button", "回放")
	p.Sees("回放的规则（weights）写得不对")
	if strings.Contains(p.Text(), "对比") {
		t.Error("the answer to another question is still shown")
	}
}
