package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Certificate is one that the centre has issued, or a root of its own.
type Certificate struct {
	Serial  string // hexadecimal
	Kind    string // what it is for, a word of package pki
	Holder  string // common name: of a hall its code
	DER     []byte
	From    time.Time
	Until   time.Time
	Issued  time.Time
	Revoked time.Time // zero: it is not
	Reason  string    // why it was revoked
}

const certificateColumns = `serial, kind, holder, der, from_ms, until_ms, issued_ms, revoked_ms, reason`

func scanCertificate(rows *sql.Rows) (Certificate, error) {
	var c Certificate
	var from, until, issued, revoked int64
	err := rows.Scan(&c.Serial, &c.Kind, &c.Holder, &c.DER, &from, &until, &issued, &revoked, &c.Reason)
	c.From, c.Until, c.Issued = time.UnixMilli(from), time.UnixMilli(until), time.UnixMilli(issued)
	if revoked > 0 {
		c.Revoked = time.UnixMilli(revoked)
	}
	return c, err
}

// AddCertificate stores a new certificate, which is not revoked. It fails if there is one with its serial number.
func (t *Tx) AddCertificate(c Certificate) error {
	return t.exec(`INSERT INTO certificates (`+certificateColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, '')`,
		c.Serial, c.Kind, c.Holder, c.DER, c.From.UnixMilli(), c.Until.UnixMilli(), c.Issued.UnixMilli())
}

// CertificatesOf reads the certificates of one kind, oldest first.
func (t *Tx) CertificatesOf(kind string) ([]Certificate, error) {
	return collect(scanCertificate, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT `+certificateColumns+` FROM certificates WHERE kind = $1 ORDER BY issued_ms, serial`, scan, kind)
	})
}

// CertificatesHeld reads the certificates of a holder, oldest first.
func (t *Tx) CertificatesHeld(holder string) ([]Certificate, error) {
	return collect(scanCertificate, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT `+certificateColumns+` FROM certificates WHERE holder = $1 ORDER BY issued_ms, serial`, scan, holder)
	})
}

// Certificates reads the certificates of a holder, oldest first.
func (s *Store) Certificates(ctx context.Context, holder string) ([]Certificate, error) {
	return collect(scanCertificate, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+certificateColumns+` FROM certificates WHERE holder = $1 ORDER BY issued_ms, serial`, scan, holder)
	})
}

// LastIssued gives when a certificate was issued last, zero if there is none.
func (t *Tx) LastIssued() (time.Time, error) {
	var at int64
	found, err := t.one(`SELECT issued_ms FROM certificates ORDER BY issued_ms DESC LIMIT 1`, nil, &at)
	if err != nil || !found {
		return time.Time{}, err
	}
	return time.UnixMilli(at), nil
}

// RevokeCertificates revokes all certificates of a holder that are neither revoked nor over, and reports how many.
func (t *Tx) RevokeCertificates(holder, reason string, at time.Time) (revoked int, err error) {
	err = t.query(`UPDATE certificates SET revoked_ms = $1, reason = $2 WHERE holder = $3 AND revoked_ms = 0 AND until_ms > $1 RETURNING serial`,
		func(*sql.Rows) error { revoked++; return nil }, at.UnixMilli(), reason, holder)
	return revoked, err
}

// RaiseRevocationNumber gives the list of revoked certificates a new number: at least this one, and higher than the one before.
func (t *Tx) RaiseRevocationNumber(least int64) error {
	return t.exec(`INSERT INTO revocation_number (id, number) VALUES (1, $1)
		ON CONFLICT (id) DO UPDATE SET number = MAX(revocation_number.number + 1, excluded.number)`, least)
}

// Revocations reads the number of the list of revoked certificates, 0 before the first, and those that are revoked and not over at a time,
// in order of their serial numbers. Both are of one moment.
func (t *Tx) Revocations(at time.Time) (number int64, revoked []Certificate, err error) {
	if _, err = t.one(`SELECT number FROM revocation_number WHERE id = 1`, nil, &number); err != nil {
		return 0, nil, err
	}
	revoked, err = collect(scanCertificate, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT `+certificateColumns+` FROM certificates WHERE revoked_ms > 0 AND until_ms > $1 ORDER BY serial`, scan, at.UnixMilli())
	})
	return number, revoked, err
}

