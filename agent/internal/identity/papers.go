package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/private"
	"halledge/firmware-protocols/hallsync"
)

// What is enrolled is one file, and until it has worked the one before it stays.
const (
	filePapers = "enrolled.json"
	fileBefore = "enrolled.before.json"
)

// record is what enrolment gave, as it lies on the disk.
type record struct {
	Hall     hallsync.HallID   `json:"hall"`
	HTTPS    string            `json:"https"`            // where it was given
	Number   uint64            `json:"number,omitempty"` // of the signed answer; of what a code gave 0
	Hosts    []string          `json:"hosts,omitempty"`  // of the hall's pages that were asked for
	Passed   bool              `json:"passed,omitempty"` // the numbers of the boxes before this one were passed over
	TLS      sealedKey         `json:"tls"`
	Web      sealedKey         `json:"web,omitzero"`
	Enrolled hallsync.Enrolled `json:"enrolled"`
}

// papers are a record that has been found good: the certificates with their keys, and whom to believe.
type papers struct {
	record
	tls         tls.Certificate
	web         *tls.Certificate
	roots       *x509.CertPool
	sm2         *cert.Roots
	tlcp        tlcpKeys
	centre      []gm.PublicKey
	receipts    []gm.PublicKey
	index       []IndexKey
	revoked     hallsync.Revocations // as they were given with the certificates
	issued      time.Time            // when the youngest of the certificates begins
	from, until time.Time            // the time in which all of them are good
}

type tlcpKeys struct {
	sign, encrypt *cert.Certificate
	encryptKey    gm.PrivateKey
}

// IndexKey is a key of the hall's index of people. Its bytes are a secret: who has it finds numbers out.
type IndexKey struct {
	ID  string
	key []byte
}

// Reveal gives the key.
func (k IndexKey) Reveal() []byte { return k.key }

// Format implements fmt.Formatter for every verb: the name alone.
func (k IndexKey) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.ID) }

// wrong is what is wrong with papers. It never says what stands in them.
func wrong(what string) error { return errors.New("identity: " + what) }

