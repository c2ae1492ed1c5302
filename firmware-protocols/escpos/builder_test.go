package escpos

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/encoder"
	"pgregory.net/rapid"
)

var layouts = []Layout{paper58, {Columns: 48, Dots: 576, Charset: GB18030}, {Columns: 42, Dots: 512, Charset: UTF8}}

// TestThreat10NothingSlipsThrough builds slips from hostile text and lets the Parser, which knows every command, look for what a
// slip must not contain.
func TestThreat10NothingSlipsThrough(t *testing.T) { rapid.Check(t, nothingSlipsThrough) }

// FuzzBuilder is the same, of whatever a fuzzer thinks of.
func FuzzBuilder(f *testing.F) { f.Fuzz(rapid.MakeFuzz(nothingSlipsThrough)) }

func nothingSlipsThrough(t *rapid.T) {
	hostile := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune{
		0, 4, 0x10, 0x14, 0x1B, 0x1C, 0x1D, '@', 'p', 'V', '(', 'k', '\n', '\r', 0x7F, 0x85, 0x9B, 0x202E, 0x2066, 0xE000,
		'A', '号', '，', '€', '𠮷', '́', 0xFFFD, '\u3000', '\u00a0'})),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	l := rapid.SampledFrom(layouts).Draw(t, "layout")
	style := Style{Align: Align(rapid.Uint8().Draw(t, "align")), Size: rapid.IntRange(-1, 20).Draw(t, "size"),
		Bold: rapid.Bool().Draw(t, "bold")}
	text, code := hostile.Draw(t, "text"), hostile.Draw(t, "code")
	b := NewBuilder(l)
	b.Init()
	b.Line(text, style)
	err := b.QR(code, rapid.IntRange(-5, 99).Draw(t, "dot"), style.Align)
	if err != nil && !errors.Is(err, ErrQRTooLong) && !errors.Is(err, ErrQREmpty) {
		t.Fatal(err)
	}
	p := NewParser(l.Charset)
	for _, it := range p.Feed(b.Bytes()) {
		switch it := it.(type) {
		case Line:
			if it.Columns(l.Charset) > l.Columns {
				t.Fatalf("%q is wider than %d columns", it.Text(), l.Columns)
			}
		case QR:
			if string(it.Data) != Printable(code) {
				t.Fatalf("code %q, want %q", it.Data, Printable(code))
			}
		case Reset:
		default:
			t.Fatalf("the job holds %#v", it)
		}
	}
	if p.Garbage() > 0 {
		t.Fatalf("%d bytes are no command: % x", p.Garbage(), b.Bytes())
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"号码 A001":                    "号码 A001",
		"a\tb\nc\u00a0d":             "a b c d",
		"\u3000缩进":                   "\u3000缩进",
		"\x1b@\x1dV\x00":             "@V",
		"gov\u202egnp":               "govgnp",
		"\u200b零宽\ufeff":             "零宽",
		"e\u0301":                    "e",
		"\xff\xfe坏":                  "坏",
		"\ufffd":                     "\ufffd",
		"\ue000":                     "□",
		strings.Repeat("长", 2000):    strings.Repeat("长", 1024),
		strings.Repeat("\x00", 2000): "",
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCharsets(t *testing.T) {
	for _, c := range []struct {
		charset Charset
		text    string
		want    string
	}{
		{GBK, "€A", "\xa2\xe3A"},
		{GBK, "𠮷", "\xa1\xf5"}, // a rare name's character: the clone has no glyph
		{GB18030, "𠮷", "\x95\x34\xb2\x35"},
		{UTF8, "号", "号"},
	} {
		if got := string(c.charset.encode(c.text)); got != c.want {
			t.Errorf("%s %q is % x, want % x", c.charset, c.text, got, c.want)
		}
		if back := c.charset.decode([]byte(c.want)); back != c.text && back != string(Missing) {
			t.Errorf("%s % x reads %q", c.charset, c.want, back)
		}
	}
	if GBK.Columns("é号A") != 5 || UTF8.Columns("é号A·ｱ") != 8 {
		t.Errorf("widths are %d and %d", GBK.Columns("é号A"), UTF8.Columns("é号A·ｱ"))
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		want    string // lines joined by |
	}{
		{"", 10, ""},
		{"   ", 10, ""},
		{"办税服务厅", 10, "办税服务厅"},
		{"办税服务厅", 8, "办税服务|厅"},
		{"办税服务厅", 9, "办税服务|厅"},
		{"前面还有3人，请等候", 10, "前面还有3|人，请等候"},
		{"请到窗口A001办理", 10, "请到窗口|A001办理"},
		{"一二三四，五", 8, "一二三|四，五"},
		{"one two three", 7, "one two|three"},
		{"abcdefghij", 4, "abcd|efgh|ij"},
		{"ab 号号号", 4, "ab|号号|号"},
		{"，，，，，", 4, "，，|，，|，"},
		{"号号", 1, "号|号"},
	} {
		if got := strings.Join(GBK.Wrap(c.in, c.columns), "|"); got != c.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.in, c.columns, got, c.want)
		}
	}
}

