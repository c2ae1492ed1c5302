package store

import (
	"context"
	"database/sql"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Ticket is what the facts of one ticket come to.
type Ticket struct {
	Hall        hallsync.HallID
	ID          hallsync.TicketID
	Number      string
	FlowNo      string
	BusinessDay string
	Queue       hallsync.QueueID
	Class       hallsync.Class
	Channel     hallsync.Channel
	Place       string
	Proof       hallsync.Proof
	State       hallsync.TicketState
	Window      hallsync.WindowID
	Taken       time.Time
	Called      *time.Time // first call
	Started     *time.Time
	Ended       *time.Time
	Calls       int
	ServiceS    *int64
	Print       hallsync.PrintState
	Reprints    int
	Grade       hallsync.Grade
}

const ticketColumns = `hall, ticket, number, flow_no, business_day, queue, class, channel, place, proof, state, hall_window,
	taken_ms, called_ms, started_ms, ended_ms, calls, service_s, print, reprints, grade`

func scanTicket(rows *sql.Rows) (Ticket, error) {
	var t Ticket
	var taken int64
	var called, started, ended, service sql.NullInt64
	err := rows.Scan(&t.Hall, &t.ID, &t.Number, &t.FlowNo, &t.BusinessDay, &t.Queue, &t.Class, &t.Channel, &t.Place, &t.Proof,
		&t.State, &t.Window, &taken, &called, &started, &ended, &t.Calls, &service, &t.Print, &t.Reprints, &t.Grade)
	t.Taken = time.UnixMilli(taken)
	t.Called, t.Started, t.Ended = timeOf(called), timeOf(started), timeOf(ended)
	if service.Valid {
		t.ServiceS = &service.Int64
	}
	return t, err
}

// Ticket reads one ticket.
func (t *Tx) Ticket(hall hallsync.HallID, id hallsync.TicketID) (Ticket, bool, error) {
	var ticket Ticket
	found := false
	err := t.query(`SELECT `+ticketColumns+` FROM tickets WHERE hall = $1 AND ticket = $2`, func(rows *sql.Rows) (err error) {
		found = true
		ticket, err = scanTicket(rows)
		return err
	}, hall, id)
	return ticket, found, err
}

// PutTicket stores a ticket.
func (t *Tx) PutTicket(k Ticket) error {
	return t.exec(`INSERT INTO tickets (`+ticketColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT (hall, ticket) DO UPDATE SET number = excluded.number, flow_no = excluded.flow_no,
		business_day = excluded.business_day, queue = excluded.queue, class = excluded.class, channel = excluded.channel,
		place = excluded.place, proof = excluded.proof, state = excluded.state, hall_window = excluded.hall_window,
		taken_ms = excluded.taken_ms, called_ms = excluded.called_ms, started_ms = excluded.started_ms,
		ended_ms = excluded.ended_ms, calls = excluded.calls, service_s = excluded.service_s, print = excluded.print,
		reprints = excluded.reprints, grade = excluded.grade`,
		k.Hall, k.ID, k.Number, k.FlowNo, k.BusinessDay, k.Queue, k.Class, k.Channel, k.Place, k.Proof, k.State, k.Window,
		k.Taken.UnixMilli(), millisOf(k.Called), millisOf(k.Started), millisOf(k.Ended), k.Calls, numberOf(k.ServiceS),
		k.Print, k.Reprints, k.Grade)
}

// TicketQuery picks tickets of one hall. Empty fields mean all.
type TicketQuery struct {
	Hall   hallsync.HallID
	Day    string
	State  hallsync.TicketState
	Queue  hallsync.QueueID
	Window hallsync.WindowID
	Number string
	Limit  int
	Offset int
}

// Tickets reads tickets, newest first, and counts all that match.
func (s *Store) Tickets(ctx context.Context, q TicketQuery) ([]Ticket, int, error) {
	// With a day the index of days is used; without one the index of times.
	where := ` FROM tickets WHERE hall = $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR queue = $3)
		AND ($4 = '' OR hall_window = $4) AND ($5 = '' OR number = $5)`
	args := []any{q.Hall, q.State, q.Queue, q.Window, q.Number, q.Day}
	if q.Day != "" {
		where += ` AND business_day = $6`
	} else {
		where += ` AND $6 = ''`
	}
	total := 0
	err := s.query(ctx, `SELECT count(*)`+where, func(rows *sql.Rows) error { return rows.Scan(&total) }, args...)
	if err != nil {
		return nil, 0, err
	}
	tickets, err := collect(scanTicket, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT `+ticketColumns+where+` ORDER BY taken_ms DESC, ticket DESC LIMIT $7 OFFSET $8`, scan,
			append(args, q.Limit, q.Offset)...)
	})
	return tickets, total, err
}

// QueueCount is how many tickets of one queue are in one state on one business day.
type QueueCount struct {
	Queue hallsync.QueueID
	State hallsync.TicketState
	Count int
}

// QueueCounts counts the tickets of a hall's business day by queue and state.
func (s *Store) QueueCounts(ctx context.Context, hall hallsync.HallID, day string) ([]QueueCount, error) {
	return collect(func(rows *sql.Rows) (QueueCount, error) {
		var c QueueCount
		return c, rows.Scan(&c.Queue, &c.State, &c.Count)
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT queue, state, count(*) FROM tickets WHERE hall = $1 AND business_day = $2
			GROUP BY queue, state ORDER BY queue, state`, scan, hall, day)
	})
}

func timeOf(n sql.NullInt64) *time.Time {
	if !n.Valid {
		return nil
	}
	t := time.UnixMilli(n.Int64)
	return &t
}

func millisOf(t *time.Time) sql.NullInt64 {
	if t == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: true}
}

func numberOf(n *int64) sql.NullInt64 {
	if n == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: *n, Valid: true}
}
