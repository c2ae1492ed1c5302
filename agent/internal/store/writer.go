package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store/seal"
	"halledge/agent/internal/store/swap"
	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
	"halledge/firmware-protocols/hallsync"
)

// maxGroup bounds the requests of one commit.
const maxGroup = 512

type request struct {
	do   func(*Tx) error
	then func() error // after the commit, on the writer's goroutine; nil: nothing
	err  error
	kept bool // its writes are in the transaction
	done chan struct{}
}

// Update runs do on the writer's goroutine and commits what it wrote. do must be quick and must not call Update. If do returns
// an error, none of its writes is kept and Update returns that error. If the commit fails, Update returns an *Error, and so do
// all others of the group; a panic in do fails the group too, because nobody knows what do had changed by then.
//
// ctx bounds the wait to be taken, not the commit: a request that was taken is always answered.
func (s *Store) Update(ctx context.Context, do func(*Tx) error) error {
	return s.ask(ctx, &request{do: do, done: make(chan struct{})})
}

// Compact copies the file without its free pages and wipes the old one, which the writer does by itself when it has nothing else to do: whoever
// has erased something waits for this. It fails when there is no room for the copy; then the old file stays in use.
func (s *Store) Compact(ctx context.Context) error {
	return s.ask(ctx, &request{do: func(*Tx) error { return nil }, then: s.compact, done: make(chan struct{})})
}

func (s *Store) ask(ctx context.Context, r *request) error {
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return &Error{Op: "update", Code: Closed, Err: errors.New("writer has ended")}
	}
	select {
	case <-r.done:
	case <-s.closed: // the writer may have answered just before it ended
		select {
		case <-r.done:
		default:
			return &Error{Op: "update", Code: Closed, Err: errors.New("writer has ended")}
		}
	}
	return r.err
}

