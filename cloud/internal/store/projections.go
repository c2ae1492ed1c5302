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

// FactRef names a fact of a hall.
type FactRef struct {
	Epoch string
	Seq   hallsync.Seq
}

// Window is what the facts of one window come to.
type Window struct {
	Hall   hallsync.HallID
	ID     hallsync.WindowID
	State  hallsync.WindowState
	Said   FactRef // the fact that says why it rests; zero: none does
	Staff  hallsync.StaffID
	Since  time.Time         // of the state or of the change of ticket
	Ticket hallsync.TicketID // called to it or served at it
}

const windowColumns = `hall, hall_window, state, said_epoch, said_seq, staff, since_ms, ticket`

func scanWindow(rows *sql.Rows) (Window, error) {
	var w Window
	var since, said int64
	err := rows.Scan(&w.Hall, &w.ID, &w.State, &w.Said.Epoch, &said, &w.Staff, &since, &w.Ticket)
	w.Since, w.Said.Seq = time.UnixMilli(since), hallsync.Seq(said)
	return w, err
}

// Window reads one window.
func (t *Tx) Window(hall hallsync.HallID, id hallsync.WindowID) (Window, bool, error) {
	var w Window
	found := false
	err := t.query(`SELECT `+windowColumns+` FROM windows WHERE hall = $1 AND hall_window = $2`, func(rows *sql.Rows) (err error) {
		found = true
		w, err = scanWindow(rows)
		return err
	}, hall, id)
	return w, found, err
}

// PutWindow stores a window.
func (t *Tx) PutWindow(w Window) error {
	return t.exec(`INSERT INTO windows (`+windowColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (hall, hall_window) DO UPDATE SET state = excluded.state, said_epoch = excluded.said_epoch, said_seq = excluded.said_seq,
		staff = excluded.staff, since_ms = excluded.since_ms, ticket = excluded.ticket`,
		w.Hall, w.ID, w.State, w.Said.Epoch, int64(w.Said.Seq), w.Staff, w.Since.UnixMilli(), w.Ticket)
}

// FreeWindows takes a ticket away from every window of the hall that has it.
func (t *Tx) FreeWindows(hall hallsync.HallID, ticket hallsync.TicketID, at time.Time) error {
	return t.exec(`UPDATE windows SET ticket = '', since_ms = $3 WHERE hall = $1 AND ticket = $2`, hall, ticket, at.UnixMilli())
}

// FreeAllWindows takes their tickets away from all windows of a hall, as the begin of a business day does.
func (t *Tx) FreeAllWindows(hall hallsync.HallID) error {
	return t.exec(`UPDATE windows SET ticket = '' WHERE hall = $1`, hall)
}

// WindowRow is a window with the number and state of its ticket, empty when it has none.
type WindowRow struct {
	Window
	Number      string
	TicketState hallsync.TicketState
}

// Windows reads the windows of a hall in order of length and name, so that 2 comes before 10.
func (s *Store) Windows(ctx context.Context, hall hallsync.HallID) ([]WindowRow, error) {
	return collect(func(rows *sql.Rows) (WindowRow, error) {
		var w WindowRow
		var since, said int64
		err := rows.Scan(&w.ID, &w.State, &w.Said.Epoch, &said, &w.Staff, &since, &w.Ticket, &w.Number, &w.TicketState)
		w.Hall, w.Since, w.Said.Seq = hall, time.UnixMilli(since), hallsync.Seq(said)
		return w, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT w.hall_window, w.state, w.said_epoch, w.said_seq, w.staff, w.since_ms, w.ticket,
			COALESCE(t.number, ''), COALESCE(t.state, '')
			FROM windows w LEFT JOIN tickets t ON t.hall = w.hall AND t.ticket = w.ticket
			WHERE w.hall = $1 ORDER BY length(w.hall_window), w.hall_window`, scan, hall)
	})
}

// Call is one call or recall.
type Call struct {
	Hall    hallsync.HallID
	Epoch   string
	Seq     hallsync.Seq
	At      time.Time
	Ticket  hallsync.TicketID
	Number  string
	Queue   hallsync.QueueID
	Window  hallsync.WindowID
	How     string
	Times   int
	Rule    string
	WaitedS int64
}

