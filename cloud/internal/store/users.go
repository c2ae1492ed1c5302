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

// Role says what somebody may do.
type Role string

// The roles.
const (
	Viewer Role = "viewer" // sees everything but the audit
	Admin  Role = "admin"  // sees the audit too
)

// User is a person who may sign in, unless Disabled. Password is an argon2id hash in PHC form.
type User struct {
	Name     string
	FullName string
	Password string
	Origin   string
	Role     Role
	Disabled bool
	Created  time.Time
}

const userColumns = `name, full_name, password, origin, role, disabled, created_ms`

func scanUser(rows *sql.Rows) (User, error) {
	var u User
	var created int64
	err := rows.Scan(&u.Name, &u.FullName, &u.Password, &u.Origin, &u.Role, &u.Disabled, &created)
	u.Created = time.UnixMilli(created)
	return u, err
}

// User reads one user.
func (s *Store) User(ctx context.Context, name string) (u User, found bool, err error) {
	err = s.query(ctx, `SELECT `+userColumns+` FROM users WHERE name = $1`, func(rows *sql.Rows) (err error) {
		found = true
		u, err = scanUser(rows)
		return err
	}, name)
	return u, found, err
}

// User reads one user.
func (t *Tx) User(name string) (u User, found bool, err error) {
	err = t.query(`SELECT `+userColumns+` FROM users WHERE name = $1`, func(rows *sql.Rows) (err error) {
		found = true
		u, err = scanUser(rows)
		return err
	}, name)
	return u, found, err
}

// Users reads all users in order of name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return collect(scanUser, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+userColumns+` FROM users ORDER BY name`, scan)
	})
}

// PutUser stores a user; without a role it is a Viewer. A changed password, and being disabled, ends the user's sessions; after a
// changed password no network is familiar any more.
func (t *Tx) PutUser(u User) error {
	old, found, err := t.User(u.Name)
	if err != nil {
		return err
	}
	changed := found && old.Password != u.Password
	if changed || u.Disabled {
		if err := t.exec(`DELETE FROM sessions WHERE name = $1`, u.Name); err != nil {
			return err
		}
	}
	if changed {
		if err := t.exec(`DELETE FROM networks WHERE name = $1`, u.Name); err != nil {
			return err
		}
	}
	if u.Role == "" {
		u.Role = Viewer
	}
	disabled := 0
	if u.Disabled {
		disabled = 1
	}
	return t.exec(`INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (name) DO UPDATE SET full_name = excluded.full_name, password = excluded.password, origin = excluded.origin,
		role = excluded.role, disabled = excluded.disabled`,
		u.Name, u.FullName, u.Password, u.Origin, u.Role, disabled, u.Created.UnixMilli())
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
		for _, text := range []string{`DELETE FROM sessions WHERE name = $1`, `DELETE FROM networks WHERE name = $1`, `DELETE FROM users WHERE name = $1`} {
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
