package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
)

// The large hall has so many windows, each for two of its queues.
const largeWindows = 20

var largeQueues = [...]struct{ id, name, dept string }{
	{"A", "综合受理", "市政务服务和数据管理局"}, {"B", "社保医保", "市人力资源和社会保障局"}, {"C", "不动产登记", "市自然资源局"},
	{"D", "户政与出入境证件", "市公安局"}, {"E", "税务办理", "市税务局"}, {"F", "市场主体登记", "市市场监督管理局"},
	{"G", "住房公积金", "市住房公积金管理中心"}, {"H", "工程建设项目审批", "市住房和城乡建设局"}, {"I", "交通运输", "市交通运输局"},
	{"J", "民政与残疾人服务", "市民政局"}, {"K", "水电气网联合报装", "市政务服务和数据管理局"}, {"L", "跨省通办", "市政务服务和数据管理局"},
}

// enlarge writes a plan with many windows and queues, and with kiosks and screens of a few of them, over that of the demo, whose
// agent must not run.
func (s *site) enlarge(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString("schema: 1\nrevision: 2\nzone: Asia/Shanghai\nqueues:\n")
	for _, q := range largeQueues {
		identity := "none"
		if q.id == "D" {
			identity = "required"
		}
		fmt.Fprintf(&b, "  - {id: %s, name: %s, dept: %s, identity: %s}\n", q.id, q.name, q.dept, identity)
	}
	b.WriteString("windows:\n  - {id: \"1\", name: 1号窗口, queues: [A, B]}\n  - {id: \"2\", name: 2号窗口, queues: [A, C, D]}\n")
	for w := 3; w <= largeWindows; w++ {
		fmt.Fprintf(&b, "  - {id: %q, name: %d号窗口, queues: [%s]}\n", strconv.Itoa(w), w, queueOf(w))
	}
	s.writePlan(t, b.String(), `kiosks:
  - {id: "1", name: 大门取号机}
  - {id: "2", name: 税务取号机, queues: [E]}
  - {id: "4", name: 二楼取号机, queues: [A, D, F, H]}
  - {id: "6", name: 三楼取号机, queues: [A, B, C, H, J, K]}
screens:
  - {id: "1", name: 等候区大屏, notice: 取号后请在休息区等候，留意屏幕和语音叫号；过号请到导办台处理。}
rules: {takes_per_s: 500, call_gap_s: 60}
`)
}

// writePlan writes a plan over that of the hall, whose program must not run: the queues and windows, and behind its people, who stay,
// the machines and rules.
func (s *site) writePlan(t *testing.T, windows, machines string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(s.Agent.Config), "hall.yaml")
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, staff, _ := strings.Cut(string(old), "\nstaff:\n")
	staff, _, found := strings.Cut(staff, "\nkiosks:\n")
	if !found {
		t.Fatalf("no staff in the plan of the demo:\n%s", old)
	}
	if err := os.WriteFile(file, []byte(windows+"staff:\n"+staff+"\n"+machines), 0o600); err != nil {
		t.Fatal(err)
	}
}

// queueOf is the queue that a window from 3 on serves; the last window has one for itself.
func queueOf(w int) string {
	if w == largeWindows {
		return "L"
	}
	return largeQueues[4+(w-3)%7].id // E to K
}

// large looks at pages with one, some and many queues and windows.
func (s *site) large(t *testing.T) {
	screen := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	s.Take(t, "A")
	s.Take(t, "C")
	s.busy(t, 1, 8)
	screen.Sees("1号窗口", "8号窗口", "等候人数")
	s.shot(t, screen, "screen-8-windows")
	s.turned(t, screen, "screen-8-windows-standing")
	s.busy(t, 9, largeWindows-1)
	screen.Sees("1号窗口", "19号窗口") // all at once
	s.shot(t, screen, "screen-19-windows")
	s.turned(t, screen, "screen-19-windows-standing")
	t.Run("kiosks", s.kioskSizes)
	t.Run("a window with nobody waiting", s.emptyWindow)
	for _, w := range []string{"1", "2"} {
		s.Verb(t, w, "finish", nil)
		s.Verb(t, w, "close", nil)
	}
}

