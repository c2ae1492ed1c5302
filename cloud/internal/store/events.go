package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
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

// Event is one stored fact. Refused is the code under which it was refused; empty for an accepted fact. Body are the bytes as they came,
// until the fact is erased: then they say so, and Erased names the order.
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
	DataKey  string // that it is sealed with, in hexadecimal; empty: in the clear
	Erased   string // order by which its body was erased; empty: it was not
	Link     []byte // of the hall's chain; nil: outside of a chain
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
	return t.exec(`INSERT INTO events (hall, epoch, seq, kind, v, at_ms, received_ms, hash, refused, data_key, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		e.Hall, e.Epoch, int64(e.Seq), e.Kind, e.V, e.At.UnixMilli(), e.Received.UnixMilli(), e.Hash[:], e.Refused, e.DataKey, e.Body)
}

// RefuseEvent refuses a stored fact under a code.
func (t *Tx) RefuseEvent(hall hallsync.HallID, epoch string, seq hallsync.Seq, code string) error {
	return t.exec(`UPDATE events SET refused = $4 WHERE hall = $1 AND epoch = $2 AND seq = $3`, hall, epoch, int64(seq), code)
}

// LinkEvent stores the chain's link behind a fact.
func (t *Tx) LinkEvent(hall hallsync.HallID, epoch string, seq hallsync.Seq, link []byte) error {
	return t.exec(`UPDATE events SET link = $4 WHERE hall = $1 AND epoch = $2 AND seq = $3`, hall, epoch, int64(seq), link)
}

// EraseEvent stores what is left of a fact by an order.
func (t *Tx) EraseEvent(hall hallsync.HallID, epoch string, seq hallsync.Seq, order string, body []byte) error {
	return t.exec(`UPDATE events SET erased = $4, data_key = '', body = $5 WHERE hall = $1 AND epoch = $2 AND seq = $3`, hall, epoch, int64(seq), order, body)
}

// EventsAfter reads up to limit facts of an epoch in rising order, beginning after seq.
func (t *Tx) EventsAfter(hall hallsync.HallID, epoch string, after hallsync.Seq, limit int) ([]Event, error) {
	var events []Event
	err := t.query(`SELECT `+eventColumns+` FROM events
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

const eventColumns = `seq, kind, v, at_ms, received_ms, hash, refused, data_key, erased, link, body`

func scanEvent(rows *sql.Rows, e *Event) error {
	var seq, at, received int64
	var hash []byte
	if err := rows.Scan(&seq, &e.Kind, &e.V, &at, &received, &hash, &e.Refused, &e.DataKey, &e.Erased, &e.Link, &e.Body); err != nil {
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
	err = s.query(ctx, `SELECT `+eventColumns+where+` ORDER BY seq LIMIT $5`,
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

// Event reads one fact.
func (s *Store) Event(ctx context.Context, hall hallsync.HallID, epoch string, seq hallsync.Seq) (e Event, found bool, err error) {
	e = Event{Hall: hall, Epoch: epoch}
	err = s.query(ctx, `SELECT `+eventColumns+` FROM events WHERE hall = $1 AND epoch = $2 AND seq = $3`, func(rows *sql.Rows) error {
		found = true
		return scanEvent(rows, &e)
	}, hall, epoch, int64(seq))
	return e, found, err
}

// Facts reads facts of an epoch in rising order, behind seq, a page at a time.
func (s *Store) Facts(ctx context.Context, hall hallsync.HallID, epoch string, after hallsync.Seq, limit int) ([]Event, error) {
	return collect(func(rows *sql.Rows) (Event, error) {
		e := Event{Hall: hall, Epoch: epoch}
		return e, scanEvent(rows, &e)
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+eventColumns+` FROM events WHERE hall = $1 AND epoch = $2 AND seq > $3 ORDER BY seq LIMIT $4`, scan,
			hall, epoch, int64(after), limit)
	})
}

// Verification is the result of reading the whole log.
type Verification struct {
	Halls   int
	Events  int
	Refused int
	Faults  []Fault
}

// What can be wrong with the stored log.
const (
	FaultHash = "hash" // the bytes are not those that came
	FaultHole = "hole" // a fact below the cursor is missing and not known to be gone
)

// Fault is one thing that is wrong: What is FaultHash or FaultHole.
type Fault struct {
	Hall  hallsync.HallID
	Epoch string
	Seq   hallsync.Seq
	What  string
}

// maxFaults bounds what Verify lists.
const maxFaults = 1000

// Verify reads every fact of a hall, of all halls if none is named, and compares its bytes with the hash stored when it came, and the log with the cursors.
func (s *Store) Verify(ctx context.Context, hall hallsync.HallID) (Verification, error) {
	var v Verification
	cursors, err := s.AllCursors(ctx)
	if err != nil {
		return v, err
	}
	halls := map[hallsync.HallID]bool{}
	for _, c := range cursors {
		if hall != "" && c.Hall != hall {
			continue
		}
		halls[c.Hall] = true
		if err := s.verifyEpoch(ctx, c, &v); err != nil {
			return v, fmt.Errorf("verify %s epoch %s: %w", c.Hall, c.Epoch, err)
		}
	}
	v.Halls = len(halls)
	return v, nil
}

func (s *Store) verifyEpoch(ctx context.Context, c Cursor, v *Verification) error {
	fault := func(seq hallsync.Seq, what string) {
		if len(v.Faults) < maxFaults {
			v.Faults = append(v.Faults, Fault{Hall: c.Hall, Epoch: c.Epoch, Seq: seq, What: what})
		}
	}
	gone, err := s.gone(ctx, c.Hall, c.Epoch)
	if err != nil {
		return err
	}
	next := hallsync.Seq(1)
	reach := func(seq hallsync.Seq) {
		for next < seq && len(v.Faults) < maxFaults {
			if end, ok := gone[next]; ok {
				next = end + 1
				continue
			}
			fault(next, FaultHole)
			next++
		}
	}
	err = s.query(ctx, `SELECT `+eventColumns+` FROM events
		WHERE hall = $1 AND epoch = $2 ORDER BY seq`, func(rows *sql.Rows) error {
		var e Event
		if err := scanEvent(rows, &e); err != nil {
			return err
		}
		v.Events++
		if e.Refused != "" {
			v.Refused++
		}
		if e.Erased == "" && HashOf(e.Body) != e.Hash { // what an erasure left is in the chain
			fault(e.Seq, FaultHash)
		}
		if e.Seq <= c.Contiguous {
			reach(e.Seq)
			next = e.Seq + 1
		}
		return nil
	}, c.Hall, c.Epoch)
	reach(c.Contiguous + 1)
	return err
}

// Gone reports whether all facts of a range are known to be gone.
func (s *Store) Gone(ctx context.Context, hall hallsync.HallID, epoch string, r hallsync.Range) (bool, error) {
	gaps, err := s.gone(ctx, hall, epoch)
	if err != nil {
		return false, err
	}
	for next := r.From; next <= r.To; {
		end, known := gaps[next]
		if !known {
			return false, nil
		}
		next = end + 1
	}
	return true, nil
}

// gone reads the gaps of an epoch: first missing fact → last missing fact.
func (s *Store) gone(ctx context.Context, hall hallsync.HallID, epoch string) (map[hallsync.Seq]hallsync.Seq, error) {
	gaps := map[hallsync.Seq]hallsync.Seq{}
	err := s.query(ctx, `SELECT from_seq, to_seq FROM gaps WHERE hall = $1 AND epoch = $2`, func(rows *sql.Rows) error {
		var from, to int64
		if err := rows.Scan(&from, &to); err != nil {
			return err
		}
		gaps[hallsync.Seq(from)] = hallsync.Seq(to)
		return nil
	}, hall, epoch)
	return gaps, err
}
