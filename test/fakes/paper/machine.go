package paper

import (
	"errors"
	"fmt"
	"image"
)

// Control bytes.
const (
	nul = 0x00
	bel = 0x07
	lf  = 0x0A
	dle = 0x10
	esc = 0x1B
	fs  = 0x1C
	gs  = 0x1D
)

var (
	errShort   = errors.New("the job ends inside a command")
	errUnknown = errors.New("no such command")
	errLong    = errors.New("more paper than a roll should give")
)

// machine is a printer at work.
type machine struct {
	Printer
	job []byte
	at  int // next byte

	state
	line []cell // waits for its end
	rows []byte // paper so far, a byte a dot
	text []string
	cuts []Cut
}

// state is what ESC @ sets back.
type state struct {
	align      int // 0 left, 1 centre, 2 right
	wide, high int // of ASCII
	hanW, hanH int // of Chinese
	bold       bool
	double     bool // bytes above 0x80 come in pairs
	spacing    int  // of lines, in dots

	qr      []byte // stored symbol
	qrDot   int
	qrLevel byte

	barHigh, barDot int
}

func (m *machine) reset() {
	m.line = nil // what was not printed is lost
	m.state = state{
		wide: 1, high: 1, hanW: 1, hanH: 1, double: true, spacing: m.feed(),
		qrDot: 3, qrLevel: '0', barHigh: 162, barDot: 3,
	}
}

// take gives the next n bytes.
func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || len(m.job)-m.at < n {
		m.at = len(m.job)
		return nil, errShort
	}
	b := m.job[m.at : m.at+n]
	m.at += n
	return b, nil
}

// next obeys one command or takes one character.
func (m *machine) next() error {
	b, err := m.take(1)
	if err != nil {
		return err
	}
	switch b[0] {
	case nul: // passed over
	case lf:
		return m.endLine()
	case esc, fs, gs, dle:
		return m.command(b[0])
	default:
		m.at--
		return m.character()
	}
	return nil
}

func (m *machine) command(family byte) error {
	b, err := m.take(1)
	if err != nil {
		return err
	}
	c := b[0]
	a, err := m.take(parameters(family, c))
	if err != nil {
		return fmt.Errorf("%#02x %#02x: %w", family, c, err)
	}
	switch family {
	case esc:
		return m.esc(c, a)
	case fs:
		return m.fs(c, a)
	case gs:
		return m.gs(c, a)
	}
	return realTime(c, a)
}

// parameters is how many bytes stand at a fixed place behind a command. What it does not know is refused by whoever should obey it.
func parameters(family, c byte) int {
	switch string([]byte{family, c}) {
	case "\x1b3", "\x1ba", "\x1bE", "\x1bd", "\x1bJ", "\x1bt", "\x1b!", "\x1b\x1d", "\x1c!",
		"\x1d!", "\x1dV", "\x1da", "\x1dr", "\x1dh", "\x1dw", "\x1dH", "\x10\x04", "\x10\x05":
		return 1
	case "\x1bB", "\x1cp", "\x1dk":
		return 2
	case "\x1b\x07", "\x1d(":
		return 3
	case "\x1dv":
		return 6
	}
	return 0
}

func (m *machine) esc(c byte, a []byte) error {
	switch c {
	case '@':
		m.reset()
	case '2':
		m.spacing = m.feed()
	case '3':
		m.spacing = m.dots(a[0])
	case 'a':
		if len(m.line) > 0 {
			return errors.New("alignment in the middle of a line")
		}
		if a[0] > 2 {
			return fmt.Errorf("alignment %d", a[0])
		}
		m.align = int(a[0])
	case 'E':
		m.bold = a[0]&1 == 1
	case '!':
		m.bold = a[0]&8 != 0
		m.wide, m.high = 1+int(a[0]>>5&1), 1+int(a[0]>>4&1)
	case 'd':
		return m.feedLines(int(a[0]))
	case 'J':
		return m.feedDots(m.dots(a[0]))
	case 't': // ASCII is the same on every page
	case 'B':
		return m.beep(int(a[0]), int(a[1]))
	case bel:
		return m.beep(int(a[2]), int(a[0]))
	case gs:
		rest, err := m.take(3)
		if err != nil {
			return err
		}
		if a[0] != bel {
			return errUnknown
		}
		return m.beep(1, int(rest[1]))
	default:
		return errUnknown
	}
	return nil
}