func TestQRCapacityIsTheStandards(t *testing.T) {
	for i, capacity := range qrCapacity {
		version, err := decoder.Version_GetVersionForNumber(i + 1)
		if err != nil {
			t.Fatal(err)
		}
		header := 4 + 8 // mode, and length in bits
		if i+1 >= 10 {
			header = 4 + 16
		}
		ecc := version.GetECBlocksForLevel(decoder.ErrorCorrectionLevel_M).GetTotalECCodewords()
		if want := ((version.GetTotalCodewords()-ecc)*8 - header) / 8; capacity != want {
			t.Errorf("version %d holds %d bytes, want %d", i+1, capacity, want)
		}
	}
}

func TestQRDot(t *testing.T) {
	for _, c := range []struct{ dots, n, wish, want int }{
		{384, 35, 0, 6},
		{384, 35, 16, 10}, // 29 + 8 modules in 384 dots
		{384, 35, 1, 3},
		{384, 200, 0, 5}, // version 10
		{384, 997, 0, 3}, // version 25
		{384, 998, 0, 0}, // version 26 would need 2 dots
		{576, 997, 0, 4},
		{576, 2332, 0, 0}, // more than any code holds
	} {
		got, err := Layout{Dots: c.dots}.QRDot(c.n, c.wish)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%d bytes on %d dots, wish %d: %d, %v; want %d", c.n, c.dots, c.wish, got, err, c.want)
		}
	}
}

func TestFailedQRLeavesTheJobAlone(t *testing.T) {
	b := NewBuilder(paper58)
	b.Line("A001", Style{})
	before := len(b.Bytes())
	if err := b.QR(strings.Repeat("长", 1000), 0, Center); !errors.Is(err, ErrQRTooLong) {
		t.Errorf("error is %v", err)
	}
	if err := b.QRPicture(177, func(int, int) bool { return true }, 0, Center); !errors.Is(err, ErrQRTooLong) {
		t.Errorf("error is %v", err)
	}
	if len(b.Bytes()) != before {
		t.Error("bytes were appended")
	}
}

func TestQRPicture(t *testing.T) {
	const payload = "https://example.gov.cn/t?n=A001&w=3"
	code, err := encoder.Encoder_encode(payload, decoder.ErrorCorrectionLevel_M, nil)
	if err != nil {
		t.Fatal(err)
	}
	matrix := code.GetMatrix()
	b := NewBuilder(paper58)
	if err := b.QRPicture(matrix.GetWidth(), func(x, y int) bool { return matrix.Get(x, y) == 1 }, 0, Center); err != nil {
		t.Fatal(err)
	}
	var rows []byte
	rowBytes := 0
	for _, it := range NewParser(GBK).Feed(b.Bytes()) {
		strip := it.(Raster)
		if strip.Align != Center || len(strip.Data) > stripRows*strip.RowBytes || bytes.IndexByte(strip.Data, dle) >= 0 {
			t.Errorf("bad strip of %d bytes", len(strip.Data))
		}
		rowBytes = strip.RowBytes
		rows = append(rows, strip.Data...)
	}
	black := func(x, y int) bool { return rows[y*rowBytes+x/8]&(0x80>>(x%8)) != 0 }
	side := matrix.GetWidth()
	modules, merr := gozxing.NewSquareBitMatrix(side)
	if merr != nil {
		t.Fatal(merr)
	}
	dot := len(rows) / rowBytes / side
	for y := range side {
		for x := range side {
			if black(x*dot+dot/2, y*dot+dot/2) {
				modules.Set(x, y)
			}
		}
	}
	result, derr := decoder.NewDecoder().Decode(modules, nil)
	if derr != nil || result.GetText() != payload {
		t.Errorf("the picture reads %v, %v", result, derr)
	}
}

