package escpos

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"testing"

	"pgregory.net/rapid"
)

// rowsOf puts the strips of a picture together.
func rowsOf(t interface{ Fatalf(string, ...any) }, items []Item) (rows []byte, rowBytes int) {
	for _, it := range items {
		strip, ok := it.(Raster)
		if !ok {
			t.Fatalf("the job holds %#v", it)
		}
		rowBytes = strip.RowBytes
		rows = append(rows, strip.Data...)
	}
	return rows, rowBytes
}

// TestPicturesHideNoCommands prints any dots: no command may hide in them, and what is on paper differs by lone dots only.
func TestPicturesHideNoCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewBitmap(rapid.IntRange(1, 24).Draw(t, "width"), rapid.IntRange(1, 2*stripRows+1).Draw(t, "height"))
		nasty := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 4, 5, 8, 0x10, 0x14, 0x1B, 0xFF}), 1, 40).Draw(t, "dots")
		for i := range m.Rows {
			m.Rows[i] = nasty[i%len(nasty)]
		}
		b := NewBuilder(paper58)
		if err := b.Picture(m, Center); err != nil {
			t.Fatal(err)
		}
		p := NewParser(GBK)
		items := p.Feed(b.Bytes())
		rows, _ := rowsOf(t, items)
		if p.Garbage() > 0 || len(rows) != len(m.Rows) {
			t.Fatalf("%d bytes of noise, %d bytes of %d printed", p.Garbage(), len(rows), len(m.Rows))
		}
		for i, want := range m.Rows {
			if got := rows[i]; got != want && (want != dle || got != dle|dle>>1) {
				t.Fatalf("byte %d is %#x, want %#x", i, got, want)
			}
		}
		for _, it := range items {
			for _, hidden := range []string{"\x10\x04", "\x10\x05", "\x10\x14"} {
				if bytes.Contains(it.(Raster).Data, []byte(hidden)) {
					t.Fatalf("% x is in the picture", hidden)
				}
			}
		}
	})
}

func TestDither(t *testing.T) {
	img := image.NewRGBA(image.Rect(10, 10, 10+768, 10+200)) // twice as wide as the paper
	for y := 10; y < 210; y++ {
		for x := 10; x < 778; x++ {
			switch {
			case x < 266:
				img.Set(x, y, color.Black)
			case x < 522:
				img.Set(x, y, color.Gray{Y: 0x80})
			} // the rest is transparent
		}
	}
	m, err := paper58.Dither(img)
	if err != nil || m.Width != 384 || m.Height != 100 {
		t.Fatalf("%d by %d dots, %v", m.Width, m.Height, err)
	}
	share := func(from, to int) float64 {
		black := 0
		for y := range m.Height {
			for x := from; x < to; x++ {
				if m.Black(x, y) {
					black++
				}
			}
		}
		return float64(black) / float64((to-from)*m.Height)
	}
	if black, grey, white := share(0, 120), share(140, 250), share(270, 384); black != 1 || grey < 0.4 || grey > 0.9 || white != 0 {
		t.Errorf("of the black part %.2f is black, of the grey %.2f, of the transparent %.2f", black, grey, white)
	}
	small, err := paper58.Dither(image.NewGray(image.Rect(0, 0, 9, 3)))
	if err != nil || small.Width != 9 || small.Height != 3 || len(small.Rows) != 6 || !small.Black(8, 2) {
		t.Errorf("a small black picture is %+v, %v", small, err)
	}
}

func TestBadPictures(t *testing.T) {
	if _, err := paper58.Dither(image.NewGray(image.Rect(0, 0, 0, 5))); !errors.Is(err, ErrPictureBroken) {
		t.Errorf("an empty picture: %v", err)
	}
	if _, err := paper58.Dither(image.NewGray(image.Rect(0, 0, 5, maxRows+1))); !errors.Is(err, ErrPictureTooLarge) {
		t.Errorf("a high picture: %v", err)
	}
	b := NewBuilder(paper58)
	for _, m := range []Bitmap{{}, {Width: 8, Height: 2, Rows: []byte{1}}, {Width: -8, Height: 1, Rows: []byte{1}}, {Width: 9, Height: 1, Rows: []byte{1}}} {
		if err := b.Picture(m, Left); !errors.Is(err, ErrPictureBroken) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if err := b.Picture(NewBitmap(385, 1), Left); !errors.Is(err, ErrPictureTooLarge) {
		t.Errorf("a wide picture: %v", err)
	}
	if len(b.Bytes()) != 0 {
		t.Error("bytes were appended")
	}
}

func TestStoredPicture(t *testing.T) {
	b := NewBuilder(paper58)
	b.Stored(1, Right)
	items := NewParser(GBK).Feed(b.Bytes())
	if len(items) != 1 || items[0] != (Stored{Align: Right, Number: 1}) || !bytes.Contains(b.Bytes(), []byte("\x1cp\x01\x00")) {
		t.Errorf("% x is %#v", b.Bytes(), items)
	}
}
