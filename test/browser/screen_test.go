package browser_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// TestScreens has a hall of its own: its program stands still, dies, and comes back with sixty windows.
func TestScreens(t *testing.T) {
	s := begin(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"a call and its repetition light up", s.lightsUp},
		{"calls at once take turns", s.takeTurns},
		{"passed numbers and the notice", s.passedAndNotice},
		{"the page is a device", s.pageIsADevice},
		{"the screen above one window", s.singleWindow},
		{"rating", s.rating},
		{"a hall that stands still", s.hangs},
		{"sixty windows", s.sixtyWindows},
		{"long names", s.longNames},
	} {
		t.Run(part.name, part.run)
	}
}

// callAt takes a ticket, calls it at a window and gives it.
func (s *site) callAt(t *testing.T, window, queue string) demo.Ticket {
	t.Helper()
	s.Verb(t, window, "open", nil)
	taken := s.Take(t, queue)
	s.Verb(t, window, "call", map[string]any{"ticket": taken.ID, "reason": "群众到窗口出示小票"})
	return taken
}

// lit waits until an element of a screen shines, or does not any more. It must not flash faster than people bear: three times a
// second (WCAG 2.1, 2.3.1).
func lit(t *testing.T, p *chrome.Page, id string, want bool) {
	t.Helper()
	demo.Until(t, demo.Patience, fmt.Sprintf("#%s lit: %v", id, want), func() error {
		at := chrome.Eval[[]float64](p, `document.getElementById('`+id+`').getAnimations().map((a) => a.effect.getComputedTiming().duration)`)
		if len(at) > 0 != want {
			return fmt.Errorf("its animations take %v ms", at)
		}
		for _, ms := range at {
			if ms < 1000 { // two changes of colour
				t.Fatalf("it flashes every %v ms", ms)
			}
		}
		return nil
	})
}

func (s *site) lightsUp(t *testing.T) {
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Sees("欢迎光临", "现在没有开放的窗口")
	lit(t, p, "hero", false)
	called := s.callAt(t, "1", "A")
	p.Sees("请" + called.Number + "号到1号窗口办理")
	lit(t, p, "hero", true)
	s.shot(t, p, "screen-lit")
	lit(t, p, "hero", false)
	p.Misses("次叫号")
	s.Verb(t, "1", "recall", nil)
	p.Sees("第 2 次叫号")
	lit(t, p, "hero", true)
	s.turned(t, p, "screen-recall-standing")
	s.shot(t, p, "screen-recall")
	s.Verb(t, "1", "finish", nil)
	p.Sees("空闲")
}

// leastMS is how long a call stands large at the least, in the page's own milliseconds.
const leastMS = 2500

// watchHero notes which call is large from when on.
const watchHero = `(() => {
	window.shown = [];
	const hero = document.getElementById('hero-text');
	const note = () => {
		const text = hero.innerText.replace(/\s/g, ''), last = window.shown[window.shown.length - 1];
		if (!last || last.text !== text) window.shown.push({ text, at: performance.now() });
	};
	note();
	new MutationObserver(note).observe(hero, { childList: true, subtree: true });
	return true;
})()`

// takeTurns calls four people within a second: each call is large long enough to be read.
func (s *site) takeTurns(t *testing.T) {
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Sees("1号窗口")
	chrome.Eval[bool](p, watchHero)
	var want []string
	for i := range 4 {
		w, q := []string{"1", "2"}[i%2], []string{"A", "C"}[i%2]
		want = append(want, "请"+s.callAt(t, w, q).Number+"号到"+w+"号窗口办理")
		s.Verb(t, w, "finish", nil)
	}
	type seen struct {
		Text string  `json:"text"`
		At   float64 `json:"at"`
	}
	var shown []seen
	demo.Until(t, demo.Patience, "all the calls large", func() error {
		shown = chrome.Eval[[]seen](p, "window.shown")
		if len(shown) == 0 || shown[len(shown)-1].Text != want[len(want)-1] {
			return fmt.Errorf("large so far: %+v", shown)
		}
		return nil
	})
	next := 0
	for i, c := range shown {
		if next < len(want) && c.Text == want[next] {
			next++
			if i+1 < len(shown) && shown[i+1].At-c.At < leastMS {
				t.Errorf("%s stood there for %.0f ms", c.Text, shown[i+1].At-c.At)
			}
		}
	}
	if next != len(want) {
		t.Errorf("of %q only %d were large, in %+v", want, next, shown)
	}
	s.shot(t, p, "screen-last-calls")
}

