package browser_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// A kiosk has a portrait panel.
const kioskWidth, kioskHeight = 1080, 1920

func (s *site) kiosk(t *testing.T) {
	t.Run("is closed to unknown machines", func(t *testing.T) {
		p := s.open(t, kioskWidth, kioskHeight, "/kiosk/1")
		p.Sees("还没有授权")
		s.shot(t, p, "kiosk-closed")
		p.Lacks("button", "综合受理")
		p.Go(s.Agent.URL + "/kiosk/1?token=" + strings.Repeat("0", 32))
		p.Sees("还没有授权")
	})
	t.Run("shows the time of the hall", s.hallTime)
	t.Run("a press gives a number and a slip", s.takeByPress)
	t.Run("a card goes with the next number", s.takeWithCard)
	t.Run("a slip shows its own ticket", s.showOwnTicket)
	t.Run("says what to do about what it cannot read", s.unreadable)
	t.Run("a line that brings noise is named", s.noise)
	t.Run("says that it cannot print", s.printerUnplugged)
	t.Run("has a page for elderly people", s.elderPage)
}

// hallTime wants the hall's own date and time, whatever zone the machine is set to.
func (s *site) hallTime(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	seesTime(t, p, "15:04\n2006年1月2日")
}

// seesTime waits until a page shows the time of the hall in a layout, give or take a minute.
func seesTime(t *testing.T, p *chrome.Page, layout string) {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	demo.Until(t, demo.Patience, "the time in Guangdong", func() error {
		now, text := time.Now().In(zone), p.Text()
		if !strings.Contains(text, now.Format(layout)) && !strings.Contains(text, now.Add(-time.Minute).Format(layout)) {
			return fmt.Errorf("it is %s, the page says %s", now, text)
		}
		return nil
	})
}

func (s *site) takeByPress(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务", "茂名市政务服务大厅", "大门取号机", "无人等候")
	s.shot(t, p, "kiosk-welcome")
	s.turned(t, p, "kiosk-welcome-lying")
	ringed(t, p)
	p.Click("button", "综合受理")
	got := number(t, p.Text, "A")
	p.Sees("前面还有", "请取走您的小票")
	s.shot(t, p, "kiosk-result")
	s.turned(t, p, "kiosk-result-lying")
	if slip := s.slip(t, got); !strings.Contains(slip, got) {
		t.Errorf("the slip does not say %s:\n%s", got, slip)
	}
	p.Click("button", "完成")
	p.Sees("请选择要办理的业务", "等候 1 人")
	p.Misses(got)
}

func (s *site) takeWithCard(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Click("button", "扫码") // a picture invites to be pressed: it says how
	p.Sees("请把码对准扫码窗")
	s.shot(t, p, "kiosk-how-code")
	p.Click("button", "返回")
	p.Click("button", "刷身份证")
	p.Sees("请把身份证放在读卡区")
	s.shot(t, p, "kiosk-how-card")
	s.Sim(t, "tap-card")
	p.Sees("身份证已核对")
	s.shot(t, p, "kiosk-card")
	s.turned(t, p, "kiosk-card-lying")
	p.Click("button", "社保医保")
	got := number(t, p.Text, "B")
	p.Sees("请取走您的小票")
	p.Click("button", "完成")
	p.Sees("刷身份证") // nobody is known any more
	p.Misses("身份证已核对")
	s.inCentre(t, got, func(c centreTicket) bool { return c.Proof == "idcard" })
	if text := p.Text() + s.slip(t, got); strings.Contains(text, "991101") || strings.Contains(text, "测试甲") {
		t.Errorf("the page or the slip says who the citizen is:\n%s", text)
	}
}

