package store

import (
	"context"
	"database/sql"
	"time"
)

// Where a user comes from.
const (
	FromConfig = "config" // cloud.yaml; follows the file at each start
	FromCLI    = "cli"    // hall-cloud user add
)

// User is a person who may sign in. Password is an argon2id hash in PHC form.
type User struct {
	Name     string
	FullName string
	Password string
	Origin   string
	Created  time.Time
}

// User reads one user.
func (s *Store) User(ctx context.Context, name string) (User, bool, error) {
	var u User
	found := false
	err := s.query(ctx, `SELECT name, full_name, password, origin, created_ms FROM users WHERE name = $1`,
		func(rows *sql.Rows) error {
			found = true
			var created int64
			err := rows.Scan(&u.Name, &u.FullName, &u.Password, &u.Origin, &created)
			u.Created = time.UnixMilli(created)
			return err
		}, name)
	return u, found, err
}

// PutUser stores a user. A changed password ends the user's sessions.
func (t *Tx) PutUser(u User) error {
	var old string
	found, err := t.one(`SELECT password FROM users WHERE name = $1`, []any{u.Name}, &old)
	if err != nil {
		return err
	}
	if found && old != u.Password {
		if err := t.exec(`DELETE FROM sessions WHERE name = $1`, u.Name); err != nil {
			return err
		}
	}
	return t.exec(`INSERT INTO users (name, full_name, password, origin, created_ms) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO UPDATE SET full_name = excluded.full_name, password = excluded.password, origin = excluded.origin`,
		u.Name, u.FullName, u.Password, u.Origin, u.Created.UnixMilli())
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
		if err := t.exec(`DELETE FROM sessions WHERE name = $1`, name); err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM users WHERE name = $1`, name); err != nil {
			return err
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

// Session is a signed-in browser, known by the SHA-256 of its cookie.
type Session struct {
	TokenHash [32]byte
	Name      string
	Created   time.Time
	Used      time.Time
	Expires   time.Time
}

// AddSession stores a session, and forgets those that ended before now.
func (t *Tx) AddSession(x Session, now time.Time) error {
	if err := t.exec(`DELETE FROM sessions WHERE expires_ms < $1`, now.UnixMilli()); err != nil {
		return err
	}
	return t.exec(`INSERT INTO sessions (token_hash, name, created_ms, used_ms, expires_ms) VALUES ($1, $2, $3, $4, $5)`,
		x.TokenHash[:], x.Name, x.Created.UnixMilli(), x.Used.UnixMilli(), x.Expires.UnixMilli())
}

// Session reads a session and its user. A session whose user is gone is not found.
func (s *Store) Session(ctx context.Context, tokenHash [32]byte) (Session, User, bool, error) {
	x := Session{TokenHash: tokenHash}
	var u User
	found := false
	err := s.query(ctx, `SELECT s.name, s.created_ms, s.used_ms, s.expires_ms, u.full_name, u.origin
		FROM sessions s JOIN users u ON u.name = s.name WHERE s.token_hash = $1`, func(rows *sql.Rows) error {
		found = true
		var created, used, expires int64
		err := rows.Scan(&x.Name, &created, &used, &expires, &u.FullName, &u.Origin)
		x.Created, x.Used, x.Expires = time.UnixMilli(created), time.UnixMilli(used), time.UnixMilli(expires)
		u.Name = x.Name
		return err
	}, tokenHash[:])
	return x, u, found, err
}

// TouchSession notes that a session was used.
func (t *Tx) TouchSession(tokenHash [32]byte, at time.Time) error {
	return t.exec(`UPDATE sessions SET used_ms = $2 WHERE token_hash = $1`, tokenHash[:], at.UnixMilli())
}

// DropSession ends a session.
func (t *Tx) DropSession(tokenHash [32]byte) error {
	return t.exec(`DELETE FROM sessions WHERE token_hash = $1`, tokenHash[:])
}

// Failures is how often signing in under a name has failed in a row. Locked is zero when it is not locked.
type Failures struct {
	Name   string
	Failed int
	Last   time.Time
	Locked time.Time
}

// Failures reads the failures of a name, known user or not.
func (s *Store) Failures(ctx context.Context, name string) (Failures, error) {
	f := Failures{Name: name}
	err := s.query(ctx, `SELECT failed, last_ms, locked_ms FROM failures WHERE name = $1`, func(rows *sql.Rows) error {
		return scanFailures(rows, &f)
	}, name)
	return f, err
}

// Failures reads the failures of a name, known user or not.
func (t *Tx) Failures(name string) (Failures, error) {
	f := Failures{Name: name}
	err := t.query(`SELECT failed, last_ms, locked_ms FROM failures WHERE name = $1`, func(rows *sql.Rows) error {
		return scanFailures(rows, &f)
	}, name)
	return f, err
}

func scanFailures(rows *sql.Rows, f *Failures) error {
	var last, locked int64
	if err := rows.Scan(&f.Failed, &last, &locked); err != nil {
		return err
	}
	f.Last = time.UnixMilli(last)
	if locked > 0 {
		f.Locked = time.UnixMilli(locked)
	}
	return nil
}

// PutFailures stores failures, and forgets those of others that are older than forget.
func (t *Tx) PutFailures(f Failures, forget time.Time) error {
	if err := t.exec(`DELETE FROM failures WHERE last_ms < $1 AND locked_ms < $1`, forget.UnixMilli()); err != nil {
		return err
	}
	var locked int64
	if !f.Locked.IsZero() {
		locked = f.Locked.UnixMilli()
	}
	return t.exec(`INSERT INTO failures (name, failed, last_ms, locked_ms) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET failed = excluded.failed, last_ms = excluded.last_ms, locked_ms = excluded.locked_ms`,
		f.Name, f.Failed, f.Last.UnixMilli(), locked)
}

// ClearFailures forgets the failures of a name.
func (t *Tx) ClearFailures(name string) error {
	return t.exec(`DELETE FROM failures WHERE name = $1`, name)
}

// Audit is one line of who did what. It is only ever added.
type Audit struct {
	At      time.Time
	Actor   string // user, token or process
	Action  string // sign_in, sign_out, watch, user_add …
	Subject string
	Result  string // ok or a code
	Remote  string // network address
}

// AddAudit stores an audit line.
func (t *Tx) AddAudit(a Audit) error {
	return t.exec(`INSERT INTO audit (at_ms, actor, action, subject, result, remote) VALUES ($1, $2, $3, $4, $5, $6)`,
		a.At.UnixMilli(), a.Actor, a.Action, a.Subject, a.Result, a.Remote)
}

// Audits reads the latest audit lines, newest first.
func (s *Store) Audits(ctx context.Context, limit int) ([]Audit, error) {
	return collect(func(rows *sql.Rows) (Audit, error) {
		var a Audit
		var at int64
		err := rows.Scan(&at, &a.Actor, &a.Action, &a.Subject, &a.Result, &a.Remote)
		a.At = time.UnixMilli(at)
		return a, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT at_ms, actor, action, subject, result, remote FROM audit ORDER BY id DESC LIMIT $1`, scan, limit)
	})
}
