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

// fileConn is a character device such as /dev/usb/lp0, or a named pipe that stands for one.
type fileConn struct {
	path    string
	f       *os.File
	oneWay  bool // could be opened for writing only
	rawConn syscall.RawConn
}

func openFile(path string) (Conn, error) {
	const flags = unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
	oneWay := false
	fd, err := unix.Open(path, unix.O_RDWR|flags, 0)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EINVAL) {
		oneWay = true // a port without a way back
		fd, err = unix.Open(path, unix.O_WRONLY|flags, 0)
	}
	if err != nil {
		return nil, openError(path, err)
	}
	if err := claimFile(fd); err != nil {
		unix.Close(fd)
		return nil, openError(path, err)
	}
	c := &fileConn{path: path, f: os.NewFile(uintptr(fd), path), oneWay: oneWay}
	if c.rawConn, err = c.f.SyscallConn(); err != nil {
		c.f.Close()
		return nil, openError(path, err)
	}
	return c, nil
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

// Drain has nothing to wait for: a printer port takes a byte when the printer does.
func (c *fileConn) Drain(context.Context) error { return nil }

func (c *fileConn) PortStatus() (PortStatus, error) {
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
