package qr_test

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"

	"halledge/firmware-protocols/qr"
)

const ticket = "http://192.0.2.10:8080/t/HE1.01JDA7XW9K3E5V5T7Q2Q0YB4ZC.0123456789abcdefghijkl"

// drawn gives a code as it is drawn for screens.
func drawn(t testing.TB, text string, side int) *image.Gray {
	t.Helper()
	m, err := qr.Draw(text, side)
	if err != nil {
		t.Fatal(err)
	}
	return gray(m)
}

func gray(m image.Image) *image.Gray {
	g := image.NewGray(m.Bounds())
	draw.Draw(g, g.Bounds(), m, m.Bounds().Min, draw.Src)
	return g
}

// seen gives a picture of w×h pixels: from says which place of the code each pixel shows; what is outside is a grey table.
func seen(code *image.Gray, w, h int, from func(x, y float64) (float64, float64)) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := 0.0
			for k := range 9 {
				u, w := from(float64(x)+float64(k%3)/3+1./6, float64(y)+float64(k/3)/3+1./6)
				p := image.Pt(int(math.Floor(u)), int(math.Floor(w)))
				if p.In(code.Rect) {
					v += float64(code.GrayAt(p.X, p.Y).Y) / 9
				} else {
					v += 130. / 9
				}
			}
			out.Pix[y*out.Stride+x] = uint8(v)
		}
	}
	return out
}

func texts(s qr.Sight) []string {
	var all []string
	for _, c := range s.Codes {
		all = append(all, c.Text)
	}
	return all
}

func TestReadsAllVersions(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 14, 60, 150, 400, 900, 1800, 2900} { // versions 1 to 40
		text := strings.Repeat("政务0123456789", n/16) + strings.Repeat("a", n%16)
		s := qr.Read(drawn(t, text, 650), nil)
		if !slices.Equal(texts(s), []string{text}) || s.Codes[0].Symbology != qr.QR || !s.Shown {
			t.Errorf("%d bytes: read %d codes, shown %v", len(text), len(s.Codes), s.Shown)
		}
	}
}

func TestReadsAtEveryAngle(t *testing.T) {
	t.Parallel()
	code := drawn(t, ticket, 200)
	for angle := 0; angle < 360; angle += 15 {
		sin, cos := math.Sincos(float64(angle) * math.Pi / 180)
		img := seen(code, 400, 360, func(x, y float64) (float64, float64) {
			x, y = x-210, y-170
			return 100 + x*cos + y*sin, 100 - x*sin + y*cos
		})
		s := qr.Read(img, nil)
		if !slices.Equal(texts(s), []string{ticket}) {
			t.Errorf("at %d degrees: %q, shown %v", angle, texts(s), s.Shown)
			continue
		}
		if a := s.Codes[0].Area; !image.Pt(210, 170).In(a) || a.Dx() > 300 || a.Dx() < 120 {
			t.Errorf("at %d degrees the code is at %v", angle, a)
		}
	}
}

func TestReadsBentAndTilted(t *testing.T) {
	t.Parallel()
	code := drawn(t, ticket, 300)
	for name, from := range map[string]func(x, y float64) (float64, float64){
		"rolled": func(x, y float64) (float64, float64) {
			return 150 + 170*math.Asin(min(max((x-200)/170, -1), 1)), y - 30
		},
		"waves": func(x, y float64) (float64, float64) { return x - 50 + 5*math.Sin(y/40), y - 40 + 4*math.Sin(x/55) },
		"tilted": func(x, y float64) (float64, float64) {
			d := 1 + 0.0018*(y-200)
			return 150 + (x-200)*d, 150 + (y-200)*d*1.3
		},
		"mirrored": func(x, y float64) (float64, float64) { return 350 - x, y - 40 },
	} {
		if s := qr.Read(seen(code, 400, 400, from), nil); !slices.Equal(texts(s), []string{ticket}) {
			t.Errorf("%s: %q, shown %v", name, texts(s), s.Shown)
		}
	}
}

func TestReadsInverted(t *testing.T) {
	t.Parallel()
	code := drawn(t, ticket, 300)
	for i, v := range code.Pix {
		code.Pix[i] = 200 - v/2
	}
	if s := qr.Read(code, nil); !slices.Equal(texts(s), []string{ticket}) {
		t.Errorf("read %q", texts(s))
	}
}

