// Package paper gives what the bytes of a slip leave on the paper of a thermal printer: its dots, and a transcript of them for people.
// It reads ESC/POS from the makers' manuals by itself and shares no code with the codec and the drivers, so that it can contradict them.
// It is strict: what it does not know, or what a real printer would do harm with, is an error.
package paper

import (
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"strings"
)

// Bounds of a slip: two and a half metres of paper at 203 dpi, and what a printer would take minutes to receive.
const (
	maxRows = 20000
	maxJob  = 4 << 20
)

// margin is the white at the sides of the print head, in dots.
const margin = 32

// Printer is what a kind of printers has of its own.
type Printer struct {
	Dots    int    // of the head: 384 on 58 mm, 576 on 80 mm, 512 on 80 mm at 180 dpi
	Charset string // gbk, gb18030, utf-8 or ascii, as the factory or a switch has set it
	// SmallChinese says that GS ! does not enlarge Chinese. Some clones obey FS ! only.
	SmallChinese bool
	// LineUnit is how many units of ESC 3 and ESC J make a dot: 2 where the unit is 1/360 inch at 180 dpi; 0 means 1.
	LineUnit int
	// NoQR and NoBarcode say that it has no command for it: it prints the data as text, or nothing. Here that is an error.
	NoQR, NoBarcode bool
	Font            *Font
}

// dpi is the resolution of the head: Epson's 512 dots on 80 mm are 180 dpi, all others have 203.
func (p Printer) dpi() int {
	if p.Dots == 512 {
		return 180
	}
	return 203
}

// feed is the line spacing after ESC @ and ESC 2, a sixth of an inch.
func (p Printer) feed() int { return (p.dpi() + 3) / 6 }

// dots turns units of the paper's way into dots.
func (p Printer) dots(units byte) int { return int(units) / max(1, p.LineUnit) }

// cutter is how far the blade stands behind the head: about 15 mm.
func (p Printer) cutter() int { return p.dpi() * 150 / 254 }

// Sheet is a stretch of paper.
type Sheet struct {
	// Image has a pixel for each dot of the head: 0 is black, 0xFF is white.
	Image *image.Gray
	// Lines say what is on it, from above: text with its style, codes with their data, pictures with their size, cuts and beeps.
	Lines []string
	Cuts  []Cut
}

// Cut is a cut of the paper below a row of the image.
type Cut struct {
	Row     int
	Partial bool
}

// Print prints a job on new paper. After an error the sheet holds what came before.
func (p Printer) Print(job []byte) (*Sheet, error) {
	if p.Dots < 1 || p.Dots > 2048 || p.Font == nil {
		return &Sheet{Image: &image.Gray{}}, fmt.Errorf("no printer has %d dots, or no font", p.Dots)
	}
	if len(job) > maxJob {
		return &Sheet{Image: &image.Gray{}}, fmt.Errorf("a job of %d bytes", len(job))
	}
	m := &machine{Printer: p, job: job}
	m.reset()
	var err error
	for err == nil && m.at < len(m.job) {
		start := m.at
		if err = m.next(); err != nil {
			err = fmt.Errorf("byte %d, % x: %w", start, job[start:min(len(job), start+8)], err)
		}
	}
	if err == nil && len(m.line) > 0 {
		err = errors.New("the last line has no end: it stays in the printer")
	}
	return m.sheet(), err
}

// Text is the transcript.
func (s *Sheet) Text() string { return strings.Join(s.Lines, "\n") + "\n" }

// PNG writes the sheet as a picture, up to its last cut, with the white at the sides that the paper has.
func (s *Sheet) PNG(w io.Writer) error {
	size := s.Image.Rect.Size()
	if n := len(s.Cuts); n > 0 {
		size.Y = s.Cuts[n-1].Row
	}
	whole := image.NewGray(image.Rect(0, 0, size.X+2*margin, size.Y+margin))
	draw.Draw(whole, whole.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(whole, image.Rectangle{Max: size}.Add(image.Pt(margin, margin)), s.Image, image.Point{}, draw.Src)
	if err := png.Encode(w, whole); err != nil {
		return fmt.Errorf("write picture of a slip: %w", err)
	}
	return nil
}
