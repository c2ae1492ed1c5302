package hardware

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"halledge/firmware-protocols/escpos"
)

// fontFiles are where Debian keeps a Chinese font; the first that exists is used.
var fontFiles = [...]string{
	"/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
	"/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
}

// Cell is a column of font A in dots, and the height of its line.
const (
	cellWidth  = 12
	lineHeight = 34
	margin     = 24
)

// Painter draws slips as pictures of the paper.
type Painter struct{ font *opentype.Font }

// NewPainter loads a Chinese font. Without one the error names the Debian package.
func NewPainter() (*Painter, error) {
	for _, name := range fontFiles {
		raw, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read font: %w", err)
		}
		c, err := opentype.ParseCollection(raw)
		if err != nil {
			return nil, fmt.Errorf("font %s: %w", name, err)
		}
		f, err := c.Font(simplified(c))
		if err != nil {
			return nil, fmt.Errorf("font %s: %w", name, err)
		}
		return &Painter{font: f}, nil
	}
	return nil, errors.New("no Chinese font: apt-get install fonts-noto-cjk")
}

// simplified finds the member of a collection drawn for mainland China.
func simplified(c *opentype.Collection) int {
	for i := range c.NumFonts() {
		f, err := c.Font(i)
		if err != nil {
			continue
		}
		if name, err := f.Name(nil, 1); err == nil && name == "Noto Sans CJK SC" {
			return i
		}
	}
	return 0
}

// PNG draws a slip and writes it.
func (p *Painter) PNG(w io.Writer, s Slip) error {
	width := s.Layout.Dots + 2*margin
	img := image.NewGray(image.Rect(0, 0, width, p.height(s)))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	y := margin
	for _, it := range s.Items {
		h, err := p.draw(img, y, s.Layout, it)
		if err != nil {
			return err
		}
		y += h
	}
	if err := png.Encode(w, img); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

func (p *Painter) height(s Slip) int {
	h := 2 * margin
	for _, it := range s.Items {
		h += itemHeight(it, s.Layout)
	}
	return h
}

func itemHeight(it escpos.Item, l escpos.Layout) int {
	switch it := it.(type) {
	case escpos.Line:
		high := 1
		for _, r := range it.Runs {
			high = max(high, r.Height)
		}
		return high * lineHeight
	case escpos.Feed:
		return it.Lines*lineHeight + it.Dots
	case escpos.QR:
		return qrSide(it, l) + 8
	case escpos.Raster:
		if it.RowBytes > 0 {
			return len(it.Data) / it.RowBytes
		}
	}
	return 0
}

func (p *Painter) draw(img *image.Gray, y int, l escpos.Layout, it escpos.Item) (int, error) {
	switch it := it.(type) {
	case escpos.Line:
		if err := p.text(img, y, l, it); err != nil {
			return 0, err
		}
	case escpos.QR:
		if err := drawQR(img, y, l, it); err != nil {
			return 0, err
		}
	case escpos.Raster:
		drawRaster(img, y, l, it)
	}
	return itemHeight(it, l), nil
}

// text draws one line on the printer's grid: one column for half-width characters, two for Chinese ones.
func (p *Painter) text(img *image.Gray, y int, l escpos.Layout, line escpos.Line) error {
	x := margin + offset(line.Align, l.Dots, line.Columns(l.Charset)*cellWidth)
	for _, r := range line.Runs {
		face, err := opentype.NewFace(p.font, &opentype.FaceOptions{Size: float64(2 * cellWidth * r.Height), DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return fmt.Errorf("font size: %w", err)
		}
		d := font.Drawer{Dst: img, Src: image.Black, Face: face}
		for _, c := range r.Text {
			cell := l.Charset.Columns(string(c)) * cellWidth * r.Width
			glyph := font.MeasureString(face, string(c)).Round()
			base := fixed.P(x+max(0, cell-glyph)/2, y+lineHeight*r.Height*3/4)
			for bold := range boldPasses(r.Bold) {
				d.Dot = base.Add(fixed.P(bold, 0))
				d.DrawString(string(c))
			}
			x += cell
		}
		if err := face.Close(); err != nil {
			return fmt.Errorf("close font: %w", err)
		}
	}
	return nil
}

func boldPasses(bold bool) int {
	if bold {
		return 2
	}
	return 1
}

func offset(a escpos.Align, paper, width int) int {
	switch a {
	case escpos.Center:
		return max(0, (paper-width)/2)
	case escpos.Right:
		return max(0, paper-width)
	default:
		return 0
	}
}

// qrSide is the printed side of a code in dots: its modules come from the encoder.
func qrSide(q escpos.QR, l escpos.Layout) int {
	m, err := encodeQR(q)
	if err != nil {
		return 0
	}
	return min(m.GetWidth()*max(1, q.Dot), l.Dots)
}

func encodeQR(q escpos.QR) (*gozxing.BitMatrix, error) {
	hints := map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_ERROR_CORRECTION: "M", gozxing.EncodeHintType_MARGIN: 0, gozxing.EncodeHintType_CHARACTER_SET: "UTF-8"}
	m, err := qrcode.NewQRCodeWriter().Encode(string(q.Data), gozxing.BarcodeFormat_QR_CODE, 0, 0, hints)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	return m, nil
}

func drawQR(img *image.Gray, y int, l escpos.Layout, q escpos.QR) error {
	m, err := encodeQR(q)
	if err != nil {
		return err
	}
	dot := max(1, q.Dot)
	x := margin + offset(q.Align, l.Dots, m.GetWidth()*dot)
	for r := range m.GetHeight() {
		for c := range m.GetWidth() {
			if m.Get(c, r) {
				box := image.Rect(x+c*dot, y+r*dot, x+(c+1)*dot, y+(r+1)*dot)
				draw.Draw(img, box, image.Black, image.Point{}, draw.Src)
			}
		}
	}
	return nil
}

func drawRaster(img *image.Gray, y int, l escpos.Layout, r escpos.Raster) {
	if r.RowBytes == 0 {
		return
	}
	x := margin + offset(r.Align, l.Dots, r.RowBytes*8)
	for i, b := range r.Data {
		for bit := range 8 {
			if b&(0x80>>bit) != 0 {
				img.SetGray(x+(i%r.RowBytes)*8+bit, y+i/r.RowBytes, color.Gray{})
			}
		}
	}
}