// EnrolCode is a code with which a box may be enrolled once. The code itself is known to whom it was given.
type EnrolCode struct {
	Hash    [32]byte
	Hall    hallsync.HallID
	Serial  string // of the box it is good for, empty for any
	Created time.Time
	Until   time.Time
	Uses    int64 // read only
	Failed  int64 // attempts of another hall or box, read only
}

// AddEnrolCode stores a new code.
func (t *Tx) AddEnrolCode(c EnrolCode) error {
	return t.exec(`INSERT INTO enrol_codes (hash, hall, serial, created_ms, until_ms, uses, failed) VALUES ($1, $2, $3, $4, $5, 0, 0)`,
		c.Hash[:], c.Hall, c.Serial, c.Created.UnixMilli(), c.Until.UnixMilli())
}

// EnrolCode reads the code with a hash.
func (t *Tx) EnrolCode(hash [32]byte) (c EnrolCode, found bool, err error) {
	var created, until int64
	found, err = t.one(`SELECT hall, serial, created_ms, until_ms, uses, failed FROM enrol_codes WHERE hash = $1`, []any{hash[:]},
		&c.Hall, &c.Serial, &created, &until, &c.Uses, &c.Failed)
	c.Hash, c.Created, c.Until = hash, time.UnixMilli(created), time.UnixMilli(until)
	return c, found, err
}

// UseEnrolCode counts a use of a code.
func (t *Tx) UseEnrolCode(hash [32]byte) error {
	return t.exec(`UPDATE enrol_codes SET uses = uses + 1 WHERE hash = $1`, hash[:])
}

// FailEnrolCode counts an attempt of another hall or box.
func (t *Tx) FailEnrolCode(hash [32]byte) error {
	return t.exec(`UPDATE enrol_codes SET failed = failed + 1 WHERE hash = $1`, hash[:])
}

// DropEnrolCodes drops the codes of a hall that nobody has used.
func (t *Tx) DropEnrolCodes(hall hallsync.HallID) error {
	return t.exec(`DELETE FROM enrol_codes WHERE hall = $1 AND uses = 0`, hall)
}

// PruneEnrolCodes drops the codes that ended before a time.
func (t *Tx) PruneEnrolCodes(before time.Time) error {
	return t.exec(`DELETE FROM enrol_codes WHERE until_ms < $1`, before.UnixMilli())
}

// Certificate reads the certificate with a serial number.
func (s *Store) Certificate(ctx context.Context, serial string) (c Certificate, found bool, err error) {
	all, err := collect(scanCertificate, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+certificateColumns+` FROM certificates WHERE serial = $1`, scan, serial)
	})
	if err != nil || len(all) == 0 {
		return Certificate{}, false, err
	}
	return all[0], true, nil
}

// InForce reports whether a certificate of a hall is not revoked, and the hall not kept out.
func (t *Tx) InForce(serial, holder string) (bool, error) {
	return t.one(`SELECT serial FROM certificates WHERE serial = $1 AND holder = $2 AND revoked_ms = 0
		AND NOT EXISTS (SELECT 1 FROM quarantines WHERE hall = $2)`, []any{serial, holder}, new(string))
}

// RevocationNumber reads the number of the list of revoked certificates.
func (s *Store) RevocationNumber(ctx context.Context) (number int64, err error) {
	err = s.query(ctx, `SELECT number FROM revocation_number WHERE id = 1`, func(rows *sql.Rows) error { return rows.Scan(&number) })
	return number, err
}

// What the audit knows of boxes that come back.
const (
	ActionRenewAsk   = "renew_ask"     // with a certificate that is over
	ActionApprove    = "renew_approve" // by an operator
	ActionRenew      = "renew"         // was given new certificates
	ActionQuarantine = "quarantine"    // two boxes seem to be one hall
	ActionRelease    = "release"
	ActionImport     = "certificates_import" // of an authority elsewhere
)

