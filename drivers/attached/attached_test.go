package attached_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"halledge/drivers/attached"
	"halledge/drivers/drivertest/sysfs"
)

// hall is a machine with a UART, two adapters of the same make, a printer, a scanner that types and a card reader without a driver.
func hall(t *testing.T) sysfs.Machine {
	m := sysfs.New(t)
	for name, kind := range map[string]string{"ttyS0": "4", "ttyS1": "0"} {
		dir := "sys/devices/platform/serial8250/tty/" + name
		m.Write(dir+"/uevent", "DEVNAME="+name)
		m.Write(dir+"/type", kind)
		m.Link(dir+"/device", "sys/devices/platform/serial8250")
		m.Link("sys/class/tty/"+name, dir)
	}
	m.Write("sys/devices/virtual/tty/tty1/uevent", "DEVNAME=tty1")
	m.Link("sys/class/tty/tty1", "sys/devices/virtual/tty/tty1")

	m.Node(m.Plug("1-1.2", "1a86:7523", "", "USB Serial", "bus/usb/001/004"), "1-1.2:1.0", "tty", "ttyUSB0", "ttyUSB0")
	m.Node(m.Plug("1-1.3", "1a86:7523", "", "USB Serial", "bus/usb/001/005"), "1-1.3:1.0", "tty", "ttyUSB1", "ttyUSB1")
	m.Node(m.Plug("1-2", "0483:5743", "ABC:1", "POS58\x1b[31m", "bus/usb/001/006"), "1-2:1.0", "usbmisc", "lp0", "usb/lp0")
	scanner := m.Plug("1-3", "1eab:0c10", "N1", "NLS-FM", "bus/usb/001/007")
	typing := m.Node(scanner, "1-3:1.1", "input", "event5", "input/event5")
	m.Write(filepath.Dir(filepath.Dir(typing))+"/capabilities/key", "e080ffdf01cfffff fffffffffffffffe")
	m.Node(scanner, "1-3:1.0", "input", "event4", "input/event4")
	m.Plug("1-4", "0400:c35a", "", "SDT", "bus/usb/001/008")
	return m
}

func TestScanFindsWhatIsThere(t *testing.T) {
	nodes, err := attached.Scan(hall(t).Root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range nodes {
		got = append(got, string(n.Kind)+" "+n.Path+" "+n.Vendor+":"+n.Product+"@"+n.Port+" "+n.Title)
	}
	want := []string{
		"input /dev/input/event4 1eab:0c10@1-3 NLS-FM",
		"input /dev/input/event5 1eab:0c10@1-3 NLS-FM",
		"printer /dev/usb/lp0 0483:5743@1-2 POS58[31m",
		"serial /dev/ttyS0 :@ ",
		"serial /dev/ttyUSB0 1a86:7523@1-1.2 USB Serial",
		"serial /dev/ttyUSB1 1a86:7523@1-1.3 USB Serial",
		"usb /dev/bus/usb/001/004 1a86:7523@1-1.2 USB Serial",
		"usb /dev/bus/usb/001/005 1a86:7523@1-1.3 USB Serial",
		"usb /dev/bus/usb/001/006 0483:5743@1-2 POS58[31m",
		"usb /dev/bus/usb/001/007 1eab:0c10@1-3 NLS-FM",
		"usb /dev/bus/usb/001/008 0400:c35a@1-4 SDT",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	for _, n := range nodes {
		if n.Keys != (n.Path == "/dev/input/event5") {
			t.Errorf("%s has letters: %t", n.Path, n.Keys)
		}
	}
}

func TestScanOfAMachineWithoutUSB(t *testing.T) {
	if nodes, err := attached.Scan(t.TempDir()); err != nil || len(nodes) != 0 {
		t.Errorf("%v, %v", nodes, err)
	}
}

func TestHubs(t *testing.T) {
	m := hall(t)
	m.Hub("1-1")
	if hubs, err := attached.Hubs(m.Root); err != nil || !reflect.DeepEqual(hubs, []string{"1-1"}) {
		t.Errorf("%v, %v", hubs, err)
	}
	for port, want := range map[string][]string{"1-1": nil, "1-1.2": {"1-1"}, "2-1.4.2": {"2-1", "2-1.4"}, "": nil} {
		if got := attached.Above(port); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", port, got)
		}
	}
}

func TestThreat33ReferencesNameOneDevice(t *testing.T) {
	nodes, err := attached.Scan(hall(t).Root)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ref  string
		kind attached.Kind
		path string
		err  error
	}{
		{"1A86:7523@1-1.3", attached.Serial, "/dev/ttyUSB1", nil},
		{"1a86:7523", attached.Serial, "", attached.ErrAmbiguous},
		{"1a86:7523@1-1", attached.Serial, "", attached.ErrAbsent},
		{"0483:5743:ABC:1", attached.Printer, "/dev/usb/lp0", nil},
		{"0483:5743:XYZ", attached.Printer, "", attached.ErrAbsent},
		{"0483:5743", attached.Serial, "", attached.ErrAbsent},
		{"1eab:0c10", attached.Input, "/dev/input/event5", nil},
		{"0400:c35a", attached.USB, "/dev/bus/usb/001/008", nil},
	} {
		r, err := attached.ParseRef(c.ref)
		if err != nil {
			t.Errorf("%s: %v", c.ref, err)
			continue
		}
		n, err := attached.Find(nodes, r, c.kind)
		if n.Path != c.path || !errors.Is(err, c.err) {
			t.Errorf("%s (%s): %q, %v; want %q, %v", c.ref, c.kind, n.Path, err, c.path, c.err)
		}
	}
}

