package chrome

import (
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"
)

// flaws finds what must not happen on any page: content wider than the screen, text that is cut off where its author did not
// say so with an ellipsis, and pictures that did not load. Running text may leave the screen.
const flaws = `(() => {
  const out = [], root = document.documentElement;
  const tell = (e) => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + ' "' + (e.textContent || '').trim().slice(0, 40) + '"';
  if (root.scrollWidth > root.clientWidth) out.push('the page is ' + root.scrollWidth + ' px wide on a screen of ' + root.clientWidth);
  for (const e of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (e.getAnimations().length > 0 || box.width === 0 || box.height === 0 || style.visibility === 'hidden' || box.width <= 1) continue;
    if (e instanceof HTMLImageElement && e.complete && e.naturalWidth === 0) out.push('a picture did not load: ' + e.src);
    const own = Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.textContent.trim() !== '');
    if (!own) continue;
    const range = document.createRange();
    range.selectNodeContents(e);
    const words = range.getBoundingClientRect();
    const cut = style.textOverflow !== 'ellipsis' && style.overflow !== 'visible'
      && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 0.3 * parseFloat(style.fontSize)) && style.overflowY !== 'auto' && style.overflowY !== 'scroll';
    if (cut) out.push('cut off: ' + tell(e));
    if (words.right > root.clientWidth + 1 && style.position !== 'absolute') out.push('beyond the right edge: ' + tell(e));
  }
  return out;
})()`

// Flaws says what is drawn wrongly on the page as it is now.
func (p *Page) Flaws() []string {
	p.t.Helper()
	return Eval[[]string](p, flaws)
}

// Save writes what the screen shows into a PNG file.
func (p *Page) Save(file string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, run(p, chromedp.CaptureScreenshot()), 0o644); err != nil {
		p.t.Fatal(err)
	}
}
