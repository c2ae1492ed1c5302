// Package browser_test uses the system as people do: in a real browser, on the pages of a running hall and of the centre. All
// tests share one hall and one browser, because both take seconds to start; only the screens and rating tablets have another hall,
// whose program stands still and comes back.
package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// site is the running hall, the centre and the browser.
type site struct {
	*demo.Demo
	browser *chrome.Browser
	screens string // where pictures are kept for eyes
}

// begin starts a hall of its own, and a browser.
func begin(t *testing.T) *site {
	t.Helper()
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Demo: demo.Start(t), browser: chrome.Start(t), screens: os.Getenv("HALLEDGE_SCREENS")}
	if s.screens == "" {
		s.screens = filepath.Join(root, "var", "screens")
	}
	return s
}

func TestPages(t *testing.T) {
	s := begin(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"kiosk", s.kiosk},
		{"visits", s.visits},
		{"window", s.window},
		{"citizen", s.citizen},
		{"guide", s.guide},
		{"operations", s.operations},
		{"rules", s.rules},
		{"restart", s.restart},
		{"large hall", s.large},
		{"console", s.console},
		{"cameras", s.cameras},
	} {
		t.Run(part.name, part.run)
	}
}

// What people need: a kiosk is read by the old, standing; targets are fingertips wide (the rules for accessible public machines
// ask for 60 px).
const (
	leastLetters, leastKioskLetters, leastElderLetters = 14, 18, 24
	leastTarget                                        = 60
)

// open opens a page of the hall, which everybody must be able to read and to press.
func (s *site) open(t *testing.T, width, height int, path string) *chrome.Page {
	t.Helper()
	p := s.browser.Open(t, width, height, s.Agent.URL+path)
	switch {
	case strings.HasPrefix(path, "/kiosk/"):
		p.Demand(leastKioskLetters, leastTarget)
	case strings.HasPrefix(path, "/board"):
		p.Demand(leastLetters, leastBoardTarget)
	default:
		p.Demand(leastLetters, leastTarget)
	}
	return p
}

// device opens a page of a machine in the hall by its token, which must not stay in the address.
func (s *site) device(t *testing.T, width, height int, path, role string) *chrome.Page {
	t.Helper()
	p := s.open(t, width, height, path+"?token="+s.Agent.Tokens[role])
	if at := p.Address(); strings.Contains(at, "token") {
		t.Errorf("the token stays in the address %s", at)
	}
	return p
}

// shot keeps a picture of the page for eyes, and fails if something on it is drawn wrongly.
func (s *site) shot(t *testing.T, p *chrome.Page, name string) {
	t.Helper()
	p.Save(filepath.Join(s.screens, name+".png"))
	for _, flaw := range p.Flaws() {
		t.Errorf("%s: %s", name, flaw)
	}
	if strings.HasPrefix(name, "kiosk-") {
		readers(t, p, name)
	}
}

// turned keeps a picture of a kiosk's or screen's page on a panel that lies where that one stands, or the other way round.
func (s *site) turned(t *testing.T, p *chrome.Page, name string) {
	t.Helper()
	width, height := p.Size()
	p.Resize(height, width)
	s.shot(t, p, name)
	p.Resize(width, height)
}

// ringed wants that the keyboard can be followed: after each Tab something has the focus, and shows it.
func ringed(t *testing.T, p *chrome.Page) {
	t.Helper()
	for range 4 {
		p.Press(chrome.Tab)
		if at := chrome.Eval[string](p, focused); at != "" {
			t.Errorf("the keyboard is at %s", at)
		}
	}
}

const focused = `(() => {
	const e = document.activeElement, style = getComputedStyle(e);
	if (e === document.body) return 'nothing';
	return style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2 ? '' : 'an unmarked ' + e.outerHTML.slice(0, 80);
})()`

// slip waits for the first slip of a number.
func (s *site) slip(t *testing.T, number string) string {
	t.Helper()
	var text []byte
	demo.Until(t, demo.Patience, "the slip of "+number, func() (err error) {
		text, err = os.ReadFile(filepath.Join(s.Slips, number+"-1.txt"))
		return err
	})
	return string(text)
}

// number waits for the number of a ticket of a queue in what somebody reads.
func number(t *testing.T, read func() string, queue string) (found string) {
	t.Helper()
	pattern := regexp.MustCompile(`\b` + queue + `\d{3,}\b`)
	demo.Until(t, demo.Patience, "a number of queue "+queue, func() error {
		text := read()
		if found = pattern.FindString(text); found == "" {
			return fmt.Errorf("there is none in %s", text)
		}
		return nil
	})
	return found
}
