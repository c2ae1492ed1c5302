package browser_test

import (
	"fmt"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// rating is the tablet at window 1, whose clerk is signed in.
func (s *site) rating(t *testing.T) {
	s.Verb(t, "1", "close", nil)
	clerk := s.clerk(t)
	clerk.Click("button", "开窗")
	clerk.Sees("空闲")
	p := s.device(t, tabletWidth, tabletHeight, "/rate/1", "kiosk")
	p.Sees("1号窗口", "工号"+s.Agent.Staff[0].User, "办完以后")
	s.shot(t, p, "rate-idle")
	for _, part := range []struct {
		name string
		run  func(*testing.T, *chrome.Page)
	}{
		{"good, by touch", s.rateGood},
		{"bad, by keys", s.rateBad},
		{"words go with their own grade alone", s.rateWords},
		{"no answer, and asked once more", s.rateNothing},
		{"the next call ends it", s.rateTooLate},
		{"a bad grade counts without its reason", s.rateLeft},
		{"a press while the hall stands still", s.rateOffline},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, p) })
	}
	s.Verb(t, "1", "pause", map[string]any{"reason": "就餐"})
	p.Sees("暂停服务")
}

// finished serves somebody at window 1, so that the tablet asks.
func (s *site) finished(t *testing.T, p *chrome.Page) demo.Ticket {
	t.Helper()
	taken := s.callAt(t, "1", "B")
	s.Verb(t, "1", "finish", nil)
	p.Sees(taken.Number+"号", "您对本次服务满意吗", "社保医保", "秒后结束")
	return taken
}

// ratedAs wants a grade of a ticket in the centre, where "" is none.
func (s *site) ratedAs(t *testing.T, ticket demo.Ticket, grade string) {
	t.Helper()
	s.inCentre(t, ticket.Number, func(c centreTicket) bool { return c.State == "done" && c.Grade == grade })
}

// unratedAs waits for the fact that a ticket was not rated.
func (s *site) unratedAs(t *testing.T, ticket demo.Ticket, why string) {
	t.Helper()
	demo.Until(t, demo.Patience, ticket.Number+" is unrated", func() error {
		var page struct {
			Items []struct{ Payload struct{ Ticket, Why string } }
		}
		s.GetCloud(t, "/api/v1/facts?kind=ticket.unrated&size=200&hall="+s.Agent.Hall).Into(t, &page)
		for _, f := range page.Items {
			if f.Payload.Ticket == ticket.ID && f.Payload.Why == why {
				return nil
			}
		}
		return fmt.Errorf("the centre has %+v", page.Items)
	})
	s.ratedAs(t, ticket, "")
}

func (s *site) rateGood(t *testing.T, p *chrome.Page) {
	ticket := s.finished(t, p)
	s.shot(t, p, "rate-ask")
	s.turned(t, p, "rate-ask-standing")
	p.Click("button", "满意")
	p.Sees("感谢您的评价")
	s.shot(t, p, "rate-thanks")
	s.ratedAs(t, ticket, "satisfied")
	p.Sees("办完以后") // nobody is asked twice
	p.Misses("您对本次服务满意吗")
}

func (s *site) rateBad(t *testing.T, p *chrome.Page) {
	ticket := s.finished(t, p)
	p.Press("4")
	p.Sees("您选择了“不满意”", "请至少选一项")
	p.Press(chrome.Escape) // it was a slip of the finger
	p.Sees("您对本次服务满意吗")
	s.shot(t, p, "rate-keys")
	p.Press("5")
	p.Sees("您选择了“非常不满意”")
	p.Press(chrome.Enter) // a bad grade goes with a reason
	p.Sees("请至少选一项")
	p.Press("2")
	p.Misses("请至少选一项")
	p.Click("button", "等候太久")
	s.shot(t, p, "rate-reasons")
	s.turned(t, p, "rate-reasons-standing")
	p.Click("button", "提交评价")
	p.Sees("感谢您的评价")
	s.ratedAs(t, ticket, "very_dissatisfied")
	if got := s.rated(t, ticket); fmt.Sprint(got.Reasons) != "[办理太慢 等候太久]" {
		t.Errorf("the rating in the centre is %+v", got)
	}
}

// rated is the fact of a rating.
type rated struct {
	Ticket, Text string
	Reasons      []string
}

