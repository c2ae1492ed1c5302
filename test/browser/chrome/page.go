package chrome

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is one tab.
type Page struct {
	t               testing.TB
	ctx             context.Context
	width, height   int
	letters, target float64 // see Demand

	mu      sync.Mutex
	faults  []string
	allowed []string
}

// Go shows another address.
func (p *Page) Go(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address))
}

// Fails opens an address that the browser must not show, and gives its reason, such as net::ERR_CERT_AUTHORITY_INVALID.
func (p *Page) Fails(address string) string {
	p.t.Helper()
	_, err := try(p, chromedp.Navigate(address))
	if err == nil {
		p.t.Fatalf("%s is shown", address)
	}
	return err.Error()
}

// Reload loads the page again, as F5 does.
func (p *Page) Reload() {
	p.t.Helper()
	p.do(chromedp.Reload())
}

// Address is what the address line says.
func (p *Page) Address() string {
	p.t.Helper()
	return run(p, chromedp.Location())
}

// Resize gives the page a screen of another size.
func (p *Page) Resize(width, height int) {
	p.t.Helper()
	p.width, p.height = width, height
	p.do(chromedp.EmulateViewport(int64(width), int64(height)))
}

// Print shows the page as a printer makes it, on paper of a size.
func (p *Page) Print(width, height int) {
	p.t.Helper()
	p.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return none, err
	})
	p.Resize(width, height)
}

// Size is the size of the page's screen.
func (p *Page) Size() (width, height int) { return p.width, p.height }

// Text is everything the page shows.
func (p *Page) Text() string {
	p.t.Helper()
	return Eval[string](p, everything)
}

// Said is what the page says aloud to those who do not see it: its status and alert lines.
func (p *Page) Said() string {
	p.t.Helper()
	return Eval[string](p, `Array.from(document.querySelectorAll('[role=status], [role=alert]'), (e) => e.innerText).join('\n')`)
}

const everything = "document.body ? document.body.innerText : ''"

// text is everything the page shows without white space, of which Chinese has none and pages have any.
func (p *Page) text() (string, error) {
	text, err := try(p, chromedp.Evaluate[string](everything))
	return squeeze(text), err
}

// Sees waits until the page shows all of the texts.
func (p *Page) Sees(texts ...string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("the page shows %q", texts), func() error {
		shown, err := p.text()
		if err != nil {
			return err
		}
		for _, text := range texts {
			if !strings.Contains(shown, squeeze(text)) {
				return fmt.Errorf("%q is not in:\n%s", text, shown)
			}
		}
		return nil
	})
}

// SeesAny waits until the page shows one of the texts.
func (p *Page) SeesAny(texts ...string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("the page shows one of %q", texts), func() error {
		shown, err := p.text()
		if err != nil {
			return err
		}
		for _, text := range texts {
			if strings.Contains(shown, squeeze(text)) {
				return nil
			}
		}
		return fmt.Errorf("it shows:\n%s", shown)
	})
}

// Misses waits until the page shows none of the texts.
func (p *Page) Misses(texts ...string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("the page does not show %q", texts), func() error {
		shown, err := p.text()
		if err != nil {
			return err
		}
		for _, text := range texts {
			if strings.Contains(shown, squeeze(text)) {
				return fmt.Errorf("%q is still in:\n%s", text, shown)
			}
		}
		return nil
	})
}

// Allow takes faults that contain a text for expected, for example the refusal that a test provokes.
func (p *Page) Allow(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, text)
}

// note collects the page's faults.
func (p *Page) note(ev any) {
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		p.fault("exception: " + thrown(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			p.fault("console: " + said(e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			p.fault(fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

func (p *Page) fault(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, text)
}

// Faults are what the page reported so far and nobody allowed.
func (p *Page) Faults() (faults []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if !containsAny(f, p.allowed) {
			faults = append(faults, f)
		}
	}
	return faults
}

// HasFault waits until the page has reported a fault that contains a text.
func (p *Page) HasFault(text string) {
	p.t.Helper()
	until(p.t, fmt.Sprintf("fault %q", text), func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			if strings.Contains(f, text) {
				return nil
			}
		}
		return fmt.Errorf("the page reported %q", p.faults)
	})
}

// report ends the page: its faults fail the test, and a test that failed gets what the page showed last.
func (p *Page) report() {
	for _, f := range p.Faults() {
		p.t.Errorf("fault of the page: %s", f)
	}
	if p.t.Failed() {
		text, err := p.text()
		address, _ := try(p, chromedp.Location())
		p.t.Logf("the page %s showed at the end (%v):\n%s\n%s", address, err, text, p.outline())
	}
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func thrown(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Exception.Description
	}
	return fmt.Sprintf("%s %s:%d", d.Text, d.URL, d.LineNumber+1)
}

func said(args []*runtime.RemoteObject) string {
	var words []string
	for _, a := range args {
		var word string
		switch {
		case a.Description != "":
			word = a.Description
		case json.Unmarshal(a.Value, &word) != nil: // no string
			word = string(a.Value)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// squeeze takes all white space out of a text.
func squeeze(text string) string { return strings.Join(strings.Fields(text), "") }

// do runs steps that cannot fail on a page that works.
func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, step)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// run runs an action that cannot fail on a page that works.
func run[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	v, err := try(p, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// try runs an action that may fail, because the page changes under it.
func try[T any](p *Page, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, step)
	defer cancel()
	return chromedp.Run(ctx, action)
}
