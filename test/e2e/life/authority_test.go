package life

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
)

// authority is one elsewhere: somebody carries requests to it, and certificates back.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	root *x509.Certificate
	sm2  *cert.Issuer
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	from, until := time.Now().Add(-time.Hour), time.Now().AddDate(10, 0, 0)
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.root = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "TLS"}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, &a.key.PublicKey)
	key, err := gm.GenerateKey()
	if err == nil {
		a.sm2, err = cert.NewRoot(key, cert.Subject{CN: "SM2"}, from, until)
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.dir, "tls.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})))
	write(t, a.dir, "sm2.pem", a.sm2.Certificate().PEM())
	return a
}

// issue signs one certificate; the first one signs itself.
func (a *authority) issue(template *x509.Certificate, key any) *x509.Certificate {
	a.t.Helper()
	serial := make([]byte, 15)
	_, _ = rand.Read(serial) // never fails
	template.SerialNumber = new(big.Int).SetBytes(append([]byte{1}, serial...))
	parent := a.root
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// signs carries the requests of a centre here, and what was signed for so long back. It gives how many requests there were.
func (a *authority) signs(c *centre, life time.Duration) (count int) {
	a.t.Helper()
	out, in := a.t.TempDir(), a.t.TempDir()
	c.does("pki", "export-requests", out)
	list, err := os.ReadFile(filepath.Join(out, "requests.txt"))
	if err != nil {
		a.t.Fatal(err)
	}
	until := time.Now().Add(life)
	for line := range strings.Lines(string(list)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		text, err := os.ReadFile(filepath.Join(out, f[0]))
		if err != nil {
			a.t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		write(a.t, in, f[0]+".pem", a.certificate(block.Bytes, f[1] == "server", f[2], strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' }), until))
		count++
	}
	c.does("pki", "import", in)
	return count
}

func (a *authority) certificate(der []byte, server bool, use string, hosts []string, until time.Time) string {
	a.t.Helper()
	if use == "tls" || use == "web" {
		asked, err := x509.ParseCertificateRequest(der)
		if err != nil {
			a.t.Fatal(err)
		}
		template := &x509.Certificate{
			Subject: asked.Subject, NotBefore: time.Now().Add(-time.Minute), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		if server {
			template.ExtKeyUsage[0] = x509.ExtKeyUsageServerAuth
		}
		for _, h := range hosts {
			if ip := net.ParseIP(h); ip != nil {
				template.IPAddresses = append(template.IPAddresses, ip)
			} else {
				template.DNSNames = append(template.DNSNames, h)
			}
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.issue(template, asked.PublicKey).Raw}))
	}
	asked, err := cert.ParseRequest(der)
	if err != nil {
		a.t.Fatal(err)
	}
	order := cert.Order{Subject: asked.Subject, Key: asked.Key, Role: cert.Client, Use: cert.Signing, From: time.Now().Add(-time.Minute), Until: until}
	if order.Subject.Hosts = hosts; server {
		order.Role = cert.Server
	}
	if use == "encrypt" {
		order.Use = cert.Encrypting
	}
	c, err := a.sm2.Issue(order)
	if err != nil {
		a.t.Fatal(err)
	}
	return c.PEM()
}
