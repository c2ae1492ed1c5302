package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"halledge/agent/internal/store/mark"
	"halledge/agent/internal/store/swap"
	"halledge/agent/kit/chain"
	"halledge/firmware-protocols/hallsync"
)

// open takes the directory first: who changes the names of files there is alone.
func (s *Store) open() (err error) {
	if s.held, err = Lock(filepath.Dir(s.path)); err != nil {
		return err
	}
	if err = s.openIn(); err != nil {
		err = errors.Join(err, s.held.Close())
	}
	return err
}

func (s *Store) openIn() error {
	unwiped, err := swap.Recover(s.path)
	if errors.Is(err, fs.ErrNotExist) { // an older state of the file is all there is
		err = s.putAside(swap.Old(s.path), err)
	}
	if err != nil {
		return wrap("open", err)
	}
	db, err := s.openFile()
	if sealed := errors.Is(err, errSealed); sealed || isCorrupt(err) {
		s.sealed = sealed
		if err := s.putAside(s.path, err); err != nil {
			return err
		}
		db, err = s.openFile()
	}
	if err != nil {
		if errors.Is(err, bolterrors.ErrTimeout) {
			return &Error{Op: "open", Code: Locked, Err: err}
		}
		return wrap("open", err)
	}
	s.db = db
	if unwiped {
		s.wipeOld()
	}
	if err := s.view(s.readLatest); err != nil {
		return err
	}
	if s.opts.Keys.on() {
		return s.view(func(tx *bbolt.Tx) error { s.resume(tx); return nil })
	}
	return nil
}

// putAside keeps a file that cannot be used, and why, for people to look at.
func (s *Store) putAside(file string, why error) error {
	s.reset = s.path + asideMark + s.opts.Now().UTC().Format(asideTime)
	s.opts.Log.Error("database unreadable, put aside", "file", file, "aside", s.reset, "error", why)
	if err := os.Rename(file, s.reset); err != nil {
		return &Error{Op: "put corrupt file aside", Code: Failed, Err: err}
	}
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
	if db, err = s.bolt(s.path); err != nil {
		return nil, err
	}
	if err := s.start(db); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// bolt opens a file to write to. Who waited for it while another agent put a copy in its place has the wrong one.
func (s *Store) bolt(path string) (*bbolt.DB, error) {
	var file *os.File
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, MaxSize: int(s.opts.MaxBytes),
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			f, err = os.OpenFile(name, flag, mode)
			file = f
			return f, err
		},
	})
	if err != nil {
		return nil, err
	}
	mine, err := file.Stat()
	if err == nil {
		err = file.Chmod(0o600) // earlier programs let the group read it
	}
	if err == nil {
		var named os.FileInfo
		if named, err = os.Stat(path); err == nil && !os.SameFile(mine, named) {
			err = bolterrors.ErrTimeout
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// start makes the file ready for the writer. A full disk does not keep a hall from starting with what it has.
func (s *Store) start(db *bbolt.DB) error {
	if err := s.reserve(db); err != nil {
		s.opts.Log.Warn("disk space not set aside", "error", err)
	}
	if err := s.recognise(db); err != nil {
		return err
	}
	err := s.change(db, s.prepare)
	switch {
	case isFull(err):
		err = s.startFull(db, err)
		s.unstamped = true
	case err == nil:
		s.settleMark()
	}
	if err != nil {
		return err
	}
	return db.View(s.loadAnswers)
}

// startFull starts on a disk that is too full to prepare the file, which failed with full. A file of the present layout is good
// as it is; one of an older program gives up its answers to make room for the rest.
func (s *Store) startFull(db *bbolt.DB, full error) error {
	err := db.View(s.count)
	if err == nil {
		s.opts.Log.Error("disk is full", "error", full)
		return nil
	}
	var older *olderError
	if !errors.As(err, &older) {
		return full
	}
	if err = s.change(db, dropAnswers1); err == nil {
		err = s.change(db, s.prepare)
	}
	switch {
	case isFull(err):
		return &Error{Op: "upgrade", Code: Cramped, Err: fmt.Errorf("%w: %w", older, err)}
	case err != nil:
		return err
	}
	s.opts.Log.Error("disk is full, upgraded without the answers", "from_schema", older.have, "to_schema", schema,
		"lost", "the answers of the last 24 hours: a request from before that comes again is carried out again", "error", full)
	return nil
}

// isFull reports whether an error says that the disk or the quota is full.
func isFull(err error) bool {
	var own *Error
	return errors.As(wrap("open", err), &own) && own.Code == Full
}

// reserved is the disk space kept for facts to come, enough for days of the busiest hall.
const reserved = 16 << 20

// reserve sets disk space aside, so that somebody else's files on a disk that runs full do not stop the hall at once.
func (s *Store) reserve(db *bbolt.DB) (err error) {
	used := int64(0)
	if err := db.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil }); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return unix.Fallocate(int(f.Fd()), 0, 0, min(used+reserved, s.opts.MaxBytes))
}

