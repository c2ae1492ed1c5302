// Package private gives directories of keys: nobody but the owner, who is who runs this program, may look into them or change them.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"halledge/agent/kit/whole"

	"golang.org/x/sys/unix"
)

const (
	lockName = ".lock"
	maxFile  = 64 << 10 // bytes
)

// UnsafeError is a file or directory that others could read or change: of another kind, mode or owner.
type UnsafeError struct {
	Path string
	Err  error
}

func (e *UnsafeError) Error() string { return "unsafe " + e.Path + ": " + e.Err.Error() }
func (e *UnsafeError) Unwrap() error { return e.Err }

// DamagedError is a file that is not what was written there.
type DamagedError struct {
	Path string
	Err  error // may be nil
}

func (e *DamagedError) Error() string {
	if e.Err == nil {
		return "damaged " + e.Path
	}
	return "damaged " + e.Path + ": " + e.Err.Error()
}
func (e *DamagedError) Unwrap() error { return e.Err }

// Directory is an open directory. Nobody else works in it meanwhile.
type Directory struct {
	path string
	lock *os.File
}

// Open checks the directory and waits until nobody else works in it; make makes it if it is missing. It fails with *UnsafeError.
func Open(path string, make bool) (*Directory, error) {
	if make {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("make directory of keys: %w", err)
		}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("open directory of keys: %w", err)
	}
	if err := check(path, info, fs.ModeDir|0o700, os.Geteuid()); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock directory of keys: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock directory of keys: %w", err), lock.Close())
	}
	d := &Directory{path, lock}
	if err := d.sweep(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// sweep takes away what a write that was cut short has left: it may be a key.
func (d *Directory) sweep() error {
	left, err := filepath.Glob(filepath.Join(d.path, whole.Unfinished))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return fmt.Errorf("sweep directory of keys: %w", err)
	}
	return nil
}

// Close lets others work in the directory.
func (d *Directory) Close() error { return d.lock.Close() }

// Path gives the path of a file.
func (d *Directory) Path(name string) string { return filepath.Join(d.path, name) }

// Check looks at a directory and all its files as the owner with that number would, and changes nothing. It fails with *UnsafeError.
func Check(path string, owner int) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("look at directory of keys: %w", err)
	}
	if err := check(path, info, fs.ModeDir|0o700, owner); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("look at directory of keys: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("look at directory of keys: %w", err)
		}
		if err := check(filepath.Join(path, e.Name()), info, 0o600, owner); err != nil {
			return err
		}
	}
	return nil
}

// Mine refuses a directory of another account: what is made in it now is what that account may not read. One that is not there yet is
// nobody's. It fails with *UnsafeError.
func Mine(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at directory: %w", err)
	}
	return owned(path, info, os.Geteuid())
}

func owned(path string, info fs.FileInfo, owner int) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != owner {
		return &UnsafeError{path, errors.New("it belongs to somebody else")}
	}
	return nil
}

// check refuses what is of another kind, mode or owner.
func check(path string, info fs.FileInfo, want fs.FileMode, owner int) error {
	const all = fs.ModeType | fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	if got := info.Mode() & all; got != want {
		return &UnsafeError{path, fmt.Errorf("mode %s, want %s", got, want)}
	}
	return owned(path, info, owner)
}

// Read gives a file, nil if there is none. It fails with *UnsafeError, and with *DamagedError for an empty file and one above 64 KiB.
func (d *Directory) Read(name string) (data []byte, err error) {
	path := d.Path(name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, fs.ErrPermission):
		return nil, &UnsafeError{path, err}
	case err != nil:
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if err := check(path, info, 0o600, os.Geteuid()); err != nil {
		return nil, err
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read key: %w", err)
	case len(data) == 0 || len(data) > maxFile:
		return nil, &DamagedError{Path: path}
	}
	return data, nil
}

// Write puts a file in place whole and on the disk, so that after a power cut it is there as a whole or not at all.
func (d *Directory) Write(name string, data []byte) error {
	if err := whole.Write(d.Path(name), data); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// Names gives the names of the files, in order.
func (d *Directory) Names() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
