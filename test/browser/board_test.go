package browser_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// leastBoardTarget is enough for a page that is used at a desk with a mouse (WCAG 2.1, 2.5.5).
const leastBoardTarget = 44

// a4Width and a4Height are the part of a sheet of A4 that is printed on, in CSS pixels.
const a4Width, a4Height = 703, 1032

// TestBoard has a hall of its own, because the director changes its windows and people.
func TestBoard(t *testing.T) {
	s := begin(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"only who is let in", s.boardGate},
		{"an idle window helps out while people wait", s.tide},
		{"the paper roll", s.paperRoll},
		{"a refused edit is shown at its field", s.refusedEdit},
		{"a window and a clerk are added", s.hires},
		{"what is removed can be taken back", s.takesBack},
		{"days that are not like others", s.specialDays},
		{"two directors", s.twoDirectors},
		{"who is blocked", s.blocked},
		{"the sheet of the day", s.daySheet},
		{"a hall that does not know the time", s.boardClock},
		{"a day played again", s.rerun},
		{"a hall that stands still", s.boardOffline},
		{"a large hall", s.largeBoard},
	} {
		t.Run(part.name, part.run)
	}
}

// The demo's third member of staff is the director.
const director, directorName = 2, "测试主管"

// plan is the hall's settings as the interface gives and takes them.
type plan struct {
	Revision int64            `json:"revision"`
	Queues   []map[string]any `json:"queues"`
	Windows  []map[string]any `json:"windows"`
	Staff    []map[string]any `json:"staff"`
}

// edit changes the hall's settings without a page, and waits until they are in force.
func (s *site) edit(t *testing.T, change func(*plan)) {
	t.Helper()
	var p, next plan
	s.Get(t, "staff", "/api/v1/plan").Into(t, &p)
	change(&p)
	s.Post(t, "staff", "/api/v1/plan", p, http.StatusOK)
	demo.Until(t, demo.Patience, "the plan to be in force", func() error {
		if s.Get(t, "staff", "/api/v1/plan").Into(t, &next); next.Revision <= p.Revision {
			return fmt.Errorf("revision %d", next.Revision)
		}
		return nil
	})
}

// board opens the director's page, signed in as the director.
func (s *site) board(t *testing.T, tab string) *chrome.Page {
	t.Helper()
	return s.signedIn(s.open(t, clerkWidth, clerkHeight, "/board"+tab), director, directorName)
}

// settings opens a tab of the hall's settings, signed in as the director.
func (s *site) settings(t *testing.T, tab string) *chrome.Page {
	t.Helper()
	p := s.board(t, "/plan")
	p.Click("tab", tab)
	return p
}

// saves saves what was edited, after which the page shows more.
func saves(p *chrome.Page, more ...string) {
	p.Click("button", "保存")
	p.Sees(append(more, "设置已保存")...)
}

// dropsAll gives up all that was edited.
func dropsAll(p *chrome.Page) {
	p.Click("button", "全部放弃")
	p.Has("dialog", "放弃全部改动")
	p.Click("button", "放弃改动")
}

// calls lets a window call the next number, which must be want.
func (s *site) calls(t *testing.T, window, want string) {
	t.Helper()
	if got := s.Verb(t, window, "call-next", nil).Ticket; got == nil || got.Number != want {
		t.Errorf("window %s called %v, want %s", window, got, want)
	}
}

// both keeps a picture on a PC and one on the wall.
func (s *site) both(t *testing.T, p *chrome.Page, name string) {
	t.Helper()
	s.shot(t, p, name+"-1366")
	p.Resize(screenWidth, screenHeight)
	s.shot(t, p, name)
	p.Resize(clerkWidth, clerkHeight)
}

func (s *site) boardGate(t *testing.T) {
	p := s.open(t, clerkWidth, clerkHeight, "/board")
	p.Has("textbox", "PIN 码")
	p.Misses("测试一") // who works here is not for everybody
	s.shot(t, p, "board-signed-out")
	p = s.device(t, clerkWidth, clerkHeight, "/board", "ops") // looks, and changes nothing
	p.Sees("今日取号", "综合受理")
	p.Lacks("link", "设置")
	p.Lacks("button", "1号窗口 加开")
	p.Lacks("button", "纸卷 综合受理")
	p.Click("button", "退出")
	p.Has("textbox", "PIN 码")
	p = s.board(t, "")
	p.Sees("今日取号", "未开窗", "综合受理", "样本不够，暂不预计等候", "预计误差还没有样本")
	p.Misses("需要处理")
	s.both(t, p, "board-empty")
	ringed(t, p)
}

