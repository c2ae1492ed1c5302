package escpos

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"halledge/firmware-protocols/internal/vectors"
)

const hao = "\xba\xc5" // 号

// runsOf is what "A号" prints as.
func runsOf(ascii, han Run) []Item {
	ascii.Text, han.Text = "A", "号"
	return []Item{Line{Runs: []Run{ascii, han}}}
}

var (
	normal    = Run{Text: "A号", Width: 1, Height: 1}
	printText = []byte("A" + hao + "\n")
	printCode = []byte("\x1d(k\x03\x001Q0")
)

// effects says what a vector that prints nothing by itself makes of what follows it.
var effects = map[string]struct {
	then []byte
	want []Item
}{
	"align-center":   {printText, []Item{Line{Align: Center, Runs: []Run{normal}}}},
	"bold-on":        {printText, []Item{Line{Runs: []Run{{Text: "A号", Width: 1, Height: 1, Bold: true}}}}},
	"bold-off":       {printText, []Item{Line{Runs: []Run{normal}}}},
	"size-2x2":       {printText, []Item{Line{Runs: []Run{{Text: "A号", Width: 2, Height: 2}}}}},
	"size-3x4":       {printText, []Item{Line{Runs: []Run{{Text: "A号", Width: 3, Height: 4}}}}},
	"linespacing-30": {printText, []Item{Line{Runs: []Run{normal}}}},
	"kanji-on":       {printText, []Item{Line{Runs: []Run{normal}}}},
	"kanji-off":      {printText, []Item{plain("A??")}},
	"kanji-quad":     {printText, runsOf(Run{Width: 1, Height: 1}, Run{Width: 2, Height: 2})},
	"kanji-fsw":      {printText, runsOf(Run{Width: 1, Height: 1}, Run{Width: 2, Height: 2})},
	"codepage-cp437": {printText, []Item{Line{Runs: []Run{normal}}}},
	"qr-165-model2":  {printCode, nil},
	"qr-167-size6":   {[]byte("\x1d(k\x04\x001P0A\x1d(k\x03\x001Q0"), []Item{QR{Data: []byte("A"), Dot: 6}}},
	"qr-169-ecc-m":   {printCode, nil},
	"qr-180-store":   {printCode, []Item{QR{Data: []byte("A001"), Dot: 3}}},
	"qr-181-print":   {printCode, nil},
	"qr-utf8":        {printCode, []Item{QR{Data: []byte("排队号A001"), Dot: 3}}},
}

func TestModes(t *testing.T) {
	for _, v := range vectors.For(t, "escpos") {
		if v.Direction != "host>device" || printed[v.Name] != nil {
			continue
		}
		effect, ok := effects[v.Name]
		if !ok {
			t.Errorf("%s: no expectation for this vector", v.Name)
			continue
		}
		p := NewParser(GBK)
		p.Feed(v.Bytes)
		if got := p.Feed(effect.then); !reflect.DeepEqual(got, effect.want) {
			t.Errorf("%s: then %#v, want %#v", v.Name, got, effect.want)
		}
	}
}

