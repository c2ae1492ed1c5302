package ops

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/release"
)

// ReleaseKey is where the maker's public key lies, below the root of the file system. Who put it there wants nothing else to run.
const ReleaseKey = "etc/hall-agent/release.pub"

// CodeReleaseKey says that a file holds no SM2 key of the kind that is needed.
const CodeReleaseKey problem.Code = "release_key" // path

// What is said of the program that is installed.
const (
	sayRelease          problem.Code = "doctor_release"     // version
	sayReleaseUnchecked problem.Code = "release_unchecked"  // path
	sayInstalledNone    problem.Code = "installed_unsigned" // no manifest, or not the maker's
	sayInstalledChanged problem.Code = "installed_changed"  // file
	sayInstalledOlder   problem.Code = "installed_older"    // version, floor
	sayReleaseKeyUnsafe problem.Code = "release_key_unsafe" // path
	sayFloorUnread      problem.Code = "floor_unread"       // path
)

// Installed is a program that is what its maker signed.
type Installed struct {
	Version string // empty: nothing was checked, for there is no key
	Floor   string // of versions; empty: none yet
	Unread  error  // why the floor is not known; it counts as none
}

// CheckInstalled compares what is installed below root with what its maker signed, if his key is there. It fails with *Error.
func CheckInstalled(root string) (is Installed, err error) {
	key, err := installedKey(root)
	if key == nil || err != nil {
		return is, err
	}
	floor, err := release.ReadFloor(root)
	is.Floor, is.Unread = floor.Version, err
	m, err := release.VerifyInstalled(root, floor.Version, *key)
	is.Version = m.Version
	var bad *release.Error
	if !errors.As(err, &bad) {
		return is, err
	}
	code := map[release.Code]problem.Code{release.Changed: sayInstalledChanged, release.Older: sayInstalledOlder}[bad.Code]
	if code == "" {
		code = sayInstalledNone
	}
	return is, &Error{Code: code, Args: map[string]string{"file": filepath.Join(root, bad.File), "version": bad.Version, "floor": bad.Floor}, Err: err}
}

// installedKey gives the maker's key below root; nil when there is none. It belongs to who owns the root, and nobody else may change it.
func installedKey(root string) (*gm.PublicKey, error) {
	path := filepath.Join(root, ReleaseKey)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	top, topErr := os.Stat(root)
	if err = errors.Join(err, topErr); err != nil {
		return nil, badReleaseKey(path, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || owner(info) != owner(top) {
		return nil, &Error{Code: sayReleaseKeyUnsafe, Args: map[string]string{"path": path}, Err: fmt.Errorf("mode %s, owner %d", info.Mode(), owner(info))}
	}
	key, err := ReadReleaseKey(path)
	return &key, err
}

// OwnsRoot tells whether who runs this program owns the root of a file system: of that of a box, only root does.
func OwnsRoot(root string) bool {
	info, err := os.Stat(root)
	return err == nil && owner(info) == os.Geteuid()
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// ReadReleaseKey reads the maker's public key, in PEM. It fails with *Error.
func ReadReleaseKey(path string) (gm.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return gm.PublicKey{}, badReleaseKey(path, err)
	}
	key, err := gm.ParsePublicKey(string(text))
	if err != nil {
		return gm.PublicKey{}, badReleaseKey(path, err)
	}
	return key, nil
}

func badReleaseKey(path string, err error) error {
	return &Error{Code: CodeReleaseKey, Args: map[string]string{"path": path}, Err: err}
}

// program tells whether what is installed is what its maker signed.
func (d *doctor) program(root string) {
	is, err := CheckInstalled(root)
	var bad *Error
	switch {
	case errors.As(err, &bad):
		d.add(d.line(Bad, bad.Code, bad.Args))
	case is.Version == "":
		d.add(d.line(Info, sayReleaseUnchecked, map[string]string{"path": filepath.Join(root, ReleaseKey)}))
	default:
		d.add(d.line(Good, sayRelease, map[string]string{"version": is.Version}))
	}
	if is.Unread != nil {
		d.add(d.line(Warn, sayFloorUnread, map[string]string{"path": filepath.Join(root, release.FloorFile)}))
	}
}
