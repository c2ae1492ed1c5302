package escpos

import (
	"bytes"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/image/font/gofont/goregular"

	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/escpos"
)

// setterOf is what makes the bytes of a printer with some options.
func setterOf(t *testing.T, more ...string) *setter {
	t.Helper()
	d, err := New(registry.Config{Name: "kiosk-1.printer", Options: options(more...)})
	if err != nil {
		t.Fatal(err)
	}
	return &d.(*Printer).setter
}

// printed is what a printer makes of a slip, without the reset at its head.
func printed(t *testing.T, s *setter, job device.PrintJob) []escpos.Item {
	t.Helper()
	data, err := s.set(job)
	if err != nil {
		t.Fatal(err)
	}
	p := escpos.NewParser(s.model.layout.Charset)
	items := p.Feed(data)
	if p.Garbage() > 0 {
		t.Errorf("%d bytes are no command", p.Garbage())
	}
	if _, ok := items[0].(escpos.Reset); !ok {
		t.Fatalf("the slip begins with %#v", items[0])
	}
	return items[1:]
}

func TestCutters(t *testing.T) {
	for cutter, want := range map[string][]escpos.Item{
		"none":         {escpos.Feed{Lines: 5}},
		"partial":      {escpos.Cut{Partial: true, Fed: true}},
		"full":         {escpos.Cut{Fed: true}},
		"partial_here": {escpos.Feed{Lines: 5}, escpos.Cut{Partial: true}},
		"full_here":    {escpos.Feed{Lines: 5}, escpos.Cut{}},
	} {
		s := setterOf(t, "cutter", cutter, "tear_feed", "5")
		if got := printed(t, s, device.PrintJob{Cut: true}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v", cutter, got)
		}
		if got := printed(t, s, device.PrintJob{}); len(got) != 0 {
			t.Errorf("%s: a slip that is not to be cut gives %#v", cutter, got)
		}
	}
}

func TestBuzzers(t *testing.T) {
	for buzzer, want := range map[string][]escpos.Item{
		"none":       {},
		"esc_b":      {escpos.Beep{Times: 1, Length: 2}},
		"esc_bel":    {escpos.Beep{Times: 1, Length: 2}},
		"esc_gs_bel": {escpos.Beep{Times: 1, Length: 10}},
	} {
		if got := printed(t, setterOf(t, "buzzer", buzzer), device.PrintJob{Beep: true}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v", buzzer, got)
		}
	}
}

func TestCodePageIsSentWhereTheModelNamesOne(t *testing.T) {
	for page, want := range map[string]bool{"-1": false, "0": true, "255": true} {
		data, err := setterOf(t, "code_page", page).set(device.PrintJob{})
		if err != nil || bytes.Contains(data, []byte("\x1bt")) != want {
			t.Errorf("code page %s: % x, %v", page, data, err)
		}
	}
}

func TestBarcodes(t *testing.T) {
	job := device.PrintJob{Lines: []device.Line{{Code128: "20260305000023", Align: device.Center}}}
	code, ok := printed(t, setterOf(t), job)[0].(escpos.Barcode)
	if !ok || code.Text() != "20260305000023" || code.Align != escpos.Center {
		t.Errorf("native: %+v", code)
	}
	if bars, ok := printed(t, setterOf(t, "barcode", "picture"), job)[0].(escpos.Raster); !ok || bars.Align != escpos.Center {
		t.Errorf("drawn: %+v", bars)
	}
	for _, kind := range []string{"native", "picture"} {
		if _, err := setterOf(t, "barcode", kind).set(device.PrintJob{Lines: []device.Line{{Code128: "号"}}}); err == nil {
			t.Errorf("%s: Chinese in a barcode", kind)
		}
	}
}

// logo is a grey picture twice as wide as the paper.
func logo() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 1152, 320))
	for i := range img.Pix {
		img.Pix[i] = 0x80
	}
	img.SetGray(0, 0, color.Gray{})
	return img
}

func TestLogos(t *testing.T) {
	job := device.PrintJob{Lines: []device.Line{{Picture: logo(), Align: device.Center}}}
	s := setterOf(t)
	for range 2 { // the second time from what is kept
		rows := 0
		for _, it := range printed(t, s, job) {
			rows += len(it.(escpos.Raster).Data) / it.(escpos.Raster).RowBytes
		}
		if rows != 160 {
			t.Errorf("the logo has %d rows", rows)
		}
	}
	if got := printed(t, setterOf(t, "pictures", "stored"), job); !reflect.DeepEqual(got, []escpos.Item{escpos.Stored{Align: escpos.Center, Number: 1}}) {
		t.Errorf("stored: %#v", got)
	}
	if got := printed(t, setterOf(t, "pictures", "none"), job); len(got) != 0 {
		t.Errorf("none: %#v", got)
	}
}

// TestFont draws, on a printer without Chinese, what it lacks, and leaves the rest to it.
func TestFont(t *testing.T) {
	file := filepath.Join(t.TempDir(), "font.ttf")
	if err := os.WriteFile(file, goregular.TTF, 0o600); err != nil {
		t.Fatal(err)
	}
	job := device.PrintJob{Lines: []device.Line{{Text: "A001", Size: 4}, {Text: strings.Repeat("é ", 40), Size: 2, Bold: true, Align: device.Center}}}
	items := printed(t, setterOf(t, "charset", "ascii", "font", file), job)
	if line, ok := items[0].(escpos.Line); !ok || line.Text() != "A001" {
		t.Errorf("the number is %#v", items[0])
	}
	drawn := items[1:]
	if len(drawn) != 5 { // 12 characters of two columns and their spaces on a line of 24 columns
		t.Fatalf("%d lines were drawn: the text takes five", len(drawn))
	}
	first := drawn[0].(escpos.Raster)
	black := 0
	for _, octet := range first.Data {
		for ; octet > 0; octet &= octet - 1 {
			black++
		}
	}
	if all := len(first.Data) * 8; first.Align != escpos.Center || first.RowBytes > 72 || black == 0 || black > all/2 {
		t.Errorf("%d of %d dots are black, %d bytes wide, aligned %d", black, all, first.RowBytes, first.Align)
	}
	if got := printed(t, setterOf(t, "charset", "ascii"), job); len(got) < 2 || got[1].(escpos.Line).Runs[0].Text[0] != '?' {
		t.Errorf("without a font: %#v", got)
	}
}

func TestFontMustBeOne(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no font"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{text, dir} {
		_, err := New(registry.Config{Name: "kiosk-1.printer", Options: options("font", file)})
		drivertest.Fails(t, err, device.CodeBadConfig, false)
	}
}

// BenchmarkSet makes the bytes of a slip with a logo and all kinds of lines.
func BenchmarkSet(b *testing.B) {
	d, err := New(registry.Config{Name: "kiosk-1.printer", Options: options("qr", "picture", "barcode", "picture")})
	if err != nil {
		b.Fatal(err)
	}
	job := device.PrintJob{Cut: true, Lines: []device.Line{
		{Picture: logo(), Align: device.Center}, {Text: "示例市政务服务大厅", Align: device.Center, Bold: true}, {Rule: true},
		{Text: "A023", Align: device.Center, Size: 6}, {Text: "过号不作废：请到导办台或取号机扫本票，重新排队。"},
		{QR: "https://hall.example.cn/t/0123456789abcdef0123456789abcdef", QRDot: 6}, {Code128: "20260305000023"}}}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		data, err := d.(*Printer).setter.set(job)
		if err != nil {
			b.Fatal(err)
		}
		n = len(data)
	}
	b.SetBytes(int64(n))
}