// busy opens windows; most have somebody, some are idle or paused.
func (s *site) busy(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		w := strconv.Itoa(n)
		s.Verb(t, w, "open", nil)
		switch {
		case n > 2 && n%5 == 0:
			s.Verb(t, w, "pause", map[string]any{"reason": "会议"})
			continue
		case n%7 == 0:
			continue
		case n > 2:
			s.Take(t, queueOf(n))
			s.Take(t, queueOf(n))
		}
		s.Verb(t, w, "call-next", nil)
		if n%3 == 0 {
			s.Verb(t, w, "start", nil)
		}
	}
}

func (s *site) kioskSizes(t *testing.T) {
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	p.Sees("请选择要办理的业务", "第 1 页，共 2 页")
	p.Lacks("button", "跨省通办")
	s.shot(t, p, "kiosk-12-queues")
	s.turned(t, p, "kiosk-12-queues-lying")
	p.Click("button", "下一页")
	p.Sees("第 2 页，共 2 页", "跨省通办")
	s.shot(t, p, "kiosk-12-queues-next")
	p.Click("button", "上一页")
	p.Click("button", "户政与出入境证件")
	p.Sees("请先核对身份", "没有带证件？请到导办台")
	s.shot(t, p, "kiosk-identity")
	p.Click("button", "返回")
	p.Click("button", "长辈版")
	p.Sees("第 1 页，共 3 页")
	s.shot(t, p, "kiosk-12-queues-elder")
	s.turned(t, p, "kiosk-12-queues-elder-lying")
	s.Sim(t, "paper", "kiosk-1.printer", "out")
	t.Cleanup(func() { s.Sim(t, "paper", "kiosk-1.printer", "ok") })
	p.Sees("打印机缺纸")
	s.shot(t, p, "kiosk-12-queues-elder-trouble")
	s.turned(t, p, "kiosk-12-queues-elder-trouble-lying")
	s.Sim(t, "tap-card", "--person", "5") // who has no number yet
	p.Sees("打印机缺纸", "身份证已核对")
	s.shot(t, p, "kiosk-all-at-once")
	s.turned(t, p, "kiosk-all-at-once-lying")
	s.Sim(t, "paper", "kiosk-1.printer", "ok")
	p.Misses("打印机缺纸")
	for _, k := range []struct{ id, see string }{{"2", "请按下面取号"}, {"4", "请选择要办理的业务"}, {"6", "请选择要办理的业务"}} {
		p := s.device(t, kioskWidth, kioskHeight, "/kiosk/"+k.id, "staff")
		p.Sees(k.see, "这台机器不打印小票", "屏幕用大字显示号码") // these kiosks have no printer
		p.Lacks("button", "刷身份证")               // and no reader
		s.shot(t, p, "kiosk-queues-"+k.id)
		s.turned(t, p, "kiosk-queues-"+k.id+"-lying")
	}
}

// emptyWindow is a window that has nothing to do, then one person, whom it calls twice too fast.
func (s *site) emptyWindow(t *testing.T) {
	p := s.device(t, clerkWidth, clerkHeight, "/window/"+strconv.Itoa(largeWindows), "staff")
	p.Allow("409 (Conflict)")
	p.Click("button", "开窗")
	p.Sees("空闲", "现在没有人等候", "有人取号后这里马上更新")
	s.shot(t, p, "window-empty")
	p.Press(chrome.F2)
	p.Sees("现在没有人等候。")
	taken := s.Take(t, "L")
	p.Sees("有 1 人等候")
	p.Press(chrome.F2)
	p.Sees("已叫号" + taken.Number)
	p.SeesAny("已叫 0:01", "已叫 0:02", "已叫 0:03") // a second press at once is that of a trembling finger
	p.Press(chrome.F2)
	p.Sees("这个号刚刚叫过，请给群众留一点时间")
	s.shot(t, p, "window-refused")
	p.Press(chrome.F6)
	p.Sees("已过号 " + taken.Number)
	s.Take(t, "L")
	s.shot(t, p, "window-passed")
}
