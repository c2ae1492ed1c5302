package chrome

import (
	"context"
	"errors"
	"fmt"
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
    const right = style.textOverflow === 'ellipsis' ? Math.min(words.right, box.right) : words.right;
    if (right > root.clientWidth + 1 && style.position !== 'absolute') out.push('beyond the right edge: ' + tell(e));
  }
  return out;
})()`

// hard finds what is hard to read or to press: letters and targets that are too small, letters that hardly differ from their
// ground (WCAG 2.1, 1.4.3: 4.5 to 1, large letters 3 to 1 where small ones are allowed at all), texts that lie under something else than a question or an alert, and
// lines that begin with a punctuation mark or hold one character. What cannot be used now, or is meant to look faded, is left out.
const hard = `(letters, target) => {
  const out = [];
  const tell = (e) => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + ' "' + (e.textContent || '').trim().slice(0, 40) + '"';
  const shown = (e) => { const b = e.getBoundingClientRect(); return b.width > 1 && b.height > 1 && getComputedStyle(e).visibility !== 'hidden'; };
  const faded = (e) => { for (; e; e = e.parentElement) if (e.disabled || parseFloat(getComputedStyle(e).opacity) < 1) return true; return false; };
  const rgba = (s) => { const n = s.match(/[\d.]+/g).map(Number); return n.length < 4 ? n.concat(1) : n; };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const ground = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255, 1]);
  };
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4); });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const lines = (node) => {
    const found = [], range = document.createRange();
    for (let i = 0; i < node.length; i++) {
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const box = range.getBoundingClientRect();
      if (box.width === 0) continue;
      const last = found[found.length - 1];
      if (last && box.top < last.middle) last.text += node.data[i];
      else found.push({ middle: box.top + box.height / 2, text: node.data[i] });
    }
    return found.map((l) => l.text.trim());
  };
  const scrolls = (e) => { for (; e; e = e.parentElement) if (/auto|scroll/.test(getComputedStyle(e).overflowY)) return true; return false; };
  const words = (e) => { // where they are seen: an ellipsis ends them
    const range = document.createRange();
    range.selectNodeContents(e);
    const all = range.getBoundingClientRect();
    if (getComputedStyle(e).textOverflow !== 'ellipsis') return all;
    return { left: all.left, top: all.top, bottom: all.bottom, width: Math.min(all.right, e.getBoundingClientRect().right) - all.left };
  };
  const paints = (hit, e, y) => { // there: a ground of its own, or letters; those of low lines stand out of their box
    for (let at = hit; !at.contains(e); at = at.parentElement) if (rgba(getComputedStyle(at).backgroundColor)[3] > .5) return true;
    const box = words(hit), size = parseFloat(getComputedStyle(hit).fontSize);
    return y > box.top + .3 * size && y < box.bottom - .3 * size;
  };
  const under = (e, size) => {
    const box = words(e);
    return [box.top + .45 * size, box.bottom - .45 * size].some((y) => {
      const hit = document.elementFromPoint(box.left + box.width / 2, y);
      if (hit === null) return getComputedStyle(document.body).overflow === 'hidden' && !scrolls(e);
      return !e.contains(hit) && !hit.contains(e) && paints(hit, e, y) && !scrolls(e) && !hit.closest('[role=dialog], [role=alert], .cover');
    });
  };
  for (const e of document.body.querySelectorAll('*')) {
    if (!shown(e) || faded(e)) continue;
    const style = getComputedStyle(e);
    if (e.matches('button, a, input, select, textarea, [role=radio]')) {
      const b = e.getBoundingClientRect();
      if (b.width < target || b.height < target) out.push('a target of ' + Math.round(b.width) + ' by ' + Math.round(b.height) + ' px: ' + tell(e));
    }
    const texts = Array.from(e.childNodes).filter((n) => n.nodeType === 3 && n.textContent.trim() !== '');
    if (texts.length === 0) continue;
    const size = parseFloat(style.fontSize), back = ground(e), ink = over(rgba(style.color), back);
    if (e.getAnimations().length === 0 && under(e, size)) out.push('hidden under something: ' + tell(e));
    if (size < letters) out.push('letters of ' + size + ' px: ' + tell(e));
    const a = light(ink), b = light(back), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const large = size >= 24 || size >= 18.66 && parseInt(style.fontWeight, 10) >= 700;
    if (ratio < (large && letters < 18 ? 3 : 4.5)) out.push('a contrast of ' + ratio.toFixed(2) + ' to 1: ' + tell(e));
    if (style.wordBreak === 'break-all') continue;
    for (const n of texts) {
      const all = lines(n);
      if (all.length < 2) continue;
      if (all.slice(1).some((l) => /^[，。；：！？、）”》]/.test(l))) out.push('a line begins with a mark: ' + tell(e));
      if (/^\p{Script=Han}[，。；：！？）”]?$/u.test(all[all.length - 1])) out.push('a lonely character: ' + tell(e));
    }
  }
  return out;
}`

// Demand wants letters and targets of at least so many px from now on, and what goes with them for people to read and press.
func (p *Page) Demand(letters, target float64) { p.letters, p.target = letters, target }

// Flaws says what is drawn wrongly on the page as it is now.
func (p *Page) Flaws() []string {
	p.t.Helper()
	found := Eval[[]string](p, flaws)
	if p.letters > 0 {
		found = append(found, Eval[[]string](p, fmt.Sprintf("(%s)(%g, %g)", hard, p.letters, p.target))...)
	}
	return found
}

// Save writes what the screen shows into a PNG file.
func (p *Page) Save(file string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	png, err := try(p, chromedp.CaptureScreenshot())
	if errors.Is(err, context.DeadlineExceeded) { // on a busy machine Chromium now and then owes a picture for good; asked again it draws
		png, err = try(p, chromedp.CaptureScreenshot())
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
