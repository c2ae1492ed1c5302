package browser_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// idleClerk is a clerk at window 1 for whom nobody waits.
func (s *site) idleClerk(t *testing.T) *chrome.Page {
	t.Helper()
	s.emptied(t)
	p := s.clerk(t)
	p.Sees("空闲", "现在没有人等候")
	return p
}

// emptied opens window 1 and leaves nobody there, and nobody who waits anywhere.
func (s *site) emptied(t *testing.T) {
	t.Helper()
	s.sentHome(t)
	s.Verb(t, "1", "open", nil)
	if s.Verb(t, "1", "call-next", nil).Ticket != nil {
		t.Fatal("somebody waits")
	}
}

// sentHome withdraws the tickets that earlier cases left waiting.
func (s *site) sentHome(t *testing.T) {
	t.Helper()
	var left struct{ Items []demo.Ticket }
	s.Get(t, "staff", "/api/v1/tickets?state=waiting,passed").Into(t, &left)
	for _, w := range left.Items {
		s.Post(t, "staff", "/api/v1/tickets/"+w.ID+"/withdraw", map[string]any{}, http.StatusOK)
	}
}

// find gives today's ticket of a number.
func (s *site) find(t *testing.T, number string) demo.Ticket {
	t.Helper()
	var found struct{ Items []demo.Ticket }
	s.Get(t, "staff", "/api/v1/tickets?number="+number).Into(t, &found)
	if len(found.Items) != 1 {
		t.Fatalf("of %s there is %+v", number, found.Items)
	}
	return found.Items[0]
}

// next takes a ticket and has the clerk at page p call it.
func (s *site) next(t *testing.T, p *chrome.Page, queue string) string {
	t.Helper()
	p.Sees("空闲")
	taken := s.Take(t, queue).Number
	p.Press(chrome.F2)
	p.Sees("已叫号" + taken)
	return taken
}

// at wants what window 1 has: a ticket's number and state, or "".
func (s *site) at(t *testing.T, want string) {
	t.Helper()
	demo.Until(t, demo.Patience, "window 1 to have "+want, func() error {
		got := ""
		if ticket := s.Hall(t).Windows[0].Ticket; ticket != nil {
			got = ticket.Number + " " + ticket.State
		}
		if got != want {
			return fmt.Errorf("it has %q", got)
		}
		return nil
	})
}

// stopped holds the clock of a page, so that no machine is too slow for what must be pressed within seconds, until run is called.
func stopped(p *chrome.Page) (run func()) {
	chrome.Eval[bool](p, `(() => { const real = Date.now, at = real(); window.runClock = () => { Date.now = real; return true; }; Date.now = () => at; return true; })()`)
	return func() { chrome.Eval[bool](p, `window.runClock()`) }
}

func (s *site) verbsByButton(t *testing.T) {
	p := s.idleClerk(t)
	got := s.Take(t, "B").Number
	p.Click("button", "叫下一个")
	p.Sees("已叫号"+got, "社保医保")
	p.Click("button", "重呼")
	p.Sees("已重呼 " + got)
	p.Click("button", "开始办理")
	p.Sees("办理中")
	p.Click("button", "挂起")
	p.Has("dialog", "挂起 "+got)
	p.Click("radio", "去缴费")
	p.Click("radio", "30 分钟")
	s.shot(t, p, "window-hold")
	p.Click("button", "挂起")
	p.Sees("已挂起 "+got, "回队", "去缴费", "空闲")
	s.shot(t, p, "window-held")
	p.Click("button", "恢复 "+got)
	p.Sees("办理中"+got, "留言：去缴费")
	p.Click("button", "转移")
	p.Has("dialog", "转移 "+got)
	p.Click("radio", "最后")
	if on := chrome.Of[string](p, "radio", "最后", `function () { return this.getAttribute('aria-checked'); }`); on != "true" {
		t.Errorf("the chosen place is not marked: %q", on)
	}
	s.shot(t, p, "window-transfer")
	p.Press(chrome.Escape)
	p.Lacks("dialog", "转移")
	p.Click("button", "办结 F5")
	p.Sees("已办结 "+got, "空闲")
	next, after := s.Take(t, "B").Number, s.Take(t, "A").Number
	p.Click("button", "叫下一个")
	p.Sees("已叫号" + next)
	p.Click("button", "开始办理")
	p.Sees("办理中")
	p.Click("button", "办结并叫下一个") // one press a customer
	p.Sees("已叫号"+after, next+" 已办结")
	p.Click("button", "过号")
	p.Sees("已过号 " + after)
	p.Click("button", "重呼 "+after)
	p.Sees("已叫号" + after)
	p.Click("button", "弃号")
	p.Has("dialog", "弃号 "+after)
	s.shot(t, p, "window-abandon")
	p.Click("radio", "取错号")
	p.Sees("已弃号 "+after, "空闲")
	p.Click("button", "暂停")
	p.Click("radio", "就餐")
	p.Sees("暂停服务", "就餐", "已暂停", "按 F10 结束暂停")
	p.Has("button", "恢复并叫下一个")
	s.shot(t, p, "window-paused")
	p.Click("button", "结束暂停")
	p.Sees("已恢复服务")
	p.Click("button", "退出")
	p.Has("textbox", "PIN 码")
}

