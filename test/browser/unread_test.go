package browser_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// unreadable shows the kiosk what it cannot read: it says what to do, aloud too, and leaves alone whoever is there already.
func (s *site) unreadable(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务")
	s.untilSaid(t, p, "请把身份证平放在读卡区，停留2秒", "tap-card", "--damaged")
	p.Sees("没有读到证件", "请选择要办理的业务")
	s.shot(t, p, "kiosk-unreadable-card")
	s.turned(t, p, "kiosk-unreadable-card-lying")
	s.Sim(t, "tap-card", "--person", "2") // now it can be read, and the page says so
	p.Sees("身份证已核对")
	p.Misses("没有读到证件")

	s.untilSaid(t, p, "没有读到码", "scan", "--garbage")
	p.Sees("身份证已核对", "请把码放平") // who was recognised stays recognised
	s.shot(t, p, "kiosk-unreadable-code")
	p.Misses("没有读到码") // it goes by itself
	p.Sees("身份证已核对")
	s.untilSaid(t, p, "这个码太长", "scan", "--too-long")
	p.Click("button", "知道了")
	p.Misses("这个码太长")
	p.Sees("身份证已核对")
	s.untilSaid(t, p, "没有读到码", "scan", "--garbage")
	p.Click("button", "社保医保") // under the sentence the page goes on
	got := number(t, p.Text, "B")
	p.Sees("请取走您的小票")
	p.Misses("没有读到码")
	s.inCentre(t, got, func(c centreTicket) bool { return c.Proof == "idcard" })
	p.Click("button", "完成")

	p.Click("button", "长辈版")
	s.untilSaid(t, p, "证件没有读完就拿开了", "tap-card", "--removed")
	s.shot(t, p, "kiosk-unreadable-elder")
	p.Click("button", "知道了")
	p.Click("button", "标准版")
}

// untilSaid acts in the hall until a page says a text aloud: what follows within a second is told once.
func (s *site) untilSaid(t *testing.T, p *chrome.Page, text string, act ...string) {
	t.Helper()
	demo.Until(t, demo.Patience, text, func() error {
		s.Sim(t, act...)
		look := time.NewTicker(50 * time.Millisecond) // to ask without a pause takes the time that the page needs
		defer look.Stop()
		for again := time.After(2 * time.Second); ; {
			said := p.Said()
			if strings.Contains(strings.Join(strings.Fields(said), ""), text) {
				return nil
			}
			select {
			case <-look.C:
			case <-again:
				return fmt.Errorf("it says %q", said)
			}
		}
	})
}

// noise disturbs the scanner's line: who looks after the hall reads what to do, until a code is read.
func (s *site) noise(t *testing.T) {
	const title = "扫码器收到的数据读不懂"
	ops := s.device(t, screenWidth, screenHeight, "/ops", "ops")
	ops.Sees("kiosk-1.scanner")
	s.Sim(t, "noise", "kiosk-1.scanner")
	t.Cleanup(func() { s.Sim(t, "noise", "kiosk-1.scanner", "off") })
	demo.Until(t, demo.Patience, title, func() error {
		s.Sim(t, "scan")
		if text := ops.Text(); !strings.Contains(text, title) {
			return fmt.Errorf("the page says %s", text)
		}
		return nil
	})
	ops.Sees("波特率")
	s.shot(t, ops, "ops-noise")
	s.Sim(t, "noise", "kiosk-1.scanner", "off")
	s.Sim(t, "scan", "YSS-SIM-0009")
	ops.Misses(title)
}
