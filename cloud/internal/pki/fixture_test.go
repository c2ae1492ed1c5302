package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	hall  = hallsync.HallID("440900000000001")
	other = hallsync.HallID("440900000000002")
)

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// centre is an authority with its files, its database and its clock.
type centre struct {
	*pki.Register
	t   *testing.T
	dir string
	st  *store.Store
	at  atomic.Int64 // the clock, in milliseconds
}

func newCentre(t *testing.T) *centre {
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
	c := &centre{t: t, dir: filepath.Join(dir, "pki"), st: st}
	c.set(start)
	if c.Register, err = c.open(true); err != nil {
		t.Fatal(err)
	}
	return c
}

// waits names the one question that waits for an operator; nothing when there is none.
func (c *centre) waits() string {
	c.t.Helper()
	waiting, err := c.Renewals(c.t.Context())
	if err != nil || len(waiting) > 1 {
		c.t.Fatalf("%+v, %v", waiting, err)
	}
	for _, w := range waiting {
		return w.Name()
	}
	return ""
}

func (c *centre) open(make bool) (*pki.Register, error) {
	return pki.Open(c.t.Context(), c.st, pki.Options{Directory: c.dir, Make: make, Now: c.now})
}

func (c *centre) now() time.Time       { return time.UnixMilli(c.at.Load()) }
func (c *centre) set(at time.Time)     { c.at.Store(at.UnixMilli()) }
func (c *centre) path(n string) string { return filepath.Join(c.dir, n) }

func (c *centre) code(serial string, valid time.Duration) hallsync.EnrolCode {
	c.t.Helper()
	code, err := c.NewCode(c.t.Context(), hall, serial, valid, operator)
	if err != nil {
		c.t.Fatal(err)
	}
	return code
}

var operator = pki.Actor{Name: "root", By: "command"}

// audits gives the results in the audit of an action, oldest first.
func (c *centre) audits(action string) (results []string) {
	c.t.Helper()
	lines, _, err := c.st.Audits(c.t.Context(), store.AuditQuery{Action: action, Limit: 1000})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, l := range lines {
		results = append([]string{l.Result}, results...)
	}
	return results
}

// box is a hall's box with its keys and requests.
type box struct {
	tls    *ecdsa.PrivateKey
	sm2    gm.PrivateKey
	tlsAsk []byte
	sm2Ask []byte
}

func newBox(t *testing.T, name string) box {
	t.Helper()
	var b box
	var err error
	if b.tls, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b.sm2, err = gm.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	b.tlsAsk = request(t, b.tls, x509.CertificateRequest{Subject: pkix.Name{CommonName: name}})
	if b.sm2Ask, err = cert.NewRequest(b.sm2, cert.Subject{CN: name}); err != nil {
		t.Fatal(err)
	}
	return b
}

func request(t *testing.T, key any, template x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (b box) ask(code hallsync.EnrolCode, remote string) pki.Ask {
	return pki.Ask{Hall: code.Hall, Secret: code.Secret, Serial: "SN-1", Requests: hallsync.Requests{TLS: b.tlsAsk, SM2: b.sm2Ask}, Remote: remote}
}

func (b box) order() pki.Order {
	return pki.Order{For: pki.ForHall, Name: string(hall), TLS: b.tlsAsk, SM2: b.sm2Ask}
}

// refused fails the test unless an error is a fault with a code.
func refused(t *testing.T, what string, err error, code pki.Code) {
	t.Helper()
	var f *pki.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}
