package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"halledge/cloud/internal/rights"
)

// Where a user comes from.
const (
	FromConfig = "config" // cloud.yaml; follows the file at each start
	FromCLI    = "cli"    // hall-cloud user add

	FromPlatform = "platform" // the unified identity platform says what he may do, and he has no password
)

// User is a person who may sign in, unless Disabled. Password is an argon2id hash in PHC form.
type User struct {
	Name         string
	FullName     string
	Password     string
	Origin       string
	Roles        rights.Roles
	Scope        rights.Scope
	Disabled     bool
	MustChange   bool // the password was set by somebody else: another one comes first
	SecondFactor bool // codes of a second factor are asked for; read only
	Certificate  bool // a certificate was issued to him, and is not revoked; read only
	Created      time.Time
}

// userColumns are those of a user u.
const userColumns = `u.name, u.full_name, u.password, u.origin, u.roles, u.scope, u.disabled, u.must_change, u.created_ms,
	EXISTS (SELECT 1 FROM second_factors f WHERE f.name = u.name AND f.secret <> ''),
	EXISTS (SELECT 1 FROM certificates c WHERE c.kind = '` + KindPerson + `' AND c.holder = '` + personPrefix + `' || u.name AND c.revoked_ms = 0)`

func scanUser(rows *sql.Rows) (User, error) {
	var u User
	var into scannedUser
	err := rows.Scan(into.fields(&u)...)
	return u, errors.Join(err, into.finish(&u))
}

// scannedUser holds what of a user is written otherwise in the database.
type scannedUser struct {
	roles, scope string
	created      int64
}

// fields gives where the userColumns go.
func (x *scannedUser) fields(u *User) []any {
	return []any{&u.Name, &u.FullName, &u.Password, &u.Origin, &x.roles, &x.scope, &u.Disabled, &u.MustChange, &x.created, &u.SecondFactor, &u.Certificate}
}

func (x *scannedUser) finish(u *User) (err error) {
	u.Created = time.UnixMilli(x.created)
	if u.Roles, err = rights.ParseRoles(x.roles); err != nil {
		return fmt.Errorf("roles of %s: %w", u.Name, err)
	}
	if u.Scope, err = rights.ParseScope(x.scope); err != nil {
		return fmt.Errorf("scope of %s: %w", u.Name, err)
	}
	return nil
}

// User reads one user.
func (s *Store) User(ctx context.Context, name string) (u User, found bool, err error) {
	err = s.query(ctx, `SELECT `+userColumns+` FROM users u WHERE u.name = $1`, func(rows *sql.Rows) (err error) {
		found = true
		u, err = scanUser(rows)
		return err
	}, name)
	return u, found, err
}

// User reads one user.
func (t *Tx) User(name string) (u User, found bool, err error) {
	err = t.query(`SELECT `+userColumns+` FROM users u WHERE u.name = $1`, func(rows *sql.Rows) (err error) {
		found = true
		u, err = scanUser(rows)
		return err
	}, name)
	return u, found, err
}

// Users reads all users in order of name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return collect(scanUser, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+userColumns+` FROM users u ORDER BY u.name`, scan)
	})
}

