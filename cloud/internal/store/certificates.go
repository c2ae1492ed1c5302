package store

import (
	"context"
	"database/sql"
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

// PruneEnrolCodes drops the codes that ended before a time.
func (t *Tx) PruneEnrolCodes(before time.Time) error {
	return t.exec(`DELETE FROM enrol_codes WHERE until_ms < $1`, before.UnixMilli())
}
