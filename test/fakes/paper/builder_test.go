package paper_test

import (
	"image"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"halledge/firmware-protocols/escpos"
	"halledge/test/fakes/paper"
)

// nasty is what people may write, and what would be a command if it reached a printer.
var nasty = []rune("AZaz09 {}~-大厅窗口，。：号\u3000㙍𠮷□\x00\x07\n\t\r\x10\x04\x05\x14\x1b@\x1dV\x1cp\u200f\u0301\U0010FFFD")

// TestAnyJobOfTheBuilderIsGood builds jobs of any texts and styles for any printer. The second interpreter must accept each, and read
// the same plain text as the codec does.
func TestAnyJobOfTheBuilderIsGood(t *testing.T) {
	font := narrow(t).Font
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom([]escpos.Layout{{Columns: 32, Dots: 384}, {Columns: 48, Dots: 576}, {Columns: 42, Dots: 512, LineUnit: 2}}).Draw(t, "paper")
		l.Charset = rapid.SampledFrom([]escpos.Charset{escpos.GBK, escpos.GB18030, escpos.UTF8, escpos.ASCII}).Draw(t, "charset")
		l.Doubled = rapid.Bool().Draw(t, "doubled")
		p := paper.Printer{Dots: l.Dots, Charset: string(l.Charset), SmallChinese: l.Doubled, LineUnit: l.LineUnit, Font: font}
		text := func(name string) string { return string(rapid.SliceOfN(rapid.SampledFrom(nasty), 0, 60).Draw(t, name)) }
		b := escpos.NewBuilder(l)
		b.Init()
		plain := rapid.Bool().Draw(t, "plain")
		for range rapid.IntRange(1, 4).Draw(t, "lines") {
			if plain {
				b.Line(text("text"), escpos.Style{})
				continue
			}
			styled(t, b, text)
		}
		b.Feed(6)
		b.Cut(rapid.SampledFrom([]escpos.CutMode{escpos.FullCut, escpos.PartialCut, escpos.FullCutHere, escpos.PartialCutHere}).Draw(t, "cut"))
		b.Barrier()
		sheet, err := p.Print(b.Bytes())
		if err != nil {
			t.Fatalf("%v\n% x", err, b.Bytes())
		}
		if len(sheet.Cuts) != 1 {
			t.Fatalf("%d cuts", len(sheet.Cuts))
		}
		if !plain {
			return
		}
		var lines []string
		for _, it := range escpos.NewParser(l.Charset).Feed(b.Bytes()) {
			if line, ok := it.(escpos.Line); ok {
				lines = append(lines, line.Text())
			}
		}
		if got := sheet.Lines[:len(sheet.Lines)-2]; !slices.Equal(got, lines) { // without the feed and the cut
			t.Fatalf("the interpreters read\n%q\n%q", got, lines)
		}
	})
}

// styled appends a line, a code or a picture.
func styled(t *rapid.T, b *escpos.Builder, text func(name string) string) {
	align := escpos.Align(rapid.IntRange(0, 2).Draw(t, "align"))
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0: // what does not fit is refused, and leaves the job as it was
		_ = b.QR(text("QR"), rapid.IntRange(0, 16).Draw(t, "dot"), align)
	case 1:
		_ = b.Code128(rapid.StringMatching(`[0-9]{2,8}|[ -~]{1,24}`).Draw(t, "barcode"), align)
	case 2:
		m := escpos.NewBitmap(rapid.IntRange(1, 64).Draw(t, "width"), rapid.IntRange(1, 140).Draw(t, "height"))
		rows := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "dots")
		for i := range m.Rows {
			m.Rows[i] = rows[i%len(rows)]
		}
		if err := b.Picture(m, align); err != nil {
			t.Fatal(err)
		}
	default:
		b.Line(text("text"), escpos.Style{Align: align, Size: rapid.IntRange(0, 8).Draw(t, "size"), Bold: rapid.Bool().Draw(t, "bold")})
	}
}

// TestDoubledChineseIsDoubled: a printer on which GS ! leaves Chinese small has it large nevertheless.
func TestDoubledChineseIsDoubled(t *testing.T) {
	p := narrow(t)
	var sizes [2]image.Point
	for i, small := range []bool{false, true} {
		p.SmallChinese = small
		b := escpos.NewBuilder(escpos.Layout{Columns: 32, Dots: 384, Charset: escpos.GBK, Doubled: small})
		b.Line("号", escpos.Style{Size: 2})
		sheet, err := p.Print(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		sizes[i] = ink(sheet).Size()
	}
	if sizes[0] != sizes[1] || sizes[0].X < 30 {
		t.Errorf("the character has %v dots, on the small printer %v", sizes[0], sizes[1])
	}
}