var errCorrupt = errors.New("damaged page")

func isCorrupt(err error) bool {
	return errors.Is(err, errCorrupt) || errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) ||
		errors.Is(err, bolterrors.ErrVersionMismatch)
}

var errNoBucket = bolterrors.ErrBucketNotFound

// prepare makes the buckets of a new file and reads the counters of an old one. Its commit also makes last what a program that
// died in the middle of a commit left behind.
func (s *Store) prepare(tx *bbolt.Tx) error {
	if err := createBuckets(tx); err != nil {
		return err
	}
	meta := tx.Bucket(bucketMeta)
	have := number(meta.Get(keySchema))
	if have > schemaSealed {
		return newer(have)
	}
	if meta.Get(keyEpoch) == nil {
		epoch, err := newEpoch()
		if err != nil {
			return err
		}
		if err := errors.Join(meta.Put(keyEpoch, []byte(epoch)), meta.Put(keyNext, bytes8(1))); err != nil {
			return err
		}
		if logs := s.missed(); logs > 0 {
			if err := errors.Join(meta.Put(keyLost, []byte(s.reset)), meta.Put(keyLostOnes, bytes8(uint64(logs)))); err != nil {
				return err
			}
		}
	}
	if err := s.putStamp(meta, s.restored); err != nil {
		return err
	}
	if err := migrate(tx, have); err != nil {
		return err
	}
	return errors.Join(meta.Put(keySchema, bytes8(max(schema, have))), s.count(tx))
}

// count reads the counters of a file that was prepared before.
func (s *Store) count(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil || meta.Get(keyEpoch) == nil {
		return errors.New("no hall's database")
	}
	have := number(meta.Get(keySchema))
	switch {
	case have > schemaSealed:
		return newer(have)
	case have < schema:
		return &olderError{have}
	}
	s.epoch, s.next = string(meta.Get(keyEpoch)), hallsync.Seq(number(meta.Get(keyNext)))
	s.lost = int(number(meta.Get(keyLostOnes)))
	if meta.Get(keyLost) != nil {
		s.lost = max(1, s.lost) // earlier programs did not count them
	}
	s.sealing = have == schemaSealed
	if !s.opts.Keys.on() {
		return nil
	}
	return s.unseal(tx)
}

// unseal reads the keys and the end of the chain.
func (s *Store) unseal(tx *bbolt.Tx) (err error) {
	if s.ring, err = s.readRing(tx); err != nil {
		return err
	}
	meta := tx.Bucket(bucketMeta)
	s.records, s.wipe = number(meta.Get(keyRecords)), meta.Get(keyWipe) != nil
	s.track, s.fault = s.readTrack(tx, s.ring), nil
	if raw := meta.Get(keyFault); raw != nil {
		s.fault = &chain.Fault{Kind: EndLost}
		_ = json.Unmarshal(raw, s.fault) // there was a fault, whatever it was
	}
	return nil
}

const (
	asideMark = ".corrupt-"
	asideTime = "20060102T150405.000000000"
	asideDay  = 36 * time.Hour // files put aside within it may be of the same business day, whatever the hall's zone is
)