func (s *site) passedAndNotice(t *testing.T) {
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Sees("暂无过号")
	missed := s.callAt(t, "1", "A")
	p.Sees("请" + missed.Number + "号到1号窗口办理")
	s.Verb(t, "1", "pass", nil)
	p.Sees("请到导办台" + missed.Number)
	p.Misses("请" + missed.Number + "号到") // nobody is sent to the window any more
	const runs = `document.getElementById('notice').getAnimations().length`
	if n := chrome.Eval[int](p, runs); n != 0 {
		t.Error("a notice that fits runs")
	}
	p.Resize(screenHeight, screenWidth)
	demo.Until(t, demo.Patience, "the notice runs", func() error {
		if chrome.Eval[int](p, runs) != 1 {
			return errors.New("it stands still, and is longer than the screen is wide")
		}
		return nil
	})
	s.shot(t, p, "screen-passed-standing")
}

// singleWindow looks at the screen above window 2, which shows no other.
func (s *site) singleWindow(t *testing.T) {
	s.Verb(t, "2", "open", nil)
	p := s.open(t, screenWidth, screenHeight, "/screen/1?window=2&token="+s.Agent.Tokens["screen"])
	if at := p.Address(); strings.Contains(at, "token") || !strings.Contains(at, "window=2") {
		t.Errorf("its address is %s", at)
	}
	p.Sees("2号窗口", "综合受理", "不动产登记", "空闲")
	s.shot(t, p, "single-free")
	other := s.callAt(t, "1", "A")
	called := s.callAt(t, "2", "C")
	p.Sees("请" + called.Number + "号到本窗口办理")
	lit(t, p, "board", true)
	p.Misses(other.Number)
	s.shot(t, p, "single-called")
	s.turned(t, p, "single-called-standing")
	lit(t, p, "board", false)
	s.Verb(t, "2", "recall", nil)
	p.Sees("第 2 次叫号")
	lit(t, p, "board", true)
	s.Verb(t, "2", "start", nil)
	p.Sees("正在办理" + called.Number)
	s.shot(t, p, "single-serving")
	s.Verb(t, "2", "finish", nil)
	s.Verb(t, "2", "pause", map[string]any{"reason": "就餐"})
	p.Sees("暂停服务")
	s.turned(t, p, "single-paused-standing")
	s.Verb(t, "2", "close", nil)
	p.Sees("窗口未开")
	s.shot(t, p, "single-closed")
	s.Verb(t, "1", "pass", nil)
}

// still stops the hall's program without its knowing, as a machine that hangs or a cable that is pulled: no connection is closed.
func (s *site) still(t *testing.T) (goOn func()) {
	t.Helper()
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	pid := s.Agent.PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goOn = func() { _ = syscall.Kill(pid, syscall.SIGCONT) } // a second time does nothing
	t.Cleanup(goOn)
	return goOn
}

func (s *site) hangs(t *testing.T) {
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	above := s.open(t, screenWidth, screenHeight, "/screen/1?window=1&token="+s.Agent.Tokens["screen"])
	for _, page := range []*chrome.Page{p, above} {
		page.Allow("net::ERR_")
		page.Allow("503 (Service Unavailable)")
	}
	called := s.callAt(t, "1", "A")
	p.Sees("请"+called.Number+"号到1号窗口办理", "正在叫"+called.Number)
	above.Sees("请" + called.Number)
	goOn := s.still(t)
	p.Sees("正在重连", "叫号信息中断", "以后的叫号没有收到")
	above.Sees("叫号信息中断")
	for _, page := range []*chrome.Page{p, above} {
		page.Misses(called.Number) // it may be served by now
	}
	s.shot(t, p, "screen-cut-off")
	s.turned(t, p, "screen-cut-off-standing")
	s.shot(t, above, "single-cut-off")
	goOn()
	for _, page := range []*chrome.Page{p, above} {
		page.Misses("正在重连")
		page.Sees(called.Number)
	}
	s.Verb(t, "1", "finish", nil)
}

// manyWindows is as many as a hall of a city has.
const manyWindows = 60

