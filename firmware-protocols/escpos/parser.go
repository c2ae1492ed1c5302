package escpos

import (
	"bytes"
	"unicode/utf8"
)

// Parser turns the bytes sent to a printer back into what the printer did. It takes them in pieces of any size, skips what
// it does not know, and holds no more than one command and one line.
type Parser struct {
	charset Charset
	command []byte // an unfinished command
	need    int    // its length as far as known
	line    []byte // text of the current style, not decoded yet
	runs    []Run  // finished runs of the current line
	held    int    // bytes in line and runs
	modes   modes
	symbol  QR // the stored QR code and its settings
	last    [2]byte
	garbage uint64
	out     []Item
}

// modes are what ESC @ resets.
type modes struct {
	align         Align
	width, height int // of ASCII
	hanW, hanH    int // of double-byte characters
	bold          bool
	double        bool // double-byte mode
}

// maxLine is how many bytes of text the Parser holds; a longer line is printed where it stands.
const maxLine = 1024

// NewParser begins with a printer that has just been switched on.
func NewParser(c Charset) *Parser {
	p := &Parser{charset: c}
	p.reset()
	return p
}

// Garbage counts the bytes that were neither text nor a known command.
func (p *Parser) Garbage() uint64 { return p.garbage }

// Feed takes the next bytes and gives what the printer did because of them.
func (p *Parser) Feed(b []byte) []Item {
	p.out = nil
	for _, c := range b {
		p.realTime(c)
		p.step(c)
	}
	return p.out
}

func (p *Parser) emit(it Item) { p.out = append(p.out, it) }

// realTime sees DLE EOT n and DLE ENQ n wherever they stand, inside pictures too: printers look for it before they look at anything else.
func (p *Parser) realTime(c byte) {
	switch {
	case p.last == [2]byte{dle, 0x04} && c >= byte(QueryPrinter) && c <= byte(QueryPaper):
		p.emit(StatusRequest{Query(c)})
	case p.last == [2]byte{dle, 0x05} && (c == 1 || c == 2):
		p.emit(Recover{Clear: c == 2})
	}
	p.last = [2]byte{p.last[1], c}
}

func (p *Parser) step(c byte) {
	if len(p.command) == 0 {
		p.character(c)
		return
	}
	p.command = append(p.command, c)
	if len(p.command) < p.need {
		return
	}
	n, known := commandLength(p.command)
	switch {
	case !known:
		p.skip()
	case n > len(p.command):
		p.need = n
	default:
		p.run(p.command)
		p.command = p.command[:0]
	}
}

// skip gives up an unknown command. A control byte right after its first one may begin the next.
func (p *Parser) skip() {
	n, rest := len(p.command), p.command[1:]
	if rest[0] >= 0x20 || n > 3 {
		p.command = p.command[:0]
		p.garbage += uint64(n)
		return
	}
	p.command = nil // rest is read while the next command grows
	p.garbage++
	for _, c := range rest {
		p.step(c)
	}
}

func (p *Parser) character(c byte) {
	switch {
	case c >= 0x20 && c != 0x7F:
		p.text(c)
	case c == '\t':
		p.text(' ')
	case c == lf:
		p.endLine()
	case c == esc, c == gs, c == fs, c == dle:
		p.command, p.need = append(p.command, c), 2
	case c == '\r', c == 0, c == 0x18: // CR before LF, padding, CAN
	default:
		p.garbage++
	}
}

func (p *Parser) text(c byte) {
	if p.held == maxLine {
		p.endLine()
	}
	p.line = append(p.line, c)
	p.held++
}

// endRun decodes the text collected in the current style.
func (p *Parser) endRun() {
	text := p.line
	p.line = p.line[:0]
	if !p.modes.double && p.charset != UTF8 {
		text = withoutHigh(text)
	}
	m := p.modes
	for s := Printable(p.charset.decode(text)); s != ""; {
		n := alike(s)
		run := Run{Text: s[:n], Width: m.width, Height: m.height, Bold: m.bold}
		if s[0] >= utf8.RuneSelf {
			run.Width, run.Height = m.hanW, m.hanH
		}
		p.addRun(run)
		s = s[n:]
	}
}

// addRun appends a run to the line, to its last run if the style is the same.
func (p *Parser) addRun(r Run) {
	if n := len(p.runs); n > 0 {
		last := &p.runs[n-1]
		if last.Width == r.Width && last.Height == r.Height && last.Bold == r.Bold {
			last.Text += r.Text
			return
		}
	}
	p.runs = append(p.runs, r)
}

// withoutHigh replaces what a single-byte code page would draw: pages differ from maker to maker.
func withoutHigh(b []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, b)
}

// alike is the length of the beginning of s that is all ASCII or all not.
func alike(s string) int {
	for i := range len(s) {
		if (s[i] < utf8.RuneSelf) != (s[0] < utf8.RuneSelf) {
			return i
		}
	}
	return len(s)
}

// endLine prints what was collected.
func (p *Parser) endLine() {
	p.endRun()
	p.emit(Line{Align: p.modes.align, Runs: p.runs})
	p.runs, p.held = nil, 0
}

// flush prints an unfinished line before something that starts on a new one.
func (p *Parser) flush() bool {
	if p.held == 0 {
		return false
	}
	p.endLine()
	return true
}

func (p *Parser) reset() {
	p.line, p.runs, p.held = p.line[:0], nil, 0
	p.symbol = QR{Dot: 3}
	p.modes = modes{width: 1, height: 1, hanW: 1, hanH: 1, double: true} // Chinese printers wake up in double-byte mode
}
