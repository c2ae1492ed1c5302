//go:build vm

package vm

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

func nextKey(t *testing.T, pad device.CallPad) device.Key {
	t.Helper()
	select {
	case k := <-pad.Keys():
		return k
	case <-time.After(drivertest.Patience):
		t.Fatal("no key came")
		return device.Key{}
	}
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
		if got := nextKey(t, pad); got.Code != want {
			t.Errorf("got %s, want %s", got.Code, want)
		}
	}
	if n := heard(t, other, 100*time.Millisecond); n != 0 { // what the pad gave out, the other one would have had
		t.Errorf("another program heard %d bytes of a keypad that was taken", n)
	}
}