// Renewal is a box that asks for new certificates with the key of one that is over.
type Renewal struct {
	Hall       hallsync.HallID
	Digest     [32]byte // of what it asks
	Serial     string   // of the certificate whose key has signed the question
	Remote     string
	Asked      time.Time
	Approved   time.Time // zero: it is not
	ApprovedBy string
}

// Name is what people call a question by: others of the same hall have other names.
func (r Renewal) Name() string { return hex.EncodeToString(r.Digest[:8]) }

const renewalColumns = `hall, digest, serial, remote, asked_ms, approved_ms, approved_by`

func scanRenewal(rows *sql.Rows) (Renewal, error) {
	var r Renewal
	var digest []byte
	var asked, approved int64
	err := rows.Scan(&r.Hall, &digest, &r.Serial, &r.Remote, &asked, &approved, &r.ApprovedBy)
	copy(r.Digest[:], digest)
	r.Asked = time.UnixMilli(asked)
	if approved > 0 {
		r.Approved = time.UnixMilli(approved)
	}
	return r, err
}

// Renewals reads who waits, by hall.
func (s *Store) Renewals(ctx context.Context) ([]Renewal, error) {
	return collect(scanRenewal, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+renewalColumns+` FROM renewals ORDER BY hall`, scan)
	})
}

// Renewal reads what a hall waits for.
func (t *Tx) Renewal(hall hallsync.HallID) (r Renewal, found bool, err error) {
	all, err := collect(scanRenewal, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT `+renewalColumns+` FROM renewals WHERE hall = $1`, scan, hall)
	})
	if err != nil || len(all) == 0 {
		return Renewal{}, false, err
	}
	return all[0], true, nil
}

// PutRenewal stores what a hall waits for, in place of what it asked before.
func (t *Tx) PutRenewal(r Renewal) error {
	approved := int64(0)
	if !r.Approved.IsZero() {
		approved = r.Approved.UnixMilli()
	}
	return t.exec(`INSERT INTO renewals (`+renewalColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (hall) DO UPDATE SET digest = excluded.digest, serial = excluded.serial, remote = excluded.remote, asked_ms = excluded.asked_ms,
			approved_ms = excluded.approved_ms, approved_by = excluded.approved_by`,
		r.Hall, r.Digest[:], r.Serial, r.Remote, r.Asked.UnixMilli(), approved, r.ApprovedBy)
}

// DropRenewal forgets what a hall waits for.
func (t *Tx) DropRenewal(hall hallsync.HallID) error {
	return t.exec(`DELETE FROM renewals WHERE hall = $1`, hall)
}

// Quarantine is a hall that is kept out because two boxes seem to use its identity.
type Quarantine struct {
	Hall   hallsync.HallID
	Since  time.Time
	Reason string
}

// Quarantines reads who is kept out, by hall.
func (s *Store) Quarantines(ctx context.Context) ([]Quarantine, error) {
	return collect(func(rows *sql.Rows) (Quarantine, error) {
		var q Quarantine
		var since int64
		err := rows.Scan(&q.Hall, &since, &q.Reason)
		q.Since = time.UnixMilli(since)
		return q, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT hall, since_ms, reason FROM quarantines ORDER BY hall`, scan)
	})
}

// Quarantined reports whether a hall is kept out.
func (s *Store) Quarantined(ctx context.Context, hall hallsync.HallID) (kept bool, err error) {
	err = s.query(ctx, `SELECT 1 FROM quarantines WHERE hall = $1`, func(*sql.Rows) error { kept = true; return nil }, hall)
	return kept, err
}

// AddQuarantine keeps a hall out, and reports whether it was not before.
func (t *Tx) AddQuarantine(q Quarantine) (added bool, err error) {
	err = t.query(`INSERT INTO quarantines (hall, since_ms, reason) VALUES ($1, $2, $3) ON CONFLICT (hall) DO NOTHING RETURNING hall`,
		func(*sql.Rows) error { added = true; return nil }, q.Hall, q.Since.UnixMilli(), q.Reason)
	return added, err
}

// DropQuarantine lets a hall in again, and reports whether it was kept out.
func (t *Tx) DropQuarantine(hall hallsync.HallID) (dropped bool, err error) {
	err = t.query(`DELETE FROM quarantines WHERE hall = $1 RETURNING hall`, func(*sql.Rows) error { dropped = true; return nil }, hall)
	return dropped, err
}

// SigningOrder is what an authority elsewhere is to sign for a holder.
type SigningOrder struct {
	Name    string
	Purpose int
	Digest  [32]byte // of the keys and hosts
	Asked   time.Time
	Body    []byte
	Given   []byte // nil: it has not come back
}

const signingOrderColumns = `name, purpose, digest, asked_ms, body, given`

func scanSigningOrder(rows *sql.Rows) (SigningOrder, error) {
	var o SigningOrder
	var digest []byte
	var asked int64
	err := rows.Scan(&o.Name, &o.Purpose, &digest, &asked, &o.Body, &o.Given)
	copy(o.Digest[:], digest)
	o.Asked = time.UnixMilli(asked)
	if len(o.Given) == 0 {
		o.Given = nil
	}
	return o, err
}

// SigningOrders reads what is to be signed and what has come back, by name.
func (s *Store) SigningOrders(ctx context.Context) ([]SigningOrder, error) {
	return collect(scanSigningOrder, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+signingOrderColumns+` FROM signing_orders ORDER BY name, purpose`, scan)
	})
}

// SigningOrder reads the order of a holder.
func (t *Tx) SigningOrder(name string, purpose int) (o SigningOrder, found bool, err error) {
	all, err := collect(scanSigningOrder, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT `+signingOrderColumns+` FROM signing_orders WHERE name = $1 AND purpose = $2`, scan, name, purpose)
	})
	if err != nil || len(all) == 0 {
		return SigningOrder{}, false, err
	}
	return all[0], true, nil
}

