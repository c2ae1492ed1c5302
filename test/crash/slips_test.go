package crash_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"halledge/test/demo"
)

var (
	copyLine   = regexp.MustCompile(`^补打 第 (\d+) 次$`)
	numberLine = regexp.MustCompile(`^[A-Z]\d{3,}$`)
)

// papers counts the slips that lie on the floor. A slip that was cut off by a kill stands on one paper with the next one, as it
// does at a real printer, so the text is what counts, not the file.
func papers(t *testing.T, d *demo.Demo) map[copyOf]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.Slips, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[copyOf]int{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		copied := 0
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if m := copyLine.FindStringSubmatch(line); m != nil {
				copied, _ = strconv.Atoi(m[1]) // digits
			}
			if numberLine.MatchString(line) {
				out[copyOf{line, copied}]++
				copied = 0
			}
		}
	}
	return out
}

// checkSlips wants each copy of a slip on paper once at most, on paper if a printer confirmed it, and never on paper without the
// log having said before that it was on its way.
func (m *mirror) checkSlips(t *testing.T, d *demo.Demo) {
	t.Helper()
	onPaper := papers(t, d)
	for c, n := range onPaper {
		if n > m.begun[c] {
			t.Errorf("copy %d of %s is on paper %d times and was begun %d times", c.copy, c.number, n, m.begun[c])
		}
	}
	for c, n := range m.printed {
		if onPaper[c] < n {
			t.Errorf("copy %d of %s counts as printed and is not on paper", c.copy, c.number)
		}
	}
	days := map[string]int{} // on how many days each number was given; more than one if midnight passed
	for _, s := range m.tickets {
		days[s.number]++
	}
	for c, n := range m.begun {
		if n > days[c.number] {
			t.Errorf("copy %d of %s was sent to a printer %d times", c.copy, c.number, n)
		}
	}
	if len(m.printed) == 0 {
		t.Error("no slip was printed at all")
	}
}
