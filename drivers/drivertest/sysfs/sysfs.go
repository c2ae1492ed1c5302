// Package sysfs gives a made-up machine to plug devices into: the files by which the kernel shows what is there, below a folder of the
// test's own.
package sysfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Machine has a sysfs and a /dev below Root.
type Machine struct {
	Root string
	t    Failer
}

// Failer is told what could not be made: a test, or what stands for one in a simulator.
type Failer interface {
	Helper()
	Fatal(args ...any)
}

// bus is the first USB bus of every machine.
const bus = "sys/devices/pci0000:00/0000:00:14.0/usb1/"

// New gives a test a machine with an empty USB bus.
func New(t testing.TB) Machine { return At(t.TempDir(), t) }

// At gives a machine with an empty USB bus below root.
func At(root string, t Failer) Machine {
	m := Machine{root, t}
	m.Write(bus+"idVendor", "1d6b")
	m.Write(bus+"idProduct", "0002")
	m.Write(bus+"bDeviceClass", "09")
	m.Write(bus+"uevent", "DEVNAME=bus/usb/001/001")
	m.Link("sys/bus/usb/devices/usb1", strings.TrimSuffix(bus, "/"))
	m.must(os.MkdirAll(filepath.Join(m.Root, "dev"), 0o755))
	return m
}

func (m Machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// Write makes a file with one line.
func (m Machine) Write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.Root, path)
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	m.must(os.WriteFile(path, []byte(text+"\n"), 0o644))
}

// Link makes a link that leads to another path of the machine.
func (m Machine) Link(path, to string) {
	m.t.Helper()
	path = filepath.Join(m.Root, path)
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	rel, err := filepath.Rel(filepath.Dir(path), filepath.Join(m.Root, to))
	m.must(err)
	m.must(os.Symlink(rel, path))
}

// Plug puts a USB device into a socket such as 1-1.2 and gives its folder. ids are VVVV:PPPP.
func (m Machine) Plug(port, ids, serial, product, devname string) string {
	m.t.Helper()
	dir := bus + port
	m.Write(dir+"/idVendor", ids[:4])
	m.Write(dir+"/idProduct", ids[5:])
	m.Write(dir+"/bDeviceClass", "00")
	m.Write(dir+"/manufacturer", "Maker")
	m.Write(dir+"/product", product)
	if serial != "" {
		m.Write(dir+"/serial", serial)
	}
	m.Write(dir+"/uevent", "MAJOR=189\nDEVNAME="+devname)
	m.Link("sys/bus/usb/devices/"+port, dir)
	return dir
}

// Hub puts a hub into a socket.
func (m Machine) Hub(port string) {
	m.t.Helper()
	m.Write(m.Plug(port, "1a40:0101", "", "USB 2.0 Hub", "bus/usb/001/002")+"/bDeviceClass", "09")
}

// Node makes an entry of a class at an interface of a device, such as the tty of 1-1.2:1.0, and its node in /dev. It gives the
// entry's folder.
func (m Machine) Node(dir, part, class, name, devname string) string {
	m.t.Helper()
	m.Write(dir+"/"+part+"/bInterfaceNumber", part[len(part)-1:])
	m.Link("sys/bus/usb/devices/"+part, dir+"/"+part)
	entry := dir + "/" + part + "/" + class + "/" + name
	m.Write(entry+"/uevent", "DEVNAME="+devname)
	m.Link(entry+"/device", dir+"/"+part)
	m.Link("sys/class/"+class+"/"+name, entry)
	m.Write("dev/"+devname, "") // the last: whoever watches /dev finds all of it
	return entry
}

// Unplug pulls out what is in a socket and everything behind it.
func (m Machine) Unplug(port string) {
	m.t.Helper()
	behind, err := filepath.Glob(filepath.Join(m.Root, bus, port+".*"))
	m.must(err)
	for _, dir := range append(behind, filepath.Join(m.Root, bus, port)) {
		m.must(os.RemoveAll(dir))
	}
	for _, pattern := range []string{"sys/bus/usb/devices/*", "sys/class/*/*"} {
		links, err := filepath.Glob(filepath.Join(m.Root, pattern))
		m.must(err)
		for _, link := range links {
			if _, err := os.Stat(link); os.IsNotExist(err) {
				m.must(os.Remove(link))
			}
		}
	}
	gone := filepath.Join(m.Root, "dev/gone") // a change that whoever watches /dev hears of
	m.must(os.WriteFile(gone, nil, 0o600))
	m.must(os.Remove(gone))
}