func (s *site) verbsByKey(t *testing.T) {
	p := s.idleClerk(t)
	got := s.next(t, p, "A")
	p.Press(chrome.F3)
	p.Sees("已重呼 " + got)
	p.Press(chrome.F4)
	p.Sees("办理中")
	p.Press(chrome.F8)
	p.Has("dialog", "挂起 "+got)
	p.Press(chrome.Enter)
	p.Sees("已挂起 " + got)
	p.Press(chrome.F8) // 恢复挂起
	p.Sees("办理中" + got)
	p.Press(chrome.F7)
	p.Has("dialog", "转移 "+got)
	p.Press(chrome.Escape)
	p.Press(chrome.F9)
	p.Has("dialog", "弃号 "+got)
	p.Press(chrome.Escape)
	p.Press(chrome.F5)
	p.Sees("已办结 "+got, "空闲")
	got = s.next(t, p, "A")
	p.Press(chrome.F6)
	p.Sees("已过号 " + got)
	p.Press(chrome.F10)
	p.Has("dialog", "暂停服务")
	p.Click("radio", "会议")
	p.Sees("暂停服务", "会议")
	p.Press(chrome.F10)
	p.Sees("已恢复服务")
}

func (s *site) ownKeys(t *testing.T) {
	p := s.idleClerk(t)
	p.Click("button", "快捷键")
	p.Click("button", "办结的键 F5")
	p.Press(chrome.F3)
	p.Sees("F3 已经是“重呼”的键，没有改")
	p.Press("q")
	p.Sees("只能用 F1–F12")
	s.shot(t, p, "window-keys-refused")
	p.Press(chrome.F11)
	p.Sees("“办结”改为 F11")
	s.shot(t, p, "window-keys")
	p.Click("button", "保存")
	p.Has("button", "办结 F11")
	p.Reload() // the machine keeps it
	p.Has("button", "办结 F11")
	got := s.next(t, p, "A")
	p.Press(chrome.F5) // is nobody's key now
	s.at(t, got+" called")
	p.Press(chrome.F11)
	p.Sees("已办结 " + got)
	p.Click("button", "快捷键")
	p.Click("button", "恢复默认")
	p.Click("button", "保存")
	p.Has("button", "办结 F5")
}

func (s *site) takenBack(t *testing.T) {
	p := s.idleClerk(t)
	got := s.next(t, p, "A")
	stopped(p) // its clock, until the page is loaded again
	p.Press(chrome.F5)
	p.Sees("即将办结", "办结 "+got+"，3 秒后生效")
	s.shot(t, p, "window-undo")
	s.at(t, got+" called") // nobody knows of it yet
	p.Click("button", "撤销")
	p.Sees("已撤销，"+got+" 还在本窗口", "已叫号")
	p.Press(chrome.F9)
	p.Click("radio", "群众不办了")
	p.Sees("即将弃号")
	p.Click("button", "撤销")
	p.Sees("已撤销，" + got)
	s.at(t, got+" called")
	p.Press(chrome.F5)
	p.Sees("即将办结")
	second := s.Take(t, "A").Number
	p.Press(chrome.F2) // sends what waits, and calls
	p.Sees("请 "+second+" 号", "已叫号"+second)
	s.inCentre(t, got, func(c centreTicket) bool { return c.State == "done" })
	p.Press(chrome.F5)
	p.Sees("即将办结")
	p.Reload() // the page goes away and takes nothing with it
	p.Sees("空闲")
	s.at(t, "")
	s.inCentre(t, second, func(c centreTicket) bool { return c.State == "done" })
	third := s.next(t, p, "A")
	run := stopped(p)
	p.Press(chrome.F5)
	p.Sees("即将办结")
	s.Sim(t, "press", "finish") // another hand is quicker
	p.Sees("空闲")
	p.Lacks("button", "撤销")
	run()
	s.inCentre(t, third, func(c centreTicket) bool { return c.State == "done" })
}

