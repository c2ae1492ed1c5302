package store

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

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
	if err := t.flushAnswers(); err != nil {
		return err
	}
	if t.snapshot != nil {
		if err := t.tx.Bucket(bucketState).Put(keySnapshot, t.snapshot); err != nil {
			return err
		}
	}
	t.facts = append(t.facts, t.pending...)
	t.next += hallsync.Seq(len(t.pending))
	return nil
}

// prune deletes a few answers past their time, and a few facts that the cloud has, the snapshot covers and the term is over.
func (t *Tx) prune() error {
	now := t.store.opts.Now()
	if err := t.pruneAnswers(now.Add(-answersKept)); err != nil {
		return err
	}
	covered := number(snapshotSeq(t.tx.Bucket(bucketState).Get(keySnapshot)))
	delivered := number(t.tx.Bucket(bucketCursors).Get([]byte(t.store.opts.Delivered)))
	return t.pruneLog(min(covered, delivered), now.Add(-t.store.opts.Retain))
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
