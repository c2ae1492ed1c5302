package scan

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestFramer(t *testing.T) {
	long := strings.Repeat("A", MaxCode)
	cases := []struct {
		name    string
		opts    Options
		in      string
		want    string // codes joined by |
		flush   string // code that silence then ends
		garbage int
	}{
		{"CR", Options{}, "A1\rA2\r", "A1|A2", "", 0},
		{"LF", Options{}, "A1\nA2\n", "A1|A2", "", 0},
		{"CR LF", Options{}, "A1\r\nA2\r\n", "A1|A2", "", 0},
		{"TAB", Options{}, "A1\tA2\t", "A1|A2", "", 0},
		{"STX ETX", Options{}, "\x02A\r1\x03\x02A2\x03\r\n", "A\r1|A2", "", 0},
		{"silence", Options{}, "A1", "", "A1", 0},
		{"NUL", Options{}, "\x00A\x001\r", "A1", "", 0},
		{"frame after noise", Options{}, "xx\x02x\x02A1\x03", "A1", "", 3},
		{"broken frame", Options{}, "\x02A1", "", "", 2},
		{"CR alone keeps LF", Options{End: EndCR}, "A\n1\r", "A\n1", "", 0},
		{"CR never came", Options{End: EndCR}, "A1", "", "", 2},
		{"LF alone keeps CR", Options{End: EndLF}, "A\r1\n", "A\r1", "", 0},
		{"pair keeps both alone", Options{End: EndCRLF}, "A\r1\nB\r\n", "A\r1\nB", "", 0},
		{"silence only", Options{End: EndGap}, "\x02A\r1\x03", "", "\x02A\r1\x03", 0},
		{"frames only", Options{End: EndETX}, "xx\x02A1\x03\r\n\x02A2\x03", "A1|A2", "", 2},
		{"prefix and suffix", Options{Prefix: "<<", Suffix: ">"}, "<<A1>\r", "A1", "", 0},
		{"prefix missing", Options{Prefix: "<<", Suffix: ">"}, "A1>\r<<A2\r<<A3>\r", "A3", "", 7},
		{"prefix before AIM", Options{Prefix: "<", AIM: true}, "<]Q1A1\r", "]Q1 A1", "", 0},
		{"no AIM where one should be", Options{AIM: true}, "]?1A1\r]Q\r", "]?1A1|]Q", "", 0},
		{"AIM not announced", Options{}, "]Q1A1\r", "]Q1A1", "", 0},
		{"longest", Options{}, long + "\r", long, "", 0},
		{"too long", Options{}, long + "AA\rB\r", "B", "", MaxCode + 2},
		{"too long and silent", Options{End: EndCR}, long + "A", "", "", MaxCode + 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := NewFramer(c.opts)
			var got []string
			for i := range len(c.in) {
				for _, code := range f.Feed([]byte{c.in[i]}) {
					got = append(got, strings.TrimLeft(code.AIM+" ", " ")+string(code.Data))
				}
			}
			if strings.Join(got, "|") != c.want {
				t.Errorf("codes %.80q, want %.80q", got, c.want)
			}
			code, ok := f.Flush()
			if string(code.Data) != c.flush || ok != (c.flush != "") {
				t.Errorf("silence gives %q (%v), want %q", code.Data, ok, c.flush)
			}
			if long := f.TooLong(); (long == 1) != strings.HasPrefix(c.name, "too long") {
				t.Errorf("%d codes count as too long", long)
			}
			if f.Pending() || f.Garbage() != c.garbage {
				t.Errorf("pending %v, %d bytes of noise, want %d", f.Pending(), f.Garbage(), c.garbage)
			}
		})
	}
}

func TestText(t *testing.T) {
	cases := []struct {
		charset  Charset
		in, want string // want empty: noise
	}{
		{CharsetAuto, "A001", "A001"},
		{CharsetAuto, "排队号A001", "排队号A001"},
		{CharsetAuto, "\xc5\xc5\xb6\xd3\xba\xc5A001", "排队号A001"},
		{CharsetAuto, "\x1d01\x1e06\x04", "\x1d01\x1e06\x04"},
		{CharsetAuto, "a\tb\r\nc", "a\tb\r\nc"},
		{CharsetAuto, "\xf8\x80\xff", ""},
		{CharsetAuto, "A\x01", ""},
		{CharsetAuto, "A\x7f", ""},
		{CharsetUTF8, "\xc5\xc5\xb6\xd3", ""},
		{CharsetGB18030, "\xc4\xe3", "你"},
	}
	for _, c := range cases {
		got, ok := c.charset.Text([]byte(c.in))
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s % x reads %q (%v), want %q", c.charset, c.in, got, ok, c.want)
		}
	}
}

// FuzzFramer holds the Framer to this: pieces do not matter, no code is empty or too long, and no byte counts twice.
func FuzzFramer(f *testing.F) {
	ends := []End{EndAuto, EndCR, EndLF, EndCRLF, EndETX, EndGap}
	f.Add([]byte("]Q1A001\r\n\x02B\x03<C>"), uint8(0), "<", ">", true)
	f.Add(bytes.Repeat([]byte("A"), MaxCode+1), uint8(5), "", "", false)
	f.Fuzz(func(t *testing.T, data []byte, end uint8, prefix, suffix string, aim bool) {
		o := Options{End: ends[int(end)%len(ends)], Prefix: prefix, Suffix: suffix, AIM: aim}
		whole, pieces := NewFramer(o), NewFramer(o)
		want := whole.Feed(data)
		var got []Code
		for i := range data {
			got = append(got, pieces.Feed(data[i:i+1])...)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("in pieces %q, at once %q", got, want)
		}
		if code, ok := whole.Flush(); ok {
			want = append(want, code)
		}
		total := whole.Garbage()
		for _, code := range want {
			if len(code.Data) == 0 || len(code.Data) > MaxCode {
				t.Errorf("a code of %d bytes", len(code.Data))
			}
			CharsetAuto.Text(code.Data)
			total += len(code.Data)
		}
		if total > len(data) {
			t.Errorf("%d bytes out of %d", total, len(data))
		}
		if whole.Pending() {
			t.Error("something pending after silence")
		}
	})
}

// BenchmarkFramer cuts codes out of what a scanner sends.
func BenchmarkFramer(b *testing.B) {
	sent := []byte("]Q1https://hall.example/t/0123456789abcdef0123456789abcdef\r\n")
	f := NewFramer(Options{AIM: true})
	b.SetBytes(int64(len(sent)))
	b.ReportAllocs()
	for b.Loop() {
		if codes := f.Feed(sent); len(codes) != 1 {
			b.Fatalf("%d codes", len(codes))
		}
	}
}
