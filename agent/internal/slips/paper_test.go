package slips_test

import (
	"bytes"
	"cmp"
	"context"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"halledge/agent/internal/slips"
	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/escpos"
	"halledge/test/fakes/hardware"
	"halledge/test/fakes/paper"
)

// printers gives the models of the class.
func printers(t testing.TB) map[string]registry.Model {
	t.Helper()
	all := drivertest.Models(t, configs.FS())
	models := map[string]registry.Model{}
	for key, m := range all {
		if key.Class == device.ClassPrinter {
			models[key.Name] = m
		}
	}
	return models
}

// wire is a printer's end of a line that keeps what comes over it.
type wire struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.data.Write(b)
}

func (w *wire) bytes() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.data.Bytes())
}

// odd are printers that no model file is for, and what their options differ in from a model's. Both are read by the option of
// agent.yaml that an installer would set.
var odd = map[string]map[string]string{
	"old-clone": {"like": "escpos-58", "chinese_size": "fs", "qr": "picture", "barcode": "picture", "cutter": "partial_here", "tear_feed": "5",
		"code_page": "0"},
	"made-for-export": {"like": "escpos-80", "charset": "ascii", "font": "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
		"pictures": "stored", "cutter": "full_here"},
}

func altered(m registry.Model, options map[string]string) registry.Model {
	m.Options = maps.Clone(m.Options)
	for key, value := range options {
		if key != "like" {
			m.Options[key] = value
		}
	}
	return m
}

// plugged gives a driver of a model on a serial line whose printer answers, and what came over the line.
func plugged(t testing.TB, m registry.Model, options map[string]string) (device.Printer, *wire) {
	t.Helper()
	w := &wire{}
	far := hardware.NewPrinter(nil)
	far.Layout.Charset = escpos.Charset(m.Options["charset"])
	var serve farend.Serve = func(rw io.ReadWriter) {
		far.Serve(struct {
			io.Reader
			io.Writer
		}{io.TeeReader(rw, w), rw})
	}
	line := drivertest.Cable(t, serve)
	d, err := builtin.All().Build(m, registry.Site{
		Name: "kiosk-1.printer", Connect: registry.Connect{Serial: line.Path(), Baud: 115200}, Options: options,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, d)
	drivertest.Reaches(t, d, device.OK, "")
	return d.(device.Printer), w
}

// crest is a logo as a hall may have one: grey, with fine lines.
func crest() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 320, 96))
	for y := range 96 {
		for x := range 320 {
			dx, dy := x-48, y-48
			switch r := dx*dx + dy*dy; {
			case r < 20*20:
				img.SetGray(x, y, color.Gray{Y: uint8(40 + 4*x%200)})
			case r < 40*40 && r > 34*34, x > 110 && y > 30 && y < 66 && (x/12+y/12)%2 == 0:
			default:
				img.SetGray(x, y, color.Gray{Y: 0xFF})
			}
		}
	}
	return img
}

