package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Hash is what a fact's original bytes are recognised by: the first 8 bytes of their SHA-256.
type Hash [8]byte

// HashOf gives the hash of a fact's original bytes.
func HashOf(body []byte) Hash {
	sum := sha256.Sum256(body)
	return Hash(sum[:8])
}

// Event is one stored fact. Refused is the code under which it was refused; empty for an accepted fact.
type Event struct {
	Hall     hallsync.HallID
	Epoch    string
	Seq      hallsync.Seq
	Kind     hallsync.Kind
	V        int
	At       time.Time
	Received time.Time
	Hash     Hash
	Refused  string
	Body     []byte
}

// Stored says that a fact with this key is there already, with which bytes, and whether it was refused.
type Stored struct {
	Hash    Hash
	Refused string
}

// Stored looks a fact up by its key.
func (t *Tx) Stored(hall hallsync.HallID, epoch string, seq hallsync.Seq) (Stored, bool, error) {
	var s Stored
	var hash []byte
	found, err := t.one(`SELECT hash, refused FROM events WHERE hall = $1 AND epoch = $2 AND seq = $3`,
		[]any{hall, epoch, int64(seq)}, &hash, &s.Refused)
	copy(s.Hash[:], hash)
	return s, found, err
}

// AddEvent stores a fact. The key must be new.
func (t *Tx) AddEvent(e Event) error {
	return t.exec(`INSERT INTO events (hall, epoch, seq, kind, v, at_ms, received_ms, hash, refused, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.Hall, e.Epoch, int64(e.Seq), e.Kind, e.V, e.At.UnixMilli(), e.Received.UnixMilli(), e.Hash[:], e.Refused, e.Body)
}

// EventsAfter reads up to limit facts of an epoch in rising order, beginning after seq.
func (t *Tx) EventsAfter(hall hallsync.HallID, epoch string, after hallsync.Seq, limit int) ([]Event, error) {
	var events []Event
	err := t.query(`SELECT seq, kind, v, at_ms, received_ms, hash, refused, body FROM events
		WHERE hall = $1 AND epoch = $2 AND seq > $3 ORDER BY seq LIMIT $4`,
		func(rows *sql.Rows) error {
			e := Event{Hall: hall, Epoch: epoch}
			if err := scanEvent(rows, &e); err != nil {
				return err
			}
			events = append(events, e)
			return nil
		}, hall, epoch, int64(after), limit)
	return events, err
}

func scanEvent(rows *sql.Rows, e *Event) error {
	var seq, at, received int64
	var hash []byte
	if err := rows.Scan(&seq, &e.Kind, &e.V, &at, &received, &hash, &e.Refused, &e.Body); err != nil {
		return err
	}
	e.Seq, e.At, e.Received = hallsync.Seq(seq), time.UnixMilli(at), time.UnixMilli(received)
	copy(e.Hash[:], hash)
	return nil
}

// EventQuery picks facts of one hall. An empty Kind means all.
type EventQuery struct {
	Hall  hallsync.HallID
	Epoch string
	After hallsync.Seq
	Kind  hallsync.Kind
	Limit int
}

// Events reads facts in rising order, and counts all that match.
func (s *Store) Events(ctx context.Context, q EventQuery) ([]Event, int, error) {
	const where = ` FROM events WHERE hall = $1 AND epoch = $2 AND seq > $3 AND ($4 = '' OR kind = $4)`
	total := 0
	err := s.query(ctx, `SELECT count(*)`+where, func(rows *sql.Rows) error { return rows.Scan(&total) },
		q.Hall, q.Epoch, int64(q.After), q.Kind)
	if err != nil {
		return nil, 0, err
	}
	events := []Event{}
	err = s.query(ctx, `SELECT seq, kind, v, at_ms, received_ms, hash, refused, body`+where+` ORDER BY seq LIMIT $5`,
		func(rows *sql.Rows) error {
			e := Event{Hall: q.Hall, Epoch: q.Epoch}
			if err := scanEvent(rows, &e); err != nil {
				return err
			}
			events = append(events, e)
			return nil
		}, q.Hall, q.Epoch, int64(q.After), q.Kind, q.Limit)
	return events, total, err
}
