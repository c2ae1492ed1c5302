package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// A clerk's PC is old, a calling screen is a television.
const (
	clerkWidth, clerkHeight   = 1366, 768
	screenWidth, screenHeight = 1920, 1080
)

func (s *site) window(t *testing.T) {
	s.replan(t, "  order:", "  call_gap_s: 0\n  order:") // fingers are quicker here than people walk
	t.Run("refuses a wrong PIN and locks after five", s.wrongPIN)
	t.Run("a call reaches screen, panel and pad", s.callReachesAll)
	t.Run("a page that is left alone", s.leftAlone)
	t.Run("every verb by its button", s.verbsByButton)
	t.Run("every verb by its key", s.verbsByKey)
	t.Run("the keys are the clerk's own", s.ownKeys)
	t.Run("a slip of the finger is taken back", s.takenBack)
	t.Run("another hand is quicker", s.quickerHand)
	t.Run("answers that are lost", s.lostAnswers)
	t.Run("keys that come too early", s.tooEarly)
	t.Run("little room", s.littleRoom)
	t.Run("a note travels with the ticket", s.noteTravels)
	t.Run("several things with one number", s.severalThings)
	t.Run("a window helps out for a while", s.helpsOut)
	t.Run("twenty queues, recalls and times", s.twentyQueues)
	t.Run("the screen shows many calls", s.manyCalls)
}

// enter signs a member of staff in at a page.
func (s *site) enter(p *chrome.Page, n int, pin string) {
	p.Fill("工号", s.Agent.Staff[n].User)
	p.Fill("PIN 码", pin)
	p.Click("button", "登录")
}

// signedIn signs a member of staff in at a page that is not signed in yet, and waits until it shows what it shows to him.
func (s *site) signedIn(p *chrome.Page, n int, sees ...string) *chrome.Page {
	p.SeesAny("PIN 码", "已连接")
	if strings.Contains(p.Text(), "PIN 码") {
		s.enter(p, n, s.Agent.Staff[n].PIN)
	}
	p.Sees(append(sees, "已连接")...)
	return p
}

// clerk opens a window's page and signs its clerk in.
func (s *site) clerk(t *testing.T) *chrome.Page {
	t.Helper()
	return s.atWindow(s.open(t, clerkWidth, clerkHeight, "/window/1"))
}

// atWindow signs the clerk of window 1 in at its page.
func (s *site) atWindow(p *chrome.Page) *chrome.Page {
	return s.signedIn(p, 0, "1号窗口", "测试一")
}

// leftAlone locks a page and opens it again, by the keyboard alone; what its clerk was doing is still there.
func (s *site) leftAlone(t *testing.T) {
	p := s.clerk(t)
	p.Allow("401 (Unauthorized)")
	p.Allow("423 (Locked)")
	p.Click("button", "快捷键")
	p.Press(chrome.Escape)
	p.Click("button", "锁屏")
	p.Sees("已锁定", "测试一，请输入 PIN 码")
	p.Misses("等候") // nothing of the window but its number
	s.shot(t, p, "window-locked")
	wrong := "000000"
	if wrong == s.Agent.Staff[0].PIN {
		wrong = "111111"
	}
	p.Fill("请输入 PIN 码", wrong)
	p.Press(chrome.F5) // no key of the window's, and no new page
	p.Press(chrome.Enter)
	p.Sees("PIN 码不对，请再输一次")
	p.Misses("工号") // which is not asked for here
	s.shot(t, p, "window-locked-wrong-pin")
	p.Fill("请输入 PIN 码", s.Agent.Staff[0].PIN)
	p.Press(chrome.Enter)
	p.Misses("已锁定")
	p.Sees("已连接", "等候")
}

func (s *site) wrongPIN(t *testing.T) {
	p := s.open(t, clerkWidth, clerkHeight, "/window/2")
	p.Allow("401 (Unauthorized)")
	p.Allow("429 (Too Many Requests)")
	p.Has("textbox", "工号")
	s.shot(t, p, "window-signed-out")
	wrong := "000000"
	if wrong == s.Agent.Staff[1].PIN {
		wrong = "111111"
	}
	for range 4 {
		s.enter(p, 1, wrong)
		p.Sees("工号或 PIN 不对。")
	}
	s.shot(t, p, "window-wrong-pin")
	s.enter(p, 1, wrong)
	p.Sees("PIN 输错太多次，暂时锁定。", "5 分钟以后再试")
	s.enter(p, 1, s.Agent.Staff[1].PIN) // the right one does not help now
	p.Sees("暂时锁定")
	p.Lacks("button", "叫下一个")
}

