package devices_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/kit/health"
	"halledge/configs"
	"halledge/drivers/attached"
	"halledge/drivers/builtin"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/drivertest/sysfs"
	"halledge/firmware-protocols/hallsync"
)

// waitFor waits until nothing is missing any more.
func waitFor(t *testing.T, what string, missing func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		why := missing()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s: %s", what, why)
		}
	}
}

// shipped gives the options of a set with the real models and drivers on a machine.
func shipped(t *testing.T, m sysfs.Machine, site ...config.Device) devices.Options {
	t.Helper()
	all := drivertest.Models(t, configs.FS())
	o := options(t, nil, site...)
	o.Models, o.Registry, o.Root = all, builtin.All(), m.Root
	return o
}

func TestWhatIsPluggedInIsFoundOnce(t *testing.T) {
	m := sysfs.New(t)
	m.Node(m.Plug("1-1", "04b8:0202", "", "TM-T88V", "bus/usb/001/003"), "1-1:1.0", "usbmisc", "lp0", "usb/lp0")
	m.Node(m.Plug("1-2", "1a86:7523", "", "USB Serial", "bus/usb/001/004"), "1-2:1.0", "tty", "ttyUSB0", "ttyUSB0")
	m.Node(m.Plug("1-3", "1eab:1303", "", "NLS", "bus/usb/001/005"), "1-3:1.0", "tty", "ttyACM0", "ttyACM0")
	m.Node(m.Plug("1-4", "046d:c077", "", "Mouse", "bus/usb/001/006"), "1-4:1.0", "input", "event3", "input/event3")
	keys := "/capabilities/key"
	typing := m.Node(m.Plug("1-5", "ffff:1200", "", "USB Barcode Scanner", "bus/usb/001/007"), "1-5:1.0", "input", "event5", "input/event5")
	m.Write(filepath.Dir(filepath.Dir(typing))+keys, "e080ffdf01cfffff fffffffffffffffe")
	pad := m.Node(m.Plug("1-6", "ffff:1201", "", "Numeric Keypad", "bus/usb/001/008"), "1-6:1.0", "input", "event6", "input/event6")
	m.Write(filepath.Dir(filepath.Dir(pad))+keys, "e080ffdf01cfffff fffffffffffffffe")
	nodes, err := attached.Scan(m.Root)
	if err != nil {
		t.Fatal(err)
	}
	site := []config.Device{{Name: "window-1.pad", Model: "halledge-pad", Connect: config.Connect{Serial: "usb:1a86:7523"}}}
	o := shipped(t, m)
	var got []string
	for _, f := range devices.Find(nodes, site, o.Models, o.Registry) {
		first := "-"
		if len(f.Offers) > 0 {
			first = fmt.Sprint(f.Offers[0].Model, " ", f.Offers[0].Sure)
		}
		got = append(got, fmt.Sprint(f.Path, " ", f.Ref, " ", f.Device, " ", first))
	}
	want := []string{
		"/dev/usb/lp0 04b8:0202@1-1  epson-tm-t88 true",
		"/dev/ttyUSB0 1a86:7523@1-2 window-1.pad -",
		"/dev/ttyACM0 1eab:1303@1-3  newland-serial false",
		"/dev/input/event5 ffff:1200@1-5  usb-keyboard-scanner false",
		"/dev/input/event6 ffff:1201@1-6  usb-keypad false",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A reference without serial number and socket fits every device of the make, and yet one of them only is the configured one.
func TestThreat33ATwinIsNotConfigured(t *testing.T) {
	m := sysfs.New(t)
	m.Node(m.Plug("1-2", "1a86:7523", "", "USB Serial", "bus/usb/001/004"), "1-2:1.0", "tty", "ttyUSB0", "ttyUSB0")
	m.Node(m.Plug("1-3", "1a86:7523", "", "USB Serial", "bus/usb/001/005"), "1-3:1.0", "tty", "ttyUSB1", "ttyUSB1")
	nodes, err := attached.Scan(m.Root)
	if err != nil {
		t.Fatal(err)
	}
	here := config.Connect{Serial: "usb:1a86:7523"}
	site := []config.Device{{Name: "window-1.pad", Model: "halledge-pad", Connect: here}, {Name: "window-2.pad", Model: "halledge-pad", Connect: here}}
	o := shipped(t, m)
	found := devices.Find(nodes, site, o.Models, o.Registry)
	if len(found) != 2 || found[0].Device != "window-1.pad" || found[1].Device != "" {
		t.Errorf("found %+v", found)
	}
}

func TestNamesThatAreFree(t *testing.T) {
	plan := &config.Plan{Kiosks: []config.Kiosk{{ID: "1"}, {ID: "2"}}, Windows: []config.Window{{ID: "1"}}}
	site := []config.Device{{Name: "kiosk-1.printer"}, {Name: "hall.speaker"}, {Name: "window-1.pad"}}
	for class, want := range map[device.Class]string{
		device.ClassPrinter: "kiosk-2.printer", device.ClassScanner: "kiosk-1.scanner", device.ClassIDCard: "kiosk-1.idcard",
		device.ClassSpeaker: "window-1.speaker", device.ClassScreen: "hall.led", device.ClassCallPad: "window-1.pad", device.ClassRatingPad: "window-1.rater",
	} {
		if got := devices.FreeName(class, site, plan); got != want {
			t.Errorf("%s: %s, want %s", class, got, want)
		}
	}
}

// A hub that is gone is told instead of what was behind it.
func TestHubThatIsGoneIsTheCause(t *testing.T) {
	m := sysfs.New(t)
	m.Hub("1-1")
	m.Node(m.Plug("1-1.2", "1a86:7523", "", "USB Serial", "bus/usb/001/004"), "1-1.2:1.0", "tty", "ttyUSB7", "ttyUSB7")
	m.Node(m.Plug("1-1.3", "10c4:ea60", "", "CP2102", "bus/usb/001/005"), "1-1.3:1.0", "tty", "ttyUSB8", "ttyUSB8")
	s := devices.New(shipped(t, m,
		config.Device{Name: "kiosk-1.scanner", Model: "serial-scanner", Connect: config.Connect{Serial: "usb:1a86:7523"}},
		config.Device{Name: "hall.speaker", Model: "syn6288", Connect: config.Connect{Serial: "usb:10c4:ea60"}},
	))
	run(t, s)
	waitFor(t, "the sockets", func() string {
		for name, d := range s.Details() {
			if d.Port == "" {
				return name + " has none"
			}
		}
		return ""
	})
	m.Unplug("1-1")
	waitFor(t, "the cause", func() string {
		roots := s.Roots()
		if len(roots) != 1 || roots[0].Code != health.HubGone || roots[0].Subject != "1-1" || len(roots[0].Devices) != 2 {
			return fmt.Sprintf("%+v", roots)
		}
		return ""
	})
	for name, d := range s.Details() {
		if d.Cause == nil || d.Cause.Code != health.HubGone {
			t.Errorf("%s has the cause %+v", name, d.Cause)
		}
	}
	until(t, s, "the advice", func(all []hallsync.DeviceStatus) bool {
		return !slices.ContainsFunc(all, func(st hallsync.DeviceStatus) bool { return !strings.Contains(st.Advice, "集线器") })
	})
}
