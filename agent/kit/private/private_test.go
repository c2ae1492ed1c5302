package private_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"halledge/agent/kit/private"
)

func open(t *testing.T, path string) *private.Directory {
	t.Helper()
	d, err := private.Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "keys")
	if _, err := private.Open(path, false); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a directory that is not there: %v", err)
	}
	d := open(t, path)
	if data, err := d.Read("b.key"); data != nil || err != nil {
		t.Fatalf("no file: %q, %v", data, err)
	}
	for _, name := range []string{"b.key", "a.key"} {
		if err := d.Write(name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := d.Read("b.key"); string(data) != "b.key" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if names, err := d.Names(); err != nil || !slices.Equal(names, []string{"a.key", "b.key"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// What a write that was cut short has left is gone after the next opening.
func TestOpenSweeps(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(path, ".new-123")
	if err := os.WriteFile(half, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a key is left: %v", err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	var unsafe *private.UnsafeError
	var damaged *private.DamagedError
	root := t.TempDir()
	path := filepath.Join(root, "keys")
	d := open(t, path)
	if err := d.Write("k", []byte("key")); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o700, 0o400} {
		if err := os.Chmod(d.Path("k"), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read("k"); !errors.As(err, &unsafe) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Symlink(d.Path("k"), d.Path("link")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read("link"); !errors.As(err, &unsafe) {
		t.Errorf("a link: %v", err)
	}
	for name, data := range map[string][]byte{"empty": {}, "long": bytes.Repeat([]byte("x"), 1<<17)} {
		if err := os.WriteFile(d.Path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(name); !errors.As(err, &damaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := private.Open(path, true); !errors.As(err, &unsafe) {
		t.Errorf("a directory of mode 750: %v", err)
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := private.Open(link, true); !errors.As(err, &unsafe) {
		t.Errorf("a link to a directory: %v", err)
	}
}

// Who looks at somebody else's keys, as an administrator, finds what their owner would.
func TestCheckLooksAndChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	var unsafe *private.UnsafeError
	if err := private.Check(path, os.Geteuid()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "k")
	if err := os.WriteFile(file, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := private.Check(path, os.Geteuid()); err != nil {
		t.Error(err)
	}
	if err := private.Check(path, os.Geteuid()+1); !errors.As(err, &unsafe) || unsafe.Path != path {
		t.Errorf("of another owner: %v", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := private.Check(path, os.Geteuid()); !errors.As(err, &unsafe) || unsafe.Path != file {
		t.Errorf("a file that others read: %v", err)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 1 {
		t.Errorf("it left %v, %v", entries, err)
	}
}