// PutUser stores a user. A changed password, other roles or another scope, and being disabled, end the user's sessions; after a
// changed password no network is familiar any more. A second factor stays as it is.
func (t *Tx) PutUser(u User) error {
	old, found, err := t.User(u.Name)
	if err != nil {
		return err
	}
	changed := found && old.Password != u.Password
	if changed || u.Disabled || found && (old.Roles.String() != u.Roles.String() || old.Scope.String() != u.Scope.String()) {
		if err := t.exec(`DELETE FROM sessions WHERE name = $1`, u.Name); err != nil {
			return err
		}
	}
	if changed {
		if err := t.exec(`DELETE FROM networks WHERE name = $1`, u.Name); err != nil {
			return err
		}
	}
	return t.exec(`INSERT INTO users (name, full_name, password, origin, roles, scope, disabled, must_change, created_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (name) DO UPDATE SET full_name = excluded.full_name, password = excluded.password, origin = excluded.origin,
		roles = excluded.roles, scope = excluded.scope, disabled = excluded.disabled, must_change = excluded.must_change`,
		u.Name, u.FullName, u.Password, u.Origin, u.Roles.String(), u.Scope.String(), bit(u.Disabled), bit(u.MustChange), u.Created.UnixMilli())
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ReplaceConfigUsers makes the users of origin config exactly these. Who is gone is signed out.
func (t *Tx) ReplaceConfigUsers(users []User) error {
	keep := map[string]bool{}
	for _, u := range users {
		keep[u.Name] = true
	}
	var gone []string
	err := t.query(`SELECT name FROM users WHERE origin = $1`, func(rows *sql.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if !keep[name] {
			gone = append(gone, name)
		}
		return nil
	}, FromConfig)
	if err != nil {
		return err
	}
	for _, name := range gone {
		if err := t.RevokePersonal(name, "user_gone", time.Now()); err != nil {
			return err
		}
		for _, text := range []string{`DELETE FROM sessions WHERE name = $1`, `DELETE FROM networks WHERE name = $1`,
			`DELETE FROM second_factors WHERE name = $1`, `DELETE FROM identities WHERE name = $1`, `DELETE FROM recovery_codes WHERE name = $1`, `DELETE FROM users WHERE name = $1`} {
			if err := t.exec(text, name); err != nil {
				return err
			}
		}
	}
	for _, u := range users {
		u.Origin = FromConfig
		if err := t.PutUser(u); err != nil {
			return err
		}
	}
	return nil
}

// SecondFactor is what the codes of a user are made and checked with, in base32. Pending is a secret that the user has been shown and
// has not confirmed. Step is the step of time of the last code that was taken.
type SecondFactor struct {
	Secret  string
	Pending string
	Step    int64
}

// SecondFactor reads a user's; it is empty when there is none.
func (t *Tx) SecondFactor(name string) (f SecondFactor, err error) {
	_, err = t.one(`SELECT secret, pending, step FROM second_factors WHERE name = $1`, []any{name}, &f.Secret, &f.Pending, &f.Step)
	return f, err
}

// SecondFactors reads those of all users, by name.
func (t *Tx) SecondFactors() (map[string]SecondFactor, error) {
	all := map[string]SecondFactor{}
	err := t.query(`SELECT name, secret, pending, step FROM second_factors`, func(rows *sql.Rows) error {
		var name string
		var f SecondFactor
		if err := rows.Scan(&name, &f.Secret, &f.Pending, &f.Step); err != nil {
			return err
		}
		all[name] = f
		return nil
	})
	return all, err
}

// PutSecondFactor stores a user's.
func (t *Tx) PutSecondFactor(name string, f SecondFactor) error {
	return t.exec(`INSERT INTO second_factors (name, secret, pending, step) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET secret = excluded.secret, pending = excluded.pending, step = excluded.step`,
		name, f.Secret, f.Pending, f.Step)
}

// DropSecondFactor takes a user's second factor and recovery codes away, and ends his sessions.
func (t *Tx) DropSecondFactor(name string) error {
	for _, text := range []string{`DELETE FROM second_factors WHERE name = $1`, `DELETE FROM identities WHERE name = $1`, `DELETE FROM recovery_codes WHERE name = $1`, `DELETE FROM sessions WHERE name = $1`} {
		if err := t.exec(text, name); err != nil {
			return err
		}
	}
	return nil
}

// PutRecoveryCodes replaces a user's recovery codes by those with these hashes.
func (t *Tx) PutRecoveryCodes(name string, hashes [][32]byte) error {
	if err := t.exec(`DELETE FROM recovery_codes WHERE name = $1`, name); err != nil {
		return err
	}
	for _, h := range hashes {
		if err := t.exec(`INSERT INTO recovery_codes (name, hash) VALUES ($1, $2)`, name, h[:]); err != nil {
			return err
		}
	}
	return nil
}

// UseRecoveryCode takes a recovery code from a user, and reports whether he had it.
func (t *Tx) UseRecoveryCode(name string, hash [32]byte) (had bool, err error) {
	err = t.query(`DELETE FROM recovery_codes WHERE name = $1 AND hash = $2 RETURNING name`, func(*sql.Rows) error { had = true; return nil }, name, hash[:])
	return had, err
}

// RecoveryCodes counts the recovery codes that a user has left.
func (s *Store) RecoveryCodes(ctx context.Context, name string) (n int, err error) {
	err = s.query(ctx, `SELECT count(*) FROM recovery_codes WHERE name = $1`, func(rows *sql.Rows) error { return rows.Scan(&n) }, name)
	return n, err
}

// Identity is who a user is at the unified identity platform. Subject is empty while he is only invited.
type Identity struct {
	User, Issuer, Subject string
	Invited               time.Time // may be linked until then
}

// Identity reads who a user is at the platform.
func (t *Tx) Identity(user string) (i Identity, found bool, err error) {
	var invited int64
	found, err = t.one(`SELECT issuer, subject, invited_ms FROM identities WHERE name = $1`, []any{user}, &i.Issuer, &i.Subject, &invited)
	i.User, i.Invited = user, time.UnixMilli(invited)
	return i, found, err
}

// Identified gives the name of the user who is somebody at the platform.
func (t *Tx) Identified(issuer, subject string) (name string, found bool, err error) {
	found, err = t.one(`SELECT name FROM identities WHERE issuer = $1 AND subject = $2 AND subject <> ''`, []any{issuer, subject}, &name)
	return name, found, err
}

// PutIdentity stores who a user is at the platform. If he was somebody else there, what he has opened as that one ends.
func (t *Tx) PutIdentity(i Identity) error {
	if err := t.DropIdentity(i.User); err != nil {
		return err
	}
	return t.exec(`INSERT INTO identities (name, issuer, subject, invited_ms) VALUES ($1, $2, $3, $4)`, i.User, i.Issuer, i.Subject, i.Invited.UnixMilli())
}

// DropIdentity makes a user nobody at the platform. His sessions by it end.
func (t *Tx) DropIdentity(user string) error {
	if err := t.exec(`DELETE FROM sessions WHERE name = $1 AND came_by = 'oidc'`, user); err != nil {
		return err
	}
	return t.exec(`DELETE FROM identities WHERE name = $1`, user)
}
