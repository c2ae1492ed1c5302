package pki

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/gm/tlcp"
	"halledge/firmware-protocols/hallsync"
)

// fileCentre holds the centre's keys and certificates: one file, so that they always belong together.
const fileCentre = "centre.json"

// fileNext holds keys whose certificates have not been issued yet.
const fileNext = "centre-next.json"

// Papers are what the centre shows to halls, and the keys to it.
type Papers struct {
	TLS   *tls.Certificate
	TLCP  tlcp.Identity
	from  time.Time
	until time.Time
}

// Centre has the certificates of the centre itself. It is safe for concurrent use.
type Centre struct {
	register *Register
	hosts    []string

	renew sync.Mutex // one renewal at a time
	mu    sync.Mutex
	have  *Papers
}

// OpenCentre gives the centre's certificates for its names and addresses, and orders them when there are none. They lie beside the keys of
// the embedded authority. It fails with *Fault.
func (r *Register) OpenCentre(ctx context.Context, hosts []string) (*Centre, error) {
	c := &Centre{register: r, hosts: slices.Clone(hosts)}
	slices.Sort(c.hosts)
	if _, err := c.Renew(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Papers gives what is shown now.
func (c *Centre) Papers() *Papers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.have
}

// Renew takes new certificates into use when two thirds of the life of the ones there are over, when they are revoked or for other hosts,
// or when there are none. It reports whether others are shown than before.
func (c *Centre) Renew(ctx context.Context) (changed bool, err error) {
	c.renew.Lock()
	defer c.renew.Unlock()
	d, err := openDirectory(c.register.directory, false)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	text, err := d.read(fileCentre)
	if err != nil {
		return false, err
	}
	var p *Papers
	if text != nil {
		if p, err = parsePapers(text); err != nil {
			return false, &Fault{Code: CodeDamaged, Path: d.Path(fileCentre), Err: err}
		}
	}
	good, err := c.good(ctx, p)
	if err != nil {
		return false, err
	}
	if !good {
		ordered, next, err := c.order(ctx, d)
		switch {
		case errors.Is(err, ErrWaiting) && p == nil:
			return false, &Fault{Code: CodeElsewhere}
		case errors.Is(err, ErrWaiting): // what is there goes on until the other ones come
		case err != nil:
			return false, err
		default:
			p = next
			if err := errors.Join(d.Write(fileCentre, ordered), os.Remove(d.Path(fileNext))); err != nil {
				return false, err
			}
		}
	}
	// A box that has nothing but a pin finds the root among what is shown.
	p.TLS.Certificate = append(p.TLS.Certificate, c.register.Roots().TLS[0].Raw)
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = c.have == nil || !bytes.Equal(c.have.TLS.Certificate[0], p.TLS.Certificate[0])
	c.have = p
	return changed, nil
}

// good reports whether there is nothing to renew.
func (c *Centre) good(ctx context.Context, p *Papers) (bool, error) {
	if p == nil || !c.register.now().Before(renewAt(p.from, p.until)) {
		return false, nil
	}
	leaf := p.TLS.Leaf
	hosts := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	slices.Sort(hosts)
	if !slices.Equal(hosts, c.hosts) {
		return false, nil
	}
	stored, found, err := c.register.store.Certificate(ctx, SerialOf(leaf))
	if err != nil {
		return false, fmt.Errorf("read the centre's certificate: %w", err)
	}
	return found && stored.Revoked.IsZero(), nil
}

// centrePEM is the file, each field a PEM block.
type centrePEM struct {
	TLSKey, TLS, SignKey, Sign, EncryptKey, Encrypt string
}

// order has certificates issued, for keys that are kept until then: the authority may be elsewhere.
func (c *Centre) order(ctx context.Context, d *directory) (text []byte, p *Papers, err error) {
	file, key, sign, err := nextKeys(d)
	if err != nil {
		return nil, nil, err
	}
	o := Order{For: ForCentre, Name: hallsync.CentreName, Hosts: c.hosts}
	if o.TLS, err = tlsRequest(key, hallsync.CentreName); err != nil {
		return nil, nil, err
	}
	if o.SM2, err = cert.NewRequest(sign, cert.Subject{CN: hallsync.CentreName}); err != nil {
		return nil, nil, err
	}
	issued, err := c.register.Issue(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	encrypt, err := sign.UnsealKey(issued.SealedKey, hallsync.EncryptionKeyPart, hallsync.CentreName)
	if err != nil {
		return nil, nil, fmt.Errorf("open the centre's key: %w", err)
	}
	if file.EncryptKey, err = encrypt.PEM(); err != nil {
		return nil, nil, err
	}
	file.TLS, file.Sign, file.Encrypt = inPEM(issued.TLS), inPEM(issued.Sign), inPEM(issued.Encrypt)
	if text, err = json.Marshal(file); err != nil {
		return nil, nil, err
	}
	p, err = parsePapers(text)
	return text, p, err
}

// nextKeys gives the keys that the next certificates are for, and draws them the first time.
func nextKeys(d *directory) (file centrePEM, key *ecdsa.PrivateKey, sign gm.PrivateKey, err error) {
	text, err := d.read(fileNext)
	if err != nil {
		return file, nil, sign, err
	}
	if text == nil {
		if text, err = drawKeys(); err == nil {
			err = d.Write(fileNext, text)
		}
		if err != nil {
			return file, nil, sign, err
		}
	}
	if json.Unmarshal(text, &file) == nil { // what the decoder says may be of a key
		if key, err = parseTLSKey([]byte(file.TLSKey)); err == nil {
			sign, err = gm.ParsePrivateKey(file.SignKey)
		}
	}
	if err != nil || key == nil {
		return file, nil, sign, &Fault{Code: CodeDamaged, Path: d.Path(fileNext), Err: err}
	}
	return file, key, sign, nil
}

func drawKeys() ([]byte, error) {
	key, err := newTLSKey()
	if err != nil {
		return nil, err
	}
	sign, err := newSM2Key()
	if err != nil {
		return nil, err
	}
	return json.Marshal(centrePEM{TLSKey: string(key), SignKey: string(sign)})
}

func parsePapers(text []byte) (*Papers, error) {
	var file centrePEM
	if json.Unmarshal(text, &file) != nil { // what the decoder says may be of a key
		return nil, errors.New("no papers of the centre")
	}
	var p Papers
	pair, err := tls.X509KeyPair([]byte(file.TLS), []byte(file.TLSKey))
	if err != nil {
		return nil, errors.New("the TLS certificate and its key do not go together")
	}
	p.TLS, p.from, p.until = &pair, pair.Leaf.NotBefore, pair.Leaf.NotAfter
	for _, one := range []struct {
		key, cert string
		to        *gm.PrivateKey
		holds     **cert.Certificate
	}{{file.SignKey, file.Sign, &p.TLCP.SignKey, &p.TLCP.Sign}, {file.EncryptKey, file.Encrypt, &p.TLCP.EncKey, &p.TLCP.Enc}} {
		if *one.to, err = gm.ParsePrivateKey(one.key); err != nil {
			return nil, errors.New("no SM2 key")
		}
		certs, err := cert.ParsePEM(one.cert)
		if err != nil {
			return nil, err
		}
		*one.holds = certs[0]
		if certs[0].PublicKey().String() != one.to.Public().String() {
			return nil, errors.New("an SM2 certificate and its key do not go together")
		}
		from, until := certs[0].Valid()
		if from.After(p.from) {
			p.from = from
		}
		if until.Before(p.until) {
			p.until = until
		}
	}
	return &p, nil
}

func inPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func tlsRequest(key *ecdsa.PrivateKey, name string) ([]byte, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, SignatureAlgorithm: x509.ECDSAWithSHA256}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("make TLS request: %w", err)
	}
	return der, nil
}