func (s *site) tide(t *testing.T) {
	p := s.board(t, "")
	s.Verb(t, "1", "open", nil)
	taken := s.Take(t, "C").Number
	p.Sees("需要处理", "C 不动产登记 有 1 人等候", "没有窗口在办理", "1号窗口 加开 不动产登记")
	s.both(t, p, "board-idle")
	p.Click("button", "1号窗口加开不动产登记 30 分钟")
	p.Sees("1号窗口 已加开 不动产登记", "临时 C 不动产登记 至")
	p.Misses("没有窗口在办理")
	s.calls(t, "1", taken)
	p.Sees("已叫号", taken)
	s.shot(t, p, "board-duty")
	s.Verb(t, "1", "finish", nil)
	p.Click("button", "结束加开 1号窗口不动产登记")
	p.Sees("1号窗口 已结束加开 不动产登记")
	p.Misses("临时 C")
	waits := s.Take(t, "C").ID
	if got := s.Verb(t, "1", "call-next", nil).Ticket; got != nil {
		t.Errorf("the window calls %s after that ended", got.Number)
	}
	p.Sees("1号窗口 空闲", "没有窗口在办理")
	p.Click("button", "1号窗口 加开")
	p.Has("dialog", "临时加开 · 1号窗口")
	p.Sees("C 不动产登记", "1 人等候")
	s.shot(t, p, "board-duty-ask")
	p.Click("button", "取消")
	p.Lacks("dialog", "临时加开")
	p.Click("button", "1号窗口加开不动产登记 1 小时")
	p.Sees("临时 C 不动产登记 至")
	s.Verb(t, "1", "abandon", map[string]any{"ticket": waits, "reason": "群众不办了"})
	p.Click("button", "结束加开 1号窗口不动产登记")
	p.Misses("临时 C")
}

func (s *site) paperRoll(t *testing.T) {
	p := s.board(t, "")
	p.Click("button", "纸卷 社保医保")
	p.Has("dialog", "纸卷 · B 社保医保")
	p.Fill("下一个要叫的纸卷号", "0")
	p.Click("button", "开始叫纸卷号")
	p.Sees("请填 1 到 9999 的数字")
	p.Fill("下一个要叫的纸卷号", "37")
	s.shot(t, p, "board-roll")
	p.Click("button", "开始叫纸卷号")
	p.Sees("社保医保 正在叫纸卷号，下一个 BR037", "纸卷 下一个 BR037")
	s.calls(t, "1", "BR037")
	p.Sees("纸卷 下一个 BR038")
	s.Verb(t, "1", "finish", nil)
	p.Click("button", "纸卷 社保医保")
	p.Click("button", "停用纸卷")
	p.Sees("社保医保 已停用纸卷")
	p.Misses("BR038")
}

func (s *site) refusedEdit(t *testing.T) {
	p := s.board(t, "/plan")
	p.Allow("422 (Unprocessable")
	p.Sees("业务 3", "窗口 2", "A", "综合受理", "全天取号", "不限号")
	s.both(t, p, "board-queues")
	p.Click("button", "修改 业务 A")
	p.Click("button", "加一段时间")
	p.Fill("第 1 段开始", "18:30")
	p.Click("button", "第 1 段周六")
	p.Sees("有 1 处改动还没有保存", "已改", "周一至周六 18:30–12:00")
	p.Click("button", "保存")
	p.Sees("第 1 段的结束要晚于开始", "还没有保存")
	p.Fill("第 1 段开始", "08:30")
	p.Misses("第 1 段的结束要晚于开始")
	p.Click("button", "收起 业务 A")
	p.Click("button", "添加业务")
	p.Fill("名称", "公积金")
	p.Fill("编号", "A")
	p.Click("button", "保存")
	p.Sees("“A”前面已经有了，这里不能重复。") // only the hall knows all of its rules
	field := chrome.Of[string](p, "textbox", "编号", `function () { return document.getElementById(this.getAttribute('aria-describedby')).textContent; }`)
	if !strings.Contains(field, "重复") {
		t.Errorf("the refusal at the field says %q", field)
	}
	s.both(t, p, "board-refused")
	s.Take(t, "B") // the hall goes on meanwhile
	p.Click("link", "实时")
	p.Has("dialog", "改动还没有保存")
	s.shot(t, p, "board-leave")
	p.Click("button", "留在这里")
	p.Sees("有 2 处改动还没有保存", "重复")
	dropsAll(p)
	p.Misses("公积金", "还没有保存")
	p.Click("button", "修改 业务 B")
	p.Fill("名称", "社保")
	p.Click("link", "实时")
	p.Click("button", "丢掉改动，离开")
	p.Sees("今日取号", "正在等候 1 人", "社保医保")
	s.Verb(t, "1", "open", nil)
	s.Verb(t, "1", "call-next", nil)
	s.Verb(t, "1", "finish", nil)
}

