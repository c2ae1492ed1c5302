package ledtemplate

import (
	"bytes"
	"strings"
	"testing"

	"halledge/firmware-protocols/internal/stream"
	"halledge/firmware-protocols/internal/vectors"
)

func mustParse(t testing.TB, s string, set Set) *Template {
	t.Helper()
	p, err := Parse(s, set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestVectors(t *testing.T) {
	at := mustParse(t, "40 {address} {text} 0D", GB2312)
	for _, v := range vectors.For(t, "led-at") {
		m := Message{Address: 1, Text: v.Text}
		if got, err := at.Append(nil, m); err != nil || !bytes.Equal(got, v.Bytes) {
			t.Errorf("%s: % X, %v\nwant % X", v.Name, got, err, v.Bytes)
		}
		if got, err := at.ParseFrame(v.Bytes); err != nil || got != m {
			t.Errorf("%s: %+v, %v", v.Name, got, err)
		}
	}
}

func TestEveryField(t *testing.T) {
	m := Message{Address: 7, Row: 2, Text: "A1号", Colour: "\x01", Flash: "\x31"}
	for template, want := range map[string]string{
		"{address} {text} 0D":                           "\x07A1\xba\xc5\r",
		"{address:dec3} {row} {text} 0D":                "007\x02A1\xba\xc5\r",
		"{address:hex2} {text:6}":                       "07A1\xba\xc5  ",
		"{text:3} 0D":                                   "A1 \r", // half a character is none
		"AA {length} {text}":                            "\xAA\x04A1\xba\xc5",
		"{length+2:2le} {colour} {flash} {text}":        "\x06\x00\x01\x31A1\xba\xc5",
		"{length:2be} {text}":                           "\x00\x04A1\xba\xc5",
		"FF {from} {address} {text} 0D {sum}":           "\xFF\x07A1\xba\xc5\r\x05",
		"FF {from} {address} {text} 0D {xor}":           "\xFF\x07A1\xba\xc5\r\x05",
		"01 10 01 00 00 03 06 41 30 30 31 {text} 0D 0A": "\x01\x10\x01\x00\x00\x03\x06A001A1\xba\xc5\r\n",
	} {
		p := mustParse(t, template, GB2312)
		got, err := p.Append([]byte("before"), m)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		frame := got[len("before"):]
		if strings.Contains(template, "{sum}") || strings.Contains(template, "{xor}") {
			want = want[:len(want)-1] + string(handCheck(frame[1:len(frame)-1], strings.Contains(template, "{sum}")))
		}
		if string(frame) != want {
			t.Errorf("%s: % X, want % X", template, frame, want)
		}
		if again, err := p.ParseFrame(frame); err != nil || p.Has("address") && again.Address != 7 || p.Has("row") && again.Row != 2 ||
			p.Has("colour") && again.Colour != "\x01" || p.Has("flash") && again.Flash != "\x31" || !strings.HasPrefix(m.Text, again.Text) {
			t.Errorf("%s: read back as %+v, %v", template, again, err)
		}
	}
}

// handCheck is the sum or the exclusive or of some bytes.
func handCheck(b []byte, add bool) []byte {
	var n byte
	for _, c := range b {
		if add {
			n += c
		} else {
			n ^= c
		}
	}
	return []byte{n}
}

// The check of a frame whose bytes and CRC are a published example of the standard.
func TestCRC(t *testing.T) {
	v := vectors.One(t, "modbus-rtu", "write-text")
	p := mustParse(t, "{address} 10 01 00 00 03 {length} {text} {crc16}", GB2312)
	if got, err := p.Append(nil, Message{Address: 1, Text: v.Text}); v.Text == "" {
		got, err = p.Append(nil, Message{Address: 1, Text: "A001号"})
		if err != nil || !bytes.Equal(got, v.Bytes) {
			t.Errorf("% X, %v\nwant % X", got, err, v.Bytes)
		}
	} else if err != nil || !bytes.Equal(got, v.Bytes) {
		t.Errorf("% X, %v\nwant % X", got, err, v.Bytes)
	}
	low, _ := mustParse(t, "{text} 0D {crc16}", GB2312).Append(nil, Message{Text: "A"})
	high, _ := mustParse(t, "{text} 0D {crc16be}", GB2312).Append(nil, Message{Text: "A"})
	if len(low) != 4 || low[2] != high[3] || low[3] != high[2] {
		t.Errorf("% X and % X", low, high)
	}
}

func TestNoTextEndsAFrame(t *testing.T) {
	for template, set := range map[string]Set{"40 {address} {text} 0D": GB2312, "{text} 23": GBK, "{text} 20": GB2312, "{text} E5": UTF8, "{text} 41 42": GBK} {
		p := mustParse(t, template, set)
		for _, s := range []string{"A001\r40", "#1#号", "AABB", "a b", "号", "庄亅"} {
			frame, err := p.Append(nil, Message{Text: s})
			if err != nil {
				t.Fatal(err)
			}
			d := NewDecoder(p)
			d.Push(frame)
			m, ok := d.Next()
			if !ok || d.Waiting() > 0 || d.Garbage() > 0 {
				t.Errorf("%s, %q: % X comes out as %+v, %v, %d bytes left", template, s, frame, m, ok, d.Waiting())
			}
		}
	}
}

func TestBadTemplates(t *testing.T) {
	for _, s := range []string{
		"", "40 0D", "{text}", "{text} {sum}", "{text} {text} 0D", "4 {text} 0D", "400D {text} 0D", "G0 {text} 0D", "{text} {nothing}", "{text 0D", "{text:0}",
		"{text:257}", "{text:x} 0D", "{address:dec} {text} 0D", "{address:dec5} {text} 0D", "{address:2} {text} 0D", "{row:hexx} {text} 0D", "{colour:x} {text} 0D",
		"{length:3} {text}", "{length+x} {text}", "{length+9999} {text}", "{text+1} 0D", "{text} 0D {sum:2}", "{from:1} {text} 0D", "{text} {from} {xor} {length}",
		strings.Repeat("41 ", 65) + "{text} 0D", strings.Repeat(" ", maxTemplate) + "{text} 0D", "{text:256} {colour:256} {flash:256}",
	} {
		if p, err := Parse(s, GB2312); err == nil {
			t.Errorf("%q was taken: %+v", s, p)
		}
	}
}

func TestMessagesThatDoNotFit(t *testing.T) {
	p := mustParse(t, "{address} {row:dec1} {colour:2} {length} {text} 0D", GB2312)
	good := Message{Address: 255, Row: 9, Colour: "ab", Text: "A"}
	if _, err := p.Append(nil, good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Message){
		"address": func(m *Message) { m.Address = 256 }, "negative": func(m *Message) { m.Address = -1 }, "row": func(m *Message) { m.Row = 10 },
		"negative row": func(m *Message) { m.Row = -1 }, "colour": func(m *Message) { m.Colour = "a" }, "length": func(m *Message) { m.Text = strings.Repeat("x", 256) },
		"frame": func(m *Message) { m.Text = strings.Repeat("x", MaxFrame) },
	} {
		m := good
		change(&m)
		if b, err := p.Append([]byte("x"), m); err == nil || string(b) != "x" {
			t.Errorf("%s: % X, %v", name, b, err)
		}
	}
}

func TestDecoderFindsFramesInNoise(t *testing.T) {
	p := mustParse(t, "40 {address} {text} 0D {xor}", GB2312)
	one, err := p.Append(nil, Message{Address: 1, Text: "A001号"})
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(one)
	broken[len(broken)-1] ^= 1
	all := bytes.Join([][]byte{{0, 1, 0x40}, broken, one, {0x0D}, one, bytes.Repeat([]byte{0x41}, 3*MaxFrame), one}, nil)
	for _, size := range []int{1, 7, MaxFrame} {
		d, got := NewDecoder(p), 0
		for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			d.Push(rest[:min(size, len(rest))])
			for m, ok := d.Next(); ok; m, ok = d.Next() {
				if m.Address == 1 && m.Text == "A001号" {
					got++
				}
			}
		}
		if got != 3 || d.Garbage() == 0 || d.Waiting() > stream.Kept {
			t.Errorf("in pieces of %d: %d frames, %d bytes of garbage", size, got, d.Garbage())
		}
	}
}

// FuzzTemplate: whatever template is taken, the frames that it makes are read back as what they say.
func FuzzTemplate(f *testing.F) {
	f.Add("40 {address} {text} 0D", 1, "A001 请到3号窗口")
	f.Add("AA 55 {address:dec2} {row:hex1} {length+2:2le} {colour} {flash:2} {from} {text:16} {sum} {crc16be}", 7, "暂停服务")
	f.Fuzz(func(t *testing.T, template string, number int, s string) {
		for _, set := range []Set{GB2312, GBK, UTF8} {
			p, err := Parse(template, set)
			if err != nil {
				return
			}
			m := Message{Address: number, Row: number, Text: s}
			for _, x := range p.fields {
				switch x.kind {
				case colour:
					m.Colour = strings.Repeat("c", x.width)
				case flash:
					m.Flash = strings.Repeat("f", x.width)
				}
			}
			frame, err := p.Append(nil, m)
			if err != nil {
				continue
			}
			got, err := p.ParseFrame(frame)
			if err != nil || p.Has("address") && got.Address != number {
				t.Fatalf("%s: % X reads %+v, %v", template, frame, got, err)
			}
			if again, err := p.Append(nil, Message{Address: got.Address, Row: got.Row, Text: got.Text, Colour: got.Colour, Flash: got.Flash}); err != nil || len(again) > len(frame) && set != UTF8 {
				t.Fatalf("%s: % X becomes % X, %v", template, frame, again, err)
			}
		}
	})
}

// FuzzDecoder: no stream makes the decoder panic or keep more than it may, and a good frame is found behind any noise that ends.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x40\x01A001\r"), 3)
	p := mustParse(f, "40 {address} {length} {text} 0D {sum}", GB2312)
	one, err := p.Append(nil, Message{Address: 1, Text: "A001号"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line []byte, cut int) {
		d := NewDecoder(p)
		cut = min(max(cut, 0), len(line))
		found := false
		for _, piece := range [][]byte{line[:cut], line[cut:], bytes.Repeat([]byte{0}, MaxFrame), one} {
			d.Push(piece)
			for m, ok := d.Next(); ok; m, ok = d.Next() {
				found = m.Address == 1 && m.Text == "A001号"
			}
			if d.Waiting() > stream.Kept {
				t.Fatalf("%d bytes kept", d.Waiting())
			}
		}
		if !found {
			t.Fatal("the good frame was not found")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	p := mustParse(b, "40 {address} {text} 0D", GB2312)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = p.Append(buf[:0], Message{Address: 1, Text: "A001 请到3号窗口"}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecoder(b *testing.B) {
	p := mustParse(b, "40 {address} {text} 0D", GB2312)
	one, err := p.Append(nil, Message{Address: 1, Text: "A001 请到3号窗口"})
	if err != nil {
		b.Fatal(err)
	}
	d := NewDecoder(p)
	b.SetBytes(int64(len(one)))
	b.ReportAllocs()
	for b.Loop() {
		d.Push(one)
		if _, ok := d.Next(); !ok {
			b.Fatal("no frame")
		}
	}
}
