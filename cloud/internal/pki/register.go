package pki

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// slack is by how much the clock may be behind the last certificate before it counts as set back.
const slack = 5 * time.Minute

// Limits of attempts with enrolment codes: from one network, five at once and then one in ten seconds. A code has 80 bits, so the limit
// spares the centre work; a code that was tried by the wrong hall or box as often as maxFailed is dead.
const (
	attemptEvery = 10 * time.Second
	attemptBurst = 5
	attemptKeys  = 4096
	maxFailed    = 5
)

// Actor is who does something, for the audit.
type Actor struct {
	Name   string // user, or account of the machine
	By     string // how he came in, as package access says it
	Remote string // network address, empty for none
}

// Register issues certificates by an Authority and keeps in the database what it has issued. It is safe for concurrent use, also beside
// another process that uses the same database.
type Register struct {
	authority Authority
	store     *store.Store
	directory string // of the centre's own papers
	hosts     []string
	domains   []string
	now       func() time.Time
	attempts  *origin.Limit // by network
	renewals  *origin.Limit // by hall
}

// Options say where the embedded authority is.
type Options struct {
	Directory string
	// Make makes the roots when there are none: the service and who sets it up do, under the account of the service.
	Make bool
	// Issuers are those of an authority elsewhere, which signs in place of the embedded one.
	Issuers Issuers
	// Hosts are the centre's own names and addresses, which no hall's pages have; Domains are where halls' pages may be beside local names
	// and private addresses.
	Hosts, Domains []string
	Now            func() time.Time
}

// Open gives the register of the embedded authority, or of one elsewhere. It fails with *Fault as OpenEmbedded does.
func Open(ctx context.Context, st *store.Store, o Options) (*Register, error) {
	if o.Issuers != (Issuers{}) {
		a, err := openElsewhere(st, o)
		if err != nil {
			return nil, err
		}
		return newRegister(a, st, o), nil
	}
	known, err := knownRoots(ctx, st)
	if err != nil {
		return nil, err
	}
	a, err := OpenEmbedded(o.Directory, known, o.Make, o.Now())
	if err != nil {
		return nil, err
	}
	if err := remember(ctx, st, a.Roots(), o.Directory, o.Now()); err != nil {
		return nil, err
	}
	return newRegister(a, st, o), nil
}

func newRegister(a Authority, st *store.Store, o Options) *Register {
	return &Register{a, st, o.Directory, o.Hosts, o.Domains, o.Now, origin.NewLimit(attemptEvery, attemptBurst, attemptKeys), origin.NewLimit(renewEvery, renewBurst, renewHalls)}
}

