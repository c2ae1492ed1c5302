package attached

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const plugged = "add@/devices/pci0000:00/usb1/1-1/1-1:1.0/ttyUSB0/tty/ttyUSB0\x00ACTION=add\x00SUBSYSTEM=tty\x00DEVNAME=ttyUSB0\x00"

// fromUdevd puts properties into a message of udev.
func fromUdevd(magic uint32, at, long int, properties string) string {
	head := binary.BigEndian.AppendUint32([]byte(udevPrefix), magic)
	for _, n := range []int{40, at, long, 0, 0, 0, 0} {
		head = binary.NativeEndian.AppendUint32(head, uint32(n))
	}
	return string(head) + properties
}

func TestMessagesAboutDevicesOfAHall(t *testing.T) {
	const properties = "ACTION=add\x00SUBSYSTEM=hidraw\x00"
	for text, want := range map[string]bool{
		plugged: true,
		strings.ReplaceAll(plugged, "=tty\x00", "=net\x00"): false,
		"add@/x\x00DEVNAME=tty\x00":                         false,
		"":                                                  false,
		fromUdevd(udevMagic, 40, len(properties), properties):  true,
		fromUdevd(udevMagic, 40, 10, properties):               false,
		fromUdevd(udevMagic, 41, len(properties), properties):  false,
		fromUdevd(udevMagic, -1, 2, properties):                false,
		fromUdevd(0xdeadbeef, 40, len(properties), properties): false,
		udevPrefix: false,
	} {
		if got := ours([]byte(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestOnlyTheKernelAndRootAreHeard(t *testing.T) {
	for name, c := range map[string]struct {
		from unix.Sockaddr
		uid  uint32
		want bool
	}{
		"the kernel":             {&unix.SockaddrNetlink{Groups: 1}, 0, true},
		"udev":                   {&unix.SockaddrNetlink{Groups: 2, Pid: 300}, 0, true},
		"a program as kernel":    {&unix.SockaddrNetlink{Groups: 1, Pid: 300}, 0, false},
		"a user as udev":         {&unix.SockaddrNetlink{Groups: 2, Pid: 300}, 1000, false},
		"straight to us":         {&unix.SockaddrNetlink{Pid: 300}, 0, false},
		"an unknown group":       {&unix.SockaddrNetlink{Groups: 4}, 0, false},
		"another kind of socket": {&unix.SockaddrUnix{}, 0, false},
	} {
		aside := unix.UnixCredentials(&unix.Ucred{Uid: c.uid})
		if got := trusted(c.from, aside); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if trusted(c.from, nil) {
			t.Errorf("%s is heard without saying who it is", name)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(plugged))
	f.Add([]byte(fromUdevd(udevMagic, 40, 12, "SUBSYSTEM=tty\x00")))
	f.Fuzz(func(t *testing.T, message []byte) {
		if ours(message) && !strings.Contains(string(message), "SUBSYSTEM=") {
			t.Errorf("%q is about a device", message)
		}
	})
}