func TestParserCases(t *testing.T) {
	cases := []struct {
		name    string
		in      string
		want    []Item
		garbage uint64
	}{
		{"blank line", "\n", []Item{Line{}}, 0},
		{"CR LF is one line end", "A\r\n", []Item{plain("A")}, 0},
		{"tab is a space", "A\tB\n", []Item{plain("A B")}, 0},
		{"bold in the middle", "A\x1bE\x01B\x1bE\x00\n", []Item{Line{Runs: []Run{{"A", 1, 1, false}, {"B", 1, 1, true}}}}, 0},
		{"alignment waits for the next line", "A\x1ba\x01\n\x1ba2B\n", []Item{plain("A"), Line{Align: Right, Runs: []Run{{"B", 1, 1, false}}}}, 0},
		{"print mode changes ASCII only", "\x1b!\x38A" + hao + "\n", []Item{Line{Runs: []Run{{"A", 2, 2, true}, {"号", 1, 1, true}}}}, 0},
		{"feed ends the line", "A\x1bd\x03", []Item{plain("A"), Feed{Lines: 2}}, 0},
		{"cut ends the line", "A\x1bi", []Item{plain("A"), Cut{Partial: true}}, 0},
		{"reset drops the unfinished line", "A\x1b@B\n", []Item{Reset{}, plain("B")}, 0},
		{"unknown command", "\x1b\x7fA\n", []Item{plain("A")}, 2},
		{"command inside an unknown one", "\x1b\x1b@", []Item{Reset{}}, 1},
		{"line noise", "\x01\x02A\n\x7f", []Item{plain("A")}, 3},
		{"half a character", "A\xba\n", []Item{plain("A\uFFFD")}, 0},
		{"control character written as four bytes", "A\x81\x30\x81\x30\n", []Item{plain("A")}, 0},
		{"picture larger than memory", "\x1dv0\x00\xff\xff\xff\xffA\n", []Item{plain("A")}, 8},
		{"endless barcode", "\x1dk\x04" + strings.Repeat("A", 256) + "\n", []Item{Line{}}, 259},
		{"block too long", "\x1d(k\xff\xffA\n", []Item{plain("A")}, 5},
		{"empty picture", "\x1dv0\x00\x01\x00\x00\x00A\n", []Item{plain("A")}, 0},
		{"picture in columns", "\x1b*\x21\x02\x00\x0a\x1b@\x1d\x0a\x0aA\n", []Item{plain("A")}, 0},
		{"tab stops", "\x1bD\x08\x10\x00A\n", []Item{plain("A")}, 0},
		{"other code inside GS ( k", "\x1d(k\x03\x000Q0A\n", []Item{plain("A")}, 0},
		{"real-time pulse", "\x10\x14\x01\x00\x01", []Item{Drawer{}}, 0},
		{"real-time clear", "\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08A\n", []Item{plain("A")}, 0},
		{"recover", "\x10\x05\x02A\n", []Item{Recover{Clear: true}, plain("A")}, 0},
		{"recover and print the line again", "\x10\x05\x01", []Item{Recover{}}, 0},
		{"buzzer by ESC BEL", "\x1b\x07\x02\x01\x03A\n", []Item{Beep{Times: 3, Length: 2}, plain("A")}, 0},
		{"buzzer at a port", "\x1b\x1d\x07\x01\x05\x04A\n", []Item{Beep{Times: 1, Length: 5}, plain("A")}, 0},
		{"pulse of a port", "\x1b\x1d\x19\x11\x01\x05\x05A\n", []Item{plain("A")}, 0},
		{"command after a lost ESC", "\x1b\x1dV\x01A\n", []Item{Cut{Partial: true}, plain("A")}, 1},
		{"stored picture", "A\x1cp\x02\x00", []Item{plain("A"), Stored{Number: 2}}, 0},
		{"question inside a picture", "\x1dv0\x00\x03\x00\x01\x00\x10\x04\x02",
			[]Item{StatusRequest{QueryOffline}, Raster{RowBytes: 3, Data: []byte{0x10, 4, 2}}}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := NewParser(GBK)
			if got := p.Feed([]byte(c.in)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v\nwant %#v", got, c.want)
			}
			if p.Garbage() != c.garbage {
				t.Errorf("%d bytes of noise, want %d", p.Garbage(), c.garbage)
			}
		})
	}
}

func TestParserPrintsEndlessLine(t *testing.T) {
	p := NewParser(GBK)
	items := p.Feed(bytes.Repeat([]byte("A"), 3*maxLine+1))
	if len(items) != 3 || items[0].(Line).Columns(GBK) != maxLine {
		t.Errorf("got %d items", len(items))
	}
}

func TestParserUTF8(t *testing.T) {
	p := NewParser(UTF8)
	if got, want := p.Feed([]byte("号A\xff\n")), []Item{plain("号A\uFFFD")}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

// FuzzParser holds the Parser to three things: it never panics, the pieces in which bytes come do not matter, and no
// control character leaves it inside text.
func FuzzParser(f *testing.F) {
	for _, v := range vectors.For(f, "escpos") {
		f.Add(v.Bytes, uint8(3))
	}
	f.Add([]byte("\x1d(k\x03\x001Q0\x10\x04\x01"), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		whole := NewParser(GBK)
		want := whole.Feed(data)
		pieces := NewParser(GBK)
		var got []Item
		for rest := data; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			got = append(got, pieces.Feed(rest[:n])...)
			rest = rest[n:]
		}
		if !reflect.DeepEqual(got, want) || whole.Garbage() != pieces.Garbage() {
			t.Errorf("in pieces %#v\nat once %#v", got, want)
		}
		if whole.Garbage() > uint64(len(data)) {
			t.Errorf("%d bytes of noise in %d bytes", whole.Garbage(), len(data))
		}
		for _, it := range want {
			line, ok := it.(Line)
			if ok && strings.IndexFunc(line.Text(), unicode.IsControl) >= 0 {
				t.Errorf("control character in %q", line.Text())
			}
		}
		paper58.Plain(want)
	})
}
