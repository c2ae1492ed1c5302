package escpos

import (
	"errors"
	"fmt"
	"image"
	"sync"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/encoder"

	"halledge/drivers/device"
	"halledge/firmware-protocols/escpos"
)

// maxLines bounds a slip: half a metre of text.
const maxLines = 150

// The cutters. Those that cut "here" do not move the paper to the cutter first.
const (
	cutNone        = "none"
	cutPartial     = "partial"
	cutFull        = "full"
	cutPartialHere = "partial_here"
	cutFullHere    = "full_here"
)

// The buzzers, by the command that sounds them.
const (
	buzzNone = "none"
	buzzB    = "esc_b"
	buzzBEL  = "esc_bel"
	buzzPort = "esc_gs_bel"
)

// setter turns slips into the bytes of one printer.
type setter struct {
	model model
	font  *glyphs // nil: none

	mu   sync.Mutex
	logo *image.Gray // the picture that was printed last; a hall prints one, again and again
	dots escpos.Bitmap
}

// set gives the printer's bytes for a slip.
func (s *setter) set(job device.PrintJob) ([]byte, error) {
	if len(job.Lines) > maxLines {
		return nil, fmt.Errorf("%d lines, at most %d fit a slip", len(job.Lines), maxLines)
	}
	b := escpos.NewBuilder(s.model.layout)
	b.Init()
	if s.model.codePage >= 0 {
		b.CodePage(s.model.codePage)
	}
	for i, line := range job.Lines {
		if err := s.line(b, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if job.Cut {
		s.cut(b)
	}
	if job.Beep {
		s.beep(b)
	}
	return b.Bytes(), nil
}

func (s *setter) cut(b *escpos.Builder) {
	switch s.model.cutter {
	case cutPartial:
		b.Cut(escpos.PartialCut)
	case cutFull:
		b.Cut(escpos.FullCut)
	case cutPartialHere:
		b.Feed(s.model.tear)
		b.Cut(escpos.PartialCutHere)
	case cutFullHere:
		b.Feed(s.model.tear)
		b.Cut(escpos.FullCutHere)
	default:
		b.Feed(s.model.tear)
	}
}

// beep sounds once for about a fifth of a second, as far as the maker's unit is known.
func (s *setter) beep(b *escpos.Builder) {
	switch s.model.buzzer {
	case buzzB:
		b.Beep(1, 2)
	case buzzBEL:
		b.BeepBEL(1, 2, 1)
	case buzzPort:
		b.BeepPort(10, 1)
	}
}

func (s *setter) line(b *escpos.Builder, line device.Line) error {
	align := escpos.Align(line.Align)
	switch {
	case line.QR != "" && s.model.qr == byUs:
		return qrPicture(b, line, align)
	case line.QR != "":
		return b.QR(line.QR, line.QRDot, align)
	case line.Code128 != "" && s.model.barcode == byUs:
		return barPicture(b, line.Code128, align)
	case line.Code128 != "":
		return b.Code128(line.Code128, align)
	case line.Picture != nil:
		return s.picture(b, line.Picture, align)
	case line.Rule:
		b.Rule()
	case line.Feed > 0:
		b.Feed(line.Feed)
	case s.font != nil && s.model.layout.Charset.Lacks(escpos.Printable(line.Text)):
		return s.font.line(b, s.model.layout, line)
	default:
		b.Line(line.Text, escpos.Style{Align: align, Size: line.Size, Bold: line.Bold})
	}
	return nil
}

// picture prints the logo, or what the printer has in its place.
func (s *setter) picture(b *escpos.Builder, logo *image.Gray, align escpos.Align) error {
	switch s.model.pictures {
	case byNobody:
		return nil
	case byStore:
		b.Stored(1, align)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if logo != s.logo {
		dots, err := s.model.layout.Dither(logo)
		if err != nil {
			return err
		}
		s.logo, s.dots = logo, dots
	}
	return b.Picture(s.dots, align)
}

// qrPicture draws the QR code here, for printers without commands for it. It holds UTF-8 without a mark of that (ECI), as the codes of
// printers do: some hand scanners do not know the mark.
func qrPicture(b *escpos.Builder, line device.Line, align escpos.Align) error {
	text := escpos.Printable(line.QR)
	if text == "" {
		return escpos.ErrQREmpty
	}
	code, err := encoder.Encoder_encode(text, decoder.ErrorCorrectionLevel_M, nil)
	if err != nil {
		return errors.Join(escpos.ErrQRTooLong, err)
	}
	matrix := code.GetMatrix()
	return b.QRPicture(matrix.GetWidth(), func(x, y int) bool { return matrix.Get(x, y) == 1 }, line.QRDot, align)
}

// barPicture draws the barcode here.
func barPicture(b *escpos.Builder, text string, align escpos.Align) error {
	noMargin := map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_MARGIN: 0}
	bars, err := oned.NewCode128Writer().Encode(text, gozxing.BarcodeFormat_CODE_128, 0, 1, noMargin)
	if err != nil {
		return errors.Join(escpos.ErrBarcodeText, err)
	}
	return b.BarPicture(bars.GetWidth(), func(x int) bool { return bars.Get(x, 0) }, align)
}
