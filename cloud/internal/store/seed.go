package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"

	"halledge/cloud/internal/origin"
)

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