func TestReferencesThatAreKeptLeadBack(t *testing.T) {
	nodes, err := attached.Scan(hall(t).Root)
	if err != nil {
		t.Fatal(err)
	}
	refs := attached.Refs(nodes)
	for path, want := range map[string]string{
		"/dev/ttyS0": "", "/dev/ttyUSB0": "1a86:7523@1-1.2", "/dev/usb/lp0": "0483:5743:ABC:1", "/dev/bus/usb/001/008": "0400:c35a@1-4",
	} {
		if refs[path] != want {
			t.Errorf("%s: %q, want %q", path, refs[path], want)
		}
	}
	for _, n := range nodes {
		if refs[n.Path] == "" {
			continue
		}
		r, err := attached.ParseRef(refs[n.Path])
		if err != nil {
			t.Fatal(err)
		}
		if found, err := attached.Find(nodes, r, n.Kind); err != nil || found.Port != n.Port {
			t.Errorf("%s leads to %+v, %v", refs[n.Path], found, err)
		}
	}
}

// What is written down while a device is alone must not lead to another of its make that comes later.
func TestThreat33ReferencesThatAreKeptNameNoTwin(t *testing.T) {
	for _, serial := range []string{"", "0001", "00000000"} {
		m := sysfs.New(t)
		m.Node(m.Plug("1-2", "10c4:ea60", serial, "CP2102", "bus/usb/001/004"), "1-2:1.0", "tty", "ttyUSB0", "ttyUSB0")
		nodes, err := attached.Scan(m.Root)
		if err != nil {
			t.Fatal(err)
		}
		r, err := attached.ParseRef(attached.Refs(nodes)["/dev/ttyUSB0"])
		if err != nil {
			t.Fatal(err)
		}
		m.Unplug("1-2")
		m.Node(m.Plug("1-3", "10c4:ea60", serial, "CP2102", "bus/usb/001/005"), "1-3:1.0", "tty", "ttyUSB0", "ttyUSB0")
		if nodes, err = attached.Scan(m.Root); err != nil {
			t.Fatal(err)
		}
		if n, err := attached.Find(nodes, r, attached.Serial); !errors.Is(err, attached.ErrAbsent) {
			t.Errorf("serial number %q: %s leads to %s, %v", serial, r, n.Port, err)
		}
	}
}

func TestReferencesThatOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1a86:7523", "1a86:7523@1-2", true},
		{"1a86:7523:A1", "1a86:7523@1-2", true},
		{"1a86:7523@1-3", "1a86:7523@1-2", false},
		{"1a86:7523:A1@1-2", "1a86:7523:A2@1-2", false},
		{"1a86:7523", "10c4:ea60", false},
	} {
		a, errA := attached.ParseRef(c.a)
		b, errB := attached.ParseRef(c.b)
		if err := errors.Join(errA, errB); err != nil || a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%s and %s: %v, %v", a, b, a.Overlaps(b), err)
		}
	}
}

func TestWrongReferences(t *testing.T) {
	for _, s := range []string{"", "1a86", "1a86:75", "1a86:7523@", "1a86:7523@../etc", "1a86:7523@1", "xxxx:7523", "1a86:7523:"} {
		if r, err := attached.ParseRef(s); err == nil {
			t.Errorf("%q is read as %v", s, r)
		}
	}
	const whole = "1a86:7523:A1@2-1.4.3"
	if r, err := attached.ParseRef(whole); err != nil || r.String() != whole {
		t.Errorf("%v, %v", r, err)
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("1a86:7523:A1@2-1.4.3")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := attached.ParseRef(s)
		if err != nil {
			return
		}
		if again, err := attached.ParseRef(r.String()); err != nil || again != r {
			t.Errorf("%q: %+v, then %+v, %v", s, r, again, err)
		}
	})
}
