package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// The kinds of erasures.
const (
	ErasePerson = "person" // a person had it erased (PIPL article 47)
	EraseTerm   = "term"   // the term of a day is over
)

// Erasure is an order by which bodies of facts went. Args is what the hall is told, wrapped for the centre until the hall has answered.
type Erasure struct {
	ID     string
	Hall   hallsync.HallID
	Kind   string
	Actor  string
	Reason string
	Args   []byte
	Made   time.Time
	Done   time.Time // zero: the hall has not answered
	Facts  int64     // bodies that went at the centre
}

const erasureColumns = `id, hall, kind, actor, reason, args, made_ms, done_ms, facts`

func scanErasure(rows *sql.Rows) (Erasure, error) {
	var e Erasure
	var made, done int64
	err := rows.Scan(&e.ID, &e.Hall, &e.Kind, &e.Actor, &e.Reason, &e.Args, &made, &done, &e.Facts)
	e.Made = time.UnixMilli(made)
	if done > 0 {
		e.Done = time.UnixMilli(done)
	}
	return e, err
}

// PutErasure stores an order, or how far it is.
func (t *Tx) PutErasure(e Erasure) error {
	var done int64
	if !e.Done.IsZero() {
		done = e.Done.UnixMilli()
	}
	return t.exec(`INSERT INTO erasures (`+erasureColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET args = excluded.args, done_ms = excluded.done_ms, facts = excluded.facts`,
		e.ID, e.Hall, e.Kind, e.Actor, e.Reason, some(e.Args), e.Made.UnixMilli(), done, e.Facts)
}

// Erasure reads one order.
func (t *Tx) Erasure(id string) (e Erasure, found bool, err error) {
	err = t.query(`SELECT `+erasureColumns+` FROM erasures WHERE id = $1`, func(rows *sql.Rows) (err error) {
		found = true
		e, err = scanErasure(rows)
		return err
	}, id)
	return e, found, err
}

// OpenErasures reads the orders of a hall that it has not answered, oldest first.
func (s *Store) OpenErasures(ctx context.Context, hall hallsync.HallID) ([]Erasure, error) {
	return collect(scanErasure, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+erasureColumns+` FROM erasures WHERE hall = $1 AND done_ms = 0 AND kind = $2 ORDER BY made_ms, id`, scan,
			hall, ErasePerson)
	})
}

// OpenOrders reads which orders have not been answered, by their names, and whose they are.
func (s *Store) OpenOrders(ctx context.Context) (map[string]hallsync.HallID, error) {
	open := map[string]hallsync.HallID{}
	err := s.query(ctx, `SELECT id, hall FROM erasures WHERE done_ms = 0 AND kind = $1`, func(rows *sql.Rows) error {
		var id string
		var hall hallsync.HallID
		err := rows.Scan(&id, &hall)
		open[id] = hall
		return err
	}, ErasePerson)
	return open, err
}

// Erasures reads all orders of a hall, by their names.
func (s *Store) Erasures(ctx context.Context, hall hallsync.HallID) (map[string]Erasure, error) {
	orders := map[string]Erasure{}
	err := s.query(ctx, `SELECT `+erasureColumns+` FROM erasures WHERE hall = $1`, func(rows *sql.Rows) error {
		e, err := scanErasure(rows)
		orders[e.ID] = e
		return err
	}, hall)
	return orders, err
}

// NextOrder gives the next number of signed orders of a type to a hall. It follows the time: halls follow no order with a number that they
// have had, and the database may be restored from a backup.
func (t *Tx) NextOrder(hall hallsync.HallID, kind hallsync.SignedType, now time.Time) (number uint64, err error) {
	_, err = t.one(`INSERT INTO order_numbers (hall, kind, number) VALUES ($1, $2, $3)
		ON CONFLICT (hall, kind) DO UPDATE SET number = MAX(order_numbers.number + 1, excluded.number) RETURNING number`,
		[]any{hall, kind, now.UnixMilli()}, &number)
	return number, err
}

// AddKeyFact remembers which fact tells a data key.
func (t *Tx) AddKeyFact(hall hallsync.HallID, key string, at FactRef) error {
	return t.exec(`INSERT INTO key_facts (hall, data_key, epoch, seq) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, hall, key, at.Epoch, int64(at.Seq))
}

// KeyFacts gives the facts that tell a data key.
func (t *Tx) KeyFacts(hall hallsync.HallID, key string) ([]FactRef, error) {
	return collect(func(rows *sql.Rows) (FactRef, error) {
		var f FactRef
		var seq int64
		err := rows.Scan(&f.Epoch, &seq)
		f.Seq = hallsync.Seq(seq)
		return f, err
	}, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT epoch, seq FROM key_facts WHERE hall = $1 AND data_key = $2`, scan, hall, key)
	})
}

// ClearBefore reads up to limit facts that came before a time in the clear and have their bodies, oldest first. Those that say how the others
// are sealed and chained are not among them.
func (t *Tx) ClearBefore(before time.Time, limit int) ([]Event, error) {
	return collect(func(rows *sql.Rows) (Event, error) {
		var e Event
		var seq int64
		err := rows.Scan(&e.Hall, &e.Epoch, &seq)
		e.Seq = hallsync.Seq(seq)
		return e, err
	}, func(scan func(*sql.Rows) error) error {
		return t.query(`SELECT hall, epoch, seq FROM events WHERE received_ms < $1 AND data_key = '' AND erased = ''
			AND kind NOT IN ('key.made', 'segment.begun', 'log.checkpointed', 'person.erased') ORDER BY received_ms LIMIT $2`, scan, before.UnixMilli(), limit)
	})
}

// Event reads one fact.
func (t *Tx) Event(hall hallsync.HallID, at FactRef) (e Event, found bool, err error) {
	e = Event{Hall: hall, Epoch: at.Epoch}
	err = t.query(`SELECT `+eventColumns+` FROM events WHERE hall = $1 AND epoch = $2 AND seq = $3`, func(rows *sql.Rows) error {
		found = true
		return scanEvent(rows, &e)
	}, hall, at.Epoch, int64(at.Seq))
	return e, found, err
}

var errBusy = errors.New("readers hold the journal")

// Scrub moves what was written into the database file and empties the journal beside it, so that it does not keep what was overwritten or
// deleted. It fails when a reader holds the journal for longer than patience, in which nobody can write; it may be tried again.
func (s *Store) Scrub(ctx context.Context, patience time.Duration) error {
	db, err := sql.Open("sqlite", dsn(s.path, fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds())))
	if err != nil {
		return err
	}
	defer db.Close()
	var busy, frames, moved int
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return errBusy
	}
	return nil
}
