package browser_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// guide is the tablet of the guide at the door.
func (s *site) guide(t *testing.T) {
	t.Run("takes a number and finds it", s.guideTakes)
	t.Run("answers for who goes first", s.guideGrants)
	t.Run("several things with one number", s.guideSeveral)
	t.Run("the next citizen is another", s.guideNext)
	t.Run("answers that are lost", s.guideLost)
	t.Run("knows a code and a picture of one", s.guideReads)
	t.Run("a scanner that types anywhere", s.guideScans)
	t.Run("checks in who is on the list", s.guideChecksIn)
	t.Run("hears who calls", s.guideHears)
	t.Run("sees who has no slip", s.guideMends)
}

// desk opens the guide's page on a tablet and signs somebody in.
func (s *site) desk(t *testing.T) *chrome.Page {
	t.Helper()
	return s.atDesk(s.open(t, tabletWidth, tabletHeight, "/desk"))
}

// atDesk signs somebody in at the guide's page.
func (s *site) atDesk(p *chrome.Page) *chrome.Page {
	return s.signedIn(p, 0, "帮群众取号", "测试一")
}

func (s *site) guideTakes(t *testing.T) {
	p := s.desk(t)
	s.shot(t, p, "desk")
	p.Resize(clerkWidth, clerkHeight)
	s.shot(t, p, "desk-1366")
	p.Resize(tabletWidth, tabletHeight)
	p.Click("radio", "老幼残孕")
	p.Click("button", "综合受理")
	got := number(t, p.Said, "A")
	p.Sees("请把号码写给群众") // this desk has no printer
	p.Fill("号码", strings.ToLower(got))
	p.Press(chrome.Enter)
	p.Sees("等候中", "老幼残孕", "没有小票")
	s.shot(t, p, "desk-found")
	s.Verb(t, "1", "open", nil)
	for s.Verb(t, "1", "call-next", nil).Ticket.Number != got { // an elder's time runs faster, but some were there before
		s.Verb(t, "1", "finish", nil)
	}
	s.Verb(t, "1", "pass", nil)
	p.Click("button", "重新排队 "+got)
	p.Sees("已重新排队")
	p.Click("button", "退号")
	p.Click("button", "不退")
	p.Click("button", "退号")
	p.Click("button", "确定退号")
	p.Sees("已退号")
	p.Fill("号码", "Z999")
	p.Click("button", "查找")
	p.Sees("今天没有这个号")
	p.Fill("号码", "12")
	p.Click("button", "查找")
	p.Sees("请带上号码前面的字母")
	p.Click("button", "退出")
	p.Has("textbox", "PIN 码")
}

// guideGrants lets people go first whom the law lets go first, when they take a number and later; the reason is in the log.
func (s *site) guideGrants(t *testing.T) {
	p := s.desk(t)
	p.Click("radio", "依法优先")
	p.Sees("依法优先，理由是")
	s.shot(t, p, "desk-priority")
	p.Click("button", "取消")
	p.Click("radio", "依法优先")
	p.Click("radio", "退役军人")
	p.Sees("依法优先理由：退役军人")
	p.Click("button", "社保医保")
	got := number(t, p.Said, "B")
	p.Sees("社保医保（依法优先）")
	p.Misses("依法优先理由") // the next citizen is not this one
	s.inCentre(t, got, func(c centreTicket) bool { return c.Class == "priority" })
	later := s.Take(t, "B")
	s.slip(t, later.Number) // what is said of a ticket goes when its slip comes out
	p.Fill("号码", later.Number)
	p.Press(chrome.Enter)
	p.Click("button", "改类别")
	p.Sees("改类别 "+later.Number, "会记入日志")
	p.Click("radio", "改为老幼残孕")
	p.Click("radio", "孕产妇")
	s.shot(t, p, "desk-class")
	p.Click("button", "确定")
	p.Sees("已改为老幼残孕")
	s.shot(t, p, "desk-class-done")
	s.inCentre(t, later.Number, func(c centreTicket) bool { return c.Class == "elder" })
}

func (s *site) guideSeveral(t *testing.T) {
	p := s.desk(t)
	p.Click("button", "一号办多项")
	p.Sees("请按办理顺序点业务")
	p.Click("button", "社保医保")
	p.Click("button", "综合受理")
	p.Sees("取号：社保医保 → 综合受理")
	s.shot(t, p, "desk-several")
	p.Click("button", "取号：社保医保")
	got := number(t, p.Said, "B")
	p.Misses("取号：社保医保")
	var found struct{ Items []demo.Ticket }
	s.Get(t, "staff", "/api/v1/tickets?number="+got).Into(t, &found)
	s.serve(t, found.Items[0].ID)
	if done := s.Verb(t, "1", "finish", nil).Ticket; done.State != "waiting" || done.Queue != "A" {
		t.Errorf("after the first thing it is %+v", done)
	}
}

