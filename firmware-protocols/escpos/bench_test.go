package escpos

import (
	"image"
	"image/color"
	"strings"
	"testing"
)

// ticket builds the slip of a hall: its name, a large number, a dozen lines, a QR code and the cut.
func ticket(b *Builder) error {
	b.Init()
	b.Line("示例市政务服务大厅", Style{Align: Center, Bold: true})
	b.Rule()
	b.Line("A023", Style{Align: Center, Size: 6, Bold: true})
	b.Line("综合受理", Style{Align: Center, Size: 2})
	for range 8 {
		b.Line("过号不作废：请到导办台或取号机扫本票，重新排队。", Style{})
	}
	if err := b.QR("https://hall.example.cn/t/"+strings.Repeat("x", 40), 6, Center); err != nil {
		return err
	}
	b.Cut(PartialCut)
	b.Barrier()
	return nil
}

func BenchmarkBuildSlip(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		slip := NewBuilder(layouts[1])
		if err := ticket(slip); err != nil {
			b.Fatal(err)
		}
		n = len(slip.Bytes())
	}
	b.SetBytes(int64(n))
}

func BenchmarkParseSlip(b *testing.B) {
	slip := NewBuilder(layouts[1])
	if err := ticket(slip); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(slip.Bytes())))
	b.ReportAllocs()
	p := NewParser(GB18030)
	for b.Loop() {
		if len(p.Feed(slip.Bytes())) == 0 {
			b.Fatal("nothing was printed")
		}
	}
}

func BenchmarkReadReplies(b *testing.B) {
	replies := []byte{0x12, 0x12, 0x12, 0x14, 0, 0, 0x0F, 0x00}
	b.SetBytes(int64(len(replies)))
	b.ReportAllocs()
	var r ReplyReader
	for b.Loop() {
		if len(r.Feed(replies)) != 5 {
			b.Fatal("replies are missing")
		}
	}
}

func BenchmarkDitherLogo(b *testing.B) {
	logo := image.NewGray(image.Rect(0, 0, 576, 160))
	for i := range logo.Pix {
		logo.Pix[i] = color.GrayModel.Convert(color.RGBA{R: uint8(i), G: uint8(i >> 8), A: 255}).(color.Gray).Y
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := layouts[1].Dither(logo); err != nil {
			b.Fatal(err)
		}
	}
}
