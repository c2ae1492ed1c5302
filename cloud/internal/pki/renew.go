package pki

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// How a box comes in that has certificates, in the audit.
const (
	ByCertificate = "certificate"
	BySignature   = "signature" // by the key of a certificate that is over
)

// ErrWaiting is a box that has to wait until an operator approves what it asks, or until an authority elsewhere has signed it.
var ErrWaiting = errors.New("pki: somebody has to act first")

// Admit reports whether the holder of a certificate that has been verified may come in as a hall. It fails with *Fault.
func (r *Register) Admit(ctx context.Context, serial string, holder hallsync.HallID) error {
	c, found, err := r.store.Certificate(ctx, serial)
	switch {
	case err != nil:
		return fmt.Errorf("admit: %w", err)
	case !found || c.Holder != string(holder) || !slices.Contains([]Kind{HallTLS, HallSign}, Kind(c.Kind)):
		return &Fault{Code: CodeStranger}
	case !c.Revoked.IsZero():
		return &Fault{Code: CodeRevoked}
	}
	kept, err := r.store.Quarantined(ctx, holder)
	switch {
	case err != nil:
		return fmt.Errorf("admit: %w", err)
	case kept:
		return &Fault{Code: CodeKeptOut}
	}
	return nil
}

// Limits of renewals: of one hall, so many at once and then one in each pause, which is shorter than that of a box which waits for an authority
// elsewhere. All that is issued is kept.
const (
	renewEvery = 4 * time.Minute
	renewBurst = 12
	renewHalls = 4096
)

// Renew issues new certificates to a hall that has shown the one with a serial number. Those it has stay good until their end. Who was revoked
// or put in quarantine since he has shown it has nothing. It fails with *Fault.
func (r *Register) Renew(ctx context.Context, hall hallsync.HallID, shown string, ask hallsync.Requests, remote string) (Issued, error) {
	if !r.renewals.Allow(string(hall)) {
		return Issued{}, &Fault{Code: CodeTooMany}
	}
	now := r.now()
	by := Actor{string(hall), ByCertificate, remote}
	order, web := r.orders(hall, ask)
	issued, records, err := r.sign(order, web, now)
	if err != nil {
		if isFault(err, CodeRequest) {
			err = errors.Join(err, r.store.Write(ctx, func(tx *store.Tx) error {
				return tx.AddAudit(audit(by, store.ActionRenew, string(hall), refusedRequest, now))
			}))
		}
		return Issued{}, err
	}
	admitted := false
	err = r.store.Write(ctx, func(tx *store.Tx) (err error) {
		if admitted, err = tx.InForce(shown, string(hall)); err != nil {
			return err
		}
		if !admitted {
			return tx.AddAudit(audit(by, store.ActionRenew, string(hall), string(CodeRevoked), now))
		}
		return errors.Join(add(tx, records, now), tx.DropRenewal(hall), tx.AddAudit(audit(by, store.ActionRenew, string(hall), "ok", now)))
	})
	switch {
	case err != nil:
		return Issued{}, fmt.Errorf("renew: %w", err)
	case !admitted:
		return Issued{}, &Fault{Code: CodeRevoked}
	}
	return issued, nil
}

// SigningKey gives the key with which a hall may sign its questions: of the newest certificate that is not revoked, also when it is over.
func (r *Register) SigningKey(ctx context.Context, hall hallsync.HallID) (key gm.PublicKey, serial string, err error) {
	all, err := r.store.Certificates(ctx, string(hall))
	if err != nil {
		return gm.PublicKey{}, "", fmt.Errorf("read signing key: %w", err)
	}
	for _, c := range slices.Backward(all) {
		if Kind(c.Kind) != HallSign || !c.Revoked.IsZero() {
			continue
		}
		parsed, err := cert.Parse(c.DER)
		if err != nil {
			return gm.PublicKey{}, "", fmt.Errorf("read signing key: %w", err)
		}
		return parsed.PublicKey(), c.Serial, nil
	}
	return gm.PublicKey{}, "", &Fault{Code: CodeStranger}
}

