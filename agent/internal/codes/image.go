package codes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // phones and scanners send any of these three
	_ "image/jpeg"
	_ "image/png"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"
	"golang.org/x/image/draw"

	"halledge/drivers/device"
)

// Unreadable says that a picture shows no code.
const Unreadable Code = "scan_unreadable"

// Bounds of pictures. More pixels than maxPixels cost more memory than a small machine has; a code is found faster in a picture
// of readSide than in a full one.
const (
	maxPixels = 25 << 20
	readSide  = 1400
	smallSide = 400 // below this a module may be a pixel or two: too little for the finders
)

// Symbologies a picture may show.
const (
	SymbologyQR      = "qr_code"
	SymbologyCode128 = "code_128"
)

// errBadPicture is the cause of Unreadable when the bytes are no picture that can be looked at.
var errBadPicture = errors.New("no picture of a known format and size")

// ReadImage finds the code in a picture (PNG, JPEG or GIF) and gives its payload and symbology. It fails with *Error Unreadable,
// or with ctx's error.
func ReadImage(ctx context.Context, data []byte) (payload device.Secret, symbology string, err error) {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxPixels/cfg.Height {
		return device.Secret{}, "", &Error{Code: Unreadable, Err: errBadPicture}
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return device.Secret{}, "", &Error{Code: Unreadable, Err: errBadPicture}
	}
	for _, side := range sides(img.Bounds()) {
		gray := paper(img, side)
		for _, try := range attempts() {
			if ctx.Err() != nil {
				return device.Secret{}, "", ctx.Err()
			}
			if text := try.read(gray); text != "" {
				return device.NewSecret(text), try.symbology, nil
			}
		}
	}
	return device.Secret{}, "", &Error{Code: Unreadable}
}

// sides gives the lengths of the longer side at which a picture is looked at, most promising first.
func sides(b image.Rectangle) []int {
	long := max(b.Dx(), b.Dy())
	switch {
	case long < smallSide:
		return []int{long * 4, long}
	case long > readSide:
		return []int{readSide, readSide / 2, min(long, 2*readSide)}
	}
	return []int{long, long / 2}
}

// paper gives a picture in grey on a white sheet with a margin, its longer side scaled: transparent codes and codes without a
// quiet zone are common on screens.
func paper(img image.Image, side int) *image.Gray {
	b := img.Bounds()
	long := max(b.Dx(), b.Dy())
	w, h := max(1, b.Dx()*side/long), max(1, b.Dy()*side/long)
	margin := side/16 + 4
	sheet := image.NewGray(image.Rect(0, 0, w+2*margin, h+2*margin))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	to := image.Rect(margin, margin, margin+w, margin+h)
	if side > long {
		draw.NearestNeighbor.Scale(sheet, to, img, b, draw.Over, nil)
	} else {
		draw.ApproxBiLinear.Scale(sheet, to, img, b, draw.Over, nil)
	}
	return sheet
}

// attempt is one way to look at a picture.
type attempt struct {
	symbology string
	reader    gozxing.Reader
	binarizer func(gozxing.LuminanceSource) gozxing.Binarizer
	inverted  bool // light on dark, as phones show codes at night
	pure      bool // nothing but the code, as screens and files show it: no search, which now and then finds a corner that is none
}

func attempts() []attempt {
	local, global := gozxing.NewHybridBinarizer, gozxing.NewGlobalHistgramBinarizer
	return []attempt{
		{symbology: SymbologyQR, reader: qrcode.NewQRCodeReader(), binarizer: local},
		{symbology: SymbologyQR, reader: qrcode.NewQRCodeReader(), binarizer: global},
		{symbology: SymbologyQR, reader: qrcode.NewQRCodeReader(), binarizer: global, pure: true},
		{symbology: SymbologyQR, reader: qrcode.NewQRCodeReader(), binarizer: local, inverted: true},
		{symbology: SymbologyCode128, reader: oned.NewCode128Reader(), binarizer: local}, // tries the picture on its side too
		{symbology: SymbologyCode128, reader: oned.NewCode128Reader(), binarizer: global},
	}
}

// read gives the code's text, or "" if this attempt finds none. The library panics on some damaged codes; that is a code that
// cannot be read.
func (a *attempt) read(gray *image.Gray) (text string) {
	defer func() {
		if recover() != nil {
			text = ""
		}
	}()
	src := gozxing.NewLuminanceSourceFromImage(gray)
	if a.inverted {
		src = src.Invert()
	}
	bitmap, err := gozxing.NewBinaryBitmap(a.binarizer(src))
	if err != nil {
		return ""
	}
	hint := gozxing.DecodeHintType_TRY_HARDER
	if a.pure {
		hint = gozxing.DecodeHintType_PURE_BARCODE
	}
	res, err := a.reader.Decode(bitmap, map[gozxing.DecodeHintType]any{hint: true})
	if err != nil {
		return ""
	}
	return res.GetText()
}

// QR draws a code for screens: black on white with a quiet zone, side pixels wide.
func QR(text string, side int) (image.Image, error) {
	m, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, side, side, nil)
	if err != nil {
		return nil, fmt.Errorf("codes: draw QR: %w", err)
	}
	return m, nil
}
