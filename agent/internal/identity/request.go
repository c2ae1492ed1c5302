package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/firmware-protocols/hallsync"
)

// fileRequest holds the requests that are under way and the keys they were made with. They stay until the certificates are here: whoever
// lost the answer asks for the same again.
const fileRequest = "request.json"

// The parts that keys are sealed about.
const (
	aboutKeys = "hall-edge/v1/identity"
	partTLS   = "tls"
	partWeb   = "web"
)

// request is what the box asks certificates for.
type request struct {
	hallsync.Requests
	tls *ecdsa.PrivateKey
	web *ecdsa.PrivateKey // nil: no certificate of the hall's pages is asked for
}

// keptRequest is a request as it lies on the disk.
type keptRequest struct {
	Requests hallsync.Requests `json:"requests"`
	TLS      sealedKey         `json:"tls"`
	Web      sealedKey         `json:"web,omitzero"`
}

// sealedKey is a P-256 key sealed for the box's storage key: whoever has the disk and not that key has nothing.
type sealedKey struct {
	Wrapped []byte `json:"wrapped"` // a data key
	Sealed  []byte `json:"sealed"`  // PKCS #8
}

func (i *Identity) sealKey(key *ecdsa.PrivateKey, part string) (sealedKey, error) {
	if key == nil {
		return sealedKey{}, nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return sealedKey{}, fmt.Errorf("seal key: %w", err)
	}
	once := gm.NewDataKey()
	wrapped, err := once.Wrap(i.own.storage.Public())
	if err != nil {
		return sealedKey{}, fmt.Errorf("seal key: %w", err)
	}
	sealed, err := once.Seal(der, aboutKeys, string(i.o.Hall), part)
	if err != nil {
		return sealedKey{}, fmt.Errorf("seal key: %w", err)
	}
	return sealedKey{wrapped, sealed}, nil
}

func (i *Identity) openSealed(s sealedKey, part string) (*ecdsa.PrivateKey, error) {
	once, err := i.own.storage.UnwrapDataKey(s.Wrapped)
	if err != nil {
		return nil, err
	}
	der, err := once.Open(s.Sealed, aboutKeys, string(i.o.Hall), part)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, gm.ErrOpen // what the parser says may be of the key
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, gm.ErrOpen
	}
	return key, nil
}

// request gives the requests that are under way, or makes new ones and keeps them.
func (i *Identity) request() (request, error) {
	if r, ok := i.keptRequest(); ok {
		return r, nil
	}
	r, kept, err := i.newRequest()
	if err != nil {
		return request{}, err
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return request{}, fmt.Errorf("keep request: %w", err)
	}
	return r, i.dir.write(fileRequest, data)
}

// keptRequest gives the requests under way; ok is false when there are none, or none that fit any more. They stay when the hall's addresses
// have changed since: an operator may have approved them, and others are asked for as soon as these are answered.
func (i *Identity) keptRequest() (r request, ok bool) {
	data, err := i.dir.read(fileRequest)
	var kept keptRequest
	if err != nil || data == nil || json.Unmarshal(data, &kept) != nil {
		return request{}, false
	}
	r.Requests = kept.Requests
	asked, err := cert.ParseRequest(r.SM2)
	if err != nil || asked.Key.ID() != i.own.sign.Public().ID() || asked.Subject.CN != string(i.o.Hall) {
		return request{}, false
	}
	if r.tls, err = i.openSealed(kept.TLS, partTLS); err != nil {
		return request{}, false
	}
	if len(r.Web) > 0 {
		if r.web, err = i.openSealed(kept.Web, partWeb); err != nil {
			return request{}, false
		}
	}
	return r, true
}

func (i *Identity) newRequest() (r request, kept keptRequest, err error) {
	name := string(i.o.Hall)
	if r.tls, r.TLS, err = newTLSRequest(name); err != nil {
		return r, kept, err
	}
	if r.SM2, err = cert.NewRequest(i.own.sign, cert.Subject{CN: name}); err != nil {
		return r, kept, fmt.Errorf("make SM2 request: %w", err)
	}
	if r.Hosts = i.hosts(); len(r.Hosts) > 0 {
		if r.web, r.Web, err = newTLSRequest(name); err != nil {
			return r, kept, err
		}
	}
	kept.Requests = r.Requests
	if kept.TLS, err = i.sealKey(r.tls, partTLS); err != nil {
		return r, kept, err
	}
	kept.Web, err = i.sealKey(r.web, partWeb)
	return r, kept, err
}

func newTLSRequest(name string) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make TLS key: %w", err)
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, SignatureAlgorithm: x509.ECDSAWithSHA256}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, nil, fmt.Errorf("make TLS request: %w", err)
	}
	return key, der, nil
}
