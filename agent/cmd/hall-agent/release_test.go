package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/internal/ops"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/release"
)

// runRelease runs a command of the program and gives what it says, also of its error.
func runRelease(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs(append([]string{"release"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.Execute()
	if err != nil {
		out.WriteString(explain(err))
	}
	return out.String(), err
}

// The maker's key is one of openssl, as the documents say; what is signed with it is verified with its public half.
func TestAReleaseIsSignedAndVerified(t *testing.T) {
	dir := t.TempDir()
	private, public, deb := filepath.Join(dir, "release.key"), filepath.Join(dir, "release.pub"), filepath.Join(dir, "hall-agent_1.2.3_amd64.deb")
	for _, args := range [][]string{{"genpkey", "-algorithm", "SM2", "-out", private}, {"pkey", "-in", private, "-pubout", "-out", public}} {
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
	}
	write := func(text string) {
		if err := os.WriteFile(deb, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the package")
	if out, err := runRelease("verify", dir, "--key", public); err == nil || !strings.Contains(out, "没有发布方的签名") {
		t.Errorf("before it is signed: %s", out)
	}
	if out, err := runRelease("sign", "--key", private, "--number", "1.2.3", deb); err != nil {
		t.Fatal(out)
	}
	if out, err := runRelease("verify", dir, "--key", public); err != nil || !strings.Contains(out, "版本 1.2.3") {
		t.Error(out)
	}
	if out, err := runRelease("verify", "--installed", dir); err == nil || !strings.Contains(out, "--installed") {
		t.Errorf("both at once: %s", out)
	}
	write("another one")
	if out, err := runRelease("verify", dir, "--key", public); err == nil || !strings.Contains(out, filepath.Base(deb)) {
		t.Errorf("changed: %s", out)
	}
	if out, err := runRelease("verify", dir, "--key", private); err == nil || !strings.Contains(out, private) {
		t.Errorf("with a key of another kind: %s", out)
	}
	other, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(public, []byte(other.Public().String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := runRelease("verify", dir, "--key", public); err == nil || !strings.Contains(out, "没有发布方的签名") {
		t.Errorf("with another key: %s", out)
	}
}

// filled is a file system with the program and the maker's key.
type filled struct {
	t    *testing.T
	root string
	key  gm.PrivateKey
}

func newFilled(t *testing.T) filled {
	t.Helper()
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	b := filled{t, t.TempDir(), key}
	b.write(ops.ReleaseKey, key.Public().String())
	return b
}

func (b filled) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

// install puts a version there that its maker signed.
func (b filled) install(version string) {
	b.t.Helper()
	b.write(release.Program, "the program "+version)
	if err := release.SignInstalled(b.root, version, []string{release.Program}, b.key); err != nil {
		b.t.Fatal(err)
	}
}

// start asks as the service does, and says that the hall can be used when it may.
func (b filled) start() error {
	err := checkStart(b.root, io.Discard)
	if err == nil {
		_, err = runRelease("healthy", "--root", b.root)
	}
	return err
}

// refused starts what must not, and what must not be tried again.
func (b filled) refused(why string) {
	b.t.Helper()
	err := b.start()
	var how *command.Error
	if err == nil || !errors.As(err, &how) || how.Code != command.Usage || !strings.Contains(explain(err), why) {
		b.t.Errorf("it starts, or says %v instead of %q", err, why)
	}
}

func (b filled) starts() {
	b.t.Helper()
	if err := b.start(); err != nil {
		b.t.Error(explain(err))
	}
}

// Threat 30: a program that somebody changed, that was not written to its end, or that is older than what ran well does not start.
func TestThreat30OnlyWhatTheMakerSignedStarts(t *testing.T) {
	b := newFilled(t)
	b.refused("没有发布清单")
	b.install("1.2.3")
	b.starts()
	b.write(release.Program, "the prog")
	b.refused("没有写完")
	b.install("1.3.0")
	b.starts()
	b.install("1.2.3")
	b.refused("运行过的是 1.3.0")
	if out, err := runRelease("verify", "--installed", "--root", b.root); err == nil || !strings.Contains(out, "--allow-older") {
		t.Error(out)
	}

	silent := verification{cmd: releaseVerifyCommand(), root: b.root, older: "试用", log: func(string) error { return errors.New("no journal") }}
	if err := silent.installed(); err == nil || !strings.Contains(explain(err), "没有放行") {
		t.Errorf("without a log: %v", err)
	}
	b.refused("运行过的是 1.3.0")
	var logged string
	allowed := verification{cmd: releaseVerifyCommand(), root: b.root, older: "读卡器\n不认", log: func(line string) error { logged = line; return nil }}
	allowed.cmd.SetOut(io.Discard)
	if err := allowed.installed(); err != nil || logged != `older release allowed: version=1.2.3 floor=1.3.0 reason="读卡器\n不认"` {
		t.Errorf("%q, %v", logged, err)
	}
	b.starts()

	if err := os.Remove(filepath.Join(b.root, ops.ReleaseKey)); err != nil {
		t.Fatal(err)
	}
	b.write(release.Program, "mine")
	b.starts() // nobody asked for anything else
	if out, err := runRelease("verify", "--installed", "--root", b.root); err != nil || !strings.Contains(out, "没有核对") {
		t.Error(out)
	}
}

// Threat 30: nor is an older one installed, unless root says why.
func TestThreat30OlderPackagesAreNotInstalled(t *testing.T) {
	b := newFilled(t)
	public, deb := filepath.Join(b.root, ops.ReleaseKey), "hall-agent_1.2.3_amd64.deb"
	b.write("usb/"+deb, "the package")
	dir := filepath.Join(b.root, "usb")
	if err := release.Sign(dir, "1.2.3", []string{deb}, b.key); err != nil {
		t.Fatal(err)
	}
	ask := func(reason string) (string, error) {
		logged := ""
		v := verification{cmd: releaseVerifyCommand(), root: b.root, older: reason, log: func(line string) error { logged = line; return nil }}
		v.cmd.SetOut(io.Discard)
		return logged, v.packages(dir, public)
	}
	if logged, err := ask(""); err != nil || logged != "" {
		t.Error(err)
	}
	if err := (release.Floor{Version: "1.3.0"}).Keep(b.root); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(""); err == nil || !strings.Contains(explain(err), "运行过的是 1.3.0") {
		t.Errorf("an older one: %v", err)
	}
	if logged, err := ask("试用"); err != nil || !strings.Contains(logged, "试用") {
		t.Errorf("%q, %v", logged, err)
	}
	if f, err := release.ReadFloor(b.root); err != nil || f != (release.Floor{Version: "1.2.3", Reason: "试用"}) {
		t.Errorf("%+v, %v", f, err)
	}
	b.write("usb/"+deb, "another package")
	if _, err := ask("试用"); err == nil {
		t.Error("a changed package is let in with a reason")
	}
}
