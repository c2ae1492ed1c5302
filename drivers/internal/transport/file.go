package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lpGetStatus is LPGETSTATUS of linux/lp.h: one byte, 0x20 no paper, 0x10 selected, 0x08 no error.
const lpGetStatus = 0x060b

// drainLook is how long a Drain waits before it looks at its context.
const drainLook = 50 * time.Millisecond

// fileConn is a character device such as /dev/usb/lp0, or a named pipe that stands for one.
type fileConn struct {
	path    string
	f       *os.File
	oneWay  bool // could be opened for writing only
	rawConn syscall.RawConn
}

func openFile(path string) (Conn, error) {
	fd, oneWay, err := openBothWays(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := claimFile(fd); err != nil {
		unix.Close(fd)
		return nil, openError(path, err)
	}
	f, err := fileOf(fd, path)
	if err != nil {
		unix.Close(fd)
		return nil, openError(path, err)
	}
	c := &fileConn{path: path, f: f, oneWay: oneWay}
	if c.rawConn, err = c.f.SyscallConn(); err != nil {
		c.f.Close()
		return nil, openError(path, err)
	}
	return c, nil
}

// fileOf makes a file of fd that knows deadlines. A video device must not: the poll that they need would start its camera for those who
// read pictures as bytes, and the camera would be busy for us.
func fileOf(fd int, path string) (*os.File, error) {
	const videoMajor = 81 // admin-guide/devices.txt of Linux
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(st.Rdev) != videoMajor {
		return os.NewFile(uintptr(fd), path), nil
	}
	if err := unix.SetNonblock(fd, false); err != nil { // the runtime polls only what does not block
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	return f, unix.SetNonblock(fd, true)
}

// openBothWays opens a device for reading and writing, or, where it has no way back, for writing only. A node that nobody may read is
// meant to have none; the superuser, whom rights do not stop, must look at them.
func openBothWays(path string) (fd int, oneWay bool, err error) {
	const (
		flags   = unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
		anyRead = 0o444
	)
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return -1, false, err
	}
	if st.Mode&anyRead != 0 {
		fd, err = unix.Open(path, unix.O_RDWR|flags, 0)
		if !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EROFS) && !errors.Is(err, unix.EINVAL) {
			return fd, false, err
		}
	}
	fd, err = unix.Open(path, unix.O_WRONLY|flags, 0)
	return fd, true, err
}

// claimFile makes sure that fd is a device that takes bytes as they are, and ours alone. A tty would change them.
func claimFile(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFCHR && kind != unix.S_IFIFO {
		return fmt.Errorf("not a device file: %w", unix.EINVAL)
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		return fmt.Errorf("a serial port, use connect.serial: %w", unix.EINVAL)
	}
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
}

// Read fails with CodeUnsupported where the device has no way back.
func (c *fileConn) Read(b []byte) (int, error) {
	if c.oneWay {
		return 0, unsupported("read", c.path)
	}
	n, err := c.f.Read(b)
	if errors.Is(err, syscall.EINVAL) { // usblp on an interface without an input
		return 0, unsupported("read", c.path)
	}
	return n, ioError("read", c.path, err)
}

func (c *fileConn) Write(b []byte) (int, error) {
	n, err := c.f.Write(b)
	return n, ioError("write", c.path, err)
}

func (c *fileConn) SetDeadline(t time.Time) error      { return c.f.SetDeadline(t) }
func (c *fileConn) SetReadDeadline(t time.Time) error  { return c.f.SetReadDeadline(t) }
func (c *fileConn) SetWriteDeadline(t time.Time) error { return c.f.SetWriteDeadline(t) }

// Drain waits until the port takes more. usblp says that a write is done while the printer still takes its last part, and throws that
// part away at Close; it takes no more before it is through.
func (c *fileConn) Drain(ctx context.Context) error {
	for {
		events, err := c.poll(drainLook)
		switch {
		case err != nil:
			return err
		case events&unix.POLLOUT != 0:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// poll waits until the port takes bytes or its other end is gone, at most for a time.
func (c *fileConn) poll(most time.Duration) (events int16, err error) {
	var n int
	var perr error
	fds := []unix.PollFd{{Events: unix.POLLOUT}}
	if err := c.rawConn.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		n, perr = unix.Poll(fds, int(most.Milliseconds()))
	}); err != nil {
		return 0, ioError("poll", c.path, err)
	}
	switch {
	case errors.Is(perr, unix.EINTR), n == 0:
		return 0, nil
	case perr != nil:
		return 0, ioError("poll", c.path, perr)
	case fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0:
		return 0, ioError("poll", c.path, unix.ENODEV)
	}
	return fds[0].Revents, nil
}

func (c *fileConn) PortStatus() (PortStatus, error) {
	if _, err := c.poll(0); err != nil {
		return PortStatus{}, err
	}
	var (
		bits int
		err  error
	)
	if e := c.rawConn.Control(func(fd uintptr) { bits, err = unix.IoctlGetInt(int(fd), lpGetStatus) }); e != nil {
		return PortStatus{}, ioError("status", c.path, e)
	}
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return PortStatus{}, unsupported("status", c.path)
	case err != nil:
		return PortStatus{}, ioError("status", c.path, err)
	}
	return PortStatus{PaperOut: bits&0x20 != 0, Selected: bits&0x10 != 0, Fault: bits&0x08 == 0}, nil
}

func (c *fileConn) Close() error { return c.f.Close() }

// Raw gives the device file behind c, for requests that only one kind of device knows; false where there is none.
func Raw(c Conn) (syscall.RawConn, bool) {
	if w, ok := c.(Wrapper); ok {
		c = w.Under()
	}
	f, ok := c.(*fileConn)
	if !ok {
		return nil, false
	}
	return f.rawConn, true
}
