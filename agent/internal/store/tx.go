package store

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store/seal"
	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
	"halledge/firmware-protocols/hallsync"
)

// pruneStep bounds what one commit deletes, so that no command pays for the past.
const pruneStep = 64

// Tx is one request inside a commit. Its writes are kept back until the request's function has returned nil.
type Tx struct {
	store *Store
	tx    *bbolt.Tx
	epoch string
	next  hallsync.Seq // after the requests flushed so far
	facts []Fact       // flushed

	placed  map[AnswerKey]uint64 // answers flushed
	dropped []placedAnswer

	// With keys: what the file is sealed and chained with from here on.
	sealing bool // what is in the file already, too
	ring    seal.Ring
	records uint64 // sealed with the newest key
	track   *track.Track
	fault   *chain.Fault
	forked  bool // the centre has other facts
	wipe    bool // something was taken out that must not be left in free pages

	latest time.Time // hall's time of the newest fact of the hall
	behind bool      // numbers of today may not be in this file

	pending  []Fact
	stored   []stored // the bytes of pending
	answers  []pendingAnswer
	cursors  []pendingCursor
	snapshot []byte
	renewal  *renewal
	erased   *hallsync.PersonErased
	words    []string // in answers that go with it
	receipt  *chain.Receipt
	touched  bool // something else is to be written
	caught   bool // the numbers of today were passed over
}

// stored is a fact as it is stored, and its bytes.
type stored struct {
	hallsync.Event
	raw []byte
}

type pendingAnswer struct {
	key AnswerKey
	a   Answer
}

type pendingCursor struct {
	name string
	seq  hallsync.Seq
}

func (t *Tx) begin() {
	t.pending, t.stored, t.answers, t.cursors, t.snapshot, t.renewal = nil, nil, nil, nil, nil, nil
	t.erased, t.words, t.receipt, t.touched, t.caught = nil, nil, nil, false, false
}

func (t *Tx) wrote() bool {
	return len(t.pending)+len(t.answers)+len(t.cursors) > 0 || t.snapshot != nil || t.renewal != nil || t.receipt != nil || t.touched
}

// Append adds a fact to the log under the next sequence, and gives it in the clear.
func (t *Tx) Append(p hallsync.Payload, at time.Time) (hallsync.Event, error) {
	seq := t.next + hallsync.Seq(len(t.pending))
	e, err := hallsync.NewEvent(t.store.opts.Hall, t.epoch, seq, at, p)
	if err != nil {
		return hallsync.Event{}, err
	}
	s, err := t.seal(e)
	if err != nil {
		return hallsync.Event{}, err
	}
	t.pending = append(t.pending, Fact{Event: e, Value: p})
	t.stored = append(t.stored, s)
	return e, nil
}

// seal gives a fact as it is to be stored.
func (t *Tx) seal(e hallsync.Event) (s stored, err error) {
	if t.store.opts.Keys.on() {
		if e, err = e.Seal(t.ring); err != nil {
			return s, err
		}
		t.records++
	}
	if s, err = encode(e); err == nil && len(s.raw) > hallsync.MaxEventBytes {
		err = fmt.Errorf("fact %s has %d bytes, more than %d", e.Kind, len(s.raw), hallsync.MaxEventBytes)
	}
	return s, err
}

func encode(e hallsync.Event) (stored, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return stored{}, fmt.Errorf("encode fact %s: %w", e.Kind, err)
	}
	return stored{e, raw}, nil
}

// SetCursor moves a reader's cursor.
func (t *Tx) SetCursor(name string, seq hallsync.Seq) {
	t.cursors = append(t.cursors, pendingCursor{name, seq})
}

// SetSnapshot stores the state as it is after the last fact appended so far. Replay begins behind it.
func (t *Tx) SetSnapshot(state []byte) {
	seq := t.next + hallsync.Seq(len(t.pending)) - 1
	t.snapshot = append(bytes8(uint64(seq)), state...)
}

// note adds a fact of the store's own outside of any request.
func (t *Tx) note(p hallsync.Payload) error {
	t.begin()
	if _, err := t.Append(p, t.store.opts.Now()); err != nil {
		return err
	}
	return t.flush()
}