// The clerk of window 3, both of whom the director adds.
const newClerk, newClerkPIN = "xinren", "135790"

func (s *site) hires(t *testing.T) {
	p := s.settings(t, "窗口")
	p.Click("button", "添加窗口")
	p.Click("button", "C 不动产登记")
	p.Click("tab", "人员")
	p.Sees("测试一", "窗口人员", directorName, "主管", "全部窗口")
	p.Click("button", "添加人员")
	p.Fill("工号", newClerk)
	p.Fill("姓名", "测试新人")
	p.Click("button", "保存")
	p.Sees("请选窗口，或选“全部窗口”", "PIN 码要用 4 到 64 位数字")
	p.Click("button", "3号窗口")
	p.Fill("PIN 码", newClerkPIN)
	s.both(t, p, "board-hire")
	saves(p, "，大厅已按新的设置运行", "人员 ")
	p.Click("tab", "窗口")
	p.Sees("3号窗口", "不动产登记")
	window := s.open(t, clerkWidth, clerkHeight, "/window/3")
	window.Fill("工号", newClerk)
	window.Fill("PIN 码", newClerkPIN)
	window.Click("button", "登录")
	window.Sees("3号窗口", "测试新人", "已连接")
	p.Click("link", "实时")
	p.Sees("3号窗口")
}

func (s *site) takesBack(t *testing.T) {
	waits := s.Take(t, "C")
	s.Verb(t, "3", "open", nil)
	s.Verb(t, "3", "call-next", nil)
	p := s.board(t, "/plan")
	p.Sees("业务 3")
	p.Click("button", "删除 业务 C")
	p.Has("dialog", "现在不能删除 不动产登记")
	s.shot(t, p, "board-cannot-remove")
	p.Click("button", "知道了")
	p.Click("tab", "窗口")
	p.Click("button", "删除 窗口 3")
	p.Has("dialog", "删除 3号窗口？")
	p.Sees("回到队伍最前面")
	p.Click("button", "删除")
	p.Sees("将删除", "有 1 处改动还没有保存")
	s.both(t, p, "board-remove")
	p.Click("button", "不删了 窗口 3")
	p.Misses("将删除", "还没有保存")
	p.Click("button", "删除 窗口 3")
	p.Click("button", "删除")
	p.Sees("将删除")
	p.Click("button", "保存")
	p.Sees("请选窗口，或选“全部窗口”") // its clerk would else work at every window
	p.Click("radio", "全部窗口")
	saves(p)
	p.Click("tab", "窗口")
	p.Misses("3号窗口")
	var a struct{ Ticket demo.Ticket }
	demo.Until(t, demo.Patience, waits.Number+" to wait again", func() error {
		if s.Get(t, "staff", "/api/v1/tickets/"+waits.ID).Into(t, &a); a.Ticket.State != "waiting" {
			return fmt.Errorf("it is %s", a.Ticket.State)
		}
		return nil
	})
	s.Verb(t, "2", "open", nil)
	s.calls(t, "2", waits.Number)
	s.Verb(t, "2", "finish", nil)
}

