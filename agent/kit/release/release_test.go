package release_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/release"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signed makes a release of two files.
func signed(t *testing.T, version string) (dir string, key gm.PrivateKey) {
	t.Helper()
	dir = t.TempDir()
	key, err := gm.GenerateKey()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "hall-agent_1.2.3_amd64.deb"), []byte("the package"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "hall-agent.cdx.json"), []byte("{}"), 0o600))
	must(t, release.Sign(dir, version, []string{"hall-agent_1.2.3_amd64.deb", "hall-agent.cdx.json"}, key))
	return dir, key
}

func TestAReleaseIsWhatWasSigned(t *testing.T) {
	dir, key := signed(t, "v1.2.3")
	for _, running := range []string{"v1.2.3", "1.2.2", "v1.1.9-40-gabcdef0", "v0.9", "development", ""} {
		if m, err := release.Verify(dir, running, key.Public()); err != nil || m.Version != "v1.2.3" || len(m.Files) != 2 {
			t.Errorf("%q refuses it: %+v, %v", running, m, err)
		}
	}
}

// Threat 30: a package of somebody else, of another day or half of one is not installed.
func TestThreat30OnlyWhatTheMakerSignedIsInstalled(t *testing.T) {
	file := func(dir, name string) string { return filepath.Join(dir, name) }
	deb := "hall-agent_1.2.3_amd64.deb"
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey
		want   release.Code
	}{
		"another key": {func(t *testing.T, _ string, _ gm.PrivateKey) gm.PrivateKey {
			other, err := gm.GenerateKey()
			must(t, err)
			return other
		}, release.Unsigned},
		"no signature": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			must(t, os.Remove(file(dir, release.SignatureFile)))
			return key
		}, release.Unsigned},
		"another version written in": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			raw, err := os.ReadFile(file(dir, release.ManifestFile))
			must(t, err)
			must(t, os.WriteFile(file(dir, release.ManifestFile), []byte(strings.Replace(string(raw), "1.2.3", "9.2.3", 1)), 0o600))
			return key
		}, release.Unsigned},
		"half a file": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			must(t, os.Truncate(file(dir, deb), 5))
			return key
		}, release.Changed},
		"another file": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			must(t, os.WriteFile(file(dir, deb), []byte("the packagf"), 0o600))
			return key
		}, release.Changed},
		"a missing file": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			must(t, os.Remove(file(dir, deb)))
			return key
		}, release.Changed},
		"a link": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			must(t, os.Rename(file(dir, deb), file(dir, "elsewhere")))
			must(t, os.Symlink("elsewhere", file(dir, deb)))
			return key
		}, release.Changed},
		"an older one": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			must(t, release.Sign(dir, "v1.2.2", []string{deb}, key))
			return key
		}, release.Older},
		"signed for another purpose": {func(t *testing.T, dir string, key gm.PrivateKey) gm.PrivateKey {
			raw, err := os.ReadFile(file(dir, release.ManifestFile))
			must(t, err)
			sig, err := key.Sign(raw)
			must(t, err)
			must(t, os.WriteFile(file(dir, release.SignatureFile), sig, 0o600))
			return key
		}, release.Unsigned},
	} {
		dir, key := signed(t, "v1.2.3")
		key = c.change(t, dir, key)
		_, err := release.Verify(dir, "v1.2.3", key.Public())
		var failed *release.Error
		if !errors.As(err, &failed) || failed.Code != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// What the maker himself signed by mistake is refused too.
func TestManifestsThatAreNone(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for _, raw := range []string{
		`{}`, `[]`, `{"version":"1.2","files":[]}`, `{"version":"x","files":[{"name":"a","size":1,"sm3":"` + sum + `"}]}`,
		`{"version":"1.2","files":[{"name":"../a","size":1,"sm3":"` + sum + `"}]}`, `{"version":"1.2","files":[{"name":"/etc/passwd","size":1,"sm3":"` + sum + `"}]}`,
		`{"version":"1.2","files":[{"name":"a","size":-1,"sm3":"` + sum + `"}]}`, `{"version":"1.2","files":[{"name":"a","size":1,"sm3":"00"}]}`,
		`{"version":"1.2","files":[{"name":"a","size":1,"sm3":"` + sum + `"},{"name":"a","size":1,"sm3":"` + sum + `"}]}`,
		`{"version":"1.2","files":[{"name":"a","size":1,"sm3":"` + sum + `"}],"more":1}`, `{"version":"1.2","files":[{"name":"a","size":1,"sm3":"` + sum + `"}]} {}`,
	} {
		dir := t.TempDir()
		key, err := gm.GenerateKey()
		must(t, err)
		sig, err := key.Sign([]byte("hall-edge/v1/release\x00" + raw))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, release.ManifestFile), []byte(raw), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, release.SignatureFile), sig, 0o600))
		_, err = release.Verify(dir, "1.1", key.Public())
		var failed *release.Error
		if !errors.As(err, &failed) || failed.Code != release.Invalid {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	dir, key := signed(t, "1.0")
	for version, names := range map[string][]string{"1.0": nil, "development": {"hall-agent.cdx.json"}, "1.1": {"missing"}, "1.2": {"../x"}} {
		if err := release.Sign(dir, version, names, key); err == nil {
			t.Errorf("%s of %v is signed", version, names)
		}
	}
}

