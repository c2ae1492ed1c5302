package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// authority is a CA elsewhere: it signs what lies in a directory, as it pleases.
type authority struct {
	t      *testing.T
	dir    string
	tls    *x509.Certificate
	tlsKey *ecdsa.PrivateKey
	sm2    *cert.Issuer
	serial int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), serial: 1 << 40}
	var err error
	if a.tlsKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA elsewhere"}, NotBefore: start.AddDate(-1, 0, 0), NotAfter: start.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.tlsKey.PublicKey, a.tlsKey)
	if err != nil {
		t.Fatal(err)
	}
	if a.tls, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if a.sm2, err = cert.NewRoot(key, cert.Subject{CN: "SM2 CA elsewhere"}, start.AddDate(-1, 0, 0), start.AddDate(10, 0, 0)); err != nil {
		t.Fatal(err)
	}
	a.write("tls.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	a.write("sm2.pem", a.sm2.Certificate().PEM())
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) write(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) issuers() pki.Issuers {
	return pki.Issuers{TLS: a.path("tls.pem"), SM2: a.path("sm2.pem")}
}

// sign signs every request of a directory into another one; as names the side that it signs for, empty: the one of the list.
func (a *authority) sign(from, to, as string) {
	a.t.Helper()
	list, err := os.ReadFile(filepath.Join(from, "requests.txt"))
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		a.t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		text, err := os.ReadFile(filepath.Join(from, fields[0]))
		if err != nil {
			a.t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		side, hosts := fields[1], slices.DeleteFunc(strings.Split(fields[3], ","), func(h string) bool { return h == "" })
		if as != "" {
			side = as
		}
		signed := a.one(block.Bytes, side == "client", fields[2], hosts)
		if err := os.WriteFile(filepath.Join(to, fields[0]+".crt"), signed, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *authority) one(request []byte, client bool, use string, hosts []string) []byte {
	a.t.Helper()
	a.serial++
	until := start.AddDate(1, 0, 0)
	if r, err := cert.ParseRequest(request); err == nil {
		o := cert.Order{Subject: cert.Subject{CN: r.Subject.CN, Hosts: hosts}, Key: r.Key, Role: cert.Server, Use: cert.Signing, From: start.Add(-time.Hour), Until: until}
		if client {
			o.Role = cert.Client
		}
		if use == "encrypt" {
			o.Use = cert.Encrypting
		}
		c, err := a.sm2.Issue(o)
		if err != nil {
			a.t.Fatal(err)
		}
		return []byte(c.PEM())
	}
	r, err := x509.ParseCertificateRequest(request)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: r.Subject, NotBefore: start.Add(-time.Hour), NotAfter: until, DNSNames: hosts,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if client {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.tls, r.PublicKey, a.tlsKey)
	if err != nil {
		a.t.Fatal(err)
	}
	return der // the other form that authorities give
}

// A real authority takes the place of the embedded one: requests go out as files, certificates come back as files.
func TestAnAuthorityElsewhereSigns(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	st, err := store.Open(t.Context(), filepath.Join(dir, "cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	r, err := pki.Open(t.Context(), st, pki.Options{Directory: filepath.Join(dir, "pki"), Make: true, Issuers: a.issuers(), Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "pki", "tls.key")); !os.IsNotExist(err) {
		t.Errorf("the embedded authority was made: %v", err)
	}
	hosts := []string{"centre.example"}
	_, err = r.OpenCentre(t.Context(), hosts)
	refused(t, "papers that nobody has signed", err, pki.CodeElsewhere)
	code, err := r.NewCode(t.Context(), hall, "", 30*24*time.Hour, operator)
	if err != nil || code.Pin != r.Roots().Pin() {
		t.Fatal(err)
	}
	b := newBox(t, string(hall))
	ask := b.ask(code, "192.0.2.1")
	ask.Web, ask.Hosts = newBox(t, string(hall)).tlsAsk, []string{"hall.local"}
	for range 2 {
		if _, err := r.Enrol(t.Context(), ask); !errors.Is(err, pki.ErrWaiting) {
			t.Fatal(err)
		}
	}
	out, in := filepath.Join(dir, "out"), filepath.Join(dir, "in")
	if n, err := r.ExportRequests(t.Context(), out); err != nil || n != 7 {
		t.Fatal(n, err)
	}
	bad := filepath.Join(dir, "bad")
	a.sign(out, bad, "server") // a hall's certificate that is not a client's
	_, err = r.Import(t.Context(), bad, operator)
	refused(t, "certificates for something else", err, pki.CodeImport)
	foreign := newAuthority(t)
	foreign.sign(out, filepath.Join(dir, "foreign"), "")
	_, err = r.Import(t.Context(), filepath.Join(dir, "foreign"), operator)
	refused(t, "certificates of somebody else", err, pki.CodeImport)

	a.sign(out, in, "")
	if n, err := r.Import(t.Context(), in, operator); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	if n, err := r.Import(t.Context(), in, operator); err != nil || n != 0 {
		t.Errorf("imported again: %d, %v", n, err)
	}
	own, err := r.OpenCentre(t.Context(), hosts)
	if err != nil || own.Papers().TLS.Leaf.Issuer.CommonName != "CA elsewhere" {
		t.Fatal(err)
	}
	issued, err := r.Enrol(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	key, err := b.sm2.UnsealKey(issued.SealedKey, hallsync.EncryptionKeyPart, string(hall))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := cert.Parse(issued.Encrypt); err != nil || c.PublicKey().String() != key.Public().String() || issued.Web == nil {
		t.Errorf("the key is not that of the certificate: %v", err)
	}
	for _, der := range [][]byte{issued.TLS, issued.Sign} {
		if err := r.Admit(t.Context(), serial(t, der), hall); err != nil {
			t.Error(err)
		}
	}
	_, err = newCentre(t).Import(t.Context(), in, operator)
	refused(t, "an import beside the embedded authority", err, pki.CodeImport)
}
