//go:build vm

package vm

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
)

// scanner is a code scanner set to a virtual serial port.
func scanner(t *testing.T, socket int, serial string) *gadget {
	t.Helper()
	return newGadget(t, socket, identity{vendor: "1eab", product: "1d06", serial: serial, title: "Scanner"}, "acm", nil)
}

// far opens the scanner's own end of its port.
func far(t *testing.T, g *gadget) *os.File {
	t.Helper()
	path := "/dev/ttyGS" + g.get("port_num")
	var f *os.File
	drivertest.Until(t, "the scanner's own end", func() bool {
		var err error
		f, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		return err == nil
	})
	t.Cleanup(func() { f.Close() })
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) {
		var line *unix.Termios
		if line, err = unix.IoctlGetTermios(int(fd), unix.TCGETS); err == nil {
			line.Oflag, line.Lflag, line.Iflag = 0, 0, 0
			err = unix.IoctlSetTermios(int(fd), unix.TCSETS, line)
		}
	}); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return f
}

func send(t *testing.T, f *os.File, text string) {
	t.Helper()
	if err := f.SetWriteDeadline(time.Now().Add(drivertest.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func scans(t *testing.T, s device.Scanner, want string) {
	t.Helper()
	if got := drivertest.Next(t, s, s.Scans()); got.Payload.Reveal() != want {
		t.Errorf("read %q, want %q", got.Payload.Reveal(), want)
	}
}

// A scanner is named in each way that a site may write, pulled in the middle of a code, and plugged in again.
func TestAScannerIsPulledAndFoundAgain(t *testing.T) {
	const byID = "/dev/serial/by-id/usb-Maker_Scanner_N100-if00"
	const byPath = "/dev/serial/by-path/platform-dummy_hcd.0-usb-0:1:1.0"
	for name, path := range map[string]string{"by its name": byID, "by its socket": byPath, "by its numbers": "usb:1eab:1d06"} {
		t.Run(name, func(t *testing.T) {
			g := scanner(t, 0, "N100")
			s := start(t, device.ClassScanner, "serial-scanner", registry.Connect{Serial: path}, nil).(device.Scanner)
			drivertest.Reaches(t, s, device.Offline, device.CodeOffline)
			g.plug()
			n := g.found(attached.Serial)
			if n.Title != "Scanner" || n.Maker != "Maker" || n.Part != 0 || n.Port == "" {
				t.Errorf("listed as %+v", n)
			}
			leads(t, byID, n.Path)
			leads(t, byPath, n.Path)
			belongs(t, n.Path, "dialout")
			drivertest.Reaches(t, s, device.OK, "")
			send(t, far(t, g), "https://a.example/1\r")
			scans(t, s, "https://a.example/1")

			send(t, far(t, g), "https://a.exa")
			g.unplug()
			before := away(t, s, name == "by its name")
			g.plug()
			send(t, far(t, g), "https://a.example/2\r")
			scans(t, s, "https://a.example/2")
			back(t, before)
		})
	}
}

// Two scanners of one make without serial numbers differ by their sockets only.
func TestTwoOfOneMakeAreToldApart(t *testing.T) {
	both := []*gadget{scanner(t, 0, ""), scanner(t, 1, "")}
	ports := make([]string, len(both))
	for i, g := range both {
		g.plug()
		drivertest.Until(t, "two scanners to be listed", func() bool {
			nodes, err := attached.Scan("/")
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, node := range nodes {
				if node.Kind == attached.Serial && node.Vendor == g.id.vendor && known(node.Path) {
					ports[n] = node.Port
					n++
				}
			}
			return n == i+1
		})
	}
	vague := start(t, device.ClassScanner, "serial-scanner", registry.Connect{Serial: "usb:1eab:1d06"}, nil)
	drivertest.Reaches(t, vague, device.Offline, device.CodeOffline) // its reference fits both
	for i, g := range both {
		at := "usb:1eab:1d06@" + ports[i]
		s := start(t, device.ClassScanner, "serial-scanner", registry.Connect{Serial: at}, nil).(device.Scanner)
		drivertest.Reaches(t, s, device.OK, "")
		send(t, far(t, g), "of socket "+ports[i]+"\r")
		scans(t, s, "of socket "+ports[i])
	}
}
