package store

import (
	"context"
	"database/sql"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Window is what the facts of one window come to.
type Window struct {
	Hall   hallsync.HallID
	ID     hallsync.WindowID
	State  hallsync.WindowState
	Reason string
	Staff  hallsync.StaffID
	Since  time.Time         // of the state or of the change of ticket
	Ticket hallsync.TicketID // called to it or served at it
}

const windowColumns = `hall, hall_window, state, reason, staff, since_ms, ticket`

func scanWindow(rows *sql.Rows) (Window, error) {
	var w Window
	var since int64
	err := rows.Scan(&w.Hall, &w.ID, &w.State, &w.Reason, &w.Staff, &since, &w.Ticket)
	w.Since = time.UnixMilli(since)
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
	return t.exec(`INSERT INTO windows (`+windowColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (hall, hall_window) DO UPDATE SET state = excluded.state, reason = excluded.reason,
		staff = excluded.staff, since_ms = excluded.since_ms, ticket = excluded.ticket`,
		w.Hall, w.ID, w.State, w.Reason, w.Staff, w.Since.UnixMilli(), w.Ticket)
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
		var since int64
		err := rows.Scan(&w.ID, &w.State, &w.Reason, &w.Staff, &since, &w.Ticket, &w.Number, &w.TicketState)
		w.Hall, w.Since = hall, time.UnixMilli(since)
		return w, err
	}, func(scan func(*sql.Rows) error) error {
		return s.query(ctx, `SELECT w.hall_window, w.state, w.reason, w.staff, w.since_ms, w.ticket,
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

// Day is the latest business day a hall opened.
type Day struct {
	BusinessDay string
	Open        bool
}

// PutDay stores a hall's business day.
func (t *Tx) PutDay(hall hallsync.HallID, d Day) error {
	open := 0
	if d.Open {
		open = 1
	}
	return t.exec(`INSERT INTO days (hall, business_day, is_open) VALUES ($1, $2, $3)
		ON CONFLICT (hall) DO UPDATE SET business_day = excluded.business_day, is_open = excluded.is_open`,
		hall, d.BusinessDay, open)
}

// Day reads a hall's business day; the zero Day if it never opened one.
func (s *Store) Day(ctx context.Context, hall hallsync.HallID) (Day, error) {
	var d Day
	err := s.query(ctx, `SELECT business_day, is_open FROM days WHERE hall = $1`, func(rows *sql.Rows) error {
		return rows.Scan(&d.BusinessDay, &d.Open)
	}, hall)
	return d, err
}

// ClearProjections empties everything that is made of the log.
func (t *Tx) ClearProjections() error {
	for _, text := range []string{`DELETE FROM tickets`, `DELETE FROM calls`, `DELETE FROM windows`, `DELETE FROM days`} {
		if err := t.exec(text); err != nil {
			return err
		}
	}
	return nil
}
