// Package store gives the hall's one file: the log of facts, the cursors of those who read it, the answers already given, and
// the state as the last business day left it. It is bbolt with one writer.
//
// The writer commits in groups without a timer: it takes one request, drains those that wait, and commits them together with
// bbolt's two disk syncs, so a lone command pays no delay and a crowd shares the cost. When Update returns nil, its facts are
// on disk; when it returns an error, nothing of that request is.
package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
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

// schema is the number of the file's layout. Files of a newer program are refused, older ones are migrated.
const schema = 1

var (
	bucketMeta    = []byte("meta")
	bucketLog     = []byte("log")
	bucketCursors = []byte("cursors")
	bucketAnswers = []byte("answers")
	bucketExpiry  = []byte("answers_by_time")

	keySchema   = []byte("schema")
	keyEpoch    = []byte("epoch")
	keyNext     = []byte("next_seq")
	keySnapshot = []byte("snapshot")
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
	Delivered string           // name of the cursor that says which facts the cloud has
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

	trouble error // why the last commit failed

	requests chan *request
	closing  chan struct{}
	closed   chan struct{}
	watch    Committed

	doubt *pendingCommit        // writer's goroutine only: a commit that failed and may be stored
	end   func(*bbolt.Tx) error // commits; tests let it fail
}

// Committed is told about each group of facts after its commit, and about a commit that left nothing, both on the writer's
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
	if opts.Now == nil {
		opts.Now = steady()
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, &Error{Op: "make directory", Code: Failed, Err: err}
	}
	s := &Store{
		opts: opts, path: filepath.Join(dir, FileName),
		requests: make(chan *request, maxGroup), closing: make(chan struct{}), closed: make(chan struct{}),
		end: (*bbolt.Tx).Commit,
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
	err = s.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return errors.New("no hall's database")
		}
		s.epoch, s.next = string(meta.Get(keyEpoch)), hallsync.Seq(number(meta.Get(keyNext)))
		return nil
	})
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

func (s *Store) open() error {
	db, err := s.openFile()
	if isCorrupt(err) {
		s.reset = s.path + ".corrupt-" + s.opts.Now().UTC().Format("20060102T150405.000000000")
		s.opts.Log.Error("database unreadable, put aside", "file", s.path, "aside", s.reset, "error", err)
		if err := os.Rename(s.path, s.reset); err != nil {
			return &Error{Op: "put corrupt file aside", Code: Failed, Err: err}
		}
		db, err = s.openFile()
	}
	if err != nil {
		if errors.Is(err, bolterrors.ErrTimeout) {
			return &Error{Op: "open", Code: Locked, Err: err}
		}
		var own *Error
		if errors.As(err, &own) {
			return err
		}
		return &Error{Op: "open", Code: Failed, Err: err}
	}
	s.db = db
	return nil
}

// openFile opens the file and its buckets. What bbolt and the disk do about damaged pages comes back as corruption.
func (s *Store) openFile() (db *bbolt.DB, err error) {
	if err := s.inspect(); err != nil {
		return nil, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if db != nil {
				_ = db.Close()
			}
			db, err = nil, fmt.Errorf("%w: %v", errCorrupt, r)
		}
	}()
	db, err = bbolt.Open(s.path, 0o640, &bbolt.Options{
		Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, MaxSize: int(s.opts.MaxBytes),
	})
	if err != nil {
		return nil, err
	}
	if err := db.Update(s.prepare); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

var errCorrupt = errors.New("damaged page")

func isCorrupt(err error) bool {
	return errors.Is(err, errCorrupt) || errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) ||
		errors.Is(err, bolterrors.ErrVersionMismatch)
}

// prepare makes the buckets of a new file and reads the counters of an old one.
func (s *Store) prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketLog, bucketCursors, bucketAnswers, bucketExpiry} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	if have := meta.Get(keySchema); have != nil && number(have) > schema {
		return &Error{Op: "open", Code: Newer, Err: fmt.Errorf("schema %d, this program knows %d", number(have), schema)}
	}
	if meta.Get(keyEpoch) == nil {
		epoch, err := newEpoch()
		if err != nil {
			return err
		}
		if err := errors.Join(meta.Put(keyEpoch, []byte(epoch)), meta.Put(keyNext, bytes8(1))); err != nil {
			return err
		}
	}
	s.epoch, s.next = string(meta.Get(keyEpoch)), hallsync.Seq(number(meta.Get(keyNext)))
	return meta.Put(keySchema, bytes8(schema))
}

// newEpoch draws the identity of a database file: 52 bits of milliseconds and 12 random bits, in hex.
func newEpoch() (string, error) {
	var r [2]byte
	if _, err := rand.Read(r[:]); err != nil {
		return "", err
	}
	v := uint64(time.Now().UnixMilli())<<12 | uint64(binary.BigEndian.Uint16(r[:])&0xfff)
	return hex.EncodeToString(bytes8(v)), nil
}

// Watch sets who is told about commits. It must be called before Run.
func (s *Store) Watch(c Committed) { s.watch = c }

// Epoch is the identity of this file; Next the sequence the next fact will get.
func (s *Store) Epoch() string { return s.epoch }

// Next is the sequence the next fact will get.
func (s *Store) Next() hallsync.Seq {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.next
}

// PutAside is the path of the corrupt file Open found, or empty.
func (s *Store) PutAside() string { return s.reset }

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