// callReachesAll calls by mouse, by keyboard and by the pad of the window; everybody who shows calls must follow.
func (s *site) callReachesAll(t *testing.T) {
	s.sentHome(t)
	screen := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	screen.Sees("欢迎光临", "等候人数", "综合受理", "现在没有开放的窗口")
	s.shot(t, screen, "screen-empty")
	p := s.clerk(t)
	p.Sees("窗口未开")
	s.shot(t, p, "window-closed")
	p.Click("button", "开窗")
	p.Sees("空闲")
	s.shot(t, p, "window-idle")

	taken := s.Take(t, "A").Number
	p.Click("button", "叫下一个")
	first := s.calledAt(t, p, screen)
	if first != taken {
		t.Errorf("called %s, only %s waits", first, taken)
	}
	s.shot(t, p, "window-called")
	p.Reload()
	p.Sees("已叫号")
	p.Click("button", "叫号依据") // the hall knows it, not the page alone
	p.Has("dialog", "为什么叫 "+first)
	p.Sees("按取号先后", "当时的下一位", "没有别人")
	s.shot(t, p, "window-why")
	p.Press(chrome.Escape)
	ringed(t, p)
	screen.Sees("1号窗口", "正在叫"+first)
	s.shot(t, screen, "screen-one-call")
	p.Press(chrome.F3)
	p.Sees("已重呼 " + first)
	screen.Sees("第 2 次")
	p.Press(chrome.F4)
	p.Sees("办理中")
	s.shot(t, p, "window-serving")
	p.Press(chrome.F5)
	p.Sees("已办结 "+first, "空闲")
	s.inCentre(t, first, func(c centreTicket) bool { return c.State == "done" && c.Window == "1" })

	s.Take(t, "A")
	p.Press(chrome.F2)
	second := s.calledAt(t, p, screen)
	p.Press(chrome.F6)
	p.Sees("已过号 " + second)
	screen.Sees("请到导办台" + second)
	p.Click("button", "重排 "+second)
	p.Sees(second + " 已重新排队")

	s.Take(t, "A")
	s.Sim(t, "press", "next")
	third := s.calledAt(t, p, screen) // nobody touched the page
	p.Sees("叫号依据")
	s.Sim(t, "press", "finish")
	p.Sees("空闲")
	s.inCentre(t, third, func(c centreTicket) bool { return c.State == "done" })
}

// letters says how large each line of a page is written.
const letters = `Object.fromEntries(Array.from(document.querySelectorAll('h1, h2, p, li, small'), (e) =>
	[e.innerText.replace(/\s/g, ''), parseFloat(getComputedStyle(e).fontSize)]).filter((line) => line[0].length > 1))`

// calledAt wants the number that window 1 has called on the window's page, on the screen, where it must stand out, on the LED
// panel and on the pad, and gives it.
func (s *site) calledAt(t *testing.T, window, screen *chrome.Page) (number string) {
	t.Helper()
	demo.Until(t, demo.Patience, "a call at window 1", func() error {
		w := s.Hall(t).Windows[0]
		if w.Ticket == nil || w.Ticket.State != "called" {
			return fmt.Errorf("window 1 has %+v", w.Ticket)
		}
		number = w.Ticket.Number
		return nil
	})
	window.Sees("已叫号" + number)
	demo.Until(t, demo.Patience, "the call large on the screen", func() error {
		sizes := chrome.Eval[map[string]float64](screen, letters)
		call := sizes["请"+number+"号到1号窗口办理"]
		for text, size := range sizes {
			if call < size || call < 1.5*size && !strings.Contains(text, number) {
				return fmt.Errorf("the call has letters of %.0f px, %q of %.0f px", call, text, size)
			}
		}
		return nil
	})
	demo.Until(t, demo.Patience, "the call on the panel and on the pad", func() error {
		led, pad := s.Sim(t, "look", "hall.led"), s.Sim(t, "look", "window-1.pad")
		if !strings.Contains(led, number) || !strings.Contains(led, "1号窗口") || !strings.Contains(pad, number) {
			return fmt.Errorf("the panel shows %q, the pad %q", led, pad)
		}
		return nil
	})
	return number
}

// manyCalls calls faster than people can read; every number must still be seen, and passed numbers are listed.
func (s *site) manyCalls(t *testing.T) {
	s.Verb(t, "2", "open", nil)
	var missed, called []string
	for i := range 14 {
		s.Take(t, []string{"A", "C"}[i%2])
		w := []string{"1", "2"}[i%2]
		ticket := s.Verb(t, w, "call-next", nil).Ticket
		called = append(called, ticket.Number)
		if i%4 == 0 {
			s.Verb(t, w, "pass", nil)
			missed = append(missed, ticket.Number)
		} else {
			s.Verb(t, w, "finish", nil)
		}
	}
	screen := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	screen.Sees(called[len(called)-1])
	screen.Sees(missed...)
	s.shot(t, screen, "screen-many-calls")
	screen.Resize(1080, 1920)
	screen.Sees(missed...)
	s.shot(t, screen, "screen-portrait")
}
