package farend

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Pipe is a printer port without a way back, as /dev/usb/lp0 of many cheap printers: a named pipe that nobody may read but the played
// device, which says what it likes and is not heard.
type Pipe struct {
	path  string
	serve Serve
	end   *os.File // nil while unplugged
	done  chan struct{}
}

// NewPipe makes a port that appears at path. Nothing is there yet.
func NewPipe(path string, serve Serve) *Pipe { return &Pipe{path: path, serve: serve} }

// Path is where the host finds the device while it is plugged in.
func (p *Pipe) Path() string { return p.path }

// Plug implements Line.
func (p *Pipe) Plug() error {
	if p.end != nil {
		return fmt.Errorf("plug %s: %w", p.path, errPlugged)
	}
	hidden := p.path + ".new" // the host must not find it before the device stands behind it
	if err := unix.Mkfifo(hidden, 0o600); err != nil {
		return fmt.Errorf("plug %s: %w", p.path, err)
	}
	end, err := os.OpenFile(hidden, os.O_RDWR|unix.O_NONBLOCK, 0) // both ways: else it would end whenever the host closes it
	if err != nil {
		return fmt.Errorf("plug %s: %w", p.path, errors.Join(err, os.Remove(hidden)))
	}
	if err := errors.Join(os.Chmod(hidden, 0o200), os.Rename(hidden, p.path)); err != nil {
		return fmt.Errorf("plug %s: %w", p.path, errors.Join(err, end.Close()))
	}
	p.end, p.done = end, make(chan struct{})
	go func() {
		defer close(p.done)
		p.serve(oneWay{end})
	}()
	return nil
}

// Unplug implements Line.
func (p *Pipe) Unplug() error {
	if p.end == nil {
		return nil
	}
	err := os.Remove(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, p.end.Close())
	<-p.done
	p.end = nil
	return err
}

// oneWay is the device's end of the cable.
type oneWay struct{ io.Reader }

// Write loses what the device says.
func (oneWay) Write(b []byte) (int, error) { return len(b), nil }
