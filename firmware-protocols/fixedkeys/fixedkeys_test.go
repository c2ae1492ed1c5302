package fixedkeys

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"halledge/firmware-protocols/internal/stream"
)

func digits() [][]byte { return [][]byte{nil, []byte("1"), []byte("2"), []byte("3"), []byte("4")} }

func long() [][]byte { return [][]byte{{0xA5, 1, 0x5A}, {0xA5, 2, 0x5A}, {0xB0}} }

func all(d *Decoder) (keys []int) {
	for k, ok := d.Next(); ok; k, ok = d.Next() {
		keys = append(keys, k)
	}
	return keys
}

func TestDecoder(t *testing.T) {
	for name, c := range map[string]struct {
		keys    [][]byte
		line    string
		want    []int
		garbage uint64
	}{
		"a digit":                    {digits(), "1", []int{1}, 0},
		"digits in noise":            {digits(), "x4\r\n2", []int{4, 2}, 3},
		"three bytes":                {long(), "\xa5\x02\x5a\xa5\x01\x5a", []int{1, 0}, 0},
		"a key after half of one":    {long(), "\xa5\x02\xa5\x01\x5a", []int{0}, 2},
		"a key after its first byte": {long(), "\xa5\xa5\x01\x5a\xb0", []int{0, 2}, 1},
		"half of one":                {long(), "\xa5\x01", nil, 0},
		"nothing":                    {long(), "\x00\x01\x5a", nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 100} {
				d, err := New(c.keys)
				if err != nil {
					t.Fatal(err)
				}
				var got []int
				for part := range slices.Chunk([]byte(c.line), piece) {
					d.Push(part)
					got = append(got, all(d)...)
				}
				if !slices.Equal(got, c.want) || d.Garbage() != c.garbage {
					t.Errorf("in pieces of %d: keys %v, garbage %d; want %v, %d", piece, got, d.Garbage(), c.want, c.garbage)
				}
			}
		})
	}
}

func TestKeepsLittle(t *testing.T) {
	d, err := New(long())
	if err != nil {
		t.Fatal(err)
	}
	d.Push(bytes.Repeat([]byte{0xA5}, 10*stream.Kept))
	if d.Waiting() > stream.Kept || d.Garbage() == 0 {
		t.Errorf("keeps %d bytes", d.Waiting())
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	for name, keys := range map[string][][]byte{
		"none": {nil, {}}, "the same twice": {{1}, {1}}, "one begins as another": {{1, 2}, {1}}, "the other way round": {{1}, nil, {1, 2}},
		"too long": {bytes.Repeat([]byte{1}, MaxBytes+1)}, "too many": make([][]byte, MaxKeys+1),
	} {
		if _, err := New(keys); !errors.Is(err, ErrKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecoder feeds a line with anything: no byte is lost or counted twice, in whatever pieces it comes.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\xa5\x01\x5a"), byte(1))
	f.Fuzz(func(t *testing.T, line []byte, piece byte) {
		keys := long()
		d, err := New(keys)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for part := range slices.Chunk(line, int(piece)+1) {
			d.Push(part)
			for _, k := range all(d) {
				found += len(keys[k])
			}
		}
		if got := found + int(d.Garbage()) + d.Waiting(); got != len(line) {
			t.Errorf("%d of %d bytes are accounted for", got, len(line))
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	d, err := New(long())
	if err != nil {
		b.Fatal(err)
	}
	raw := long()[1]
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		d.Push(raw)
		if _, ok := d.Next(); !ok {
			b.Fatal("no key")
		}
	}
}
