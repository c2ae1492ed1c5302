package pki

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/whole"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Issuers name the files of an authority elsewhere, PEM: who signs the TLS and who signs the SM2 certificates of halls and of the centre.
type Issuers struct{ TLS, SM2 string }

// elsewhereTime bounds what the database may take; an Authority is asked without a context.
const elsewhereTime = 10 * time.Second

// Bounds of what is imported.
const (
	maxImportFile  = 256 << 10
	maxImportFiles = 20_000
)

// elsewhere is an authority that signs when somebody carries the requests there and the certificates back. It implements Authority.
type elsewhere struct {
	store *store.Store
	roots Roots
	pool  *x509.CertPool
	sm2   *cert.Roots
}

func openElsewhere(st *store.Store, o Options) (*elsewhere, error) {
	a := &elsewhere{store: st, pool: x509.NewCertPool()}
	text, err := os.ReadFile(o.Issuers.TLS)
	if err != nil {
		return nil, fmt.Errorf("read issuers: %w", err)
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA {
			return nil, &Fault{Code: CodeDamaged, Path: o.Issuers.TLS, Err: err}
		}
		a.roots.TLS = append(a.roots.TLS, c)
		a.pool.AddCert(c)
	}
	if len(a.roots.TLS) == 0 {
		return nil, &Fault{Code: CodeDamaged, Path: o.Issuers.TLS}
	}
	if text, err = os.ReadFile(o.Issuers.SM2); err != nil {
		return nil, fmt.Errorf("read issuers: %w", err)
	}
	if a.roots.SM2, err = cert.ParsePEM(string(text)); err == nil {
		a.sm2, err = cert.NewRoots(a.roots.SM2...)
	}
	if err != nil {
		return nil, &Fault{Code: CodeDamaged, Path: o.Issuers.SM2, Err: err}
	}
	d, err := openDirectory(o.Directory, true) // of the centre's own papers
	if err != nil {
		return nil, err
	}
	return a, d.Close()
}

// Roots implements Authority.
func (a *elsewhere) Roots() Roots { return a.roots }

// placed is an order as the database keeps it.
type placed struct {
	TLS       []byte
	Sign      []byte   `json:",omitempty"`
	Encrypt   []byte   `json:",omitempty"` // of a key that was made here and forgotten
	SealedKey []byte   `json:",omitempty"`
	Hosts     []string `json:",omitempty"`
}

// Issue implements Authority: it gives what came back for these keys, once, or places the order.
func (a *elsewhere) Issue(o Order, now time.Time) (issued Issued, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), elsewhereTime)
	defer cancel()
	sum, err := digest(o, nil)
	if err != nil {
		return Issued{}, err
	}
	body, err := place(o)
	if err != nil {
		return Issued{}, err
	}
	waits := false
	err = a.store.Write(ctx, func(tx *store.Tx) error {
		there, found, err := tx.SigningOrder(o.Name, int(o.For))
		switch waits = false; {
		case err != nil:
			return err
		case found && there.Digest == sum && there.Given != nil:
			return errors.Join(json.Unmarshal(there.Given, &issued), tx.DropSigningOrder(o.Name, int(o.For)))
		case found && there.Digest == sum:
			waits = true
			return nil
		}
		waits = true
		return tx.PutSigningOrder(store.SigningOrder{Name: o.Name, Purpose: int(o.For), Digest: sum, Asked: now, Body: body})
	})
	switch {
	case err != nil:
		return Issued{}, fmt.Errorf("order certificates: %w", err)
	case waits:
		return Issued{}, ErrWaiting
	}
	return issued, nil
}

// place makes the order, with a key for encryption that nobody keeps but its holder.
func place(o Order) ([]byte, error) {
	p := placed{TLS: o.TLS, Sign: o.SM2, Hosts: o.Hosts}
	if len(o.SM2) > 0 {
		to, err := sm2KeyOf(o.SM2, o.Name)
		if err != nil {
			return nil, &Fault{Code: CodeRequest, Err: err}
		}
		own, err := gm.GenerateKey()
		if err != nil {
			return nil, fmt.Errorf("make encryption key: %w", err)
		}
		if p.Encrypt, err = cert.NewRequest(own, cert.Subject{CN: o.Name}); err != nil {
			return nil, err
		}
		if p.SealedKey, err = gm.SealKey(own, to, hallsync.EncryptionKeyPart, o.Name); err != nil {
			return nil, err
		}
	}
	return json.Marshal(p)
}

// side says which end the holder of the certificates is.
func (p Purpose) side() string {
	if p == ForHall {
		return "client"
	}
	return "server"
}

// names are how the files of an order are called.
func (p Purpose) names() (tls, sign, encrypt string) {
	if p == ForWeb {
		return "web", "", ""
	}
	return "tls", "sign", "encrypt"
}

// ExportRequests writes what an authority elsewhere is to sign into a directory, PKCS #10 in PEM, and a list of it: file, use and hosts of
// each. It gives how many there are.
func (r *Register) ExportRequests(ctx context.Context, directory string) (count int, err error) {
	orders, err := r.store.SigningOrders(ctx)
	if err != nil {
		return 0, fmt.Errorf("export requests: %w", err)
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return 0, err
	}
	var list strings.Builder
	for _, o := range orders {
		var p placed
		if o.Given != nil {
			continue
		}
		if err := json.Unmarshal(o.Body, &p); err != nil {
			return count, fmt.Errorf("export requests: %w", err)
		}
		purpose := Purpose(o.Purpose)
		tls, sign, encrypt := purpose.names()
		for _, one := range []struct {
			use string
			der []byte
		}{{tls, p.TLS}, {sign, p.Sign}, {encrypt, p.Encrypt}} {
			if one.der == nil {
				continue
			}
			name := o.Name + "." + one.use + ".csr"
			text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: one.der})
			if err := whole.Write(filepath.Join(directory, name), text); err != nil {
				return count, err
			}
			fmt.Fprintf(&list, "%s\t%s\t%s\t%s\n", name, purpose.side(), one.use, strings.Join(p.Hosts, ","))
			count++
		}
	}
	return count, whole.Write(filepath.Join(directory, "requests.txt"), []byte(list.String()))
}

