package web_test

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/web"
	"halledge/agent/kit/problem"
	"halledge/configs"
	"halledge/drivers/builtin"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/drivertest/sysfs"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sdt"
	fakes "halledge/test/fakes/hardware"
)

// plugged is a stage with a real set of devices: a card reader and a scanner on lines, and a machine to plug others into.
type plugged struct {
	*stage
	machine sysfs.Machine
	set     *devices.Set
	reader  fakes.CardReader
	scanner fakes.Scanner
}

func plugIn(t *testing.T) *plugged {
	t.Helper()
	p := &plugged{machine: sysfs.New(t)}
	lines := map[string]*farend.PTY{
		"kiosk-1.idcard":  farend.NewPTY(filepath.Join(t.TempDir(), "reader"), p.reader.Serve),
		"kiosk-1.scanner": farend.NewPTY(filepath.Join(t.TempDir(), "scanner"), p.scanner.Serve),
	}
	var site []config.Device
	for name, model := range map[string]string{"kiosk-1.idcard": "generic-sdt", "kiosk-1.scanner": "serial-scanner"} {
		line := lines[name]
		must(t, line.Plug())
		t.Cleanup(func() { must(t, line.Unplug()) })
		site = append(site, config.Device{Name: name, Model: model, Connect: config.Connect{Serial: line.Path()}})
	}
	models, err := registry.LoadModels(configs.FS())
	must(t, err)
	texts, err := problem.ParseCatalog(configs.Messages())
	must(t, err)
	p.set = devices.New(devices.Options{
		Site: site, Models: models, Registry: builtin.All(), Texts: texts, Log: slog.New(slog.DiscardHandler), Root: p.machine.Root,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.set.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	p.stage = open(t, func(s *config.Site, _ *config.Plan) { s.Devices = site })
	p.build = func(d web.Deps) (*web.Server, error) {
		d.Devices = p.set
		return web.New(d)
	}
	p.restart()
	return p
}

func TestTraceShowsBytesAndNothingOfPeople(t *testing.T) {
	const number, name, code = "991101199003070016", "张三丰", "https://hall.example/t/secret-of-a-citizen"
	p := plugIn(t)
	for _, device := range []string{"kiosk-1.idcard", "kiosk-1.scanner"} {
		before := p.get(opsToken, "/api/v1/devices/"+device+"/trace").want(t, 200, "")
		if before.at("on") != false || len(before.at("entries").([]any)) != 0 {
			t.Errorf("nobody switched it on: %s", before.Raw)
		}
		on := p.post(opsToken, "/api/v1/devices/"+device+"/trace", map[string]int{"minutes": 10}).want(t, 200, "")
		if on.at("device", "tracing") != true {
			t.Errorf("%s", on.Raw)
		}
	}
	p.reader.Tap(sdt.Card{Kind: sdt.Resident, Name: sdt.NewPrivate(name), Sex: sdt.Male, EthnicCode: "01", Birth: sdt.NewPrivate(number[6:14]),
		Address: sdt.NewPrivate("测试省测试市测试路1号"), Number: sdt.NewPrivate(number), Issuer: "测试市公安局", ValidFrom: "20200101", ValidTo: "20400101"}, "")
	if card := <-p.set.Cards(); card.Number.Reveal() != number {
		t.Fatal("another card was read")
	}
	p.await("a scan", func() bool { return p.scanner.Scan(code) })
	if scan := <-p.set.Scans(); scan.Payload.Reveal() != code {
		t.Fatal("another code was read")
	}
	var said strings.Builder
	for device, least := range map[string]float64{"kiosk-1.idcard": 256, "kiosk-1.scanner": float64(len(code))} {
		trace := p.get(opsToken, "/api/v1/devices/"+device+"/trace").want(t, 200, "")
		came, opaque := 0.0, 0.0
		for _, e := range trace.at("entries").([]any) {
			e := e.(map[string]any)
			wantKeys(t, "entry", e, "seq", "at", "way", "length", "hex", "text")
			if e["way"] == "in" {
				came += e["length"].(float64)
				opaque += e["length"].(float64) - float64(len(e["hex"].(string))/2)
			}
		}
		if trace.at("on") != true || trace.at("masked") != true || came < least || opaque < least {
			t.Errorf("%s: %.0f bytes came, %.0f of them hidden, of at least %.0f: %s", device, came, opaque, least, trace.Raw)
		}
		said.WriteString(trace.Raw)
		last := trace.at("entries").([]any)
		seq := last[len(last)-1].(map[string]any)["seq"]
		p.post(opsToken, "/api/v1/devices/"+device+"/trace", map[string]int{"minutes": 0}).want(t, 200, "")
		off := p.get(opsToken, "/api/v1/devices/"+device+"/trace").want(t, 200, "")
		if off.at("on") != false || off.at("left_s") != 0.0 || seq == nil {
			t.Errorf("it goes on: %s", off.Raw)
		}
	}
	said.WriteString(p.get(opsToken, "/api/v1/devices").want(t, 200, "").Raw)
	for what, secret := range map[string]string{"number": number, "name": name, "code": code, "birth": number[6:14]} {
		gbk, err := simplifiedchinese.GBK.NewEncoder().String(secret)
		must(t, err)
		var wide strings.Builder
		for _, u := range utf16.Encode([]rune(secret)) {
			wide.WriteByte(byte(u))
			wide.WriteByte(byte(u >> 8))
		}
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(gbk)), hex.EncodeToString([]byte(wide.String()))} {
			if strings.Contains(said.String(), form) {
				t.Errorf("the %s is told", what)
			}
		}
	}
}

