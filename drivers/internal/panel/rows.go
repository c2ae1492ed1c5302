package panel

import (
	"fmt"
	"slices"
	"strings"

	"halledge/drivers/device"
)

// Rows are the lines of text that a panel has, one below the other, each so many half-width characters wide. Text that is longer runs
// through its row where the card can do that, else its end is left out.
type Rows struct {
	Count, Cells int
	Runs         bool
}

// Row is one line on a panel.
type Row struct {
	Text string
	Runs bool // it is longer than the row
	More bool // it is of a frame's More
}

// between stands between two lines on one row.
const between = "  "

// Fit puts a frame on the rows: a line each; on the last row all that is left, so that nothing is lost, as far as the card can show it;
// and what else the frame has on rows that stay free.
func (r Rows) Fit(f device.Frame) []Row {
	var rows []string
	for _, line := range tidy(f.Lines) {
		if len(rows) < r.Count {
			rows = append(rows, line)
			continue
		}
		if longer := rows[r.Count-1] + between + line; r.Runs || Cells(longer) <= r.Cells {
			rows[r.Count-1] = longer
		}
	}
	first := len(rows)
	for _, line := range tidy(f.More) {
		if len(rows) < r.Count {
			rows = append(rows, line)
		}
	}
	out := make([]Row, len(rows))
	for i, text := range rows {
		out[i] = Row{Text: text, Runs: r.Runs && Cells(text) > r.Cells, More: i >= first}
		if !out[i].Runs {
			out[i].Text = cut(text, r.Cells)
		}
	}
	return out
}

// tidy leaves out empty lines, and what is no more than space inside the others.
func tidy(lines []string) (out []string) {
	for _, line := range lines {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// Cells counts the half-width characters a text takes: one for ASCII, two for others.
func Cells(text string) int {
	n := 0
	for _, c := range text {
		n += cellsOf(c)
	}
	return n
}

func cellsOf(c rune) int {
	if c < 0x80 {
		return 1
	}
	return 2
}

// cut gives as much of a text as fits.
func cut(text string, cells int) string {
	for i, c := range text {
		if cells -= cellsOf(c); cells < 0 {
			return text[:i]
		}
	}
	return text
}

// PerScene is a word for some scenes, such as a colour.
type PerScene map[device.Scene]string

// ParsePerScene reads "calling=red paused=yellow"; the words must be of those allowed.
func ParsePerScene(text string, allowed []string) (PerScene, error) {
	out := PerScene{}
	for _, part := range strings.Fields(text) {
		scene, word, _ := strings.Cut(part, "=")
		switch {
		case !slices.Contains(device.Scenes(), device.Scene(scene)):
			return nil, fmt.Errorf("%q: no such scene, there are %v", part, device.Scenes())
		case !slices.Contains(allowed, word):
			return nil, fmt.Errorf("%q: want one of %s", part, strings.Join(allowed, ", "))
		}
		out[device.Scene(scene)] = word
	}
	return out, nil
}

// Of gives the word of a scene, or otherwise.
func (p PerScene) Of(s device.Scene, otherwise string) string {
	if word, ok := p[s]; ok {
		return word
	}
	return otherwise
}
