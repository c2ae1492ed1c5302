package browser_test

import (
	"testing"

	"halledge/test/browser/chrome"
)

// operations are the pages of the fitter and of the hall's director.
func (s *site) operations(t *testing.T) {
	p := s.device(t, screenWidth, screenHeight, "/ops", "ops")
	p.Sees("运行维护", s.Agent.Hall, "kiosk-1.printer", "身份证阅读器", "本机浏览器检查", "实时推送")
	s.shot(t, p, "ops")
	p.Click("button", "测试 kiosk-1.printer")
	p.Sees("测试通过")
	s.Sim(t, "unplug", "kiosk-1.scanner")
	t.Cleanup(func() { s.Sim(t, "plug", "kiosk-1.scanner") })
	p.Sees("件事", "kiosk-1.scanner", "未连上")
	seesTime(t, p, "15:04 起")
	s.shot(t, p, "ops-scanner-missing")
	p.Resize(clerkWidth, clerkHeight)
	s.shot(t, p, "ops-1366")
	ringed(t, p)
	board := s.device(t, screenWidth, screenHeight, "/board", "ops")
	board.Sees("总览", "今日取号", "1号窗口", "测试一", "综合受理", "kiosk-1.scanner")
	s.shot(t, board, "board")
	s.Sim(t, "plug", "kiosk-1.scanner")
	p.Misses("未连上")
	lost := s.open(t, clerkWidth, clerkHeight, "/nowhere")
	lost.Allow("404 (Not Found)")
	s.shot(t, lost, "missing")
	lost.Click("link", "回到首页")
	lost.Sees("大厅页面")
	s.shot(t, lost, "portal")
}

// restart stops the hall's program under open pages: they say so, and go on by themselves when it is back.
func (s *site) restart(t *testing.T) {
	kiosk := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	screen := s.device(t, screenWidth, screenHeight, "/screen/1", "screen")
	window := s.device(t, clerkWidth, clerkHeight, "/window/2", "staff")
	desk := s.desk(t)
	desk.Allow("401 (Unauthorized)")
	for _, p := range []*chrome.Page{kiosk, screen, window, desk} {
		p.Allow("net::ERR_")
	}
	kiosk.Sees("请选择要办理的业务")
	screen.Sees("等候人数")
	window.Sees("已连接")
	s.Sim(t, "stop", "agent")
	kiosk.Sees("系统正在恢复，请稍候", "导办台")
	screen.Sees("正在重连", "叫号请听广播")
	window.Sees("连不上大厅服务器，正在重连")
	s.guideAlone(t, desk)
	s.shot(t, kiosk, "kiosk-reconnecting")
	s.turned(t, kiosk, "kiosk-reconnecting-lying")
	s.shot(t, screen, "screen-reconnecting")
	s.shot(t, window, "window-reconnecting")
	s.enlarge(t) // and the next day the hall has more windows
	s.Sim(t, "start", "agent")
	kiosk.Misses("系统正在恢复")
	screen.Misses("正在重连")
	window.Misses("正在重连")
	kiosk.Sees("第 1 页，共 2 页") // the page of before may still say that there are none left
	kiosk.Click("button", "不动产登记")
	taken := number(t, kiosk.Text, "C")
	s.slip(t, taken)
	desk.Has("textbox", "PIN 码") // who signed in is forgotten
}