func TestTraceIsRefused(t *testing.T) {
	p := plugIn(t)
	const path = "/api/v1/devices/kiosk-1.idcard/trace"
	p.get(kioskToken, path).want(t, 403, "not_allowed")
	p.post(kioskToken, path, map[string]int{"minutes": 1}).want(t, 403, "not_allowed")
	p.get(opsToken, path+"?after=x").want(t, 400, "field_type")
	p.post(opsToken, path, map[string]int{"minutes": 61}).want(t, 400, "trace_minutes")
	p.post(opsToken, path, map[string]int{"minutes": -1}).want(t, 400, "trace_minutes")
	p.get(opsToken, "/api/v1/devices/nothing/trace").want(t, 404, "unknown_device")
	p.post(opsToken, "/api/v1/devices/nothing/trace", map[string]int{"minutes": 1}).want(t, 404, "unknown_device")
}

func TestWhatIsPluggedInIsProposed(t *testing.T) {
	p := plugIn(t)
	p.await("the devices", func() bool {
		for _, d := range p.get(opsToken, "/api/v1/devices").at("devices").([]any) {
			if d.(map[string]any)["state"] != "ok" {
				return false
			}
		}
		return true
	})
	list := p.get(opsToken, "/api/v1/devices").want(t, 200, "")
	all := list.at("devices").([]any)
	for _, d := range all {
		if reader := d.(map[string]any); reader["class"] == "idcard" && reader["identity"] != "05.03-0020240101-0001234567-0987654321" {
			t.Errorf("the reader is %q", reader["identity"])
		}
	}
	d := all[0].(map[string]any)
	wantKeys(t, "device", d, "name", "class", "model", "title", "state", "code", "since", "advice", "detail", "blind", "identity", "last_good",
		"counters", "cause", "where", "node", "port", "tracing")
	if d["title"] == "" || d["where"] == "" || d["cause"] != nil || d["counters"].(map[string]any)["opens"] != 1.0 {
		t.Errorf("%s", list.Raw)
	}
	if found := list.at("found").([]any); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	p.machine.Node(p.machine.Plug("1-2", "04b8:0202", "", "TM-T88V", "bus/usb/001/006"), "1-2:1.0", "usbmisc", "lp0", "usb/lp0")
	var found []any
	p.await("the printer", func() bool {
		found = p.get(opsToken, "/api/v1/devices").at("found").([]any)
		return len(found) == 1
	})
	printer := found[0].(map[string]any)
	proposals := printer["proposals"].([]any)
	if printer["path"] != "/dev/usb/lp0" || printer["ref"] != "04b8:0202@1-2" || printer["port"] != "1-2" || len(proposals) == 0 {
		t.Fatalf("%v", printer)
	}
	first := proposals[0].(map[string]any)
	if first["model"] != "epson-tm-t88" || first["name"] != "kiosk-1.printer" ||
		first["stanza"] != "  - name: kiosk-1.printer\n    model: epson-tm-t88\n    connect: {file: \"usb:04b8:0202@1-2\"}\n" {
		t.Errorf("%v", first)
	}
	p.machine.Unplug("1-2")
	p.await("its end", func() bool { return len(p.get(opsToken, "/api/v1/devices").at("found").([]any)) == 0 })
}
