package store

import (
	"context"
	"database/sql"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Presence is the last sign of life of a hall, and its last report as it was sent (empty for none).
type Presence struct {
	Hall   hallsync.HallID
	Seen   time.Time
	Report []byte
}

// PutPresence stores a hall's presence.
func (t *Tx) PutPresence(p Presence) error {
	report := p.Report
	if report == nil {
		report = []byte{}
	}
	return t.exec(`INSERT INTO presence (hall, seen_ms, report) VALUES ($1, $2, $3)
		ON CONFLICT (hall) DO UPDATE SET seen_ms = excluded.seen_ms, report = excluded.report`, p.Hall, p.Seen.UnixMilli(), report)
}

// Presences reads the presence of all halls that were ever heard.
func (s *Store) Presences(ctx context.Context) ([]Presence, error) {
	return collect(func(rows *sql.Rows) (Presence, error) {
		var p Presence
		var seen int64
		err := rows.Scan(&p.Hall, &seen, &p.Report)
		p.Seen = time.UnixMilli(seen)
		return p, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT hall, seen_ms, report FROM presence`, scan)
	})
}
