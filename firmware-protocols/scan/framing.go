// Package scan gives what serial bar- and QR-code scanners send and understand: where one code ends and the next begins, which
// characters its bytes are, and the trigger commands of Honeywell, Newland and Zebra engines.
package scan

import "bytes"

// MaxCode is the longest code in bytes. What is longer is no code of a hall; it is dropped whole.
const MaxCode = 2048

const (
	stx = 0x02
	etx = 0x03
)

// End says what follows a code.
type End string

// The ends. Auto suits a scanner nobody has set up; the others keep line ends inside a code.
const (
	EndAuto End = "auto" // CR, LF, TAB, a frame of STX and ETX, or silence
	EndCR   End = "cr"
	EndLF   End = "lf"
	EndCRLF End = "crlf"
	EndETX  End = "etx"     // codes stand between STX and ETX
	EndGap  End = "silence" // nothing follows a code
)

// Options are how one scanner was set up.
type Options struct {
	End    End    // empty means EndAuto
	Prefix string // put before every code by the scanner; what comes without is noise
	Suffix string // put after every code, before its end
	AIM    bool   // codes begin with an AIM identifier such as ]Q1
}

// Code is one code as it was read.
type Code struct {
	Data []byte
	AIM  string // AIM identifier, empty if the scanner sends none
}

// Framer cuts the bytes of a scanner into codes. It holds at most one code.
type Framer struct {
	opts    Options
	buf     []byte
	framed  bool // inside STX and ETX
	overrun bool // the code is too long: drop the rest of it
	garbage int
	long    int
}

// NewFramer makes a Framer at the beginning of a code.
func NewFramer(o Options) *Framer {
	if o.End == "" {
		o.End = EndAuto
	}
	return &Framer{opts: o}
}

// Garbage counts the bytes thrown away as noise.
func (f *Framer) Garbage() int { return f.garbage }

// TooLong counts the codes dropped because they are longer than MaxCode.
func (f *Framer) TooLong() int { return f.long }

// Feed takes the next bytes and gives the codes they complete.
func (f *Framer) Feed(p []byte) []Code {
	var out []Code
	for _, c := range p {
		if c == stx && (f.opts.End == EndAuto || f.opts.End == EndETX) { // never part of a code: what came before is noise
			f.drop()
			f.framed = true
			continue
		}
		if !f.ends(c) {
			f.add(c)
			continue
		}
		if code, ok := f.take(); ok {
			out = append(out, code)
		}
	}
	return out
}

// Flush says that the scanner has been silent for a while, 50 ms or more. That ends a code if the scanner marks no end, and
// makes noise of a broken one if it does.
func (f *Framer) Flush() (Code, bool) {
	if f.framed || f.opts.End != EndAuto && f.opts.End != EndGap {
		f.drop()
		return Code{}, false
	}
	return f.take()
}

// Pending reports whether a code has begun.
func (f *Framer) Pending() bool { return len(f.buf) > 0 || f.framed || f.overrun }

func (f *Framer) ends(c byte) bool {
	if f.framed {
		return c == etx
	}
	switch f.opts.End {
	case EndAuto:
		return c == '\r' || c == '\n' || c == '\t'
	case EndCR:
		return c == '\r'
	case EndLF:
		return c == '\n'
	case EndCRLF:
		return c == '\n' && bytes.HasSuffix(f.buf, []byte{'\r'})
	}
	return false
}

func (f *Framer) add(c byte) {
	switch {
	case c == 0: // some adapters send NUL for a break
	case f.overrun:
		f.garbage++
	case f.opts.End == EndETX && !f.framed:
		if c != '\r' && c != '\n' { // between two frames
			f.garbage++
		}
	case len(f.buf) == MaxCode:
		f.garbage += len(f.buf) + 1
		f.buf, f.overrun = f.buf[:0], true
		f.long++
	default:
		f.buf = append(f.buf, c)
	}
}

// take ends the code in the buffer.
func (f *Framer) take() (Code, bool) {
	data := f.buf
	if f.opts.End == EndCRLF {
		data = bytes.TrimSuffix(data, []byte{'\r'})
	}
	length := len(data)
	data, ok := bytes.CutPrefix(data, []byte(f.opts.Prefix))
	if ok {
		data, ok = bytes.CutSuffix(data, []byte(f.opts.Suffix))
	}
	if !ok && length > 0 {
		f.garbage += length
	}
	code := Code{Data: data}
	if f.opts.AIM {
		code.AIM, code.Data = cutAIM(data)
	}
	code.Data = bytes.Clone(code.Data)
	f.buf, f.framed, f.overrun = f.buf[:0], false, false
	return code, ok && len(code.Data) > 0
}

func (f *Framer) drop() {
	f.garbage += len(f.buf)
	f.buf, f.framed, f.overrun = f.buf[:0], false, false
}

// cutAIM splits an AIM identifier off: ], a letter for the symbology and a modifier.
func cutAIM(data []byte) (string, []byte) {
	if len(data) < 3 || data[0] != ']' || !isLetter(data[1]) || !isLetter(data[2]) && (data[2] < '0' || data[2] > '9') {
		return "", data
	}
	return string(data[:3]), data[3:]
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
