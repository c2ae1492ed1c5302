// Package store gives the hall's one file: the log of facts, the cursors of those who read it, the answers already given, and
// the state as the last business day left it. It is bbolt with one writer.
//
// The writer commits in groups without a timer: it takes one request, drains those that wait, and commits them together with
// bbolt's two disk syncs, so a lone command pays no delay and a crowd shares the cost. When Update returns nil, its facts are
// on disk; when it returns an error, nothing of that request is.
package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"halledge/firmware-protocols/hallsync"
)

// FileName is the database inside the data directory.
const FileName = "hall.db"

// fill is how full pages of the log get: facts come in order, so nothing is inserted between them.
const fill = 0.95

var (
	bucketMeta    = []byte("meta")
	bucketLog     = []byte("log")
	bucketCursors = []byte("cursors")
	bucketState   = []byte("state")
	bucketAnswers = []byte("answers_in_order")

	keySchema   = []byte("schema")
	keyEpoch    = []byte("epoch")
	keyNext     = []byte("next_seq")
	keySnapshot = []byte("snapshot")
	keyLost     = []byte("follows_lost")
	keyLostOnes = []byte("lost_that_day")
)

// Code is the stable reason why the store cannot serve.
type Code string

// The codes.
const (
	Full   Code = "storage_full"   // disk or quota is full; nothing was written, reading goes on
	Failed Code = "storage_failed" // the disk refused; nothing was written
	Locked Code = "storage_locked" // another agent has the file open
	Newer  Code = "storage_newer"  // the file was written by a newer program
	Closed Code = "storage_closed" // the store is being closed
	// Cramped: the file was written by an older program, and the disk is too full to bring it to the present layout. No fact is
	// lost, and the older program can open it still.
	Cramped Code = "storage_cramped"
)

// Error is a failure of the store.
type Error struct {
	Op   string
	Code Code
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("store: %s: %s: %v", e.Op, e.Code, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Options of Open.
type Options struct {
	Hall      hallsync.HallID
	MaxBytes  int64         // quota of the file; 0: 2 GiB
	Retain    time.Duration // how long delivered facts are kept; 0: 7 days
	Log       *slog.Logger
	Now       func() time.Time // by which answers and delivered facts grow old; nil: steady
	Answers   int              // how many answers are kept at most; 0: 131,072, more than the busiest hall gives in a day
	Delivered string           // name of the cursor that says which facts the cloud has

	commit func(*bbolt.Tx) error // ends a transaction; tests let it fail
}

// Store is an open database. All methods are safe for concurrent use.
type Store struct {
	db   *bbolt.DB
	opts Options
	path string

	mu    sync.RWMutex // guards what the writer publishes
	epoch string
	next  hallsync.Seq
	reset string // where a corrupt file was put aside at Open
	lost  int    // damaged files that this one follows

	trouble error // why the last commit failed

	requests chan *request
	closing  chan struct{}
	closed   chan struct{}
	watch    Committed

	// The writer's goroutine only.
	doubt     *outcome             // a commit that failed and may be stored
	answers   map[AnswerKey]uint64 // where each answer lies
	forgotten int                  // answers dropped before their time that nobody was warned of
	warned    time.Time            // when somebody was
}

// Committed is told about each group of facts after its commit (none when only the epoch is new), and about a commit that left nothing, both on the writer's
// goroutine and before the callers get their answers. A commit that failed so late that nobody knows is told about when that is
// settled, and nothing else happens before; its callers have an error by then.
type Committed interface {
	Committed(facts []Fact)
	RolledBack()
}

// Fact is a stored event together with its payload.
type Fact struct {
	hallsync.Event
	Value hallsync.Payload
}

// Open opens or makes the database in dir. A file that bbolt cannot read is put aside with its time in its name and a new one
// with a new epoch is begun: a corrupt file must not stop the hall. PutAside tells about it.
func Open(dir string, opts Options) (*Store, error) {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 2 << 30
	}
	if opts.Retain == 0 {
		opts.Retain = 7 * 24 * time.Hour
	}
	if opts.Answers == 0 {
		opts.Answers = 1 << 17
	}
	if opts.Now == nil {
		opts.Now = steady()
	}
	if opts.commit == nil {
		opts.commit = (*bbolt.Tx).Commit
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, &Error{Op: "make directory", Code: Failed, Err: err}
	}
	s := &Store{
		opts: opts, path: filepath.Join(dir, FileName),
		requests: make(chan *request, maxGroup), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// OpenReadOnly opens the database of an agent that does not run, to look at it. Only Read, First, Load, Verify, Cursor and Close
// may be used.
func OpenReadOnly(dir string, opts Options) (*Store, error) {
	s := &Store{opts: opts, path: filepath.Join(dir, FileName)}
	if _, err := os.Stat(s.path); err != nil {
		return nil, &Error{Op: "open", Code: Failed, Err: err}
	}
	db, err := bbolt.Open(s.path, 0o640, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, &Error{Op: "open", Code: Locked, Err: err}
	case err != nil:
		return nil, &Error{Op: "open", Code: Failed, Err: err}
	}
	s.db = db
	err = s.view(s.count)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// steady gives a clock that starts with the wall clock and does not follow when that is set: a box whose battery is dead comes up
// in the past, and the moment it learns the time is not the end of all that was just answered.
func steady() func() time.Time {
	start := time.Now()
	return func() time.Time { return start.Add(time.Since(start)) }
}

// Watch sets who is told about commits. It must be called before Run.
func (s *Store) Watch(c Committed) { s.watch = c }

// Epoch is the identity of this log.
func (s *Store) Epoch() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.epoch
}

// Next is the sequence the next fact will get.
func (s *Store) Next() hallsync.Seq {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.next
}

// PutAside is the path of the corrupt file Open found, or empty.
func (s *Store) PutAside() string { return s.reset }

// Lost counts the damaged files of the same day that this one follows; 0 if it was not begun because another was damaged.
func (s *Store) Lost() int { return s.lost }

// Size is the length of the file in bytes.
func (s *Store) Size() int64 {
	fi, err := os.Stat(s.path)
	if err != nil {
		return 0
	}
	return fi.Size()
}

// Close ends the writer and closes the file. Requests that were not taken yet fail with Closed.
func (s *Store) Close() error { return s.db.Close() }

// Run is the writer; it returns when ctx ends, after the requests it has taken are committed.
func (s *Store) Run(ctx context.Context) error {
	defer close(s.closed)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a page that the disk cannot read is a fault of memory
	for {
		select {
		case first := <-s.requests:
			s.commit(s.drain(first))
		case <-ctx.Done():
			close(s.closing)
			s.refuseRest()
			return ctx.Err()
		}
	}
}

// wrap turns an error of the disk or of bbolt into one with a code.
func wrap(op string, err error) error {
	var own *Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, bolterrors.ErrMaxSizeReached):
		return &Error{Op: op, Code: Full, Err: err}
	default:
		return &Error{Op: op, Code: Failed, Err: err}
	}
}

func bytes8(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
