package escpos

import (
	"errors"
	"image"
	"image/color"
	"image/draw"

	scale "golang.org/x/image/draw"
)

// What can be wrong with a picture.
var (
	ErrPictureTooLarge = errors.New("escpos: picture does not fit the paper")
	ErrPictureBroken   = errors.New("escpos: rows of the picture are missing")
)

// maxRows is the height of a picture: a quarter of a metre at 203 dpi.
const maxRows = 2000

// Bitmap is a picture in black and white: one bit a dot, the leftmost in bit 7, 1 is black. Each row is filled up to whole bytes.
type Bitmap struct {
	Width, Height int
	Rows          []byte
}

// NewBitmap gives a white picture.
func NewBitmap(width, height int) Bitmap {
	return Bitmap{Width: width, Height: height, Rows: make([]byte, (width+7)/8*height)}
}

func (m Bitmap) rowBytes() int { return (m.Width + 7) / 8 }

// Blacken makes a dot black.
func (m Bitmap) Blacken(x, y int) { m.Rows[y*m.rowBytes()+x/8] |= 0x80 >> (x % 8) }

// Black reports whether a dot is black.
func (m Bitmap) Black(x, y int) bool { return m.Rows[y*m.rowBytes()+x/8]&(0x80>>(x%8)) != 0 }

// Dither makes a picture of black dots out of one with colours, at most as wide as the paper: greys become patterns of dots
// (Floyd-Steinberg), what is transparent stays white.
func (l Layout) Dither(img image.Image) (Bitmap, error) {
	size := img.Bounds().Size()
	if size.X <= 0 || size.Y <= 0 {
		return Bitmap{}, ErrPictureBroken
	}
	if size.X > l.Dots {
		size = image.Pt(l.Dots, max(1, size.Y*l.Dots/size.X))
	}
	if size.Y > maxRows {
		return Bitmap{}, ErrPictureTooLarge
	}
	paper := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(paper, paper.Rect, image.White, image.Point{}, draw.Src)
	scale.CatmullRom.Scale(paper, paper.Rect, img, img.Bounds(), draw.Over, nil)
	dots := image.NewPaletted(paper.Rect, color.Palette{color.White, color.Black})
	draw.FloydSteinberg.Draw(dots, dots.Rect, paper, image.Point{})
	m := NewBitmap(size.X, size.Y)
	for y := range size.Y {
		for x := range size.X {
			if dots.ColorIndexAt(x, y) == 1 {
				m.Blacken(x, y)
			}
		}
	}
	return m, nil
}

// Picture prints a picture in strips, because the buffers of small printers overflow on more. After an error the job is as it
// was before.
func (b *Builder) Picture(m Bitmap, align Align) error {
	switch {
	case m.Width <= 0 || m.Height <= 0 || len(m.Rows) != m.rowBytes()*m.Height:
		return ErrPictureBroken
	case m.Width > b.layout.Dots || m.Height > maxRows:
		return ErrPictureTooLarge
	}
	b.Align(align)
	for rows := m.Rows; len(rows) > 0; {
		strip := rows[:min(len(rows), stripRows*m.rowBytes())]
		b.raster(m.rowBytes(), strip)
		rows = rows[len(strip):]
	}
	b.Align(Left)
	return nil
}

// raster prints rows of dots, the leftmost dot in bit 7 (GS v 0). Printers obey DLE EOT, DLE ENQ and DLE DC4 inside pictures too,
// and the last of them may switch them off. So a DLE that begins one, which is a lone dot, gets a second dot beside it.
func (b *Builder) raster(rowBytes int, data []byte) {
	rows := len(data) / rowBytes
	b.add(gs, 'v', '0', 0, byte(rowBytes), byte(rowBytes>>8), byte(rows), byte(rows>>8))
	from := len(b.buf)
	b.add(data...)
	for i := from; i+1 < len(b.buf); i++ {
		if next := b.buf[i+1]; b.buf[i] == dle && (next == 0x04 || next == 0x05 || next == 0x14) {
			b.buf[i] |= dle >> 1
		}
	}
}

// Stored prints a picture that somebody stored in the printer with its maker's tool, 1 to 255 (FS p).
func (b *Builder) Stored(number int, align Align) {
	b.Align(align)
	b.add(fs, 'p', byte(clamp(number, 1, 255)), 0)
	b.Align(Left)
}