func (s *site) showOwnTicket(t *testing.T) {
	taken := s.Take(t, "C")
	token := ticketToken(t, s.slip(t, taken.Number))
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务")
	s.Sim(t, "scan", s.Agent.URL+"/t/"+token)
	p.Sees(taken.Number, "等候中", "补打小票")
	s.shot(t, p, "kiosk-own-ticket")
	s.turned(t, p, "kiosk-own-ticket-lying")
	p.Click("button", "取消排队")
	p.Sees("作废，确定吗")
	s.shot(t, p, "kiosk-withdraw")
	p.Click("button", "确定取消")
	p.Sees("已取消排队", "已退号")
	p.Click("button", "返回")
	s.Sim(t, "scan", "6901234567892") // a bottle of water
	p.Sees("这个码不能用")
	s.shot(t, p, "kiosk-refused")
	s.turned(t, p, "kiosk-refused-lying")
	p.Click("button", "知道了")
	p.Sees("请选择要办理的业务")
}

// ticketToken finds the token in the code on a slip, which opens the citizen's own page.
func ticketToken(t *testing.T, slip string) string {
	t.Helper()
	token := regexp.MustCompile(`/t/(HE1\.[\w.-]+)`).FindStringSubmatch(slip)
	if token == nil {
		t.Fatalf("no token of a ticket on the slip:\n%s", slip)
	}
	return token[1]
}

func (s *site) printerUnplugged(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务")
	p.Misses("打不出小票")
	s.Sim(t, "paper", "kiosk-1.printer", "out")
	p.Sees("打印机缺纸，暂时打不出小票")
	s.shot(t, p, "kiosk-paper-out")
	s.Sim(t, "paper", "kiosk-1.printer", "ok")
	p.Misses("缺纸")
	for _, name := range []string{"kiosk-1.printer", "kiosk-1.idcard"} {
		s.Sim(t, "unplug", name)
		t.Cleanup(func() { s.Sim(t, "plug", name) })
	}
	p.Sees("打印机有故障，暂时打不出小票", "仍可取号") // before somebody takes a number
	p.Sees("刷身份证暂时不能用")
	s.shot(t, p, "kiosk-printer-missing")
	s.turned(t, p, "kiosk-printer-missing-lying")
	p.Click("button", "综合受理")
	got := number(t, p.Text, "A")
	p.Sees("小票没有打印出来", "号码有效", got) // and after
	demo.Until(t, demo.Patience, "the code for the phone", func() error {
		width := chrome.Of[int](p, "image", "本号的二维码", `function () { return this.complete ? this.naturalWidth : 0; }`)
		if width < 100 {
			return fmt.Errorf("it is %d px wide", width)
		}
		return nil
	})
	s.shot(t, p, "kiosk-result-no-slip")
	s.turned(t, p, "kiosk-result-no-slip-lying")
	p.Click("button", "长辈版")
	s.shot(t, p, "kiosk-result-no-slip-elder")
	s.turned(t, p, "kiosk-result-no-slip-elder-lying")
	s.Sim(t, "plug", "kiosk-1.printer")
	s.Sim(t, "plug", "kiosk-1.idcard")
	p.Click("button", "完成")
	p.Sees("请选择要办理的业务", "放在读卡区")
	p.Misses("打不出小票")
}

func (s *site) elderPage(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	const size = `function () {
		let most = 0;
		for (const e of this.querySelectorAll('*')) most = Math.max(most, parseFloat(getComputedStyle(e).fontSize));
		return [most, this.getBoundingClientRect().height];
	}`
	normal := chrome.Of[[]float64](p, "button", "综合受理", size)
	p.Click("button", "长辈版")
	p.Has("button", "标准版")
	elder := chrome.Of[[]float64](p, "button", "综合受理", size)
	if elder[0] < normal[0]*1.2 || elder[1] < 60 {
		t.Errorf("letters of %.0f px become %.0f px in a button %.0f px high", normal[0], elder[0], elder[1])
	}
	p.Demand(leastElderLetters, leastTarget)
	s.shot(t, p, "kiosk-elder")
	s.turned(t, p, "kiosk-elder-lying")
	p.Click("button", "刷身份证")
	s.shot(t, p, "kiosk-elder-how-card")
	s.turned(t, p, "kiosk-elder-how-card-lying")
	p.Click("button", "返回") // the next citizen begins anew
	p.Click("button", "长辈版")
	p.Click("button", "标准版")
	p.Has("button", "长辈版")
}
