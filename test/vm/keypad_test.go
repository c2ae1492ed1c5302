//go:build vm

package vm

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

// listener is another program that reads a keyboard, as a desktop does.
func listener(t *testing.T, node string) *os.File {
	t.Helper()
	f, err := os.OpenFile(node, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func heard(t *testing.T, f *os.File, within time.Duration) int {
	t.Helper()
	if err := f.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	n, err := f.Read(make([]byte, 4096))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return n
}

func TestAKeypadIsTakenFromAllOthers(t *testing.T) {
	board := newKeyboard(t, "Hall Keypad")
	other := listener(t, board.node)
	board.press(evdev.KeyKPPlus)
	if heard(t, other, drivertest.Patience) == 0 {
		t.Fatal("another program hears nothing even before the keypad is taken")
	}
	pad := start(t, device.ClassCallPad, "usb-keypad", registry.Connect{File: board.node}, nil).(device.CallPad)
	drivertest.Reaches(t, pad, device.OK, "")
	board.press(evdev.KeyKPPlus, evdev.KeyKPMinus)
	for _, want := range []device.KeyCode{device.KeyRecall, device.KeyPass} {
		if got := drivertest.Next(t, pad, pad.Keys()); got.Code != want {
			t.Errorf("got %s, want %s", got.Code, want)
		}
	}
	if n := heard(t, other, 100*time.Millisecond); n != 0 { // what the pad gave out, the other one would have had
		t.Errorf("another program heard %d bytes of a keypad that was taken", n)
	}
}

// typist is a USB keyboard as the HID standard has it for the time of a machine's start (boot protocol).
func typist(t *testing.T, socket int) *gadget {
	t.Helper()
	report := []byte{
		0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, // a keyboard
		0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, // eight bits of Shift and its like
		0x95, 0x01, 0x75, 0x08, 0x81, 0x03, // a byte for nothing
		0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00, // six keys
		0xc0,
	}
	return newGadget(t, socket, identity{vendor: "1c4f", product: "0002", serial: "K1", title: "Keypad"}, "hid", map[string]string{
		"protocol": "1", "subclass": "1", "report_length": "8", "report_desc": string(report),
	})
}

// Keys of the HID usage table's keyboard page.
const (
	usageKPMinus = 0x56
	usageKPPlus  = 0x57
	usageKPEnter = 0x58
)

// says sends a USB keyboard's reports, each when the one before was taken.
func (g *gadget) says(reports ...[8]byte) {
	g.t.Helper()
	_, minor, _ := strings.Cut(g.get("dev"), ":")
	for _, report := range reports {
		drivertest.Until(g.t, "the keyboard to be asked for keys", func() bool {
			f, err := os.OpenFile("/dev/hidg"+minor, os.O_WRONLY|unix.O_NONBLOCK, 0)
			if err != nil {
				return false // it is not set up yet
			}
			defer f.Close()
			_, err = f.Write(report[:])
			return err == nil
		})
	}
}

// strike types a key on a USB keyboard.
func (g *gadget) strike(usage byte) {
	g.t.Helper()
	g.says([8]byte{2: usage}, [8]byte{})
}

func TestAUSBKeypadIsPulledAndFoundAgain(t *testing.T) {
	const byID = "/dev/input/by-id/usb-Maker_Keypad_K1-event-kbd"
	const byPath = "/dev/input/by-path/platform-dummy_hcd.0-usb-0:1:1.0-event-kbd"
	for name, path := range map[string]string{"by its name": byID, "by its socket": byPath, "by its numbers": "usb:1c4f:0002:K1"} {
		t.Run(name, func(t *testing.T) {
			g := typist(t, 0)
			pad := start(t, device.ClassCallPad, "usb-keypad", registry.Connect{File: path}, nil).(device.CallPad)
			drivertest.Reaches(t, pad, device.Offline, device.CodeOffline)
			g.plug()
			n := g.found(attached.Input)
			if !n.Keys || n.Title != "Keypad" {
				t.Errorf("listed as %+v", n)
			}
			leads(t, byID, n.Path)
			leads(t, byPath, n.Path)
			belongs(t, n.Path, "input")
			drivertest.Reaches(t, pad, device.OK, "")
			other := listener(t, n.Path)
			g.strike(usageKPPlus)
			if k := drivertest.Next(t, pad, pad.Keys()); k.Code != device.KeyRecall {
				t.Errorf("got %s", k.Code)
			}
			g.unplug()
			if n, err := other.Read(make([]byte, 64)); n > 0 || !errors.Is(err, unix.ENODEV) {
				t.Errorf("another program read %d bytes, %v", n, err)
			}
			before := away(t, pad, name == "by its numbers")
			g.plug()
			drivertest.Until(t, "the keypad to be back", func() bool { return pad.Health().State == device.OK })
			g.strike(usageKPMinus)
			if k := drivertest.Next(t, pad, pad.Keys()); k.Code != device.KeyPass {
				t.Errorf("got %s", k.Code)
			}
			back(t, before)
		})
	}
}
