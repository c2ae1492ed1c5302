// Package release gives the manifests of a release, signed with the maker's SM2 key: which packages it is made of, and which files a package
// installs. A package whose manifest is not good is not installed, and what is installed is not started; nor what is older than the floor, the
// newest version that has ever run well.
package release

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"halledge/agent/kit/gm"
)

// ManifestFile and SignatureFile lie beside the files of a release, and in InstalledDir those of what is installed. The signature is DER, over
// the bytes of the manifest as they are.
const (
	ManifestFile  = "release.json"
	SignatureFile = "release.json.sig"

	InstalledDir = "usr/share/hall-agent/release" // below the root of the file system
)

// Program is the file that what is installed is nothing without.
const Program = "usr/bin/hall-agent"

// Bounds of a manifest.
const (
	maxManifest  = 64 << 10
	maxSignature = 128
	maxFiles     = 64
	maxSize      = 1 << 30
)

// kind is what a manifest is of. It begins what is signed: a signature of a release is one of nothing else.
type kind struct {
	about string
	names *regexp.Regexp // of the files
	must  string         // a file that has to be among them
}

var (
	packages  = kind{about: "hall-edge/v1/release\x00", names: plainName}
	installed = kind{about: "hall-edge/v1/installed\x00", names: plainPath, must: Program}
)

// Code says what is wrong with a release.
type Code string

// The codes, of sentences for people.
const (
	Unsigned Code = "release_unsigned" // no manifest, or not signed with this key
	Invalid  Code = "release_invalid"  // signed, and no manifest all the same
	Changed  Code = "release_changed"  // file: missing, or other bytes than were signed
	Older    Code = "release_older"    // version, floor
)

// Error is a release that is not to be installed.
type Error struct {
	Code                 Code
	File, Version, Floor string // as the code has them
	Err                  error  // may be nil
}

func (e *Error) Error() string {
	text := string(e.Code)
	for _, part := range []string{e.File, e.Version, e.Floor} {
		if part != "" {
			text += " " + part
		}
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// File is one file of a release, beside the manifest, or an installed one by its path below the root. SM3 is in hexadecimal.
type File struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	SM3  string `json:"sm3"`
}

// Manifest is what is signed.
type Manifest struct {
	Version string `json:"version"`
	Files   []File `json:"files"`
}

// Sign writes manifest and signature of packages that lie in one directory.
func Sign(dir, version string, names []string, key gm.PrivateKey) error {
	return packages.sign(dir, dir, version, names, key)
}

// SignInstalled writes manifest and signature of files that a package will install, which lie below root as they will below that of a box.
func SignInstalled(root, version string, names []string, key gm.PrivateKey) error {
	dir := filepath.Join(root, InstalledDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("sign release: %w", err)
	}
	return installed.sign(root, dir, version, names, key)
}

func (k kind) sign(root, dir, version string, names []string, key gm.PrivateKey) error {
	m := Manifest{Version: version}
	for _, name := range names {
		f, err := k.measure(root, name)
		if err != nil {
			return fmt.Errorf("sign release: %w", err)
		}
		m.Files = append(m.Files, f)
	}
	if err := k.check(m); err != nil {
		return fmt.Errorf("sign release: %w", err)
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("sign release: %w", err)
	}
	sig, err := key.Sign(append([]byte(k.about), raw...))
	if err != nil {
		return fmt.Errorf("sign release: %w", err)
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, ManifestFile), raw, 0o644), os.WriteFile(filepath.Join(dir, SignatureFile), sig, 0o644))
}

// Verify reads the release in a directory: its manifest is signed with the key, it is not older than the floor, and every file is what was
// signed. A floor that cannot be compared, such as the version of a program under development, is below all. It fails with *Error.
func Verify(dir, floor string, key gm.PublicKey) (Manifest, error) {
	return packages.verify(dir, dir, floor, key)
}

