// Package pkitest gives tests a centre with its authority, and boxes of halls that were enrolled there.
package pkitest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/tlcp"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Host is the name under which boxes know the centre.
const Host = "centre.example"

// Operator is whoever does something in a test.
var Operator = pki.Actor{Name: "root", By: "command"}

// Centre is an authority with its database and a clock that stands still.
type Centre struct {
	*pki.Register
	Store *store.Store
	Own   *pki.Centre
	Key   gm.PrivateKey // signs what the centre says
	at    atomic.Int64
}

// New makes a centre.
func New(t testing.TB) *Centre {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(t.Context(), filepath.Join(dir, "cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &Centre{Store: st}
	c.Set(time.Now())
	if c.Register, err = pki.Open(t.Context(), st, pki.Options{Directory: filepath.Join(dir, "pki"), Make: true, Hosts: []string{Host, "127.0.0.1"}, Now: c.Now}); err != nil {
		t.Fatal(err)
	}
	if c.Own, err = c.OpenCentre(t.Context(), []string{Host, "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if c.Key, err = gm.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Now gives the centre's clock.
func (c *Centre) Now() time.Time { return time.UnixMilli(c.at.Load()) }

// Set sets the centre's clock.
func (c *Centre) Set(at time.Time) { c.at.Store(at.UnixMilli()) }

// Box is the box of a hall.
type Box struct {
	Hall hallsync.HallID
	TLS  *ecdsa.PrivateKey
	SM2  gm.PrivateKey
	hallsync.Requests
	Issued pki.Issued
	centre *Centre
}

// NewBox gives a box that has keys and no certificates.
func (c *Centre) NewBox(t testing.TB, hall hallsync.HallID) *Box {
	t.Helper()
	b := &Box{Hall: hall, centre: c}
	var err error
	if b.TLS, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b.SM2, err = gm.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: string(hall)}}
	if b.Requests.TLS, err = x509.CreateCertificateRequest(rand.Reader, template, b.TLS); err != nil {
		t.Fatal(err)
	}
	if b.Requests.SM2, err = cert.NewRequest(b.SM2, cert.Subject{CN: string(hall)}); err != nil {
		t.Fatal(err)
	}
	return b
}

// Box gives a box that has its certificates. What the hall had before stays.
func (c *Centre) Box(t testing.TB, hall hallsync.HallID) *Box {
	t.Helper()
	b := c.NewBox(t, hall)
	var err error
	if b.Issued, err = c.Issue(t.Context(), pki.Order{For: pki.ForHall, Name: string(hall), TLS: b.Requests.TLS, SM2: b.Requests.SM2}); err != nil {
		t.Fatal(err)
	}
	return b
}

// TLSConfig gives what the box connects with.
func (b *Box) TLSConfig() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(b.centre.Roots().TLS[0])
	return &tls.Config{
		RootCAs: pool, ServerName: Host, MinVersion: tls.VersionTLS13, Time: b.centre.Now,
		Certificates: []tls.Certificate{{Certificate: [][]byte{b.Issued.TLS}, PrivateKey: b.TLS}},
	}
}

// TLCPConfig gives what the box connects with by TLCP.
func (b *Box) TLCPConfig(t testing.TB) tlcp.Config {
	t.Helper()
	sign, err := cert.Parse(b.Issued.Sign)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := cert.NewRoots(b.centre.Roots().SM2...)
	if err != nil {
		t.Fatal(err)
	}
	return tlcp.Config{Identity: tlcp.Identity{Sign: sign, SignKey: b.SM2}, Roots: roots, Now: b.centre.Now}
}

// Dial connects by TLCP or by TLS. By TLS the server's refusal comes with the first read.
func (b *Box) Dial(ctx context.Context, t testing.TB, address string, gm bool) (net.Conn, error) {
	t.Helper()
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return b.Over(ctx, t, raw, gm)
}

// Over is Dial over a connection that is there.
func (b *Box) Over(ctx context.Context, t testing.TB, raw net.Conn, gm bool) (net.Conn, error) {
	t.Helper()
	if gm {
		return tlcp.Over(ctx, raw, Host, b.TLCPConfig(t))
	}
	c := tls.Client(raw, b.TLSConfig())
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// Take gives the box what it was told.
func (b *Box) Take(e *hallsync.Enrolled) {
	b.Issued = pki.Issued{TLS: e.TLS, Sign: e.Sign, Encrypt: e.Encrypt, SealedKey: e.SealedKey, Web: e.Web}
}