func (s *site) noteTravels(t *testing.T) {
	p := s.idleClerk(t)
	s.Verb(t, "2", "open", nil)
	other := s.device(t, clerkWidth, clerkHeight, "/window/2", "staff")
	other.Sees("已连接")
	got := s.next(t, p, "B")
	ahead := s.Take(t, "A").Number
	p.Press(chrome.F7)
	p.Click("radio", "A 综合受理")
	p.Click("radio", "2号窗口")
	p.Click("radio", "最前")
	p.Fill("留言", "材料已核对，缺复印件")
	p.Press(chrome.Enter)
	p.Sees("已转移 "+got, "空闲")
	other.Press(chrome.F2)
	other.Sees("已叫号"+got, "综合受理", "留言：材料已核对，缺复印件")
	other.Click("button", "叫号依据")
	other.Sees("转来时排在最前", "当时的下一位", ahead)
	other.Press(chrome.Escape)
	s.shot(t, other, "window-note")
	other.Press(chrome.F5)
	other.Sees("已办结 " + got)
	other.Press(chrome.F2)
	other.Sees("已叫号" + ahead)
	other.Press(chrome.F5)
	other.Sees("已办结 " + ahead)
}

// littleRoom looks at the page as it is between the bars of a browser and a desktop, and enlarged to 125 %.
func (s *site) littleRoom(t *testing.T) {
	p := s.idleClerk(t)
	s.Verb(t, "2", "open", nil)
	got := s.Take(t, "C").Number
	s.Verb(t, "2", "call-next", nil)
	s.Verb(t, "2", "transfer", map[string]any{
		"to": map[string]any{"queue": "B", "window": "1", "position": "front"}, "note": "材料已核对，缺身份证复印件一份，请群众复印后直接受理，不用再排队",
	})
	p.Press(chrome.F2)
	p.Sees("已叫号"+got, "留言：材料已核对")
	for _, room := range []struct {
		name          string
		width, height int
	}{{"bars", 1366, 625}, {"large", 1093, 614}} {
		p.Resize(room.width, room.height)
		stop := stopped(p)
		p.Press(chrome.F5)
		p.Sees("3 秒后生效")
		s.shot(t, p, "window-room-"+room.name)
		if over := chrome.Eval[string](p, `(() => { const d = document.documentElement; return d.scrollHeight > innerHeight || d.scrollWidth > innerWidth ?
			'it needs ' + d.scrollWidth + ' x ' + d.scrollHeight : ''; })()`); over != "" {
			t.Errorf("in %s %s", room.name, over)
		}
		p.Click("button", "撤销")
		p.Sees("已撤销，" + got)
		stop()
		p.Press(chrome.F7)
		p.Has("dialog", "转移 "+got)
		s.shot(t, p, "window-room-"+room.name+"-transfer")
		p.Press(chrome.Escape)
		p.Press(chrome.F4)
	}
	p.Press(chrome.F5)
	p.Sees("已办结 " + got)
}

func (s *site) severalThings(t *testing.T) {
	p := s.idleClerk(t)
	var a struct{ Ticket demo.Ticket }
	body := map[string]any{"queue": "A", "channel": "kiosk", "then": []string{"B"}}
	s.Post(t, "kiosk", "/api/v1/tickets", body, http.StatusCreated).Into(t, &a)
	p.Press(chrome.F2)
	p.Sees("已叫号"+a.Ticket.Number, "下一步：B 社保医保")
	s.shot(t, p, "window-then")
	p.Click("button", "办结这一项")
	p.Sees("这一项已办结，" + a.Ticket.Number + " 去排 社保医保")
	p.Press(chrome.F2)
	p.Sees("已叫号"+a.Ticket.Number, "社保医保")
	p.Misses("下一步")
	p.Press(chrome.F5)
	p.Sees("已办结 " + a.Ticket.Number)
}

