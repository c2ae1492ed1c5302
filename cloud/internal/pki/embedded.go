package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/firmware-protocols/hallsync"
)

const (
	rootYears = 20
	leafYears = 1
	early     = time.Hour // by how much a certificate begins in the past: boxes' clocks are behind
	nameTLS   = "HallEdge Root TLS"
	nameSM2   = "HallEdge Root SM2"
)

// Embedded is the authority whose roots and keys are files of the centre. It is safe for concurrent use.
type Embedded struct {
	tls    *x509.Certificate
	tlsKey *ecdsa.PrivateKey
	sm2    *cert.Issuer
	sm2Key gm.PrivateKey
}

// OpenEmbedded gives the authority whose files lie below a directory, or makes it there. Known are the roots that have issued before:
// nothing takes their place in silence. It fails with *Fault when somebody else could read or change a file, when a root has no key, when
// there are no roots and they may not be made, and when the roots are others than the known ones.
func OpenEmbedded(path string, known [][]byte, make bool, now time.Time) (a *Embedded, err error) {
	d, err := openDirectory(path, make && len(known) == 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = absent(path, known)
		fallthrough
	case err != nil:
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	a = &Embedded{}
	if err := a.openTLS(d, now); err != nil {
		return nil, err
	}
	if err := a.openSM2(d, now); err != nil {
		return nil, err
	}
	if a.sm2 == nil || a.tls == nil {
		return nil, absent(path, known)
	}
	for _, der := range known {
		if string(der) != string(a.tls.Raw) && string(der) != string(a.sm2.Certificate().DER()) {
			return nil, &Fault{Code: CodeLost, Path: path}
		}
	}
	return a, nil
}

// absent is the fault of roots that are not there.
func absent(path string, known [][]byte) error {
	if len(known) > 0 {
		return &Fault{Code: CodeLost, Path: path}
	}
	return &Fault{Code: CodeMissing, Path: path}
}

// halves reads a key and its root. A root never is without its key.
func (d *directory) halves(key, root string) (keyText, rootText []byte, err error) {
	if keyText, err = d.read(key); err != nil {
		return nil, nil, err
	}
	if rootText, err = d.read(root); err != nil {
		return nil, nil, err
	}
	if keyText == nil && rootText != nil {
		return nil, nil, &Fault{Code: CodeDamaged, Path: d.Path(key), Err: errors.New("the root is there, its key is not")}
	}
	return keyText, rootText, nil
}

// openTLS leaves the root nil when there is none and none may be made; openSM2 does the same.
func (a *Embedded) openTLS(d *directory, now time.Time) error {
	keyText, rootText, err := d.halves(fileTLSKey, fileTLSRoot)
	if err != nil || rootText == nil && !d.make {
		return err
	}
	if keyText == nil {
		if keyText, err = newTLSKey(); err == nil {
			err = d.Write(fileTLSKey, keyText)
		}
		if err != nil {
			return err
		}
	}
	if a.tlsKey, err = parseTLSKey(keyText); err != nil {
		return &Fault{Code: CodeDamaged, Path: d.Path(fileTLSKey), Err: err}
	}
	if rootText == nil {
		der, err := newTLSRoot(a.tlsKey, now)
		if err != nil {
			return err
		}
		rootText = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if err := d.Write(fileTLSRoot, rootText); err != nil {
			return err
		}
	}
	if a.tls, err = parseTLSRoot(rootText, a.tlsKey); err != nil {
		return &Fault{Code: CodeDamaged, Path: d.Path(fileTLSRoot), Err: err}
	}
	return nil
}

func (a *Embedded) openSM2(d *directory, now time.Time) error {
	keyText, rootText, err := d.halves(fileSM2Key, fileSM2Root)
	if err != nil || rootText == nil && !d.make {
		return err
	}
	if keyText == nil {
		if keyText, err = newSM2Key(); err == nil {
			err = d.Write(fileSM2Key, keyText)
		}
		if err != nil {
			return err
		}
	}
	if a.sm2Key, err = gm.ParsePrivateKey(string(keyText)); err != nil {
		return &Fault{Code: CodeDamaged, Path: d.Path(fileSM2Key), Err: err}
	}
	if rootText == nil {
		root, err := cert.NewRoot(a.sm2Key, cert.Subject{CN: nameSM2}, begin(now), now.AddDate(rootYears, 0, 0))
		if err != nil {
			return fmt.Errorf("make SM2 root: %w", err)
		}
		rootText = []byte(root.Certificate().PEM())
		if err := d.Write(fileSM2Root, rootText); err != nil {
			return err
		}
	}
	certs, err := cert.ParsePEM(string(rootText))
	if err == nil {
		a.sm2, err = cert.OpenIssuer(certs[0], a.sm2Key)
	}
	if err != nil {
		return &Fault{Code: CodeDamaged, Path: d.Path(fileSM2Root), Err: err}
	}
	return nil
}

// begin is when a certificate that is made now begins: in whole seconds, as certificates say it.
func begin(now time.Time) time.Time { return now.Add(-early).UTC().Truncate(time.Second) }

func newTLSKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make TLS key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make TLS key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func newSM2Key() ([]byte, error) {
	key, err := gm.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make SM2 key: %w", err)
	}
	text, err := key.PEM()
	return []byte(text), err
}

func parseTLSKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("no PKCS #8") // what the parser says may be of the key
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key")
	}
	return key, nil
}

func parseTLSRoot(text []byte, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 {
		return nil, errors.New("no PEM of one certificate")
	}
	root, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return nil, err
	case !root.IsCA || root.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, errors.New("not the certificate of an issuer")
	case !key.PublicKey.Equal(root.PublicKey):
		return nil, errors.New("the key is another")
	}
	return root, nil
}

func newTLSRoot(key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: nameTLS},
		NotBefore: begin(now), NotAfter: now.AddDate(rootYears, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make TLS root: %w", err)
	}
	return der, nil
}

// serialNumber draws 128 bits, of which the first two are fixed so that all are positive and of one length (RFC 5280 §4.1.2.2).
func serialNumber() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

// Roots implements Authority.
func (a *Embedded) Roots() Roots {
	return Roots{[]*x509.Certificate{a.tls}, []*cert.Certificate{a.sm2.Certificate()}}
}

// Issue implements Authority.
func (a *Embedded) Issue(o Order, now time.Time) (Issued, error) {
	checked, err := check(o)
	if err != nil {
		return Issued{}, &Fault{Code: CodeRequest, Err: err}
	}
	from, _ := a.sm2.Certificate().Valid()
	if a.tls.NotBefore.After(from) {
		from = a.tls.NotBefore
	}
	if now.Before(from) {
		return Issued{}, &Fault{Code: CodeClock}
	}
	if b := begin(now); b.After(from) {
		from = b
	}
	until := now.AddDate(leafYears, 0, 0)
	var issued Issued
	if issued.TLS, err = a.issueTLS(o, checked, from, until); err != nil || checked.sm2.IsZero() {
		return issued, err
	}
	own, err := gm.GenerateKey()
	if err != nil {
		return Issued{}, fmt.Errorf("make encryption key: %w", err)
	}
	order := cert.Order{Subject: cert.Subject{CN: o.Name, Hosts: o.Hosts}, Role: o.For.role(), From: from, Until: until}
	order.Key, order.Use = checked.sm2, cert.Signing
	sign, err := a.sm2.Issue(order)
	if err != nil {
		return Issued{}, err
	}
	order.Key, order.Use = own.Public(), cert.Encrypting
	encrypt, err := a.sm2.Issue(order)
	if err != nil {
		return Issued{}, err
	}
	issued.Sign, issued.Encrypt = sign.DER(), encrypt.DER()
	issued.SealedKey, err = gm.SealKey(own, checked.sm2, hallsync.EncryptionKeyPart, o.Name)
	return issued, err
}

func (a *Embedded) issueTLS(o Order, c checkedOrder, from, until time.Time) ([]byte, error) {
	if until.After(a.tls.NotAfter) {
		return nil, errors.New("issue: it would end after its issuer's")
	}
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: o.Name}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{o.For.usage()},
		BasicConstraintsValid: true, DNSNames: c.names, IPAddresses: c.ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.tls, c.tls, a.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("issue: %w", err)
	}
	return der, nil
}

func (p Purpose) role() cert.Role {
	if p == ForHall {
		return cert.Client
	}
	return cert.Server
}

func (p Purpose) usage() x509.ExtKeyUsage {
	if p == ForHall {
		return x509.ExtKeyUsageClientAuth
	}
	return x509.ExtKeyUsageServerAuth
}
