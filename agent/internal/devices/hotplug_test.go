package devices_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/kit/health"
	"halledge/configs"
	"halledge/drivers/attached"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/drivertest/sysfs"
	"halledge/firmware-protocols/escpos"
	"halledge/firmware-protocols/hallsync"
)

// paper is a printer that answers every question with "well" and counts the slips it cut.
type paper struct{ slips atomic.Int64 }

func (p *paper) serve(rw io.ReadWriter) {
	parser := escpos.NewParser(escpos.GB18030)
	var well escpos.Status
	buf := make([]byte, 4096)
	for {
		n, err := rw.Read(buf)
		if err != nil {
			return
		}
		for _, item := range parser.Feed(buf[:n]) {
			switch item := item.(type) {
			case escpos.StatusRequest:
				_, err = rw.Write([]byte{well.Reply(item.Query)})
			case escpos.PaperRequest:
				_, err = rw.Write([]byte{well.PaperReply()})
			case escpos.Cut:
				p.slips.Add(1)
			}
			if err != nil {
				return
			}
		}
	}
}

// TestPrinterIsPluggedInAndPulledOut runs the shipped model with its real driver on a line that comes and goes.
func TestPrinterIsPluggedInAndPulledOut(t *testing.T) {
	all := drivertest.Models(t, configs.FS())
	var hardware paper
	line := farend.NewPTY(filepath.Join(t.TempDir(), "printer"), hardware.serve)
	o := options(t, nil, config.Device{
		Name: "kiosk-1.printer", Model: "escpos-80", Connect: config.Connect{Serial: line.Path()},
		Options: map[string]string{"settle": "10ms", "poll": "100ms"}, // played paper needs no time
	})
	o.Models, o.Registry = all, builtin.All()
	s := devices.New(o)
	t.Cleanup(func() { // after the end of Run
		if err := line.Unplug(); err != nil {
			t.Error(err)
		}
	})
	run(t, s)
	state := func(want string) {
		t.Helper()
		until(t, s, want, func(all []hallsync.DeviceStatus) bool { return all[0].State == want })
	}
	printer, ok := s.Printer("kiosk-1.printer")
	if !ok {
		t.Fatal("no printer")
	}
	job := device.PrintJob{ID: "1", Cut: true, Lines: []device.Line{{Text: "A001", Size: 4}}}
	state("offline")
	if err := printer.Print(t.Context(), job); codeOf(err) != device.CodeOffline {
		t.Errorf("a job before the printer came: %v", err)
	}
	for life := range int64(2) {
		if err := line.Plug(); err != nil {
			t.Fatal(err)
		}
		state("ok")
		if err := printer.Print(t.Context(), job); err != nil || hardware.slips.Load() != life+1 {
			t.Errorf("life %d: %d slips, %v", life, hardware.slips.Load(), err)
		}
		if err := line.Unplug(); err != nil {
			t.Fatal(err)
		}
		state("offline")
		if advice := s.Statuses()[0].Advice; !strings.Contains(advice, "线") {
			t.Errorf("the installer is told %q", advice)
		}
	}
}

// TestBareReaderIsOffered plugs in a card reader that the kernel makes no device file of.
func TestBareReaderIsOffered(t *testing.T) {
	all := drivertest.Models(t, configs.FS())
	nodes := []attached.Node{
		{Kind: attached.USB, Path: "/dev/bus/usb/001/004", Vendor: "0400", Product: "c35a", Port: "1-1.2"},
		{Kind: attached.USB, Path: "/dev/bus/usb/001/005", Vendor: "0781", Product: "5567", Port: "1-1.3"},
	}
	found := devices.Find(nodes, nil, all, builtin.All())
	if len(found) != 2 || len(found[0].Offers) != 1 || len(found[1].Offers) != 0 {
		t.Fatalf("found %+v", found)
	}
	if o := found[0].Offers[0]; o.Class != device.ClassIDCard || o.Model != "generic-sdt-usb" || !o.Sure || o.Connect.USB != "0400:c35a@1-1.2" {
		t.Errorf("offered %+v", o)
	}
	site := []config.Device{{Name: "kiosk-1.idcard", Model: "generic-sdt-usb", Connect: config.Connect{USB: "0400:c35a"}}}
	if found := devices.Find(nodes, site, all, builtin.All()); found[0].Device != "kiosk-1.idcard" || found[1].Device != "" {
		t.Errorf("configured, found %+v", found)
	}
}

