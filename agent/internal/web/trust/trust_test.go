package trust_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/web/trust"
)

// box is what a keeper is made from, and what may change below it.
type box struct {
	t     *testing.T
	dir   string
	names []string
	now   time.Time
	log   bytes.Buffer
}

func newBox(t *testing.T, names ...string) *box {
	t.Helper()
	return &box{t: t, dir: filepath.Join(t.TempDir(), "web"), names: names, now: time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)}
}

func (b *box) options() trust.Options {
	return trust.Options{
		Dir: b.dir, Hall: "440900000000001", Name: "示例市政务服务大厅", Names: func() []string { return b.names },
		Now: func() time.Time { return b.now }, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	}
}

func (b *box) open() *trust.Keeper {
	b.t.Helper()
	k, err := trust.Open(b.options())
	if err != nil {
		b.t.Fatal(err)
	}
	return k
}

func (b *box) renew(k *trust.Keeper) {
	b.t.Helper()
	if err := k.Renew(); err != nil {
		b.t.Fatal(err)
	}
}

// leaf is what a client that comes now is shown; it must be good for a name at a time by the keeper's root alone.
func (b *box) leaf(k *trust.Keeper, name string) *x509.Certificate {
	b.t.Helper()
	c, err := k.Config().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: k.Root().Pool(), CurrentTime: b.now}); err != nil {
		b.t.Errorf("%s at %s: %v", name, b.now, err)
	}
	return c.Leaf
}

func TestTheOwnRootStaysAndItsCertificatesAreShort(t *testing.T) {
	b := newBox(t, "hall.example.cn", "192.0.2.10", "2001:db8::1", "Box-1.", "no_name", "box-1")
	first := b.open()
	for _, name := range []string{"hall.example.cn", "192.0.2.10", "2001:db8::1", "box-1"} {
		if leaf := b.leaf(first, name); leaf.NotAfter.Sub(leaf.NotBefore) > 397*24*time.Hour {
			t.Errorf("good for %s", leaf.NotAfter.Sub(leaf.NotBefore))
		}
	}
	if want := []string{"box-1", "hall.example.cn", "192.0.2.10", "2001:db8::1"}; !slices.Equal(first.Names(), want) {
		t.Errorf("%q", first.Names())
	}
	root := first.Root().Certificate
	if !root.IsCA || !root.MaxPathLenZero || root.NotAfter.Year() != 2037 {
		t.Errorf("%+v", root)
	}
	again := b.open()
	if !again.Root().Certificate.Equal(root) {
		t.Error("another root after a restart")
	}
	if r := again.Root(); r.SHA256() != first.Root().SHA256() || len(r.SHA256()) != 32*3-1 || len(r.SHA1()) != 20*3-1 {
		t.Errorf("%s %s", r.SHA256(), r.SHA1())
	}
}

// Whoever steals the root's key can be no bank to the hall's machines.
func TestTheRootIsForTheHallsNamesAlone(t *testing.T) {
	b := newBox(t, "hall.example.cn", "192.0.2.10")
	k := b.open()
	b.leaf(k, "hall.example.cn")
	b.names = append(b.names, "bank.example.com", "kiosk.lan")
	b.renew(k)
	b.leaf(k, "kiosk.lan")
	if slices.Contains(k.Names(), "bank.example.com") || !strings.Contains(b.log.String(), "bank.example.com") {
		t.Errorf("%q\n%s", k.Names(), &b.log)
	}
}

func TestTheCertificateFollowsTheBox(t *testing.T) {
	b := newBox(t, "hall.example.cn", "192.0.2.10")
	k := b.open()
	first := b.leaf(k, "192.0.2.10")
	b.renew(k)
	if !b.leaf(k, "192.0.2.10").Equal(first) {
		t.Error("a new one without need")
	}
	b.names[1] = "192.0.2.99"
	b.renew(k)
	moved := b.leaf(k, "192.0.2.99")
	if moved.Equal(first) || moved.VerifyHostname("192.0.2.10") == nil {
		t.Error("the address before is still there")
	}
	b.now = moved.NotAfter.Add(-100 * 24 * time.Hour)
	b.renew(k)
	if old := b.leaf(k, "192.0.2.99"); old.Equal(moved) {
		t.Error("it is not renewed in time")
	}
	b.now = b.now.AddDate(20, 0, 0) // nobody trusts that root any more
	b.renew(k)
	b.leaf(k, "192.0.2.99")
	if _, root := k.Ends(); !root.After(b.now) {
		t.Errorf("the root is good until %s", root)
	}
}

// A box whose clock has lost its battery starts all the same, and what it made then is good when the time comes.
func TestAClockWithoutABattery(t *testing.T) {
	b := newBox(t, "hall.example.cn")
	b.now = time.Date(1970, 1, 1, 0, 0, 3, 0, time.UTC)
	k := b.open()
	b.now = time.Date(2030, 5, 1, 0, 0, 0, 0, time.UTC)
	b.renew(k)
	b.leaf(k, "hall.example.cn")
}

