package cert

import (
	"errors"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Roots are the issuers that are trusted. It is safe for concurrent use.
type Roots struct{ pool *smx509.CertPool }

// NewRoots gives the issuers of these certificates. There are no others: the machine's own are never asked. It fails with *Error for no
// certificate and for one of no issuer.
func NewRoots(certs ...*Certificate) (*Roots, error) {
	if len(certs) == 0 {
		return nil, &Error{UnknownIssuer, errors.New("no roots")}
	}
	pool := smx509.NewCertPool()
	for _, c := range certs {
		if !c.c.IsCA || c.c.KeyUsage&smx509.KeyUsageCertSign == 0 {
			return nil, &Error{WrongUsage, errors.New("not the certificate of an issuer")}
		}
		pool.AddCert(c.c)
	}
	return &Roots{pool}, nil
}

// Want is what a certificate has to be good for.
type Want struct {
	At   time.Time // by a clock that nobody can set back; never zero
	Role Role
	Use  Use
	Host string // name or address of a server; empty: any
	CN   string // of the holder; empty: any
}

// Verify checks the first certificate of a chain; the others are what may stand between it and a root, in any order. It fails with *Error.
func (r *Roots) Verify(chain []*Certificate, want Want) (err error) {
	defer func() {
		if recover() != nil {
			err = &Error{Malformed, errParser}
		}
	}()
	if r == nil || len(chain) == 0 || len(chain) > maxChain || want.At.IsZero() || want.Role.usage() == noUsage {
		return &Error{UnknownIssuer, errors.New("no chain, no roots, no time or no role")}
	}
	leaf := chain[0].c
	between := smx509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c.c)
	}
	_, err = leaf.Verify(smx509.VerifyOptions{
		Roots: r.pool, Intermediates: between, CurrentTime: want.At, DNSName: want.Host, KeyUsages: []smx509.ExtKeyUsage{want.Role.usage()},
	})
	if err != nil {
		return &Error{reasonOf(err), err}
	}
	if leaf.IsCA || !want.Use.allowed(leaf.KeyUsage) {
		return &Error{WrongUsage, errors.New("the key is for something else")}
	}
	if want.CN != "" && want.CN != leaf.Subject.CommonName {
		return &Error{WrongName, errors.New("the holder is somebody else")}
	}
	return nil
}

// noUsage is one that no certificate has.
const noUsage smx509.ExtKeyUsage = -1

func (r Role) usage() smx509.ExtKeyUsage {
	switch r {
	case Server:
		return smx509.ExtKeyUsageServerAuth
	case Client:
		return smx509.ExtKeyUsageClientAuth
	}
	return noUsage
}

func (u Use) allowed(k smx509.KeyUsage) bool {
	switch u {
	case Signing:
		return k&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) != 0
	case Encrypting:
		return k&encrypts != 0
	}
	return false
}

func reasonOf(err error) Reason {
	var host smx509.HostnameError
	var invalid smx509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return WrongName
	case errors.As(err, &invalid) && invalid.Reason == smx509.Expired:
		return Expired
	case errors.As(err, &invalid) && invalid.Reason == smx509.IncompatibleUsage:
		return WrongUsage
	}
	return UnknownIssuer
}
