package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"halledge/agent/kit/chain"
)

// What the audit knows of.
const (
	ActionSignIn       = "sign_in"
	ActionSignOut      = "sign_out"
	ActionWatch        = "watch" // a camera
	ActionUserAdd      = "user_add"
	ActionUserDisable  = "user_disable"
	ActionUserEnable   = "user_enable"
	ActionUserRoles    = "user_roles"
	ActionUserScope    = "user_scope"
	ActionUserName     = "user_name"     // the full name
	ActionPassword     = "password"      // of somebody else, or one's own
	ActionFactor       = "second_factor" // set up
	ActionFactorReset  = "second_factor_reset"
	ActionRecovery     = "recovery_code"      // used instead of a code
	ActionCertify      = "certificate"        // issued to a user
	ActionDecertify    = "certificate_revoke" // of a user
	ActionInvite       = "user_invite"        // to come by the unified identity platform
	ActionLink         = "user_link"          // did so for the first time
	ActionUnlink       = "user_unlink"
	ActionEnrolCode    = "enrol_code" // made for a hall
	ActionEnrol        = "enrol"      // a box asked for its certificates with a code
	ActionRevoke       = "revoke"     // the certificates of a hall
	ActionPersonFind   = "person_find"
	ActionPersonExport = "person_export"
	ActionPersonErase  = "person_erase" // the subject is the order
	ActionKeysDestroy  = "keys_destroy" // of the days whose term is over
	ActionVaultRotate  = "vault_rotate"
	ActionChainKnown   = "chain_acknowledge" // what was found of a hall's chain was looked into
	ActionAuditExport  = "audit_export"      // taken away as a table
	ActionBackup       = "backup"            // of the database
	ActionRestore      = "restore"           // of the database, from a backup: what the audit knew since lies in the one put aside

	ActionNoticePublish  = "notice_publish" // for the screens of a hall
	ActionNoticeWithdraw = "notice_withdraw"
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

// auditLog is the name of the audit's chain.
const auditLog = "audit"

// entry is a line as the chain has it: the fields, each after its length in 4 bytes, big-endian.
func (a Audit) entry(number uint64) chain.Entry {
	var clear []byte
	at := binary.BigEndian.AppendUint64(nil, uint64(a.At.UnixMilli()))
	for _, field := range []string{string(at), a.Actor, a.By, a.Action, a.Subject, a.Result, a.Remote} {
		clear = binary.BigEndian.AppendUint32(clear, uint32(len(field)))
		clear = append(clear, field...)
	}
	return chain.Entry{Number: number, Clear: clear}
}

// AddAudit stores an audit line, and brings it into the audit's chain.
func (t *Tx) AddAudit(a Audit) error {
	state, err := t.auditState()
	if err != nil {
		return err
	}
	e := a.entry(state.Point().Number + 1)
	link, err := state.Copy(e)
	if err != nil {
		return err
	}
	err = t.exec(`INSERT INTO audit (at_ms, actor, came_by, action, subject, result, remote, number, link)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		a.At.UnixMilli(), a.Actor, a.By, a.Action, a.Subject, a.Result, a.Remote, int64(e.Number), link.Bytes())
	if err != nil {
		return err
	}
	return t.exec(`UPDATE audit_chain SET state = $1 WHERE id = 1`, state.Bytes())
}

// auditState reads where the chain of the audit is. It begins with the lines that were there before it.
func (t *Tx) auditState() (*chain.State, error) {
	var raw []byte
	found, err := t.one(`SELECT state FROM audit_chain WHERE id = 1`, nil, &raw)
	switch {
	case err != nil:
		return nil, err
	case found:
		return chain.ParseState(raw)
	}
	return t.adoptAudit()
}

func (t *Tx) adoptAudit() (*chain.State, error) {
	lines, err := collect(scanAuditLine, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT `+auditLineColumns+` FROM audit ORDER BY id`, scan)
	})
	if err != nil {
		return nil, err
	}
	start := chain.Start{Log: auditLog, First: 1, At: time.Now(), Why: chain.First}
	if len(lines) > 0 {
		start.Why = chain.Adopted
	}
	state := chain.Follow(start.Point(), chain.Key{})
	for _, l := range lines {
		e := l.entry(state.Point().Number + 1)
		link, err := state.Copy(e)
		if err == nil {
			err = t.exec(`UPDATE audit SET number = $2, link = $3 WHERE id = $1`, l.ID, int64(e.Number), link.Bytes())
		}
		if err != nil {
			return nil, err
		}
	}
	return state, t.exec(`INSERT INTO audit_chain (id, start, state, base) VALUES (1, $1, $2, $3)`,
		start.Bytes(), state.Bytes(), chain.Checkpoint{Point: start.Point()}.Bytes())
}

const auditLineColumns = `id, at_ms, actor, came_by, action, subject, result, remote`

func scanAuditLine(rows *sql.Rows) (Audit, error) {
	var a Audit
	var at int64
	err := rows.Scan(&a.ID, &at, &a.Actor, &a.By, &a.Action, &a.Subject, &a.Result, &a.Remote)
	a.At = time.UnixMilli(at)
	return a, err
}