// open finds out whether a record is good for this box, at whatever time it was: the chains and names, that the keys fit, that what is
// sealed can be opened.
func (i *Identity) openRecord(r record) (p *papers, err error) {
	if r.Hall != i.o.Hall {
		return nil, wrong("of another hall")
	}
	p = &papers{record: r}
	for _, step := range []func(*papers) error{i.openRoots, i.openTLS, i.openTLCP, openCentre, i.openIndex, i.openWeb} {
		if err := step(p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (i *Identity) openRoots(p *papers) error {
	p.roots = x509.NewCertPool()
	for _, der := range p.Enrolled.Roots.TLS {
		root, err := x509.ParseCertificate(der)
		if err != nil || !root.IsCA || root.CheckSignatureFrom(root) != nil {
			return wrong("no TLS root")
		}
		p.roots.AddCert(root)
	}
	var roots []*cert.Certificate
	for _, der := range p.Enrolled.Roots.SM2 {
		root, err := cert.Parse(der)
		if err != nil || !root.SelfSigned() {
			return wrong("no SM2 root")
		}
		roots = append(roots, root)
	}
	var err error
	if p.sm2, err = cert.NewRoots(roots...); err != nil {
		return wrong("no SM2 root")
	}
	return nil
}

func (i *Identity) openTLS(p *papers) error {
	key, err := i.openSealed(p.TLS, partTLS)
	if err != nil {
		return err
	}
	p.tls, err = i.certificate(p, p.Enrolled.TLS, key, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return err
	}
	p.from, p.until, p.issued = p.tls.Leaf.NotBefore, p.tls.Leaf.NotAfter, p.tls.Leaf.NotBefore
	return nil
}

// certificate gives a certificate of the P-256 roots with its key.
func (i *Identity) certificate(p *papers, der []byte, key *ecdsa.PrivateKey, use x509.ExtKeyUsage) (tls.Certificate, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, wrong("no TLS certificate")
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: p.roots, CurrentTime: leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{use}})
	switch {
	case err != nil:
		return tls.Certificate{}, wrong("TLS certificate of no root")
	case leaf.Subject.CommonName != string(i.o.Hall) || leaf.IsCA:
		return tls.Certificate{}, wrong("TLS certificate of another holder")
	case !key.PublicKey.Equal(leaf.PublicKey):
		return tls.Certificate{}, wrong("TLS certificate of another key")
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func (i *Identity) openTLCP(p *papers) (err error) {
	if p.tlcp.sign, err = i.sm2Certificate(p, p.Enrolled.Sign, cert.Signing); err != nil {
		return err
	}
	if p.tlcp.sign.PublicKey().ID() != i.own.sign.Public().ID() {
		return wrong("SM2 certificate of another key")
	}
	if p.tlcp.encrypt, err = i.sm2Certificate(p, p.Enrolled.Encrypt, cert.Encrypting); err != nil {
		return err
	}
	p.tlcp.encryptKey, err = i.own.sign.UnsealKey(p.Enrolled.SealedKey, hallsync.EncryptionKeyPart, string(i.o.Hall))
	if err != nil {
		return err
	}
	if p.tlcp.encryptKey.Public().ID() != p.tlcp.encrypt.PublicKey().ID() {
		return wrong("SM2 certificate of another key")
	}
	return nil
}

func (i *Identity) sm2Certificate(p *papers, der []byte, use cert.Use) (*cert.Certificate, error) {
	c, err := cert.Parse(der)
	if err != nil {
		return nil, wrong("no SM2 certificate")
	}
	from, until := c.Valid()
	if p.sm2.Verify([]*cert.Certificate{c}, cert.Want{At: from, Role: cert.Client, Use: use, CN: string(i.o.Hall)}) != nil {
		return nil, wrong("SM2 certificate of no root, or of another holder")
	}
	if from.After(p.from) {
		p.from = from
	}
	if until.Before(p.until) {
		p.until = until
	}
	return c, nil
}

func openCentre(p *papers) (err error) {
	if p.centre, err = publicKeys(p.Enrolled.Centre.Open); err == nil {
		p.receipts, err = publicKeys(p.Enrolled.Centre.Sign)
	}
	if err != nil {
		return err
	}
	p.revoked, err = opened(p.Enrolled.Revoked, p.receipts)
	return err
}

func publicKeys(texts []string) (keys []gm.PublicKey, err error) {
	for _, text := range texts {
		k, err := gm.ParsePublicKey(text)
		if err != nil {
			return nil, wrong("no key of the centre")
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, wrong("no key of the centre")
	}
	return keys, nil
}

func (i *Identity) openIndex(p *papers) error {
	for _, k := range p.Enrolled.Index {
		key, err := p.tlcp.encryptKey.Unwrap(k.Wrapped)
		if err != nil {
			return wrong("no key of the index")
		}
		p.index = append(p.index, IndexKey{k.ID, key})
	}
	return nil
}

func (i *Identity) openWeb(p *papers) error {
	if len(p.Enrolled.Web) == 0 {
		return nil
	}
	key, err := i.openSealed(p.Web, partWeb)
	if err != nil {
		return err
	}
	web, err := i.certificate(p, p.Enrolled.Web, key, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	p.web = &web
	return nil
}

// judged makes papers of the centre's answer, and touches nothing.
func (i *Identity) judged(e hallsync.Enrolled, r request, https string, number uint64, now time.Time) (p *papers, err error) {
	rec := record{Hall: i.o.Hall, HTTPS: https, Number: number, Hosts: r.Hosts, Enrolled: e}
	if rec.TLS, err = i.sealKey(r.tls, partTLS); err != nil {
		return nil, err
	}
	if rec.Web, err = i.sealKey(r.web, partWeb); err != nil {
		return nil, err
	}
	p, err = i.openRecord(rec)
	if err == nil && (now.Before(p.from) || !now.Before(p.until)) {
		err = wrong("certificates that are not in force")
	}
	if err != nil {
		return nil, &Fault{Code: CodeAnswer, Err: err}
	}
	return p, nil
}

// take makes papers of the centre's answer and puts them into force: on the disk first, whole.
func (i *Identity) take(e hallsync.Enrolled, r request, https string, number uint64, now time.Time) error {
	p, err := i.judged(e, r, https, number, now)
	if err != nil {
		return err
	}
	data, err := json.Marshal(p.record)
	if err != nil {
		return fmt.Errorf("keep certificates: %w", err)
	}
	if err := i.replace(data); err != nil {
		return err
	}
	i.put(p, true)
	// What asked for them is done with. After a failure here it asks once more, in vain.
	i.begin(p)
	i.putRevoked(p.revoked)
	if number > 0 { // a code that still waits is not done with
		return i.dir.remove(fileRequest)
	}
	return i.dir.remove(fileProvision, fileRequest)
}

// replace puts new papers in the place of those in force, which stay beside them until the new ones have worked.
func (i *Identity) replace(data []byte) error {
	return i.dir.do(false, func(open *private.Directory) error {
		old, err := open.Read(filePapers)
		if err != nil && !isFault(faultOf(err), CodeDamaged) {
			return err
		}
		if old != nil {
			if err := open.Write(fileBefore, old); err != nil {
				return err
			}
		}
		return open.Write(filePapers, data)
	})
}

// Worked says that the centre has answered to the papers in force: those before them are done with.
func (i *Identity) Worked() {
	i.mu.Lock()
	before := i.before
	i.before = false
	i.mu.Unlock()
	if !before {
		return
	}
	if err := i.dir.remove(fileBefore); err != nil {
		i.o.Log.Warn("certificates of before not removed", "error", err)
	}
}

// load reads the papers. Those that are damaged are put aside, and the ones before them, if they are still there, come back. Those of another hall
// stay where they are: the hall's code may be mistyped.
func (i *Identity) load(mend bool) error {
	return i.dir.do(false, func(open *private.Directory) error {
		for _, name := range []string{filePapers, fileBefore} {
			data, err := open.Read(name)
			if data == nil && err == nil {
				continue
			}
			p, err := i.parse(open.Path(name), data, faultOf(err))
			switch {
			case err == nil:
				_, statErr := os.Stat(open.Path(fileBefore))
				i.put(p, name == filePapers && statErr == nil)
				return nil
			case isFault(err, CodeForeign):
				i.o.Log.Error("certificates of another hall not used", "file", open.Path(name), "error", err)
			case !isFault(err, CodeDamaged):
				return err
			case !mend:
				i.damage(open.Path(name))
				if i.Enrolled() { // while it works: those in force stay
					return nil
				}
			default:
				if err := i.putAside(open, name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// put puts papers into force; before says that others stand beside them.
func (i *Identity) put(p *papers, before bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now, i.before = p, before
	close(i.changed)
	i.changed = make(chan struct{})
}

// parse gives the papers of a file. What is wrong with them is a *Fault, CodeDamaged, unless a key cannot be used now.
func (i *Identity) parse(path string, data []byte, err error) (*papers, error) {
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, &Fault{Code: CodeDamaged, Path: path, Err: wrong("not JSON")}
	}
	if r.Hall.Valid() && r.Hall != i.o.Hall {
		return nil, &Fault{Code: CodeForeign, Path: path, Args: map[string]string{"hall": string(r.Hall), "own": string(i.o.Hall)}}
	}
	p, err := i.openRecord(r)
	var key *gm.KeyError
	if err != nil && !errors.As(err, &key) {
		err = &Fault{Code: CodeDamaged, Path: path, Err: err}
	}
	return p, err
}

// Reindex takes other keys of the hall's index of people into force, which were wrapped for the certificate in force, and reports whether they
// are others. They are on the disk when it returns.
func (i *Identity) Reindex(keys []hallsync.IndexKey) (changed bool, err error) {
	err = i.amend(func(p *papers) (bool, error) {
		if slices.EqualFunc(keys, p.index, func(a hallsync.IndexKey, b IndexKey) bool { return a.ID == b.ID }) {
			return false, nil
		}
		p.Enrolled.Index, p.index = keys, nil
		changed = true
		return true, i.openIndex(p)
	})
	return changed && err == nil, err
}

// amend changes the papers in force: on the disk first. change is given a copy, and reports whether it is to take their place; the directory is
// locked for it, or of two who change something else one would take back what the other has done.
func (i *Identity) amend(change func(*papers) (bool, error)) error {
	return i.dir.do(false, func(open *private.Directory) error {
		p := i.papers()
		if p == nil {
			return &Fault{Code: CodeNotEnrolled}
		}
		next := *p
		if changed, err := change(&next); err != nil || !changed {
			return err
		}
		old, err := open.Read(filePapers)
		if err != nil {
			return err
		}
		var r record
		if json.Unmarshal(old, &r) != nil || !bytes.Equal(r.Enrolled.TLS, p.Enrolled.TLS) {
			return errors.New("amend papers: the certificates have changed meanwhile") // new ones bring their own
		}
		data, err := json.Marshal(next.record)
		if err != nil {
			return fmt.Errorf("amend papers: %w", err)
		}
		if err := open.Write(filePapers, data); err != nil {
			return err
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.now = &next // whoever brings others writes them into the directory first
		return nil
	})
}

// beforeTime is more than the day on which a box is enrolled.
const beforeTime = 48 * time.Hour

// Before counts the thousands of numbers that other boxes of this hall had begun since the last business day began, as far as the centre knew when
// it enrolled this one, and that were not passed over yet: until NumbersPassed, whatever the power does, or until nobody holds such a number.
func (i *Identity) Before() int {
	p := i.papers()
	if p == nil || p.Passed || i.Now().Sub(p.issued) > beforeTime {
		return 0
	}
	return p.Enrolled.Before
}

// NumbersPassed says that the hall goes on behind so many thousands of numbers, of which Before spoke.
func (i *Identity) NumbersPassed(thousands int) error {
	return i.amend(func(p *papers) (bool, error) {
		if p.Passed || p.Enrolled.Before > thousands { // the latter came meanwhile
			return false, nil
		}
		p.Passed = true
		return true, nil
	})
}
