// Package browser_test uses the system as people do: in a real browser, on the pages of a running hall and of the centre. Cases share
// a hall and a browser where they can, because both take seconds to start.
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

// begin starts a hall of its own, with settings of demo.Start, and a browser. Tests with halls of their own run side by side: most of
// the time each waits for its pages.
func begin(t *testing.T, settings ...string) *site {
	t.Helper()
	t.Parallel()
	root, err := demo.Root()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Demo: demo.Start(t, settings...), browser: chrome.Start(t), screens: os.Getenv("HALLEDGE_SCREENS")}
	if s.screens == "" {
		s.screens = filepath.Join(root, "var", "screens")
	}
	return s
}

// What happens in one hall happens one after the other.

func TestKiosk(t *testing.T) {
	s := begin(t)
	t.Run("kiosk", s.kiosk)
	t.Run("visits", s.visits)
}

func TestWindow(t *testing.T) {
	s := begin(t)
	t.Run("window", s.window)
	t.Run("operations", s.operations)
}

func TestCitizen(t *testing.T) {
	s := begin(t)
	t.Run("citizen", s.citizen)
	t.Run("guide", s.guide)
	t.Run("rules", s.rules)
	t.Run("restart", s.restart)
	t.Run("large hall", s.large)
}

func TestCentre(t *testing.T) {
	s := begin(t)
	t.Run("console", s.console)
	t.Run("cameras", s.cameras)
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
