package browser_test

import (
	"testing"

	"halledge/test/browser/chrome"
)

// The phone of a citizen, the tablet at a window.
const (
	phoneWidth, phoneHeight   = 390, 844
	narrowWidth               = 360
	tabletWidth, tabletHeight = 1280, 800
)

func (s *site) citizen(t *testing.T) {
	t.Run("follows and rates the own ticket on the phone", s.phone)
	t.Run("gives the place up on a small phone", s.giveUp)
	t.Run("rates on the tablet at the window", s.tablet)
	t.Run("opens nothing with a foreign token", func(t *testing.T) {
		p := s.open(t, phoneWidth, phoneHeight, "/t/HE1.01ARZ3NDEKTSV4RRFFQ69G5FAV.AAAAAAAAAAAAAAAAAAAAAA")
		p.Allow("404 (Not Found)")
		p.Sees("没有这个号", "请到导办台")
		p.Misses("等候中")
		s.shot(t, p, "ticket-unknown")
	})
}

// serve calls a ticket at window 1 and starts it.
func (s *site) serve(t *testing.T, id string) {
	t.Helper()
	s.Verb(t, "1", "open", nil)
	s.Verb(t, "1", "call", map[string]any{"ticket": id, "reason": "群众到窗口出示小票"})
	s.Verb(t, "1", "start", nil)
}

func (s *site) phone(t *testing.T) {
	before, taken := s.Take(t, "B"), s.Take(t, "B")
	token := ticketToken(t, s.slip(t, taken.Number))
	p := s.open(t, phoneWidth, phoneHeight, "/t/"+token)
	p.Sees("社保医保", taken.Number, "等候中", "排在", "前面还有", "1号窗口") // where the queue is served
	s.shot(t, p, "ticket-waiting")
	s.serve(t, before.ID)
	s.Verb(t, "1", "finish", nil)
	s.Verb(t, "1", "call", map[string]any{"ticket": taken.ID, "reason": "群众到窗口出示小票"})
	p.Sees("请到 1 号窗口")
	s.shot(t, p, "ticket-called")
	p.Resize(narrowWidth, phoneHeight)
	s.shot(t, p, "ticket-called-narrow")
	p.Resize(phoneWidth, phoneHeight)
	s.Verb(t, "1", "start", nil)
	s.Verb(t, "1", "finish", nil)
	p.Sees("业务已办结")
	s.shot(t, p, "ticket-done")
	p.Click("link", "评价本次服务")
	p.Sees("您对本次服务满意吗", "非常满意", "非常不满意")
	s.shot(t, p, "rate-phone")
	p.Click("button", "不满意")
	p.Sees("请告诉我们哪里没有做好")
	p.Click("button", "办理太慢")
	p.Fill("还想说的", "排了半天")
	s.shot(t, p, "rate-phone-reasons")
	p.Click("button", "提交评价")
	p.Sees("感谢您的评价")
	s.inCentre(t, taken.Number, func(c centreTicket) bool { return c.Grade == "dissatisfied" })
	p.Reload()
	p.Sees("已经评价过了")
}

// giveUp withdraws on the phone, which asks first.
func (s *site) giveUp(t *testing.T) {
	s.Take(t, "B")
	taken := s.Take(t, "B")
	p := s.open(t, narrowWidth, phoneHeight, "/t/"+ticketToken(t, s.slip(t, taken.Number)))
	p.Sees(taken.Number, "等候中", "第 ", "前面还有")
	s.shot(t, p, "ticket-narrow")
	p.Click("button", "取消排队")
	p.Sees("确定取消吗")
	s.shot(t, p, "ticket-withdraw")
	p.Click("button", "继续排队")
	p.Misses("确定取消吗")
	p.Click("button", "取消排队")
	p.Click("button", "确定取消")
	p.Sees("已退号", "这个号已经不能使用")
	p.Lacks("button", "取消排队")
	s.shot(t, p, "ticket-withdrawn")
}

func (s *site) tablet(t *testing.T) {
	p := s.device(t, tabletWidth, tabletHeight, "/rate/1", "kiosk")
	taken := s.Take(t, "B")
	p.Sees("1号窗口")
	s.serve(t, taken.ID)
	s.Verb(t, "1", "finish", nil)
	p.Sees(taken.Number+" 号", "您对本次服务满意吗")
	s.shot(t, p, "rate-tablet")
	if size := chrome.Of[[]float64](p, "button", "非常满意", `function () { const r = this.getBoundingClientRect(); return [r.width, r.height]; }`); size[0] < 60 || size[1] < 60 {
		t.Errorf("a grade is %v px large", size)
	}
	p.Click("button", "非常满意")
	p.Sees("感谢您的评价")
	s.inCentre(t, taken.Number, func(c centreTicket) bool { return c.Grade == "very_satisfied" })
}
