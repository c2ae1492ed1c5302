// Package escpos gives the language of thermal slip printers, both ways: a Builder that makes a job from data no printer
// command can hide in, a Parser that turns such a job back into lines, codes and cuts, and the status bytes printers answer
// with. It follows Epson's ESC/POS command reference and what the Chinese clones made of it.
package escpos

// Control bytes that begin commands.
const (
	lf  = 0x0A
	dle = 0x10
	esc = 0x1B
	fs  = 0x1C
	gs  = 0x1D
)

// Align is where a line stands on the paper.
type Align uint8

// The alignments, with the values of ESC a.
const (
	Left Align = iota
	Center
	Right
)

// CutMode is the kind of cut, with the values of GS V.
type CutMode byte

// The cuts. A partial cut leaves a bridge, so that the slip hangs until it is taken. FullCut and PartialCut (function B) move the
// printed part past the cutter first; the others (function A) cut where the paper is, for printers that know nothing else.
const (
	FullCutHere    CutMode = 0x00
	PartialCutHere CutMode = 0x01
	FullCut        CutMode = 0x41
	PartialCut     CutMode = 0x42
)

// Layout is what a job must know about the paper and the font.
type Layout struct {
	Columns int // columns of font A on a line: 32 on 58 mm, 48 on 80 mm
	Dots    int // dots of the print head: 384 on 58 mm, 576 on 80 mm
	Charset Charset
	// Doubled says that GS ! leaves Chinese as small as it is: FS ! makes it twice as large, and nothing makes it larger.
	Doubled bool
	// LineUnit is how many units of ESC 3 make a dot: 2 on Epson's heads of 180 dpi, whose unit is 1/360 inch, 1 on clones; 0 means 1.
	LineUnit int
}

// Style is how one line looks.
type Style struct {
	Align Align
	Size  int // 1 to 8 times normal width and height
	Bold  bool
}

const (
	maxFeed  = 20 // lines of ESC d, so that a mistake cannot empty the roll
	fontHigh = 24 // dots of a letter of font A and of a Chinese character
	leading  = 10 // dots between lines: what a sixth of an inch leaves at 203 dpi
)

// Builder collects the bytes of one job. Each small method appends one command; Line, Rule and the QR methods append what a
// slip is made of. There is no command for the cash drawer and no way to append bytes as they are.
type Builder struct {
	layout Layout
	buf    []byte
}

// NewBuilder begins an empty job.
func NewBuilder(l Layout) *Builder { return &Builder{layout: l} }

// Bytes is the job so far.
func (b *Builder) Bytes() []byte { return b.buf }

func (b *Builder) add(p ...byte) { b.buf = append(b.buf, p...) }

// Init resets the printer's modes and chooses its charset. Double-byte mode is chosen by hand: some clones print the first
// line as rubbish without.
func (b *Builder) Init() {
	b.add(esc, '@')
	b.Chinese(b.layout.Charset != UTF8)
}

// Chinese turns double-byte characters on or off (FS &, FS .).
func (b *Builder) Chinese(on bool) {
	if on {
		b.add(fs, '&')
	} else {
		b.add(fs, '.')
	}
}

// CodePage chooses the page of the single-byte characters, or what else the maker chooses by it (ESC t).
func (b *Builder) CodePage(n int) { b.add(esc, 't', byte(n)) }

// Align places the following lines (ESC a).
func (b *Builder) Align(a Align) { b.add(esc, 'a', byte(min(a, Right))) }

// Bold makes the following text bold or not (ESC E).
func (b *Builder) Bold(on bool) {
	if on {
		b.add(esc, 'E', 1)
	} else {
		b.add(esc, 'E', 0)
	}
}

// Size multiplies width and height of the following text by 1 to 8 (GS !).
func (b *Builder) Size(width, height int) {
	b.add(gs, '!', byte(clamp(width, 1, 8)-1)<<4|byte(clamp(height, 1, 8)-1))
}

// Spacing is the way from one line to the next in dots (ESC 3). A line of higher letters takes more by itself. 255 units are the most.
func (b *Builder) Spacing(dots int) {
	b.add(esc, '3', byte(clamp(dots*max(1, b.layout.LineUnit), 0, 255)))
}

// Text appends what is printable of s, without a line end.
func (b *Builder) Text(s string) { b.buf = append(b.buf, b.layout.Charset.encode(Printable(s))...) }

// EndLine prints the line.
func (b *Builder) EndLine() { b.add(lf) }

// Line prints a text in one style, broken into as many lines as it needs, and goes back to the plain style.
func (b *Builder) Line(s string, style Style) {
	size := clamp(style.Size, 1, 8)
	doubled := b.layout.Doubled && size > 1 && !isASCII(s)
	if doubled {
		size = 2
	}
	b.Align(style.Align)
	b.Size(size, size)
	if doubled {
		b.add(fs, '!', 0x0C)
	}
	if size > 1 { // else the next line would touch this one
		b.Spacing(fontHigh*size + leading)
	}
	b.Bold(style.Bold)
	for _, line := range b.layout.Charset.Wrap(Printable(s), b.layout.Columns/size) {
		b.Text(line)
		b.EndLine()
	}
	b.Bold(false)
	b.Size(1, 1)
	if doubled {
		b.add(fs, '!', 0)
	}
	if size > 1 {
		b.add(esc, '2')
	}
	b.Align(Left)
}

// Rule prints a line across the paper.
func (b *Builder) Rule() {
	for range b.layout.Columns {
		b.add('-')
	}
	b.EndLine()
}

// Feed moves the paper by lines, at most 20 (ESC d).
func (b *Builder) Feed(lines int) { b.add(esc, 'd', byte(clamp(lines, 0, maxFeed))) }

// Cut cuts the paper (GS V).
func (b *Builder) Cut(mode CutMode) {
	b.add(gs, 'V', byte(mode))
	if mode >= FullCut {
		b.add(0)
	}
}

// Beep sounds the buzzer of a clone printer, 1 to 9 times (ESC B; the unit of length, 50 or 100 ms, is the maker's).
func (b *Builder) Beep(times, length int) {
	b.add(esc, 'B', byte(clamp(times, 1, 9)), byte(clamp(length, 1, 9)))
}

// BeepBEL sounds the buzzer of printers that take ESC BEL: on and pause are in units of 100 ms.
func (b *Builder) BeepBEL(times, on, pause int) {
	b.add(esc, 0x07, byte(clamp(on, 1, 9)), byte(clamp(pause, 1, 9)), byte(clamp(times, 1, 9)))
}

// BeepPort drives the buzzer at the printer's first port once (ESC GS BEL): on and pause are in units of 20 ms.
func (b *Builder) BeepPort(on, pause int) {
	b.add(esc, gs, 0x07, 1, byte(clamp(on, 1, 50)), byte(clamp(pause, 1, 50)))
}

// Barrier asks for the paper sensor in print order (GS r 1): the answer comes after everything before it has been printed.
func (b *Builder) Barrier() { b.add(gs, 'r', 1) }

func clamp(n, low, high int) int { return max(low, min(n, high)) }