func (s *site) helpsOut(t *testing.T) {
	p := s.idleClerk(t)
	p.Lacks("button", "临时加开") // a clerk does not decide that
	s.Verb(t, "2", "open", nil)
	other := s.device(t, clerkWidth, clerkHeight, "/window/2", "staff")
	other.Click("button", "临时加开")
	other.Click("radio", "B 社保医保")
	other.Click("radio", "30 分钟")
	s.shot(t, other, "window-duty-ask")
	other.Click("button", "加开")
	other.Sees("已加开 社保医保", "临时 至")
	s.shot(t, other, "window-duty")
	got := s.Take(t, "B").Number
	other.Press(chrome.F2)
	other.Sees("已叫号" + got)
	other.Press(chrome.F5)
	other.Sees("已办结 " + got)
	other.Click("button", "临时加开")
	other.Click("button", "结束加开 社保医保")
	other.Sees("已结束加开 社保医保")
	other.Misses("临时 至")
}

// twentyQueues gives window 1 twenty queues, a gap between recalls and services that usually take a second, by a plan of its own.
func (s *site) twentyQueues(t *testing.T) {
	names := []string{"公积金提取", "户政办证", "出入境办证", "税务申报", "市场主体登记", "工程建设审批", "交通运输", "民政救助", "残疾人服务",
		"水电气网报装", "跨省通办", "法律援助", "档案查询", "人才引进", "老年优待", "婚姻登记", "医保异地备案"}
	var queues, ids strings.Builder
	for i, name := range names {
		id := string(rune('D' + i))
		fmt.Fprintf(&queues, "  - {id: %s, name: %s, dept: 市政务服务和数据管理局, identity: none}\n", id, name)
		fmt.Fprintf(&ids, ", %s", id)
	}
	s.replan(t, "windows:\n", queues.String()+"windows:\n", "queues: [A, B]", "queues: [A, B, C"+ids.String()+"]",
		"name: 综合受理,", "name: 综合受理, service_s: 1,", "recall_gap_s: 0, recall_limit: 0", "recall_gap_s: 4, recall_limit: 2")
	p := s.idleClerk(t)
	p.Sees("医保异地备案")
	got := s.Take(t, "A").Number
	var waiting []string
	for _, q := range []string{"D", "E", "E", "F", "T"} {
		waiting = append(waiting, s.Take(t, q).ID)
	}
	run := stopped(p)
	p.Press(chrome.F2)
	p.Sees("已叫号"+got, "重呼（4 秒）")
	s.shot(t, p, "window-twenty-queues")
	if tall := chrome.Eval[float64](p, `Math.max(document.documentElement.scrollHeight, document.querySelector('#queues').scrollHeight - document.querySelector('#queues').clientHeight + 768)`); tall > clerkHeight {
		t.Errorf("the page needs %.0f px", tall)
	}
	p.Press(chrome.F3)
	p.Sees("再等 4 秒才能重呼")
	run()
	p.Click("button", "重呼 F3") // once it may be pressed
	p.Sees("已重呼 "+got, "（第 2 次）", "重呼（已满）")
	p.Press(chrome.F3)
	p.Sees("这个号已经叫够次数")
	p.Press(chrome.F4)
	p.Sees("办理中", "太久")
	s.shot(t, p, "window-too-long")
	p.Press(chrome.F7)
	p.Has("dialog", "转移 "+got)
	s.shot(t, p, "window-transfer-twenty")
	p.Press(chrome.Escape)
	p.Press(chrome.F5)
	p.Sees("已办结 " + got)
	for _, id := range waiting {
		s.Verb(t, "1", "abandon", map[string]string{"ticket": id, "reason": "群众不办了"})
	}
}

// replan runs the hall by its plan with some texts replaced by others, and by the plan itself when the test is over.
func (s *site) replan(t *testing.T, oldnew ...string) {
	t.Helper()
	file := filepath.Join(filepath.Dir(s.Agent.Config), "hall.yaml")
	plan, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	restart := func(with string) {
		s.Sim(t, "stop", "agent")
		if err := os.WriteFile(file, []byte(with), 0o600); err != nil {
			t.Error(err)
		}
		s.Sim(t, "start", "agent")
		demo.Until(t, demo.Patience, "the agent", func() error { return s.Ready(s.Agent.URL) })
	}
	t.Cleanup(func() { restart(string(plan)) })
	restart(strings.NewReplacer(oldnew...).Replace(string(plan)))
}
