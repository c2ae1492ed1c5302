//go:build vm

package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"halledge/drivers/attached"
	"halledge/drivers/drivertest"
)

// gadgets is where the kernel makes USB devices out of folders (Linux Documentation/usb/gadget_configfs.rst). dummy_hcd gives them
// sockets of this machine, so that its own drivers find them as if they hung on a cable.
const gadgets = "/sys/kernel/config/usb_gadget"

// identity is what a USB device says of itself.
type identity struct {
	vendor, product string // hexadecimal
	serial, title   string
}

// gadget is a USB device that a test can plug in and pull out.
type gadget struct {
	t        *testing.T
	dir      string
	function string // its folder
	socket   int    // of dummy_hcd
	id       identity
}

// newGadget makes a device with one function, such as "acm", with its settings. It is not plugged in.
func newGadget(t *testing.T, socket int, id identity, function string, settings map[string]string) *gadget {
	t.Helper()
	dir := filepath.Join(gadgets, fmt.Sprint("device", socket))
	g := &gadget{t: t, dir: dir, function: dir + "/functions/" + function + ".of" + fmt.Sprint(socket), socket: socket, id: id}
	strs, config := dir+"/strings/0x409", dir+"/configs/c.1"
	t.Cleanup(func() { // folders of configfs go one by one
		g.unplug()
		_ = os.Remove(config + "/" + filepath.Base(g.function))
		for _, path := range []string{g.function, config, strs, dir} {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
	})
	for _, path := range []string{dir, strs, config, g.function} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"idVendor": "0x" + id.vendor, "idProduct": "0x" + id.product, "strings/0x409/serialnumber": id.serial,
		"strings/0x409/manufacturer": "Maker", "strings/0x409/product": id.title,
	} {
		if value != "" {
			g.set(filepath.Join(dir, name), value)
		}
	}
	for name, value := range settings {
		g.set(filepath.Join(g.function, name), value)
	}
	if err := os.Symlink(g.function, config+"/"+filepath.Base(g.function)); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gadget) set(path, value string) {
	g.t.Helper()
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// get reads a setting of the function that the kernel chose.
func (g *gadget) get(name string) string {
	g.t.Helper()
	data, err := os.ReadFile(filepath.Join(g.function, name))
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func (g *gadget) plug() {
	g.t.Helper()
	g.set(g.dir+"/UDC", fmt.Sprint("dummy_udc.", g.socket))
}

// configured waits until the host has set the device up, so that it can talk.
func (g *gadget) configured() {
	g.t.Helper()
	drivertest.Until(g.t, "the host to set the device up", func() bool {
		state, err := os.ReadFile(fmt.Sprintf("/sys/class/udc/dummy_udc.%d/state", g.socket))
		return err == nil && strings.TrimSpace(string(state)) == "configured"
	})
}

func (g *gadget) unplug() {
	if data, err := os.ReadFile(g.dir + "/UDC"); err == nil && strings.TrimSpace(string(data)) != "" {
		g.set(g.dir+"/UDC", "\n")
	}
}

// found waits until the device is listed as attached, with a node of kind, and udev is through with it.
func (g *gadget) found(kind attached.Kind) attached.Node {
	g.t.Helper()
	var n attached.Node
	drivertest.Until(g.t, "the device "+g.id.title+" to be listed", func() bool {
		nodes, err := attached.Scan("/")
		if err != nil {
			g.t.Fatal(err)
		}
		for _, n = range nodes {
			if n.Kind == kind && n.Vendor == g.id.vendor && n.Product == g.id.product && n.Serial == g.id.serial {
				return known(n.Path)
			}
		}
		return false
	})
	return n
}

// known reports whether udev has an entry of the device node: then its links and rights are there.
func known(node string) bool {
	var st unix.Stat_t
	if unix.Stat(node, &st) != nil {
		return false
	}
	_, err := os.Stat(fmt.Sprintf("/run/udev/data/c%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	return err == nil
}

// belongs checks who may open a node.
func belongs(t *testing.T, node, group string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(node, &st); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile("/etc/group")
	if err != nil {
		t.Fatal(err)
	}
	if entry := fmt.Sprintf("%s:x:%d:", group, st.Gid); !strings.Contains("\n"+string(all), "\n"+entry) || st.Mode&0o777 != 0o660 {
		t.Errorf("%s has group %d and mode %o, want %s and 660", node, st.Gid, st.Mode&0o777, group)
	}
}

// leads checks that a link of udev's leads to a node.
func leads(t *testing.T, link, node string) {
	t.Helper()
	if got, err := filepath.EvalSymlinks(link); err != nil || got != node {
		t.Errorf("%s leads to %q, want %q: %v", link, got, node, err)
	}
}
