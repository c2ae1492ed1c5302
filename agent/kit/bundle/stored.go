package bundle

import (
	"fmt"
	"io"
	"os"

	"halledge/firmware-protocols/hallsync"
)

// Stored is a bundle in a directory. Others may have changed its files since: each is checked whenever it is read.
type Stored struct {
	Manifest Manifest
	ID       string
	root     *os.Root
	dir      string
}

// Load reads the manifest of an unpacked bundle. It fails with *Error if it is not signed with one of the keys.
func Load[V hallsync.Verifier](root *os.Root, dir string, keys ...V) (*Stored, error) {
	manifest, err := get(root, dir+"/"+nameManifest, MaxManifest)
	if err != nil {
		return nil, err
	}
	sig, err := get(root, dir+"/"+nameSig, maxSig)
	if err != nil {
		return nil, err
	}
	m, err := Open(manifest, sig, keys...)
	if err != nil {
		return nil, err
	}
	return &Stored{Manifest: m, ID: ID(manifest), root: root, dir: dir}, nil
}

// Read gives the content of an item as it was signed. It fails with *Error for one that has been changed or taken away.
func (s *Stored) Read(i Item) ([]byte, error) {
	data, err := get(s.root, s.dir+"/"+i.Path, i.Size)
	if err != nil {
		return nil, &Error{Code: CodeContent, Item: i.Path, Err: err}
	}
	return data, i.is(data)
}

// Check reads every item.
func (s *Stored) Check() error {
	for _, i := range s.Manifest.Items {
		if _, err := s.Read(i); err != nil {
			return err
		}
	}
	return nil
}

// get reads a file of at most limit bytes. Only a plain file is one: anything else could make whoever reads it wait.
func get(root *os.Root, name string, limit int64) (data []byte, err error) {
	info, err := root.Lstat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > limit) {
		err = malformed("file %s", name)
	}
	if err != nil {
		return nil, fmt.Errorf("bundle: read: %w", err)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("bundle: read: %w", err)
	}
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("bundle: read: %w", err)
	}
	return data, nil
}