// PutSigningOrder stores an order, in place of the holder's one before.
func (t *Tx) PutSigningOrder(o SigningOrder) error {
	if o.Given == nil {
		o.Given = []byte{}
	}
	return t.exec(`INSERT INTO signing_orders (`+signingOrderColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name, purpose) DO UPDATE SET digest = excluded.digest, asked_ms = excluded.asked_ms, body = excluded.body, given = excluded.given`,
		o.Name, o.Purpose, o.Digest[:], o.Asked.UnixMilli(), o.Body, o.Given)
}

// DropSigningOrder forgets an order.
func (t *Tx) DropSigningOrder(name string, purpose int) error {
	return t.exec(`DELETE FROM signing_orders WHERE name = $1 AND purpose = $2`, name, purpose)
}

// KindPerson is the kind of certificates with which people prove themselves at the console.
const KindPerson = "person"

// personPrefix begins the holder of a user's certificate: no hall, and not the centre, is called so.
const personPrefix = "user:"

// PersonHolder gives the holder of a user's certificates.
func PersonHolder(user string) string { return personPrefix + user }

// HasPersonal reports whether a certificate, in DER, was issued to a user to prove himself with, is in force at a time and not revoked.
func (t *Tx) HasPersonal(user string, der []byte, at time.Time) (bool, error) {
	return t.one(`SELECT serial FROM certificates WHERE der = $1 AND holder = $2 AND kind = $3 AND revoked_ms = 0 AND from_ms <= $4 AND until_ms > $4`,
		[]any{der, PersonHolder(user), KindPerson, at.UnixMilli()}, new(string))
}

// RevokePersonal revokes the certificates of a user, also those that are over, and ends the sessions that were begun with one.
func (t *Tx) RevokePersonal(user, reason string, at time.Time) error {
	err := t.exec(`UPDATE certificates SET revoked_ms = $1, reason = $2 WHERE holder = $3 AND revoked_ms = 0`, at.UnixMilli(), reason, PersonHolder(user))
	if err != nil {
		return err
	}
	return t.exec(`DELETE FROM sessions WHERE name = $1 AND certificate <> ''`, user)
}

// DropSessions ends all sessions of a user.
func (t *Tx) DropSessions(user string) error {
	return t.exec(`DELETE FROM sessions WHERE name = $1`, user)
}
