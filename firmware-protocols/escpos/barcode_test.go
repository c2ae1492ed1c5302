package escpos

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"pgregory.net/rapid"

	"halledge/firmware-protocols/internal/vectors"
)

func TestCode128IsTheVectors(t *testing.T) {
	b := NewBuilder(paper58)
	if err := b.Code128("A001", Left); err != nil {
		t.Fatal(err)
	}
	whole := vectors.One(t, "escpos", "code128").Bytes
	code := whole[bytes.Index(whole, []byte("\x1dk")):]
	if !bytes.Contains(b.Bytes(), code) {
		t.Errorf("% x does not hold % x", b.Bytes(), code)
	}
}

func TestCode128(t *testing.T) {
	for text, want := range map[string]string{
		"A001":           "{BA001",
		"20260305000023": "{C\x14\x1a\x03\x05\x00\x00\x17",
		"202":            "{B202",
		"2016":           "{B2016", // as pairs it would hold a DLE
		"a{b":            "{Ba{{b",
	} {
		b := NewBuilder(paper58)
		if err := b.Code128(text, Center); err != nil {
			t.Fatal(err)
		}
		items := NewParser(GBK).Feed(b.Bytes())
		if len(items) != 1 {
			t.Fatalf("%q is %#v", text, items)
		}
		code := items[0].(Barcode)
		if string(code.Data) != want || code.System != 73 || code.Align != Center || code.Text() != text {
			t.Errorf("%q is %+v, which reads %q", text, code, code.Text())
		}
	}
}

func TestBadBarcodes(t *testing.T) {
	b := NewBuilder(paper58)
	for text, want := range map[string]error{
		"":                       ErrBarcodeText,
		"号":                      ErrBarcodeText,
		"a\x1b@":                 ErrBarcodeText,
		"20260305-000023":        ErrBarcodeTooLong, // 15 characters on 58 mm
		strings.Repeat("1", 600): ErrBarcodeTooLong,
		strings.Repeat("7", 42):  ErrBarcodeTooLong,
	} {
		if err := b.Code128(text, Left); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if err := b.BarPicture(183, func(int) bool { return true }, Left); !errors.Is(err, ErrBarcodeTooLong) {
		t.Errorf("bars wider than the paper: %v", err)
	}
	if len(b.Bytes()) != 0 {
		t.Error("bytes were appended")
	}
}

func TestThreat10NothingSlipsThroughBarcodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9]{1,30}`), rapid.StringMatching(`[ -~]{1,20}`)).Draw(t, "text")
		b := NewBuilder(layouts[1])
		if b.Code128(text, Left) != nil {
			return
		}
		items := NewParser(GBK).Feed(b.Bytes())
		if code, ok := items[0].(Barcode); len(items) != 1 || !ok || code.Text() != text {
			t.Fatalf("%q is %#v", text, items)
		}
	})
}

// TestBarPicture draws the bars of another encoder and reads them with another decoder.
func TestBarPicture(t *testing.T) {
	const text = "20260305000023"
	matrix, err := oned.NewCode128Writer().EncodeWithoutHint(text, gozxing.BarcodeFormat_CODE_128, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	left := matrix.GetTopLeftOnBit()[0]
	right := matrix.GetBottomRightOnBit()[0]
	b := NewBuilder(paper58)
	if err := b.BarPicture(right-left+1, func(x int) bool { return matrix.Get(left+x, 0) }, Left); err != nil {
		t.Fatal(err)
	}
	rows, rowBytes := rowsOf(t, NewParser(GBK).Feed(b.Bytes()))
	const white = 40
	bits, _ := gozxing.NewBitMatrix(rowBytes*8+2*white, len(rows)/rowBytes)
	for i, octet := range rows {
		for bit := range 8 {
			if octet&(0x80>>bit) != 0 {
				bits.Set(white+i%rowBytes*8+bit, i/rowBytes)
			}
		}
	}
	picture, err := gozxing.NewBinaryBitmapFromImage(bits)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := oned.NewCode128Reader().Decode(picture, nil); err != nil || got.GetText() != text {
		t.Errorf("the bars read %v, %v", got, err)
	}
}
