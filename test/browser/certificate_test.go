package browser_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"halledge/test/browser/chrome"
	"halledge/test/demo"
)

// An administrator is given a certificate as a file, imports it as he is told to, and from then on signs in with it and his password: with
// the password alone, from another machine, nobody does. The audit says what he has shown.
func TestAdministratorsShowCertificates(t *testing.T) {
	t.Parallel()
	c := startCentreAt(t, `{listen: "127.0.0.1:0", tls: {listen: "127.0.0.1:0"}}`, nil, "edge: {hosts: [127.0.0.1]}\n")
	root := filepath.Join(filepath.Dir(c.config), "pki", "tls.crt")
	other := chrome.StartAtHome(t, keyring(t, root)).Open(t, 1440, 900, c.secure+"/audit")
	other.Allow("401 (Unauthorized)")
	signInAs(other, "admin", firstPassword)
	other.Sees("管理员要先绑定动态口令")

	file := filepath.Join(t.TempDir(), "admin.p12")
	said, err := exec.CommandContext(t.Context(), filepath.Join(demo.Programs(t), "hall-cloud"), "user", "certificate", "admin", "--out", file, "--config", c.config).CombinedOutput()
	password := regexp.MustCompile(`[A-Z2-7]{5}(-[A-Z2-7]{5}){3}`).Find(said)
	if err != nil || password == nil {
		t.Fatalf("%v: %s", err, said)
	}
	other.Go(c.secure + "/audit")
	other.Sees("请使用运行中心分配的账号") // what he had open has ended
	signInAs(other, "admin", firstPassword)
	other.Sees("需要发给您的个人证书")
	c.shot(t, other, "console-sign-in-certificate")

	home := keyring(t, root)
	tool(t, "pk12util", "-i", file, "-d", "sql:"+filepath.Join(home, ".pki", "nssdb"), "-W", string(password))
	own := chrome.StartShowing(t, home, c.secure).Open(t, 1440, 900, c.secure+"/audit")
	own.Allow("401 (Unauthorized)")
	signInAs(own, "admin", firstPassword)
	own.Sees("审计记录", "制发个人证书", "没有出示有效的证书", "个人证书")
	own.Go(c.secure + "/users")
	own.Sees("系统管理员")
	own.Go(c.secure + "/audit")
	own.Sees("审计记录")
	c.shot(t, own, "console-audit-certificate")

	c.command(t, "", "user", "certificate", "admin", "--revoke")
	own.Go(c.secure + "/users")
	own.Sees("请使用运行中心分配的账号")
}

// keyring gives the home of somebody whose browser trusts a root.
func keyring(t *testing.T, root string) (home string) {
	t.Helper()
	home = t.TempDir()
	db := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	tool(t, "certutil", "-N", "--empty-password", "-d", "sql:"+db)
	tool(t, "certutil", "-A", "-n", "centre", "-t", "C,,", "-i", root, "-d", "sql:"+db)
	return home
}

func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v (apt-get install -y --no-install-recommends libnss3-tools)\n%s", name, err, out)
	}
}