// CheckpointAudit signs where the chain of the audit is, if it is time for it, and reports whether it was.
func (s *Store) CheckpointAudit(ctx context.Context, now time.Time, sign func(chain.Checkpoint) (chain.Checkpoint, error)) (signed bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		signed = false
		state, err := tx.auditState()
		if err != nil {
			return err
		}
		var raw []byte
		found, err := tx.one(`SELECT checkpoint FROM audit_checkpoints ORDER BY number DESC LIMIT 1`, nil, &raw)
		if err != nil {
			return err
		}
		var last chain.Checkpoint
		if found {
			if last, err = chain.ParseCheckpoint(raw); err != nil {
				return err
			}
		}
		// No line of the audit holds the checkpoint: each line that came since counts.
		came := state.Point().Number > last.Number && now.Sub(last.At).Abs() >= chain.CheckpointTime
		if state.Point().Number == 0 || !came && !last.Due(state.Point(), now) {
			return nil
		}
		c, err := sign(state.Checkpoint(now))
		if err != nil {
			return err
		}
		signed = true
		return tx.exec(`INSERT INTO audit_checkpoints (number, checkpoint) VALUES ($1, $2)
			ON CONFLICT (number) DO UPDATE SET checkpoint = excluded.checkpoint`, int64(c.Number), c.Bytes())
	})
	return signed, err
}

// AuditChain is the chain of the audit, as it can be verified. Lines are to be read once.
type AuditChain struct {
	Start       chain.Start
	From        chain.Point // before the first line that is kept
	End         chain.Point
	Checkpoints []chain.Checkpoint
	Unchained   int64 // lines that are in no chain: nobody who adds lines leaves such ones
}

// AuditChain reads what there is to know of the audit's chain; a zero one while there is none.
func (s *Store) AuditChain(ctx context.Context) (a AuditChain, err error) {
	var start, state, base []byte
	err = s.query(ctx, `SELECT start, state, base FROM audit_chain WHERE id = 1`, func(rows *sql.Rows) error {
		return rows.Scan(&start, &state, &base)
	})
	if err != nil || start == nil {
		return a, err
	}
	if a.Start, err = chain.ParseStart(start); err != nil {
		return a, err
	}
	at, err := chain.ParseState(state)
	if err != nil {
		return a, err
	}
	from, err := chain.ParseCheckpoint(base)
	if err != nil {
		return a, err
	}
	a.From, a.End = from.Point, at.Point()
	err = s.query(ctx, `SELECT checkpoint FROM audit_checkpoints ORDER BY number`, func(rows *sql.Rows) error {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return err
		}
		c, err := chain.ParseCheckpoint(raw)
		a.Checkpoints = append(a.Checkpoints, c)
		return err
	})
	if err != nil {
		return a, err
	}
	err = s.query(ctx, `SELECT count(*) FROM audit WHERE number IS NULL`, func(rows *sql.Rows) error { return rows.Scan(&a.Unchained) })
	return a, err
}

// ChainedAudits hands the lines of the audit to each in the order of the chain, until it says no.
func (s *Store) ChainedAudits(ctx context.Context, each func(chain.Stored, error) bool) {
	stop := fmt.Errorf("enough")
	err := s.query(ctx, `SELECT `+auditLineColumns+`, number, link FROM audit WHERE number IS NOT NULL ORDER BY number`, func(rows *sql.Rows) error {
		var a Audit
		var at, number int64
		var raw []byte
		if err := rows.Scan(&a.ID, &at, &a.Actor, &a.By, &a.Action, &a.Subject, &a.Result, &a.Remote, &number, &raw); err != nil {
			return err
		}
		a.At = time.UnixMilli(at)
		link, err := chain.ParseLink(raw)
		if !each(chain.Stored{Entry: a.entry(uint64(number)), Link: link}, err) {
			return stop
		}
		return nil
	})
	if err != nil && err != stop { //nolint:errorlint // our own, from just above
		each(chain.Stored{}, err)
	}
}

// PruneAudit drops the oldest lines from before a time, and reports how many. It stops at the last checkpoint that all of them lie before, so
// that what remains begins at a place that was signed: at most limit of them, unless the first checkpoint lies farther.
func (t *Tx) PruneAudit(before time.Time, limit int) (dropped int, err error) {
	if _, err := t.auditState(); err != nil {
		return 0, err
	}
	var raw []byte
	found, err := t.one(`SELECT base FROM audit_chain WHERE id = 1`, nil, &raw)
	if err != nil || !found {
		return 0, err
	}
	base, err := chain.ParseCheckpoint(raw)
	if err != nil {
		return 0, err
	}
	young := int64(-1) // the first line that stays
	if _, err = t.one(`SELECT number FROM audit WHERE at_ms >= $1 AND number IS NOT NULL ORDER BY number LIMIT 1`, []any{before.UnixMilli()}, &young); err != nil {
		return 0, err
	}
	condition := `number > $1 AND ($2 < 0 OR number < $2)`
	order := `ORDER BY CASE WHEN number <= $3 THEN -number ELSE number END LIMIT 1`
	args := []any{int64(base.Number), young, int64(base.Number) + int64(limit)}
	var to []byte
	if found, err = t.one(`SELECT checkpoint FROM audit_checkpoints WHERE `+condition+` `+order, args, &to); err != nil || !found {
		return 0, err
	}
	last, err := chain.ParseCheckpoint(to)
	if err != nil {
		return 0, err
	}
	err = t.query(`DELETE FROM audit WHERE number <= $1 RETURNING id`, func(*sql.Rows) error { dropped++; return nil }, int64(last.Number))
	if err != nil {
		return dropped, err
	}
	if err := t.exec(`UPDATE audit_chain SET base = $1 WHERE id = 1`, last.Bytes()); err != nil {
		return dropped, err
	}
	return dropped, t.exec(`DELETE FROM audit_checkpoints WHERE number < $1`, int64(last.Number))
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
