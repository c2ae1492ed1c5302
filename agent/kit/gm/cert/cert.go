// Package cert gives SM2 certificates (GM/T 0015, RFC 5280): it makes, reads and checks them. Every key and every signature in a
// certificate that it gives or takes is SM2 with SM3; others are malformed to it.
package cert

import (
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"halledge/agent/kit/gm"
)

// Bounds of what is read.
const (
	maxCertificate = 8 << 10 // bytes; one with all extensions that public issuers use has about 1.5 KiB
	maxChain       = 8       // certificates, with the root
	maxPEM         = 2 * maxChain * maxCertificate
	maxHosts       = 64
)

// Reason is why a certificate is not good.
type Reason string

// The reasons.
const (
	Malformed     Reason = "malformed"      // no SM2 certificate or request, or not signed by its own key
	Expired       Reason = "expired"        // or not yet valid, or the clock is wrong
	UnknownIssuer Reason = "unknown_issuer" // no way to a root, or changed since it was signed
	WrongName     Reason = "wrong_name"     // of another host or another holder
	WrongUsage    Reason = "wrong_usage"    // made for something else
)

// Error is a certificate that is not good. Err may be nil.
type Error struct {
	Reason Reason
	Err    error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "cert: " + string(e.Reason)
	}
	return "cert: " + string(e.Reason) + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// errParser is what is left of a panic in a parser that is not ours.
var errParser = errors.New("the parser gave up")

// Certificate is an SM2 certificate. It says what somebody wrote; only Roots.Verify says whether that is so.
type Certificate struct {
	c   *smx509.Certificate
	key gm.PublicKey
}

// Parse reads one certificate in DER. It fails with *Error, Malformed.
func Parse(der []byte) (c *Certificate, err error) {
	defer func() {
		if recover() != nil {
			c, err = nil, &Error{Malformed, errParser}
		}
	}()
	if len(der) > maxCertificate {
		return nil, &Error{Malformed, errors.New("too long")}
	}
	parsed, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{Malformed, err}
	}
	if parsed.SignatureAlgorithm != smx509.SM2WithSM3 || len(parsed.DNSNames)+len(parsed.IPAddresses) > maxHosts {
		return nil, &Error{Reason: Malformed}
	}
	key, err := gm.PublicKeyOf(parsed.PublicKey)
	if err != nil {
		return nil, &Error{Malformed, err}
	}
	return &Certificate{parsed, key}, nil
}

// ParsePEM reads the certificates of a PEM file, at least one and at most eight, and nothing else beside them. It fails with *Error.
func ParsePEM(text string) ([]*Certificate, error) {
	if len(text) > maxPEM {
		return nil, &Error{Malformed, errors.New("too long")}
	}
	var all []*Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			if len(all) == 0 || strings.TrimSpace(string(rest)) != "" {
				return nil, &Error{Malformed, errors.New("no PEM of certificates alone")}
			}
			return all, nil
		}
		if block.Type != "CERTIFICATE" || len(all) == maxChain {
			return nil, &Error{Malformed, errors.New("no PEM of at most eight certificates")}
		}
		c, err := Parse(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
}

// DER gives the certificate as it was signed.
func (c *Certificate) DER() []byte { return c.c.Raw }

// PEM gives the certificate as ParsePEM reads it.
func (c *Certificate) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.c.Raw}))
}

// CN gives the common name of the holder.
func (c *Certificate) CN() string { return c.c.Subject.CommonName }

// Subject gives the whole name of the holder in DER, for comparing.
func (c *Certificate) Subject() []byte { return c.c.RawSubject }

// Hosts gives the DNS names and addresses that the certificate is good for.
func (c *Certificate) Hosts() []string { return joinHosts(c.c.DNSNames, c.c.IPAddresses) }

// PublicKey gives the holder's key.
func (c *Certificate) PublicKey() gm.PublicKey { return c.key }

// Serial gives the number that the issuer gave, in hexadecimal.
func (c *Certificate) Serial() string { return hex.EncodeToString(c.c.SerialNumber.Bytes()) }

// SelfSigned reports whether a certificate is a root, which its own key has signed: no bit of it is another than its maker's.
func (c *Certificate) SelfSigned() (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return c.c.CheckSignatureFrom(c.c) == nil
}

// Valid gives the first and the last moment of the certificate.
func (c *Certificate) Valid() (from, until time.Time) { return c.c.NotBefore, c.c.NotAfter }

func joinHosts(names []string, ips []net.IP) []string {
	hosts := append([]string(nil), names...)
	for _, ip := range ips {
		hosts = append(hosts, ip.String())
	}
	return hosts
}

func splitHosts(hosts []string) (names []string, ips []net.IP) {
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
		} else {
			names = append(names, h)
		}
	}
	return names, ips
}
