package paper

import (
	"errors"
	"fmt"
	"image"
	"os"
	"sync"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// fontFiles are where Debian keeps a Chinese font; the first that exists is used.
var fontFiles = [...]string{
	"/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
	"/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
}

// fontName is the member of Noto's collection that mainland China reads, with letters of half a square as printers have them.
const fontName = "Noto Sans Mono CJK SC"

// baseline is where the letters of a cell of 24 dots stand.
const baseline = 21

// Font draws the characters that printers have in their memory. It may be used by several printers at once.
type Font struct {
	mu    sync.Mutex
	face  font.Face
	drawn map[rune]glyph
}

// glyph is a character in black and white: 24 rows of 12 or 24 dots.
type glyph struct {
	wide int
	dots []bool
}

func (g glyph) black(x, y int) bool { return g.dots[y*g.wide+x] }

// LoadFont finds a Chinese font on this machine. Without one the error names the Debian package. The file stays open: characters are
// read as they are needed.
func LoadFont() (*Font, error) {
	for _, name := range fontFiles {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read font: %w", err)
		}
		face, err := openFace(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("font %s: %w", name, err), f.Close())
		}
		return &Font{face: face, drawn: map[rune]glyph{}}, nil
	}
	return nil, errors.New("no Chinese font: apt-get install fonts-noto-cjk")
}

func openFace(f *os.File) (font.Face, error) {
	c, err := opentype.ParseCollectionReaderAt(f)
	if err != nil {
		return nil, err
	}
	member := 0
	for i := range c.NumFonts() {
		one, err := c.Font(i)
		if err != nil {
			return nil, err
		}
		if name, err := one.Name(nil, 1); err == nil && name == fontName {
			member = i
		}
	}
	one, err := c.Font(member)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(one, &opentype.FaceOptions{Size: cellHigh, DPI: 72, Hinting: font.HintingFull})
}

// glyph draws a character, in the middle of its cell where it is narrower.
func (f *Font) glyph(r rune) (glyph, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g, ok := f.drawn[r]; ok {
		return g, nil
	}
	g := glyph{wide: 2 * cellWide}
	if r < utf8.RuneSelf {
		g.wide = cellWide
	}
	advance, ok := f.face.GlyphAdvance(r)
	if !ok {
		return glyph{}, fmt.Errorf("the font has no %q", r)
	}
	grey := image.NewAlpha(image.Rect(0, 0, g.wide, cellHigh))
	left := max(0, (g.wide-advance.Round())/2)
	pen := font.Drawer{Dst: grey, Src: image.Opaque, Face: f.face, Dot: fixed.P(left, baseline)}
	pen.DrawString(string(r))
	g.dots = make([]bool, g.wide*cellHigh)
	for i, a := range grey.Pix {
		g.dots[i] = a >= 0x80
	}
	f.drawn[r] = g
	return g, nil
}
