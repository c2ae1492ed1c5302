package paper

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/encoder"
)

// raster prints a picture of GS v 0; a holds '0', the mode, and the sizes: bytes a row, rows.
func (m *machine) raster(a []byte) error {
	wide, high := int(a[2])|int(a[3])<<8, int(a[4])|int(a[5])<<8
	switch {
	case a[0] != '0' || a[1] != 0:
		return fmt.Errorf("picture of kind % x", a[:2])
	case len(m.line) > 0:
		return errors.New("a picture in the middle of a line")
	case wide == 0 || high == 0 || wide*8 > m.Dots+7:
		return fmt.Errorf("a picture of %d by %d dots", 8*wide, high)
	}
	data, err := m.data(wide * high)
	if err != nil {
		return err
	}
	m.note("[picture %dx%d%s]", 8*wide, high, m.where())
	return m.put(8*wide, high, func(x, y int) bool { return data[y*wide+x/8]&(0x80>>(x%8)) != 0 })
}

// put prints dots where the alignment wants them.
func (m *machine) put(wide, high int, black func(x, y int) bool) error {
	left, top := m.left(wide), m.height()
	if err := m.advance(high); err != nil {
		return err
	}
	for y := range high {
		for x := range wide {
			if black(x, y) {
				m.black(left+x, top+y)
			}
		}
	}
	return nil
}

// stored prints a picture out of the printer's own memory: what is on it is not known here, so it is a frame.
func (m *machine) stored(number int) error {
	const wide, high = 240, 80
	m.note("[stored picture %d%s]", number, m.where())
	return m.put(wide, high, func(x, y int) bool { return x < 2 || y < 2 || x >= wide-2 || y >= high-2 })
}

// block obeys GS ( k for QR codes: cn '1', then the function. a holds 'k' and the length of what follows.
func (m *machine) block(a []byte) error {
	if a[0] != 'k' {
		return errUnknown
	}
	b, err := m.data(int(a[1]) | int(a[2])<<8)
	switch {
	case err != nil:
		return err
	case m.NoQR:
		return errors.New("this printer draws no QR codes")
	case len(b) < 3 || b[0] != '1':
		return errUnknown
	}
	function, p := b[1], b[2:]
	switch {
	case function == 'A' && bytes.Equal(p, []byte{'2', 0}): // model 2
	case function == 'C' && len(p) == 1 && p[0] >= 1 && p[0] <= 16:
		m.qrDot = int(p[0])
	case function == 'E' && len(p) == 1 && p[0] >= '0' && p[0] <= '3':
		m.qrLevel = p[0]
	case function == 'P' && len(p) > 1 && p[0] == '0':
		m.qr = p[1:]
	case function == 'Q' && bytes.Equal(p, []byte{'0'}):
		return m.symbol()
	default:
		return errUnknown
	}
	return nil
}

// symbol prints the stored QR code. The printer draws no white around it.
func (m *machine) symbol() error {
	if len(m.qr) == 0 || len(m.line) > 0 {
		return errors.New("a QR code without data, or in the middle of a line")
	}
	if !utf8.Valid(m.qr) {
		return errors.New("a QR code that is no UTF-8, which phones take it for")
	}
	level := [...]decoder.ErrorCorrectionLevel{decoder.ErrorCorrectionLevel_L, decoder.ErrorCorrectionLevel_M,
		decoder.ErrorCorrectionLevel_Q, decoder.ErrorCorrectionLevel_H}[m.qrLevel-'0']
	code, err := encoder.Encoder_encode(string(m.qr), level, nil)
	if err != nil {
		return fmt.Errorf("QR code: %w", err)
	}
	matrix := code.GetMatrix()
	side := matrix.GetWidth() * m.qrDot
	if side > m.Dots {
		return fmt.Errorf("a QR code of %d dots", side)
	}
	m.note("[QR %d dots%s] %s", m.qrDot, m.where(), m.qr)
	return m.put(side, side, func(x, y int) bool { return matrix.Get(x/m.qrDot, y/m.qrDot) == 1 })
}

// bars prints a barcode of GS k, function B: n bytes of data. Only Code 128 is known.
func (m *machine) bars(system byte, n int) error {
	data, err := m.data(n)
	switch {
	case err != nil:
		return err
	case m.NoBarcode:
		return errors.New("this printer draws no barcodes")
	case system != 73 || len(m.line) > 0:
		return fmt.Errorf("barcode %d, or one in the middle of a line", system)
	}
	modules, text, err := code128(data)
	if err != nil {
		return err
	}
	if len(modules)*m.barDot > m.Dots {
		return fmt.Errorf("a barcode of %d dots: printers print nothing", len(modules)*m.barDot)
	}
	m.note("[Code 128 %d dots%s] %s", m.barDot, m.where(), text)
	return m.put(len(modules)*m.barDot, m.barHigh, func(x, _ int) bool { return modules[x/m.barDot] })
}
