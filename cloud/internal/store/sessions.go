package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"

	"halledge/cloud/internal/origin"
)

// maxSessions bounds the sessions of one user: beyond it the one used longest ago ends.
const maxSessions = 32

// Session is a signed-in browser, known by the SHA-256 of its cookie.
type Session struct {
	TokenHash [32]byte
	Name      string
	By        string // how its user came in: password or oidc
	// Certificate is the one that was shown for a second factor, SHA-256 in hexadecimal; empty: none was.
	Certificate string
	Created     time.Time
	Used        time.Time
	Expires     time.Time
}

// AddSession stores a session, and forgets those that ended before now and those its user has too many of.
func (t *Tx) AddSession(x Session, now time.Time) error {
	if err := t.exec(`DELETE FROM sessions WHERE expires_ms < $1`, now.UnixMilli()); err != nil {
		return err
	}
	err := t.exec(`DELETE FROM sessions WHERE name = $1 AND token_hash NOT IN
		(SELECT token_hash FROM sessions WHERE name = $1 ORDER BY used_ms DESC LIMIT $2)`, x.Name, maxSessions-1)
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO sessions (token_hash, name, came_by, certificate, created_ms, used_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		x.TokenHash[:], x.Name, x.By, x.Certificate, x.Created.UnixMilli(), x.Used.UnixMilli(), x.Expires.UnixMilli())
}

// sessionsOfUsers picks the sessions of users who may sign in: that of another is as good as ended.
const sessionsOfUsers = ` FROM sessions s JOIN users u ON u.name = s.name AND u.disabled = 0`

// Session reads a session and its user.
func (s *Store) Session(ctx context.Context, tokenHash [32]byte) (x Session, u User, found bool, err error) {
	err = s.query(ctx, `SELECT s.came_by, s.certificate, s.created_ms, s.used_ms, s.expires_ms, `+userColumns+sessionsOfUsers+` WHERE s.token_hash = $1`, func(rows *sql.Rows) error {
		found = true
		var by, certificate string
		var created, used, expires int64
		var into scannedUser
		if err := rows.Scan(append([]any{&by, &certificate, &created, &used, &expires}, into.fields(&u)...)...); err != nil {
			return err
		}
		x = Session{
			TokenHash: tokenHash, Name: u.Name, By: by, Certificate: certificate,
			Created: time.UnixMilli(created), Used: time.UnixMilli(used), Expires: time.UnixMilli(expires),
		}
		return into.finish(&u)
	}, tokenHash[:])
	return x, u, found, err
}