// RenewLate issues new certificates to a hall that has signed its question with the key of a certificate which may be over, after an
// operator has approved certificates for these keys and hosts. Until then it fails with ErrWaiting. Otherwise it fails with *Fault.
func (r *Register) RenewLate(ctx context.Context, hall hallsync.HallID, ask hallsync.Requests, remote string) (Issued, error) {
	_, serial, err := r.SigningKey(ctx, hall)
	if err != nil {
		return Issued{}, err
	}
	now, by := r.now(), Actor{string(hall), BySignature, remote}
	order, web := r.orders(hall, ask)
	wanted := store.Renewal{Hall: hall, Serial: serial, Remote: remote, Asked: now}
	if wanted.Digest, err = digest(order, web); err != nil {
		return Issued{}, err
	}
	approved := false
	err = r.store.Write(ctx, func(tx *store.Tx) error {
		there, found, err := tx.Renewal(hall)
		if err != nil {
			return err
		}
		same := found && there.Digest == wanted.Digest && there.Serial == serial
		if approved = same && !there.Approved.IsZero(); approved {
			return nil
		}
		if err := tx.PutRenewal(wanted); err != nil || same {
			return err
		}
		return tx.AddAudit(audit(by, store.ActionRenewAsk, string(hall), "waits", now))
	})
	switch {
	case err != nil:
		return Issued{}, fmt.Errorf("renew: %w", err)
	case !approved:
		return Issued{}, ErrWaiting
	}
	issued, records, err := r.sign(order, web, now)
	if err != nil {
		return Issued{}, err
	}
	err = r.store.Write(ctx, func(tx *store.Tx) error {
		there, found, err := tx.Renewal(hall)
		switch {
		case err != nil:
			return err
		case !found || there.Digest != wanted.Digest || there.Approved.IsZero(): // given to another copy of the question, or taken back
			return &Fault{Code: CodeNotAsked}
		}
		return errors.Join(tx.DropRenewal(hall), add(tx, records, now), tx.AddAudit(audit(by, store.ActionRenew, string(hall), "ok", now)))
	})
	if err != nil {
		return Issued{}, fmt.Errorf("renew: %w", err)
	}
	return issued, nil
}

// digest says what is ordered: for which keys, and of the hall's pages which hosts. The same keys may ask in new requests.
func digest(o Order, web *Order) (sum [32]byte, err error) {
	about := ""
	for _, one := range []*Order{&o, web} {
		if one == nil {
			continue
		}
		c, err := check(*one)
		if err != nil {
			return sum, &Fault{Code: CodeRequest, Err: err}
		}
		key, err := x509.MarshalPKIXPublicKey(c.tls)
		if err != nil {
			return sum, &Fault{Code: CodeRequest, Err: err}
		}
		about += hex.EncodeToString(key) + " " + c.sm2.String() + " " + strings.Join(one.Hosts, " ") + "\n"
	}
	return gm.Sum([]byte(about)), nil
}

// Renewals gives who waits for an approval.
func (r *Register) Renewals(ctx context.Context) ([]store.Renewal, error) {
	return r.store.Renewals(ctx)
}

// Approve lets a hall that waits have its certificates when it asks the next time: those of the question of this name, which is the one that
// somebody has looked into. It fails with *Fault.
func (r *Register) Approve(ctx context.Context, hall hallsync.HallID, question string, by Actor) error {
	now := r.now()
	err := r.store.Write(ctx, func(tx *store.Tx) error {
		waits, found, err := tx.Renewal(hall)
		switch {
		case err != nil:
			return err
		case !found:
			return &Fault{Code: CodeNotAsked}
		case waits.Name() != question:
			return &Fault{Code: CodeOtherAsk}
		}
		waits.Approved, waits.ApprovedBy = now, by.Name
		return errors.Join(tx.PutRenewal(waits), tx.AddAudit(audit(by, store.ActionApprove, string(hall), "ok", now)))
	})
	if err != nil {
		return fmt.Errorf("approve renewal: %w", err)
	}
	return nil
}

// ByWatch is the centre's own watch over the identities of halls, in the audit.
const ByWatch = "watch"

// Quarantine keeps a hall out from now on, and reports whether it was not kept out before.
func (r *Register) Quarantine(ctx context.Context, hall hallsync.HallID, reason string) (added bool, err error) {
	now := r.now()
	err = r.store.Write(ctx, func(tx *store.Tx) (err error) {
		if added, err = tx.AddQuarantine(store.Quarantine{Hall: hall, Since: now, Reason: reason}); err != nil || !added {
			return err
		}
		return tx.AddAudit(audit(Actor{Name: ByWatch, By: ByWatch}, store.ActionQuarantine, string(hall), reason, now))
	})
	if err != nil {
		return false, fmt.Errorf("quarantine: %w", err)
	}
	return added, nil
}

// Quarantines gives who is kept out.
func (r *Register) Quarantines(ctx context.Context) ([]store.Quarantine, error) {
	return r.store.Quarantines(ctx)
}

// Release lets a hall in again. It fails with *Fault.
func (r *Register) Release(ctx context.Context, hall hallsync.HallID, by Actor) error {
	now := r.now()
	err := r.store.Write(ctx, func(tx *store.Tx) error {
		dropped, err := tx.DropQuarantine(hall)
		switch {
		case err != nil:
			return err
		case !dropped:
			return &Fault{Code: CodeNotKept}
		}
		return tx.AddAudit(audit(by, store.ActionRelease, string(hall), "ok", now))
	})
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}

// renewAt is when certificates are renewed: when two thirds of their life are over.
func renewAt(from, until time.Time) time.Time { return from.Add(until.Sub(from) * 2 / 3) }