// drain adds the requests that wait behind first.
func (s *Store) drain(first *request) []*request {
	group := []*request{first}
	for len(group) < maxGroup {
		select {
		case r := <-s.requests:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

func (s *Store) refuseRest() {
	for {
		select {
		case r := <-s.requests:
			r.err = &Error{Op: "update", Code: Closed, Err: errors.New("writer has ended")}
			close(r.done)
		default:
			return
		}
	}
}

// commit runs a group in one transaction and answers everybody in it.
func (s *Store) commit(group []*request) {
	_, err := s.settle()
	if err == nil {
		err = s.transact(group)
	} else {
		keepAll(group)
	}
	if err != nil {
		s.opts.Log.Error("commit failed", "error", err)
		for _, r := range group {
			if r.kept {
				r.err = err
			}
		}
	}
	for _, r := range group {
		if r.then != nil && r.err == nil {
			r.err = r.then()
		}
		close(r.done)
	}
}

// transact runs and commits a group. A group that wrote nothing costs no disk sync.
func (s *Store) transact(group []*request) error {
	done, err := s.write(group)
	if err != nil {
		keepAll(group)
		err = wrap("commit", err)
		if s.doubt == nil {
			s.rolledBack()
		} else if stored, serr := s.settle(); serr == nil && stored {
			return nil // what failed was only the word about it
		}
		s.setTrouble(err)
		return err
	}
	s.doubt = nil
	if done != nil {
		s.publish(done)
		s.setTrouble(nil)
	}
	return nil
}

// write gives what the group's transaction stored, nil for nothing. It fails with s.doubt set when the transaction may be stored
// nevertheless. bbolt panics on damaged pages; here that is one more failure.
func (s *Store) write(group []*request) (done *outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.opts.Log.Error("transaction panicked", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", errCorrupt, r)
		}
	}()
	btx, err := s.db.Begin(true)
	if err != nil {
		return nil, err
	}
	defer func() { _ = btx.Rollback() }() // no effect after Commit
	btx.Bucket(bucketLog).FillPercent = fill
	btx.Bucket(bucketAnswers).FillPercent = fill
	tx := &Tx{
		store: s, tx: btx, epoch: s.epoch, next: s.next, placed: map[AnswerKey]uint64{},
		sealing: s.sealing, ring: s.ring, records: s.records, track: s.track.Clone(), fault: s.fault, wipe: s.wipe,
		latest: s.latest, behind: s.behind,
	}
	defer func() {
		if s.doubt == nil { // or else it may have come true
			tx.track.Forget()
		}
	}()
	if err := tx.preface(); err != nil {
		return nil, err
	}
	if wrote, err := tx.run(group); err != nil || !wrote {
		return nil, err
	}
	if err := tx.finish(); err != nil {
		return nil, err
	}
	if s.unsettled {
		if err := swap.Settle(s.path); err != nil {
			return nil, err
		}
		s.unsettled = false
	}
	s.doubt = &outcome{
		id: btx.ID(), epoch: tx.epoch, next: tx.next, facts: tx.facts, placed: tx.placed, dropped: tx.dropped,
		sealing: tx.sealing, ring: tx.ring, records: tx.records, track: tx.track, fault: tx.fault, wipe: tx.wipe,
		latest: tx.latest, behind: tx.behind,
	}
	return s.doubt, s.opts.commit(btx)
}

// finish writes what goes with every commit.
func (t *Tx) finish() error {
	if err := errors.Join(t.sealTrack(), t.prune()); err != nil {
		return err
	}
	meta := t.tx.Bucket(bucketMeta)
	wipe := meta.Delete(keyWipe)
	if t.wipe {
		wipe = meta.Put(keyWipe, bytes8(1))
	}
	var stamp error
	if t.store.unstamped {
		stamp = t.store.putStamp(meta, t.behind)
	}
	return errors.Join(wipe, stamp, meta.Put(keyNext, bytes8(uint64(t.next))))
}

// run runs the requests of a group one after the other, each on top of what the ones before it wrote.
func (t *Tx) run(group []*request) (wrote bool, err error) {
	for _, r := range group {
		t.begin()
		if r.err = guard(r.do, t); r.err == nil {
			r.err = t.complete()
		}
		var panicked *panicError
		switch {
		case errors.As(r.err, &panicked):
			return wrote, panicked
		case r.err != nil:
			continue
		}
		r.kept = true
		if !t.wrote() {
			continue
		}
		if err := t.flush(); err != nil {
			return wrote, err
		}
		wrote = true
	}
	return wrote, nil
}

// outcome is what a transaction leaves behind when it is stored.
type outcome struct {
	id    int // bbolt's number of the transaction
	epoch string
	next  hallsync.Seq
	facts []Fact

	placed  map[AnswerKey]uint64 // answers given
	dropped []placedAnswer       // answers too old to be given again

	sealing bool
	ring    seal.Ring
	records uint64
	track   *track.Track
	fault   *chain.Fault
	wipe    bool
	latest  time.Time
	behind  bool
}

// settle finds out what became of a commit in doubt. bbolt writes its root last and syncs it: when only that sync fails, the
// root is there for every later transaction, though a power cut may still take it away. Then nothing may be numbered anew; one
// more commit on top of it makes it last.
func (s *Store) settle() (stored bool, err error) {
	if s.doubt == nil {
		return false, nil
	}
	newest := 0
	if err := s.view(func(tx *bbolt.Tx) error { newest = tx.ID(); return nil }); err != nil {
		return false, err
	}
	if newest < s.doubt.id {
		s.doubt.track.Forget()
		s.doubt = nil
		s.rolledBack()
		return false, nil
	}
	err = s.change(s.db, func(tx *bbolt.Tx) error { // writes what is there
		return tx.Bucket(bucketMeta).Put(keyNext, bytes8(uint64(s.doubt.next)))
	})
	if err != nil {
		return false, wrap("settle", err)
	}
	done := s.doubt
	s.doubt = nil
	s.publish(done)
	s.setTrouble(nil)
	return true, nil
}

// change commits what do writes, outside of the writer's groups.
func (s *Store) change(db *bbolt.DB, do func(*bbolt.Tx) error) error {
	tx, err := db.Begin(true)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no effect after Commit
	if err := do(tx); err != nil {
		return err
	}
	return s.opts.commit(tx)
}

// publish lets readers see what is stored.
func (s *Store) publish(done *outcome) {
	s.placeAnswers(done)
	news := len(done.facts) > 0 || done.epoch != s.epoch
	if s.track != done.track {
		s.track.Forget()
	}
	s.sealing, s.records, s.track, s.wipe, s.latest = done.sealing, done.records, done.track, done.wipe, done.latest
	s.mu.Lock()
	s.epoch, s.next, s.ring, s.fault, s.behind = done.epoch, done.next, done.ring, done.fault, done.behind
	s.mu.Unlock()
	if s.unstamped {
		s.settleMark()
	}
	if news && s.watch != nil {
		s.watch.Committed(done.facts)
	}
}

func (s *Store) rolledBack() {
	if s.watch != nil {
		s.watch.RolledBack()
	}
}

func (s *Store) setTrouble(err error) {
	s.mu.Lock()
	s.trouble = err
	s.mu.Unlock()
}

// Trouble is why the last commit failed, nil if it did not.
func (s *Store) Trouble() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.trouble
}

// keepAll marks every request of a failed group that had no error of its own.
func keepAll(group []*request) {
	for _, r := range group {
		if r.err == nil {
			r.kept = true
		}
	}
}

// panicError is a request's function that panicked.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("request panicked: %v", e.value) }

// guard runs a request's function.
func guard(do func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			tx.store.opts.Log.Error("request panicked", "panic", r, "stack", string(debug.Stack()))
			err = &panicError{r}
		}
	}()
	return do(tx)
}

// view reads the database as it was committed last. do must not keep the bytes it is given. A damaged page is an error.
func (s *Store) view(do func(*bbolt.Tx) error) (err error) {
	s.swap.RLock()
	defer s.swap.RUnlock()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a page that the disk cannot read is a fault of memory
	defer func() {
		if r := recover(); r != nil {
			err = wrap("read", fmt.Errorf("%w: %v", errCorrupt, r))
		}
	}()
	return wrap("read", s.db.View(do))
}

// Cursor gives the last sequence a reader has dealt with; 0 for a reader that never set it.
func (s *Store) Cursor(name string) (seq hallsync.Seq, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		seq = hallsync.Seq(number(tx.Bucket(bucketCursors).Get([]byte(name))))
		return nil
	})
	return seq, err
}
