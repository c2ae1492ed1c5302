// Package packaging gives tests of what is installed: the service's sandbox is measured, scripts parse, and everything the
// package lists is there.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const (
	root = "../.."
	unit = root + "/packaging/systemd/hall-agent.service"
)

// maxExposure is systemd's own measure, in tenths: 3.0 of 10. Most services score above 9.
const maxExposure = "30"

func TestTheSandboxIsTight(t *testing.T) { tight(t, unit) }

// The centre's keys open what all halls have written.
func TestTheSandboxOfTheCentreIsTight(t *testing.T) {
	tight(t, root+"/packaging/systemd/hall-cloud.service")
}

func tight(t *testing.T, unit string) {
	t.Helper()
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+maxExposure, unit).CombinedOutput()
	text := string(out)
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, text)
	}
	for _, bad := range []string{"Unknown", "ignoring", "Failed to parse", "Invalid"} {
		if strings.Contains(text, bad) {
			t.Errorf("systemd does not understand the unit:\n%s", text)
		}
	}
	overall := regexp.MustCompile(`Overall exposure level.*`).FindString(text)
	if overall == "" {
		t.Error("no overall level in the answer")
	}
	t.Log(overall)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Only the classes of devices halls have: an answer to "may it open the disk?" must stay no.
func TestDevicesAreNamed(t *testing.T) {
	want := []string{"char-alsa", "char-hidraw", "char-input", "char-lp", "char-ttyACM", "char-ttyAMA", "char-ttyS",
		"char-ttyUSB", "char-usb", "char-usb_device", "char-video4linux"}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^DeviceAllow=(\S+) rw$`).FindAllStringSubmatch(read(t, unit), -1) {
		got = append(got, m[1])
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.Contains(read(t, unit), "DevicePolicy=closed") {
		t.Error("without DevicePolicy=closed the list means nothing")
	}
}

// The groups of the unit must be made by sysusers, or the service does not start on a distribution without them.
func TestGroupsExist(t *testing.T) {
	groups := regexp.MustCompile(`(?m)^SupplementaryGroups=(.*)$`).FindStringSubmatch(read(t, unit))
	if groups == nil {
		t.Fatal("no groups")
	}
	made := read(t, root+"/packaging/systemd/hall-agent.sysusers")
	for _, g := range strings.Fields(groups[1]) {
		if !strings.Contains(made, "\ng "+g+" ") {
			t.Errorf("sysusers does not make the group %s", g)
		}
	}
	for _, m := range regexp.MustCompile(`GROUP="(\w+)"`).FindAllStringSubmatch(read(t, root+"/packaging/udev/70-hall-agent.rules"), -1) {
		if !slices.Contains(strings.Fields(groups[1]), m[1]) {
			t.Errorf("udev gives a device to the group %s, which the service is not in", m[1])
		}
	}
}

func TestUdevRulesAreWhole(t *testing.T) {
	rule := regexp.MustCompile(`^[A-Z]+(\{\w+\})?(==|!=|\+=|=)"[^"]*"(, [A-Z]+(\{\w+\})?(==|!=|\+=|=)"[^"]*")*$`)
	for i, line := range strings.Split(read(t, root+"/packaging/udev/70-hall-agent.rules"), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") && !rule.MatchString(line) {
			t.Errorf("line %d is no rule: %s", i+1, line)
		}
		if strings.Contains(line, "0666") {
			t.Errorf("line %d opens a device to everybody", i+1)
		}
	}
}

func TestThePackagesListWhatIsThere(t *testing.T) {
	lists(t, root+"/packaging/nfpm.yaml", 4)
	lists(t, root+"/packaging/kiosk/nfpm.yaml", 2)
}

func lists(t *testing.T, path string, scripts int) {
	t.Helper()
	var list struct {
		Contents []struct{ Src, Dst string }
		Scripts  map[string]string
	}
	if err := yaml.Unmarshal([]byte(read(t, path)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Contents) < 5 || len(list.Scripts) != scripts {
		t.Fatalf("%d files, %d scripts", len(list.Contents), len(list.Scripts))
	}
	for _, c := range list.Contents {
		if c.Src == "" || strings.HasPrefix(c.Src, "${BUILT}/") { // a folder, or what is built first
			continue
		}
		if _, err := os.Stat(filepath.Join(root, c.Src)); err != nil {
			t.Error(err)
		}
	}
	for _, s := range list.Scripts {
		if _, err := os.Stat(filepath.Join(root, s)); err != nil {
			t.Error(err)
		}
	}
}

func TestScriptsParse(t *testing.T) {
	scripts, err := filepath.Glob(root + "/packaging/scripts/*.sh")
	if err != nil || len(scripts) < 6 {
		t.Fatal(scripts, err)
	}
	kiosks, err := filepath.Glob(root + "/packaging/kiosk/*.sh")
	if err != nil || len(kiosks) != 2 {
		t.Fatal(kiosks, err)
	}
	for _, s := range slices.Concat(scripts, kiosks, []string{root + "/packaging/kiosk/hall-kiosk", root + "/.ci/run"}) {
		shell := "sh"
		if strings.HasPrefix(read(t, s), "#!/usr/bin/env bash") {
			shell = "bash"
		}
		if out, err := exec.Command(shell, "-n", s).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", s, err, out)
		}
		if info, err := os.Stat(s); err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("%s cannot be run: %v", s, err)
		}
	}
}
