package mjpeg

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// picture gives a JPEG of w×h pixels, with colours and grain.
func picture(t testing.TB, w, h int) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{R: uint8(x * 3), G: uint8(y * 5), B: uint8(random.IntN(256)), A: 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withoutTables takes the Huffman tables out of a JPEG, as cameras leave them away.
func withoutTables(t testing.TB, data []byte) []byte {
	t.Helper()
	i := bytes.Index(data, []byte{0xFF, dht})
	if i < 0 {
		t.Fatal("no tables")
	}
	n := int(data[i+2])<<8 | int(data[i+3])
	return append(bytes.Clone(data[:i]), data[i+2+n:]...)
}

// However a stream is cut into pieces, and whatever lies between its pictures, all come out.
func TestReader(t *testing.T) {
	t.Parallel()
	pictures := [][]byte{picture(t, 64, 48), picture(t, 16, 16), withoutTables(t, picture(t, 40, 40))}
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		between := 0
		for _, p := range pictures {
			noise := rapid.SliceOfN(rapid.ByteRange(0, 0xFE), 0, 50).Draw(t, "noise") // no 0xFF: it begins no picture
			stream = append(append(stream, noise...), p...)
			between += len(noise)
		}
		var r Reader
		var got [][]byte
		for len(stream) > 0 {
			n := min(len(stream), rapid.IntRange(1, 900).Draw(t, "piece"))
			got = append(got, r.Feed(stream[:n])...)
			stream = stream[n:]
		}
		if len(got) != len(pictures) {
			t.Fatalf("%d pictures, want %d", len(got), len(pictures))
		}
		for i := range got {
			if !bytes.Equal(got[i], pictures[i]) {
				t.Fatalf("picture %d has %d bytes, want %d", i, len(got[i]), len(pictures[i]))
			}
		}
		if r.Garbage() != between {
			t.Fatalf("%d bytes of garbage, want %d", r.Garbage(), between)
		}
	})
}

// A picture that breaks off costs at most itself once the next ones have arrived.
func TestReaderAfterABrokenPicture(t *testing.T) {
	t.Parallel()
	whole := picture(t, 64, 48)
	for cut := 3; cut < len(whole)-1; cut += 7 {
		var r Reader
		r.Feed(whole[:cut])
		got := 0
		for range 70000 / len(whole) { // a length that was cut may swallow 64 KiB
			for _, p := range r.Feed(whole) {
				if bytes.Equal(p, whole) {
					got++
				}
			}
		}
		if got == 0 {
			t.Fatalf("nothing was read after a picture that breaks off at byte %d", cut)
		}
	}
}

func TestReaderBounds(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Feed([]byte{0xFF, soi, 0xFF, sos, 0, 2})
	piece := make([]byte, 64<<10)
	for range MaxPicture/len(piece) + 2 {
		if got := r.Feed(piece); len(got) > 0 {
			t.Fatal("a picture without an end")
		}
		if len(r.buf) > MaxPicture+len(piece) {
			t.Fatalf("it keeps %d bytes", len(r.buf))
		}
	}
	if r.Garbage() < MaxPicture {
		t.Errorf("%d bytes of garbage", r.Garbage())
	}
	if got := r.Feed(picture(t, 16, 16)); len(got) != 1 {
		t.Errorf("%d pictures afterwards", len(got))
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	whole := picture(t, 123, 45)
	for name, data := range map[string][]byte{"with tables": whole, "without": withoutTables(t, whole)} {
		p, err := Parse(data)
		if err != nil || p.Width != 123 || p.Height != 45 {
			t.Fatalf("%s: %d×%d, %v", name, p.Width, p.Height, err)
		}
		got, err := jpeg.Decode(bytes.NewReader(p.Data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, err := jpeg.Decode(bytes.NewReader(whole))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.(*image.YCbCr).Y, want.(*image.YCbCr).Y) || !bytes.Equal(got.(*image.YCbCr).Cb, want.(*image.YCbCr).Cb) {
			t.Errorf("%s: the picture is another one", name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	whole := picture(t, 16, 16)
	scan := bytes.Index(whole, []byte{0xFF, sos})
	frame := bytes.Index(whole, []byte{0xFF, sof0})
	for name, data := range map[string][]byte{
		"nothing": nil, "no JPEG": []byte("GIF89a....."), "only a beginning": whole[:2], "cut before its data": whole[:scan],
		"cut in a segment": whole[:frame+6], "no frame header": append(bytes.Clone(whole[:frame]), whole[scan:]...),
		"a frame header of nothing": append(append(bytes.Clone(whole[:frame]), 0xFF, sof0, 0, 2), whole[scan:]...),
		"a length of one":           {0xFF, soi, 0xFF, 0xE0, 0, 1, 0, 0, 0, 0},
	} {
		if _, err := Parse(data); !errors.Is(err, ErrPicture) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A JPEG may ask to be gone through thousands of times, which costs it a few bytes each.
func TestParseRefusesABomb(t *testing.T) {
	data := picture(t, 64, 64)
	at := bytes.Index(data, []byte{0xFF, sos})
	scan := data[at : len(data)-2]
	for scans, ok := range map[int]bool{1: true, 3: true, 5: false, 5000: false} {
		all := slices.Concat(data[:at], bytes.Repeat(scan, scans), data[len(data)-2:])
		if n := Scans(all); n != scans {
			t.Errorf("%d scans are counted as %d", scans, n)
		}
		if _, err := Parse(all); (err == nil) != ok || err != nil && !errors.Is(err, ErrPicture) {
			t.Errorf("%d scans: %v", scans, err)
		}
	}
}

// Beginnings within beginnings that all lead to the same wrong end are walked through once: by each for itself this takes minutes.
func TestNestedBeginnings(t *testing.T) {
	unit := []byte{0xFF, 0xE0, 0, 8, 0xFF, 0xD8, 0xFF, 0xE0, 0, 2}
	var r Reader
	if got := r.Feed(append(start[:2:2], bytes.Repeat(unit, MaxPicture/len(unit)/2)...)); got != nil {
		t.Errorf("%d pictures", len(got))
	}
	if got := r.Feed([]byte{0, 0, 0, 0}); got != nil {
		t.Errorf("%d pictures", len(got))
	}
	want := picture(t, 32, 32)
	if got := r.Feed(want); len(got) != 1 || !bytes.Equal(got[0], want) {
		t.Errorf("%d pictures after it", len(got))
	}
}

func FuzzReader(f *testing.F) {
	small := picture(f, 8, 8)
	f.Add(small, uint16(10))
	f.Add(append(bytes.Clone(small[:100]), small...), uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		var r Reader
		total := 0
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			for _, p := range r.Feed(rest[:n]) {
				total += len(p)
				if !bytes.HasPrefix(p, start[:]) || !bytes.HasSuffix(p, []byte{0xFF, eoi}) {
					t.Errorf("a picture that begins with % x and ends with % x", p[:3], p[len(p)-2:])
				}
				if q, err := Parse(p); err == nil && len(q.Data) < len(p) {
					t.Error("Parse lost a part")
				}
			}
			rest = rest[n:]
		}
		if total+r.Garbage()+len(r.buf) != len(stream) {
			t.Errorf("of %d bytes came %d in pictures, %d as garbage, and %d wait", len(stream), total, r.Garbage(), len(r.buf))
		}
	})
}
