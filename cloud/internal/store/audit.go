package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// What the audit knows of.
const (
	ActionSignIn      = "sign_in"
	ActionSignOut     = "sign_out"
	ActionWatch       = "watch" // a camera
	ActionUserAdd     = "user_add"
	ActionUserDisable = "user_disable"
	ActionUserEnable  = "user_enable"
	ActionUserRoles   = "user_roles"
	ActionUserScope   = "user_scope"
	ActionUserName    = "user_name"     // the full name
	ActionPassword    = "password"      // of somebody else, or one's own
	ActionFactor      = "second_factor" // set up
	ActionFactorReset = "second_factor_reset"
	ActionRecovery    = "recovery_code" // used instead of a code
	ActionInvite      = "user_invite"   // to come by the unified identity platform
	ActionLink        = "user_link"     // did so for the first time
	ActionUnlink      = "user_unlink"
	ActionEnrolCode   = "enrol_code" // made for a hall
	ActionEnrol       = "enrol"      // a box asked for its certificates with a code
	ActionRevoke      = "revoke"     // the certificates of a hall
)

// Audit is one line of who did what. It is never changed, and dropped when it has been kept long enough.
type Audit struct {
	ID      int64
	At      time.Time
	Actor   string // user, token or account of the machine; a mark where no such user is known
	Name    string // full name of the user, read only
	By      string // how the actor came in: password, token or command
	Action  string
	Subject string
	Result  string // ok or a code
	Remote  string // network address
}

// AddAudit stores an audit line.
func (t *Tx) AddAudit(a Audit) error {
	return t.exec(`INSERT INTO audit (at_ms, actor, came_by, action, subject, result, remote) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.At.UnixMilli(), a.Actor, a.By, a.Action, a.Subject, a.Result, a.Remote)
}

// PruneAudit drops the oldest lines from before a time, at most limit of them, and reports how many.
func (t *Tx) PruneAudit(before time.Time, limit int) (dropped int, err error) {
	err = t.query(`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < $1 ORDER BY at_ms LIMIT $2) RETURNING id`,
		func(*sql.Rows) error { dropped++; return nil }, before.UnixMilli(), limit)
	return dropped, err
}

// AuditQuery picks audit lines. Empty fields mean all; From is the first moment, To the first one after.
type AuditQuery struct {
	Actor  string
	Action string
	From   time.Time
	To     time.Time
	Within *AuditScope // nil: everything
	Limit  int
	Offset int
}

// AuditScope picks the lines about the halls and cameras whose code begins with one of the prefixes, and those by or about the users.
type AuditScope struct {
	Users    []string
	Prefixes []string
}

// where writes the conditions that are asked for, and only them, so that each can use its index.
func (q AuditQuery) where() (text string, args []any) {
	var conditions []string
	add := func(given bool, condition string, value any) {
		if given {
			args = append(args, value)
			conditions = append(conditions, fmt.Sprintf("%s $%d", condition, len(args)))
		}
	}
	add(q.Actor != "", "actor =", q.Actor)
	add(q.Action != "", "action =", q.Action)
	add(!q.From.IsZero(), "at_ms >=", q.From.UnixMilli())
	add(!q.To.IsZero(), "at_ms <", q.To.UnixMilli())
	if q.Within != nil {
		some := []string{"FALSE"}
		for _, name := range q.Within.Users {
			args = append(args, name)
			n := len(args)
			some = append(some, fmt.Sprintf("actor = $%d AND came_by IN ('', 'password', 'oidc')", n), fmt.Sprintf("subject = $%d", n))
		}
		for _, prefix := range q.Within.Prefixes {
			args = append(args, prefix)
			some = append(some, fmt.Sprintf("substr(subject, 1, %d) = $%d", len(prefix), len(args)))
		}
		conditions = append(conditions, "("+strings.Join(some, " OR ")+")")
	}
	if conditions == nil {
		return "", nil
	}
	return " WHERE " + strings.Join(conditions, " AND "), args
}

// Audits reads audit lines, newest first, and counts all that match.
func (s *Store) Audits(ctx context.Context, q AuditQuery) ([]Audit, int, error) {
	where, args := q.where()
	total := 0
	err := s.query(ctx, `SELECT count(*) FROM audit`+where, func(rows *sql.Rows) error { return rows.Scan(&total) }, args...)
	if err != nil {
		return nil, 0, err
	}
	page := fmt.Sprintf(` ORDER BY at_ms DESC, id DESC LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2)
	lines, err := collect(func(rows *sql.Rows) (Audit, error) {
		var a Audit
		var at int64
		err := rows.Scan(&a.ID, &at, &a.Actor, &a.Name, &a.By, &a.Action, &a.Subject, &a.Result, &a.Remote)
		a.At = time.UnixMilli(at)
		return a, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT id, at_ms, actor, COALESCE((SELECT full_name FROM users WHERE name = actor AND came_by IN ('', 'password', 'oidc')), ''),
			came_by, action, subject, result, remote FROM audit`+where+page, scan, append(args, q.Limit, q.Offset)...)
	})
	return lines, total, err
}