func TestTheCentresCertificateComesFirst(t *testing.T) {
	other := newBox(t, "hall.example.cn")
	from := other.open()
	issued, err := from.Config().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, enrolled := newBox(t, "hall.example.cn"), false
	o := b.options()
	stranger := newBox(t, "x").open().Root().DER()
	o.Centre = func() (tls.Certificate, [][]byte, bool) {
		return tls.Certificate{Certificate: issued.Certificate, PrivateKey: issued.PrivateKey}, [][]byte{stranger, []byte("no root"), from.Root().DER()}, enrolled
	}
	others := 0
	o.Other = func() { others++ }
	k, err := trust.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	own := k.Root().SHA256()
	for _, enrolled = range []bool{true, false} {
		b.renew(k)
		b.leaf(k, "hall.example.cn")
		if (k.Root().SHA256() == own) == enrolled {
			t.Errorf("enrolled: %v, and the root is the hall's own: %v", enrolled, !enrolled)
		}
	}
	enrolled = true
	b.now = issued.Leaf.NotAfter.Add(time.Hour) // it has not been renewed: rather the own one than one that is over
	b.renew(k)
	b.leaf(k, "hall.example.cn")
	if k.Root().SHA256() != own {
		t.Error("a certificate that is over is shown")
	}
	if !strings.Contains(b.log.String(), "another root") || others != 2 {
		t.Errorf("nobody was told, or %d times:\n%s", others, &b.log)
	}
}

// another puts the key of another root in the place of a root's.
func (b *box) another(dir string) error {
	other := newBox(b.t, "x")
	other.open()
	return os.Rename(filepath.Join(other.dir, "root.key"), filepath.Join(dir, "root.key"))
}

func TestFilesThatCannotBeTrusted(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"open key":       func(d string) error { return os.Chmod(filepath.Join(d, "root.key"), 0o640) },
		"open directory": func(d string) error { return os.Chmod(d, 0o755) },
		"a link": func(d string) error {
			key := filepath.Join(d, "root.key")
			return errors.Join(os.Rename(key, key+".moved"), os.Symlink(key+".moved", key))
		},
		"damaged and open": func(d string) error {
			return errors.Join(os.Truncate(filepath.Join(d, "root.crt"), 0), os.Chmod(filepath.Join(d, "root.key"), 0o640))
		},
		"open and alone": func(d string) error {
			return errors.Join(os.Chmod(filepath.Join(d, "root.crt"), 0o640), os.Remove(filepath.Join(d, "root.key")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, "hall.example.cn")
			b.open()
			if err := spoil(b.dir); err != nil {
				t.Fatal(err)
			}
			_, err := trust.Open(b.options())
			var fault *trust.Fault
			if !errors.As(err, &fault) || fault.Code != trust.CodeUnsafe || fault.Path == "" {
				t.Errorf("%v", err)
			}
		})
	}
}

// A root that is damaged keeps no hall from starting: it is put aside, another one takes its place, and somebody is told.
func TestADamagedRootIsPutAside(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(b *box) error
		aside int
	}{
		"no key":         {func(b *box) error { return os.Remove(filepath.Join(b.dir, "root.key")) }, 1},
		"half a key":     {func(b *box) error { return os.Truncate(filepath.Join(b.dir, "root.key"), 60) }, 2},
		"no certificate": {func(b *box) error { return os.Truncate(filepath.Join(b.dir, "root.crt"), 0) }, 2},
		"neither": {func(b *box) error {
			return errors.Join(os.Truncate(filepath.Join(b.dir, "root.crt"), 0), os.Remove(filepath.Join(b.dir, "root.key")))
		}, 1},
		"another's key":       {func(b *box) error { return b.another(b.dir) }, 2},
		"only its key so far": {func(b *box) error { return os.Remove(filepath.Join(b.dir, "root.crt")) }, 0}, // the power went at the first start
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, "hall.example.cn")
			first := b.open().Root().SHA256()
			if err := c.spoil(b); err != nil {
				t.Fatal(err)
			}
			k := b.open()
			b.leaf(k, "hall.example.cn")
			aside := k.Aside()
			if len(aside) != c.aside || k.Root().SHA256() == first {
				t.Errorf("aside %q, root %s after %s", aside, k.Root().SHA256(), first)
			}
			for _, file := range aside {
				if _, err := os.Stat(file); err != nil {
					t.Error(err)
				}
			}
			if again := b.open(); again.Root().SHA256() != k.Root().SHA256() || len(again.Aside()) > 0 {
				t.Errorf("the new root does not stay: %q", again.Aside())
			}
		})
	}
}

func TestTheFilesAreNobodyElses(t *testing.T) {
	b := newBox(t, "hall.example.cn")
	b.open()
	for path, want := range map[string]fs.FileMode{b.dir: 0o700, filepath.Join(b.dir, "root.key"): 0o600, filepath.Join(b.dir, "root.crt"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

func TestTheNamesOfABox(t *testing.T) {
	one := trust.Names(config.Web{Listen: "192.0.2.7:8443", Hosts: []string{"hall.example.cn"}, Public: "https://citizen.example.cn:8443"})
	for _, name := range []string{"192.0.2.7", "127.0.0.1", "localhost", "hall.example.cn", "citizen.example.cn"} {
		if !slices.Contains(one, name) {
			t.Errorf("no %s in %q", name, one)
		}
	}
	for _, listen := range []string{":8443", "0.0.0.0:8443", "[::]:8443"} {
		if all := trust.Names(config.Web{Listen: listen}); slices.Contains(all, "0.0.0.0") || slices.Contains(all, "::") || !slices.Contains(all, "::1") {
			t.Errorf("%s: %q", listen, all)
		}
	}
}
