package pki_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/pki"
	"halledge/firmware-protocols/hallsync"
)

func TestHallHasThreeCertificatesThatAreGood(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	issued, err := c.Issue(t.Context(), b.order())
	if err != nil {
		t.Fatal(err)
	}
	leaf := verify(t, c, issued.TLS, x509.ExtKeyUsageClientAuth, "")
	if leaf.Subject.String() != "CN="+string(hall) || !b.tls.PublicKey.Equal(leaf.PublicKey) || leaf.IsCA || len(leaf.SerialNumber.Bytes()) != 16 {
		t.Errorf("TLS certificate of %s, CA %v, serial number %x", leaf.Subject, leaf.IsCA, leaf.SerialNumber)
	}
	if leaf.KeyUsage != x509.KeyUsageDigitalSignature || len(leaf.ExtKeyUsage) != 1 || leaf.NotAfter.Sub(start) != 365*24*time.Hour {
		t.Errorf("usage %v %v until %s", leaf.KeyUsage, leaf.ExtKeyUsage, leaf.NotAfter)
	}
	sign := verifySM2(t, c, issued.Sign, cert.Want{At: start, Role: cert.Client, Use: cert.Signing, CN: string(hall)})
	encrypt := verifySM2(t, c, issued.Encrypt, cert.Want{At: start, Role: cert.Client, Use: cert.Encrypting, CN: string(hall)})
	if sign.PublicKey().String() != b.sm2.Public().String() {
		t.Error("the signing certificate is for another key")
	}
	key, err := b.sm2.UnsealKey(issued.SealedKey, hallsync.EncryptionKeyPart, string(hall))
	if err != nil || key.Public().String() != encrypt.PublicKey().String() || key.Public().String() == b.sm2.Public().String() {
		t.Errorf("the key that was delivered is another: %v", err)
	}
	stored, err := c.st.Certificates(t.Context(), string(hall))
	if err != nil || len(stored) != 3 {
		t.Fatalf("%d certificates written down, %v", len(stored), err)
	}
	for _, s := range stored {
		want := map[string][]byte{"hall_tls": issued.TLS, "hall_sign": issued.Sign, "hall_encrypt": issued.Encrypt}[s.Kind]
		if string(s.DER) != string(want) || len(s.Serial) != 32 || !s.Issued.Equal(start) {
			t.Errorf("written down %s %s", s.Kind, s.Serial)
		}
	}
}

func TestServersHaveTheirHosts(t *testing.T) {
	c := newCentre(t)
	web := newBox(t, string(hall))
	order := web.order()
	order.For, order.SM2, order.Hosts = pki.ForWeb, nil, []string{"hall.test", "192.0.2.7", "2001:db8::7"}
	issued, err := c.Issue(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range order.Hosts {
		verify(t, c, issued.TLS, x509.ExtKeyUsageServerAuth, host)
	}
	if issued.Sign != nil || issued.Encrypt != nil || issued.SealedKey != nil {
		t.Error("a hall's pages have SM2 certificates")
	}
	own := newBox(t, "centre")
	issued, err = c.Issue(t.Context(), pki.Order{For: pki.ForCentre, Name: "centre", Hosts: []string{"centre.test"}, TLS: own.tlsAsk, SM2: own.sm2Ask})
	if err != nil {
		t.Fatal(err)
	}
	verify(t, c, issued.TLS, x509.ExtKeyUsageServerAuth, "centre.test")
	verifySM2(t, c, issued.Sign, cert.Want{At: start, Role: cert.Server, Use: cert.Signing, Host: "centre.test"})
	verifySM2(t, c, issued.Encrypt, cert.Want{At: start, Role: cert.Server, Use: cert.Encrypting, Host: "centre.test"})
}

func verify(t *testing.T, c *centre, der []byte, usage x509.ExtKeyUsage, host string) *x509.Certificate {
	t.Helper()
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c.Roots().TLS[0])
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: start, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		t.Error(err)
	}
	return leaf
}

func verifySM2(t *testing.T, c *centre, der []byte, want cert.Want) *cert.Certificate {
	t.Helper()
	leaf, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := cert.NewRoots(c.Roots().SM2...)
	if err != nil {
		t.Fatal(err)
	}
	if err := roots.Verify([]*cert.Certificate{leaf}, want); err != nil {
		t.Error(err)
	}
	return leaf
}

