// Package tlcp gives connections secured with TLCP (GB/T 38636, GM/T 0024, version 0x0101), both ends with certificates and with the one
// suite ECC_SM4_CBC_SM3 (0xe013). It has neither forward secrecy nor an authenticated mode, so personal data in it is sealed besides.
//
// The library that speaks the protocol panics on hostile input, prints, and checks certificates in its own way. All of that ends here: a
// filter looks at the bytes of a handshake before the library does, our own code verifies the certificates, and the keys are the
// provider's of package gm.
package tlcp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tjfoc/gmsm/gmtls"
	"github.com/tjfoc/gmsm/x509"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
)

// HandshakeTime is how long a handshake may take.
const HandshakeTime = 10 * time.Second

// maxCertificates is the most that one end may show.
const maxCertificates = 8

// ErrHostile is a peer that sent what made the library give up, or what no handshake has at that place.
var ErrHostile = errors.New("tlcp: not the protocol")

// errRefused is a handshake that our end ended for a reason the library keeps.
var errRefused = errors.New("refused by our end")

// AlertError is a peer that ended the handshake; the number is the alert's (GB/T 38636 §6.4.3).
type AlertError byte

func (e AlertError) Error() string {
	return fmt.Sprintf("tlcp: the peer refused with alert %d", byte(e))
}

// Identity is who we are. A server needs all of it, a client no key that encrypts.
type Identity struct {
	Sign    *cert.Certificate
	SignKey gm.PrivateKey
	Enc     *cert.Certificate
	EncKey  gm.PrivateKey
	Above   []*cert.Certificate // issuers between these and the root that the peer knows
}

// Config is what both ends need.
type Config struct {
	Identity Identity
	Roots    *cert.Roots      // issuers of the peer's certificates
	Now      func() time.Time // the time that certificates are checked at
	// Admit refuses, as a server, clients whose certificate is good and who may not come in all the same; nil: nobody.
	Admit func(client *cert.Certificate) error
}

func (c Config) check(server bool) error {
	id := c.Identity
	switch {
	case c.Roots == nil || c.Now == nil:
		return errors.New("tlcp: no roots or no clock")
	case id.Sign == nil || id.SignKey.IsZero() || id.Sign.PublicKey().String() != id.SignKey.Public().String():
		return errors.New("tlcp: the signing key is not the certificate's")
	case server && (id.Enc == nil || id.EncKey.IsZero() || id.Enc.PublicKey().String() != id.EncKey.Public().String()):
		return errors.New("tlcp: the encrypting key is not the certificate's")
	case len(id.Above)+2 > maxCertificates:
		return errors.New("tlcp: too many certificates")
	}
	return nil
}

// verifier checks the certificates that a peer showed.
type verifier func(raw [][]byte, _ [][]*x509.Certificate) error

// library gives the settings that both ends have. Each connection has its own: nothing in the library is shared.
//
// The library's own check wants the host's name in every certificate of a chain and knows no issuers in between, so it is told to check
// nothing and to ask us: what verify refuses ends the handshake.
func (c Config) library(verify verifier) *gmtls.Config {
	return &gmtls.Config{
		GMSupport: gmtls.NewGMSupport(), MinVersion: gmtls.VersionGMSSL, MaxVersion: gmtls.VersionGMSSL,
		CipherSuites: []uint16{gmtls.GMTLS_SM2_WITH_SM4_SM3}, SessionTicketsDisabled: true, Rand: rand.Reader, Time: c.Now,
		ClientAuth: gmtls.RequireAnyClientCert, InsecureSkipVerify: true, VerifyPeerCertificate: verify,
	}
}

func (c Config) chain(first *cert.Certificate) [][]byte {
	chain := [][]byte{first.DER()}
	for _, a := range c.Identity.Above {
		chain = append(chain, a.DER())
	}
	return chain
}

// parsed reads what a peer showed.
func parsed(raw [][]byte) ([]*cert.Certificate, error) {
	if len(raw) > maxCertificates {
		return nil, &cert.Error{Reason: cert.Malformed}
	}
	certs := make([]*cert.Certificate, len(raw))
	for i, der := range raw {
		c, err := cert.Parse(der)
		if err != nil {
			return nil, err
		}
		certs[i] = c
	}
	return certs, nil
}
