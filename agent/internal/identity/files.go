package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"halledge/agent/kit/private"
	"halledge/agent/kit/whole"
)

const (
	maxCredential = 64 << 10

	asideMark = ".aside-"
	asideTime = "20060102T150405.000"
)

// directory is where the identity lies. It is locked for one piece of work at a time: the agent and its commands share it.
type directory struct{ path string }

// do works in the directory while nobody else does; make makes it if it is missing. It fails with *Fault, CodeUnsafe, CodeDamaged or CodeMissing.
func (d directory) do(make bool, work func(*private.Directory) error) error {
	if make { // whoever sets a box up as another account would leave the agent what it may not read
		if err := private.Mine(filepath.Dir(d.path)); err != nil {
			return faultOf(err)
		}
	}
	open, err := private.Open(d.path, make)
	if errors.Is(err, fs.ErrNotExist) {
		return &Fault{Code: CodeMissing, Path: d.path}
	}
	if err != nil {
		return faultOf(err)
	}
	return faultOf(errors.Join(work(open), open.Close()))
}

// faultOf gives what a file is refused for as a *Fault, and other errors as they are.
func faultOf(err error) error {
	var (
		known   *Fault
		unsafe  *private.UnsafeError
		damaged *private.DamagedError
	)
	switch {
	case errors.As(err, &known):
	case errors.As(err, &unsafe):
		return &Fault{Code: CodeUnsafe, Path: unsafe.Path, Err: unsafe.Err}
	case errors.As(err, &damaged):
		return &Fault{Code: CodeDamaged, Path: damaged.Path, Err: damaged.Err}
	}
	return err
}

// read gives a file, nil if there is none.
func (d directory) read(name string) (data []byte, err error) {
	err = d.do(false, func(open *private.Directory) (err error) {
		data, err = open.Read(name)
		return err
	})
	return data, err
}

// write puts a file in place whole.
func (d directory) write(name string, data []byte) error {
	return d.do(false, func(open *private.Directory) error { return open.Write(name, data) })
}

// remove takes files away, and their names off the disk.
func (d directory) remove(names ...string) error {
	return d.do(false, func(open *private.Directory) error {
		for _, name := range names {
			if err := os.Remove(open.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove from identity: %w", err)
			}
		}
		return whole.Sync(d.path)
	})
}

// aside renames what cannot be read, so that somebody can look at it: nothing is ever deleted for being damaged.
func aside(open *private.Directory, name string, now time.Time) (to string, err error) {
	to = open.Path(name) + asideMark + now.UTC().Format(asideTime)
	if err = os.Rename(open.Path(name), to); err == nil {
		err = whole.Sync(open.Path("."))
	}
	if err != nil {
		return "", fmt.Errorf("put damaged identity aside: %w", err)
	}
	return to, nil
}

func (d directory) at(name string) string { return filepath.Join(d.path, name) }

// readCredential gives what the service manager hands over, nil if that is nothing. It belongs to the service manager or to us, and nobody
// else may read it, as far as the mode says: the service manager grants us the right by a list (systemd.exec(5)).
func readCredential(path string) (data []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &Fault{Code: CodeUnsafe, Path: path, Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read credential: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() || !info.Mode().IsRegular() || info.Mode().Perm()&^0o640 != 0 {
		return nil, &Fault{Code: CodeUnsafe, Path: path, Err: fmt.Errorf("mode %s, or it belongs to somebody else", info.Mode())}
	}
	data, err = io.ReadAll(io.LimitReader(f, maxCredential+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read credential: %w", err)
	case len(data) == 0 || len(data) > maxCredential:
		return nil, &Fault{Code: CodeDamaged, Path: path}
	}
	return data, nil
}