func TestNothingOfARequestIsTakenOverButItsKey(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	constraints, err := asn1.Marshal(struct{ CA bool }{true})
	if err != nil {
		t.Fatal(err)
	}
	order := b.order()
	order.TLS = request(t, b.tls, x509.CertificateRequest{
		Subject: pkix.Name{CommonName: string(hall)}, DNSNames: []string{"centre.test"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: constraints}},
	})
	if order.SM2, err = cert.NewRequest(b.sm2, cert.Subject{CN: string(hall), Hosts: []string{"centre.test"}}); err != nil {
		t.Fatal(err)
	}
	issued, err := c.Issue(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	leaf := verify(t, c, issued.TLS, x509.ExtKeyUsageClientAuth, "")
	if leaf.IsCA || len(leaf.DNSNames)+len(leaf.IPAddresses) > 0 {
		t.Errorf("taken over: CA %v, %v %v", leaf.IsCA, leaf.DNSNames, leaf.IPAddresses)
	}
	if sign, err := cert.Parse(issued.Sign); err != nil || len(sign.Hosts()) > 0 {
		t.Errorf("taken over: %v, %v", sign.Hosts(), err)
	}
}

func TestOrdersThatAreNotGoodAreRefused(t *testing.T) {
	c, b, another := newCentre(t), newBox(t, string(hall)), newBox(t, string(other))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	big, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	named := x509.CertificateRequest{Subject: pkix.Name{CommonName: string(hall)}}
	sha512 := named
	sha512.SignatureAlgorithm = x509.ECDSAWithSHA512
	web := func(hosts ...string) func(*pki.Order) {
		return func(o *pki.Order) { o.For, o.SM2, o.Hosts = pki.ForWeb, nil, hosts }
	}
	for name, spoil := range map[string]func(*pki.Order){
		"for nothing":   func(o *pki.Order) { o.For = 0 },
		"another hall":  func(o *pki.Order) { o.Name = string(other) },
		"no hall code":  func(o *pki.Order) { o.Name = "hall" },
		"another's TLS": func(o *pki.Order) { o.TLS = another.tlsAsk },
		"another's SM2": func(o *pki.Order) { o.SM2 = another.sm2Ask },
		"no TLS":        func(o *pki.Order) { o.TLS = nil },
		"no SM2":        func(o *pki.Order) { o.SM2 = nil },
		"exchanged":     func(o *pki.Order) { o.TLS, o.SM2 = o.SM2, o.TLS },
		"P-384":         func(o *pki.Order) { o.TLS = request(t, big, named) },
		"RSA":           func(o *pki.Order) { o.TLS = request(t, old, named) },
		"Ed25519":       func(o *pki.Order) { o.TLS = request(t, ed, named) },
		"SHA-512":       func(o *pki.Order) { o.TLS = request(t, b.tls, sha512) },
		"more of a name": func(o *pki.Order) {
			o.TLS = request(t, b.tls, x509.CertificateRequest{Subject: pkix.Name{CommonName: string(hall), Organization: []string{"x"}}})
		},
		"two names": func(o *pki.Order) {
			o.TLS = request(t, b.tls, x509.CertificateRequest{Subject: pkix.Name{CommonName: string(hall), ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: string(other)}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: string(hall)}}}})
		},
		"bytes behind":        func(o *pki.Order) { o.TLS = append(slices.Clone(o.TLS), 0) },
		"too long":            func(o *pki.Order) { o.TLS = make([]byte, 1<<16) },
		"hosts of a client":   func(o *pki.Order) { o.Hosts = []string{"centre.test"} },
		"server without host": web(),
		"pages with SM2":      func(o *pki.Order) { o.For, o.Hosts = pki.ForWeb, []string{"hall.test"} },
		"wildcard":            web("*.test"),
		"no name":             web("a b"),
		"every address":       web("0.0.0.0"),
		"long name":           web(strings.Repeat("a.", 130) + "test"),
		"many hosts":          web(strings.Split(strings.Repeat("hall.test,", 64)+"hall.test", ",")...),
	} {
		order := b.order()
		spoil(&order)
		_, err := c.Issue(t.Context(), order)
		refused(t, name, err, pki.CodeRequest)
	}
	for i := range max(len(b.tlsAsk), len(b.sm2Ask)) {
		for name, o := range map[string]pki.Order{
			"TLS": {For: pki.ForHall, Name: string(hall), TLS: flip(b.tlsAsk, i), SM2: b.sm2Ask},
			"SM2": {For: pki.ForHall, Name: string(hall), TLS: b.tlsAsk, SM2: flip(b.sm2Ask, i)},
		} {
			if o.TLS == nil || o.SM2 == nil {
				continue
			}
			_, err := c.Issue(t.Context(), o)
			refused(t, fmt.Sprintf("byte %d of the %s request changed", i, name), err, pki.CodeRequest)
		}
	}
	if stored, err := c.st.Certificates(t.Context(), string(hall)); err != nil || len(stored) != 0 {
		t.Errorf("%d certificates written down, %v", len(stored), err)
	}
}