// rated gives the rating of a ticket that the centre has.
func (s *site) rated(t *testing.T, ticket demo.Ticket) rated {
	t.Helper()
	var page struct{ Items []struct{ Payload rated } }
	s.GetCloud(t, "/api/v1/facts?kind=ticket.rated&size=200&hall="+s.Agent.Hall).Into(t, &page)
	for _, f := range page.Items {
		if f.Payload.Ticket == ticket.ID {
			return f.Payload
		}
	}
	t.Fatalf("no rating of %s in the centre: %+v", ticket.Number, page.Items)
	return rated{}
}

// rateWords has somebody complain, the next one praise at once, and a third begin with a complaint and think better of it.
func (s *site) rateWords(t *testing.T, p *chrome.Page) {
	first := s.finished(t, p)
	p.Click("button", "不满意")
	p.Click("button", "等候太久")
	p.Fill("还想说的", "排了半天")
	p.Click("button", "提交评价")
	s.ratedAs(t, first, "dissatisfied")
	if got := s.rated(t, first); got.Text != "排了半天" || fmt.Sprint(got.Reasons) != "[等候太久]" {
		t.Errorf("the rating in the centre is %+v", got)
	}
	next := s.finished(t, p)
	p.Click("button", "非常满意")
	third := s.finished(t, p)
	p.Click("button", "非常不满意")
	p.Click("button", "办理太慢")
	p.Fill("还想说的", "点错了")
	p.Click("button", "重新选择")
	p.Click("button", "满意")
	for ticket, grade := range map[demo.Ticket]string{next: "very_satisfied", third: "satisfied"} {
		s.ratedAs(t, ticket, grade)
		if got := s.rated(t, ticket); got.Text != "" || len(got.Reasons) > 0 {
			t.Errorf("the rating %s in the centre is %+v", grade, got)
		}
	}
}

func (s *site) rateNothing(t *testing.T, p *chrome.Page) {
	ticket := s.finished(t, p)
	s.unratedAs(t, ticket, "timeout") // after half a minute
	p.Sees("办完以后")
	p.Reload()
	p.Sees("办完以后", "1号窗口")
	p.Misses("您对本次服务满意吗")
	clerk := s.device(t, clerkWidth, clerkHeight, "/window/1", "staff")
	clerk.Sees("空闲")
	clerk.Press(chrome.F1) // the citizen came back to the tablet
	clerk.Sees("已请 " + ticket.Number + " 评价")
	p.Sees(ticket.Number+"号", "您对本次服务满意吗")
	p.Click("button", "非常满意")
	s.ratedAs(t, ticket, "very_satisfied")
	clerk.Allow("409 (Conflict)")
	clerk.Click("button", "评价")
	clerk.Sees("已经评价")
	s.shot(t, clerk, "window-nothing-to-rate")
}

func (s *site) rateTooLate(t *testing.T, p *chrome.Page) {
	ticket := s.finished(t, p)
	next := s.callAt(t, "1", "B") // nothing holds it up
	p.Misses("您对本次服务满意吗")
	s.unratedAs(t, ticket, "next_call")
	s.Verb(t, "1", "finish", nil)
	p.Sees(next.Number+"号", "您对本次服务满意吗")
	p.Press("1")
	s.ratedAs(t, next, "very_satisfied")
}

func (s *site) rateLeft(t *testing.T, p *chrome.Page) {
	ticket := s.finished(t, p)
	p.Click("button", "不满意")
	p.Sees("请告诉我们哪里没有做好")
	s.callAt(t, "1", "B") // the citizen has gone without a word
	s.ratedAs(t, ticket, "dissatisfied")
	s.Verb(t, "1", "finish", nil)
	p.Sees("您对本次服务满意吗")
	p.Click("button", "非常满意")
	p.Sees("感谢您的评价")
}

func (s *site) rateOffline(t *testing.T, p *chrome.Page) {
	p.Allow("net::ERR_")
	ticket := s.finished(t, p)
	goOn := s.still(t)
	p.Sees("正在重连")
	p.Click("button", "基本满意")
	p.Sees("已经记下，连上后自动提交")
	s.shot(t, p, "rate-cut-off")
	goOn()
	p.Misses("正在重连")
	s.ratedAs(t, ticket, "fair")
}
