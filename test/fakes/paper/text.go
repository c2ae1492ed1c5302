package paper

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Font A is 12 by 24 dots, Chinese 24 by 24.
const (
	cellWide = 12
	cellHigh = 24
)

// cell is one character that waits for the end of its line.
type cell struct {
	r          rune
	wide, high int
	bold       bool
}

// dots is the width of a cell.
func (c cell) dots() int {
	if c.r < utf8.RuneSelf {
		return c.wide * cellWide
	}
	return c.wide * 2 * cellWide
}

// character takes one character of text.
func (m *machine) character() error {
	r, n, err := m.decode()
	if err != nil {
		return err
	}
	m.at += n
	c := cell{r: r, wide: m.wide, high: m.high, bold: m.bold}
	if r >= utf8.RuneSelf {
		c.wide, c.high = m.hanW, m.hanH
	}
	if m.width()+c.dots() > m.Dots { // the printer begins a new line by itself
		if err := m.endLine(); err != nil {
			return err
		}
	}
	m.line = append(m.line, c)
	return nil
}

func (m *machine) width() (n int) {
	for _, c := range m.line {
		n += c.dots()
	}
	return n
}

// decode reads one character where the job stands.
func (m *machine) decode() (r rune, n int, err error) {
	rest := m.job[m.at:]
	b := rest[0]
	switch {
	case b < 0x20 || b == 0x7F:
		return 0, 0, fmt.Errorf("control byte %#02x", b)
	case b < 0x80:
		return rune(b), 1, nil
	case m.Charset == "utf-8":
		if r, n = utf8.DecodeRune(rest); r == utf8.RuneError {
			return 0, 0, errors.New("no UTF-8")
		}
		return r, n, nil
	case m.Charset == "ascii" || !m.double:
		return 0, 0, fmt.Errorf("byte %#02x, which every maker draws otherwise", b)
	}
	n = 2
	if len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9' {
		n = 4
	}
	switch {
	case n == 4 && m.Charset != "gb18030":
		return 0, 0, errors.New("four bytes of GB 18030, which its font does not have")
	case len(rest) < n:
		return 0, 0, errShort
	}
	s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(rest[:n])
	if err != nil || utf8.RuneCount(s) != 1 || string(s) == "\uFFFD" {
		return 0, 0, fmt.Errorf("% x is no character", rest[:n])
	}
	r, _ = utf8.DecodeRune(s)
	return r, n, nil
}

// endLine prints what waits. The paper moves by the line spacing, or by the highest character where that is more.
func (m *machine) endLine() error {
	high := 0
	for _, c := range m.line {
		high = max(high, c.high*cellHigh)
	}
	top := m.height()
	if err := m.advance(max(high, m.spacing)); err != nil {
		return err
	}
	x := m.left(m.width())
	for _, c := range m.line {
		g, err := m.Font.glyph(c.r)
		if err != nil {
			return err
		}
		m.burn(g, c, x, top+high-c.high*cellHigh)
		x += c.dots()
	}
	m.tell()
	m.line = nil
	return nil
}

// burn prints a glyph, each of its dots as a block; bold is printed once more, a dot beside.
func (m *machine) burn(g glyph, c cell, left, top int) {
	for y := range cellHigh * c.high {
		for x := range c.dots() {
			if !g.black(x/c.wide, y/c.high) {
				continue
			}
			m.black(left+x, top+y)
			if c.bold {
				m.black(left+x+1, top+y)
			}
		}
	}
}

// left is where something of a width begins.
func (m *machine) left(width int) int { return max(0, m.Dots-width) * m.align / 2 }

func (m *machine) where() string { return [...]string{"", " centre", " right"}[m.align] }

// tell writes the line into the transcript: its style, where it is not the plain one, stands before it.
func (m *machine) tell() {
	var text strings.Builder
	style := ""
	for _, c := range m.line {
		now := ""
		if c.wide > 1 || c.high > 1 {
			now += fmt.Sprintf(" %dx%d", c.wide, c.high)
		}
		if c.bold {
			now += " bold"
		}
		if now != style {
			style = now
			fmt.Fprintf(&text, "{%s}", strings.TrimPrefix(now, " "))
		}
		text.WriteRune(c.r)
	}
	line := text.String()
	if m.align > 0 && len(m.line) > 0 {
		line = "{" + strings.TrimPrefix(m.where(), " ") + "}" + line
	}
	m.text = append(m.text, line)
}

func (m *machine) feedLines(n int) error {
	if len(m.line) > 0 {
		if err := m.endLine(); err != nil {
			return err
		}
		n--
	}
	if n > 0 {
		m.note("[feed %d]", n)
	}
	return m.advance(max(0, n) * m.spacing)
}

func (m *machine) feedDots(n int) error {
	if len(m.line) > 0 {
		return errors.New("ESC J in the middle of a line")
	}
	return m.advance(n)
}

// cut cuts the paper: functions A where the blade stands, functions B behind what is printed.
func (m *machine) cut(mode byte) error {
	if len(m.line) > 0 {
		return errors.New("a cut in the middle of a line")
	}
	gap := m.cutter()
	row := m.height() - gap
	switch mode {
	case 0, 1, '0', '1':
	case 'A', 'B':
		more, err := m.take(1)
		if err != nil {
			return err
		}
		if err := m.advance(gap + int(more[0])); err != nil {
			return err
		}
		row = m.height() - gap
	default:
		return fmt.Errorf("cut %d", mode)
	}
	if row < 0 {
		return errors.New("a cut above the slip")
	}
	for i, dot := range m.rows[row*m.Dots:] {
		if dot == 0 {
			return fmt.Errorf("the cut goes through what is printed: %d dots above the last of it", len(m.rows)/m.Dots-row-i/m.Dots)
		}
	}
	partial := mode == 1 || mode == '1' || mode == 'B'
	m.cuts = append(m.cuts, Cut{Row: row, Partial: partial})
	if partial {
		m.note("[partial cut]")
	} else {
		m.note("[full cut]")
	}
	return nil
}
