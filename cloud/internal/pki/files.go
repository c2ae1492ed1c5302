package pki

import (
	"errors"

	"halledge/agent/kit/private"
)

// The files of the embedded authority. A key is written before its root: a key without a root has never been used.
const (
	fileTLSKey  = "tls.key"
	fileTLSRoot = "tls.crt"
	fileSM2Key  = "sm2.key"
	fileSM2Root = "sm2.crt"
)

// directory is where the keys lie.
type directory struct {
	*private.Directory
	make bool // what is missing
}

// openDirectory waits until nobody else works in the directory; make makes it if it is missing.
func openDirectory(path string, make bool) (*directory, error) {
	d, err := private.Open(path, make)
	if err != nil {
		return nil, faultOf(err)
	}
	return &directory{d, make}, nil
}

// read gives a file, nil if there is none.
func (d *directory) read(name string) ([]byte, error) {
	data, err := d.Read(name)
	return data, faultOf(err)
}

// faultOf names what is wrong with the directory or a file in it.
func faultOf(err error) error {
	var unsafe *private.UnsafeError
	var damaged *private.DamagedError
	switch {
	case errors.As(err, &unsafe):
		return &Fault{Code: CodeUnsafe, Path: unsafe.Path, Err: unsafe.Err}
	case errors.As(err, &damaged):
		return &Fault{Code: CodeDamaged, Path: damaged.Path, Err: damaged.Err}
	}
	return err
}