// aside counts the files that were put aside within a day of the one that was put aside just now, itself too.
func (s *Store) aside() int {
	last, err := time.Parse(asideTime, s.reset[len(s.path+asideMark):])
	if err != nil {
		return 1
	}
	n := 0
	entries, _ := os.ReadDir(filepath.Dir(s.path)) // it was renamed there a moment ago; without a list it is the only one
	for _, e := range entries {
		if text, ok := strings.CutPrefix(e.Name(), filepath.Base(s.path)+asideMark); ok {
			if at, err := time.Parse(asideTime, text); err == nil && last.Sub(at).Abs() < asideDay {
				n++
			}
		}
	}
	return max(1, n)
}

// olderError says that a file has the layout of an older program.
type olderError struct{ have uint64 }

func (e *olderError) Error() string {
	return fmt.Sprintf("schema %d is brought to %d when the agent starts", e.have, schema)
}

func newer(have uint64) error {
	return &Error{Op: "open", Code: Newer, Err: fmt.Errorf("schema %d, this program knows %d", have, schemaSealed)}
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

// MarkName is the file, beside the database, that knows which file was used here last: package mark.
const MarkName = "hall.mark"

var (
	keyStamp    = []byte("stamp")    // drawn at each start
	keyRestored = []byte("restored") // there until the numbers of the day were passed over
)

func (s *Store) markFile() string { return filepath.Join(filepath.Dir(s.path), MarkName) }

// recognise finds out whether a database is the one that was used here last, and draws its next stamp. Both stamps are good until the
// database has the new one: the power may go in between.
func (s *Store) recognise(db *bbolt.DB) error {
	own, begun, pending := "", false, false
	err := db.View(func(tx *bbolt.Tx) error {
		if meta := tx.Bucket(bucketMeta); meta != nil {
			own, begun, pending = string(meta.Get(keyStamp)), meta.Get(keyEpoch) != nil, meta.Get(keyRestored) != nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	m, there, err := mark.Read(s.markFile())
	if err != nil {
		s.opts.Log.Error("mark beside the database not read", "file", s.markFile(), "error", err)
	}
	known := m.Knows(own)
	s.mark, s.gone = m, there && !begun
	first := !there && own == ""
	s.restored = begun && (pending || !known && !first)
	s.behind = s.restored
	s.stamp = rand.Text()
	if known || first {
		m.Stamps = []string{own}
	}
	m.Stamps = append(m.Stamps, s.stamp)
	if err := m.Write(s.markFile()); err != nil {
		s.opts.Log.Error("database not marked", "error", err)
		s.stamp = own
	}
	if s.restored && !pending {
		s.opts.Log.Error("database is not the one that was used here last, numbers of today are passed over")
	}
	return nil
}

// putStamp gives the database its next stamp, and has it remember that it came back.
func (s *Store) putStamp(meta *bbolt.Bucket, behind bool) error {
	var err error
	if s.stamp != "" {
		err = meta.Put(keyStamp, []byte(s.stamp))
	}
	if behind && err == nil {
		err = meta.Put(keyRestored, bytes8(1))
	}
	return err
}

// settleMark takes back that the database may have its former stamp. Until then nothing is written that the former one could lack.
func (s *Store) settleMark() {
	m := s.mark
	m.Stamps = []string{s.stamp}
	err := m.Write(s.markFile())
	if s.unstamped = err != nil; err != nil { // the next commit tries again
		s.opts.Log.Error("database not marked", "error", err)
		return
	}
	s.mark = m
}

// missed counts the logs that a new database follows by what lies beside it.
func (s *Store) missed() (logs int) {
	if s.reset != "" {
		logs = s.aside()
	}
	if s.gone {
		logs = max(logs, 1)
	}
	return logs
}

// Restored reports whether Open found another file than the one that was used here last.
func (s *Store) Restored() bool { return s.restored }

// Behind reports whether numbers of the day may be on slips that this file, which came back from a backup, does not have. It is so until
// Caught.
func (s *Store) Behind() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.behind
}
