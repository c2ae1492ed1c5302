package qr

import (
	"fmt"
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// decode reads the modules that are darker than their limits. The library panics on some damaged codes; that is a code that cannot
// be read.
func decode(m modules, limits []float64) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	bits, err := gozxing.NewSquareBitMatrix(m.dim)
	if err != nil {
		return "", false
	}
	for i, v := range m.grey {
		if v < limits[i] {
			bits.Set(i%m.dim, i/m.dim)
		}
	}
	result, err := decoder.NewDecoder().Decode(bits, nil)
	if err != nil {
		return "", false
	}
	return result.GetText(), result.GetText() != ""
}

// Draw draws a QR code for screens: black on white with a quiet zone, side pixels wide or a little more.
func Draw(text string, side int) (image.Image, error) {
	m, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, side, side, nil)
	if err != nil {
		return nil, fmt.Errorf("draw QR: %w", err)
	}
	return m, nil
}
