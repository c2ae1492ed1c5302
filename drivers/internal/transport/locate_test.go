package transport

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"halledge/drivers/attached"
	"halledge/drivers/device"
)

// adapter makes a USB serial adapter in a sysfs below root.
func adapter(t *testing.T, root, port, name string) {
	t.Helper()
	dir := filepath.Join(root, "sys/devices/usb1", port)
	entry := filepath.Join(dir, port+":1.0/tty", name)
	if err := errors.Join(os.MkdirAll(entry, 0o755), os.MkdirAll(filepath.Join(root, "sys/class/tty"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(dir, "idVendor"): "1a86\n", filepath.Join(dir, "idProduct"): "7523\n", filepath.Join(entry, "uevent"): "DEVNAME=" + name + "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(filepath.Join(dir, port+":1.0"), filepath.Join(entry, "device")),
		os.Symlink(entry, filepath.Join(root, "sys/class/tty", name))); err != nil {
		t.Fatal(err)
	}
}

func TestReferencesLeadToTheNodeOfTheDay(t *testing.T) {
	root := t.TempDir()
	const ref = "usb:1a86:7523"
	var de *device.Error
	if _, err := locate(root, ref, attached.Serial); !errors.As(err, &de) || de.Code != device.CodeOffline || !de.Retry || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing plugged in: %v", err)
	}
	adapter(t, root, "1-2", "ttyUSB7")
	for _, s := range []string{ref, ref + "@1-2"} {
		if path, err := locate(root, s, attached.Serial); path != "/dev/ttyUSB7" || err != nil {
			t.Errorf("%s: %q, %v", s, path, err)
		}
	}
	if _, err := locate(root, ref, attached.Printer); !errors.As(err, &de) || de.Code != device.CodeOffline {
		t.Errorf("an adapter as a printer: %v", err)
	}
	adapter(t, root, "1-3", "ttyUSB1")
	if _, err := locate(root, ref, attached.Serial); !errors.As(err, &de) || de.Code != device.CodeOffline || !de.Retry || !errors.Is(err, attached.ErrAmbiguous) {
		t.Errorf("two alike: %v", err)
	}
	if path, err := locate(root, ref+"@1-3", attached.Serial); path != "/dev/ttyUSB1" || err != nil {
		t.Errorf("%q, %v", path, err)
	}
	if path, err := locate(root, "/dev/ttyS0", attached.Serial); path != "/dev/ttyS0" || err != nil {
		t.Errorf("a path: %q, %v", path, err)
	}
}

// One device is the same under all its names.
func TestNode(t *testing.T) {
	root := t.TempDir()
	adapter(t, root, "1-2", "tty7")
	if err := os.WriteFile(filepath.Join(root, "sys/class/tty/tty7/uevent"), []byte("DEVNAME=null\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "by-path")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	want := Spec{Serial: "/dev/null"}.Node()
	for _, s := range []Spec{{Serial: link}, {Serial: "usb:1a86:7523@1-2", Root: root}, {File: link}} {
		if got := s.Node(); got != want || got == "" {
			t.Errorf("%s is %q, want %q", s, got, want)
		}
	}
	for _, s := range []Spec{{Serial: "/dev/zero"}, {Serial: "usb:1a86:7523@1-3", Root: root}, {TCP: "127.0.0.1:9100"}, {Serial: "/dev/not/there"}} {
		if got := s.Node(); got == want {
			t.Errorf("%s is %q too", s, got)
		}
	}
}
