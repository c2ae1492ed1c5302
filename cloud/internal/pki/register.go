package pki

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
	now       func() time.Time
	attempts  *origin.Limit
}

// Options say where the embedded authority is.
type Options struct {
	Directory string
	// Make makes the roots when there are none: the service and who sets it up do, under the account of the service.
	Make bool
	Now  func() time.Time
}

// Open gives the register of the embedded authority. It fails with *Fault as OpenEmbedded does.
func Open(ctx context.Context, st *store.Store, o Options) (*Register, error) {
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
	return &Register{a, st, o.Now, origin.NewLimit(attemptEvery, attemptBurst, attemptKeys)}, nil
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
	tls := record(RootTLS, r.TLS.Subject.CommonName, r.TLS, now)
	from, until := r.SM2.Valid()
	sm2 := store.Certificate{
		Serial: r.SM2.Serial(), Kind: string(RootSM2), Holder: r.SM2.CN(), DER: r.SM2.DER(), From: from, Until: until, Issued: now,
	}
	return st.Write(ctx, func(tx *store.Tx) error {
		for _, c := range []store.Certificate{tls, sm2} {
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
		Serial: hex.EncodeToString(c.SerialNumber.Bytes()), Kind: string(kind), Holder: holder, DER: c.Raw,
		From: c.NotBefore, Until: c.NotAfter, Issued: now,
	}
}

// Roots gives the roots of the authority.
func (r *Register) Roots() Roots { return r.authority.Roots() }

// Issue issues certificates and writes them down. Whoever calls it has made sure that who asks may have them. It fails with *Fault.
func (r *Register) Issue(ctx context.Context, o Order) (Issued, error) {
	now := r.now()
	issued, err := r.authority.Issue(o, now)
	if err != nil {
		return Issued{}, err
	}
	records, err := recordsOf(o, issued, now)
	if err != nil {
		return Issued{}, err
	}
	if err := r.store.Write(ctx, func(tx *store.Tx) error { return add(tx, records, now) }); err != nil {
		return Issued{}, err
	}
	return issued, nil
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
		from, until := c.Valid()
		all = append(all, store.Certificate{
			Serial: c.Serial(), Kind: string(kinds[i+1]), Holder: o.Name, DER: der, From: from, Until: until, Issued: now,
		})
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

// Revoke revokes all certificates of a hall, or of the centre under one of its names, and reports how many were in force. It works with a
// clock that is behind, too: whoever is to be shut out must be.
func (r *Register) Revoke(ctx context.Context, holder, reason string, by Actor) (revoked int, err error) {
	now := r.now()
	err = r.store.Write(ctx, func(tx *store.Tx) (err error) {
		at := now
		last, err := tx.LastIssued()
		if err != nil {
			return err
		}
		if last.After(at) {
			at = last
		}
		if revoked, err = tx.RevokeCertificates(holder, reason, at); err != nil {
			return err
		}
		result := "none"
		if revoked > 0 {
			result = "ok"
			// A number that follows the time goes on rising when the database is restored from a backup.
			if err := tx.RaiseRevocationNumber(at.Unix()); err != nil {
				return err
			}
		}
		return tx.AddAudit(audit(by, store.ActionRevoke, holder, result, now))
	})
	if err != nil {
		return 0, fmt.Errorf("revoke: %w", err)
	}
	return revoked, nil
}

// Revocations gives the list of revoked certificates, a hallsync.Revocations in JSON, and the signature of its RevocationsMessage by the
// SM2 root.
func (r *Register) Revocations(ctx context.Context) (list, signature []byte, err error) {
	now := r.now()
	body := hallsync.Revocations{At: now.UTC(), Serials: []string{}}
	err = r.store.Write(ctx, func(tx *store.Tx) error {
		number, revoked, err := tx.Revocations(now)
		body.Number = number
		for _, c := range revoked {
			body.Serials = append(body.Serials, c.Serial)
		}
		return err
	})
	if err == nil {
		list, err = json.Marshal(body)
	}
	if err == nil {
		signature, err = r.authority.Sign(hallsync.RevocationsMessage(list))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list of revoked certificates: %w", err)
	}
	return list, signature, nil
}

func audit(by Actor, action, subject, result string, now time.Time) store.Audit {
	return store.Audit{At: now, Actor: by.Name, By: by.By, Action: action, Subject: subject, Result: result, Remote: by.Remote}
}

// isFault reports whether an error is a fault with this code.
func isFault(err error, code Code) bool {
	var f *Fault
	return errors.As(err, &f) && f.Code == code
}
