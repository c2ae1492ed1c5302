package escpos

import (
	"errors"
	"fmt"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/encoder"

	"halledge/drivers/device"
	"halledge/firmware-protocols/escpos"
)

// maxLines bounds a slip: half a metre of text.
const maxLines = 150

// build turns a slip into the printer's bytes.
func (m model) build(job device.PrintJob) ([]byte, error) {
	if len(job.Lines) > maxLines {
		return nil, fmt.Errorf("%d lines, at most %d fit a slip", len(job.Lines), maxLines)
	}
	b := escpos.NewBuilder(m.layout)
	b.Init()
	for i, line := range job.Lines {
		if err := m.line(b, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if job.Cut {
		if m.cut == 0 {
			b.Feed(m.tear)
		} else {
			b.Cut(m.cut)
		}
	}
	if job.Beep && m.buzzer {
		b.Beep(1, 2)
	}
	return b.Bytes(), nil
}

func (m model) line(b *escpos.Builder, line device.Line) error {
	align := escpos.Align(line.Align)
	switch {
	case line.QR != "" && m.picture:
		return picture(b, line, align)
	case line.QR != "":
		return b.QR(line.QR, line.QRDot, align)
	case line.Rule:
		b.Rule()
	case line.Feed > 0:
		b.Feed(line.Feed)
	default:
		b.Line(line.Text, escpos.Style{Align: align, Size: line.Size, Bold: line.Bold})
	}
	return nil
}

// picture draws the QR code here, for printers without commands for it.
func picture(b *escpos.Builder, line device.Line, align escpos.Align) error {
	hints := map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_CHARACTER_SET: "UTF-8"}
	code, err := encoder.Encoder_encode(escpos.Printable(line.QR), decoder.ErrorCorrectionLevel_M, hints)
	if err != nil {
		return errors.Join(escpos.ErrQRTooLong, err)
	}
	matrix := code.GetMatrix()
	return b.QRPicture(matrix.GetWidth(), func(x, y int) bool { return matrix.Get(x, y) == 1 }, line.QRDot, align)
}
