package swap_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"halledge/agent/internal/store/swap"
)

func lay(t *testing.T, files map[string]string) (path string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "a")
}

// names gives the files of a directory with what is in them.
func names(t *testing.T, path string) map[string]string {
	t.Helper()
	got := map[string]string{}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(raw)
	}
	return got
}

func TestACopyTakesTheFilesPlace(t *testing.T) {
	path := lay(t, map[string]string{"a": "old", "a.copy": "new"})
	held, err := os.Open(path) // as whoever still reads it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }()
	if err := swap.Replace(path); err != nil {
		t.Fatal(err)
	}
	if err := swap.Settle(path); err != nil {
		t.Fatal(err)
	}
	if got := names(t, path); got["a"] != "new" || got["a.replaced"] != "old" || len(got) != 2 {
		t.Errorf("%v", got)
	}
	if wipe, err := swap.Recover(path); err != nil || !wipe {
		t.Errorf("nothing to wipe: %v", err)
	}
	if err := swap.Wipe(path); err != nil {
		t.Fatal(err)
	}
	if got := names(t, path); got["a"] != "new" || len(got) != 1 {
		t.Errorf("%v", got)
	}
	raw := make([]byte, 3)
	if _, err := held.ReadAt(raw, 0); err != nil || !bytes.Equal(raw, make([]byte, 3)) {
		t.Errorf("of the old file is left %q, %v", raw, err)
	}
}

func TestWithoutACopyNothingHappens(t *testing.T) {
	path := lay(t, map[string]string{"a": "old"})
	if err := swap.Replace(path); err == nil {
		t.Error("replaced")
	}
	if got := names(t, path); got["a"] != "old" || len(got) != 1 {
		t.Errorf("%v", got)
	}
	if err := swap.Wipe(path); err == nil {
		t.Error("wiped")
	}
}

func TestWhatWasLeftHalfDoneIsEnded(t *testing.T) {
	path := lay(t, map[string]string{"a": "old", "a.copy": "ne"})
	if err := os.Link(path, path+".replaced"); err != nil {
		t.Fatal(err)
	}
	if wipe, err := swap.Recover(path); err != nil || wipe {
		t.Errorf("wipe %v, %v", wipe, err)
	}
	if got := names(t, path); got["a"] != "old" || len(got) != 1 {
		t.Errorf("%v", got)
	}
	alone := lay(t, map[string]string{"a.replaced": "all there is"})
	if wipe, err := swap.Recover(alone); err == nil || wipe {
		t.Errorf("wipe %v, %v", wipe, err)
	}
}
