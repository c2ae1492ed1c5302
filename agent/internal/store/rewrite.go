package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// renewal is a wish for a new epoch.
type renewal struct {
	epoch string
	state []byte
}

// Renew begins a new epoch of the log, because the numbers of this one were used before: the file came back from a backup. Facts
// that were not delivered are numbered anew from 1, delivered ones are dropped, and state is the snapshot behind all of them. A
// request that renews does nothing else. With keys the facts are sealed anew and a segment of the chain begins; what the store itself had
// said of keys and chain is dropped, and so are facts that were erased.
func (t *Tx) Renew(state []byte) error {
	epoch, err := newEpoch()
	if err != nil {
		return err
	}
	t.renewal = &renewal{epoch: epoch, state: state}
	return nil
}

func (t *Tx) renew() error {
	r := t.renewal
	kept, err := t.undelivered()
	if err != nil {
		return err
	}
	old := t.store.known
	if t.track != nil {
		old = t.track.Point()
	}
	for _, name := range [][]byte{bucketLog, bucketSegments, bucketReceipts} {
		if err := t.tx.DeleteBucket(name); err != nil && !errors.Is(err, errNoBucket) {
			return err
		}
	}
	if err := createBuckets(t.tx); err != nil {
		return err
	}
	t.tx.Bucket(bucketLog).FillPercent = fill
	t.epoch, t.next = r.epoch, 1
	if t.store.opts.Keys.on() {
		if err := t.rekey(old); err != nil {
			return err
		}
	}
	for _, e := range kept {
		e.Hall, e.Epoch, e.Seq = t.store.opts.Hall, t.epoch, t.next
		s, err := t.seal(e)
		if err != nil {
			return err
		}
		if err := t.place(s); err != nil {
			return err
		}
	}
	return errors.Join(
		t.tx.Bucket(bucketMeta).Put(keyEpoch, []byte(t.epoch)),
		t.tx.Bucket(bucketMeta).Delete(keyBase),
		t.putSnapshot(append(bytes8(uint64(t.next-1)), r.state...)),
		t.tx.Bucket(bucketCursors).Delete([]byte(t.store.opts.Delivered)))
}

// rekey begins an epoch's segment and draws its key.
func (t *Tx) rekey(old chain.Point) error {
	t.ring = t.ring.Rebased()
	for _, k := range t.ring.All() {
		if err := t.tx.Bucket(bucketKeys).Put(bytes8(k.Number), k.Bytes()); err != nil {
			return err
		}
	}
	t.wipe = true
	return errors.Join(t.beginSegment(chain.Restored, old), t.makeKey())
}

// undelivered gives the facts that were not delivered, in the clear.
func (t *Tx) undelivered() (kept []hallsync.Event, err error) {
	delivered := number(t.tx.Bucket(bucketCursors).Get([]byte(t.store.opts.Delivered)))
	c := t.tx.Bucket(bucketLog).Cursor()
	for k, v := c.Seek(bytes8(delivered + 1)); k != nil; k, v = c.Next() {
		var e hallsync.Event
		raw, _ := split(v)
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("fact %d: %w", number(k), err)
		}
		if e.Erased != nil || e.Kind.OfLog() {
			continue
		}
		if e, err = e.Open(t.ring); err == nil && e.Kind == hallsync.KindPersonErased {
			e, err = withoutFacts(e)
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// withoutFacts gives an erasure without the facts it speaks of: their numbers are those of others now.
func withoutFacts(e hallsync.Event) (hallsync.Event, error) {
	var f hallsync.PersonErased
	err := json.Unmarshal(e.Payload, &f)
	if err == nil {
		f.Facts = nil
		e.Payload, err = json.Marshal(f)
	}
	return e, err
}

// Erase takes what facts say out of the log, by an order that f names, and adds f. The facts keep their places, and the chain the digests
// of what it is about. What is left to be read again at a start must not need them: the request also sets a snapshot, after this. What an
// answer said that has one of some words in it goes too: the request that comes again is one whose key was used, and is carried out by nobody.
func (t *Tx) Erase(f hallsync.PersonErased, at time.Time, words ...string) error {
	if f.Order == "" || t.erased != nil {
		return errors.New("nobody ordered the erasure, or there is another one in the request")
	}
	if _, err := t.Append(f, at); err != nil {
		return err
	}
	t.erased, t.words = &f, words
	return nil
}

// complete reports what a request has left out.
func (t *Tx) complete() error {
	if t.erased == nil {
		return nil
	}
	if t.snapshot == nil {
		return errors.New("erasure without a snapshot")
	}
	for _, r := range t.erased.Facts {
		if r.From > r.To || uint64(r.To) > number(t.snapshot[:8]) || r.To >= t.next {
			return fmt.Errorf("facts %d to %d cannot be erased", r.From, r.To)
		}
	}
	return nil
}

// erase replaces the bodies of facts by their digests. Facts that are not held any more are passed over, those about keys and chain, which
// say nothing of anybody, too.
func (t *Tx) erase() error {
	log := t.tx.Bucket(bucketLog)
	log.FillPercent = fill
	for _, r := range t.erased.Facts {
		var changed []stored
		c := log.Cursor()
		for k, v := c.Seek(bytes8(uint64(r.From))); k != nil && number(k) <= uint64(r.To); k, v = c.Next() {
			var e hallsync.Event
			raw, link := split(v)
			if err := json.Unmarshal(raw, &e); err != nil {
				return fmt.Errorf("fact %d: %w", number(k), err)
			}
			if e.Erased != nil || e.Kind.InClear() {
				continue
			}
			s, err := encode(erasedOf(e, t.erased.Order))
			if err != nil {
				return err
			}
			s.raw = append(s.raw, link...)
			changed = append(changed, s)
		}
		for _, s := range changed {
			if err := log.Put(bytes8(uint64(s.Seq)), s.raw); err != nil {
				return err
			}
		}
	}
	t.wipe = true
	return t.eraseAnswers()
}

// erasedOf gives a fact without its body. The digest of one that was never sealed would give away what it said, and no chain holds it.
func erasedOf(e hallsync.Event, order string) hallsync.Event {
	e.Erased = &hallsync.Erased{Order: order}
	if e.Sealed != nil {
		digest := gm.Sum(e.Sealed)
		e.Erased.Hash = digest[:]
	}
	e.Payload, e.Sealed = nil, nil
	return e
}

// createBuckets makes the buckets that are not there.
func createBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketLog, bucketCursors, bucketState, bucketAnswers, bucketKeys, bucketSegments, bucketReceipts} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}
