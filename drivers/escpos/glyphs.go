package escpos

import (
	"fmt"
	"image"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"halledge/drivers/device"
	"halledge/firmware-protocols/escpos"
)

// maxFont bounds the file of a font; those with every Chinese character have 20 MB.
const maxFont = 64 << 20

// glyphs is a font that draws what a printer has no glyphs for: a rare character in the name of a place, or all Chinese on a printer
// made for other countries. It reads from its file what it needs, so that a hall's small machine does not hold the whole font.
type glyphs struct{ font *sfnt.Font }

// loadFont opens a TrueType or OpenType font, or of a collection the one for mainland China. The file stays open as long as the program runs.
func loadFont(path string) (*glyphs, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("option font: %w", err)
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFont) {
		err = fmt.Errorf("%s: no file of at most %d MB", path, maxFont>>20)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("option font: %w", err)
	}
	all, err := opentype.ParseCollectionReaderAt(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("option font: %s: %w", path, err)
	}
	one, err := simplified(all)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("option font: %s: %w", path, err)
	}
	return &glyphs{font: one}, nil
}

// simplified is the member of a collection whose name ends with SC, as those of Noto and Source Han do for simplified Chinese, rather one
// with letters of half a square; or the first.
func simplified(all *opentype.Collection) (best *sfnt.Font, err error) {
	rank := -1
	for i := range all.NumFonts() {
		one, err := all.Font(i)
		if err != nil {
			return nil, err
		}
		fits := 0
		if name, err := one.Name(nil, sfnt.NameIDFamily); err == nil && strings.HasSuffix(name, " SC") {
			fits = 1 + strings.Count(name, "Mono")
		}
		if fits > rank {
			best, rank = one, fits
		}
	}
	return best, nil
}

// line prints a line of text as a picture, on the grid of the printer's own letters: a column for ASCII, two for anything else.
func (g *glyphs) line(b *escpos.Builder, l escpos.Layout, line device.Line) error {
	size := max(1, min(line.Size, 8))
	cell := l.Dots / l.Columns * size
	face, err := opentype.NewFace(g.font, &opentype.FaceOptions{Size: float64(2 * cell), DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return fmt.Errorf("font: %w", err)
	}
	defer face.Close()
	for _, text := range escpos.GBK.Wrap(escpos.Printable(line.Text), l.Columns/size) {
		m := draw(face, text, cell, line.Bold)
		if err := b.Picture(m, escpos.Align(line.Align)); err != nil {
			return err
		}
	}
	return nil
}

// draw gives one line in black and white, a quarter of its height higher than the letters: that is the space between lines.
func draw(face font.Face, text string, cell int, bold bool) escpos.Bitmap {
	width, height := max(1, escpos.GBK.Columns(text))*cell, 5*cell/2
	grey := image.NewAlpha(image.Rect(0, 0, width, height))
	pen := font.Drawer{Dst: grey, Src: image.Opaque, Face: face}
	x := 0
	for _, r := range text {
		room := cell
		if r >= utf8.RuneSelf {
			room = 2 * cell
		}
		left := x + max(0, room-pen.MeasureString(string(r)).Round())/2
		pen.Dot = fixed.P(left, 2*cell)
		pen.DrawString(string(r))
		if bold {
			pen.Dot = fixed.P(left+1, 2*cell)
			pen.DrawString(string(r))
		}
		x += room
	}
	m := escpos.NewBitmap(width, height)
	for y := range height {
		for x := range width {
			if grey.AlphaAt(x, y).A >= 0x80 {
				m.Blacken(x, y)
			}
		}
	}
	return m
}