// installed makes the files of a package and the signed manifest of them.
func installed(t *testing.T, version string) (root string, key gm.PrivateKey, names []string) {
	t.Helper()
	root = t.TempDir()
	key, err := gm.GenerateKey()
	must(t, err)
	names = []string{release.Program, "usr/lib/systemd/system/hall-agent.service"}
	for _, name := range names {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(root, name), []byte("the bytes of "+name), 0o600))
	}
	must(t, release.SignInstalled(root, version, names, key))
	return root, key, names
}

func wants(t *testing.T, what string, err error, want release.Code, file string) {
	t.Helper()
	var failed *release.Error
	if !errors.As(err, &failed) || failed.Code != want || failed.File != file {
		t.Errorf("%s: %v, want %s %s", what, err, want, file)
	}
}

// Threat 30: what is installed is looked at again when it starts: a program that was not written to its end, and one that somebody changed.
func TestThreat30TornAndChangedFilesAreFound(t *testing.T) {
	root, key, names := installed(t, "1.2.3")
	if m, err := release.VerifyInstalled(root, "1.2.3", key.Public()); err != nil || m.Version != "1.2.3" || len(m.Files) != len(names) {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, name := range names {
		path := filepath.Join(root, name)
		whole, err := os.ReadFile(path)
		must(t, err)
		for what, torn := range map[string][]byte{
			"half": whole[:len(whole)/2], "nothing": nil, "a block of nothing": slices.Concat(whole[:4], make([]byte, len(whole)-4)), "more": slices.Concat(whole, []byte{0}),
		} {
			must(t, os.WriteFile(path, torn, 0o600))
			_, err := release.VerifyInstalled(root, "", key.Public())
			wants(t, name+" "+what, err, release.Changed, name)
		}
		must(t, os.Remove(path))
		_, err = release.VerifyInstalled(root, "", key.Public())
		wants(t, name+" gone", err, release.Changed, name)
		must(t, os.WriteFile(path, whole, 0o600))
	}
	manifest := filepath.Join(root, release.InstalledDir, release.ManifestFile)
	whole, err := os.ReadFile(manifest)
	must(t, err)
	must(t, os.WriteFile(manifest, whole[:len(whole)/2], 0o600))
	_, err = release.VerifyInstalled(root, "", key.Public())
	wants(t, "half a manifest", err, release.Unsigned, "")
	must(t, os.Remove(manifest))
	_, err = release.VerifyInstalled(root, "", key.Public())
	wants(t, "no manifest", err, release.Unsigned, "")
}

// The signature of packages is none of what is installed, and a manifest without the program says nothing of it.
func TestManifestsOfAnotherKind(t *testing.T) {
	root, key, names := installed(t, "1.2.3")
	dir := filepath.Join(root, release.InstalledDir)
	must(t, os.WriteFile(filepath.Join(dir, "a.deb"), []byte("a"), 0o600))
	must(t, release.Sign(dir, "1.2.3", []string{"a.deb"}, key))
	_, err := release.VerifyInstalled(root, "", key.Public())
	wants(t, "a manifest of packages", err, release.Unsigned, "")
	for _, names := range [][]string{names[1:], {release.Program, "etc/hall-agent/agent.yaml"}, {release.Program, "usr/../etc/passwd"}, {release.Program, "usr"}, {release.Program, release.Program}} {
		if err := release.SignInstalled(root, "1.2.3", names, key); err == nil {
			t.Errorf("%v is signed", names)
		}
	}
}

// Threat 30: nothing older than what has run well is let in, even though its maker signed it.
func TestThreat30OlderReleasesStayOut(t *testing.T) {
	root, key, _ := installed(t, "1.2.3")
	floor := func() string {
		t.Helper()
		f, err := release.ReadFloor(root)
		must(t, err)
		return f.Version
	}
	if floor() != "" {
		t.Fatal("a floor before anything ran")
	}
	for _, step := range []struct{ ran, want string }{{"1.2.3", "1.2.3"}, {"1.2.2", "1.2.3"}, {"development", "1.2.3"}, {"1.3.0", "1.3.0"}, {"1.3", "1.3.0"}, {"1.10.0", "1.10.0"}} {
		must(t, release.Raise(root, step.ran))
		if got := floor(); got != step.want {
			t.Errorf("after %s the floor is %q", step.ran, got)
		}
	}
	_, err := release.VerifyInstalled(root, floor(), key.Public())
	wants(t, "an older one", err, release.Older, "")
	must(t, release.Floor{Version: "1.2.3", Reason: "tried"}.Keep(root))
	if _, err := release.VerifyInstalled(root, floor(), key.Public()); err != nil {
		t.Error(err)
	}
	path := filepath.Join(root, release.FloorFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v: the agent has to read it", info.Mode(), err)
	}
	must(t, os.WriteFile(path, []byte(`{"vers`), 0o600))
	if f, err := release.ReadFloor(root); err == nil || f.Version != "" {
		t.Errorf("half a floor is %+v", f)
	}
	must(t, release.Raise(root, "1.2.3"))
	if floor() != "1.2.3" {
		t.Error("a damaged floor stays")
	}
}
