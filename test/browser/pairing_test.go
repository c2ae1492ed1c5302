package browser_test

import (
	"strings"
	"testing"

	"halledge/test/browser/chrome"
)

// codeShown is the code on the page of a machine that waits to be let in.
const codeShown = `document.getElementById('pair-code').textContent`

// pairsMachines lets a new kiosk and a tablet in, by the code that each shows, and shuts one of them out again. p is the page of
// operations.
func (s *site) pairsMachines(t *testing.T, p *chrome.Page) {
	p.Resize(clerkWidth, clerkHeight)
	machine := chrome.Start(t) // another computer: it has no cookie of this hall
	kiosk := machine.Open(t, kioskWidth, kioskHeight, s.Agent.URL+"/kiosk/1")
	kiosk.Demand(leastKioskLetters, leastTarget)
	kiosk.Sees("自助取号", "还没有授权", "/ops", "分钟有效")
	code := chrome.Eval[string](kiosk, codeShown)
	if len(code) != 8 {
		t.Fatalf("the code %q", code)
	}
	s.shot(t, kiosk, "pairing-kiosk")
	tablet := machine.Open(t, 1280, 800, s.Agent.URL+"/rate/1")
	tablet.Demand(leastLetters, leastTarget)
	tablet.Sees("服务评价", "分钟有效")
	s.shot(t, tablet, "pairing-rate")
	screen := machine.Open(t, screenWidth, screenHeight, s.Agent.URL+"/screen/1")
	screen.Sees("分钟有效")
	s.shot(t, screen, "pairing-screen")

	p.Sees("已配对的设备", "有 3 台设备在等配对", "还没有用配对码授权的设备")
	chrome.Eval[bool](p, "(document.getElementById('paired-title').scrollIntoView(), true)")
	p.Click("button", "配对")
	p.Sees("请输入设备上显示的配对码")
	p.Fill("配对码", "22222222")
	p.Click("button", "配对")
	p.Sees("请选这台设备是哪一台")
	choose(p, "kiosk-1")
	p.Allow("404 (Not Found)")
	p.Click("button", "配对")
	p.Sees("没有设备在显示这个配对码")
	p.Fill("配对码", strings.ToLower(code[:4]+" "+code[4:]))
	p.Click("button", "配对")
	p.Sees("配好了", "设备几秒后自己打开", "kiosk-1　127.0.0.1")
	kiosk.Sees("请选择要办理的业务")
	p.Fill("配对码", chrome.Eval[string](tablet, codeShown))
	choose(p, "rate-2") // it was opened at another window
	p.Click("button", "配对")
	p.Sees("rate-2　127.0.0.1", "有 1 台设备在等配对")
	tablet.Misses("还没有授权")
	if at := tablet.Address(); !strings.HasSuffix(at, "/rate/2") {
		t.Errorf("the tablet is at %s", at)
	}
	s.shot(t, p, "ops-paired")

	kiosk.Allow("401 (Unauthorized)")
	revoke := "撤销 " + chrome.Eval[string](p, `document.querySelector('#paired b').textContent`)
	p.Click("button", revoke)
	p.Sees("确定撤销")
	p.Click("button", revoke)
	p.Sees("已撤销")
	kiosk.Sees("还没有授权", "分钟有效")
	if again := chrome.Eval[string](kiosk, codeShown); again == code {
		t.Error("the code is used twice")
	}
}

// choose says which machine it is that shows the code.
func choose(p *chrome.Page, place string) {
	chrome.Of[bool](p, "combobox", "这台设备是", `function(place) { this.value = place; return this.value === place; }`, place)
}