// VerifyInstalled does the same with what is installed below a root.
func VerifyInstalled(root, floor string, key gm.PublicKey) (Manifest, error) {
	return installed.verify(root, filepath.Join(root, InstalledDir), floor, key)
}

func (k kind) verify(root, dir, floor string, key gm.PublicKey) (m Manifest, err error) {
	raw, err := read(filepath.Join(dir, ManifestFile), maxManifest)
	if err != nil {
		return m, &Error{Code: Unsigned, Err: err}
	}
	sig, err := read(filepath.Join(dir, SignatureFile), maxSignature)
	if err != nil {
		return m, &Error{Code: Unsigned, Err: err}
	}
	if !key.Verify(append([]byte(k.about), raw...), sig) {
		return m, &Error{Code: Unsigned}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || d.More() {
		return Manifest{}, &Error{Code: Invalid, Err: err}
	}
	if err := k.check(m); err != nil {
		return Manifest{}, &Error{Code: Invalid, Err: err}
	}
	if Newer(floor, m.Version) {
		return Manifest{}, &Error{Code: Older, Version: m.Version, Floor: floor}
	}
	for _, want := range m.Files {
		got, err := k.measure(root, want.Name)
		if err != nil || got != want {
			return Manifest{}, &Error{Code: Changed, File: want.Name, Err: err}
		}
	}
	return m, nil
}

// Names of files that cannot lead anywhere else: beside the manifest, and below the root.
var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$`)
	plainPath = regexp.MustCompile(`^usr(/[A-Za-z0-9][A-Za-z0-9._+~-]{0,127})+$`)
)

func (k kind) check(m Manifest) error {
	if _, ok := numbers(m.Version); !ok {
		return fmt.Errorf("version %q has no numbers", m.Version)
	}
	if len(m.Files) == 0 || len(m.Files) > maxFiles {
		return fmt.Errorf("%d files", len(m.Files))
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if !k.names.MatchString(f.Name) || seen[f.Name] || f.Size < 0 || f.Size > maxSize || len(f.SM3) != 2*gm.Size {
			return fmt.Errorf("file %q", f.Name)
		}
		seen[f.Name] = true
	}
	if k.must != "" && !seen[k.must] {
		return fmt.Errorf("no file %q", k.must)
	}
	return nil
}

// measure reads a plain file below a directory.
func (k kind) measure(root, name string) (File, error) {
	if !k.names.MatchString(name) {
		return File{}, fmt.Errorf("file %q", name)
	}
	f, err := open(filepath.Join(root, name), maxSize)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	sum, size, err := gm.SumReader(io.LimitReader(f, maxSize+1))
	return File{Name: name, Size: size, SM3: hex.EncodeToString(sum[:])}, err
}

// open opens a regular file of a size at most. A link is none: it could be another file the next time.
func open(path string, limit int64) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s is no plain file, or too large", path)
	}
	return os.Open(path)
}

func read(path string, limit int64) ([]byte, error) {
	f, err := open(path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Newer tells whether a version is newer than another. One that cannot be compared is not newer than any, nor any than it.
func Newer(version, than string) bool {
	a, ok := numbers(version)
	b, also := numbers(than)
	return ok && also && slices.Compare(a, b) > 0
}

// numbers gives what versions are compared by: v1.2.0-5-gabcdef0 and 1.2.0.5.gabcdef0 are 1, 2, 0, 5. Of what begins with less than two
// numbers nothing can be said.
func numbers(version string) (n []int, ok bool) {
	for _, part := range strings.FieldsFunc(strings.TrimPrefix(version, "v"), func(r rune) bool { return r == '.' || r == '-' }) {
		i, err := strconv.Atoi(part)
		if err != nil || i < 0 || len(part) > 9 {
			break
		}
		n = append(n, i)
	}
	for len(n) > 2 && n[len(n)-1] == 0 { // 1.2.0 is 1.2
		n = n[:len(n)-1]
	}
	return n, len(n) >= 2
}
