package store

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"halledge/firmware-protocols/hallsync"
)

// answersKept is how long an answer can be given again (the contract says 24 hours).
const answersKept = 24 * time.Hour

// pruneStep bounds what one commit deletes, so that no command pays for the past.
const pruneStep = 64

// Tx is one request inside a commit. Its writes are kept back until the request's function has returned nil.
type Tx struct {
	store *Store
	tx    *bbolt.Tx
	epoch string
	next  hallsync.Seq // after the requests flushed so far
	facts []Fact       // flushed

	pending  []Fact
	encoded  [][]byte
	answers  []pendingAnswer
	cursors  []pendingCursor
	snapshot []byte
	renewal  *renewal
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
	t.pending, t.encoded, t.answers, t.cursors, t.snapshot, t.renewal = nil, nil, nil, nil, nil, nil
}

func (t *Tx) wrote() bool {
	return len(t.pending)+len(t.answers)+len(t.cursors) > 0 || t.snapshot != nil || t.renewal != nil
}

// Append adds a fact to the log under the next sequence.
func (t *Tx) Append(p hallsync.Payload, at time.Time) (hallsync.Event, error) {
	seq := t.next + hallsync.Seq(len(t.pending))
	e, err := hallsync.NewEvent(t.store.opts.Hall, t.epoch, seq, at, p)
	if err != nil {
		return hallsync.Event{}, err
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return hallsync.Event{}, fmt.Errorf("encode fact %s: %w", e.Kind, err)
	}
	if len(raw) > hallsync.MaxEventBytes {
		return hallsync.Event{}, fmt.Errorf("fact %s has %d bytes, more than %d", e.Kind, len(raw), hallsync.MaxEventBytes)
	}
	t.pending = append(t.pending, Fact{Event: e, Value: p})
	t.encoded = append(t.encoded, raw)
	return e, nil
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

// Answer gives the answer stored under a key, if it is not older than 24 hours.
func (t *Tx) Answer(key AnswerKey) (Answer, bool) {
	a, ok := t.stored(key)
	return a, ok && t.store.opts.Now().Sub(a.At) <= answersKept
}

func (t *Tx) stored(key AnswerKey) (a Answer, ok bool) {
	raw := t.tx.Bucket(bucketAnswers).Get(key[:])
	return a, raw != nil && json.Unmarshal(raw, &a) == nil
}

// PutAnswer remembers the answer to a request, of now, together with its facts.
func (t *Tx) PutAnswer(key AnswerKey, a Answer) {
	a.At = t.store.opts.Now()
	t.answers = append(t.answers, pendingAnswer{key, a})
}

func (t *Tx) flush() error {
	if t.renewal != nil {
		return t.renew()
	}
	log := t.tx.Bucket(bucketLog)
	for i, f := range t.pending {
		if err := log.Put(bytes8(uint64(f.Seq)), t.encoded[i]); err != nil {
			return err
		}
	}
	for _, c := range t.cursors {
		if err := t.tx.Bucket(bucketCursors).Put([]byte(c.name), bytes8(uint64(c.seq))); err != nil {
			return err
		}
	}
	for _, a := range t.answers {
		if err := t.putAnswer(a); err != nil {
			return err
		}
	}
	if t.snapshot != nil {
		if err := t.tx.Bucket(bucketMeta).Put(keySnapshot, t.snapshot); err != nil {
			return err
		}
	}
	t.facts = append(t.facts, t.pending...)
	t.next += hallsync.Seq(len(t.pending))
	return nil
}

func (t *Tx) putAnswer(a pendingAnswer) error {
	raw, err := json.Marshal(a.a)
	if err != nil {
		return err
	}
	if err := t.tx.Bucket(bucketAnswers).Put(a.key[:], raw); err != nil {
		return err
	}
	when := append(bytes8(uint64(a.a.At.UnixMilli())), a.key[:]...)
	return t.tx.Bucket(bucketExpiry).Put(when, nil)
}

// prune deletes a few answers past their time, and a few facts that the cloud has, the snapshot covers and the term is over.
func (t *Tx) prune() error {
	now := t.store.opts.Now()
	if err := t.pruneAnswers(now.Add(-answersKept)); err != nil {
		return err
	}
	meta := t.tx.Bucket(bucketMeta)
	covered := number(snapshotSeq(meta.Get(keySnapshot)))
	delivered := number(t.tx.Bucket(bucketCursors).Get([]byte(t.store.opts.Delivered)))
	return t.pruneLog(min(covered, delivered), now.Add(-t.store.opts.Retain))
}

func snapshotSeq(raw []byte) []byte {
	if len(raw) < 8 {
		return nil
	}
	return raw[:8]
}

func (t *Tx) pruneAnswers(before time.Time) error {
	times := t.tx.Bucket(bucketExpiry)
	var old [][]byte
	for c, k := times.Cursor(), []byte(nil); len(old) < pruneStep; {
		if k == nil {
			k, _ = c.First()
		} else {
			k, _ = c.Next()
		}
		if len(k) != 8+len(AnswerKey{}) || int64(number(k[:8])) >= before.UnixMilli() {
			break
		}
		old = append(old, append([]byte(nil), k...))
	}
	for _, k := range old {
		if err := times.Delete(k); err != nil {
			return err
		}
		key := AnswerKey(k[8:])
		if a, ok := t.stored(key); ok && uint64(a.At.UnixMilli()) != number(k[:8]) {
			continue // the key was used again since
		}
		if err := t.tx.Bucket(bucketAnswers).Delete(key[:]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) pruneLog(upTo uint64, before time.Time) error {
	log := t.tx.Bucket(bucketLog)
	var old [][]byte
	c := log.Cursor()
	for k, v := c.First(); k != nil && len(old) < pruneStep && number(k) <= upTo; k, v = c.Next() {
		var e struct {
			At time.Time `json:"at"`
		}
		if json.Unmarshal(v, &e) != nil || !e.At.Before(before) {
			break
		}
		old = append(old, append([]byte(nil), k...))
	}
	for _, k := range old {
		if err := log.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