// Import takes certificates from the files of a directory, PEM or DER, for the orders whose keys they hold; others are left alone. An order is done
// when all of its certificates are there. It gives how many orders are. It fails with *Fault for a certificate that is not what was ordered.
func (r *Register) Import(ctx context.Context, directory string, by Actor) (done int, err error) {
	a, ok := r.authority.(*elsewhere)
	if !ok {
		return 0, &Fault{Code: CodeImport, Path: directory, Err: errors.New("the embedded authority signs by itself")}
	}
	shown, err := readCertificates(directory)
	if err != nil {
		return 0, err
	}
	orders, err := r.store.SigningOrders(ctx)
	if err != nil {
		return 0, fmt.Errorf("import certificates: %w", err)
	}
	now := r.now()
	for _, o := range orders {
		if o.Given != nil {
			continue
		}
		issued, complete, err := a.match(o, shown, now)
		if err != nil {
			return done, err
		}
		if !complete {
			continue
		}
		if o.Given, err = json.Marshal(issued); err != nil {
			return done, err
		}
		err = r.store.Write(ctx, func(tx *store.Tx) error {
			return errors.Join(tx.PutSigningOrder(o), tx.AddAudit(audit(by, store.ActionImport, o.Name, "ok", now)))
		})
		if err != nil {
			return done, fmt.Errorf("import certificates: %w", err)
		}
		done++
	}
	return done, nil
}

// readCertificates gives the certificates below a directory by their public keys (SubjectPublicKeyInfo), with the file of each.
func readCertificates(directory string) (map[string][]found, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	all := map[string][]found{}
	for i, e := range entries {
		path := filepath.Join(directory, e.Name())
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxImportFile || i >= maxImportFiles {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		ders := [][]byte{data}
		if block, rest := pem.Decode(data); block != nil {
			for ders = nil; block != nil; block, rest = pem.Decode(rest) {
				ders = append(ders, block.Bytes)
			}
		}
		for _, der := range ders {
			if c, err := cert.Parse(der); err == nil {
				all[c.PublicKey().String()] = append(all[c.PublicKey().String()], found{path, der})
			} else if c, err := x509.ParseCertificate(der); err == nil {
				all[string(c.RawSubjectPublicKeyInfo)] = append(all[string(c.RawSubjectPublicKeyInfo)], found{path, der})
			}
		}
	}
	return all, nil
}

type found struct {
	path string
	der  []byte
}

// match finds the certificates of an order and checks that they are what was ordered.
func (a *elsewhere) match(o store.SigningOrder, shown map[string][]found, now time.Time) (issued Issued, complete bool, err error) {
	var p placed
	if err := json.Unmarshal(o.Body, &p); err != nil {
		return Issued{}, false, fmt.Errorf("import certificates: %w", err)
	}
	purpose := Purpose(o.Purpose)
	request, err := x509.ParseCertificateRequest(p.TLS)
	if err != nil {
		return Issued{}, false, fmt.Errorf("import certificates: %w", err)
	}
	for _, f := range shown[string(request.RawSubjectPublicKeyInfo)] {
		if err := a.checkTLS(f.der, o.Name, purpose, p.Hosts, now); err != nil {
			return Issued{}, false, &Fault{Code: CodeImport, Path: f.path, Err: err}
		}
		issued.TLS = f.der
	}
	issued.SealedKey = p.SealedKey
	for _, one := range []struct {
		request []byte
		use     cert.Use
		to      *[]byte
	}{{p.Sign, cert.Signing, &issued.Sign}, {p.Encrypt, cert.Encrypting, &issued.Encrypt}} {
		if one.request == nil {
			continue
		}
		asked, err := cert.ParseRequest(one.request)
		if err != nil {
			return Issued{}, false, fmt.Errorf("import certificates: %w", err)
		}
		for _, f := range shown[asked.Key.String()] {
			c, err := cert.Parse(f.der)
			if err == nil {
				err = a.sm2.Verify([]*cert.Certificate{c}, cert.Want{At: now, Role: purpose.role(), Use: one.use, CN: o.Name})
			}
			if err == nil {
				err = covers(c.Hosts(), p.Hosts)
			}
			if err != nil {
				return Issued{}, false, &Fault{Code: CodeImport, Path: f.path, Err: err}
			}
			*one.to = f.der
		}
	}
	return issued, issued.TLS != nil && (p.Sign == nil || issued.Sign != nil && issued.Encrypt != nil), nil
}

func (a *elsewhere) checkTLS(der []byte, name string, p Purpose, hosts []string, now time.Time) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: a.pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{p.usage()}}); err != nil {
		return err
	}
	if c.Subject.CommonName != name {
		return errors.New("of another holder")
	}
	own := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		own = append(own, ip.String())
	}
	return covers(own, hosts)
}

// covers fails unless all hosts that were ordered are there.
func covers(there, ordered []string) error {
	for _, h := range ordered {
		if !slices.Contains(there, h) {
			return errors.New("a host is missing: " + h)
		}
	}
	return nil
}
