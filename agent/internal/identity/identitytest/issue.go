package identitytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/tlcp"
	"halledge/firmware-protocols/hallsync"
)

func newRoot(t *testing.T, now time.Time) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "TLS"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, root
}

// Issue gives a certificate of the TLS root.
func (f *Centre) Issue(key any, name string, use x509.ExtKeyUsage, from, until time.Time, ips ...net.IP) []byte {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial)
	serial[0] = serial[0]&0x7f | 0x40
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use}, BasicConstraintsValid: true, IPAddresses: ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, f.TLSRoot, key, f.tlsKey)
	if err != nil {
		f.T.Error(err)
	}
	return der
}

// Pool holds the TLS root.
func (f *Centre) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(f.TLSRoot)
	return pool
}

// Server is a certificate of the centre's own with its root behind it.
func (f *Centre) Server(from, until time.Time) tls.Certificate {
	return f.ServerOf(hallsync.CentreName, from, until)
}

// ServerOf is a certificate for the same address of another holder.
func (f *Centre) ServerOf(holder string, from, until time.Time) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.T.Fatal(err)
	}
	der := f.Issue(&key.PublicKey, holder, x509.ExtKeyUsageServerAuth, from, until, net.IPv4(127, 0, 0, 1))
	return tls.Certificate{Certificate: [][]byte{der, f.TLSRoot.Raw}, PrivateKey: key}
}

// SerialOf gives the serial number of a certificate as lists have it.
func SerialOf(t *testing.T, c tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(leaf.SerialNumber.Bytes())
}

// SM2Server is an SM2 identity of the centre's own.
func (f *Centre) SM2Server(from, until time.Time) tlcp.Identity {
	return f.SM2ServerOf(hallsync.CentreName, from, until)
}

// SM2ServerOf is an SM2 identity for the same address of another holder.
func (f *Centre) SM2ServerOf(holder string, from, until time.Time) tlcp.Identity {
	var id tlcp.Identity
	id.SignKey, id.EncKey = NewKey(f.T), NewKey(f.T)
	for _, half := range []struct {
		c   **cert.Certificate
		key gm.PrivateKey
		use cert.Use
	}{{&id.Sign, id.SignKey, cert.Signing}, {&id.Enc, id.EncKey, cert.Encrypting}} {
		c, err := f.SM2.Issue(cert.Order{Subject: cert.Subject{CN: holder, Hosts: []string{"127.0.0.1"}}, Key: half.key.Public(),
			Role: cert.Server, Use: half.use, From: from, Until: until})
		if err != nil {
			f.T.Fatal(err)
		}
		*half.c = c
	}
	return id
}