func (t *Tx) flush() error {
	if t.renewal != nil {
		return t.renew()
	}
	for _, s := range t.stored {
		if err := t.place(s); err != nil {
			return err
		}
	}
	for _, c := range t.cursors {
		if err := t.tx.Bucket(bucketCursors).Put([]byte(c.name), bytes8(uint64(c.seq))); err != nil {
			return err
		}
	}
	if err := t.flushAnswers(); err != nil {
		return err
	}
	if t.snapshot != nil {
		if err := t.putSnapshot(t.snapshot); err != nil {
			return err
		}
	}
	if t.erased != nil {
		if err := t.erase(); err != nil {
			return err
		}
	}
	if t.receipt != nil {
		if err := t.keepReceipt(); err != nil {
			return err
		}
	}
	if t.caught {
		t.behind = false
		if err := t.tx.Bucket(bucketMeta).Delete(keyRestored); err != nil {
			return err
		}
	}
	for _, f := range t.pending {
		if !f.Kind.OfLog() {
			t.latest = f.At
		}
	}
	t.facts = append(t.facts, t.pending...)
	return nil
}

// place puts a fact behind the last one, with its link.
func (t *Tx) place(s stored) error {
	value := s.raw
	if t.track != nil {
		link, err := t.track.Append(s.Event)
		if err != nil {
			return err
		}
		value = append(value, link.Bytes()...)
	}
	t.next = s.Seq + 1
	return t.tx.Bucket(bucketLog).Put(bytes8(uint64(s.Seq)), value)
}

// leap is how much later than its last fact a file may be opened with nobody asking whether the clock is right.
const leap = 36 * time.Hour

// readLatest finds out when the hall had its last fact, by a time that it was sure of.
func (s *Store) readLatest(tx *bbolt.Tx) error {
	c := tx.Bucket(bucketLog).Cursor()
	for k, v := c.Last(); k != nil; k, v = c.Prev() {
		var e hallsync.Event
		raw, _ := split(v)
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("fact %d: %w", number(k), err)
		}
		if !e.Kind.OfLog() {
			s.latest, s.leapt = e.At, s.opts.Now().Sub(e.At) > leap
			return nil
		}
	}
	return nil
}

// sure is the time by which things are over. A box that comes up long after its last fact may have a clock that is wrong: then only facts, which
// are dated by the hall's time, take it further.
func (t *Tx) sure() time.Time {
	now := t.store.opts.Now()
	if t.store.leapt && t.latest.Before(now) {
		return t.latest
	}
	return now
}

// prune deletes a few answers past their time, and a few facts that the cloud has, the snapshot covers and the term is over, and the keys
// that open nothing any more.
func (t *Tx) prune() error {
	now := t.sure()
	if err := t.pruneAnswers(now.Add(-answersKept)); err != nil {
		return err
	}
	covered := number(snapshotSeq(t.tx.Bucket(bucketState).Get(keySnapshot)))
	delivered := number(t.tx.Bucket(bucketCursors).Get([]byte(t.store.opts.Delivered)))
	if err := t.pruneLog(min(covered, delivered), now.Add(-t.store.opts.Retain)); err != nil {
		return err
	}
	if !t.sealing {
		return nil
	}
	return t.spend()
}

func snapshotSeq(raw []byte) []byte {
	if len(raw) < 8 {
		return nil
	}
	return raw[:8]
}

func (t *Tx) pruneLog(upTo uint64, before time.Time) error {
	log := t.tx.Bucket(bucketLog)
	var old [][]byte
	var base []byte
	c := log.Cursor()
	for k, v := c.First(); k != nil && len(old) < pruneStep && number(k) <= upTo; k, v = c.Next() {
		var e struct {
			At time.Time `json:"at"`
		}
		raw, link := split(v)
		if json.Unmarshal(raw, &e) != nil || !e.At.Before(before) {
			break
		}
		old, base = append(old, append([]byte(nil), k...)), append([]byte(nil), link...)
	}
	for _, k := range old {
		if err := log.Delete(k); err != nil {
			return err
		}
	}
	if t.track == nil || len(old) == 0 {
		return nil
	}
	return t.rebase(number(old[len(old)-1]), base)
}

// LostOn counts the logs whose numbers of a business day are not in a file that is behind or new: those that were passed over on that day,
// and the last one.
func (t *Tx) LostOn(day string) int { return t.store.mark.Before(day) }

// Caught says that the numbers which a file that is behind does not have were passed over.
func (t *Tx) Caught() { t.caught, t.touched = true, true }

// Passed says, before it is so, that the numbers of a business day go on behind those of so many logs: whichever file comes back afterwards
// goes on behind these.
func (t *Tx) Passed(day string, logs int) error {
	s := t.store
	if s.mark.Day == day && s.mark.Logs >= logs {
		return nil
	}
	m := s.mark
	m.Day, m.Logs = day, logs
	if err := m.Write(s.markFile()); err != nil {
		return wrap("mark", err)
	}
	s.mark = m
	return nil
}
