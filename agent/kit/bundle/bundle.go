// Package bundle gives the notices that screens of a hall show, as the centre publishes them: a manifest that is signed with a key the box
// does not have, and the files it names. The centre makes bundles, a box takes nothing that is not one: whole, of its own hall, signed, of
// the few types that are declared here.
package bundle

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// Manifest says what a bundle is. Its encoded form is what is signed.
type Manifest struct {
	Hall    hallsync.HallID `json:"hall"`
	Group   string          `json:"group"`      // of screens
	Version int64           `json:"version"`    // rises with every bundle of a group
	From    time.Time       `json:"not_before"` // in UTC, as Until, to the second
	Until   time.Time       `json:"not_after"`
	Items   []Item          `json:"items"` // in the order in which they are shown
}

// Item is one file.
type Item struct {
	Path string `json:"path"` // see ValidPath
	SM3  Digest `json:"sm3"`
	Size int64  `json:"size"`
	Type Type   `json:"type"`
}

// Type is the media type of an item. There is no page, no drawing with scripts, no film and no address in it: none of these can be looked
// through by the program before a browser of ten years ago plays it.
type Type string

// The types.
const (
	PNG  Type = "image/png"
	JPEG Type = "image/jpeg"
	Text Type = "text/plain" // UTF-8; the first line is the heading
)

// Ending gives how the paths of a type end, empty for no type.
func (t Type) Ending() string {
	switch t {
	case PNG:
		return ".png"
	case JPEG:
		return ".jpg"
	case Text:
		return ".txt"
	}
	return ""
}

// Digest is an SM3 digest. As text it is hexadecimal in small letters.
type Digest [gm.Size]byte

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return errors.New("bundle: not a digest")
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// DigestOf gives the digest of a file.
func DigestOf(data []byte) Digest { return Digest(gm.Sum(data)) }

// Bounds of a bundle, in bytes where nothing else is said.
const (
	MaxItems    = 48
	MaxGroups   = 8 // of screens in a hall
	MaxItem     = 8 << 20
	MaxBundle   = 64 << 20 // of all items
	MaxManifest = 32 << 10
	MaxLife     = 400 * 24 * time.Hour
	maxVersion  = 1 << 53
	maxSig      = 128
)

// Code is why a bundle is not taken, for the sentence that people read.
type Code string

// The codes.
const (
	CodeForm    Code = "notice_form"    // no bundle at all, or one with something in it that is not declared
	CodeForged  Code = "notice_forged"  // not signed with a key that is known here
	CodeForeign Code = "notice_foreign" // of another hall
	CodeOld     Code = "notice_old"     // a later one was there
	CodeExpired Code = "notice_expired"
	CodeContent Code = "notice_content" // item: not what the manifest says, or not what its type is
)

// Error is a bundle that is not taken. Item is the path of the item at fault, empty when it is the whole.
type Error struct {
	Code Code
	Item string
	Err  error // may be nil
}

func (e *Error) Error() string {
	text := "bundle: " + string(e.Code)
	if e.Item != "" {
		text += ": " + e.Item
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

func malformed(format string, args ...any) error {
	return &Error{Code: CodeForm, Err: fmt.Errorf(format, args...)}
}

// group and path are what names may be: they become names of files, also on machines of other makes.
var (
	group = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	path  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}\.(png|jpg|txt)$`)
	taken = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
)

// ValidGroup reports whether a group of screens may be called so.
func ValidGroup(name string) bool { return group.MatchString(name) && !taken.MatchString(name) }

// ValidPath reports whether an item may be called so: small letters and digits, no folder, no name that some system keeps for itself.
func ValidPath(name string) bool { return path.MatchString(name) && !taken.MatchString(name) }

// check reports what a manifest has that none may have.
func (m Manifest) check() error {
	life := m.Until.Sub(m.From)
	switch {
	case !m.Hall.Valid() || !ValidGroup(m.Group):
		return malformed("hall or group")
	case m.Version < 1 || m.Version > maxVersion:
		return malformed("version")
	case !whole(m.From) || !whole(m.Until) || life <= 0 || life > MaxLife:
		return malformed("life")
	case len(m.Items) < 1 || len(m.Items) > MaxItems:
		return malformed("number of items")
	}
	seen, total := map[string]bool{}, int64(0)
	for _, i := range m.Items {
		if !ValidPath(i.Path) || seen[i.Path] || i.Type.Ending() == "" || !strings.HasSuffix(i.Path, i.Type.Ending()) || i.Size < 1 || i.Size > MaxItem {
			return malformed("item %d", len(seen))
		}
		seen[i.Path] = true
		total += i.Size
	}
	if total > MaxBundle {
		return malformed("size of all items")
	}
	return nil
}

func whole(t time.Time) bool { return t.Location() == time.UTC && t.Nanosecond() == 0 }

// domain begins what is signed, so that it can stand for nothing else.
const domain = "hall-edge/v1/bundle\n"

// Sign gives the encoded manifest and its signature. It fails with *Error for a manifest that nobody would take.
func Sign(m Manifest, key hallsync.MessageSigner) (manifest, sig []byte, err error) {
	if err := m.check(); err != nil {
		return nil, nil, err
	}
	if manifest, err = json.Marshal(m); err != nil {
		return nil, nil, fmt.Errorf("bundle: %w", err)
	}
	if len(manifest) > MaxManifest {
		return nil, nil, malformed("manifest of %d bytes", len(manifest))
	}
	if sig, err = key.Sign([]byte(domain + string(manifest))); err != nil {
		return nil, nil, fmt.Errorf("bundle: %w", err)
	}
	return manifest, sig, nil
}

// Open reads a manifest that was signed with one of the keys. Nothing of it is decoded before the signature was found good. It fails with
// *Error.
func Open[V hallsync.Verifier](manifest, sig []byte, keys ...V) (Manifest, error) {
	if len(manifest) > MaxManifest || len(sig) > maxSig {
		return Manifest{}, malformed("size of the manifest")
	}
	good := false
	for _, k := range keys {
		good = good || k.Verify([]byte(domain+string(manifest)), sig)
	}
	var m Manifest
	switch {
	case !good:
		return Manifest{}, &Error{Code: CodeForged}
	case !hallsync.Exact(manifest, MaxManifest, &m):
		return Manifest{}, malformed("manifest")
	}
	return m, m.check()
}

// ID names a bundle: the digest of its manifest.
func ID(manifest []byte) string { return DigestOf(manifest).String() }

// Over reports whether nobody may see the bundle any more.
func (m Manifest) Over(now time.Time) bool { return !now.Before(m.Until) }

// InForce reports whether the bundle is what screens show at a time.
func (m Manifest) InForce(now time.Time) bool { return !now.Before(m.From) && !m.Over(now) }
