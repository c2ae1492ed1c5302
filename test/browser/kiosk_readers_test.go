package browser_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// readOut has a kiosk read out what it shows, until the visit is over. said is the file of what the hall was asked to say.
func (s *site) readOut(t *testing.T, said string) {
	t.Helper()
	p := s.device(t, kioskWidth, kioskHeight, "/kiosk/1", "kiosk")
	hears := func(want ...string) {
		demo.Until(t, demo.Patience, strings.Join(want, ", "), func() error {
			raw, err := os.ReadFile(said)
			for _, text := range want {
				if err != nil || !strings.Contains(string(raw), text) {
					return fmt.Errorf("said is %s, %v", raw, err)
				}
			}
			return nil
		})
	}
	p.Click("button", "听语音")
	p.Has("button", "停语音")
	hears("请选择要办理的业务", "综合受理", "不动产登记")
	s.shot(t, p, "kiosk-reads")
	p.Click("button", "不动产登记")
	number(t, p.Text, "C")
	hears("C 零 零 一", "请取走您的小票")
	p.Click("button", "English")
	hears("Please take your slip")
	p.Click("button", "Done")
	p.Has("button", "听语音") // the next citizen begins in silence
}

// readers looks at what a kiosk shows as everybody does who may stand before it: the old, and who reads English. A sentence over the page
// would go with the first press, so it is left as it is; so is a page that somebody has turned to his own way, or to
// further services.
func readers(t *testing.T, p *chrome.Page, name string) {
	t.Helper()
	if !chrome.Eval[bool](p, plain) {
		return
	}
	press := func(id string) { chrome.Eval[bool](p, `document.getElementById('`+id+`').click() || true`) }
	for _, way := range []struct {
		reader, press string
		letters       float64
	}{{"elder", "elder", leastElderLetters}, {"elder in English", "lang", leastElderLetters}, {"in English", "elder", leastKioskLetters}} {
		press(way.press)
		p.Demand(way.letters, leastTarget)
		for _, flaw := range p.Flaws() {
			t.Errorf("%s, %s: %s", name, way.reader, flaw)
		}
	}
	press("lang")
	p.Demand(leastKioskLetters, leastTarget)
}

// plain says whether a kiosk's page is open, in Chinese and of the usual size, with nothing over it.
const plain = `(() => {
	const at = (id) => document.getElementById(id);
	return !!at('elder') && !document.documentElement.classList.contains('elder') && document.documentElement.lang === 'zh-CN' && at('trouble').hidden
		&& at('still').hidden && at('stale').hidden && at('issuing').hidden && (at('pager').hidden || at('page-back').disabled);
})()`
