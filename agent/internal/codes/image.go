package codes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // phones and scanners send any of these three
	_ "image/jpeg"
	_ "image/png"
	"time"

	"golang.org/x/image/draw"

	"halledge/drivers/device"
	"halledge/firmware-protocols/mjpeg"
	"halledge/firmware-protocols/qr"
)

// Unreadable says that a picture shows no code.
const Unreadable Code = "scan_unreadable"

// Bounds of pictures, in pixels. More than maxPixels cost more memory than a small machine has: up to 12 bytes each while a picture is
// unpacked. Below smallSide a module may be a pixel or two, too little for the finders.
const (
	maxPixels = 16 << 20
	smallSide = 400
	// maxWork is how many pixels of all scans of a JPEG together are unpacked: a progressive one goes through its pixels many times, and
	// nobody can stop that.
	maxWork = 128 << 20
)

// Symbologies a picture may show.
const (
	SymbologyQR      = string(qr.QR)
	SymbologyCode128 = string(qr.Code128)
)

// errBadPicture is the cause of Unreadable when the bytes are no picture that can be looked at.
var errBadPicture = errors.New("no picture of a known format and size")

// A picture is looked at for readTime, one of many for glanceTime; on a slow machine at least so far as the first leastTries ways to look
// go.
const (
	readTime   = 2 * time.Second
	glanceTime = 150 * time.Millisecond
	leastTries = 4
)

// ReadImage finds the code in a picture (PNG, JPEG or GIF), of several the biggest, and gives its payload and symbology. It fails with
// *Error Unreadable, or with ctx's error.
func ReadImage(ctx context.Context, data []byte) (payload device.Secret, symbology string, err error) {
	return read(ctx, data, readTime)
}

// Glance is ReadImage for one picture of many that a camera takes: where no code is, all ways to look take long, and the next picture is a
// better one.
func Glance(ctx context.Context, data []byte) (payload device.Secret, symbology string, err error) {
	return read(ctx, data, glanceTime)
}

// read finds the code in a picture in about so much time.
func read(ctx context.Context, data []byte, within time.Duration) (payload device.Secret, symbology string, err error) {
	end, tries := time.Now().Add(within), 0
	cfg, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || cfg.Width < 1 || cfg.Height < 1 || cfg.Width > maxPixels/cfg.Height ||
		format == "jpeg" && mjpeg.Scans(data) > maxWork/(cfg.Width*cfg.Height) {
		return device.Secret{}, "", &Error{Code: Unreadable, Err: errBadPicture}
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return device.Secret{}, "", &Error{Code: Unreadable, Err: errBadPicture}
	}
	sight := qr.Read(paper(img), func() bool {
		tries++
		return ctx.Err() == nil && (tries <= leastTries || time.Now().Before(end))
	})
	switch {
	case len(sight.Codes) > 0:
		return device.NewSecret(sight.Codes[0].Text), string(sight.Codes[0].Symbology), nil
	case ctx.Err() != nil:
		return device.Secret{}, "", ctx.Err()
	}
	return device.Secret{}, "", &Error{Code: Unreadable}
}

// paper gives a picture in grey on a white sheet with a margin, a small one four times as big: transparent codes and codes without a
// quiet zone are common on screens.
func paper(img image.Image) *image.Gray {
	b := img.Bounds()
	scale := 1
	if max(b.Dx(), b.Dy()) < smallSide {
		scale = 4
	}
	w, h := b.Dx()*scale, b.Dy()*scale
	margin := max(w, h)/16 + 4
	sheet := image.NewGray(image.Rect(0, 0, w+2*margin, h+2*margin))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	to := image.Rect(margin, margin, margin+w, margin+h)
	if photo, ok := img.(*image.YCbCr); ok { // its grey is there already
		img = &image.Gray{Pix: photo.Y, Stride: photo.YStride, Rect: photo.Rect}
	}
	draw.NearestNeighbor.Scale(sheet, to, img, b, draw.Over, nil)
	return sheet
}

// QR draws a code for screens: black on white with a quiet zone, side pixels wide.
func QR(text string, side int) (image.Image, error) {
	m, err := qr.Draw(text, side)
	if err != nil {
		return nil, fmt.Errorf("codes: %w", err)
	}
	return m, nil
}
