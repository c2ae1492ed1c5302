package chrome

import (
	"context"
	"errors"
	"fmt"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Keys that pages listen to.
const (
	Enter  = kb.Enter
	Escape = kb.Escape
	Tab    = kb.Tab
	F1     = kb.F1
	F2     = kb.F2
	F3     = kb.F3
	F4     = kb.F4
	F5     = kb.F5
	F6     = kb.F6
	F7     = kb.F7
	F8     = kb.F8
	F9     = kb.F9
	F10    = kb.F10
	F11    = kb.F11
)

// spot is where a thing can be clicked. Over says what lies over it there, if anything does.
type spot struct {
	X, Y float64
	Over string
}

// locate scrolls a thing into view and finds its middle. A thing that moves has no middle yet.
const locate = `function () {
  this.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
  const at = () => { const r = this.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; };
  const before = at();
  return new Promise((done) => requestAnimationFrame(() => {
    const now = at(), x = now[0] + now[2] / 2, y = now[1] + now[3] / 2;
    const hit = document.elementFromPoint(x, y);
    const mine = hit !== null && (this.contains(hit) || hit.contains(this) && hit.tagName === 'LABEL');
    const over = String(now) !== String(before) ? 'it moves' : now[2] * now[3] === 0 ? 'it has no size'
      : mine ? '' : hit === null ? 'it is outside of the screen' : 'under ' + hit.outerHTML.slice(0, 120);
    done({ x, y, over });
  }));
}`

// Click clicks a thing with the mouse, once it is there, can be used, stands still and is not covered.
func (p *Page) Click(role, name string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("click on %s %q", role, name), func() error {
		f, err := p.one(role, name)
		if err != nil {
			return err
		}
		if f.disabled {
			return errors.New("it is disabled")
		}
		at, err := on[spot](p, f, locate)
		if err != nil {
			return err
		}
		if at.Over != "" {
			return errors.New(at.Over)
		}
		p.do(chromedp.MouseClickXY(at.X, at.Y))
		return nil
	})
}

// Fill clicks into a field, empties it and types a text.
func (p *Page) Fill(label, text string) {
	p.t.Helper()
	p.Click("textbox", label)
	p.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(kb.Delete), chromedp.KeyEvent(text))
}

// Press types keys on the keyboard, wherever the focus is.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// LetCamera answers for whoever would be asked whether pages may use the camera.
func (p *Page) LetCamera(allowed bool) {
	p.t.Helper()
	answer := browser.PermissionSettingDenied
	if allowed {
		answer = browser.PermissionSettingGranted
	}
	p.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: "camera"}, Setting: answer,
		})
		return none, err
	})
}
