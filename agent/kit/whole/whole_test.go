package whole_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"halledge/agent/kit/whole"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.json")
	for _, text := range []string{"first, and longer", "second", ""} {
		if err := whole.Write(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	alone(t, dir, "a.json")
}

// What cannot take the file's place leaves nothing behind.
func TestWriteThatFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.json")
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := whole.Write(file, []byte("x")); err == nil {
		t.Error("a directory was written over")
	}
	alone(t, dir, "a.json")
	if err := whole.Write(filepath.Join(dir, "none", "a.json"), []byte("x")); err == nil {
		t.Error("written where there is no directory")
	}
	if err := whole.Sync(filepath.Join(dir, "none")); err == nil {
		t.Error("no directory is on the disk")
	}
}

func alone(t *testing.T, dir, name string) {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			names = append(names, filepath.Base(path))
		}
		return err
	}); err != nil || len(names) != 1 || names[0] != name {
		t.Errorf("there are %q, %v", names, err)
	}
}