// specialDays are holidays, entered one after the other, and a Saturday that is worked.
func (s *site) specialDays(t *testing.T) {
	p := s.settings(t, "假日调休")
	p.Sees("业务 3", "假日调休 0", "还没有假日调休")
	p.Click("button", "添加假日调休")
	p.Fill("日期", "2027年2月30日")
	p.Click("button", "保存")
	p.Sees("请写成 2026-10-01 这样的日期")
	p.Fill("日期", "2027/5/1")
	p.Sees("2027年5月1日 星期六", "放假，不取号")
	p.Click("button", "收起 假日调休 2027-05-01")
	p.Click("button", "添加假日调休")
	p.Sees("2027年5月2日 星期日") // long holidays go on from day to day
	p.Click("button", "收起 假日调休 2027-05-02")
	p.Click("button", "添加假日调休")
	p.Fill("日期", "2027-05-08")
	p.Click("radio", "调休上班")
	p.Click("radio", "星期一")
	p.Sees("2027年5月8日 星期六", "调休上班，按星期一的时间取号", "有 3 处改动还没有保存")
	s.both(t, p, "board-days")
	saves(p, "假日调休 3")
	var in struct {
		Calendar struct {
			Holidays []string          `json:"holidays"`
			Workdays map[string]string `json:"workdays"`
		} `json:"calendar"`
	}
	s.Get(t, "staff", "/api/v1/plan").Into(t, &in)
	if c := in.Calendar; !slices.Equal(c.Holidays, []string{"2027-05-01", "2027-05-02"}) || len(c.Workdays) != 1 || c.Workdays["2027-05-08"] != "mon" {
		t.Errorf("the calendar is %+v", c)
	}
	p.Click("tab", "假日调休")
	p.Click("button", "删除 假日调休 2027-05-02")
	p.Sees("和平常的星期日一样取号")
	p.Click("button", "删除")
	saves(p, "假日调休 2")
}

// twoDirectors edit at the same time: the second is told, and loses nothing silently.
func (s *site) twoDirectors(t *testing.T) {
	p := s.board(t, "/plan")
	p.Allow("409 (Conflict)")
	p.Sees("业务 3")
	p.Click("button", "修改 业务 B")
	p.Fill("名称", "社保")
	p.Sees("还没有保存")
	s.edit(t, func(p *plan) { p.Queues[0]["name"] = "综合业务" })
	p.Click("button", "保存")
	p.Sees("别人刚改过大厅的设置")
	s.shot(t, p, "board-others")
	dropsAll(p)
	p.Sees("综合业务", "社保医保")
	p.Misses("还没有保存")
}

// blocked lifts what keeps somebody from taking numbers; the hall does not know the name.
func (s *site) blocked(t *testing.T) {
	s.Post(t, "staff", "/api/v1/blocks", map[string]any{
		"id_number": "991101198811120021", "until": time.Now().Add(30 * 24 * time.Hour), "everywhere": false, "reason": "30 天内三次预约没有来",
	}, http.StatusOK)
	p := s.settings(t, "限制取号")
	p.Sees("业务 3", "限制取号 1", "30 天内三次预约没有来", "不能网上取号，现场照常", "自动解除")
	p.Misses("9911")
	p.Lacks("button", "添加业务")
	s.both(t, p, "board-blocks")
	p.Click("button", "提前解除")
	p.Has("dialog", "提前解除第 1 条限制，理由是")
	p.Click("radio", "群众申诉成立")
	p.Sees("已解除限制", "现在没有人被限制取号", "限制取号 0")
	p.Click("button", "限制一个人取号")
	p.Fill("身份证号", "123")
	p.Click("button", "限制取号")
	p.Sees("请填 18 位身份证号")
	p.Fill("身份证号", "991101198811120021")
	p.Click("radio", "7 天")
	p.Click("radio", "替人占号")
	s.shot(t, p, "board-block-ask")
	p.Click("button", "限制取号")
	p.Sees("已限制取号", "限制取号 1", "替人占号", "不能网上取号，现场照常")
	p.Misses("991101198811120021")
	p.Click("button", "提前解除")
	p.Click("radio", "限制时登记有误")
	p.Sees("现在没有人被限制取号")
	p.Click("tab", "人员")
	p.Sees(directorName)
	p.Misses("现在没有人被限制取号")
}

