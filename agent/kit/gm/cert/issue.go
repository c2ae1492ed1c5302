package cert

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"halledge/agent/kit/gm"
)

// Role is which end of a connection the holder of a certificate is.
type Role int

// The roles.
const (
	Server Role = iota + 1
	Client
)

// Use is what the key in a certificate does. TLCP has one key for each (GB/T 38636 §6.4.5.3), because the one that decrypts may be kept by
// the issuer too, and the one that signs may not.
type Use int

// The uses.
const (
	Signing Use = iota + 1
	Encrypting
)

// Order is what is to stand in a certificate.
type Order struct {
	Subject     Subject
	Key         gm.PublicKey
	Role        Role
	Use         Use
	From, Until time.Time
}

// Issuer signs certificates. It is safe for concurrent use.
type Issuer struct {
	cert *Certificate
	key  gm.PrivateKey
}

// NewRoot gives an issuer that stands for itself.
func NewRoot(key gm.PrivateKey, s Subject, from, until time.Time) (*Issuer, error) {
	if key.IsZero() {
		return nil, fmt.Errorf("cert: root: %w", gm.ErrInvalid)
	}
	template, err := issuing(s, from, until)
	if err != nil {
		return nil, err
	}
	c, err := create(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &Issuer{c, key}, nil
}

// OpenIssuer gives the issuer of a certificate and its key.
func OpenIssuer(c *Certificate, key gm.PrivateKey) (*Issuer, error) {
	switch {
	case key.IsZero() || c.PublicKey().String() != key.Public().String():
		return nil, fmt.Errorf("cert: issuer: the key is another: %w", gm.ErrInvalid)
	case !c.c.IsCA || c.c.KeyUsage&smx509.KeyUsageCertSign == 0:
		return nil, &Error{WrongUsage, errors.New("not the certificate of an issuer")}
	}
	return &Issuer{c, key}, nil
}

// Certificate gives the issuer's own certificate.
func (i *Issuer) Certificate() *Certificate { return i.cert }

// Intermediate gives the certificate of an issuer below this one.
func (i *Issuer) Intermediate(key gm.PublicKey, s Subject, from, until time.Time) (*Certificate, error) {
	template, err := issuing(s, from, until)
	if err != nil {
		return nil, err
	}
	return i.sign(template, key)
}

// Issue gives the certificate that was ordered. It fails if it would outlive the issuer's own.
func (i *Issuer) Issue(o Order) (*Certificate, error) {
	template, err := newTemplate(o.Subject, o.From, o.Until)
	if err != nil {
		return nil, err
	}
	switch o.Role {
	case Server:
		template.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageServerAuth}
	case Client:
		template.ExtKeyUsage = []smx509.ExtKeyUsage{smx509.ExtKeyUsageClientAuth}
	default:
		return nil, &Error{WrongUsage, errors.New("neither server nor client")}
	}
	switch o.Use {
	case Signing:
		template.KeyUsage = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	case Encrypting:
		template.KeyUsage = encrypts
	default:
		return nil, &Error{WrongUsage, errors.New("neither signing nor encrypting")}
	}
	template.DNSNames, template.IPAddresses = splitHosts(o.Subject.Hosts)
	return i.sign(template, o.Key)
}

// encrypts are the usages of a key that a secret is wrapped for.
const encrypts = smx509.KeyUsageKeyEncipherment | smx509.KeyUsageDataEncipherment | smx509.KeyUsageKeyAgreement

func (i *Issuer) sign(template *smx509.Certificate, key gm.PublicKey) (*Certificate, error) {
	if from, until := i.cert.Valid(); template.NotBefore.Before(from) || template.NotAfter.After(until) {
		return nil, &Error{Expired, errors.New("it would begin before or end after its issuer's")}
	}
	return create(template, i.cert.c, key, i.key)
}

func issuing(s Subject, from, until time.Time) (*smx509.Certificate, error) {
	template, err := newTemplate(s, from, until)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign
	return template, nil
}

func newTemplate(s Subject, from, until time.Time) (*smx509.Certificate, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if from.IsZero() || !until.After(from) {
		return nil, &Error{Expired, errors.New("it would never be valid")}
	}
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails: crypto/rand ends the program instead
	serial[0] = serial[0]&0x7f | 0x40
	return &smx509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: s.name(), NotBefore: from, NotAfter: until,
		SignatureAlgorithm: smx509.SM2WithSM3, BasicConstraintsValid: true,
	}, nil
}

func create(template, parent *smx509.Certificate, key gm.PublicKey, with gm.PrivateKey) (*Certificate, error) {
	if key.IsZero() {
		return nil, fmt.Errorf("cert: issue: %w", gm.ErrInvalid)
	}
	der, err := smx509.CreateCertificate(rand.Reader, template, parent, key.Standard(), with.Signer())
	if err != nil {
		return nil, fmt.Errorf("cert: issue: %w", err)
	}
	return Parse(der)
}
