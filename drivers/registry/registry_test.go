package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/registry"
)

// scanner is the smallest device there can be; it remembers what it was made from.
type scanner struct{ cfg registry.Config }

func (*scanner) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (*scanner) Health() device.Health         { return device.Health{} }
func (*scanner) Scans() <-chan device.Scan     { return nil }
func (*scanner) Unread() <-chan device.Unread  { return nil }
func newScanner(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	o.Int("gap_ms", 50, 10, 1000)
	o.OneOf("end", "cr", "cr", "lf")
	if err := o.Err(); err != nil {
		return nil, err
	}
	return &scanner{cfg}, nil
}

func reg() *registry.Registry {
	return registry.New(map[string]registry.Driver{
		"line":   {New: newScanner},
		"shared": {New: newScanner, Bus: true},
		"bare":   {New: newScanner, USB: true},
		"broken": {New: func(registry.Config) (device.Device, error) { return nil, errors.New("no such dialect") }},
	})
}

func model(driver string) registry.Model {
	return registry.Model{
		Name: "acme-1", Class: device.ClassScanner, Driver: driver,
		Connect: registry.Line{Baud: 115200, Parity: "even", Flow: "xonxoff"},
		Options: map[string]string{"gap_ms": "20", "end": "lf"},
	}
}

func TestBuildMergesModelAndSite(t *testing.T) {
	for name, c := range map[string]struct {
		connect, want registry.Connect
	}{
		"model's line": {registry.Connect{Serial: "/dev/ttyX"}, registry.Connect{Serial: "/dev/ttyX", Baud: 115200, Parity: "even", Flow: "xonxoff"}},
		"site's line":  {registry.Connect{Serial: "/dev/ttyX", Baud: 9600, Parity: "none", Flow: "none"}, registry.Connect{Serial: "/dev/ttyX", Baud: 9600}},
		"no line":      {registry.Connect{TCP: "10.0.0.9:4001"}, registry.Connect{TCP: "10.0.0.9:4001"}},
		"bare USB":     {registry.Connect{USB: "0400:c35a"}, registry.Connect{USB: "0400:c35a"}},
	} {
		t.Run(name, func(t *testing.T) {
			site := registry.Site{Name: "kiosk-1.scanner", Connect: c.connect, Options: map[string]string{"gap_ms": "80"}}
			d, err := reg().Build(model("bare"), site, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			got := d.(*scanner).cfg
			if got.Connect != c.want || got.Name != site.Name {
				t.Errorf("connect %+v, name %s", got.Connect, got.Name)
			}
			if want := map[string]string{"gap_ms": "80", "end": "lf"}; !maps.Equal(got.Options, want) {
				t.Errorf("options %v, want %v", got.Options, want)
			}
		})
	}
}

func TestBuildRefusesWithBadConfig(t *testing.T) {
	tty := registry.Connect{Serial: "/dev/ttyX"}
	printer := model("line")
	printer.Class = device.ClassPrinter
	for name, c := range map[string]struct {
		model registry.Model
		site  registry.Site
		says  []string
	}{
		"unknown driver": {model("fax"), registry.Site{Connect: tty}, []string{`"fax"`}},
		"no link":        {model("line"), registry.Site{}, []string{"serial, tcp, file and usb"}},
		"no bare USB":    {model("line"), registry.Site{Connect: registry.Connect{USB: "0400:c35a"}}, []string{"line", "bare USB"}},
		"wrong class":    {printer, registry.Site{Connect: tty}, []string{"class printer"}},
		"driver refuses": {model("broken"), registry.Site{Connect: tty}, []string{"no such dialect"}},
		"bad options": {
			model("line"), registry.Site{Connect: tty, Options: map[string]string{"gap_ms": "5", "end": "tab", "gapms": "1"}},
			[]string{"option gap_ms", "10 to 1000", "option end", "cr, lf", "option gapms: unknown"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.site.Name = "kiosk-1.scanner"
			_, err := reg().Build(c.model, c.site, slog.New(slog.DiscardHandler))
			var de *device.Error
			if !errors.As(err, &de) || de.Code != device.CodeBadConfig {
				t.Fatalf("got %v, want code bad_config", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not speak of %q", err, part)
				}
			}
		})
	}
}

func TestOnlyBusDriversShareALine(t *testing.T) {
	for driver, want := range map[string]bool{"line": false, "shared": true} {
		t.Run(driver, func(t *testing.T) {
			line := farend.NewPTY(filepath.Join(t.TempDir(), "tty"), func(rw io.ReadWriter) { _, _ = io.Copy(io.Discard, rw) })
			if err := line.Plug(); err != nil {
				t.Fatal(err)
			}
			defer line.Unplug()
			r := reg()
			if r.Shares(model(driver)) != want {
				t.Errorf("Shares is not %v", want)
			}
			var errs [2]error
			for i := range errs {
				site := registry.Site{Name: fmt.Sprintf("window-%d.pad", i), Connect: registry.Connect{Serial: line.Path()}}
				d, err := r.Build(model(driver), site, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				conn, err := d.(*scanner).cfg.Open(t.Context())
				if errs[i] = err; err == nil {
					defer conn.Close()
				}
			}
			if errs[0] != nil || (errs[1] == nil) != want {
				t.Errorf("the two opens gave %v", errs)
			}
		})
	}
}

func TestOptionsGiveValuesAndDefaults(t *testing.T) {
	o := registry.NewOptions(registry.Config{Name: "x", Options: map[string]string{
		"text": "a", "number": "0x10", "yes": "true", "wait": "1500ms", "bytes": "16 54 0D", "choice": "b",
	}})
	got := []any{
		o.String("text", ""), o.Int("number", 0, 0, 99), o.Bool("yes", false),
		o.Duration("wait", 0, 0, time.Minute), string(o.Hex("bytes", 8)), o.OneOf("choice", "a", "a", "b"),
		o.String("text2", "d"), o.Int("number2", 7, 0, 9), o.Bool("yes2", true),
		o.Duration("wait2", time.Second, 0, time.Minute), string(o.Hex("bytes2", 8)), o.OneOf("choice2", "a", "a", "b"),
	}
	want := []any{"a", 16, true, 1500 * time.Millisecond, "\x16T\r", "b", "d", 7, true, time.Second, "", "a"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if err := o.Err(); err != nil {
		t.Error(err)
	}
}

func TestOptionsNameEveryProblem(t *testing.T) {
	bad := map[string]string{"number": "ten", "wait": "2h", "bytes": "1G", "yes": "ja", "columns": "33", "colour": "red"}
	o := registry.NewOptions(registry.Config{Name: "kiosk-1.printer", Options: bad})
	o.Int("number", 0, 0, 9)
	o.Duration("wait", 0, 0, time.Minute)
	o.Hex("bytes", 8)
	o.Bool("yes", false)
	if o.Int("columns", 32, 16, 96) == 33 {
		o.Reject("columns", "must be even")
	}
	for range 2 { // asking twice changes nothing
		text := fmt.Sprint(o.Err())
		for key := range bad {
			if strings.Count(text, "option "+key+":") != 1 {
				t.Errorf("%s is not named once in %q", key, text)
			}
		}
	}
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestLoadModels(t *testing.T) {
	models, err := registry.LoadModels(fstest.MapFS{
		"models/printer/xp-58.yaml": file("class: printer\ndriver: escpos\nbrand: 芯烨\ntitle: 芯烨 58 毫米\nconnect: {baud: 9600}\noptions:\n  columns: 32\n  beep: true\n"),
		"models/printer/README.md":  file("not a model"),
	})
	if err != nil {
		t.Fatal(err)
	}
	m := models[registry.Key{Class: device.ClassPrinter, Name: "xp-58"}]
	if len(models) != 1 || m.Name != "xp-58" || m.Driver != "escpos" || m.Connect.Baud != 9600 {
		t.Errorf("got %+v", models)
	}
	if want := map[string]string{"columns": "32", "beep": "true"}; !maps.Equal(m.Options, want) {
		t.Errorf("options %v, want %v", m.Options, want)
	}
}

func TestLoadModelsReportsAllProblems(t *testing.T) {
	models, err := registry.LoadModels(fstest.MapFS{
		"models/printer/good.yaml": file("class: printer\ndriver: escpos\ntitle: t\n"),
		"models/scanner/good.yaml": file("class: scanner\ndriver: line\ntitle: t\n"),
		"models/printer/key.yaml":  file("class: printer\ndriver: escpos\ntitle: t\ncolour: red\n"),
		"models/printer/cls.yaml":  file("class: scanner\ndriver: line\ntitle: t\n"),
		"models/printer/bare.yaml": file("class: printer\n"),
		"models/printer/ids.yaml":  file("class: printer\ndriver: escpos\ntitle: t\nusb: [\"04B8:0202\"]\n"),
	})
	for _, part := range []string{"key.yaml", "colour", "cls.yaml", "bare.yaml", "ids.yaml"} {
		if !strings.Contains(fmt.Sprint(err), part) {
			t.Errorf("%v does not speak of %q", err, part)
		}
	}
	for _, class := range []device.Class{device.ClassPrinter, device.ClassScanner} {
		if _, ok := models[registry.Key{Class: class, Name: "good"}]; !ok || len(models) != 2 {
			t.Errorf("the good model of class %s must stay, got %v", class, models)
		}
	}
}

func TestModelsKnowTheirNumbers(t *testing.T) {
	m := registry.Model{USB: []string{"04b8:0202", "1eab:*"}}
	for ids, want := range map[[2]string]int{{"04b8", "0202"}: 2, {"1eab", "0c10"}: 1, {"04b8", "0203"}: 0, {"", ""}: 0} {
		if got := m.Comes(attached.Node{Vendor: ids[0], Product: ids[1]}); got != want {
			t.Errorf("%v: %d, want %d", ids, got, want)
		}
	}
}

func TestWhereAModelCanStand(t *testing.T) {
	printer := model("line")
	printer.Class = device.ClassPrinter
	for name, c := range map[string]struct {
		model registry.Model
		node  attached.Node
		ref   string
		want  registry.Connect
		can   bool
	}{
		"behind an adapter":    {model("line"), attached.Node{Kind: attached.Serial, Path: "/dev/ttyUSB0"}, "1a86:7523", registry.Connect{Serial: "usb:1a86:7523"}, true},
		"at the mainboard":     {model("line"), attached.Node{Kind: attached.Serial, Path: "/dev/ttyS0"}, "", registry.Connect{Serial: "/dev/ttyS0"}, true},
		"at a printer's node":  {printer, attached.Node{Kind: attached.Printer, Path: "/dev/usb/lp0"}, "04b8:0202", registry.Connect{File: "usb:04b8:0202"}, true},
		"no printer there":     {model("line"), attached.Node{Kind: attached.Printer, Path: "/dev/usb/lp0"}, "04b8:0202", registry.Connect{}, false},
		"bare":                 {model("bare"), attached.Node{Kind: attached.USB, Path: "/dev/bus/usb/001/004"}, "0400:c35a", registry.Connect{USB: "0400:c35a"}, true},
		"bare, of two alike":   {model("bare"), attached.Node{Kind: attached.USB, Path: "/dev/bus/usb/001/004"}, "", registry.Connect{}, false},
		"bare, another driver": {model("line"), attached.Node{Kind: attached.USB, Path: "/dev/bus/usb/001/004"}, "0400:c35a", registry.Connect{}, false},
	} {
		got, can := reg().At(c.model, c.node, c.ref)
		if can != c.can || can && got != c.want {
			t.Errorf("%s: %+v, %v", name, got, can)
		}
	}
}