// A device that answers nonsense has a condition with advice, and the others go on.
func TestNonsenseHasAdviceAndDisturbsNobody(t *testing.T) {
	var hardware paper
	printer := farend.NewPTY(filepath.Join(t.TempDir(), "printer"), hardware.serve)
	reader := farend.NewPTY(filepath.Join(t.TempDir(), "reader"), func(rw io.ReadWriter) {
		for buf := make([]byte, 256); ; {
			if _, err := rw.Read(buf); err != nil {
				return
			}
			if _, err := rw.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\n")); err != nil {
				return
			}
		}
	})
	for _, line := range []*farend.PTY{printer, reader} {
		if err := line.Plug(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := line.Unplug(); err != nil {
				t.Error(err)
			}
		})
	}
	s := devices.New(shipped(t, sysfs.New(t),
		config.Device{
			Name: "kiosk-1.printer", Model: "escpos-80", Connect: config.Connect{Serial: printer.Path()},
			Options: map[string]string{"settle": "10ms", "poll": "100ms"},
		},
		config.Device{Name: "kiosk-1.idcard", Model: "generic-sdt", Connect: config.Connect{Serial: reader.Path()}},
	))
	run(t, s)
	until(t, s, "the verdict", func(all []hallsync.DeviceStatus) bool {
		return all[0].State == "ok" && all[1].Code == "bad_reply" && strings.Contains(all[1].Advice, "速率")
	})
	for slip := range int64(3) {
		p, _ := s.Printer("kiosk-1.printer")
		job := device.PrintJob{ID: "1", Cut: true, Lines: []device.Line{{Text: "A001"}}}
		if err := p.Print(t.Context(), job); err != nil || hardware.slips.Load() != slip+1 {
			t.Errorf("slip %d: %d came out, %v", slip, hardware.slips.Load(), err)
		}
	}
}

// Pads on a line on which nobody answers are one trouble: that of the line.
func TestLineWithoutAnyAnswerIsTheCause(t *testing.T) {
	line := farend.NewPTY(filepath.Join(t.TempDir(), "bus"), func(rw io.ReadWriter) { _, _ = io.Copy(io.Discard, rw) })
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := line.Unplug(); err != nil {
			t.Error(err)
		}
	})
	pad := func(window, unit string) config.Device {
		return config.Device{
			Name: "window-" + window + ".pad", Model: "halledge-pad", Connect: config.Connect{Serial: line.Path()},
			Options: map[string]string{"unit": unit},
		}
	}
	s := devices.New(shipped(t, sysfs.New(t), pad("1", "1"), pad("2", "2"), pad("3", "3")))
	run(t, s)
	waitFor(t, "the cause", func() string {
		roots := s.Roots()
		if len(roots) != 1 || roots[0].Code != health.BusDown || roots[0].Subject != line.Path() || len(roots[0].Devices) != 3 {
			return fmt.Sprintf("%+v", roots)
		}
		return ""
	})
}

// Two names of one port are no two lines: the one that comes second is told of the first, and not of a stranger.
func TestPortUnderTwoNames(t *testing.T) {
	dir := t.TempDir()
	line := farend.NewPTY(filepath.Join(dir, "by-path"), func(rw io.ReadWriter) { _, _ = io.Copy(io.Discard, rw) })
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := line.Unplug(); err != nil {
			t.Error(err)
		}
	})
	other := filepath.Join(dir, "by-id")
	if err := os.Symlink(line.Path(), other); err != nil {
		t.Fatal(err)
	}
	s := devices.New(shipped(t, sysfs.New(t),
		config.Device{Name: "kiosk-1.scanner", Model: "serial-scanner", Connect: config.Connect{Serial: line.Path()}},
		config.Device{Name: "desk-1.scanner", Model: "serial-scanner", Connect: config.Connect{Serial: other}},
	))
	run(t, s)
	waitFor(t, "the cause", func() string {
		roots := s.Roots()
		if len(roots) != 1 || roots[0].Code != health.PortTwice || len(roots[0].Devices) != 2 || roots[0].Devices[0] == roots[0].Devices[1] {
			return fmt.Sprintf("%+v", roots)
		}
		return ""
	})
	advised := 0
	for _, st := range s.Statuses() {
		if st.Code == "busy" && strings.Contains(st.Advice, "一个接口配置给了两台设备") {
			advised++
		}
	}
	if advised != 1 {
		t.Errorf("%+v", s.Statuses())
	}
}
