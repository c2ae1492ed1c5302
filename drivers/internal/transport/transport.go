// Package transport gives the connections that drivers speak over: a serial port, a TCP socket, a character file such as
// /dev/usb/lp0, or the bulk endpoints of a USB device. Whatever the link, a Read has three outcomes that cannot be mistaken for each
// other: bytes, a deadline that passed (os.ErrDeadlineExceeded), and an other end that is gone (ErrGone).
package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"halledge/drivers/attached"
)

// Conn is an open connection. One goroutine may read while another writes; Close may be called at any time, releases both and
// does not wait for the other end. A deadline in the past makes Read and Write return at once; the zero time means none.
//
// Errors are os.ErrDeadlineExceeded, os.ErrClosed after our own Close, or a *device.Error; one that means that the connection
// is of no more use wraps ErrGone.
type Conn interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// Drain waits until what was written has left this machine. Close throws away what has not.
	Drain(ctx context.Context) error
	// PortStatus asks the port itself, without a byte to the device; CodeUnsupported where there is nothing to ask.
	PortStatus() (PortStatus, error)
}

// Wrapper is a Conn around another one, such as one that records what passes.
type Wrapper interface {
	Conn
	Under() Conn
}

// PortStatus is what the status lines of a printer port say. Many printers say "well" whatever happens.
type PortStatus struct {
	PaperOut bool
	Selected bool // on line
	Fault    bool
}

// Spec says where a device is. Exactly one of Serial, TCP, File and USB is set.
type Spec struct {
	Serial string        // path of a tty, or a reference usb:VVVV:PPPP[:SERIAL][@PORT] to a USB device that has one
	Baud   int           // serial only; 0 means 9600
	Parity string        // serial only: none, even or odd; empty means none
	Flow   string        // serial only: none, rtscts (by the ready line) or xonxoff (by bytes that never reach the driver); empty means none
	TCP    string        // host:port
	File   string        // path of a character device, or a reference to a USB device that has one
	USB    string        // VVVV:PPPP[:SERIAL][@PORT] of a USB device without a driver
	Head   int           // USB only: the bytes of each Write and of its answer that go over the first pair of pipes, if there are two
	Kind   attached.Kind // what a reference in File means; empty: a printer
	Root   string        // of the sysfs in which references are looked up; empty: /
}

// ErrGone is wrapped by the errors of a connection whose other end was unplugged, hung up or switched off.
var ErrGone = errors.New("the other end is gone")

// Open opens the connection. It fails with a *device.Error: offline (nothing there), permission, busy (another program or
// another connection of ours holds it) or bad_config.
func Open(ctx context.Context, s Spec) (Conn, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	var err error
	switch {
	case s.Serial != "":
		if s.Serial, err = locate(cmp.Or(s.Root, "/"), s.Serial, attached.Serial); err != nil {
			return nil, err
		}
		return openSerial(s)
	case s.TCP != "":
		return dialTCP(ctx, s.TCP)
	case s.USB != "":
		return openUSB(s)
	default:
		if s.File, err = s.PathNow(); err != nil {
			return nil, err
		}
		return openFile(s.File)
	}
}

// PathNow gives the node of Kind that Path leads to at this moment, for drivers that have another program open it. Its errors are those
// of Open.
func (s Spec) PathNow() (string, error) {
	return locate(cmp.Or(s.Root, "/"), s.Path(), cmp.Or(s.Kind, attached.Printer))
}

// Check tells what is wrong with s, before anything is opened.
func (s Spec) Check() error {
	set := 0
	for _, where := range []string{s.Serial, s.TCP, s.File, s.USB} {
		if where != "" {
			set++
		}
	}
	if set != 1 {
		return badConfig("connect", errors.New("exactly one of serial, tcp, file and usb must be set"))
	}
	switch s.Parity {
	case "", "none", "even", "odd":
	default:
		return badConfig("connect", fmt.Errorf("parity %q: must be none, even or odd", s.Parity))
	}
	switch s.Flow {
	case "", "none", flowLine, flowBytes:
	default:
		return badConfig("connect", fmt.Errorf("flow %q: must be none, rtscts or xonxoff", s.Flow))
	}
	if path := s.Path(); IsRef(path) {
		if _, err := attached.ParseRef(strings.TrimPrefix(path, refPrefix)); err != nil {
			return badConfig("connect", err)
		}
	}
	if s.Baud < 0 {
		return badConfig("connect", fmt.Errorf("baud %d: must be positive", s.Baud))
	}
	return nil
}

// Path is the device node behind s or the reference to it, empty for TCP.
func (s Spec) Path() string {
	switch {
	case s.Serial != "":
		return s.Serial
	case s.USB != "":
		return refPrefix + s.USB
	}
	return s.File
}

// Node names the device that s leads to at this moment, the same under whatever name it is written: the numbers of its node, or its path
// where there is no device. It is empty for TCP, and for a reference to nothing.
func (s Spec) Node() string {
	kind := cmp.Or(s.Kind, attached.Printer)
	switch {
	case s.TCP != "":
		return ""
	case s.Serial != "":
		kind = attached.Serial
	case s.USB != "":
		kind = attached.USB
	}
	path, err := locate(cmp.Or(s.Root, "/"), s.Path(), kind)
	if err != nil {
		return ""
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return path
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
}

// String names the link for logs and errors.
func (s Spec) String() string {
	if s.TCP != "" {
		return s.TCP
	}
	return s.Path()
}

// Discard reads and throws away what has already arrived and what follows until the line has been silent for quiet, at most
// limit bytes. Use it before a question, so that its answer is not mistaken. It clears the read deadline.
func Discard(c Conn, limit int, quiet time.Duration) (n int, err error) {
	buf := make([]byte, 256)
	for n < limit {
		if err := c.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return n, err
		}
		m, err := c.Read(buf[:min(len(buf), limit-n)])
		n += m
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return n, err
		}
	}
	return n, c.SetReadDeadline(time.Time{})
}
