package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

const (
	defaultBaud = 9600
	readTimeout = 100 * time.Millisecond // the shortest tarm/serial knows
	drainPoll   = 5 * time.Millisecond
)

// The flow controls: how a device says that its buffer is full.
const (
	flowLine  = "rtscts"
	flowBytes = "xonxoff"
)

// serialConn is one tty opened twice. tarm/serial opens, configures and reads it, but gives (0, EOF) both for a time-out and for
// an unplugged adapter, and its blocking Write and Close may wait for ever. So a second, non-blocking descriptor of the same tty
// stands beside it: it waits for bytes with a real deadline, sees the hang-up, writes, and is what Close closes first.
type serialConn struct {
	path  string
	port  *serial.Port
	watch *os.File
	raw   syscall.RawConn

	opened time.Time
	passed atomic.Int64 // when a byte did last, in nanoseconds since opened

	closing  sync.Once
	closed   atomic.Bool
	closeErr error
}

func openSerial(s Spec) (Conn, error) {
	fd, err := unix.Open(s.Serial, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(s.Serial, err)
	}
	if err := claim(fd); err != nil {
		unix.Close(fd)
		return nil, openError(s.Serial, err)
	}
	port, err := serial.OpenPort(portConfig(s))
	if err != nil {
		unix.Close(fd)
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return nil, openError(s.Serial, err)
		}
		return nil, badConfig("open "+s.Serial, err) // a speed that the library's table does not have
	}
	c := &serialConn{path: s.Serial, port: port, watch: os.NewFile(uintptr(fd), s.Serial), opened: time.Now()}
	if c.raw, err = c.watch.SyscallConn(); err != nil {
		return nil, openError(s.Serial, errors.Join(err, c.watch.Close(), port.Close()))
	}
	if err := errors.Join(c.flow(s.Flow), c.exclude()); err != nil {
		return nil, openError(s.Serial, errors.Join(err, c.Close()))
	}
	return c, nil
}

func portConfig(s Spec) *serial.Config {
	cfg := &serial.Config{Name: s.Serial, Baud: s.Baud, ReadTimeout: readTimeout}
	if cfg.Baud == 0 {
		cfg.Baud = defaultBaud
	}
	switch s.Parity {
	case "even":
		cfg.Parity = serial.ParityEven
	case "odd":
		cfg.Parity = serial.ParityOdd
	}
	return cfg
}

// claim makes sure that fd is a tty and that no other program of ours has it: root is not stopped by TIOCEXCL, but by a lock.
func claim(fd int) error {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		if errors.Is(err, unix.ENOTTY) {
			return fmt.Errorf("not a serial port: %w", unix.EINVAL)
		}
		return err
	}
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
}

// flow lets the kernel stop sending while the device says so, which the library does not know.
func (c *serialConn) flow(kind string) error {
	if kind != flowLine && kind != flowBytes {
		return nil
	}
	return c.control(func(fd int) error {
		mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		if kind == flowLine {
			mode.Cflag |= unix.CRTSCTS
		} else {
			const xon, xoff = 0x11, 0x13
			mode.Iflag |= unix.IXON
			mode.Cc[unix.VSTART], mode.Cc[unix.VSTOP] = xon, xoff
		}
		return unix.IoctlSetTermios(fd, unix.TCSETS, mode)
	})
}

// exclude keeps strangers out. A pseudo-terminal is left open to them: there the mark would outlive a killed program, because the
// terminal itself does, and lock its next start out.
func (c *serialConn) exclude() error {
	return c.control(func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		const firstPTY, lastPTY = 136, 143 // majors of Unix98 pseudo-terminals, Linux Documentation/admin-guide/devices.txt
		if major := unix.Major(st.Rdev); major >= firstPTY && major <= lastPTY {
			return nil
		}
		return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
	})
}

func (c *serialConn) control(f func(fd int) error) error {
	var err error
	if e := c.raw.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// Read waits for bytes on the second descriptor and takes them from the port.
func (c *serialConn) Read(b []byte) (int, error) {
	for {
		var events int16
		err := c.raw.Read(func(fd uintptr) bool {
			events = pollNow(int(fd))
			return events != 0
		})
		if err != nil {
			return 0, c.failed("read", err)
		}
		if events&^unix.POLLIN != 0 { // POLLHUP, POLLERR
			return 0, c.failed("read", io.EOF)
		}
		n, err := c.port.Read(b)
		if n > 0 {
			c.noise()
			return n, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, c.failed("read", err)
		}
		if err := c.control(stillThere); err != nil {
			return 0, c.failed("read", err)
		}
	}
}

// pollNow gives the events that are pending on fd now.
func pollNow(fd int) int16 {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, 0)
		if err == nil {
			return fds[0].Revents
		}
		if !errors.Is(err, unix.EINTR) {
			return unix.POLLERR
		}
	}
}

// stillThere fails with EIO once the tty was hung up.
func stillThere(fd int) error {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err
}

// failed is ioError, but knows our own Close: what the raw descriptor says after it has a type that nobody can ask for.
func (c *serialConn) failed(op string, err error) error {
	if err != nil && c.closed.Load() {
		return os.ErrClosed
	}
	return ioError(op, c.path, err)
}

// Write goes through the second descriptor, so that a device that takes no bytes cannot hold it beyond its deadline.
func (c *serialConn) Write(b []byte) (int, error) {
	n, err := c.watch.Write(b)
	if n > 0 {
		c.noise()
	}
	return n, c.failed("write", err)
}

func (c *serialConn) noise() { c.passed.Store(int64(time.Since(c.opened))) }

// Silent gives for how long at least nothing has passed on the serial line behind c, whoever uses it; 0 where there is none.
func Silent(c Conn) time.Duration {
	for {
		switch now := c.(type) {
		case *serialConn:
			return time.Since(now.opened) - time.Duration(now.passed.Load())
		case Wrapper:
			c = now.Under()
		default:
			return 0
		}
	}
}

func (c *serialConn) SetDeadline(t time.Time) error      { return c.watch.SetDeadline(t) }
func (c *serialConn) SetReadDeadline(t time.Time) error  { return c.watch.SetReadDeadline(t) }
func (c *serialConn) SetWriteDeadline(t time.Time) error { return c.watch.SetWriteDeadline(t) }

// Drain asks the driver how much it still holds until that is nothing: tcdrain itself cannot be interrupted.
func (c *serialConn) Drain(ctx context.Context) error {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for {
		var left int
		err := c.control(func(fd int) (err error) {
			left, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ)
			return err
		})
		if err != nil {
			return c.failed("drain", err)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (c *serialConn) PortStatus() (PortStatus, error) {
	return PortStatus{}, unsupported("status", c.path)
}

// Close drops unsent bytes first: the kernel would wait up to 30 s for a stalled device to take them.
func (c *serialConn) Close() error {
	c.closing.Do(func() {
		c.closed.Store(true)
		_ = c.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCOFLUSH) })
		c.closeErr = errors.Join(c.watch.Close(), c.port.Close())
	})
	return c.closeErr
}
