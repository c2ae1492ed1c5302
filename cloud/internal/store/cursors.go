package store

import (
	"context"
	"database/sql"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Cursor is how far one epoch of one hall has come. Ordinal counts a hall's epochs as they were first seen, from 1; the
// highest is in force. Every fact up to Contiguous is stored, or known to be gone, and projected.
type Cursor struct {
	Hall       hallsync.HallID
	Epoch      string
	Ordinal    int64
	Contiguous hallsync.Seq
	Highest    hallsync.Seq
	Refused    int64
	Gone       int64
	Stale      bool
	Skew       *time.Duration // the hall's clock minus ours at its last hello
	Received   time.Time      // zero: no fact yet
	Created    time.Time
	SealedFrom hallsync.Seq // first fact that says with which key the others are sealed; 0: none yet
	Faults     int64        // found in the chain, and nobody has looked into them
}

const cursorColumns = `hall, epoch, ordinal, contiguous, highest, refused, gone, stale, skew_ms, received_ms, created_ms, sealed_from, faults`

func scanCursor(rows *sql.Rows) (Cursor, error) {
	var c Cursor
	var contiguous, highest, received, created, sealed int64
	var skew sql.NullInt64
	err := rows.Scan(&c.Hall, &c.Epoch, &c.Ordinal, &contiguous, &highest, &c.Refused, &c.Gone, &c.Stale, &skew, &received, &created, &sealed, &c.Faults)
	c.Contiguous, c.Highest, c.Created = hallsync.Seq(contiguous), hallsync.Seq(highest), time.UnixMilli(created)
	c.SealedFrom = hallsync.Seq(sealed)
	if received > 0 {
		c.Received = time.UnixMilli(received)
	}
	if skew.Valid {
		d := time.Duration(skew.Int64) * time.Millisecond
		c.Skew = &d
	}
	return c, err
}

// EpochsADay is how many new epochs of a hall are taken within a day: an honest one begins one in an hour at most, beside what people do to its
// box. Each is a row for ever.
const EpochsADay = 64

// Cursor reads how far an epoch of a hall has come.
func (t *Tx) Cursor(hall hallsync.HallID, epoch string) (c Cursor, found bool, err error) {
	err = t.query(`SELECT `+cursorColumns+` FROM cursors WHERE hall = $1 AND epoch = $2`, func(rows *sql.Rows) (err error) {
		found = true
		c, err = scanCursor(rows)
		return err
	}, hall, epoch)
	return c, found, err
}

// NewestEpoch gives the ordinal of the epoch in force; 0: there is none.
func (t *Tx) NewestEpoch(hall hallsync.HallID) (ordinal int64, err error) {
	_, err = t.one(`SELECT ordinal FROM cursors WHERE hall = $1 ORDER BY ordinal DESC LIMIT 1`, []any{hall}, &ordinal)
	return ordinal, err
}

// EpochsSpent reports whether a hall, whose newest epoch it is told, has begun as many within a day as it may.
func (t *Tx) EpochsSpent(hall hallsync.HallID, newest int64, now time.Time) (bool, error) {
	return t.one(`SELECT 1 FROM cursors WHERE hall = $1 AND ordinal = $2 AND created_ms > $3`,
		[]any{hall, newest - EpochsADay + 1, now.Add(-24 * time.Hour).UnixMilli()}, new(int))
}

// HeardEpochs counts those of a hall's newest epochs of which facts have come since a moment.
func (s *Store) HeardEpochs(ctx context.Context, hall hallsync.HallID, since time.Time) (count int, err error) {
	err = s.query(ctx, `SELECT count(*) FROM (SELECT received_ms FROM cursors WHERE hall = $1 ORDER BY ordinal DESC LIMIT $2) AS newest
		WHERE received_ms > $3`, func(rows *sql.Rows) error { return rows.Scan(&count) }, hall, EpochsADay, since.UnixMilli())
	return count, err
}

// Cursors reads all epochs of a hall in the order they were first seen.
func (t *Tx) Cursors(hall hallsync.HallID) ([]Cursor, error) {
	return collect(scanCursor, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT `+cursorColumns+` FROM cursors WHERE hall = $1 ORDER BY ordinal`, scan, hall)
	})
}

// Cursors reads all epochs of a hall in the order they were first seen.
func (s *Store) Cursors(ctx context.Context, hall hallsync.HallID) ([]Cursor, error) {
	return collect(scanCursor, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+cursorColumns+` FROM cursors WHERE hall = $1 ORDER BY ordinal`, scan, hall)
	})
}

// AllCursors reads the epochs of all halls, in order of hall and first sight.
func (s *Store) AllCursors(ctx context.Context) ([]Cursor, error) {
	return collect(scanCursor, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+cursorColumns+` FROM cursors ORDER BY hall, ordinal`, scan)
	})
}

// PutCursor stores a cursor.
func (t *Tx) PutCursor(c Cursor) error {
	var skew sql.NullInt64
	if c.Skew != nil {
		skew = sql.NullInt64{Int64: c.Skew.Milliseconds(), Valid: true}
	}
	var received int64
	if !c.Received.IsZero() {
		received = c.Received.UnixMilli()
	}
	stale := 0
	if c.Stale {
		stale = 1
	}
	return t.exec(`INSERT INTO cursors (`+cursorColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (hall, epoch) DO UPDATE SET contiguous = excluded.contiguous, highest = excluded.highest,
		refused = excluded.refused, gone = excluded.gone, stale = excluded.stale, skew_ms = excluded.skew_ms,
		received_ms = excluded.received_ms, sealed_from = excluded.sealed_from, faults = excluded.faults`,
		c.Hall, c.Epoch, c.Ordinal, int64(c.Contiguous), int64(c.Highest), c.Refused, c.Gone, stale, skew, received,
		c.Created.UnixMilli(), int64(c.SealedFrom), c.Faults)
}

// Gap is a range of facts a hall no longer had when it was asked for them.
type Gap struct {
	Hall  hallsync.HallID
	Epoch string
	Range hallsync.Range
	At    time.Time
}

// AddGap records facts as gone.
func (t *Tx) AddGap(g Gap) error {
	return t.exec(`INSERT INTO gaps (hall, epoch, from_seq, to_seq, at_ms) VALUES ($1, $2, $3, $4, $5)`,
		g.Hall, g.Epoch, int64(g.Range.From), int64(g.Range.To), g.At.UnixMilli())
}

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

// collect gathers what scan makes of each row. It never returns a nil list.
func collect[T any](scan func(*sql.Rows) (T, error), query func(func(*sql.Rows) error) error) ([]T, error) {
	items := []T{}
	err := query(func(rows *sql.Rows) error {
		item, err := scan(rows)
		items = append(items, item)
		return err
	})
	return items, err
}