// AddCall stores a call.
func (t *Tx) AddCall(c Call) error {
	return t.exec(`INSERT INTO calls (hall, epoch, seq, at_ms, ticket, number, queue, hall_window, how, times, rule, waited_s)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		c.Hall, c.Epoch, int64(c.Seq), c.At.UnixMilli(), c.Ticket, c.Number, c.Queue, c.Window, c.How, c.Times, c.Rule, c.WaitedS)
}

// Calls reads the latest calls of an epoch, newest first.
func (s *Store) Calls(ctx context.Context, hall hallsync.HallID, epoch string, limit int) ([]Call, error) {
	return collect(func(rows *sql.Rows) (Call, error) {
		c := Call{Hall: hall, Epoch: epoch}
		var seq, at int64
		err := rows.Scan(&seq, &at, &c.Ticket, &c.Number, &c.Queue, &c.Window, &c.How, &c.Times, &c.Rule, &c.WaitedS)
		c.Seq, c.At = hallsync.Seq(seq), time.UnixMilli(at)
		return c, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT seq, at_ms, ticket, number, queue, hall_window, how, times, rule, waited_s
			FROM calls WHERE hall = $1 AND epoch = $2 ORDER BY seq DESC LIMIT $3`, scan, hall, epoch, limit)
	})
}

// Day is the latest business day a hall opened. Thousands is how many thousands of numbers its facts say were begun on it.
type Day struct {
	BusinessDay string
	Open        bool
	Thousands   int
}

// PutDay stores a hall's business day. What was begun on the day that it was stays begun if that goes on, and if an earlier one takes its place,
// since a clock was ahead.
func (t *Tx) PutDay(hall hallsync.HallID, d Day) error {
	open := 0
	if d.Open {
		open = 1
	}
	return t.exec(`INSERT INTO days (hall, business_day, is_open, thousands) VALUES ($1, $2, $3, $4)
		ON CONFLICT (hall) DO UPDATE SET business_day = excluded.business_day, is_open = excluded.is_open,
		thousands = CASE WHEN days.business_day >= excluded.business_day AND days.thousands > excluded.thousands
			THEN days.thousands ELSE excluded.thousands END`,
		hall, d.BusinessDay, open, d.Thousands)
}

// Day reads a hall's business day; the zero Day if it never opened one.
func (s *Store) Day(ctx context.Context, hall hallsync.HallID) (Day, error) {
	var d Day
	err := s.query(ctx, `SELECT business_day, is_open, thousands FROM days WHERE hall = $1`, func(rows *sql.Rows) error {
		return rows.Scan(&d.BusinessDay, &d.Open, &d.Thousands)
	}, hall)
	return d, err
}

// ClearProjections empties everything that is made of a hall's log.
func (t *Tx) ClearProjections(hall hallsync.HallID) error {
	for _, table := range []string{"tickets", "calls", "windows", "days"} {
		if err := t.exec(`DELETE FROM `+table+` WHERE hall = $1`, hall); err != nil {
			return err
		}
	}
	return nil
}

// DropTicket drops a ticket. Its calls stay: they say nothing of whom was called.
func (t *Tx) DropTicket(hall hallsync.HallID, id hallsync.TicketID) error {
	return t.exec(`DELETE FROM tickets WHERE hall = $1 AND ticket = $2`, hall, id)
}

// OweRebuild notes that the projections of a hall are to be made again.
func (t *Tx) OweRebuild(hall hallsync.HallID, at time.Time) error {
	return t.exec(`INSERT INTO owed_rebuilds (hall, since_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING`, hall, at.UnixMilli())
}

// PayRebuild notes that they have been.
func (t *Tx) PayRebuild(hall hallsync.HallID) error {
	return t.exec(`DELETE FROM owed_rebuilds WHERE hall = $1`, hall)
}

// OwedRebuilds reads the halls whose projections are to be made again, who waits longest first.
func (s *Store) OwedRebuilds(ctx context.Context) ([]hallsync.HallID, error) {
	return collect(func(rows *sql.Rows) (hall hallsync.HallID, err error) {
		return hall, rows.Scan(&hall)
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT hall FROM owed_rebuilds ORDER BY since_ms, hall`, scan)
	})
}

// DropTickets drops the tickets of business days before a day, with the calls from before the same moment, and reports how many tickets. The log
// cannot say any more who they were: what their facts say is gone.
func (t *Tx) DropTickets(day string, before time.Time) (dropped int, err error) {
	err = t.query(`DELETE FROM tickets WHERE business_day < $1 RETURNING ticket`, func(*sql.Rows) error { dropped++; return nil }, day)
	if err != nil {
		return dropped, err
	}
	return dropped, t.exec(`DELETE FROM calls WHERE at_ms < $1`, before.UnixMilli())
}
