package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
)

// p256 gives a certificate of the standard library.
func p256(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cloud"}, NotBefore: at(), NotAfter: at().Add(year)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func FuzzParse(f *testing.F) {
	trusted := roots(f, newRoot(f, "root").Certificate())
	f.Add(newRoot(f, "other").Certificate().DER())
	f.Add(p256(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := Parse(der)
		if err != nil {
			return
		}
		if again, err := Parse(c.DER()); err != nil || again.PublicKey().IsZero() || again.CN() != c.CN() {
			t.Errorf("it reads differently again: %v", err)
		}
		if all, err := ParsePEM(c.PEM()); err != nil || len(all) != 1 {
			t.Error(err)
		}
		c.Hosts()
		c.Serial()
		if trusted.Verify([]*Certificate{c, c}, Want{At: at(), Role: Server, Use: Signing}) == nil {
			t.Errorf("%x is good under a root drawn just now", der)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	der, err := NewRequest(newKey(f), Subject{CN: hall, Hosts: []string{"hall.example"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, der []byte) {
		if r, err := ParseRequest(der); err == nil && (r.Key.IsZero() || r.Subject.CN == "") {
			t.Errorf("%x: %+v", der, r)
		}
	})
}
