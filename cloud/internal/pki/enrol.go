package pki

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// How long a code may be good, and how long a code that is over is remembered, so that the audit can tell why it was refused.
const (
	minValid  = time.Minute
	maxValid  = 30 * 24 * time.Hour // a file on a stick travels for weeks
	keepCodes = 24 * time.Hour
)

// reasonReplaced is why certificates are revoked whose hall is enrolled anew.
const reasonReplaced = "replaced"

// maxUses is how often the box that has used a code may ask again with the same keys: the answer may be lost on the way.
const maxUses = 5

// ByCode is how a box that shows a code comes in, in the audit.
const ByCode = "enrol_code"

// boxSerial is a serial number as makers print it on a box.
var boxSerial = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// NewCode makes a code for the box of a hall, good once within a time; with a serial number it is good for that box only. Only the digest of
// its secret is kept. It fails with *Fault.
func (r *Register) NewCode(ctx context.Context, hall hallsync.HallID, serial string, valid time.Duration, by Actor) (hallsync.EnrolCode, error) {
	switch {
	case valid < minValid || valid > maxValid:
		return hallsync.EnrolCode{}, &Fault{Code: CodeValidity}
	case serial != "" && !boxSerial.MatchString(serial):
		return hallsync.EnrolCode{}, &Fault{Code: CodeBadSerial}
	case !hall.Valid():
		return hallsync.EnrolCode{}, &Fault{Code: CodeRequest, Err: errors.New("no hall code")}
	}
	code := hallsync.EnrolCode{Hall: hall, Pin: r.Roots().Pin()}
	_, _ = rand.Read(code.Secret[:]) // never fails: crypto/rand ends the program instead
	now := r.now()
	err := r.store.Write(ctx, func(tx *store.Tx) error {
		if err := add(tx, nil, now); err != nil {
			return err
		}
		return errors.Join(
			tx.PruneEnrolCodes(now.Add(-keepCodes)),
			tx.AddEnrolCode(store.EnrolCode{Hash: gm.Sum(code.Secret[:]), Hall: hall, Serial: serial, Created: now, Until: now.Add(valid)}),
			tx.AddAudit(audit(by, store.ActionEnrolCode, string(hall), "ok", now)),
		)
	})
	if err != nil {
		return hallsync.EnrolCode{}, fmt.Errorf("make enrolment code: %w", err)
	}
	return code, nil
}

// Ask is what a box asks that shows a code. Nothing in it is trusted.
type Ask struct {
	Hall   hallsync.HallID
	Secret hallsync.EnrolSecret
	Serial string // of the box
	hallsync.Requests
	Remote string // where it comes from
}

// orders gives what the requests of a hall's box order.
func (r *Register) orders(hall hallsync.HallID, ask hallsync.Requests) (o Order, web *Order) {
	o = Order{For: ForHall, Name: string(hall), TLS: ask.TLS, SM2: ask.SM2}
	if hosts := r.pages(ask.Hosts); len(hosts) > 0 && len(ask.Web) > 0 {
		web = &Order{For: ForWeb, Name: string(hall), Hosts: hosts, TLS: ask.Web}
	}
	return o, web
}

// Why a code is refused, in the audit. Who asks is not told.
const (
	refusedUnknown = "enrol_unknown"
	refusedHall    = "enrol_hall"
	refusedSerial  = "enrol_serial"
	refusedUsed    = "enrol_used"
	refusedOver    = "enrol_over"
	refusedDead    = "enrol_dead"
	refusedRequest = "enrol_request"
)

// Enrol issues the certificates of a hall to who shows a good code, and uses the code up; of many who show the same one at the same time
// one has them. What the hall had before is revoked: a box that is replaced is out. Requests that are not good leave the code as it is. It fails
// with *Fault.
func (r *Register) Enrol(ctx context.Context, a Ask) (Issued, error) {
	if !r.attempts.Allow(origin.Network(a.Remote)) {
		return Issued{}, &Fault{Code: CodeTooMany}
	}
	now, hash := r.now(), gm.Sum(a.Secret[:])
	if err := r.admit(ctx, a, hash, now, nil); err != nil {
		return Issued{}, err
	}
	// Signing is work: it is done for who has a good code, and outside of the writer that everybody waits for.
	order, web := r.orders(a.Hall, a.Requests)
	issued, records, err := r.sign(order, web, now)
	if err != nil {
		if isFault(err, CodeRequest) {
			err = errors.Join(err, r.note(ctx, a, refusedRequest, now))
		}
		return Issued{}, err
	}
	if err := r.admit(ctx, a, hash, now, records); err != nil {
		return Issued{}, err
	}
	return issued, nil
}

