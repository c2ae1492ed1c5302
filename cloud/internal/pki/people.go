package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"time"

	"halledge/cloud/internal/store"
)

// Person is what somebody proves himself with at the console, beside his password.
const Person Kind = store.KindPerson

// peopleUnit is the organizational unit of people's certificates. None of a hall or of the centre has one: nothing but the name and the
// key is taken over from their requests.
const peopleUnit = "HallEdge people"

// personLife is how long somebody's certificate is good for. Nothing renews it by itself.
const personLife = 365 * 24 * time.Hour

// Personal is a certificate of somebody, with its key, which nobody else has or keeps.
type Personal struct {
	Key         *ecdsa.PrivateKey
	Certificate *x509.Certificate
	Root        *x509.Certificate
	user        string
}

// NewPersonal makes a certificate for a user of the console. It counts when AddPersonal has written it down. It fails with *Fault when the
// authority is elsewhere, which issues such certificates itself if it wants to.
func (r *Register) NewPersonal(user string) (Personal, error) {
	a, ok := r.authority.(*Embedded)
	if !ok {
		return Personal{}, &Fault{Code: CodePeople}
	}
	now := r.now()
	from := begin(now)
	if now.Before(a.tls.NotBefore) {
		return Personal{}, &Fault{Code: CodeClock}
	}
	if from.Before(a.tls.NotBefore) {
		from = a.tls.NotBefore
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Personal{}, fmt.Errorf("make key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: user, OrganizationalUnit: []string{peopleUnit}},
		NotBefore: from, NotAfter: now.Add(personLife).UTC().Truncate(time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	if template.NotAfter.After(a.tls.NotAfter) {
		return Personal{}, errors.New("issue: it would end after its issuer's")
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.tls, &key.PublicKey, a.tlsKey)
	if err != nil {
		return Personal{}, fmt.Errorf("issue: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return Personal{Key: key, Certificate: certificate, Root: a.tls, user: user}, err
}

// AddPersonal writes somebody's certificate down. It fails with *Fault when the clock is behind what was issued before.
func (r *Register) AddPersonal(tx *store.Tx, p Personal) error {
	now := r.now()
	return add(tx, []store.Certificate{record(Person, store.PersonHolder(p.user), p.Certificate, now)}, now)
}