// daySheet reads the sheet that is printed beside what the test did itself.
func (s *site) daySheet(t *testing.T) {
	p := s.board(t, "#day")
	p.Sees("业务日报", "一、各项业务", "取号＝办结")
	before := dayLine(p, "全厅")
	s.Verb(t, "1", "open", nil)
	first, second, third := s.Take(t, "A"), s.Take(t, "A"), s.Take(t, "A")
	for _, ticket := range []demo.Ticket{first, second, third} {
		s.Verb(t, "1", "call", map[string]any{"ticket": ticket.ID, "reason": "群众到窗口出示小票"})
		if ticket.ID == third.ID {
			s.Verb(t, "1", "pass", nil)
		} else {
			s.Verb(t, "1", "finish", nil)
		}
	}
	s.Post(t, "staff", "/api/v1/ratings", map[string]any{"ticket": first.ID, "grade": "very_satisfied"}, http.StatusCreated)
	s.Post(t, "staff", "/api/v1/tickets/"+s.Take(t, "A").ID+"/withdraw", map[string]any{}, http.StatusOK)
	gone := s.Take(t, "A").ID
	s.Verb(t, "1", "abandon", map[string]any{"ticket": gone, "reason": "取错号"})
	s.Take(t, "A")
	want := []int{before[0] + 6, before[1] + 2, before[2] + 1, before[3] + 1, before[4] + 1, before[5] + 1}
	demo.Until(t, demo.Patience, "the sheet to follow", func() error {
		if got := dayLine(p, "全厅"); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("it says %v, want %v", got, want)
		}
		return nil
	})
	if a := dayLine(p, "A 综合业务"); a[0] != a[1]+a[2]+a[3]+a[4]+a[5] {
		t.Errorf("the line of A does not add up: %v", a)
	}
	if rated := chrome.Eval[string](p, `document.querySelectorAll('.sheet-table')[2].querySelector('.sheet-total').innerText`); !strings.Contains(rated, "100%") {
		t.Errorf("the ratings say %q", rated)
	}
	s.both(t, p, "board-day")
	p.Click("button", "打印日报")
	p.Demand(10, leastBoardTarget) // paper is read from near
	p.Print(a4Width, a4Height)
	s.shot(t, p, "board-day-print")
}

// dayLine gives the counts of a line of the sheet: taken, served, missed, withdrawn, abandoned, open.
func dayLine(p *chrome.Page, name string) []int {
	return chrome.Eval[[]int](p, fmt.Sprintf(`(() => {
		for (const row of document.querySelectorAll('.sheet-table tr'))
			if (row.cells[0].innerText === %q) return Array.from(row.cells).slice(1, 7).map((c) => Number(c.innerText));
		return [0, 0, 0, 0, 0, 0];
	})()`, name))
}

func (s *site) boardOffline(t *testing.T) {
	p := s.board(t, "")
	p.Allow("net::ERR_")
	p.Allow("401 (Unauthorized)")
	p.Sees("今日取号")
	s.Sim(t, "stop", "agent")
	p.Sees("连不上大厅服务器，正在重连", "现在可能已经变了")
	s.shot(t, p, "board-offline")
	s.Sim(t, "start", "agent")
	p.SeesAny("PIN 码", "已连接") // people enter their PIN again after a restart
	p.Misses("连不上大厅服务器")
}

func (s *site) largeBoard(t *testing.T) {
	demo.Until(t, demo.Patience, "the agent", func() error { return s.Ready(s.Agent.URL) })
	s.edit(t, func(p *plan) {
		p.Queues = p.Queues[:0]
		for _, q := range largeQueues {
			p.Queues = append(p.Queues, map[string]any{"id": q.id, "name": q.name, "dept": q.dept, "identity": "none", "service_s": 300, "hours": []string{"mon-sun 00:00-24:00"}, "quota": 200})
		}
		for w := 3; w <= largeWindows; w++ {
			p.Windows = append(p.Windows, map[string]any{"id": fmt.Sprint(w), "name": fmt.Sprintf("%d号窗口", w), "queues": []string{queueOf(w)}})
		}
	})
	for w := 3; w <= largeWindows; w++ {
		s.Verb(t, fmt.Sprint(w), "open", nil)
		for range 2 {
			s.Take(t, queueOf(w))
		}
		s.Verb(t, fmt.Sprint(w), "call-next", nil)
	}
	s.Take(t, "D")
	p := s.board(t, "")
	p.Sees("20号窗口", "跨省通办", "取号到 24:00", "还剩")
	s.both(t, p, "board-large")
	p.Click("link", "日报")
	p.Sees("20号窗口", "跨省通办")
	s.both(t, p, "board-large-day")
}
