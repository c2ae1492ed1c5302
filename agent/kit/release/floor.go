package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"halledge/agent/kit/whole"
)

// FloorFile holds the floor, below the root of the file system. Only root writes there: the agent could else shut itself out, or let an older
// version in.
const FloorFile = "var/lib/hall-release/floor.json"

const maxFloor = 4 << 10

// Floor is the version that nothing older is installed or started than.
type Floor struct {
	Version string `json:"version"`
	Reason  string `json:"reason,omitempty"` // why somebody lowered it
}

// ReadFloor gives the floor below a root; none when none was ever kept. One that is damaged is none either, and the error says so: the hall works
// on, and gets another floor when it does.
func ReadFloor(root string) (f Floor, err error) {
	data, err := read(filepath.Join(root, FloorFile), maxFloor)
	if errors.Is(err, fs.ErrNotExist) {
		return Floor{}, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		return Floor{}, fmt.Errorf("read version floor: %w", err)
	}
	return f, nil
}

// Raise keeps a version that runs well as the floor, if it is newer.
func Raise(root, version string) error {
	f, err := ReadFloor(root)
	if _, known := numbers(f.Version); err == nil && known && !Newer(version, f.Version) {
		return nil
	}
	return (Floor{Version: version}).Keep(root)
}

// Keep writes the floor: everybody may read it.
func (f Floor) Keep(root string) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("keep version floor: %w", err)
	}
	path := filepath.Join(root, FloorFile)
	dir := filepath.Dir(path)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755), place(path, data)); err != nil {
		return fmt.Errorf("keep version floor: %w", err)
	}
	return nil
}

// place puts a file that everybody may read in place whole, whatever the mask of rights.
func place(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return err
	}
	return whole.Sync(filepath.Dir(path))
}
