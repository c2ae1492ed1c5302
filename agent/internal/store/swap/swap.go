// Package swap puts a smaller copy in the place of a database file and wipes what it replaces. The power may go at any moment: the name
// always leads to a whole file, and what was not wiped then is wiped at the next start.
package swap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"halledge/agent/kit/whole"
)

// What lies beside a file while it is replaced.
const (
	copied   = ".copy"     // the copy, not whole yet
	replaced = ".replaced" // a second name of the file that was replaced, until it is wiped
)

// Copy is where the copy is to be made.
func Copy(path string) string { return path + copied }

// Old is where the file that was replaced lies until it is wiped.
func Old(path string) string { return path + replaced }

// Replace puts the copy, whose content is on the disk, in the place of path. The old file stays under another name, for Wipe. The names are
// not on the disk before Settle.
func Replace(path string) error {
	if err := os.Link(path, path+replaced); err != nil {
		return fmt.Errorf("name the old file: %w", err)
	}
	if err := os.Rename(path+copied, path); err != nil {
		return errors.Join(fmt.Errorf("put the copy in place: %w", err), os.Remove(path+replaced))
	}
	return nil
}

// Settle brings the names to the disk. Until it has succeeded, nothing that is written to the copy is safe, and the old file not to be wiped.
func Settle(path string) error { return whole.Sync(filepath.Dir(path)) }

// Recover ends what a program that died left half done: a copy that is not whole goes, and so does a second name of the file that is still
// in use. It reports whether there is something to wipe. It fails with fs.ErrNotExist when the file is gone and the one that it replaced is there.
func Recover(path string) (wipe bool, err error) {
	if err := os.Remove(path + copied); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	old, err := os.Stat(path + replaced)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	now, err := os.Stat(path)
	switch {
	case err != nil: // somebody took the file away: then this one may be all there is
		return false, err
	case os.SameFile(old, now):
		return false, os.Remove(path + replaced)
	}
	return true, nil
}

// step is how much is wiped at once.
const step = 1 << 20

// Wipe overwrites the file that was replaced and takes it away. On a disk that spreads its wear, such as every flash memory, an old copy of
// a block may outlive this: what lies there is sealed, and its key is destroyed.
func Wipe(path string) (err error) {
	f, err := os.OpenFile(path+replaced, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("wipe: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Remove(path + replaced)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("wipe: %w", err)
	}
	zeros := make([]byte, step)
	for at := int64(0); at < info.Size(); at += step {
		if _, err := f.WriteAt(zeros[:min(step, info.Size()-at)], at); err != nil {
			return fmt.Errorf("wipe: %w", err)
		}
	}
	return f.Sync()
}
