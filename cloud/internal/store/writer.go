package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// groupLimit bounds the writes that share one commit.
const groupLimit = 128

type request struct {
	do   func(*Tx) error
	done chan error
}

// Tx is the write transaction of the moment. It is valid only inside the function given to Write.
type Tx struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

// Write runs do in a write transaction and returns after the commit. Writes of several callers share a commit; a do that
// fails is undone alone. It runs on the writer's goroutine: it must not wait for anything but the Tx.
func (s *Store) Write(ctx context.Context, do func(*Tx) error) error {
	r := request{do: do, done: make(chan error, 1)}
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
	select {
	case err := <-r.done:
		return err
	case <-s.closing:
	}
	// The writer finishes what it has taken before it ends; what it did not take was never begun.
	s.writer.Wait()
	select {
	case err := <-r.done:
		return err
	default:
		return ErrClosed
	}
}

// writeLoop commits what has come, and while it commits the next group gathers: the busier, the larger the groups, and a
// lone write never waits for a timer.
func (s *Store) writeLoop() {
	for {
		select {
		case <-s.closing:
			return
		case r := <-s.requests:
			group := append(make([]request, 0, groupLimit), r)
			for more := true; more && len(group) < groupLimit; {
				select {
				case r := <-s.requests:
					group = append(group, r)
				default:
					more = false
				}
			}
			s.commit(group)
		}
	}
}

func (s *Store) commit(group []request) {
	start := time.Now()
	errs := make([]error, len(group))
	err := s.tx.group(group, errs)
	s.observe(len(group), time.Since(start))
	for i, r := range group {
		if errs[i] == nil {
			errs[i] = err
		}
		r.done <- errs[i]
	}
}

// group runs the writes in one transaction. It returns the error that concerns all of them; errs get each one's own.
func (t *Tx) group(group []request, errs []error) error {
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for i, r := range group {
		if err := t.exec("SAVEPOINT one"); err != nil {
			return t.undo(fmt.Errorf("savepoint: %w", err))
		}
		if errs[i] = r.do(t); errs[i] != nil {
			if err := t.exec("ROLLBACK TO one"); err != nil {
				return t.undo(fmt.Errorf("undo one write: %w", err))
			}
		}
		if err := t.exec("RELEASE one"); err != nil {
			return t.undo(fmt.Errorf("release savepoint: %w", err))
		}
	}
	if err := t.exec("COMMIT"); err != nil {
		return t.undo(fmt.Errorf("commit: %w", err))
	}
	return nil
}

// undo rolls back after cause. When that fails too there is no transaction left, which is what was wanted.
func (t *Tx) undo(cause error) error {
	_ = t.exec("ROLLBACK")
	return cause
}

// The writer's statements are not tied to a caller's context: a caller that leaves must not break the others' commit.

func (t *Tx) statement(text string) (*sql.Stmt, error) {
	if stmt, ok := t.prepared[text]; ok {
		return stmt, nil
	}
	stmt, err := t.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	t.prepared[text] = stmt
	return stmt, nil
}

func (t *Tx) exec(text string, args ...any) error {
	stmt, err := t.statement(text)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background(), args...)
	return err
}

func (t *Tx) query(text string, scan func(*sql.Rows) error, args ...any) error {
	stmt, err := t.statement(text)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.Background(), args...)
	return eachRow(rows, err, scan)
}

// one reads at most one row and reports whether there was one.
func (t *Tx) one(text string, args []any, dest ...any) (bool, error) {
	found := false
	err := t.query(text, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(dest...)
	}, args...)
	return found, err
}

func (t *Tx) release() error {
	for _, stmt := range t.prepared {
		_ = stmt.Close() // the connection is closed next
	}
	return t.conn.Close()
}

// Exec changes rows of tables that belong to another package.
func (t *Tx) Exec(text string, args ...any) error { return t.exec(text, args...) }

// Query reads rows of such tables.
func (t *Tx) Query(text string, scan func(*sql.Rows) error, args ...any) error {
	return t.query(text, scan, args...)
}

// Query reads rows of such tables.
func (s *Store) Query(ctx context.Context, text string, scan func(*sql.Rows) error, args ...any) error {
	return s.query(ctx, text, scan, args...)
}
