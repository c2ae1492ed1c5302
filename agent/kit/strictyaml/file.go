package strictyaml

import (
	"errors"
	"io/fs"
	"os"
)

// ReadFile reads at most what Decode takes, so that a wrong path cannot fill the memory. Its errors do not name the path, which whoever
// shows them does.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	var p *fs.PathError
	switch {
	case errors.As(err, &p):
		return nil, p.Err
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > MaxBytes:
		return nil, errors.New("not a regular file of sensible size")
	}
	return os.ReadFile(path)
}
