package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deb builds the package of a version, signed with a key if that is named, and unpacks it.
func deb(t *testing.T, version, key string) (tree string) {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command(root+"/packaging/scripts/deb.sh", dir)
	build.Env = append(os.Environ(), "VERSION="+version, "ARCH=amd64", "RELEASE_KEY="+key)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(made) != 1 {
		t.Fatal(made, err)
	}
	tree = filepath.Join(dir, "tree")
	if out, err := exec.Command("dpkg-deb", "-x", made[0], tree).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return tree
}

// verify asks the program of a tree about that tree.
func verify(tree string) (string, error) {
	out, err := exec.Command(filepath.Join(tree, "usr/bin/hall-agent"), "release", "verify", "--installed", "--root", tree).CombinedOutput()
	return string(out), err
}

// Threat 30: the package carries what its maker signed of it: all that runs or gives rights, and once it is there, each of these files is missed.
func TestThreat30ThePackageKnowsItsOwnFiles(t *testing.T) {
	dir := t.TempDir()
	private, public := filepath.Join(dir, "release.key"), filepath.Join(dir, "release.pub")
	for _, args := range [][]string{{"genpkey", "-algorithm", "SM2", "-out", private}, {"pkey", "-in", private, "-pubout", "-out", public}} {
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
	}
	tree := deb(t, "1.2.3", private)
	if out, err := verify(tree); err != nil || !strings.Contains(out, "没有核对") {
		t.Errorf("without the key: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(tree, "etc/hall-agent/release.pub"), []byte(read(t, public)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(tree); err != nil || !strings.Contains(out, "1.2.3") {
		t.Fatalf("as it was made: %v\n%s", err, out)
	}
	var named []string
	for _, m := range regexp.MustCompile(`"name": "([^"]+)"`).FindAllStringSubmatch(read(t, filepath.Join(tree, "usr/share/hall-agent/release/release.json")), -1) {
		named = append(named, m[1])
	}
	for _, file := range []string{"usr/bin/hall-agent", "usr/lib/systemd/system/hall-agent.service", "usr/lib/sysusers.d/hall-agent.conf", "usr/lib/udev/rules.d/70-hall-agent.rules", "usr/share/hall-agent/trust/hall-trust"} {
		if !slices.Contains(named, file) {
			t.Errorf("%s is not signed: %v", file, named)
		}
	}
	for _, file := range named {
		if file == "usr/bin/hall-agent" { // which is asked
			continue
		}
		path := filepath.Join(tree, file)
		whole := read(t, path)
		if err := os.Truncate(path, int64(len(whole)/2)); err != nil {
			t.Fatal(err)
		}
		if out, err := verify(tree); err == nil || !strings.Contains(out, path) {
			t.Errorf("half of %s is written: %v\n%s", file, err, out)
		}
		if err := os.WriteFile(path, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(tree, "usr/bin/hall-agent")
	f, err := os.OpenFile(program, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(tree); err == nil || !strings.Contains(out, program) {
		t.Errorf("a program with a byte more: %v\n%s", err, out)
	}
}

// Threat 30: the service looks at the files before anything else, and root remembers what ran well.
func TestThreat30TheServiceAsksBeforeItStarts(t *testing.T) {
	lines := strings.Split(read(t, unit), "\n")
	for _, want := range []string{
		"ExecStart=/usr/bin/hall-agent run --installed --config /etc/hall-agent/agent.yaml", "ExecStartPost=-+/usr/bin/hall-agent release healthy", "RestartPreventExitStatus=2",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
	after := read(t, root+"/packaging/scripts/postinstall.sh")
	check, restart := strings.Index(after, "hall-agent release verify --installed"), strings.Index(after, "systemctl restart hall-agent.service")
	if check < 0 || restart < check {
		t.Error("a package restarts the service before it has looked at the files")
	}
	if !strings.Contains(after, "\ninstall -d -o hall-agent -g hall-agent -m 0700 /var/lib/hall-agent ") {
		t.Error("who enrols a box before its first start finds no place for its keys")
	}
}
