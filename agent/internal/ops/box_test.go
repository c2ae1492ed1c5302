package ops_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/internal/ops"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/release"
	"halledge/firmware-protocols/hallsync"
)

// found gives the check of a name.
func found(t *testing.T, r ops.Report, name string) ops.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Errorf("nothing is said of %s: %+v", name, r)
	return ops.Check{}
}

// broker is where the centre says that its halls report to.
const broker = "tls://centre.example:8883"

// enrolled puts the identity of a box into a data directory that got its certificates some time ago, for a life.
func enrolled(t *testing.T, data string, ago, life time.Duration) {
	t.Helper()
	clock := identitytest.NewClock()
	clock.Set(time.Now().Add(-ago))
	centre := identitytest.NewCentre(t, clock)
	centre.Life = life
	centre.Spoil = func(e *hallsync.Enrolled) { e.Addresses = &hallsync.CentreAddresses{MQTT: broker} }
	_, dir := identitytest.Box(t, centre, identity.Options{})
	if err := os.Rename(dir, filepath.Join(data, identity.Directory)); err != nil {
		t.Fatal(err)
	}
}

func TestTheDoctorSaysHowTheBoxStandsWithTheCentre(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name      string
		ago, life time.Duration // zero life: not enrolled
		check     string
		want      ops.Verdict
	}{
		{"not enrolled", 0, 0, "没有接入中心", ops.Info}, {"enrolled", day, 365 * day, "接入中心", ops.Good},
		{"ending", 360 * day, 365 * day, "设备证书快到期", ops.Warn}, {"ended", 366 * day, 365 * day, "设备证书到期", ops.Bad},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, data := site(t)
			if c.life > 0 {
				enrolled(t, data, c.ago, c.life)
			}
			got := found(t, ops.Examine(context.Background(), path, t.TempDir(), texts(t)), c.check)
			if got.Verdict != c.want || c.want != ops.Good && got.Advice == "" {
				t.Errorf("%+v", got)
			}
			until := time.Now().Add(c.life - c.ago).Format(time.DateOnly)
			if c.life > 0 && !strings.Contains(got.Detail, until) {
				t.Errorf("%q does not say %s", got.Detail, until)
			}
			// What the agent says of the same is not told twice; what only it knows is.
			agent(t, data, "", `{"code":"not_enrolled","severity":"info","title":"没有接入中心（代理）"},{"code":"renewal_waiting","severity":"warning","title":"等中心批准更换证书"}`)
			r := ops.Examine(context.Background(), path, t.TempDir(), texts(t))
			if _, twice := verdicts(r)["没有接入中心（代理）"]; twice {
				t.Errorf("told twice: %+v", r)
			}
			if got := found(t, r, "等中心批准更换证书"); got.Verdict != ops.Warn {
				t.Errorf("%+v", got)
			}
			if c.want != ops.Bad && !strings.Contains(r.Summary, "标 !") {
				t.Errorf("a warning stands above %q", r.Summary)
			}
			// The broker is the one that the centre named; without certificates nothing is reported to any.
			if _, reports := verdicts(r)["上报中心"]; reports != (c.life > 0) || reports && !strings.Contains(found(t, r, "上报中心").Detail, broker) {
				t.Errorf("reports: %t: %+v", reports, r.Checks)
			}
		})
	}
}

// The agent does not start with keys that others could read: who looks for the reason finds the file.
func TestTheDoctorNamesTheFileThatKeepsTheAgentFromStarting(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(dir string) error
		check string
	}{
		"directory that others read": {func(dir string) error { return os.Chmod(dir, 0o755) }, "身份目录不安全"},
		"key that others read":       {func(dir string) error { return os.Chmod(filepath.Join(dir, "sign.key"), 0o640) }, "身份目录不安全"},
		"certificates cut off":       {func(dir string) error { return os.Truncate(filepath.Join(dir, "enrolled.json"), 100) }, "身份文件损坏"},
	} {
		t.Run(name, func(t *testing.T) {
			path, data := site(t)
			enrolled(t, data, 0, 365*24*time.Hour)
			dir := filepath.Join(data, identity.Directory)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			r := ops.Examine(context.Background(), path, t.TempDir(), texts(t))
			if got := found(t, r, c.check); r.OK || got.Verdict != ops.Bad || !strings.Contains(got.Detail, dir) || got.Advice == "" {
				t.Errorf("%+v", r)
			}
		})
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Threat 30: the doctor says whether the program is the maker's, and plainly when nobody can know.
func TestThreat30TheDoctorLooksAtTheProgram(t *testing.T) {
	path, _ := site(t)
	root := t.TempDir()
	look := func(name string, want ops.Verdict, says string) {
		t.Helper()
		got := found(t, ops.Examine(context.Background(), path, root, texts(t)), name)
		if got.Verdict != want || !strings.Contains(got.Detail, says) {
			t.Errorf("%+v, want %s about %s", got, want, says)
		}
	}
	look("程序没有核对", ops.Info, ops.ReleaseKey)
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, release.Program, "the program")
	write(t, root, ops.ReleaseKey, key.Public().String())
	look("程序没有发布方的签名", ops.Bad, "不启动")
	if err := release.SignInstalled(root, "1.2.3", []string{release.Program}, key); err != nil {
		t.Fatal(err)
	}
	look("程序", ops.Good, "1.2.3")
	write(t, root, release.Program, "the pro")
	look("程序和签名的不一样", ops.Bad, release.Program)
	write(t, root, release.Program, "the program")
	write(t, root, release.FloorFile, "{")
	look("最低版本读不出来", ops.Warn, release.FloorFile)
	write(t, root, release.FloorFile, `{"version":"1.2.4"}`)
	look("程序太旧", ops.Bad, "1.2.4")
	if err := os.Chmod(filepath.Join(root, ops.ReleaseKey), 0o666); err != nil {
		t.Fatal(err)
	}
	look("发布方的公钥不安全", ops.Bad, ops.ReleaseKey)
	write(t, root, ops.ReleaseKey, "no key")
	if err := os.Chmod(filepath.Join(root, ops.ReleaseKey), 0o644); err != nil {
		t.Fatal(err)
	}
	look("密钥文件不对", ops.Bad, ops.ReleaseKey)
}
