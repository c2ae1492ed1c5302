package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// operations is what somebody does who installs a hall or looks after it.
func (s *site) operations(t *testing.T) {
	p := s.device(t, clerkWidth, clerkHeight, "/ops", "ops")
	p.Sees("运行维护", s.Agent.Hall, "kiosk-1.printer", "身份证阅读器", "接上了但没有配置", "本机浏览器检查", "实时推送")
	p.Sees("二代身份证阅读器", "SDT 串口协议 generic-sdt", "编号 05.03-0020240101-0001234567-0987654321", "接通 1，失败 0")
	p.Sees("EPSON TM-T88V", "/dev/usb/lp0", "Newland Barcode Scanner", "QinHeng USB Serial")
	s.shot(t, p, "ops-1366")
	p.Sees("插口 1-1.1", "爱普生 TM-T88", "可能是", "新大陆串口扫码器", "看不出是什么型号")
	chrome.Eval[bool](p, "(document.getElementById('spares-title').scrollIntoView(), true)")
	s.shot(t, p, "ops-not-configured")
	chrome.Eval[bool](p, "(window.scrollTo(0, 0), true)")
	ringed(t, p)
	s.device(t, screenWidth, screenHeight, "/screen/1", "screen").Sees("等候人数")
	p.Sees("/screen/1")
	chrome.Eval[bool](p, "(window.scrollTo(0, 0), true)")
	s.shot(t, p, "ops-with-page")
	t.Run("tests devices", func(t *testing.T) { s.testsDevices(t, p) })
	t.Run("records bytes", func(t *testing.T) { s.recordsBytes(t, p) })
	t.Run("pairs machines", func(t *testing.T) { s.pairsMachines(t, p) })
	t.Run("names what is wrong", func(t *testing.T) { s.namesTroubles(t, p) })
}

func (s *site) testsDevices(t *testing.T, p *chrome.Page) {
	p.Click("button", "打印测试条 kiosk-1.printer")
	p.Sees("测试条打好了")
	p.Click("button", "试扫码 kiosk-1.scanner")
	p.Sees("请对着扫码器扫一个码，还有")
	s.shot(t, p, "ops-test-scanner")
	demo.Until(t, demo.Patience, "the end of the test", func() error {
		s.Sim(t, "scan", "YSS-SIM-7701")
		if text := p.Text(); !strings.Contains(text, "扫到了，能用") {
			return fmt.Errorf("the page says %s", text)
		}
		return nil
	})
	p.Misses("YSS-SIM-7701")
}

// recordsBytes watches the line of a printer, and that of a card reader on which somebody puts a card. It goes by keyboard alone.
func (s *site) recordsBytes(t *testing.T, p *chrome.Page) {
	focus := func(name string) {
		t.Helper()
		chrome.Of[bool](p, "button", name, "function() { this.focus(); return true; }")
	}
	focus("收发记录 kiosk-1.printer")
	p.Press(chrome.Enter)
	p.Sees("收发记录：kiosk-1.printer", "没有在记录", "按“开始记录”")
	p.Press(chrome.Enter) // the button that starts has the focus
	p.Sees("记录中，还有 4 分")
	focus("打印测试条")
	p.Press(chrome.Enter)
	p.Sees("← 收", "→ 发", "10 04 01", "测试条打好了")
	s.shot(t, p, "ops-trace-printer")
	focus("停止")
	p.Press(chrome.Enter)
	p.Sees("没有在记录")
	p.Press(chrome.Escape)
	p.Misses("收发记录：kiosk-1.printer")
	p.Click("button", "收发记录 kiosk-1.idcard")
	p.Sees("只记录有多少字节")
	p.Click("button", "开始记录 5 分钟")
	p.Sees("记录中")
	s.Sim(t, "tap-card", "--person", "1")
	p.Sees("字节不显示", "AA AA AA 96 69")
	s.shot(t, p, "ops-trace-reader")
	if uneven := chrome.Eval[[]string](p, `Array.from(document.querySelectorAll('.trace-at'), (e) => e.textContent).filter((at) => !/^\d\d(:\d\d){2}\.\d{3}$/.test(at))`); len(uneven) > 0 {
		t.Errorf("times of other lengths: %q", uneven)
	}
	for _, private := range []string{"991101", "测试甲", "测试路", "39 00 39 00 31 00 31 00"} {
		if strings.Contains(p.Text(), private) {
			t.Errorf("the page shows %s", private)
		}
	}
	p.Click("button", "关闭 Esc")
}

func (s *site) namesTroubles(t *testing.T, p *chrome.Page) {
	s.Sim(t, "unplug", "kiosk-1.scanner")
	t.Cleanup(func() { s.Sim(t, "plug", "kiosk-1.scanner") })
	p.Sees("件事", "kiosk-1.scanner", "未连上", "先看电源和线")
	seesTime(t, p, "15:04 起")
	s.shot(t, p, "ops-scanner-missing")
	p.Misses("扫到了") // before it was unplugged
	p.Resize(screenWidth, screenHeight)
	s.shot(t, p, "ops")
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
