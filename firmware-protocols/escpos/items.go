package escpos

import (
	"fmt"
	"strconv"
	"strings"
)

// Item is one thing a printer did or was asked: Line, Feed, QR, Raster, Stored, Barcode, Cut, Beep, Drawer, StatusRequest,
// PaperRequest, AutoStatus, Recover or Reset.
type Item interface{ item() }

// Line is one printed line. A line without runs is blank.
type Line struct {
	Align Align
	Runs  []Run
}

// Run is text in one style.
type Run struct {
	Text          string
	Width, Height int // 1 to 8
	Bold          bool
}

// Feed is paper moved without printing: lines, or dots in the printer's own unit.
type Feed struct{ Lines, Dots int }

// QR is a printed QR code.
type QR struct {
	Align Align
	Data  []byte
	Dot   int // module size in dots
}

// Raster is a printed picture, one bit a dot, the leftmost in bit 7, 1 is black.
type Raster struct {
	Align    Align
	RowBytes int
	Data     []byte
}

// Stored is a picture that was stored in the printer before.
type Stored struct {
	Align  Align
	Number int
}

// Barcode is a printed one-dimensional code; System is m of GS k function B (65 UPC-A … 73 Code 128).
type Barcode struct {
	Align  Align
	System byte
	Data   []byte
}

// Text is what a reader of the code says. Of Code 128 it knows the sets that a Builder uses, B and C.
func (b Barcode) Text() string {
	data := string(b.Data)
	if b.System != 73 || len(data) < 2 {
		return data
	}
	set, data := data[:2], data[2:]
	if set != "{C" {
		return strings.ReplaceAll(data, "{{", "{")
	}
	var out strings.Builder
	for i := range len(data) {
		fmt.Fprintf(&out, "%02d", data[i])
	}
	return out.String()
}

// Cut is a cut of the paper. Fed says that the printer moved the last line past the cutter first.
type Cut struct{ Partial, Fed bool }

// Beep is the buzzer.
type Beep struct{ Times, Length int }

// Drawer is a pulse to the cash drawer. A hall has none: seeing one means that foreign bytes reached the printer.
type Drawer struct{}

// StatusRequest is DLE EOT n: the printer answers at once with Status.Reply.
type StatusRequest struct{ Query Query }

// PaperRequest is GS r 1: the printer answers in print order with Status.PaperReply.
type PaperRequest struct{}

// AutoStatus is GS a: Enabled printers send Status.ASB now and at each change.
type AutoStatus struct{ Enabled bool }

// Recover is DLE ENQ: the printer shall go on after an error that a person has cleared, Clear without what it still holds.
type Recover struct{ Clear bool }

// Reset is ESC @.
type Reset struct{}

func (Line) item()          {}
func (Feed) item()          {}
func (QR) item()            {}
func (Raster) item()        {}
func (Stored) item()        {}
func (Barcode) item()       {}
func (Cut) item()           {}
func (Beep) item()          {}
func (Drawer) item()        {}
func (StatusRequest) item() {}
func (PaperRequest) item()  {}
func (AutoStatus) item()    {}
func (Recover) item()       {}
func (Reset) item()         {}

// Text is the line without its styles.
func (l Line) Text() string {
	var s strings.Builder
	for _, r := range l.Runs {
		s.WriteString(r.Text)
	}
	return s.String()
}

// Columns is the line's width in columns of font A.
func (l Line) Columns(c Charset) int {
	n := 0
	for _, r := range l.Runs {
		n += c.Columns(r.Text) * r.Width
	}
	return n
}

// Plain draws what is on the paper as lines of text, for people who check a slip: aligned as on a paper of l.Columns columns,
// QR codes and barcodes as their data in brackets, cuts as a dashed line with scissors. What leaves no mark is left out.
func (l Layout) Plain(items []Item) string {
	var out strings.Builder
	put := func(text string, width int, a Align) {
		space := max(0, l.Columns-width)
		switch a {
		case Center:
			text = strings.Repeat(" ", space/2) + text
		case Right:
			text = strings.Repeat(" ", space) + text
		}
		out.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	mark := func(kind, data string, a Align) {
		text := "[" + kind + " " + Printable(data) + "]"
		put(text, l.Charset.Columns(text), a)
	}
	for _, it := range items {
		switch it := it.(type) {
		case Line:
			put(it.Text(), it.Columns(l.Charset), it.Align)
		case Feed:
			out.WriteString(strings.Repeat("\n", it.Lines))
		case QR:
			mark("QR", string(it.Data), it.Align)
		case Barcode:
			mark("barcode", it.Text(), it.Align)
		case Stored:
			mark("stored picture", strconv.Itoa(it.Number), it.Align)
		case Raster:
			mark("picture", "", it.Align)
		case Cut:
			out.WriteString("- - -✂- - -\n")
		}
	}
	return out.String()
}
