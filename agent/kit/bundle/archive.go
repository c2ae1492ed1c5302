package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"halledge/firmware-protocols/hallsync"
)

// A bundle travels as a ZIP file without compression: first the manifest, then its signature, then the items in their order. What is not
// compressed cannot be larger than it looks.
const (
	nameManifest = "manifest.json"
	nameSig      = "manifest.sig"

	// MaxArchive is the length of the longest ZIP file that is a bundle.
	MaxArchive = MaxBundle + 1<<20
)

// Write writes a bundle; content gives the items of its manifest, which need not be looked at again.
func Write(w io.Writer, manifest, sig []byte, items []Item, content func(Item) ([]byte, error)) error {
	z := zip.NewWriter(w)
	add := func(name string, data []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = f.Write(data)
		}
		return err
	}
	err := add(nameManifest, manifest)
	if err == nil {
		err = add(nameSig, sig)
	}
	for _, i := range items {
		if err != nil {
			break
		}
		var data []byte
		if data, err = content(i); err == nil {
			err = add(i.Path, data)
		}
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return fmt.Errorf("bundle: write: %w", err)
	}
	return nil
}

// Archive is a bundle as it has come. Its manifest is signed; its items have not been looked at.
type Archive struct {
	Manifest Manifest
	manifest []byte
	sig      []byte
	items    []*zip.File // as in the manifest
}

// ID names the bundle.
func (a *Archive) ID() string { return ID(a.manifest) }

// Read reads a ZIP file up to its manifest. It fails with *Error for what is no bundle, or not signed with one of the keys, and with other
// errors when r does.
func Read[V hallsync.Verifier](r io.ReaderAt, size int64, keys ...V) (*Archive, error) {
	if err := bounded(r, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, &Error{Code: CodeForm, Err: err}
	}
	if len(z.File) < 2 || len(z.File) > MaxItems+2 {
		return nil, malformed("%d entries", len(z.File))
	}
	a := &Archive{items: z.File[2:]}
	if a.manifest, err = entry(z.File[0], nameManifest, MaxManifest); err != nil {
		return nil, err
	}
	if a.sig, err = entry(z.File[1], nameSig, maxSig); err != nil {
		return nil, err
	}
	if a.Manifest, err = Open(a.manifest, a.sig, keys...); err != nil {
		return nil, err
	}
	if len(a.items) != len(a.Manifest.Items) {
		return nil, malformed("%d items, declared %d", len(a.items), len(a.Manifest.Items))
	}
	return a, nil
}

// The end of a ZIP file (APPNOTE 4.3.16) and the least and most its directory takes for one of our entries.
const (
	endLength    = 22
	endSignature = 0x06054b50
	maxEntry     = 46 + 64 + 64
)

// bounded refuses a directory that is longer than ours are before anything takes memory for it: a short file may say that it has a million
// entries.
func bounded(r io.ReaderAt, size int64) error {
	if size < endLength || size > MaxArchive {
		return malformed("%d bytes", size)
	}
	var end [endLength]byte
	if _, err := r.ReadAt(end[:], size-endLength); err != nil {
		return fmt.Errorf("bundle: read: %w", err)
	}
	entries, length, at := binary.LittleEndian.Uint16(end[10:]), int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:]))
	if binary.LittleEndian.Uint32(end[:]) != endSignature || entries > MaxItems+2 || length > (MaxItems+2)*maxEntry || at+length+endLength != size {
		return malformed("directory of the archive")
	}
	return nil
}

// entry reads an entry that must be a plain file of this name.
func entry(f *zip.File, name string, limit int64) (data []byte, err error) {
	if f.Name != name || f.Method != zip.Store || !f.Mode().IsRegular() || f.Flags&1 != 0 || f.UncompressedSize64 != f.CompressedSize64 ||
		f.UncompressedSize64 > uint64(limit) {
		return nil, malformed("entry %q", f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, &Error{Code: CodeForm, Err: err}
	}
	data, err = io.ReadAll(io.LimitReader(r, limit+1))
	if closed := r.Close(); err == nil {
		err = closed
	}
	if err != nil || int64(len(data)) > limit {
		return nil, &Error{Code: CodeForm, Err: err}
	}
	return data, nil
}

// item reads an item and checks it against the manifest.
func (a *Archive) item(n int) ([]byte, error) {
	want := a.Manifest.Items[n]
	data, err := entry(a.items[n], want.Path, want.Size)
	if err != nil {
		return nil, err
	}
	if err := want.is(data); err != nil {
		return nil, err
	}
	if _, err := look(want.Type, data); err != nil {
		return nil, &Error{Code: CodeContent, Item: want.Path, Err: err}
	}
	return data, nil
}

// is compares a content with what the manifest says of it.
func (i Item) is(data []byte) error {
	if int64(len(data)) != i.Size || DigestOf(data) != i.SM3 {
		return &Error{Code: CodeContent, Item: i.Path}
	}
	return nil
}

// Unpack checks every item and puts the bundle into a new directory of root, whole or not at all. No name of the archive is used but those
// of the manifest, and root lets none of them out.
func (a *Archive) Unpack(root *os.Root, dir string) (err error) {
	part := Unfinished + dir
	if err := root.RemoveAll(part); err != nil {
		return fmt.Errorf("bundle: unpack: %w", err)
	}
	if err := root.Mkdir(part, 0o700); err != nil {
		return fmt.Errorf("bundle: unpack: %w", err)
	}
	defer func() {
		if err != nil {
			_ = root.RemoveAll(part) // the next one tries again
		}
	}()
	if err := a.fill(root, part); err != nil {
		return err
	}
	if err := sync(root, part); err != nil {
		return err
	}
	if err := root.Rename(part, dir); err != nil {
		return fmt.Errorf("bundle: unpack: %w", err)
	}
	return sync(root, ".")
}

// Unfinished begins the names of directories that an Unpack which was cut short has left.
const Unfinished = ".new-"

func (a *Archive) fill(root *os.Root, dir string) error {
	for n, i := range a.Manifest.Items {
		data, err := a.item(n)
		if err == nil {
			err = put(root, dir+"/"+i.Path, data)
		}
		if err != nil {
			return err
		}
	}
	if err := put(root, dir+"/"+nameManifest, a.manifest); err != nil {
		return err
	}
	return put(root, dir+"/"+nameSig, a.sig)
}

func put(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("bundle: unpack: %w", err)
	}
	_, err = io.Copy(f, bytes.NewReader(data))
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("bundle: unpack: %w", err)
	}
	return nil
}

// sync brings the names in a directory to the disk.
func sync(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return fmt.Errorf("bundle: unpack: %w", err)
	}
	err = f.Sync()
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("bundle: unpack: %w", err)
	}
	return nil
}
