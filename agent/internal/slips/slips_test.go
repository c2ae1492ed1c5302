package slips_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/slips"
	"halledge/agent/kit/strictyaml"
	"halledge/configs"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

var update = flag.Bool("update", false, "write the golden files anew")

func full() slips.Data {
	return slips.Data{
		Hall: "示例市政务服务大厅", Number: "A023", Queue: "综合受理", Dept: "市政务服务和数据管理局", Class: hallsync.Elder,
		Windows: []string{"1", "2", "A12"}, Ahead: 7, Wait: &hallsync.WaitRange{LowS: 600, HighS: 1500},
		TakenAt:    time.Date(2026, 3, 5, 9, 30, 0, 0, time.FixedZone("CST", 8*3600)),
		BookedFrom: time.Date(2026, 3, 5, 9, 30, 0, 0, time.UTC), BookedTo: time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC),
		Then: []string{"社保医保", "不动产登记"}, Serial: "20260305000023", Link: "http://hall.example.cn:8080/t/abc", Copy: 2,
	}
}

func plain() slips.Data {
	d := full()
	d.Dept, d.Class, d.Wait, d.Copy, d.Ahead = "", hallsync.Normal, nil, 0, 0
	d.BookedFrom, d.BookedTo, d.Then = time.Time{}, time.Time{}, nil
	return d
}

// draw shows a job as text: what a person sees in order, with the marks of each line.
func draw(job device.PrintJob) string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %s cut=%t beep=%t\n", job.ID, job.Cut, job.Beep)
	for _, l := range job.Lines {
		mark := []string{"left", "center", "right"}[l.Align]
		if l.Bold {
			mark += " bold"
		}
		switch {
		case l.Rule:
			b.WriteString("----\n")
		case l.Feed > 0:
			fmt.Fprintf(&b, "feed %d\n", l.Feed)
		case l.Picture != nil:
			fmt.Fprintf(&b, "[picture %v] %s\n", l.Picture.Rect.Size(), mark)
		case l.Code128 != "":
			fmt.Fprintf(&b, "[code128 %s] %s\n", l.Code128, mark)
		case l.QR != "":
			fmt.Fprintf(&b, "[QR %d %s] %s\n", l.QRDot, l.QR, mark)
		default:
			fmt.Fprintf(&b, "%q x%d %s\n", l.Text, max(l.Size, 1), mark)
		}
	}
	return b.String()
}

