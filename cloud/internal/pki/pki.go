// Package pki gives the centre's certificate authority: two roots, one for TLS (P-256) and one for TLCP and signatures (SM2), the
// certificates of halls and of the centre below them, the list of those that are revoked, and the codes with which boxes are enrolled.
//
// An Authority only signs. The Register stands in front of it: it checks who asks, and writes down what was issued.
package pki

import (
	"crypto/x509"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/firmware-protocols/hallsync"
)

// Kind is what a certificate is for.
type Kind string

// The kinds.
const (
	RootTLS       Kind = "root_tls"
	RootSM2       Kind = "root_sm2"
	HallTLS       Kind = "hall_tls"     // the box, as a client of the centre
	HallSign      Kind = "hall_sign"    // the same over TLCP
	HallEncrypt   Kind = "hall_encrypt" // the same over TLCP
	HallWeb       Kind = "hall_web"     // the hall's own pages
	CentreTLS     Kind = "centre_tls"
	CentreSign    Kind = "centre_sign"
	CentreEncrypt Kind = "centre_encrypt"
)

// Purpose is what certificates are ordered for.
type Purpose int

// The purposes.
const (
	ForHall   Purpose = iota + 1 // a client: by TLS and SM2 requests; its name is the hall code
	ForWeb                       // the server of a hall's pages: by a TLS request alone, with hosts; its name is the hall code
	ForCentre                    // the server of the centre: by both, with hosts
)

// Order is what is ordered. Of the requests, PKCS #10 in DER, nothing is taken over but the keys: what else stands in the certificates is
// said here.
type Order struct {
	For   Purpose
	Name  string   // common name; the requests must say the same
	Hosts []string // DNS names and addresses of a server
	TLS   []byte   // P-256, ECDSA with SHA-256
	SM2   []byte
}

// Issued is what was issued, in DER. Without an SM2 request there is only TLS.
type Issued struct {
	Web     []byte // of a hall that asked for it too
	TLS     []byte
	Sign    []byte
	Encrypt []byte
	// SealedKey is the private key of Encrypt, which the authority has made and forgotten, sealed to the key of Sign: it is opened by
	// gm.PrivateKey.UnsealKey with hallsync.EncryptionKeyPart and the name.
	SealedKey []byte
}

// Roots are the issuers that everybody is to trust, those in use first.
type Roots struct {
	TLS []*x509.Certificate
	SM2 []*cert.Certificate
}

// Pin gives what an enrolment code says of the TLS root.
func (r Roots) Pin() hallsync.RootPin {
	return hallsync.PinOf(gm.Sum(r.TLS[0].RawSubjectPublicKeyInfo))
}

// Trusted gives the roots as boxes are told them.
func (r Roots) Trusted() (t hallsync.TrustedRoots) {
	for _, c := range r.TLS {
		t.TLS = append(t.TLS, c.Raw)
	}
	for _, c := range r.SM2 {
		t.SM2 = append(t.SM2, c.DER())
	}
	return t
}

// Authority signs certificates. It is safe for concurrent use. Embedded is one.
type Authority interface {
	Roots() Roots
	// Issue gives the certificates of a good order. It fails with *Fault for requests that are not good and for a clock before the roots, and
	// with ErrWaiting when somebody has to act first.
	Issue(o Order, now time.Time) (Issued, error)
}

// Code is why something cannot be done, for the sentence that people read.
type Code string

// The codes. Their sentences take path where it is named.
const (
	CodeUnsafe    Code = "pki_unsafe"     // path: others could read or change it
	CodeDamaged   Code = "pki_damaged"    // path: not what was written there, or a part without its other half
	CodeMissing   Code = "pki_missing"    // path: there are no roots yet
	CodeLost      Code = "pki_lost"       // path: the database knows roots that are not there
	CodeClock     Code = "pki_clock"      // the clock is behind what has been issued
	CodeRequest   Code = "pki_request"    // a request for a certificate is not good
	CodeEnrol     Code = "enrol_refused"  // a code that is not good here; the audit knows why
	CodeTooMany   Code = "enrol_limited"  // too many attempts from one place
	CodeValidity  Code = "enrol_validity" // a code would be good too short or too long
	CodeBadSerial Code = "enrol_serial"   // no serial number of a box
	CodeRevoked   Code = "pki_revoked"    // a certificate that is revoked
	CodeStranger  Code = "pki_stranger"   // one that the centre has not issued, or not for this
	CodeKeptOut   Code = "pki_kept_out"   // a hall in quarantine
	CodeNotAsked  Code = "renewal_none"   // a hall that waits for no approval
	CodeOtherAsk  Code = "renewal_other"  // a hall that waits for another approval than the one that is named
	CodeNotKept   Code = "release_none"   // a hall that is not in quarantine
	CodeElsewhere Code = "pki_elsewhere"  // the centre's certificates have not come back from the authority
	CodePeople    Code = "pki_people"     // an authority elsewhere issues no certificates of people for us
	CodeImport    Code = "pki_import"     // path: a certificate that is not what was ordered
)

// Fault is something that cannot be done, and why.
type Fault struct {
	Code Code
	Path string // of the codes that speak of one
	Err  error  // may be nil
}

func (f *Fault) Error() string {
	text := "pki: " + string(f.Code)
	if f.Path != "" {
		text += ": " + f.Path
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

func (f *Fault) Unwrap() error { return f.Err }