// guideNext begins with one citizen, who goes; the next one shows a code and gets nothing of what was chosen before.
func (s *site) guideNext(t *testing.T) {
	p := s.desk(t)
	p.Click("button", "一号办多项")
	p.Click("button", "社保医保")
	p.Click("radio", "依法优先")
	p.Click("radio", "退役军人")
	p.Sees("依法优先理由：退役军人", "取号：社保医保")
	p.Fill("号码", "YSS-SIM-7702")
	p.Press(chrome.Enter)
	p.Sees("身份已核验", "上一位的选择已清除")
	p.Misses("依法优先理由", "取号：社保医保")
	s.shot(t, p, "desk-next")
	p.Click("button", "综合受理")
	got := number(t, p.Said, "A")
	s.inCentre(t, got, func(c centreTicket) bool { return c.Class == "normal" })
}

// guideLost presses again because no answer came: the hall had given a number, and gives no second one.
func (s *site) guideLost(t *testing.T) {
	line := s.line(t)
	p := s.atDesk(s.browser.Open(t, tabletWidth, tabletHeight, line.url+"/desk"))
	p.Allow("net::ERR_")
	before := s.Hall(t).Queues[2].Waiting
	line.lose()
	p.Click("button", "不动产登记")
	p.Sees("暂时连不上大厅服务器")
	line.mend()
	p.Sees("已连接")
	p.Click("button", "不动产登记")
	got := number(t, p.Said, "C")
	if q := s.Hall(t).Queues[2]; q.ID != "C" || q.Waiting != before+1 {
		t.Errorf("after %s there wait %+v, before %d", got, q, before)
	}
	p.Click("button", "不动产登记") // the next citizen
	p.Misses(got)
	number(t, p.Said, "C")
	if q := s.Hall(t).Queues[2]; q.Waiting != before+2 {
		t.Errorf("after the next citizen there wait %+v, before %d", q, before)
	}
}

// guideReads types what a scanner would type: somebody's code, and the code of a slip; and takes a picture of a slip.
func (s *site) guideReads(t *testing.T) {
	p := s.desk(t)
	p.Fill("号码", "YSS-SIM-7701")
	p.Press(chrome.Enter)
	p.Sees("身份已核验，请点业务取号")
	s.shot(t, p, "desk-person")
	p.Click("button", "综合受理")
	got := number(t, p.Said, "A")
	p.Misses("身份已核验")
	slip := s.Take(t, "C")
	p.Fill("号码", s.Agent.URL+"/t/"+ticketToken(t, s.slip(t, slip.Number)))
	p.Press(chrome.Enter)
	p.Sees(slip.Number, "小票已打印")
	var found struct{ Items []demo.Ticket }
	s.Get(t, "staff", "/api/v1/tickets?number="+got).Into(t, &found)
	chrome.Eval[bool](p, fmt.Sprintf(`fetch('/api/v1/tickets/%s/qr', { headers: { Authorization: 'Bearer %s' } }).then((r) => r.blob()).then((b) => {
		const take = new DataTransfer(), field = document.getElementById('picture');
		take.items.add(new File([b], 'slip.png', { type: 'image/png' }));
		field.files = take.files;
		return field.dispatchEvent(new Event('change'));
	})`, found.Items[0].ID, s.Agent.Tokens["staff"]))
	p.Sees(got, "没有小票")
	s.shot(t, p, "desk-picture")
}

