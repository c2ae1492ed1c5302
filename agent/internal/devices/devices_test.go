package devices_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/kit/problem"
	"halledge/configs"
	"halledge/drivers/device"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/hallsync"
)

const patience = 20 * time.Second // for things that must happen, however slow the machine

// all is every class's model of the driver "stage".
func models() registry.Models {
	all := registry.Models{}
	for _, class := range []device.Class{device.ClassPrinter, device.ClassScanner, device.ClassIDCard, device.ClassScreen, device.ClassCallPad} {
		all[registry.Key{Class: class, Name: "stage"}] = registry.Model{Name: "stage", Class: class, Driver: "stage"}
		all[registry.Key{Class: class, Name: "shared"}] = registry.Model{Name: "shared", Class: class, Driver: "shared"}
	}
	return all
}

func at(name, model, tty string) config.Device {
	return config.Device{Name: name, Model: model, Connect: config.Connect{Serial: tty}}
}

func options(t *testing.T, drivers map[string]registry.Driver, site ...config.Device) devices.Options {
	t.Helper()
	texts, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		t.Fatal(err)
	}
	return devices.Options{
		Site: site, Models: models(), Registry: registry.New(drivers), Texts: texts, Log: slog.New(slog.DiscardHandler),
	}
}

// run runs the set until the test ends.
func run(t *testing.T, s *devices.Set) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
}

// until waits for a change of health that makes ok true.
func until(t *testing.T, s *devices.Set, what string, ok func([]hallsync.DeviceStatus) bool) {
	t.Helper()
	changed, cancel := s.Watch()
	defer cancel()
	deadline := time.After(patience)
	for !ok(s.Statuses()) {
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for %s: %+v", what, s.Statuses())
		}
	}
}

func codeOf(err error) device.Code {
	var de *device.Error
	if errors.As(err, &de) {
		return de.Code
	}
	return ""
}

func TestBadDevicesStopNobody(t *testing.T) {
	wrong := at("kiosk-1.scanner", "stage", "/dev/b")
	wrong.Options = map[string]string{"colour": "red"}
	nowhere := at("window-1.pad", "stage", "")
	s := devices.New(options(t, stage(),
		at("kiosk-1.printer", "stage", "/dev/a"),
		wrong,
		at("kiosk-1.idcard", "no-such-model", "/dev/c"),
		nowhere,
		at("hall.led", "stage", "/dev/a"),
		at("window-2.pad", "shared", "/dev/d"),
		at("window-3.pad", "shared", "/dev/d"),
	))
	run(t, s)
	until(t, s, "the good ones", func(all []hallsync.DeviceStatus) bool {
		return all[0].State == "ok" && all[5].State == "ok" && all[6].State == "ok"
	})
	for i, st := range s.Statuses() {
		bad := i >= 1 && i <= 4
		if (st.State == "unusable") != bad || (st.Code == "bad_config") != bad || st.Since.IsZero() {
			t.Errorf("%+v", st)
		}
		if bad != strings.Contains(st.Advice, "agent.yaml") {
			t.Errorf("%s has the advice %q", st.Name, st.Advice)
		}
	}
	for name, why := range map[string]string{
		"kiosk-1.scanner": "colour", "kiosk-1.idcard": "no-such-model", "window-1.pad": "exactly one", "hall.led": "kiosk-1.printer",
	} {
		if h, err := s.Health(name); err != nil || !strings.Contains(h.Detail, why) {
			t.Errorf("%s: %q, %v; want it to speak of %q", name, h.Detail, err, why)
		}
	}
	if err := s.Screens()[0].Device.Show(t.Context(), device.Frame{}); codeOf(err) != device.CodeBadConfig {
		t.Errorf("a frame for a panel that is none: %v", err)
	}
}

func TestLinesAreSharedOnlyBetweenEquals(t *testing.T) {
	other := at("window-3.pad", "shared", "/dev/d")
	other.Connect.Baud = 115200
	s := devices.New(options(t, stage(), at("window-2.pad", "shared", "/dev/d"), other, at("window-4.pad", "stage", "/dev/d")))
	for i, want := range []string{"starting", "unusable", "unusable"} {
		if st := s.Statuses()[i]; st.State != want {
			t.Errorf("%s is %s, want %s", st.Name, st.State, want)
		}
	}
}

