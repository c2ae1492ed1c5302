package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"halledge/agent/kit/whole"
)

// How long what the hall issues is good. Browsers refuse certificates of more than 398 days.
const (
	rootYears = 10
	leafLife  = 397 * 24 * time.Hour
	slack     = 24 * time.Hour // that the clocks of the hall's machines may be behind
	maxNames  = 64
)

// earliest is the least that the time can be. A box whose clock has lost its battery must make no root that is over when the time comes.
func earliest() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// authority is the hall's own root with its key.
type authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

const (
	rootFile = "root.crt"
	keyFile  = "root.key"
	maxFile  = 16 << 10
)

// openAuthority gives the hall's own root, and makes it where there is none or its time is over. One that is damaged is put aside, under the
// names that it gives: without pages no hall works, and telling its machines to trust another root is an hour's work.
func openAuthority(o Options, now time.Time) (a *authority, aside []string, err error) {
	a, err = loadAuthority(o.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case is(err, CodeDamaged) && !is(err, CodeUnsafe):
		o.Log.Error("root of the pages damaged, put aside", "error", err)
		if aside, err = putAside(o.Dir, now); err != nil {
			return nil, nil, err
		}
	case err != nil || now.Before(a.root.NotAfter):
		return a, nil, err
	}
	a, err = makeAuthority(o, later(now, earliest()))
	return a, aside, err
}

const (
	asideMark = ".aside-"
	asideTime = "20060102T150405.000"
)

// putAside renames both files of a root, of which one may be missing: somebody may want to look at them.
func putAside(dir string, now time.Time) (aside []string, err error) {
	for _, name := range []string{rootFile, keyFile} {
		from := filepath.Join(dir, name)
		to := from + asideMark + now.UTC().Format(asideTime)
		switch err := os.Rename(from, to); {
		case err == nil:
			aside = append(aside, to)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, &Fault{CodeDamaged, from, err}
		}
	}
	return aside, whole.Sync(dir)
}

// loadAuthority fails with fs.ErrNotExist where there is no root, and with *Fault where it cannot be used.
func loadAuthority(dir string) (*authority, error) {
	if info, err := os.Lstat(dir); err == nil {
		if err := private(dir, info, 0o700); err != nil {
			return nil, err
		}
	}
	rootPath, keyPath := filepath.Join(dir, rootFile), filepath.Join(dir, keyFile)
	rootText, rootErr := readPEM(rootPath, "CERTIFICATE")
	keyText, keyErr := readPEM(keyPath, "PRIVATE KEY")
	switch noRoot, noKey := errors.Is(rootErr, fs.ErrNotExist), errors.Is(keyErr, fs.ErrNotExist); {
	case noRoot: // the root is written last: a key alone has issued nothing
		return nil, rootErr
	case noKey:
		return nil, errors.Join(rootErr, &Fault{CodeDamaged, keyPath, nil})
	case rootErr != nil || keyErr != nil:
		return nil, errors.Join(keyErr, rootErr)
	}
	root, err := x509.ParseCertificate(rootText)
	if err != nil {
		return nil, &Fault{CodeDamaged, rootPath, err}
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyText)
	if err != nil {
		return nil, &Fault{CodeDamaged, keyPath, err}
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(root.PublicKey) || !root.IsCA {
		return nil, &Fault{CodeDamaged, keyPath, errors.New("not the key of the root")}
	}
	return &authority{root, key}, nil
}

// readPEM gives the one block of a file that nobody else may read.
func readPEM(path, kind string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := private(path, info, 0o600); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, &Fault{CodeDamaged, path, nil}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != kind || len(rest) > 0 {
		return nil, &Fault{CodeDamaged, path, nil}
	}
	return block.Bytes, nil
}

// private checks that something belongs to this account, or to root, and is open to nobody else. Root may look at it: it reads everything.
func private(path string, info fs.FileInfo, most fs.FileMode) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); info.Mode().Perm()&^most != 0 || info.Mode()&fs.ModeSymlink != 0 || ok && me != 0 && int(owner.Uid) != me && owner.Uid != 0 {
		return &Fault{CodeUnsafe, path, nil}
	}
	return nil
}

func makeAuthority(o Options, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	everywhere := []*net.IPNet{
		{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
	}
	names, _ := sort(tidy(o.Names()))
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Hall " + o.Hall + " Pages Root", Organization: []string{o.Name}},
		NotBefore: now.Add(-slack), NotAfter: now.AddDate(rootYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		// Whoever steals the key can be no other name to the hall's machines. Old programs that do not know the rule pass over it.
		PermittedDNSDomains: append(names, homes()...), PermittedIPRanges: everywhere,
	}
	root, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	keyText, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := whole.Write(filepath.Join(o.Dir, keyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyText})); err != nil {
		return nil, err
	}
	if err := whole.Write(filepath.Join(o.Dir, rootFile), Root{root}.PEM()); err != nil {
		return nil, err
	}
	o.Log.Warn("made a root for the hall's pages, which the hall's machines must be told to trust", "sha256", Root{root}.SHA256())
	return &authority{root, key}, nil
}

// homes are the domains that exist in networks of their own only, so that a name there can be given to the box later.
func homes() []string { return []string{"localhost", "local", "lan", "internal", "home.arpa"} }

// issue gives a certificate for names, and the names that the root is not for.
func (a *authority) issue(hall string, names []string, now time.Time) (c tls.Certificate, left []string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, nil, err
	}
	now = later(now, a.root.NotBefore.Add(slack))
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Hall " + hall + " Pages"},
		NotBefore: now.Add(-slack), NotAfter: earlier(now.Add(leafLife-slack), a.root.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	dns, addresses := sort(names)
	for _, name := range dns {
		if !a.permits(name) {
			left = append(left, name)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	template.IPAddresses = addresses
	leaf, err := sign(template, a.root, key, a.key)
	if err != nil {
		return c, left, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, a.root.Raw}, PrivateKey: key, Leaf: leaf}, left, nil
}

func (a *authority) permits(name string) bool {
	for _, domain := range a.root.PermittedDNSDomains {
		if name == domain || strings.HasSuffix(name, "."+domain) {
			return true
		}
	}
	return len(a.root.PermittedDNSDomains) == 0
}

// sort tells DNS names from addresses, and keeps no more than a certificate should have.
func sort(names []string) (dns []string, addresses []net.IP) {
	for _, n := range names[:min(len(names), maxNames)] {
		if ip, err := netip.ParseAddr(n); err == nil {
			addresses = append(addresses, ip.Unmap().AsSlice())
		} else if strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" {
			dns = append(dns, n) // what a machine is called otherwise, no address can say
		}
	}
	return dns, addresses
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