func TestShippedTemplatesGolden(t *testing.T) {
	for _, name := range []string{"ticket-80", "ticket-58"} {
		template, err := slips.Load(configs.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		for kind, data := range map[string]slips.Data{"full": full(), "plain": plain()} {
			job, err := template.Render(data)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+"-"+kind+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(draw(job)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := draw(job); got != string(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
			}
		}
	}
}

func parse(t *testing.T, text string) *slips.Template {
	t.Helper()
	template, problems := slips.Parse("t.yaml", []byte(text))
	if len(problems) != 0 {
		t.Fatal(problems)
	}
	return template
}

func TestLogosAndBarcodes(t *testing.T) {
	template := parse(t, "lines: [{logo: true, align: center}, {code128: '{serial}', align: right}, {code128: '{dept}'}]\n")
	d := plain()
	job, err := template.Render(d)
	if err != nil {
		t.Fatal(err)
	}
	want := "job 20260305000023-0 cut=false beep=false\n[code128 20260305000023] right\n"
	if got := draw(job); got != want {
		t.Errorf("without a logo: got %s, want %s", got, want)
	}
	d.Logo = image.NewGray(image.Rect(0, 0, 40, 20))
	if job, err = template.Render(d); err != nil || !strings.Contains(draw(job), "[picture (40,20)] center\n") {
		t.Errorf("with a logo: %s, %v", draw(job), err)
	}
}

func TestLoadLogo(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	picture := func(w, h int) []byte {
		img := image.NewNRGBA(image.Rect(0, 0, w, h)) // transparent
		img.Set(1, 0, color.Black)
		var out bytes.Buffer
		if err := png.Encode(&out, img); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	logo, err := slips.LoadLogo(file("logo.png", picture(3, 2)))
	if err != nil || logo.Rect.Size() != image.Pt(3, 2) || logo.GrayAt(0, 0).Y != 0xFF || logo.GrayAt(1, 0).Y != 0 {
		t.Errorf("logo %+v, %v", logo, err)
	}
	for _, path := range []string{
		filepath.Join(dir, "none.png"), dir, file("text.png", []byte("no picture")), file("empty.png", nil),
		file("wide.png", picture(2049, 1)), file("heavy.png", append(picture(2, 2), make([]byte, 1<<20)...)),
		file("half.png", picture(30, 30)[:60]),
	} {
		if _, err := slips.LoadLogo(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestContentIsNeverReadAsTemplate(t *testing.T) {
	template := parse(t, "lines: [{text: '{queue}/{number}'}]\n")
	d := full()
	d.Queue = "{number}{nothing}"
	job, err := template.Render(d)
	if err != nil || job.Lines[0].Text != "{number}{nothing}/A023" {
		t.Errorf("%+v, %v", job.Lines, err)
	}
}

func TestASlipNeedsItsNumber(t *testing.T) {
	template := parse(t, "lines: [{text: '{number}'}]\n")
	for _, spoil := range []func(*slips.Data){
		func(d *slips.Data) { d.Number = "" },
		func(d *slips.Data) { d.Serial = "" },
		func(d *slips.Data) { d.Hall = "" },
	} {
		d := full()
		spoil(&d)
		if _, err := template.Render(d); err == nil {
			t.Errorf("rendered %+v", d)
		}
	}
}

func TestTemplatesAreChecked(t *testing.T) {
	for text, want := range map[string]strictyaml.Code{
		"columns: 48":                           strictyaml.Missing,
		"classes: {old: x}\nlines: [{text: x}]": strictyaml.UnknownKey,
		"lines: [{}]":                           slips.LineContent,
		"lines: [{text: x, rule: true}]":        slips.LineContent,
		"lines: [{text: '{id_number}'}]":        slips.UnknownName,
		"lines: [{qr: '{}'}]":                   slips.UnknownName,
		"lines: [{code128: '{id_number}'}]":     slips.UnknownName,
		"lines: [{logo: true, feed: 1}]":        slips.LineContent,
		"lines: [{text: x, align: middle}]":     strictyaml.NotAllowed,
		"lines: [{text: x, size: 9}]":           strictyaml.OutOfRange,
		"lines: [{feed: 21}]":                   strictyaml.OutOfRange,
		"lines: [{qr: x, dot: 17}]":             strictyaml.OutOfRange,
		"columns: 8\nlines: [{text: x}]":        strictyaml.OutOfRange,
		"lines: [{text: x, blink: true}]":       strictyaml.UnknownKey,
	} {
		if _, problems := slips.Parse("t.yaml", []byte(text)); len(problems) != 1 || problems[0].Code != want {
			t.Errorf("%q: %v, want %s", text, problems, want)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	if _, err := slips.Load(configs.FS(), "ticket-999"); err == nil || !strings.Contains(err.Error(), "ticket-999") {
		t.Error(err)
	}
}

func TestThePaperChoosesTheTemplate(t *testing.T) {
	set, err := slips.LoadSet(configs.FS(), "ticket")
	if err != nil {
		t.Fatal(err)
	}
	for columns, want := range map[int]string{16: "窗口：", 32: "窗口：", 41: "窗口：", 42: "办理窗口：", 48: "办理窗口：", 64: "办理窗口："} {
		job, err := set.For(columns).Render(full())
		if err != nil || !strings.Contains(draw(job), "\n\""+want) {
			t.Errorf("%d columns: %v\n%s", columns, err, draw(job))
		}
	}
	if _, err := slips.LoadSet(configs.FS(), "receipt"); err == nil {
		t.Error("a kind without templates was loaded")
	}
}