// TestEveryModelPrintsTheTicket sends the ticket of a hall, with its logo, a rare character and a barcode, through each model's driver,
// and reads what it sent with an interpreter that shares no code with it. The codes are read by zbar.
func TestEveryModelPrintsTheTicket(t *testing.T) {
	font, err := paper.LoadFont()
	if err != nil {
		t.Fatal(err)
	}
	set, err := slips.LoadSet(configs.FS(), "ticket")
	if err != nil {
		t.Fatal(err)
	}
	models := printers(t)
	for name, quirks := range odd {
		models[name] = altered(models[quirks["like"]], quirks)
	}
	for name, model := range models {
		t.Run(name, func(t *testing.T) {
			far := paper.Printer{
				Dots: number(t, model.Options["dots"]), Charset: model.Options["charset"], Font: font,
				LineUnit: number(t, cmp.Or(model.Options["line_unit"], "1")), SmallChinese: model.Options["chinese_size"] == "fs",
				NoQR: model.Options["qr"] == "picture", NoBarcode: model.Options["barcode"] == "picture",
			}
			d, w := plugged(t, model, map[string]string{"status": "barrier"})
			data := full()
			data.Logo, data.Dept = crest(), "㙍𠮷镇便民服务中心"
			job, err := set.For(number(t, model.Options["columns"])).Render(data)
			if err != nil {
				t.Fatal(err)
			}
			job.Lines = append(job.Lines, device.Line{Code128: data.Serial, Align: device.Center}, device.Line{Feed: 1})
			if err := d.Print(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			sheet, err := far.Print(w.bytes())
			if err != nil {
				t.Fatalf("%v, after\n%s", err, sheet.Text())
			}
			golden(t, name, sheet)
			if got, want := codes(t, sheet), []string{data.Serial, data.Link}; !slices.Equal(got, want) {
				t.Errorf("zbar reads %q, want %q", got, want)
			}
			if err := d.(device.SelfTester).SelfTest(t.Context()); err != nil {
				t.Fatal(err)
			}
			sheet, err = far.Print(w.bytes())
			if got := codes(t, sheet); err != nil || !slices.Contains(got, "kiosk-1.printer") || !slices.Contains(got, "12345678") {
				t.Errorf("the test slip: %v, zbar reads %q", err, got)
			}
		})
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// codes is what zbar reads on a sheet.
func codes(t *testing.T, s *paper.Sheet) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "slip.png")
	if err := os.WriteFile(file, picture(t, s), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("zbarimg", "-q", "--nodbus", "--raw", file).Output()
	if err != nil {
		t.Errorf("zbarimg: %v", err)
	}
	texts := strings.Fields(string(out))
	slices.Sort(texts)
	return texts
}

func picture(t *testing.T, s *paper.Sheet) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.PNG(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// golden holds a sheet against the one that somebody has looked at: the transcript exactly, the dots but for what another version of
// the font draws otherwise.
func golden(t *testing.T, name string, s *paper.Sheet) {
	t.Helper()
	base := filepath.Join("testdata", "paper", name)
	now := picture(t, s)
	if *update {
		for file, data := range map[string][]byte{base + ".txt": []byte(s.Text()), base + ".png": now} {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := os.ReadFile(base + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	if s.Text() != string(want) {
		t.Errorf("on paper is\n%s\nwant\n%s", s.Text(), want)
	}
	was, err := os.ReadFile(base + ".png")
	if err != nil {
		t.Fatal(err)
	}
	if share := differing(t, was, now); share > 0.01 {
		t.Errorf("%.1f %% of the dots differ from %s.png", 100*share, base)
	}
}

// differing is the share of dots that are not the same in two pictures.
func differing(t *testing.T, a, b []byte) float64 {
	t.Helper()
	var grey [2]*image.Gray
	for i, data := range [][]byte{a, b} {
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		grey[i] = img.(*image.Gray)
	}
	if grey[0].Rect != grey[1].Rect {
		t.Errorf("the sheet is %v, was %v", grey[1].Rect, grey[0].Rect)
		return 1
	}
	n := 0
	for i, p := range grey[0].Pix {
		if p != grey[1].Pix[i] {
			n++
		}
	}
	return float64(n) / float64(len(grey[0].Pix))
}

// BenchmarkRender fills the template of a ticket.
func BenchmarkRender(b *testing.B) {
	set, err := slips.LoadSet(configs.FS(), "ticket")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := set.For(48).Render(full()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRenderAndSend is the way of a ticket from its facts to the answer of the printer that it is out: template, bytes, the
// questions before, the line (a pseudo-terminal, which has no speed) and the barrier.
func BenchmarkRenderAndSend(b *testing.B) {
	set, err := slips.LoadSet(configs.FS(), "ticket")
	if err != nil {
		b.Fatal(err)
	}
	d, _ := plugged(b, printers(b)["escpos-80"], map[string]string{"status": "barrier", "poll": "1m"})
	b.ReportAllocs()
	for b.Loop() {
		job, err := set.For(48).Render(full())
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Print(context.Background(), job); err != nil {
			b.Fatal(err)
		}
	}
}
