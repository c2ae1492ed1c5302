package pki_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"halledge/cloud/internal/pki"
)

// The files in the order in which they are written.
var files = []string{"tls.key", "tls.crt", "sm2.key", "sm2.crt"}

func (c *centre) contents() map[string]string {
	c.t.Helper()
	all := map[string]string{}
	for _, name := range files {
		data, err := os.ReadFile(c.path(name))
		if err != nil {
			c.t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

// names gives the files that are there.
func (c *centre) names() (there []string) {
	for _, name := range append(slices.Clone(files), "") {
		if _, err := os.Stat(c.path(name)); err == nil {
			there = append(there, name)
		}
	}
	return there
}

func TestFilesAreForTheirOwnerAndStay(t *testing.T) {
	c := newCentre(t)
	before := c.contents()
	again, err := c.open(false)
	if err != nil || again.Roots().Pin() != c.Roots().Pin() || !maps.Equal(before, c.contents()) {
		t.Fatalf("opened again: %v", err)
	}
	info, err := os.Stat(c.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil || len(entries) != len(files)+1 { // and the lock
		t.Errorf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestWhatOthersCouldReadIsRefused(t *testing.T) {
	c := newCentre(t)
	for _, name := range files {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o700, 0o400} {
			if err := os.Chmod(c.path(name), mode); err != nil {
				t.Fatal(err)
			}
			_, err := c.open(true)
			refused(t, name+" "+mode.String(), err, pki.CodeUnsafe)
		}
		if err := os.Chmod(c.path(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []os.FileMode{0o755, 0o770, 0o701} {
		if err := os.Chmod(c.dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := c.open(true)
		refused(t, "directory "+mode.String(), err, pki.CodeUnsafe)
	}
	c = newCentre(t)
	if err := os.Rename(c.path("tls.key"), filepath.Join(c.dir, "..", "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../elsewhere", c.path("tls.key")); err != nil {
		t.Fatal(err)
	}
	_, err := c.open(true)
	refused(t, "a link", err, pki.CodeUnsafe)
	linked := newCentre(t)
	if err := os.Rename(linked.dir, linked.dir+"2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pki2", linked.dir); err != nil {
		t.Fatal(err)
	}
	_, err = linked.open(true)
	refused(t, "a link to the directory", err, pki.CodeUnsafe)
}

func TestWhatBelongsToAnotherIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		// Nobody else can give a file away; what is owned by root is then somebody else's, such as the root of the file system.
		_, err := pki.OpenEmbedded("/", nil, false, start)
		refused(t, "of root", err, pki.CodeUnsafe)
		return
	}
	for _, name := range append(slices.Clone(files), "") {
		c := newCentre(t)
		if err := os.Chown(c.path(name), 1, -1); err != nil {
			t.Fatal(err)
		}
		_, err := c.open(true)
		refused(t, "of another "+name, err, pki.CodeUnsafe)
	}
}

// A power cut or a kill leaves the first so many files, and perhaps half of the next one under another name. What is there is kept, the
// rest is made.
func TestMakingTheRootsGoesOnWhereItWasCutShort(t *testing.T) {
	whole := newCentre(t).contents()
	for n := range len(files) + 1 {
		dir := t.TempDir() + "/pki"
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range files[:n] {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(whole[name]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		half := filepath.Join(dir, ".new-123")
		if err := os.WriteFile(half, []byte("-----BEGIN"), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := pki.OpenEmbedded(dir, nil, true, start)
		if err != nil {
			t.Fatalf("after %d files: %v", n, err)
		}
		for _, name := range files[:n] {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != whole[name] {
				t.Errorf("after %d files %s is another: %v", n, name, err)
			}
		}
		if _, err := os.Stat(half); !os.IsNotExist(err) {
			t.Errorf("what was cut short is still there: %v", err)
		}
		b := newBox(t, string(hall))
		if _, err := a.Issue(b.order(), start); err != nil {
			t.Errorf("after %d files: %v", n, err)
		}
	}
}

func TestRootsAreNotReplacedInSilence(t *testing.T) {
	for name, spoil := range map[string]struct {
		do   func(*centre) error
		code pki.Code
	}{
		"no directory":  {func(c *centre) error { return os.RemoveAll(c.dir) }, pki.CodeLost},
		"no TLS key":    {func(c *centre) error { return os.Remove(c.path("tls.key")) }, pki.CodeDamaged},
		"no SM2 key":    {func(c *centre) error { return os.Remove(c.path("sm2.key")) }, pki.CodeDamaged},
		"no TLS root":   {func(c *centre) error { return os.Remove(c.path("tls.crt")) }, pki.CodeLost},
		"no SM2 root":   {func(c *centre) error { return os.Remove(c.path("sm2.crt")) }, pki.CodeLost},
		"half a key":    {func(c *centre) error { return os.Truncate(c.path("sm2.key"), 90) }, pki.CodeDamaged},
		"empty root":    {func(c *centre) error { return os.Truncate(c.path("tls.crt"), 0) }, pki.CodeDamaged},
		"swapped keys":  {func(c *centre) error { return os.Rename(c.path("sm2.key"), c.path("tls.key")) }, pki.CodeDamaged},
		"swapped roots": {func(c *centre) error { return os.Rename(c.path("sm2.crt"), c.path("tls.crt")) }, pki.CodeDamaged},
		"too long":      {func(c *centre) error { return os.WriteFile(c.path("tls.key"), bytes.Repeat([]byte("x"), 1<<17), 0o600) }, pki.CodeDamaged},
		"other roots": {func(c *centre) error {
			if err := os.RemoveAll(c.dir); err != nil {
				return err
			}
			_, err := pki.OpenEmbedded(c.dir, nil, true, start)
			return err
		}, pki.CodeLost},
	} {
		c := newCentre(t)
		if err := spoil.do(c); err != nil {
			t.Fatal(err)
		}
		before := c.names()
		_, err := c.open(true)
		refused(t, name, err, spoil.code)
		if after := c.names(); !slices.Equal(before, after) {
			t.Errorf("%s: there were %v, there are %v", name, before, after)
		}
	}
}

func TestWhoOnlyLooksMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	_, err := pki.OpenEmbedded(dir, nil, false, start)
	refused(t, "no directory", err, pki.CodeMissing)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory was made: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = pki.OpenEmbedded(dir, nil, false, start)
	refused(t, "an empty directory", err, pki.CodeMissing)
	if _, err := os.Stat(filepath.Join(dir, "tls.key")); !os.IsNotExist(err) {
		t.Errorf("a key was made: %v", err)
	}
}

func TestManyWhoMakeTheRootsHaveTheSame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	var wg sync.WaitGroup
	pins := make([]string, 8)
	for i := range pins {
		wg.Go(func() {
			a, err := pki.OpenEmbedded(dir, nil, true, start)
			if err != nil {
				t.Error(err)
				return
			}
			pin := a.Roots().Pin()
			pins[i] = string(pin[:]) + string(a.Roots().SM2[0].DER())
		})
	}
	wg.Wait()
	if len(slices.Compact(pins)) != 1 {
		t.Error("the roots differ")
	}
}
