// Package attached gives what is plugged into this machine and can be driven: serial ports, USB printers, keyboards, HID devices,
// cameras, sound cards and USB devices without a kernel driver, each with its maker's numbers and the socket that it is in. It reads
// sysfs (Linux Documentation/ABI/stable/sysfs-bus-usb and testing/sysfs-class-*), needs no rights and opens no device.
package attached

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Kind is how a program talks to a node.
type Kind string

// The kinds.
const (
	Serial  Kind = "serial"  // a tty of an adapter, of a device's own or of the mainboard
	Printer Kind = "printer" // /dev/usb/lp*
	Input   Kind = "input"   // /dev/input/event*: keyboards, scanners that type
	HID     Kind = "hid"     // /dev/hidraw*
	Video   Kind = "video"   // /dev/video*
	Sound   Kind = "sound"   // /dev/snd/controlC*
	USB     Kind = "usb"     // /dev/bus/usb/*/*: the whole device
)

// Node is one thing that can be opened.
type Node struct {
	Kind Kind   `json:"kind"`
	Path string `json:"path"` // the node's name now; it may be another one after the next start
	// Of the USB device that it belongs to; all empty on a node of the mainboard.
	Vendor  string `json:"vendor,omitempty"`  // idVendor, four hexadecimal digits
	Product string `json:"product,omitempty"` // idProduct
	Serial  string `json:"serial,omitempty"`  // the maker's, if the device has one
	Port    string `json:"port,omitempty"`    // the socket: 1-1.2 is bus 1, socket 1 of the machine, socket 2 of the hub in it
	Part    int    `json:"part"`              // bInterfaceNumber, for devices with several nodes of one kind
	Maker   string `json:"maker,omitempty"`
	Title   string `json:"title,omitempty"`
	Keys    bool   `json:"keys,omitempty"` // an input that has letters and Enter
}

// classes are the folders of /sys/class that hold nodes, and the beginning of a node's name there.
var classes = []struct {
	kind         Kind
	class, begin string
}{
	{Serial, "tty", "tty"},
	{Printer, "usbmisc", "lp"},
	{Input, "input", "event"},
	{HID, "hidraw", "hidraw"},
	{Video, "video4linux", "video"},
	{Sound, "sound", "controlC"},
}

// Scan gives all nodes below root ("/" outside of tests), ordered by kind and path. What vanishes meanwhile is left out.
func Scan(root string) ([]Node, error) {
	var nodes []Node
	for _, c := range classes {
		dir := filepath.Join(root, "sys/class", c.class)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("attached devices: %w", err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), c.begin) {
				continue
			}
			if n, ok := node(root, c.kind, filepath.Join(dir, e.Name())); ok {
				nodes = append(nodes, n)
			}
		}
	}
	whole, err := usbDevices(root)
	if err != nil {
		return nil, err
	}
	nodes = append(nodes, whole...)
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(len(a.Path), len(b.Path)), cmp.Compare(a.Path, b.Path))
	})
	return nodes, nil
}

// node reads the entry of a class. Entries without a device behind them, such as the consoles of a tty, are none.
func node(root string, kind Kind, entry string) (Node, bool) {
	link := filepath.Join(entry, "device")
	if _, err := os.Lstat(link); err != nil { // of what most entries are, without reading anything of them
		return Node{}, false
	}
	name := uevent(entry, "DEVNAME")
	if name == "" {
		return Node{}, false
	}
	device, err := filepath.EvalSymlinks(link)
	if err != nil {
		return Node{}, false
	}
	n := Node{Kind: kind, Path: "/dev/" + strings.TrimPrefix(name, "/dev/")}
	if kind == Input {
		n.Keys = types(attribute(device, "capabilities/key"))
		n.Title = attribute(device, "name")
	}
	usb := n.fill(root, device)
	if kind == Serial && !usb && !mainboard(entry) {
		return Node{}, false
	}
	return n, true
}

// fill walks up from dir to the USB device that it belongs to, if any.
func (n *Node) fill(root, dir string) bool {
	top := filepath.Join(root, "sys/devices")
	if real, err := filepath.EvalSymlinks(top); err == nil {
		top = real
	}
	for ; len(dir) > len(top); dir = filepath.Dir(dir) {
		if part := attribute(dir, "bInterfaceNumber"); part != "" {
			if i, err := strconv.ParseInt(part, 16, 16); err == nil {
				n.Part = int(i)
			}
		}
		if n.Vendor = attribute(dir, "idVendor"); n.Vendor != "" {
			n.Product = attribute(dir, "idProduct")
			n.Serial = attribute(dir, "serial")
			n.Maker = attribute(dir, "manufacturer")
			n.Title = cmp.Or(attribute(dir, "product"), n.Title)
			n.Port = filepath.Base(dir)
			return true
		}
	}
	return false
}

// mainboard tells a UART that is there from the many that a driver only allows for: their type is 0 (PORT_UNKNOWN).
func mainboard(entry string) bool {
	kind := attribute(entry, "type")
	return kind != "" && kind != "0"
}

const (
	usbDir   = "sys/bus/usb/devices"
	hubClass = "09" // bDeviceClass of a hub
)

// Hubs lists the sockets that a hub is in, such as 1-1, below root ("/" outside of tests).
func Hubs(root string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, usbDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("attached hubs: %w", err)
	}
	var hubs []string
	for _, e := range entries {
		if portForm.MatchString(e.Name()) && attribute(filepath.Join(root, usbDir, e.Name()), "bDeviceClass") == hubClass {
			hubs = append(hubs, e.Name())
		}
	}
	return hubs, nil
}

// Above gives the sockets of the hubs between the machine and a socket, the nearest to the machine first: 1-1 and 1-1.4 of 1-1.4.2.
func Above(port string) []string {
	var hubs []string
	for i, r := range port {
		if r == '.' {
			hubs = append(hubs, port[:i])
		}
	}
	return hubs
}

// usbDevices lists the devices on all USB buses except the hubs.
func usbDevices(root string) ([]Node, error) {
	dir := filepath.Join(root, usbDir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("attached devices: %w", err)
	}
	var nodes []Node
	for _, e := range entries {
		device, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name()))
		if err != nil || attribute(device, "idVendor") == "" || attribute(device, "bDeviceClass") == hubClass {
			continue // an interface, something that has just gone, or a hub
		}
		name := uevent(device, "DEVNAME")
		if name == "" {
			continue
		}
		n := Node{Kind: USB, Path: "/dev/" + name}
		n.fill(root, device)
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// longest is more than any attribute that is read here has; sysfs itself ends at a page.
const longest = 4096

func attribute(dir, name string) string {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	buf := make([]byte, longest)
	n, _ := f.Read(buf) // an attribute that cannot be read is as good as none
	return strings.Map(printable, strings.TrimSpace(string(buf[:n])))
}

// printable keeps what a device says of itself on one line: its strings are an outsider's.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == '\uFFFD' {
		return -1
	}
	return r
}

// uevent gives one value of the uevent file in dir.
func uevent(dir, key string) string {
	data, err := os.ReadFile(filepath.Join(dir, "uevent"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// types reports whether a key bitmap (words of a long, highest first) has the keys of a typewriter: Q and A (16 and 30 of linux/
// input-event-codes.h) and Enter (28) are all in the lowest word.
func types(bitmap string) bool {
	words := strings.Fields(bitmap)
	if len(words) == 0 {
		return false
	}
	low, err := strconv.ParseUint(words[len(words)-1], 16, 64)
	const need = 1<<16 | 1<<28 | 1<<30
	return err == nil && low&need == need
}
