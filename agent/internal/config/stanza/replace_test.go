package stanza

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What an editor saved between the reading and the writing must not be lost.
func TestChangedFileIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte("schema: 1 # edited\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, want string
		err       error
	}{
		{"schema: 1\n", "schema: 1 # edited\n", errChanged},
		{"schema: 1 # edited\n", "devices:\n", nil},
	} {
		err := replace(path, []byte(c.old), []byte("devices:\n"), path+Backup)
		if got, readErr := os.ReadFile(path); !errors.Is(err, c.err) || readErr != nil || string(got) != c.want {
			t.Errorf("%q: the file is %q, %v, %v", c.old, got, err, readErr)
		}
	}
	left, err := filepath.Glob(path + ".new")
	if err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}
