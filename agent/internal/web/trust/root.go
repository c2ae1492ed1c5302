package trust

import (
	"crypto/sha1" // what old Windows shows beside a certificate; nothing is decided by it
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
)

// Root is an issuer that machines are to trust.
type Root struct{ Certificate *x509.Certificate }

// ParseRoot reads a root's DER.
func ParseRoot(der []byte) (Root, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return Root{}, fmt.Errorf("root of the pages: %w", err)
	}
	return Root{c}, nil
}

// DER is the certificate as browsers and systems take it in.
func (r Root) DER() []byte { return r.Certificate.Raw }

// PEM is the same as text.
func (r Root) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate.Raw})
}

// Pool trusts this root and no other.
func (r Root) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate)
	return pool
}

// SHA256 is the fingerprint that people compare, in pairs of hexadecimal digits.
func (r Root) SHA256() string {
	sum := sha256.Sum256(r.Certificate.Raw)
	return pairs(sum[:])
}

// SHA1 is the fingerprint that the certificate dialogue of Windows shows.
func (r Root) SHA1() string {
	sum := sha1.Sum(r.Certificate.Raw)
	return pairs(sum[:])
}

func pairs(b []byte) string {
	var out strings.Builder
	for i, c := range b {
		if i > 0 {
			out.WriteByte(':')
		}
		out.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return out.String()
}
