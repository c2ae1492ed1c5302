// Package whole gives files that are there as a whole or not at all: after a power cut, on a full disk, and to whoever reads them meanwhile.
package whole

import (
	"errors"
	"os"
	"path/filepath"
)

// Unfinished is the pattern of the names of what a Write that was cut short leaves beside its file. Nobody reads it.
const Unfinished = ".new-*"

// Write puts data in the place of a file, for nobody but its owner to read (mode 0600), and brings both it and its name to the disk. After an
// error the file is as it was, unless only its name could not be brought there.
func Write(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), Unfinished) // of mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return Sync(filepath.Dir(file))
}

// Sync brings the names in a directory to the disk.
func Sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