// Sessions reads all sessions.
func (s *Store) Sessions(ctx context.Context) ([]Session, error) {
	return collect(func(rows *sql.Rows) (Session, error) {
		var x Session
		var hash []byte
		var created, used, expires int64
		err := rows.Scan(&hash, &x.Name, &x.By, &created, &used, &expires)
		copy(x.TokenHash[:], hash)
		x.Created, x.Used, x.Expires = time.UnixMilli(created), time.UnixMilli(used), time.UnixMilli(expires)
		return x, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT s.token_hash, s.name, s.came_by, s.created_ms, s.used_ms, s.expires_ms`+sessionsOfUsers, scan)
	})
}

// TouchSession notes that a session was used.
func (t *Tx) TouchSession(tokenHash [32]byte, at time.Time) error {
	return t.exec(`UPDATE sessions SET used_ms = $2 WHERE token_hash = $1`, tokenHash[:], at.UnixMilli())
}

// SessionUser gives the name of a session's user, and how he came in.
func (t *Tx) SessionUser(tokenHash [32]byte) (name, by string, found bool, err error) {
	found, err = t.one(`SELECT name, came_by FROM sessions WHERE token_hash = $1`, []any{tokenHash[:]}, &name, &by)
	return name, by, found, err
}

// DropSession ends a session.
func (t *Tx) DropSession(tokenHash [32]byte) error {
	return t.exec(`DELETE FROM sessions WHERE token_hash = $1`, tokenHash[:])
}

// DropOtherSessions ends the sessions of a user but one.
func (t *Tx) DropOtherSessions(name string, keep [32]byte) error {
	return t.exec(`DELETE FROM sessions WHERE name = $1 AND token_hash <> $2`, name, keep[:])
}

// Failures is how often signing in under a name from a network has failed in a row. Locked is zero when that is not locked.
type Failures struct {
	Name    string
	Network string
	Failed  int
	Last    time.Time
	Locked  time.Time
}

// Tally sums failures up. Last is zero when there are none.
type Tally struct {
	Failed int
	Last   time.Time
}

// Attempts is what is remembered of signing in under one name from one network: the failures of both together, whether the user
// has signed in from there, and the failures of the name from everywhere and from the network's block, and of the network under
// all names.
type Attempts struct {
	Failures  Failures
	Familiar  bool
	ByName    Tally
	ByBlock   Tally
	ByNetwork Tally
}

// Attempts reads what is remembered; tallies and familiar networks only since the two times.
func (s *Store) Attempts(ctx context.Context, name, network string, tallied, familiar time.Time) (Attempts, error) {
	a := Attempts{Failures: Failures{Name: name, Network: network}}
	err := s.query(ctx, `SELECT failed, last_ms, locked_ms FROM failures WHERE name = $1 AND network = $2`, func(rows *sql.Rows) error {
		return scanFailures(rows, &a.Failures)
	}, name, network)
	if err != nil {
		return a, err
	}
	err = s.query(ctx, `SELECT 1 FROM networks WHERE name = $1 AND network = $2 AND used_ms > $3`, func(*sql.Rows) error {
		a.Familiar = true
		return nil
	}, name, network, familiar.UnixMilli())
	if err != nil {
		return a, err
	}
	tally := func(into *Tally, where string, args ...any) error {
		return s.query(ctx, `SELECT COALESCE(SUM(failed), 0), COALESCE(MAX(last_ms), 0) FROM failures WHERE last_ms > $1 AND `+where,
			func(rows *sql.Rows) error {
				var last int64
				err := rows.Scan(&into.Failed, &last)
				into.Last = timeOrZero(last)
				return err
			}, append([]any{tallied.UnixMilli()}, args...)...)
	}
	if err := tally(&a.ByName, `name = $2`, name); err != nil {
		return a, err
	}
	if err := tally(&a.ByBlock, `name = $2 AND block = $3`, name, origin.Block(network)); err != nil {
		return a, err
	}
	return a, tally(&a.ByNetwork, `network = $2`, network)
}

// Failures reads the failures of a name from a network.
func (t *Tx) Failures(name, network string) (Failures, error) {
	f := Failures{Name: name, Network: network}
	err := t.query(`SELECT failed, last_ms, locked_ms FROM failures WHERE name = $1 AND network = $2`, func(rows *sql.Rows) error {
		return scanFailures(rows, &f)
	}, name, network)
	return f, err
}

func scanFailures(rows *sql.Rows, f *Failures) error {
	var last, locked int64
	if err := rows.Scan(&f.Failed, &last, &locked); err != nil {
		return err
	}
	f.Last, f.Locked = timeOrZero(last), timeOrZero(locked)
	return nil
}

func timeOrZero(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// PutFailures stores failures, and forgets all that are older than forget.
func (t *Tx) PutFailures(f Failures, forget time.Time) error {
	if err := t.exec(`DELETE FROM failures WHERE last_ms < $1 AND locked_ms < $1`, forget.UnixMilli()); err != nil {
		return err
	}
	var locked int64
	if !f.Locked.IsZero() {
		locked = f.Locked.UnixMilli()
	}
	return t.exec(`INSERT INTO failures (name, network, block, failed, last_ms, locked_ms) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name, network) DO UPDATE SET failed = excluded.failed, last_ms = excluded.last_ms, locked_ms = excluded.locked_ms`,
		f.Name, f.Network, origin.Block(f.Network), f.Failed, f.Last.UnixMilli(), locked)
}

// SignedIn forgets the failures of a name from a network, and remembers the network as one the user comes from; the user's
// networks older than forget are forgotten.
func (t *Tx) SignedIn(name, network string, at, forget time.Time) error {
	if err := t.exec(`DELETE FROM failures WHERE name = $1 AND network = $2`, name, network); err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM networks WHERE name = $1 AND used_ms < $2`, name, forget.UnixMilli()); err != nil {
		return err
	}
	return t.exec(`INSERT INTO networks (name, network, used_ms) VALUES ($1, $2, $3)
		ON CONFLICT (name, network) DO UPDATE SET used_ms = excluded.used_ms`, name, network, at.UnixMilli())
}

// ClearFailures forgets all failures of a name.
func (t *Tx) ClearFailures(name string) error {
	return t.exec(`DELETE FROM failures WHERE name = $1`, name)
}

// seedNetworks is migration 4. Networks that users come from were not remembered at first; the audit knows them since each
// user's password was last set. Without them an upgrade would make strangers of all.
func seedNetworks() *goose.Migration {
	return goose.NewGoMigration(4, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		type seen struct {
			name, remote string
			at           int64
		}
		all, err := collect(func(rows *sql.Rows) (seen, error) {
			var s seen
			err := rows.Scan(&s.name, &s.remote, &s.at)
			return s, err
		}, func(scan func(*sql.Rows) error) error {
			rows, err := tx.QueryContext(ctx, `SELECT a.actor, a.remote, MAX(a.at_ms) FROM audit a JOIN users u ON u.name = a.actor
				WHERE a.action = 'sign_in' AND a.result = 'ok' AND a.remote <> '' AND a.at_ms >
					(SELECT COALESCE(MAX(c.at_ms), 0) FROM audit c WHERE c.action = 'user_add' AND c.subject = a.actor)
				GROUP BY a.actor, a.remote`)
			return eachRow(rows, err, scan)
		})
		if err != nil {
			return fmt.Errorf("read who signed in from where: %w", err)
		}
		for _, s := range all {
			_, err := tx.ExecContext(ctx, `INSERT INTO networks (name, network, used_ms) VALUES ($1, $2, $3)
				ON CONFLICT (name, network) DO UPDATE SET used_ms = excluded.used_ms WHERE networks.used_ms < excluded.used_ms`,
				s.name, origin.Network(s.remote), s.at)
			if err != nil {
				return fmt.Errorf("remember a network: %w", err)
			}
		}
		return nil
	}}, nil)
}
