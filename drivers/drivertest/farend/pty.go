package farend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// PTY is a serial device: a symbolic link, as udev makes them, to a new pseudo-terminal each time it is plugged in. Pulling it hangs
// the terminal up exactly as unplugging a USB adapter does.
type PTY struct {
	path   string
	serve  Serve
	master *os.File // nil while unplugged
	slave  *os.File // kept open: without it a read before the host's open would fail
	done   chan struct{}
}

// NewPTY makes a line that appears at path. Nothing is there yet.
func NewPTY(path string, serve Serve) *PTY { return &PTY{path: path, serve: serve} }

// Path is where the host finds the device while it is plugged in.
func (p *PTY) Path() string { return p.path }

// Plug implements Line.
func (p *PTY) Plug() error {
	if p.master != nil {
		return fmt.Errorf("plug %s: %w", p.path, errPlugged)
	}
	master, slave, err := openRaw()
	if err != nil {
		return fmt.Errorf("plug %s: %w", p.path, err)
	}
	if err := os.Symlink(slave.Name(), p.path); err != nil {
		return errors.Join(err, master.Close(), slave.Close())
	}
	p.master, p.slave, p.done = master, slave, make(chan struct{})
	go func() {
		defer close(p.done)
		p.serve(master)
	}()
	return nil
}

// Unplug implements Line.
func (p *PTY) Unplug() error {
	if p.master == nil {
		return nil
	}
	err := os.Remove(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, p.master.Close(), p.slave.Close())
	<-p.done
	p.master, p.slave = nil, nil
	return err
}

// openRaw gives a pseudo-terminal that passes bytes as they are, from its first moment on. Its master can be closed while it is
// being read.
func openRaw() (master, slave *os.File, err error) {
	m, slave, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	if err := makeRaw(int(slave.Fd())); err != nil {
		return nil, nil, errors.Join(err, slave.Close())
	}
	fd, err := unix.FcntlInt(m.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, errors.Join(err, slave.Close())
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fd), slave.Close())
	}
	return os.NewFile(uintptr(fd), m.Name()), slave, nil
}

func makeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B9600
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