// admit checks the code, and with certificates uses it up and writes them down in the same moment.
func (r *Register) admit(ctx context.Context, a Ask, hash [32]byte, now time.Time, records []store.Certificate) error {
	refused := ""
	err := r.store.Write(ctx, func(tx *store.Tx) (err error) {
		if err := add(tx, nil, now); err != nil {
			return err
		}
		if refused, err = judge(tx, a, hash, now); err != nil {
			return err
		}
		if refused == refusedHall || refused == refusedSerial {
			if err := tx.FailEnrolCode(hash); err != nil {
				return err
			}
		}
		if refused != "" {
			return tx.AddAudit(a.audit(refused, now))
		}
		if records == nil {
			return nil
		}
		if _, err := revoke(tx, string(a.Hall), reasonReplaced, now); err != nil {
			return err
		}
		return errors.Join(tx.UseEnrolCode(hash), tx.DropRenewal(a.Hall), add(tx, records, now), tx.AddAudit(a.audit("ok", now)))
	})
	switch {
	case isFault(err, CodeClock):
		return err
	case err != nil:
		return fmt.Errorf("enrol: %w", err)
	case refused != "":
		return &Fault{Code: CodeEnrol}
	}
	return nil
}

// judge gives why a code is refused, empty when it is good.
func judge(tx *store.Tx, a Ask, hash [32]byte, now time.Time) (refused string, err error) {
	c, found, err := tx.EnrolCode(hash)
	switch {
	case err != nil:
		return "", err
	case !found:
		return refusedUnknown, nil
	case now.Before(c.Created.Add(-slack)):
		return "", &Fault{Code: CodeClock}
	case c.Uses > maxUses:
		return refusedUsed, nil
	case c.Failed >= maxFailed:
		return refusedDead, nil
	case !now.Before(c.Until):
		return refusedOver, nil
	case c.Hall != a.Hall:
		return refusedHall, nil
	case c.Serial != "" && c.Serial != a.Serial:
		return refusedSerial, nil
	case c.Uses == 0:
		return "", nil
	}
	if again, err := sameBox(tx, a); err != nil || !again {
		return refusedUsed, err
	}
	return "", nil
}

// sameBox reports whether the hall's last certificates are for the keys that ask again: the answer was lost on the way, and nobody else has
// any use of another one.
func sameBox(tx *store.Tx, a Ask) (bool, error) {
	asked, err := check(Order{For: ForHall, Name: string(a.Hall), TLS: a.TLS, SM2: a.SM2})
	if err != nil {
		return false, nil //nolint:nilerr // as wrong as somebody else's
	}
	stored, err := tx.CertificatesHeld(string(a.Hall))
	if err != nil {
		return false, err
	}
	tlsToo, sm2Too := false, false
	for _, c := range stored {
		if !c.Revoked.IsZero() {
			continue
		}
		switch Kind(c.Kind) {
		case HallTLS:
			parsed, err := x509.ParseCertificate(c.DER)
			if err != nil {
				return false, fmt.Errorf("read issued certificate: %w", err)
			}
			tlsToo = asked.tls.Equal(parsed.PublicKey)
		case HallSign:
			parsed, err := cert.Parse(c.DER)
			if err != nil {
				return false, fmt.Errorf("read issued certificate: %w", err)
			}
			sm2Too = asked.sm2.String() == parsed.PublicKey().String()
		}
	}
	return tlsToo && sm2Too, nil
}

func (r *Register) note(ctx context.Context, a Ask, result string, now time.Time) error {
	return r.store.Write(ctx, func(tx *store.Tx) error { return tx.AddAudit(a.audit(result, now)) })
}

// audit speaks of the hall whose code was shown as far as it is a hall code at all: anything may stand there.
func (a Ask) audit(result string, now time.Time) store.Audit {
	hall := string(a.Hall)
	if !a.Hall.Valid() {
		hall = "?"
	}
	return audit(Actor{hall, ByCode, a.Remote}, store.ActionEnrol, hall, result, now)
}
