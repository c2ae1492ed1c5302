//go:build vm

package vm

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"halledge/drivers/drivertest"
	"halledge/firmware-protocols/evdev"
)

// Requests of linux/uinput.h.
const (
	uiDevCreate  = 0x5501
	uiDevDestroy = 0x5502
	uiDevSetup   = 0x405c5503
	uiSetEvBit   = 0x40045564
	uiSetKeyBit  = 0x40045565
	uiGetSysName = 0x8040552c // 64 bytes
)

// keyboard is one that uinput makes: real to the kernel's input layer and to udev, but on no bus.
type keyboard struct {
	t    *testing.T
	f    *os.File
	node string
}

// newKeyboard plugs a keyboard in.
func newKeyboard(t *testing.T, name string) *keyboard {
	t.Helper()
	f, err := os.OpenFile("/dev/uinput", os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	k := &keyboard{t: t, f: f}
	t.Cleanup(k.unplug)
	k.set(uiSetEvBit, 1) // EV_KEY
	for key := 1; key < 128; key++ {
		k.set(uiSetKeyBit, key)
	}
	var setup [92]byte // struct uinput_setup
	for i, v := range []uint16{3, 0x1c4f, 0x0002, 1} {
		binary.NativeEndian.PutUint16(setup[2*i:], v)
	}
	copy(setup[8:87], name)
	k.ioctl(uiDevSetup, unsafe.Pointer(&setup))
	k.set(uiDevCreate, 0)
	var sysname [64]byte
	k.ioctl(uiGetSysName, unsafe.Pointer(&sysname))
	dir := "/sys/devices/virtual/input/" + string(bytes.TrimRight(sysname[:], "\x00"))
	drivertest.Until(t, "the keyboard's node", func() bool {
		found, err := filepath.Glob(dir + "/event*")
		if err != nil || len(found) != 1 {
			return false
		}
		k.node = "/dev/input/" + filepath.Base(found[0])
		_, err = os.Stat(k.node)
		return err == nil
	})
	return k
}

func (k *keyboard) set(request uint, value int) {
	k.t.Helper()
	if err := ioctl(k.f.Fd(), uintptr(request), uintptr(value)); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keyboard) ioctl(request uint, arg unsafe.Pointer) {
	k.t.Helper()
	if err := ioctl(k.f.Fd(), uintptr(request), uintptr(arg)); err != nil {
		k.t.Fatal(err)
	}
}

// press presses keys one after the other and lets each go.
func (k *keyboard) press(keys ...evdev.KeyCode) {
	k.t.Helper()
	for _, key := range keys {
		k.move(key, evdev.Pressed)
		k.move(key, evdev.Released)
	}
}

func (k *keyboard) move(key evdev.KeyCode, value int32) {
	k.t.Helper()
	if _, err := k.f.Write(append(event(1, uint16(key), value), event(0, 0, 0)...)); err != nil {
		k.t.Fatal(err)
	}
}

// event is a struct input_event; the kernel fills the time in.
func event(kind, code uint16, value int32) []byte {
	b := make([]byte, 24)
	binary.NativeEndian.PutUint16(b[16:], kind)
	binary.NativeEndian.PutUint16(b[18:], code)
	binary.NativeEndian.PutUint32(b[20:], uint32(value))
	return b
}

func (k *keyboard) unplug() { _ = k.f.Close() } // which destroys it; a second time fails
