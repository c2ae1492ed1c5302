package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// visits are what people do at a kiosk beside taking one number.
func (s *site) visits(t *testing.T) {
	t.Run("speaks English, and Chinese again to the next", s.english)
	t.Run("rings the guide", s.ringGuide)
	t.Run("knows who waits already by the card", s.alreadyWaiting)
	t.Run("gives one number for several things", s.oneForSeveral)
	t.Run("says what is done with personal data", s.privacy)
	t.Run("an answer that is lost", s.kioskLost)
	t.Run("loads itself anew when its clock stands still", s.standsStill)
}

func (s *site) english(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Click("button", "English")
	p.Sees("Please choose a service", "General services", "Call the guide", "Back to start in")
	s.shot(t, p, "kiosk-english")
	s.turned(t, p, "kiosk-english-lying")
	p.Click("button", "Details")
	p.Sees("How your personal data is used")
	s.shot(t, p, "kiosk-english-privacy")
	p.Click("button", "I see")
	p.Click("button", "Property registration")
	number(t, p.Text, "C")
	p.Sees("Ahead of you", "Please take your slip")
	s.shot(t, p, "kiosk-english-result")
	p.Click("button", "Done")
	p.Sees("请选择要办理的业务", "不动产登记")
	p.Misses("Please")
}

func (s *site) ringGuide(t *testing.T) {
	kiosk := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	desk := s.open(t, clerkWidth, clerkHeight, "/desk")
	s.enter(desk, 0, s.Agent.Staff[0].PIN)
	desk.Sees("帮群众取号", "已连接")
	desk.Misses("有人需要帮助")
	kiosk.Sees("人工服务：大门左侧导办台") // there is always a way to a person
	kiosk.Click("button", "呼叫导办员")
	kiosk.Sees("正在呼叫导办员")
	s.shot(t, kiosk, "kiosk-calling")
	desk.Sees("大门取号机", "有人需要帮助")
	s.shot(t, desk, "desk-help")
	desk.Click("button", "我去大门取号机")
	desk.Sees("已有人前往")
	kiosk.Sees("导办员马上到", "请在这里稍等")
	s.shot(t, kiosk, "kiosk-guide-coming")
	desk.Click("button", "退出")
	desk.Has("textbox", "PIN 码")
}

func (s *site) alreadyWaiting(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务")
	s.Sim(t, "tap-card", "--person", "3") // is old enough for the elders' line
	p.Sees("身份证已核对")
	p.Click("button", "综合受理")
	got := number(t, p.Text, "A")
	p.Sees("已按老年人优先排队", "请取走您的小票")
	s.shot(t, p, "kiosk-result-elder")
	p.Click("button", "完成")
	s.Sim(t, "tap-card", "--person", "3")
	p.Sees("您已经取过号", got, "等候中", "排在", "前面还有", "办理窗口")
	s.shot(t, p, "kiosk-already-waiting")
	s.turned(t, p, "kiosk-already-waiting-lying")
	p.Allow("409 (Conflict)")
	demo.Until(t, demo.Patience, "another copy", func() error { // not within seconds of the first
		p.Click("button", "补打小票")
		p.SeesAny("正在补打", "请取走您的小票", "刚刚打好", "正在打印", "正在排队打印")
		if text := p.Text(); strings.Contains(text, "刚刚打好") {
			return fmt.Errorf("the page says %s", text)
		}
		return nil
	})
	p.Sees("请取走您的小票")
	demo.Until(t, demo.Patience, "the second slip", func() error {
		_, err := os.Stat(filepath.Join(s.Slips, got+"-2.txt"))
		return err
	})
	p.Click("button", "办理其他业务")
	p.Sees("身份证已核对")
	p.Click("button", "综合受理") // for the same thing there is no second number
	p.Sees("请用原来的号", got)
	p.Click("button", "办理其他业务")
	p.Click("button", "不动产登记")
	second := number(t, p.Text, "C")
	p.Click("button", "完成")
	s.Sim(t, "tap-card", "--person", "3")
	p.Sees("您已经取过号", got, second)
	s.shot(t, p, "kiosk-person")
	s.turned(t, p, "kiosk-person-lying")
	p.Click("button", "综合受理")
	p.Click("button", "取消排队")
	p.Click("button", "确定取消")
	p.Sees("已取消排队", "已退号")
	p.Click("button", "返回")
}

func (s *site) oneForSeveral(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Click("button", "多项一起办")
	p.Sees("请按先后顺序选择", "用同一个号")
	p.Click("button", "不动产登记")
	p.Click("button", "综合受理")
	p.Sees("第 1 项", "第 2 项", "秒后返回首页")
	s.shot(t, p, "kiosk-several")
	s.turned(t, p, "kiosk-several-lying")
	p.Click("button", "取号（2 项）")
	number(t, p.Text, "C")
	p.Sees("不动产登记 → 综合受理", "同一个号办 2 项", "请取走您的小票")
	s.shot(t, p, "kiosk-several-result")
	p.Click("button", "完成")
	p.Click("button", "多项一起办")
	p.Click("button", "社保医保")
	p.Sees("第 1 项")
	s.Sim(t, "tap-card", "--person", "4") // the next citizen
	p.Sees("身份证已核对")
	p.Misses("第 1 项")
	p.Has("button", "多项一起办")
	p.Click("button", "退出")
}

// privacy reads the notice, whose time is counted down and begins anew with a touch.
func (s *site) privacy(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("刷证、扫码只为取号核对身份，不保存证件号码") // before any card is read
	p.Click("button", "长辈版")
	p.Demand(leastElderLetters, leastTarget)
	p.Click("button", "详情")
	p.Sees("谁在处理", "读取什么", "用来做什么", "保存多久", "您可以选择", "12345")
	s.shot(t, p, "kiosk-privacy-elder")
	s.turned(t, p, "kiosk-privacy-elder-lying")
	before := secondsLeft(t, p)
	demo.Until(t, demo.Patience, "time to go by", func() error {
		if now := secondsLeft(t, p); now > before-2 {
			return fmt.Errorf("%d s, then %d s", before, now)
		}
		return nil
	})
	now := secondsLeft(t, p)
	p.Click("heading", "个人信息处理说明") // any touch
	if after := secondsLeft(t, p); after <= now {
		t.Errorf("%d s, and after a touch %d s", now, after)
	}
	p.Click("button", "知道了")
	s.shot(t, p, "kiosk-elder-privacy-line")
	p.Click("button", "标准版")
}

// secondsLeft is what the page says about when it begins anew.
func secondsLeft(t *testing.T, p *chrome.Page) (left int) {
	t.Helper()
	pattern := regexp.MustCompile(`(\d+) 秒后返回首页`)
	demo.Until(t, demo.Patience, "the seconds left", func() (err error) {
		found := pattern.FindStringSubmatch(p.Text())
		if found == nil {
			return fmt.Errorf("it says %s", p.Text())
		}
		left, err = strconv.Atoi(found[1])
		return err
	})
	return left
}

func (s *site) standsStill(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务")
	chrome.Eval[bool](p, `window.broken = true; window.setTimeout = () => 0; true`)
	demo.Until(t, demo.Patience, "a new page", func() error {
		if chrome.Eval[bool](p, `window.broken === true`) {
			return fmt.Errorf("it is still the old one")
		}
		return nil
	})
	p.Sees("请选择要办理的业务")
	if strings.Contains(p.Text(), "正在恢复") {
		t.Error("the new page does not work")
	}
}
