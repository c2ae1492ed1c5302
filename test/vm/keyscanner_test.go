//go:build vm

package vm

import (
	"testing"
	"time"

	"halledge/drivers/attached"
	"halledge/drivers/device"
	"halledge/drivers/drivertest"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

// usages are keys of the HID usage table's keyboard page by the kernel's codes, as far as a test types them.
func usages() map[evdev.KeyCode]byte {
	return map[evdev.KeyCode]byte{
		30: 0x04 /* a */, 31: 0x16 /* s */, 21: 0x1c /* y */, evdev.KeyMinus: 0x2d, evdev.KeyEnter: 0x28, evdev.Key0: 0x27, evdev.Key1: 0x1e,
		evdev.KeyKP5: 0x5d, evdev.KeyKP0: 0x62, evdev.KeyKP4: 0x5c, evdev.KeyKP3: 0x5b,
	}
}

// reports gives what a USB keyboard says while it types: which modifiers are held, and which key.
func reports(t *testing.T, events []evdev.Event) (all [][8]byte) {
	t.Helper()
	var now [8]byte
	for _, e := range events {
		if e.Type != evdev.Keys {
			continue
		}
		bit := map[evdev.KeyCode]byte{evdev.KeyLeftShift: 1 << 1, evdev.KeyLeftAlt: 1 << 2}[evdev.KeyCode(e.Code)]
		usage := usages()[evdev.KeyCode(e.Code)]
		switch {
		case bit != 0:
			now[0] ^= bit
		case usage == 0:
			t.Fatalf("no usage of key %d", e.Code)
		case e.Value == evdev.Pressed:
			now[2] = usage
		default:
			now[2] = 0
		}
		all = append(all, now)
	}
	return all
}

// A scanner that types is taken from all other programs, and reads Chinese as its maker sends it, over USB's own reports.
func TestAScannerThatTypes(t *testing.T) {
	g := typist(t, 0)
	s := start(t, device.ClassScanner, "usb-keyboard-scanner", registry.Connect{File: "usb:1c4f:0002:K1"}, map[string]string{"gap": "1s"}).(device.Scanner)
	drivertest.Reaches(t, s, device.Offline, device.CodeOffline)
	g.plug()
	n := g.found(attached.Input)
	drivertest.Reaches(t, s, device.OK, "")
	other := listener(t, n.Path)
	ni := func(rune) (int, bool) { return 0xc4e3, true } // 你 in GBK: Alt and 50403
	g.says(reports(t, evdev.Strokes("YSa-0你1\r", ni))...)
	scans(t, s, "YSa-0你1")
	if n := heard(t, other, 200*time.Millisecond); n != 0 {
		t.Errorf("another program heard %d bytes of a scanner that was taken", n)
	}
	g.unplug()
	before := away(t, s, false)
	g.plug()
	drivertest.Reaches(t, s, device.OK, "")
	back(t, before)
	g.says(reports(t, evdev.Strokes("1\r", ni))...)
	scans(t, s, "1")
}

// Whoever holds a key while the agent starts is waited for: others hear that it is released.
func TestAHeldKeyIsHeardReleased(t *testing.T) {
	board := newKeyboard(t, "Held Scanner")
	other := listener(t, board.node)
	board.move(evdev.KeyEnter, evdev.Pressed)
	if heard(t, other, drivertest.Patience) == 0 {
		t.Fatal("nobody heard of the key")
	}
	s := start(t, device.ClassScanner, "usb-keyboard-scanner", registry.Connect{File: board.node}, nil)
	if heard(t, other, 300*time.Millisecond) != 0 {
		t.Fatal("the key is said to be released")
	}
	board.move(evdev.KeyEnter, evdev.Released)
	if heard(t, other, drivertest.Patience) == 0 {
		t.Error("nobody heard that the key was released")
	}
	drivertest.Reaches(t, s, device.OK, "")
}
