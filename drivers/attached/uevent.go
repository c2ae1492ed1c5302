package attached

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The two groups of NETLINK_KOBJECT_UEVENT: what the kernel says at once, and what udev says once a node has its group, its rights
// and its links.
const (
	fromKernel = 1
	fromUdev   = 2
)

// longestMessage is more than a message has: the kernel's end at 2048 bytes of properties (UEVENT_BUFFER_SIZE), udev adds its own.
const longestMessage = 16 << 10

// socket hears of devices. It needs no rights.
type socket struct {
	f   *os.File
	raw syscall.RawConn
}

func listen() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("hear of devices: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1) // the sender's user comes with each message
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1<<(fromKernel-1) | 1<<(fromUdev-1)})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hear of devices: %w", err), unix.Close(fd))
	}
	s := &socket{f: os.NewFile(uintptr(fd), "uevent")}
	if s.raw, err = s.f.SyscallConn(); err != nil {
		return nil, errors.Join(err, s.f.Close())
	}
	return s, nil
}

// close ends hear.
func (s *socket) close() { _ = s.f.Close() }

// hear tells of devices until the socket is closed.
func (s *socket) hear(heard chan<- struct{}) {
	text, aside := make([]byte, longestMessage), make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	for {
		var n, on int
		var from unix.Sockaddr
		var failed error
		err := s.raw.Read(func(fd uintptr) bool {
			n, on, _, from, failed = unix.Recvmsg(int(fd), text, aside, 0)
			return !errors.Is(failed, unix.EAGAIN)
		})
		switch {
		case err != nil: // closed
			return
		case errors.Is(failed, unix.ENOBUFS): // there were too many, and some are lost
			tell(heard)
		case failed != nil && !errors.Is(failed, unix.EINTR):
			return // the polls go on
		case failed == nil && trusted(from, aside[:on]) && ours(text[:n]):
			tell(heard)
		}
	}
}

// trusted reports whether a message comes from the kernel, or from a udev that runs as root: any program of root's may write to this
// socket, and in a container programs that are not.
func trusted(from unix.Sockaddr, aside []byte) bool {
	a, ok := from.(*unix.SockaddrNetlink)
	if !ok {
		return false
	}
	messages, err := unix.ParseSocketControlMessage(aside)
	if err != nil || len(messages) != 1 {
		return false
	}
	who, err := unix.ParseUnixCredentials(&messages[0])
	if err != nil || who.Uid != 0 {
		return false
	}
	switch a.Groups {
	case 1 << (fromKernel - 1):
		return a.Pid == 0
	case 1 << (fromUdev - 1):
		return true
	}
	return false
}

// Head of a message of udev (systemd, src/libsystemd/sd-device/device-monitor.c): "libudev\0", a magic number in network order, then
// in the machine's own order the size of the head, and where the properties begin and how long they are.
const (
	udevPrefix = "libudev\x00"
	udevMagic  = 0xfeedcafe
	udevHead   = 24
)

// ours reports whether a message is about a device of a hall: the nodes that Scan knows.
func ours(message []byte) bool {
	properties := message
	if bytes.HasPrefix(message, []byte(udevPrefix)) {
		if len(message) < udevHead || binary.BigEndian.Uint32(message[8:]) != udevMagic {
			return false
		}
		at, long := binary.NativeEndian.Uint32(message[16:]), binary.NativeEndian.Uint32(message[20:])
		if uint64(at)+uint64(long) > uint64(len(message)) {
			return false
		}
		properties = message[at : uint64(at)+uint64(long)]
	}
	for line := range bytes.SplitSeq(properties, []byte{0}) {
		subsystem, is := bytes.CutPrefix(line, []byte("SUBSYSTEM="))
		if !is {
			continue
		}
		switch string(subsystem) {
		case "tty", "usb", "usbmisc", "input", "hidraw", "video4linux", "sound":
			return true
		}
	}
	return false
}