// A stanza that was copied without another address makes no second pad of the first: one press would call at two windows.
func TestNoTwoOnALineHaveOneAddress(t *testing.T) {
	drivers := stage()
	shared := drivers["shared"]
	shared.Station = registry.Numbered("stage", "unit", 1)
	drivers["shared"] = shared
	pad := func(name, unit, tty string) config.Device {
		d := at(name, "shared", tty)
		if unit != "" {
			d.Options = map[string]string{"unit": unit}
		}
		return d
	}
	s := devices.New(options(t, drivers, pad("window-1.pad", "", "/dev/d"), pad("window-2.pad", "2", "/dev/d"),
		pad("window-3.pad", "0x1", "/dev/d"), pad("window-4.pad", "2", "/dev/d"), pad("window-5.pad", "1", "/dev/e")))
	for i, other := range []string{"", "", "window-1.pad", "window-2.pad", ""} {
		st := s.Statuses()[i]
		if h, err := s.Health(st.Name); err != nil || (other != "") != (st.State == "unusable") || !strings.Contains(h.Detail, other) {
			t.Errorf("%s is %s: %s, %v", st.Name, st.State, h.Detail, err)
		}
	}
}

func TestDevicesAreFoundByNameAndRole(t *testing.T) {
	s := devices.New(options(t, stage(),
		at("kiosk-1.printer", "stage", "/dev/a"), at("window-1.led", "stage", "/dev/b"), at("hall.led", "stage", "/dev/c"),
		at("window-1.pad", "stage", "/dev/d"),
	))
	run(t, s)
	p, ok := s.Printer("kiosk-1.printer")
	if !ok {
		t.Fatal("no printer")
	}
	until(t, s, "all", func(all []hallsync.DeviceStatus) bool {
		return !slices.ContainsFunc(all, func(st hallsync.DeviceStatus) bool { return st.State != "ok" })
	})
	if err := p.Print(t.Context(), device.PrintJob{ID: "7"}); err == nil || err.Error() != "printed 7 on kiosk-1.printer" {
		t.Errorf("the job went elsewhere: %v", err)
	}
	for _, name := range []string{"kiosk-2.printer", "window-1.pad", ""} {
		if _, ok := s.Printer(name); ok {
			t.Errorf("%q is no printer", name)
		}
	}
	var places []string
	for _, screen := range s.Screens() {
		places = append(places, screen.Place.String())
	}
	if want := []string{"window-1", "hall"}; !slices.Equal(places, want) {
		t.Errorf("screens at %v, want %v", places, want)
	}
	if pads := s.Pads(); len(pads) != 1 || pads[0].Place != (config.Place{Kind: "window", ID: "1"}) {
		t.Errorf("pads: %+v", pads)
	}
	if len(s.Speakers()) != 0 || len(s.RatingPads()) != 0 {
		t.Error("there are speakers or rating pads that nobody configured")
	}
}

func TestReadingsSayWhereTheyComeFrom(t *testing.T) {
	s := devices.New(options(t, stage(),
		at("kiosk-1.scanner", "stage", "/dev/a"), at("desk-1.scanner", "stage", "/dev/b"), at("kiosk-2.idcard", "stage", "/dev/c"),
		at("window-1.pad", "stage", "/dev/d"),
	))
	run(t, s)
	lost := map[string]device.Fault{}
	for range 3 {
		select {
		case u := <-s.Unread():
			lost[u.Device+" at "+u.Place.String()] = u.Fault
		case <-time.After(patience):
			t.Fatal("nobody is told of what could not be read")
		}
	}
	if want := (map[string]device.Fault{
		"kiosk-1.scanner at kiosk-1": device.ScanTooLong, "desk-1.scanner at desk-1": device.ScanTooLong,
		"kiosk-2.idcard at kiosk-2": device.CardRemoved,
	}); !maps.Equal(lost, want) {
		t.Errorf("told %v", lost)
	}
	places := map[string]string{}
	for range 2 {
		select {
		case scan := <-s.Scans():
			places[scan.Device] = scan.Place.String()
			if scan.Payload.Reveal() != "hello from "+scan.Device {
				t.Errorf("%s delivered %q", scan.Device, scan.Payload.Reveal())
			}
		case <-time.After(patience):
			t.Fatal("no scan")
		}
	}
	if places["kiosk-1.scanner"] != "kiosk-1" || places["desk-1.scanner"] != "desk-1" {
		t.Errorf("scans from %v", places)
	}
	select {
	case card := <-s.Cards():
		if card.Device != "kiosk-2.idcard" || card.Place.ID != "2" || card.Name.Reveal() != "hello from kiosk-2.idcard" {
			t.Errorf("a card from %s at %v", card.Device, card.Place)
		}
	case <-time.After(patience):
		t.Fatal("no card")
	}
	select {
	case key := <-s.Pads()[0].Device.Keys():
		if key.Code != device.KeyNext {
			t.Errorf("key %s", key.Code)
		}
	case <-time.After(patience):
		t.Fatal("no key")
	}
}

