package pad21

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"halledge/firmware-protocols/internal/stream"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func frame(t testing.TB, f Frame) []byte {
	t.Helper()
	b, err := f.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The sums are worked out by hand.
func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		hex  string
		want Frame
	}{
		"call":                 {"FF 68 03 03 68 01 01 0C 0E 16", Frame{1, Keys, []byte{0x0C}}},
		"six and confirm":      {"FF 68 04 04 68 03 01 06 0F 19 16", Frame{3, Keys, []byte{6, 0x0F}}},
		"twelve and transfer":  {"FF 68 05 05 68 02 01 01 02 13 19 16", Frame{2, Keys, []byte{1, 2, 0x13}}},
		"rating":               {"FF 68 03 03 68 05 11 04 1A 16", Frame{5, Rating, []byte{4}}},
		"sum above a byte":     {"FF 68 03 03 68 F0 11 13 14 16", Frame{0xF0, Rating, []byte{0x13}}},
		"12 waiting, A003":     {"FF 68 08 08 68 01 02 0A 01 02 00 00 03 13 16", Frame{1, Display, Panel{12, "A003"}.Data()}},
		"999 at most, nothing": {"FF 68 08 08 68 01 02 09 09 09 0A 0A 0A 3C 16", Frame{1, Display, Panel{1200, ""}.Data()}},
	} {
		t.Run(name, func(t *testing.T) {
			raw := unhex(t, c.hex)
			if got := frame(t, c.want); !bytes.Equal(got, raw) {
				t.Errorf("encoded % X", got)
			}
			if got, err := Parse(raw); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("decoded %+v, %v", got, err)
			}
			d := NewPadDecoder()
			d.Push(raw)
			if got, ok := d.Next(); !ok || !reflect.DeepEqual(got, c.want) || d.Garbage() != 0 {
				t.Errorf("found %+v, %v", got, ok)
			}
		})
	}
}

func TestWhatIsNoFrame(t *testing.T) {
	for name, s := range map[string]string{
		"empty": "", "half": "FF 68 03 03 68 01 01", "wrong sum": "FF 68 03 03 68 01 01 0C 0F 16", "wrong end": "FF 68 03 03 68 01 01 0C 0E 17",
		"two lengths": "FF 68 03 04 68 01 01 0C 0E 16", "no data": "FF 68 02 02 68 01 01 02 16", "wrong middle": "FF 68 03 03 69 01 01 0C 0E 16",
		"too much": "FF 68 09 09 68 01 02 00 00 00 00 00 00 00 03 16", "one byte more": "FF 68 03 03 68 01 01 0C 0E 16 16",
	} {
		if f, err := Parse(unhex(t, s)); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
	for _, data := range [][]byte{nil, make([]byte, MaxData+1)} {
		if b, err := (Frame{Data: data}).Append(nil); err == nil {
			t.Errorf("%d bytes of data became % X", len(data), b)
		}
	}
}

func TestFrameIsFoundInNoise(t *testing.T) {
	call := frame(t, Frame{1, Keys, []byte{byte(KeyCall)}})
	long := frame(t, Frame{1, Display, make([]byte, 6)})
	var d Decoder
	var line []byte
	line = append(line, 0xFF, 0x68, 0x05) // a frame that another pad spoiled
	line = append(line, call...)
	line = append(line, long...) // from a pad this is noise
	line = append(line, 0x16, 0xFF, 0xFF)
	line = append(line, call...)
	found := 0
	for _, b := range line { // as a slow line delivers it
		d.Push([]byte{b})
		for f, ok := d.Next(); ok; f, ok = d.Next() {
			if f.Address != 1 || !bytes.Equal(f.Data, []byte{byte(KeyCall)}) {
				t.Errorf("found %+v", f)
			}
			found++
		}
	}
	if want := uint64(len(line) - 2*len(call)); found != 2 || d.Garbage() != want {
		t.Errorf("%d frames, %d bytes of noise, want 2 and %d", found, d.Garbage(), want)
	}
	for range 100 {
		d.Push(bytes.Repeat([]byte{0xFF, 0x68, 0x05, 0x05, 0x68}, 100))
		d.Next()
		if d.Waiting() > stream.Kept {
			t.Fatalf("%d bytes are kept", d.Waiting())
		}
	}
}

func TestPad(t *testing.T) {
	p := NewPad(3)
	if said := p.Press(6); said != nil {
		t.Errorf("a digit says % X", said)
	}
	said := p.Press(KeyConfirm)
	f, err := Parse(said)
	if err != nil || !reflect.DeepEqual(f, Frame{3, Keys, []byte{6, byte(KeyConfirm)}}) || p.Unacknowledged() != 1 {
		t.Fatalf("says %+v, %v", f, err)
	}
	rated, err := Parse(p.Rate(4))
	if err != nil || rated.Ack().Function != Keys {
		t.Fatalf("rates %+v, %v", rated, err)
	}
	for _, ack := range []Frame{f.Ack(), rated.Ack()} {
		b := frame(t, ack)
		p.Hear(b[:4])
		p.Hear(b[4:])
	}
	if p.Unacknowledged() != 0 {
		t.Errorf("%d are not acknowledged", p.Unacknowledged())
	}
	p.Hear(frame(t, Frame{4, Display, Panel{1, "B999"}.Data()}))
	p.Hear(frame(t, Frame{3, Display, Panel{7, "A1012"}.Data()}))
	if got := p.Shows(); got != "  7012" {
		t.Errorf("shows %q", got)
	}
	for range 4 {
		p.Press(9)
	}
	if f, err := Parse(p.Press(KeyTransfer)); err != nil || len(f.Data) != MaxFromPad {
		t.Errorf("after four digits: %+v, %v", f, err)
	}
}

// FuzzDecoder feeds a line with anything: what is found encodes to bytes that parse to the same, and the pad hears it without failing.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\xff\x68\x03\x03\x68\x01\x01\x0c\x0e\x16"))
	f.Fuzz(func(t *testing.T, line []byte) {
		d := NewPadDecoder()
		p := NewPad(1)
		p.Hear(line)
		p.Shows()
		for len(line) > 0 {
			n := min(len(line), 7)
			d.Push(line[:n])
			for f, ok := d.Next(); ok; f, ok = d.Next() {
				again, err := Parse(frame(t, f))
				if err != nil || !reflect.DeepEqual(again, f) {
					t.Fatalf("%+v became %+v, %v", f, again, err)
				}
			}
			line = line[n:]
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	raw := frame(b, Frame{1, Keys, []byte{6, byte(KeyConfirm)}})
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var d Decoder
	for b.Loop() {
		d.Push(raw)
		if _, ok := d.Next(); !ok {
			b.Fatal("no frame")
		}
	}
}
