// Package store gives the cloud's database: the log of all halls, the projections made of it, presence, users and audit.
//
// One writer groups what arrives while it commits, so that each commit (and its fsync) serves many callers; readers have
// connections of their own and never wait for it. The SQL is written by hand with $1 placeholders and portable types.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// readers bounds the connections that only read.
const readers = 4

// LockedError says that another process uses the database and this one needs it alone.
type LockedError struct{ Path string }

func (e *LockedError) Error() string { return "database " + e.Path + " is in use by another process" }

// ErrClosed is returned by writes after Close.
var ErrClosed = errors.New("store is closed")

// Options says how to open a database.
type Options struct {
	// Shared lets it be opened beside a running service, for small changes such as adding a user. Without it opening fails
	// with *LockedError while another process has the database.
	Shared bool
	// Committed, if set, is told of each commit: how many writes it carried and how long it took.
	Committed func(writes int, took time.Duration)
}

// Store is an open database.
type Store struct {
	path     string
	lock     *os.File
	writeDB  *sql.DB
	readDB   *sql.DB
	tx       *Tx
	observe  func(int, time.Duration)
	requests chan request
	closing  chan struct{}
	close    sync.Once
	writer   sync.WaitGroup
	prepared sync.Map // SQL text → *sql.Stmt of readDB
}

// Open opens the SQLite database at path, makes it if it is missing, and brings its tables up to date.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make database directory: %w", err)
	}
	s := &Store{path: path, observe: o.Committed, requests: make(chan request, groupLimit), closing: make(chan struct{})}
	if s.observe == nil {
		s.observe = func(int, time.Duration) {}
	}
	if err := s.open(ctx, o.Shared); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.writer.Go(s.writeLoop)
	return s, nil
}

func (s *Store) open(ctx context.Context, shared bool) error {
	var err error
	s.lock, err = lockFile(s.path)
	var locked *LockedError
	beside := shared && errors.As(err, &locked)
	mode := os.O_RDWR
	switch {
	case beside:
		err = s.beGuest()
	case err == nil:
		mode |= os.O_CREATE
		err = finishRestore(s.path)
	}
	if err != nil {
		return err
	}
	// SQLite would make the file readable by all; its journal files take over the mode of the database.
	file, err := os.OpenFile(s.path, mode, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if s.writeDB, err = sql.Open("sqlite", dsn(s.path, "synchronous(FULL)", "secure_delete(1)")); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	s.writeDB.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writeDB, beside); err != nil {
		return err
	}
	conn, err := s.writeDB.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open database writer: %w", err)
	}
	s.tx = &Tx{conn: conn, prepared: map[string]*sql.Stmt{}}
	if s.readDB, err = sql.Open("sqlite", dsn(s.path, "query_only(1)")); err != nil {
		return fmt.Errorf("open database readers: %w", err)
	}
	s.readDB.SetMaxOpenConns(readers)
	s.readDB.SetMaxIdleConns(readers)
	return s.readDB.PingContext(ctx)
}

// beGuest takes the guests' lock. A restore that waits to be finished is about to take the database away: nobody comes in then.
func (s *Store) beGuest() (err error) {
	if s.lock, err = lockGuests(s.path, false); err != nil {
		return err
	}
	cut, err := restoration{path: s.path}.decided()
	if err == nil && cut {
		err = &LockedError{Path: s.path}
	}
	return err
}

// finishRestore finishes a restore that was cut short, while there are no guests. The owner's lock is held.
func finishRestore(path string) (err error) {
	r := restoration{path: path, step: func(string) {}}
	cut, err := r.decided()
	if err != nil {
		return fmt.Errorf("finish restore: %w", err)
	}
	if cut {
		var guests *os.File
		if guests, err = lockGuests(path, true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, guests.Close()) }()
	}
	return r.finish()
}

// dsn writes the driver's data source name. FULL and not NORMAL: once a fact is acknowledged the hall may delete it, so a
// commit must survive a power cut.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)"}, pragmas...)}
	return address(path, q)
}

func address(path string, q url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// migrate brings the tables up to date. Beside a running service it changes nothing: what that service made must do.
func migrate(ctx context.Context, db *sql.DB, beside bool) error {
	p, err := migrator(db)
	if err != nil {
		return err
	}
	if !beside {
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrate database: %w", err)
		}
	}
	version, newest, err := versions(ctx, p)
	if err == nil && version != newest {
		err = fmt.Errorf("it has schema %d, this program uses %d", version, newest)
	}
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return nil
}

// versions gives the schema version of a database and the newest one this program knows.
func versions(ctx context.Context, p *goose.Provider) (version, newest int64, err error) {
	version, err = p.GetDBVersion(ctx)
	sources := p.ListSources()
	return version, sources[len(sources)-1].Version, err
}

func migrator(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithGoMigrations(seedNetworks()))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// lockFile takes the lock that the only owner of a database holds.
func lockFile(path string) (*os.File, error) { return flock(path, ".lock", unix.LOCK_EX) }

// lockGuests takes the lock that all share who open a database beside its owner; alone, it takes it from them.
func lockGuests(path string, alone bool) (*os.File, error) {
	if alone {
		return flock(path, ".guests", unix.LOCK_EX)
	}
	return flock(path, ".guests", unix.LOCK_SH)
}

func flock(path, suffix string, how int) (*os.File, error) {
	f, err := os.OpenFile(path+suffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock database: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		return nil, errors.Join(&LockedError{Path: path}, f.Close())
	}
	return f, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.readDB.PingContext(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// Forget empties the journal beside the database: it has pages as they were before they were written over. It fails while somebody reads
// for long.
func (s *Store) Forget(ctx context.Context) error {
	var busy, pages, moved int
	if err := s.readDB.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved); err != nil {
		return fmt.Errorf("empty the journal: %w", err)
	}
	if busy != 0 {
		return errors.New("empty the journal: the database is busy")
	}
	return nil
}

// Close ends the writer after the commit it is in, and closes the files. Writes still waiting fail with ErrClosed.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closing)
		s.writer.Wait()
		err = s.release()
	})
	return err
}

func (s *Store) release() error {
	var errs []error
	s.prepared.Range(func(_, stmt any) bool {
		errs = append(errs, stmt.(*sql.Stmt).Close())
		return true
	})
	if s.readDB != nil {
		errs = append(errs, s.readDB.Close())
	}
	if s.tx != nil {
		errs = append(errs, s.tx.release())
	}
	if s.writeDB != nil {
		errs = append(errs, s.writeDB.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// query runs a prepared read and hands each row to scan.
func (s *Store) query(ctx context.Context, text string, scan func(*sql.Rows) error, args ...any) error {
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	return eachRow(rows, err, scan)
}

func (s *Store) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared.Load(text); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := s.readDB.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare query: %w", err)
	}
	if other, loaded := s.prepared.LoadOrStore(text, stmt); loaded {
		return other.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

func eachRow(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