func (m *machine) fs(c byte, a []byte) error {
	switch c {
	case '&':
		m.double = true
	case '.':
		m.double = false
	case '!':
		m.hanW, m.hanH = 1+int(a[0]>>2&1), 1+int(a[0]>>3&1)
	case 'p':
		return m.stored(int(a[0]))
	default:
		return errUnknown
	}
	return nil
}

func (m *machine) gs(c byte, a []byte) error {
	switch c {
	case '!':
		if a[0]&0x88 != 0 {
			return fmt.Errorf("size %#02x", a[0])
		}
		m.wide, m.high = 1+int(a[0]>>4), 1+int(a[0]&7)
		if !m.SmallChinese {
			m.hanW, m.hanH = m.wide, m.high
		}
	case 'V':
		return m.cut(a[0])
	case 'a', 'r': // questions
	case 'H':
		if a[0] != 0 {
			return errors.New("text at a barcode: its font differs from maker to maker")
		}
	case 'h':
		m.barHigh = int(a[0])
	case 'w':
		if a[0] < 2 || a[0] > 6 {
			return fmt.Errorf("bars %d dots wide", a[0])
		}
		m.barDot = int(a[0])
	case 'v':
		return m.raster(a)
	case 'k':
		return m.bars(a[0], int(a[1]))
	case '(':
		return m.block(a)
	default:
		return errUnknown
	}
	return nil
}

// realTime passes over questions, which may stand anywhere.
func realTime(c byte, a []byte) error {
	if len(a) == 1 && (c == 0x04 && a[0] >= 1 && a[0] <= 4 || c == 0x05 && (a[0] == 1 || a[0] == 2)) {
		return nil
	}
	return errUnknown
}

// data takes the bytes of a picture or a code. Printers look for real-time commands inside them too.
func (m *machine) data(n int) ([]byte, error) {
	b, err := m.take(n)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(b); i++ {
		if b[i] == dle && (b[i+1] == 0x04 || b[i+1] == 0x05 || b[i+1] == 0x14) {
			return nil, fmt.Errorf("a real-time command hides in the data: % x", b[i:min(len(b), i+3)])
		}
	}
	return b, nil
}

func (m *machine) beep(times, length int) error {
	if times < 1 || times > 9 || length < 1 {
		return fmt.Errorf("beeps %d times for %d", times, length)
	}
	m.note("[beep %d]", times)
	return nil
}

func (m *machine) note(format string, args ...any) {
	m.text = append(m.text, fmt.Sprintf(format, args...))
}

// height is how many rows of paper have passed the head.
func (m *machine) height() int { return len(m.rows) / m.Dots }

// advance moves the paper.
func (m *machine) advance(rows int) error {
	if m.height()+rows > maxRows {
		return errLong
	}
	white := make([]byte, rows*m.Dots)
	for i := range white {
		white[i] = 0xFF
	}
	m.rows = append(m.rows, white...)
	return nil
}

// black burns a dot; what stands beside the head is lost.
func (m *machine) black(x, y int) {
	if x >= 0 && x < m.Dots {
		m.rows[y*m.Dots+x] = 0
	}
}

func (m *machine) sheet() *Sheet {
	img := image.NewGray(image.Rect(0, 0, m.Dots, m.height()))
	copy(img.Pix, m.rows)
	return &Sheet{Image: img, Lines: m.text, Cuts: m.cuts}
}