// guideChecksIn gives somebody who was booked and has nothing to show the number, from the list of the day.
func (s *site) guideChecksIn(t *testing.T) {
	var made struct {
		Booking struct {
			Booking string `json:"booking"`
		} `json:"booking"`
	}
	now := time.Now()
	s.Post(t, "staff", "/api/v1/bookings", map[string]any{"queue": "C", "start": now, "end": now.Add(30 * time.Minute), "id_number": "991101198811120021"},
		http.StatusCreated).Into(t, &made)
	id := made.Booking.Booking
	tail := "预约号尾号 " + id[len(id)-4:]
	p := s.desk(t)
	p.Click("radio", "老幼残孕") // of the citizen before
	p.Click("tab", "今日预约")
	p.Sees("可签到 1", "不动产登记", tail, "前签到")
	p.Misses("9911")
	s.shot(t, p, "desk-bookings")
	p.Click("radio", "稍后 0")
	p.Sees("稍后没有预约")
	p.Click("radio", "可签到 1")
	p.Click("button", "签到取号")
	p.Has("dialog", "预约签到 不动产登记")
	s.shot(t, p, "desk-check-in")
	p.Click("button", "核对无误，取号")
	got := number(t, p.Said, "C")
	p.Sees("不动产登记（预约）", "现在没有人可以签到")
	p.Click("radio", "已处理")
	p.Sees("已签到 " + got)
	s.shot(t, p, "desk-bookings-done")
	p.Click("tab", "过号")
	p.Misses("已签到 " + got)
}

// guideScans has a scanner type where the keyboard is: at the button that was pressed last, and over a question.
func (s *site) guideScans(t *testing.T) {
	p := s.desk(t)
	p.Click("button", "社保医保")
	got := number(t, p.Said, "B")
	before := s.Hall(t).Queues[1].Waiting
	p.Press(got + chrome.Enter)
	p.Sees("等候中", "没有小票")
	p.Click("button", "改类别")
	p.Click("radio", "改为依法优先")
	p.Click("radio", "退役军人")
	p.Press(got + chrome.Enter) // over the question it goes nowhere
	p.Has("dialog", "改类别 "+got)
	p.Press(chrome.Escape)
	p.Lacks("dialog", "改类别")
	if q := s.Hall(t).Queues[1]; q.ID != "B" || q.Waiting != before {
		t.Errorf("after the scans there wait %+v, before %d", q, before)
	}
}

// guideHears has somebody at a kiosk ring for the guide; the button itself is pressed where kiosks are looked at.
func (s *site) guideHears(t *testing.T) {
	p := s.desk(t)
	kiosk := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	s.Post(t, "kiosk", "/api/v1/help", struct{}{}, 201)
	kiosk.Sees("正在呼叫导办员")
	p.Sees("大门取号机", "有人需要帮助")
	if title := chrome.Eval[string](p, "document.title"); !strings.HasPrefix(title, "● 有人呼叫") {
		t.Errorf("the tab is called %q", title)
	}
	s.shot(t, p, "desk-help")
	p.Click("button", "我去大门取号机")
	p.Sees("已有人前往（测试一）") // another guide need not go
	kiosk.Sees("导办员马上到")
	if title := chrome.Eval[string](p, "document.title"); strings.HasPrefix(title, "●") {
		t.Errorf("the tab is still called %q", title)
	}
}

// guideMends sees the number whose slip did not come out, and has it printed again.
func (s *site) guideMends(t *testing.T) {
	p := s.desk(t)
	s.Sim(t, "paper", "kiosk-1.printer", "out")
	t.Cleanup(func() { s.Sim(t, "paper", "kiosk-1.printer", "ok") })
	taken := s.Take(t, "C")
	p.Sees(taken.Number, "没有打出小票：缺纸")
	s.shot(t, p, "desk-slipless")
	p.Click("button", "查看 "+taken.Number)
	p.Sees("小票没有打出来", "请把号码告诉群众")
	s.Sim(t, "paper", "kiosk-1.printer", "ok")
	p.Click("button", "补打 "+taken.Number)
	p.Lacks("button", "补打 "+taken.Number)
	p.Sees("小票已打印（补打 1 次）")
	if slip := s.slip(t, taken.Number); !strings.Contains(slip, "补打") {
		t.Errorf("the copy does not say that it is one:\n%s", slip)
	}
}

// guideAlone is the page while the hall's program stands still.
func (s *site) guideAlone(t *testing.T, p *chrome.Page) {
	t.Helper()
	p.Sees("连不上大厅服务器，正在重连", "请先引导群众到窗口")
	s.shot(t, p, "desk-reconnecting")
}

// guideOverrides gives a number of a queue that has none left today, and says why.
func (s *site) guideOverrides(t *testing.T) {
	t.Helper()
	p := s.desk(t)
	p.Sees("今天的号已取完")
	p.Click("button", "不动产登记")
	p.Sees("不动产登记：今天的号已取完。仍要取号，原因是")
	s.shot(t, p, "desk-override")
	p.Click("button", "不取了")
	p.Click("button", "不动产登记")
	p.Click("radio", "窗口同意加号")
	number(t, p.Said, "C")
}
