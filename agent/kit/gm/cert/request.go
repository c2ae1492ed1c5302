package cert

import (
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/smx509"

	"halledge/agent/kit/gm"
)

// Subject is who a certificate speaks of.
type Subject struct {
	CN           string   // of a hall: its code
	Organization string   // may be empty
	Hosts        []string // DNS names and addresses, of a server
}

func (s Subject) name() pkix.Name {
	n := pkix.Name{CommonName: s.CN}
	if s.Organization != "" {
		n.Organization = []string{s.Organization}
	}
	return n
}

func (s Subject) check() error {
	if s.CN == "" || len(s.CN) > 64 || len(s.Organization) > 64 || len(s.Hosts) > maxHosts { // RFC 5280 appendix A.1: ub-common-name 64
		return &Error{WrongName, errors.New("no common name, or too long")}
	}
	return nil
}

// NewRequest gives a request (PKCS #10, GM/T 0092) for a certificate, in DER, signed with its key.
func NewRequest(key gm.PrivateKey, s Subject) ([]byte, error) {
	if key.IsZero() {
		return nil, fmt.Errorf("cert: request: %w", gm.ErrInvalid)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	names, ips := splitHosts(s.Hosts)
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{
		Subject: s.name(), SignatureAlgorithm: smx509.SM2WithSM3, DNSNames: names, IPAddresses: ips,
	}, key.Signer())
	if err != nil {
		return nil, fmt.Errorf("cert: request: %w", err)
	}
	return der, nil
}

// Request is what somebody asks to have in a certificate. That it is signed with its key is all that is known of it.
type Request struct {
	Subject Subject
	Key     gm.PublicKey
}

// ParseRequest reads a request in DER and checks that who asks holds the key. It fails with *Error, Malformed.
func ParseRequest(der []byte) (r *Request, err error) {
	defer func() {
		if recover() != nil {
			r, err = nil, &Error{Malformed, errParser}
		}
	}()
	if len(der) > maxCertificate {
		return nil, &Error{Malformed, errors.New("too long")}
	}
	parsed, err := smx509.ParseCertificateRequest(der)
	if err != nil {
		return nil, &Error{Malformed, err}
	}
	if parsed.SignatureAlgorithm != smx509.SM2WithSM3 {
		return nil, &Error{Reason: Malformed}
	}
	key, err := gm.PublicKeyOf(parsed.PublicKey)
	if err != nil {
		return nil, &Error{Malformed, err}
	}
	if !key.Verify(parsed.RawTBSCertificateRequest, parsed.Signature) {
		return nil, &Error{Malformed, errors.New("not signed by its own key")}
	}
	s := Subject{CN: parsed.Subject.CommonName, Hosts: joinHosts(parsed.DNSNames, parsed.IPAddresses)}
	if len(parsed.Subject.Organization) > 0 {
		s.Organization = parsed.Subject.Organization[0]
	}
	if err := s.check(); err != nil {
		return nil, &Error{Malformed, err}
	}
	return &Request{s, key}, nil
}
