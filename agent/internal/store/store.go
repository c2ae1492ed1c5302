// Package store gives the hall's one file: the log of facts, the cursors of those who read it, the answers already given, and
// the state as the last business day left it. It is bbolt with one writer.
//
// The writer commits in groups without a timer: it takes one request, drains those that wait, and commits them together with
// bbolt's two disk syncs, so a lone command pays no delay and a crowd shares the cost. When Update returns nil, its facts are
// on disk; when it returns an error, nothing of that request is.
//
// With keys, what facts say, answers and the snapshot lie in it sealed (package seal), and a chain over the facts shows what was changed
// (package track). The same bytes of a fact lie here, travel to the centre and lie there.
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

	"halledge/agent/internal/store/mark"
	"halledge/agent/internal/store/seal"
	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
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
	// Foreign: the file is the log of another hall. It stays where it is: a hall's code that was mistyped must not cost its day.
	Foreign Code = "storage_foreign"
	// Sealed: the file is sealed for a key that is not here.
	Sealed Code = "log_sealed"
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
	Keys      Keys
	Before    func() int // counts thousands of numbers begun in logs of other boxes since the last business day began; nil: there are none

	commit  func(*bbolt.Tx) error // ends a transaction; tests let it fail
	records uint64                // that one data key seals; tests have few
	quiet   time.Duration         // without a request before the file is copied; tests do not wait
}

// Store is an open database. All methods are safe for concurrent use.
type Store struct {
	db   *bbolt.DB
	opts Options
	path string

	swap sync.RWMutex // held by who reads db, and by the writer while it puts another one there

	mu     sync.RWMutex // guards what the writer publishes
	epoch  string
	next   hallsync.Seq
	ring   seal.Ring
	wraps  map[string][]byte // of its keys, for the centre
	fault  *chain.Fault      // what was wrong with an earlier segment of the chain
	reset  string            // where a file was put aside at Open
	sealed bool              // because it was sealed for another key
	lost   int               // files that this one follows, damaged or gone
	behind bool              // numbers of today may not be in this file

	restored bool      // Open found another file than was used here last
	gone     bool      // Open found none where one had been used
	held     *os.File  // the directory, locked
	stamp    string    // of the file since Open
	mark     mark.Mark // beside it; since Run the writer's

	trouble error // why the last commit failed

	requests chan *request
	closing  chan struct{}
	closed   chan struct{}
	watch    Committed

	// The writer's goroutine only.
	doubt     *outcome             // a commit that failed and may be stored
	answers   map[AnswerKey]uint64 // where each answer lies
	latest    time.Time            // hall's time of the newest fact of the hall
	leapt     bool                 // the clock was so far ahead of it when the file was opened that it may be wrong
	forgotten int                  // answers dropped before their time that nobody was warned of
	warned    time.Time            // when somebody was

	sealing   bool         // all that is to be sealed in the file is
	records   uint64       // sealed with the newest key
	track     *track.Track // the end of the chain; nil: a segment is to begin
	why       chain.Reason // it begins
	known     chain.Point  // what it follows
	unsigned  time.Time    // when the signer failed
	wipe      bool         // free pages hold what must not be left there
	unsettled bool         // the name of the file is not on the disk yet
	unstamped bool         // the file may have its former stamp still
	wiping    sync.WaitGroup
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

// Open opens or makes the database in dir. A file that bbolt cannot read, or that none of the keys here opens, is put aside with its time
// in its name and a new one with a new epoch is begun: neither must stop the hall. PutAside and AsideSealed tell about it. A file that was
// sealed is refused with Sealed if no keys are given at all, and with Failed if they cannot be used now.
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
	if opts.records == 0 {
		opts.records = maxRecords
	}
	if opts.quiet == 0 {
		opts.quiet = quiet
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &Error{Op: "make directory", Code: Failed, Err: err}
	}
	s := &Store{
		opts: opts, path: filepath.Join(dir, FileName),
		requests: make(chan *request), // without a buffer: what the writer has not taken yet can be taken back
		closing:  make(chan struct{}), closed: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.begin()
	return s, nil
}

// begin writes what a file with keys begins with. What cannot be written now is tried again with the first command.
func (s *Store) begin() {
	if !s.opts.Keys.on() {
		return
	}
	touch := func() error { return s.transact([]*request{{do: func(t *Tx) error { t.touched = true; return nil }}}) }
	err := touch()
	if isFull(err) && !s.sealing {
		s.opts.Log.Error("disk is full, sealed without the answers", "lost",
			"the answers of the last 24 hours: a request from before that comes again is carried out again", "error", err)
		if err = s.change(s.db, dropAnswers); err == nil {
			s.answers = map[AnswerKey]uint64{}
			err = touch()
		}
	}
	if err != nil {
		s.opts.Log.Error("log not sealed yet", "error", err)
	}
}

// OpenReadOnly opens the database of an agent that does not run, or a copy of it, to look at it. Only Read, InClear, First, Load, Verify,
// Cursor, Backup and Close may be used. Without keys, what is sealed stays so.
func OpenReadOnly(dir string, opts Options) (*Store, error) {
	return OpenFile(filepath.Join(dir, FileName), opts)
}

// OpenFile is OpenReadOnly for a file of any name.
func OpenFile(path string, opts Options) (*Store, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{opts: opts, path: path}
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

// PutAside is the path of the file that Open found and could not use, or empty.
func (s *Store) PutAside() string { return s.reset }

// AsideSealed reports whether that file is whole, and sealed for a key that is not here.
func (s *Store) AsideSealed() bool { return s.sealed }

// Lost counts the logs of the same day that this one follows and that are not here: files that were damaged or are gone, and those of boxes
// before this one. It is 0 when there was none.
func (s *Store) Lost() int { return s.lost + s.Before() }

// Before counts the thousands of numbers that were begun in logs of other boxes since the last business day began, and are yet to be passed over.
func (s *Store) Before() int {
	if s.opts.Before == nil {
		return 0
	}
	return s.opts.Before()
}

// Sealed reports whether the file is sealed and chained. It is asked before Run.
func (s *Store) Sealed() bool { return s.sealing }

// Size is the length of the file in bytes.
func (s *Store) Size() int64 {
	fi, err := os.Stat(s.path)
	if err != nil {
		return 0
	}
	return fi.Size()
}

// Close ends the writer and closes the file. Requests that were not taken yet fail with Closed.
func (s *Store) Close() error {
	s.wiping.Wait()
	err := s.db.Close()
	if s.held != nil {
		err = errors.Join(err, s.held.Close())
	}
	return err
}

// Run is the writer; it returns when ctx ends, after the requests it has taken are committed.
func (s *Store) Run(ctx context.Context) error {
	defer s.wiping.Wait()
	defer close(s.closed)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a page that the disk cannot read is a fault of memory
	idle := time.NewTimer(s.opts.quiet)
	defer idle.Stop()
	for {
		select {
		case first := <-s.requests:
			s.commit(s.drain(first))
			idle.Reset(s.opts.quiet)
		case <-idle.C:
			s.tidy()
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