// sixtyWindows starts the hall again with many windows, under an open screen: it shows them page by page, and always which page.
func (s *site) sixtyWindows(t *testing.T) {
	p := s.restarted(t, manyWindows, "%d号窗口")
	for n := 1; n <= manyWindows; n++ {
		w := strconv.Itoa(n)
		s.Verb(t, w, "open", nil)
		if n%4 != 0 {
			s.Take(t, "A")
			s.Take(t, "B")
			s.Verb(t, w, "call-next", nil)
		}
	}
	for range 2 {
		s.Take(t, "A")
	}
	pages := map[string]bool{}
	missing := map[string]bool{}
	for n := 1; n <= manyWindows; n++ {
		missing[strconv.Itoa(n)+"号窗口"] = true
	}
	demo.Until(t, demo.Patience, "every window on some page", func() error {
		for _, name := range chrome.Eval[[]string](p, `Array.from(document.querySelectorAll('.windows-what b'), (e) => e.innerText)`) {
			delete(missing, name)
		}
		pages[chrome.Eval[string](p, `(document.getElementById('windows-page') || { innerText: '' }).innerText`)] = true
		if len(missing) > 0 {
			return fmt.Errorf("%d are missing; the pages were %v", len(missing), pages)
		}
		return nil
	})
	for _, page := range []string{"第 1/3 页", "第 3/3 页"} {
		if !pages[page] {
			t.Errorf("no %s in %v", page, pages)
		}
	}
	s.shot(t, p, "screen-60-windows")
	s.turned(t, p, "screen-60-windows-standing")
}

// manyMissed is more than a screen shows at a time.
const manyMissed = 40

// longNames has windows that are not called by a number alone, a crowd of missed numbers, and calls that come all at once: everything
// is told by the name that stands above the window, on panels of all sizes.
func (s *site) longNames(t *testing.T) {
	p := s.restarted(t, largeWindows, "不动产登记综合%02d号窗口")
	for _, w := range s.Hall(t).Windows { // have called somebody before
		if w.Ticket != nil {
			s.Verb(t, w.ID, "finish", nil)
		}
	}
	for range manyMissed {
		s.callAt(t, "1", "B")
		s.Verb(t, "1", "pass", nil)
	}
	p.Sees("1/4 页")
	for n := 1; n <= largeWindows; n++ {
		s.Verb(t, strconv.Itoa(n), "open", nil)
	}
	var last demo.Ticket
	for n := 2; n <= 6; n++ {
		last = s.callAt(t, strconv.Itoa(n), "A")
	}
	s.Verb(t, "9", "pause", map[string]any{"reason": "会议"})
	p.Sees("请"+last.Number+"号到不动产登记综合06号窗口办理", "正在叫"+last.Number)
	s.shot(t, p, "screen-long-names")
	s.turned(t, p, "screen-long-names-standing")
	for _, size := range []struct{ width, height int }{{1280, 720}, {1024, 768}, {3840, 2160}} {
		p.Resize(size.width, size.height)
		s.shot(t, p, "screen-long-names-"+strconv.Itoa(size.width))
	}
}

// restarted starts the hall again with other windows, under an open screen.
func (s *site) restarted(t *testing.T, windows int, name string) *chrome.Page {
	t.Helper()
	p := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	p.Allow("net::ERR_")
	p.Sees("办理窗口")
	s.Sim(t, "stop", "agent")
	p.Sees("叫号信息中断")
	s.plan(t, windows, name)
	s.Sim(t, "start", "agent")
	p.Misses("正在重连")
	return p
}

// plan writes a plan of many windows, whose names have their numbers in them, over that of the hall, whose program must not run. Its people stay.
func (s *site) plan(t *testing.T, windows int, name string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("schema: 1\nrevision: 2\nzone: Asia/Shanghai\nqueues:\n  - {id: A, name: 综合受理}\n  - {id: B, name: 社保医保}\n  - {id: C, name: 不动产登记}\nwindows:\n")
	for n := 1; n <= windows; n++ {
		fmt.Fprintf(&b, "  - {id: %q, name: %s, queues: [A, B]}\n", strconv.Itoa(n), fmt.Sprintf(name, n))
	}
	s.writePlan(t, b.String(), "kiosks:\n  - {id: \"1\", name: 大门取号机}\nscreens:\n  - {id: \"1\", name: 等候区大屏}\nrules: {takes_per_s: 500}\n")
}