func TestPanickingDriverGetsANewDevice(t *testing.T) {
	first := at("window-1.pad", "stage", "/dev/a")
	first.Options = map[string]string{"panics": "1"}
	s := devices.New(options(t, stage(), first))
	pad, renewed := s.Pads()[0].Device, s.Pads()[0].Renewed // held across the lives
	select {
	case <-renewed:
		t.Error("the first device counts as a new one")
	default:
	}
	run(t, s)
	until(t, s, "the panic to show", func(all []hallsync.DeviceStatus) bool { return all[0].State == "offline" })
	if err := pad.Display(t.Context(), device.PadFrame{}); codeOf(err) != device.CodeBadReply {
		t.Errorf("a display between two lives: %v", err)
	}
	select {
	case key := <-pad.Keys():
		if key.Code != device.KeyNext {
			t.Errorf("key %s", key.Code)
		}
	case <-time.After(patience):
		t.Fatal("the new device's keys do not arrive")
	}
	until(t, s, "the new device", func(all []hallsync.DeviceStatus) bool { return all[0].State == "ok" })
	select {
	case <-renewed:
	case <-time.After(patience):
		t.Error("nobody is told that the new device must be told again what to show")
	}
}

// The call runs on its caller's goroutine, where nobody else would catch it.
func TestPanicInACallIsThatCallsFailure(t *testing.T) {
	s := devices.New(options(t, stage(), at("kiosk-1.printer", "stage", "/dev/a")))
	run(t, s)
	p, _ := s.Printer("kiosk-1.printer")
	if err := p.Print(t.Context(), device.PrintJob{}); codeOf(err) != device.CodeBadReply {
		t.Errorf("got %v", err)
	}
	if err := p.Print(t.Context(), device.PrintJob{ID: "A001"}); err == nil || err.Error() != "printed A001 on kiosk-1.printer" {
		t.Errorf("the next slip: %v", err)
	}
}

// said is a log, line by line.
type said chan string

func (s said) Write(b []byte) (int, error) {
	s <- string(b)
	return len(b), nil
}

func TestDeviceThatGaveUpIsLeftAlone(t *testing.T) {
	useless := at("kiosk-1.printer", "stage", "/dev/a")
	useless.Options = map[string]string{"useless": "true"}
	o := options(t, stage(), useless)
	log := make(said, 100)
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	s := devices.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	until(t, s, "it to give up", func(all []hallsync.DeviceStatus) bool {
		return all[0].State == "unusable" && all[0].Code == "unsupported" && all[0].Advice != ""
	})
	for deadline := time.After(patience); ; {
		select {
		case line := <-log:
			if !strings.Contains(line, "device unusable") {
				continue
			}
		case <-deadline:
			t.Fatal("nobody says that it gave up")
		}
		break
	}
	cancel()
	<-ended
	close(log)
	for line := range log {
		if strings.Contains(line, "device unusable") || strings.Contains(line, "part failed") {
			t.Errorf("it was run again: %s", line)
		}
	}
}

func TestSelfTest(t *testing.T) {
	s := devices.New(options(t, stage(), at("kiosk-1.printer", "stage", "/dev/a"), at("hall.led", "stage", "/dev/b")))
	run(t, s)
	if err := s.SelfTest(t.Context(), "kiosk-9.printer"); !errors.Is(err, devices.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	if err := s.SelfTest(t.Context(), "kiosk-1.printer"); err != nil {
		t.Errorf("printer: %v", err)
	}
	if err := s.SelfTest(t.Context(), "hall.led"); codeOf(err) != device.CodeUnsupported {
		t.Errorf("a panel without a test: %v", err)
	}
}

func TestEveryCodeHasItsAdvice(t *testing.T) {
	texts, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []device.Code{
		device.CodeOffline, device.CodeTimeout, device.CodePaperOut, device.CodePaperLow, device.CodeCoverOpen, device.CodeCutter,
		device.CodeBusy, device.CodePermission, device.CodeBadReply, device.CodeBadConfig, device.CodeUnsupported,
		device.CodeNoise, device.CodeCardsUnread, device.CodeUnclear, device.CodeNoPicture, device.CodeFaulty,
	} {
		if text, ok := texts.Text("device_"+string(code), nil); !ok || text.Advice == "" {
			t.Errorf("device_%s has no advice", code)
		}
	}
	for _, fault := range []device.Fault{
		device.ScanUnreadable, device.ScanTooLong, device.CardUnreadable, device.CardRemoved, device.CardUnknown, device.CardRefused,
	} {
		if text, ok := texts.Text(string(fault), nil); !ok || text.Detail == "" || text.Advice == "" {
			t.Errorf("%s does not say what to do", fault)
		}
	}
}