// A part of a bigger image has rows that are longer than it is wide.
func TestReadsPartOfImage(t *testing.T) {
	t.Parallel()
	sheet := image.NewGray(image.Rect(0, 0, 900, 400))
	draw.Draw(sheet, sheet.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(sheet, image.Rect(20, 20, 320, 320), drawn(t, "left", 300), image.Point{}, draw.Src)
	draw.Draw(sheet, image.Rect(420, 20, 670, 270), drawn(t, "right", 250), image.Point{}, draw.Src)
	if s := qr.Read(sheet, nil); !slices.Equal(texts(s), []string{"left", "right"}) {
		t.Errorf("both: %q", texts(s))
	}
	part := sheet.SubImage(image.Rect(400, 0, 900, 400)).(*image.Gray)
	if s := qr.Read(part, nil); !slices.Equal(texts(s), []string{"right"}) {
		t.Errorf("part: %q", texts(s))
	}
}

func TestReadsBarsAtEveryAngle(t *testing.T) {
	t.Parallel()
	const number = "20261123000017"
	m, err := oned.NewCode128Writer().Encode(number, gozxing.BarcodeFormat_CODE_128, 360, 100, nil)
	if err != nil {
		t.Fatal(err)
	}
	code := gray(m)
	for angle := 0; angle < 360; angle += 15 {
		sin, cos := math.Sincos(float64(angle) * math.Pi / 180)
		s := qr.Read(seen(code, 480, 480, func(x, y float64) (float64, float64) {
			x, y = x-240, y-240
			return 180 + x*cos + y*sin, 50 - x*sin + y*cos
		}), nil)
		if !slices.Equal(texts(s), []string{number}) || s.Codes[0].Symbology != qr.Code128 || s.Shown {
			t.Errorf("at %d degrees: %q, shown %v", angle, texts(s), s.Shown)
		}
	}
}

// A code that is there and cannot be read is told from none: people are asked to hold it still.
func TestShownButUnreadable(t *testing.T) {
	t.Parallel()
	code := drawn(t, ticket, 360)
	random := rand.New(rand.NewPCG(1, 2))
	const module = 8 // 37 of them, with a margin of four
	for y := range 10 {
		for x := range 22 {
			v := uint8(random.IntN(2) * 255)
			for i := range module * module {
				code.SetGray(32+(12+x)*module+i%module, 32+(12+y)*module+i/module, color.Gray{Y: v})
			}
		}
	}
	if s := qr.Read(code, nil); !s.Shown || len(s.Codes) > 0 {
		t.Errorf("shown %v, read %q", s.Shown, texts(s))
	}
}

func TestNothingToRead(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	noise, even := image.NewGray(image.Rect(0, 0, 320, 240)), image.NewGray(image.Rect(0, 0, 320, 240))
	for i := range noise.Pix {
		noise.Pix[i] = uint8(random.IntN(256))
	}
	for name, img := range map[string]*image.Gray{
		"noise": noise, "one grey": even, "no pixels": image.NewGray(image.Rectangle{}), "a line": image.NewGray(image.Rect(0, 0, 3000, 1)),
	} {
		if s := qr.Read(img, nil); s.Shown || len(s.Codes) > 0 {
			t.Errorf("%s: shown %v, read %q", name, s.Shown, texts(s))
		}
	}
}

// Stripes of any width, on cloth and in print, are no code.
func TestStripesAreNoCode(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8, 9))
	for range 60 {
		img := image.NewGray(image.Rect(0, 0, 400, 120))
		widest, light := 1+random.IntN(9), false
		for x := 0; x < 400; light = !light {
			for end := x + 1 + random.IntN(widest); x < min(end, 400); x++ {
				for y := range 120 {
					img.Pix[y*img.Stride+x] = map[bool]uint8{true: 220, false: 40}[light]
				}
			}
		}
		if s := qr.Read(img, nil); len(s.Codes) > 0 {
			t.Fatalf("stripes up to %d wide read as %q", widest, texts(s))
		}
	}
}

// Nothing is tried any more once there is no more time.
func TestStopsWhenAsked(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	noise := image.NewGray(image.Rect(0, 0, 320, 240))
	for i := range noise.Pix {
		noise.Pix[i] = uint8(random.IntN(256))
	}
	if s := qr.Read(drawn(t, ticket, 300), func() bool { return false }); len(s.Codes) > 0 {
		t.Error("read without time")
	}
	asked := 0
	qr.Read(noise, func() bool { asked++; return asked < 3 })
	if asked < 3 || asked > 6 {
		t.Errorf("asked %d times after there was no more time at the third", asked)
	}
}

func TestDrawRefuses(t *testing.T) {
	t.Parallel()
	if _, err := qr.Draw(strings.Repeat("a", 3000), 300); err == nil {
		t.Error("drew 3000 bytes, of which a code holds 2953")
	}
}

func FuzzRead(f *testing.F) {
	code := drawn(f, "A017", 29)
	f.Add(uint8(code.Rect.Dx()), code.Pix)
	f.Add(uint8(40), []byte(strings.Repeat("\x00\xff\xff\x00\xff\x00\x00\x00\xff\x00", 160)))
	f.Fuzz(func(t *testing.T, width uint8, pix []byte) {
		w := int(width)
		if w == 0 || len(pix) > 1<<13 {
			return
		}
		h := len(pix) / w
		tries := 0
		s := qr.Read(&image.Gray{Pix: pix[:w*h], Stride: w, Rect: image.Rect(0, 0, w, h)}, func() bool { tries++; return tries < 60 })
		for _, c := range s.Codes {
			if c.Text == "" {
				t.Error("a code without a text")
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	img := seen(drawn(b, ticket, 300), 1280, 720, func(x, y float64) (float64, float64) { return 0.9*x + 0.4*y - 600, 0.9*y - 0.4*x + 100 })
	for b.Loop() {
		if s := qr.Read(img, nil); len(s.Codes) != 1 {
			b.Fatal("not read")
		}
	}
}
