package codes

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

const address = "http://127.0.0.1:8080/t/HE1.01JDA7XW9K3E5V5T7Q2Q0YB4ZC.0123456789abcdefghijkl"

func code(t *testing.T, side int) image.Image {
	t.Helper()
	m, err := QR(address, side)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// turned gives a picture turned by an angle, on a grey table.
func turned(m image.Image, degrees float64) image.Image {
	b := m.Bounds()
	side := int(float64(b.Dx()) * 1.6)
	out := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.Gray{Y: 180}), image.Point{}, draw.Src)
	from := image.NewRGBA(b)
	draw.Draw(from, b, m, b.Min, draw.Src)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	c, h := float64(side)/2, float64(b.Dx())/2
	draw.ApproxBiLinear.Transform(out, f64.Aff3{cos, -sin, c - h*cos + h*sin, sin, cos, c - h*sin - h*cos}, from, b, draw.Over, nil)
	return out
}

// dim gives a picture of a phone with a dark screen and noise.
func dim(m image.Image) image.Image {
	b := m.Bounds()
	out := image.NewGray(b)
	noise := rand.New(rand.NewPCG(1, 2))
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			v := color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y
			out.SetGray(x, y, color.Gray{Y: uint8(30 + int(v)/4 + noise.IntN(20))})
		}
	}
	return out
}

func inverted(m image.Image) image.Image {
	b := m.Bounds()
	out := image.NewGray(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			out.SetGray(x, y, color.Gray{Y: 255 - color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y})
		}
	}
	return out
}

// withoutMargin cuts the quiet zone off.
func withoutMargin(m image.Image) image.Image {
	b := m.Bounds()
	dark := image.Rectangle{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if color.GrayModel.Convert(m.At(x, y)).(color.Gray).Y < 128 {
				dark = dark.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	out := image.NewGray(image.Rect(0, 0, dark.Dx(), dark.Dy()))
	draw.Draw(out, out.Bounds(), m, dark.Min, draw.Src)
	return out
}

func asPNG(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadImage(t *testing.T) {
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, turned(code(t, 600), 12), &jpeg.Options{Quality: 40}); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"plain":          asPNG(t, code(t, 300)),
		"tiny":           asPNG(t, code(t, 57)),
		"big":            asPNG(t, code(t, 1800)),
		"on its side":    asPNG(t, turned(code(t, 400), 90)),
		"upside down":    asPNG(t, turned(code(t, 400), 180)),
		"askew":          asPNG(t, turned(code(t, 400), 33)),
		"dark":           asPNG(t, dim(code(t, 600))),
		"inverted":       asPNG(t, inverted(code(t, 600))),
		"without margin": asPNG(t, withoutMargin(code(t, 600))),
		"photo":          photo.Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			payload, symbology, err := read(t.Context(), data, time.Hour) // on however busy a machine
			if err != nil || payload.Reveal() != address || symbology != SymbologyQR {
				t.Fatalf("%q %s %v", payload.Reveal(), symbology, err)
			}
		})
	}
}

func TestReadBarcode(t *testing.T) {
	m, err := oned.NewCode128Writer().Encode("20261123000017", gozxing.BarcodeFormat_CODE_128, 500, 120, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, symbology, err := ReadImage(t.Context(), asPNG(t, m))
	if err != nil || payload.Reveal() != "20261123000017" || symbology != SymbologyCode128 {
		t.Fatalf("%q %s %v", payload.Reveal(), symbology, err)
	}
}

func TestReadImageRefuses(t *testing.T) {
	bomb := asPNG(t, code(t, 60))
	binary.BigEndian.PutUint32(bomb[16:], 60000) // the width, in the header chunk
	binary.BigEndian.PutUint32(bomb[20:], 60000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	blank := image.NewGray(image.Rect(0, 0, 300, 300))
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "cut off": asPNG(t, code(t, 300))[:200], "too many pixels": bomb, "blank": asPNG(t, blank),
	} {
		var e *Error
		if _, _, err := ReadImage(t.Context(), data); !errors.As(err, &e) || e.Code != Unreadable {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := ReadImage(ctx, asPNG(t, blank)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestGlance(t *testing.T) {
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, turned(code(t, 400), 12), &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	if payload, symbology, err := Glance(t.Context(), photo.Bytes()); err != nil || payload.Reveal() != address || symbology != SymbologyQR {
		t.Errorf("%s %v", symbology, err)
	}
	var e *Error
	if _, _, err := Glance(t.Context(), asPNG(t, image.NewGray(image.Rect(0, 0, 720, 720)))); !errors.As(err, &e) || e.Code != Unreadable {
		t.Errorf("nothing: %v", err)
	}
	if payload, _, err := read(t.Context(), photo.Bytes(), 0); err != nil || payload.Reveal() != address {
		t.Errorf("on a machine too slow for it: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Glance(ctx, photo.Bytes()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A JPEG that asks to be gone through for minutes is none.
func TestReadImageRefusesABomb(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, code(t, 1600), nil); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	at := bytes.Index(data, []byte{0xFF, 0xDA})
	scan := data[at : len(data)-2]
	bomb := slices.Concat(data[:at], bytes.Repeat(scan, 200), data[len(data)-2:])
	var e *Error
	if _, _, err := ReadImage(t.Context(), bomb); !errors.As(err, &e) || e.Code != Unreadable {
		t.Errorf("got %v", err)
	}
	if _, _, err := ReadImage(t.Context(), data); err != nil {
		t.Errorf("the same once: %v", err)
	}
}

func FuzzReadImage(f *testing.F) {
	m, err := QR(address, 60)
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("GIF89a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if cfg, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && cfg.Width*cfg.Height > 1<<16 {
			return // too slow to be tried often
		}
		_, _, _ = ReadImage(t.Context(), data)
	})
}