// knownRoots reads the roots that the database has seen.
func knownRoots(ctx context.Context, st *store.Store) (known [][]byte, err error) {
	err = st.Write(ctx, func(tx *store.Tx) error {
		known = nil
		for _, kind := range []Kind{RootTLS, RootSM2} {
			roots, err := tx.CertificatesOf(string(kind))
			if err != nil {
				return err
			}
			for _, r := range roots {
				known = append(known, r.DER)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read roots: %w", err)
	}
	return known, nil
}

// remember stores the roots the first time. Two processes that make them at the same time have the same: the directory is locked.
func remember(ctx context.Context, st *store.Store, r Roots, path string, now time.Time) error {
	all := []store.Certificate{record(RootTLS, r.TLS[0].Subject.CommonName, r.TLS[0], now), recordSM2(RootSM2, r.SM2[0].CN(), r.SM2[0], now)}
	return st.Write(ctx, func(tx *store.Tx) error {
		for _, c := range all {
			there, err := tx.CertificatesOf(c.Kind)
			switch {
			case err != nil:
				return err
			case len(there) == 0:
				err = tx.AddCertificate(c)
			case string(there[0].DER) != string(c.DER):
				err = &Fault{Code: CodeLost, Path: path}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func record(kind Kind, holder string, c *x509.Certificate, now time.Time) store.Certificate {
	return store.Certificate{
		Serial: SerialOf(c), Kind: string(kind), Holder: holder, DER: c.Raw, From: c.NotBefore, Until: c.NotAfter, Issued: now,
	}
}

func recordSM2(kind Kind, holder string, c *cert.Certificate, now time.Time) store.Certificate {
	from, until := c.Valid()
	return store.Certificate{Serial: c.Serial(), Kind: string(kind), Holder: holder, DER: c.DER(), From: from, Until: until, Issued: now}
}

// SerialOf gives the serial number of a certificate as the register knows it.
func SerialOf(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }

// Roots gives the roots of the authority.
func (r *Register) Roots() Roots { return r.authority.Roots() }

// Issue issues certificates and writes them down. Whoever calls it has made sure that who asks may have them. It fails with *Fault.
func (r *Register) Issue(ctx context.Context, o Order) (Issued, error) {
	now := r.now()
	issued, records, err := r.sign(o, nil, now)
	if err != nil {
		return Issued{}, err
	}
	if err := r.store.Write(ctx, func(tx *store.Tx) error { return add(tx, records, now) }); err != nil {
		return Issued{}, err
	}
	return issued, nil
}

// sign has the authority issue what is ordered, and with a request of a hall's pages that too. It gives what the database keeps of it.
func (r *Register) sign(o Order, web *Order, now time.Time) (Issued, []store.Certificate, error) {
	issued, err := r.authority.Issue(o, now)
	if err != nil && !errors.Is(err, ErrWaiting) {
		return Issued{}, nil, err
	}
	var pages Issued
	if web != nil { // ordered too when the others have to wait
		var further error
		if pages, further = r.authority.Issue(*web, now); further != nil {
			err = further
		}
	}
	if err != nil {
		return Issued{}, nil, err
	}
	records, err := recordsOf(o, issued, now)
	if err != nil || web == nil {
		return issued, records, err
	}
	more, err := recordsOf(*web, pages, now)
	issued.Web = pages.TLS
	return issued, append(records, more...), err
}

// recordsOf gives what the database keeps of what was issued.
func recordsOf(o Order, issued Issued, now time.Time) ([]store.Certificate, error) {
	kinds := map[Purpose][3]Kind{
		ForHall: {HallTLS, HallSign, HallEncrypt}, ForWeb: {HallWeb}, ForCentre: {CentreTLS, CentreSign, CentreEncrypt},
	}[o.For]
	tls, err := x509.ParseCertificate(issued.TLS)
	if err != nil {
		return nil, fmt.Errorf("read issued certificate: %w", err)
	}
	all := []store.Certificate{record(kinds[0], o.Name, tls, now)}
	for i, der := range [][]byte{issued.Sign, issued.Encrypt} {
		if der == nil {
			continue
		}
		c, err := cert.Parse(der)
		if err != nil {
			return nil, fmt.Errorf("read issued certificate: %w", err)
		}
		all = append(all, recordSM2(kinds[i+1], o.Name, c, now))
	}
	return all, nil
}

// add writes certificates down, unless the clock is behind what was issued before: with a clock that was set back, codes and certificates
// that are over would be good again.
func add(tx *store.Tx, records []store.Certificate, now time.Time) error {
	last, err := tx.LastIssued()
	if err != nil {
		return fmt.Errorf("write certificates down: %w", err)
	}
	if now.Before(last.Add(-slack)) {
		return &Fault{Code: CodeClock}
	}
	for _, c := range records {
		if err := tx.AddCertificate(c); err != nil {
			return fmt.Errorf("write certificates down: %w", err)
		}
	}
	return nil
}

// Revoke revokes all certificates of a hall, or of the centre under one of its names, and reports how many were in force. Codes that were made
// for the hall and not used are good for nothing: they may lie with the box. It works with a clock that is behind, too: whoever is to be shut
// out must be.
func (r *Register) Revoke(ctx context.Context, holder, reason string, by Actor) (revoked int, err error) {
	now := r.now()
	err = r.store.Write(ctx, func(tx *store.Tx) (err error) {
		if revoked, err = revoke(tx, holder, reason, now); err != nil {
			return err
		}
		result := "none"
		if revoked > 0 {
			result = "ok"
		}
		hall := hallsync.HallID(holder)
		return errors.Join(tx.DropRenewal(hall), tx.DropEnrolCodes(hall), tx.AddAudit(audit(by, store.ActionRevoke, holder, result, now)))
	})
	if err != nil {
		return 0, fmt.Errorf("revoke: %w", err)
	}
	return revoked, nil
}

// revoke revokes what is in force of a holder, and raises the number of the list.
func revoke(tx *store.Tx, holder, reason string, now time.Time) (revoked int, err error) {
	at := now
	last, err := tx.LastIssued()
	if err != nil {
		return 0, err
	}
	if last.After(at) {
		at = last
	}
	if revoked, err = tx.RevokeCertificates(holder, reason, at); err != nil || revoked == 0 {
		return 0, err
	}
	// A number that follows the time goes on rising when the database is restored from a backup.
	return revoked, tx.RaiseRevocationNumber(at.Unix())
}

// Revocations gives the list of the centre's revoked certificates, signed by sign. The halls' are refused by the centre itself.
func (r *Register) Revocations(ctx context.Context, sign func(message []byte) ([]byte, error)) (hallsync.SignedRevocations, error) {
	now := r.now()
	body := hallsync.Revocations{At: now.UTC(), Serials: []string{}}
	err := r.store.Write(ctx, func(tx *store.Tx) error {
		number, revoked, err := tx.Revocations(now)
		body.Number, body.Serials = number, body.Serials[:0]
		for _, c := range revoked {
			if slices.Contains(ofCentre(), Kind(c.Kind)) {
				body.Serials = append(body.Serials, c.Serial)
			}
		}
		return err
	})
	var signed hallsync.SignedRevocations
	if err == nil {
		signed.List, err = json.Marshal(body)
	}
	if err == nil {
		signed.Signature, err = sign(hallsync.RevocationsMessage(signed.List))
	}
	if err != nil {
		return hallsync.SignedRevocations{}, fmt.Errorf("list of revoked certificates: %w", err)
	}
	return signed, nil
}

// RevocationNumber gives the number of the list: it is another one after every revocation, also of another process.
func (r *Register) RevocationNumber(ctx context.Context) (int64, error) {
	return r.store.RevocationNumber(ctx)
}

func ofCentre() []Kind { return []Kind{CentreTLS, CentreSign, CentreEncrypt} }

func audit(by Actor, action, subject, result string, now time.Time) store.Audit {
	return store.Audit{At: now, Actor: by.Name, By: by.By, Action: action, Subject: subject, Result: result, Remote: by.Remote}
}

// isFault reports whether an error is a fault with this code.
func isFault(err error, code Code) bool {
	var f *Fault
	return errors.As(err, &f) && f.Code == code
}