func TestPlain(t *testing.T) {
	b := NewBuilder(paper58)
	b.Init()
	b.Line("办事大厅", Style{Align: Center})
	b.Line("A001", Style{Align: Center, Size: 4, Bold: true})
	b.Line("右", Style{Align: Right})
	b.Rule()
	if err := b.QR("排队号A001", 0, Center); err != nil {
		t.Fatal(err)
	}
	b.Feed(1)
	b.Beep(1, 1)
	b.Cut(PartialCut)
	want := strings.Repeat(" ", 12) + "办事大厅\n" +
		strings.Repeat(" ", 8) + "A001\n" +
		strings.Repeat(" ", 30) + "右\n" +
		strings.Repeat("-", 32) + "\n" +
		strings.Repeat(" ", 8) + "[QR 排队号A001]\n" +
		"\n- - -✂- - -\n"
	if got := paper58.Plain(NewParser(GBK).Feed(b.Bytes())); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestDoubledChinese(t *testing.T) {
	l := paper58
	l.Doubled = true
	b := NewBuilder(l)
	b.Line("综合受理", Style{Size: 4})
	b.Line("A001", Style{Size: 4})
	b.Line("号", Style{})
	want := []Item{
		Line{Runs: []Run{{Text: "综合受理", Width: 2, Height: 2}}},
		Line{Runs: []Run{{Text: "A001", Width: 4, Height: 4}}},
		plain("号"),
	}
	if got := NewParser(GBK).Feed(b.Bytes()); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
	if !bytes.Contains(b.Bytes(), []byte{fs, '!', 0x0C}) {
		t.Error("FS ! is missing")
	}
}

func TestLargeLinesHaveLeading(t *testing.T) {
	for unit, want := range map[int]string{0: "\x1b3\x3a", 1: "\x1b3\x3a", 2: "\x1b3\x74"} {
		l := paper58
		l.LineUnit = unit
		b := NewBuilder(l)
		b.Line("号", Style{Size: 2})
		b.Line("号", Style{})
		if job := string(b.Bytes()); strings.Count(job, want) != 1 || strings.Count(job, "\x1b2") != 1 || strings.Count(job, "\x1b3") != 1 {
			t.Errorf("with %d units a dot the job is % x", unit, job)
		}
	}
}

func TestCutsAndBuzzers(t *testing.T) {
	for want, build := range map[string]func(*Builder){
		"\x1dV\x00":                func(b *Builder) { b.Cut(FullCutHere) },
		"\x1dV\x01":                func(b *Builder) { b.Cut(PartialCutHere) },
		"\x1dV\x41\x00":            func(b *Builder) { b.Cut(FullCut) },
		"\x1dV\x42\x00":            func(b *Builder) { b.Cut(PartialCut) },
		"\x1b\x07\x02\x01\x03":     func(b *Builder) { b.BeepBEL(3, 2, 1) },
		"\x1b\x1d\x07\x01\x0a\x01": func(b *Builder) { b.BeepPort(10, 0) },
		"\x1b\x42\x09\x01":         func(b *Builder) { b.Beep(99, -1) },
		"\x1bt\x00":                func(b *Builder) { b.CodePage(0) },
		"\x1b3\x3a":                func(b *Builder) { b.Spacing(58) },
		"\x1b3\xff":                func(b *Builder) { b.Spacing(300) },
	} {
		b := NewBuilder(paper58)
		build(b)
		if string(b.Bytes()) != want {
			t.Errorf("built % x, want % x", b.Bytes(), want)
		}
	}
}

func TestWhatAPrinterLacks(t *testing.T) {
	for _, c := range []struct {
		charset Charset
		text    string
		want    bool
	}{
		{GBK, "办税服务厅 A001", false},
		{GBK, "□", false}, // the sign itself
		{GBK, "上官𠮷祥", true},
		{GBK, "㙍村", true}, // in GB 18030 with four bytes
		{GB18030, "上官𠮷祥", false},
		{UTF8, "上官𠮷祥", false},
		{ASCII, "A001", false},
		{ASCII, "号", true},
	} {
		if got := c.charset.Lacks(c.text); got != c.want {
			t.Errorf("%s lacks %q: %v", c.charset, c.text, got)
		}
	}
	if got := string(ASCII.encode("号A")); got != "?A" || ASCII.Columns("号A") != 2 || ASCII.decode([]byte("A\xba")) != "A?" {
		t.Errorf("without Chinese 号A is %q", got)
	}
}
