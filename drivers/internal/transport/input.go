package transport

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of linux/input.h.
const (
	evdevVersion = 0x80044501 // EVIOCGVERSION
	evdevHeld    = 0x80604518 // EVIOCGKEY of 96 bytes: a bit for each key that is down
	evdevGrab    = 0x40044590 // EVIOCGRAB; its argument is the number itself: 1 takes the device, 0 gives it back
)

// Others would never hear that a key was released which is held while the device is taken from them, and repeat it for ever. So fingers
// are waited for, but not for a key that is stuck.
const (
	fingerLook = 20 * time.Millisecond
	fingerMost = time.Second
)

// Grab takes the input device behind c from everybody else, so that its keys type into no other program; Close gives it back. It
// gives false where there is nothing to take: on a pipe, a serial port or TCP. It fails with CodeBusy when another program has taken
// the device, and with CodeBadConfig when the file is a device of another kind.
func Grab(c Conn) (bool, error) {
	if w, ok := c.(Wrapper); ok {
		c = w.Under()
	}
	f, ok := c.(*fileConn)
	if !ok {
		return false, nil
	}
	var (
		st            unix.Stat_t
		version, grab error
	)
	for end := time.Now().Add(fingerMost); f.held() && time.Now().Before(end); {
		time.Sleep(fingerLook)
	}
	err := f.rawConn.Control(func(fd uintptr) {
		if _, version = unix.IoctlGetInt(int(fd), evdevVersion); version == nil {
			grab = unix.IoctlSetInt(int(fd), evdevGrab, 1)
			return
		}
		if err := unix.Fstat(int(fd), &st); err != nil {
			version = err
		}
	})
	switch {
	case err != nil: // says nothing else than that c was closed
		return false, os.ErrClosed
	case version == nil:
		return grab == nil, grabError(f.path, grab)
	case !errors.Is(version, unix.ENOTTY) && !errors.Is(version, unix.EINVAL):
		return false, ioError("grab", f.path, version)
	case st.Mode&unix.S_IFMT == unix.S_IFIFO:
		return false, nil
	}
	return false, badConfig("grab "+f.path, fmt.Errorf("no input device, write /dev/input/by-id/…-event-kbd: %w", version))
}

// held reports whether a key of an input device is down.
func (c *fileConn) held() bool {
	var keys [96]byte
	errno := unix.ENOTTY
	_ = c.rawConn.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, evdevHeld, uintptr(unsafe.Pointer(&keys)))
	})
	return errno == 0 && keys != [96]byte{}
}

// grabError tells a device that somebody else has from one that is gone.
func grabError(path string, err error) error {
	if errors.Is(err, unix.EBUSY) {
		return openError(path, err)
	}
	return ioError("grab", path, err)
}
