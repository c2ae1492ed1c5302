package pki

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"halledge/agent/kit/whole"

	"golang.org/x/sys/unix"
)

// The files of the embedded authority. A key is written before its root: a key without a root has never been used.
const (
	fileTLSKey  = "tls.key"
	fileTLSRoot = "tls.crt"
	fileSM2Key  = "sm2.key"
	fileSM2Root = "sm2.crt"
	fileLock    = ".lock"

	maxFile = 64 << 10
)

// directory is where the keys lie: nobody but its owner, who is who runs this program, may look into it.
type directory struct {
	path string
	make bool // what is missing
	lock *os.File
}

// openDirectory checks the directory and waits until nobody else works in it; make makes it if it is missing.
func openDirectory(path string, make bool) (*directory, error) {
	if make {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("make directory of keys: %w", err)
		}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("open directory of keys: %w", err)
	}
	if err := private(path, info, fs.ModeDir|0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, fileLock), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock directory of keys: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock directory of keys: %w", err), lock.Close())
	}
	d := &directory{path, make, lock}
	if err := d.sweep(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// sweep takes away what a write that was cut short has left: it may be a key.
func (d *directory) sweep() error {
	left, err := filepath.Glob(filepath.Join(d.path, whole.Unfinished))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		return fmt.Errorf("sweep directory of keys: %w", err)
	}
	return nil
}

func (d *directory) close() error { return d.lock.Close() }

// private refuses what is of another kind, mode or owner.
func private(path string, info fs.FileInfo, want fs.FileMode) error {
	const all = fs.ModeType | fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	if got := info.Mode() & all; got != want {
		return &Fault{Code: CodeUnsafe, Path: path, Err: fmt.Errorf("mode %s, want %s", got, want)}
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return &Fault{Code: CodeUnsafe, Path: path, Err: errors.New("it belongs to somebody else")}
	}
	return nil
}

// read gives a file, nil if there is none.
func (d *directory) read(name string) (data []byte, err error) {
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, fs.ErrPermission):
		return nil, &Fault{Code: CodeUnsafe, Path: path, Err: err}
	case err != nil:
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if err := private(path, info, 0o600); err != nil {
		return nil, err
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read key: %w", err)
	case len(data) == 0 || len(data) > maxFile:
		return nil, &Fault{Code: CodeDamaged, Path: path}
	}
	return data, nil
}

// write puts a file in place whole and on the disk, so that after a power cut it is there as a whole or not at all.
func (d *directory) write(name string, data []byte) error {
	if err := whole.Write(filepath.Join(d.path, name), data); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}
