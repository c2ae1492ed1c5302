package ub485

import (
	"bytes"
	"slices"
	"testing"

	"halledge/firmware-protocols/internal/stream"
)

func TestFrames(t *testing.T) {
	text, err := AppendText(nil, 3, Blinks(2), "A012")
	if err != nil {
		t.Fatal(err)
	}
	short, err := AppendText(nil, 3, Steady, "7")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2][]byte{
		"button": {AppendButton(nil, 3, Button4), {1, 3, 0x34, 7}},
		"lamp":   {AppendLamp(nil, 3, GreenSlow), {1, 3, 0x36, 7}},
		"beep":   {AppendLamp(nil, 3, GreenSlow.Beeping()), {1, 3, 0x3D, 7}},
		"dark":   {AppendLamp(nil, 3, Dark.Beeping()), {1, 3, 0x37, 7}},
		"text":   {text, {1, 3, 0x23, '0', '1', '2', 7}},
		"short":  {short, {1, 3, 0x20, '7', ' ', ' ', 7}},
	} {
		if !bytes.Equal(c[0], c[1]) {
			t.Errorf("%s: % X, want % X", name, c[0], c[1])
		}
	}
	if RedFast.Beeping().Beeping() != RedFast.Beeping() || Blinks(0) != Blinks(1) || Blinks(1000) != 0x7F {
		t.Error("limits")
	}
	if b, err := AppendText(nil, 3, Steady, "号"); err == nil {
		t.Errorf("Chinese became % X", b)
	}
}

func TestPressIsFoundInNoise(t *testing.T) {
	var d Decoder
	var line []byte
	line = append(line, 1, 2, 0x31) // broken off
	line = append(line, AppendButton(nil, 2, Button1)...)
	line = append(line, 1, 0, 0x31, 7)                        // no address
	line = append(line, AppendLamp(nil, 2, Red.Beeping())...) // the host's
	line = append(line, 0xFF, 7)
	line = append(line, AppendButton(nil, 9, Button3)...)
	var got []Press
	for _, b := range line {
		d.Push([]byte{b})
		for p, ok := d.Next(); ok; p, ok = d.Next() {
			got = append(got, p)
		}
	}
	if want := []Press{{2, Button1}, {9, Button3}}; !slices.Equal(got, want) || d.Garbage() != uint64(len(line)-8) {
		t.Errorf("got %v with %d bytes of noise", got, d.Garbage())
	}
	for range 100 {
		d.Push(bytes.Repeat([]byte{1}, 300))
		d.Next()
		if d.Waiting() > stream.Kept {
			t.Fatalf("%d bytes are kept", d.Waiting())
		}
	}
}

func TestPad(t *testing.T) {
	p := NewPad(3)
	line := AppendLamp(nil, 3, GreenFast.Beeping())
	line = AppendLamp(line, 4, Red)
	line, err := AppendText(line, 3, Blinking, "A012")
	if err != nil {
		t.Fatal(err)
	}
	if line, err = AppendText(line, 4, Steady, "999"); err != nil {
		t.Fatal(err)
	}
	for _, b := range append([]byte{0xFF, 1, 2, 1}, line...) {
		p.Hear([]byte{b})
	}
	if text, mode := p.Shows(); text != "012" || mode != Blinking || p.Lamp() != GreenFast || p.Beeps() != 1 {
		t.Errorf("shows %q %v, lamp %v, %d beeps", text, mode, p.Lamp(), p.Beeps())
	}
	if got := p.Press(Button2); !bytes.Equal(got, []byte{1, 3, 0x32, 7}) {
		t.Errorf("says % X", got)
	}
}

// FuzzDecoder feeds a line with anything: what is found is a press, however the line is cut, and a pad hears it without failing.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte{1, 3, 0x31, 7}, 2)
	f.Fuzz(func(t *testing.T, line []byte, cut int) {
		if len(line) > stream.Kept {
			return
		}
		NewPad(3).Hear(line)
		all := func(parts ...[]byte) (got []Press) {
			var d Decoder
			for _, b := range parts {
				d.Push(b)
				for p, ok := d.Next(); ok; p, ok = d.Next() {
					if !bytes.Contains(line, AppendButton(nil, p.Address, p.Button)) {
						t.Fatalf("%+v was never sent", p)
					}
					got = append(got, p)
				}
			}
			return got
		}
		cut = min(max(cut, 0), len(line))
		if whole, parts := all(line), all(line[:cut], line[cut:]); !slices.Equal(whole, parts) {
			t.Fatalf("%v became %v", whole, parts)
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	raw := AppendButton(nil, 3, Button2)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var d Decoder
	for b.Loop() {
		d.Push(raw)
		if p, ok := d.Next(); !ok || p.Button != Button2 {
			b.Fatal("no press")
		}
	}
}