// flip changes one byte of a copy; it is nil when there is none.
func flip(b []byte, i int) []byte {
	if i >= len(b) {
		return nil
	}
	b = slices.Clone(b)
	b[i] ^= 0x01
	return b
}

func TestClockThatIsBehindIssuesNothing(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	c.set(start.AddDate(-1, 0, 0))
	_, err := c.Issue(t.Context(), b.order())
	refused(t, "before the roots", err, pki.CodeClock)
	c.set(start.Add(30 * time.Minute))
	if _, err := c.Issue(t.Context(), b.order()); err != nil {
		t.Fatal(err)
	}
	c.set(start.Add(26 * time.Minute)) // a step of the clock that time servers make
	if _, err := c.Issue(t.Context(), b.order()); err != nil {
		t.Error(err)
	}
	c.set(start.Add(24 * time.Minute))
	_, err = c.Issue(t.Context(), b.order())
	refused(t, "before what was issued", err, pki.CodeClock)
	_, err = c.NewCode(t.Context(), hall, "", time.Hour, operator)
	refused(t, "a code", err, pki.CodeClock)
	if n, err := c.Revoke(t.Context(), string(hall), "stolen", operator); err != nil || n != 6 {
		t.Errorf("revoked %d with a clock that is behind, %v", n, err)
	}
	stored, err := c.st.Certificates(t.Context(), string(hall))
	if err != nil || stored[5].Revoked.Before(stored[5].Issued) {
		t.Errorf("revoked %s before it was issued, %v", stored[5].Revoked, err)
	}
	alone, err := pki.OpenEmbedded(c.dir, nil, false, start)
	if err != nil {
		t.Fatal(err)
	}
	_, err = alone.Issue(b.order(), start.Add(-2*time.Hour))
	refused(t, "by the authority itself, before its roots", err, pki.CodeClock)
	c.set(start.AddDate(19, 6, 0))
	if _, err := c.Issue(t.Context(), b.order()); err == nil {
		t.Error("a certificate outlives its root")
	}
}

func TestRevocationsAreSignedAndTheirNumberRises(t *testing.T) {
	c, b := newCentre(t), newBox(t, string(hall))
	signer, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	list := func() hallsync.Revocations {
		t.Helper()
		signed, err := c.Revocations(t.Context(), signer.Sign)
		if err != nil {
			t.Fatal(err)
		}
		if !signer.Public().Verify(hallsync.RevocationsMessage(signed.List), signed.Signature) || signer.Public().Verify(signed.List, signed.Signature) {
			t.Error("the signature is not one of a list")
		}
		l, err := signed.Body()
		if err != nil || !l.At.Equal(c.now()) {
			t.Errorf("%s: %v", signed.List, err)
		}
		return l
	}
	if l := list(); l.Number != 0 || len(l.Serials) != 0 {
		t.Errorf("first list %+v", l)
	}
	if n, err := c.Revoke(t.Context(), string(hall), "stolen", operator); err != nil || n != 0 || list().Number != 0 {
		t.Errorf("revoked %d of none, %v", n, err)
	}
	last := int64(0)
	for round := 1; round <= 3; round++ {
		if _, err := c.Issue(t.Context(), b.order()); err != nil {
			t.Fatal(err)
		}
		own := newBox(t, hallsync.CentreName).order()
		own.For, own.Name, own.Hosts = pki.ForCentre, hallsync.CentreName, []string{"centre.example"}
		if _, err := c.Issue(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		for _, holder := range []string{string(hall), hallsync.CentreName} {
			if n, err := c.Revoke(t.Context(), holder, "stolen", operator); err != nil || n != 3 {
				t.Errorf("revoked %d, %v", n, err)
			}
		}
		l := list() // of the centre's alone
		if l.Number <= last || len(l.Serials) != 3*round || !slices.IsSorted(l.Serials) {
			t.Errorf("round %d: %+v after %d", round, l, last)
		}
		if n, err := c.RevocationNumber(t.Context()); err != nil || n != l.Number {
			t.Errorf("number %d, %v", n, err)
		}
		last = l.Number
	}
	if last < start.Unix() {
		t.Errorf("number %d would be passed by one from before a restore", last)
	}
	if got := c.audits("revoke"); !slices.Equal(got, []string{"none", "ok", "ok", "ok", "ok", "ok", "ok"}) {
		t.Errorf("audit %v", got)
	}
	c.set(start.AddDate(1, 0, 1))
	if l := list(); l.Number != last || len(l.Serials) != 0 {
		t.Errorf("certificates that are over: %+v", l)
	}
}
