package browser_test

import (
	"testing"

	"halledge/test/browser/chrome"
)

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
