package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"halledge/firmware-protocols/hallsync"
)

// renewal is a wish for a new epoch.
type renewal struct {
	epoch string
	state []byte
}

// Renew begins a new epoch of the log, because the numbers of this one were used before: the file came back from a backup. Facts
// that were not delivered are numbered anew from 1, delivered ones are dropped, and state is the snapshot behind all of them. A
// request that renews does nothing else.
func (t *Tx) Renew(state []byte) error {
	epoch, err := newEpoch()
	if err != nil {
		return err
	}
	t.renewal = &renewal{epoch: epoch, state: state}
	return nil
}

func (t *Tx) renew() error {
	kept, err := t.renumbered()
	if err != nil {
		return err
	}
	if err := t.tx.DeleteBucket(bucketLog); err != nil {
		return err
	}
	log, err := t.tx.CreateBucket(bucketLog)
	if err != nil {
		return err
	}
	log.FillPercent = fill
	for i, raw := range kept {
		if err := log.Put(bytes8(uint64(i+1)), raw); err != nil {
			return err
		}
	}
	t.epoch, t.next = t.renewal.epoch, hallsync.Seq(len(kept)+1)
	meta := t.tx.Bucket(bucketMeta)
	return errors.Join(
		meta.Put(keyEpoch, []byte(t.epoch)),
		t.tx.Bucket(bucketState).Put(keySnapshot, append(bytes8(uint64(len(kept))), t.renewal.state...)),
		t.tx.Bucket(bucketCursors).Delete([]byte(t.store.opts.Delivered)))
}

// renumbered gives the facts that were not delivered as those of the new epoch.
func (t *Tx) renumbered() (kept [][]byte, err error) {
	delivered := number(t.tx.Bucket(bucketCursors).Get([]byte(t.store.opts.Delivered)))
	c := t.tx.Bucket(bucketLog).Cursor()
	for k, v := c.Seek(bytes8(delivered + 1)); k != nil; k, v = c.Next() {
		var e hallsync.Event
		if err := json.Unmarshal(v, &e); err != nil {
			return nil, fmt.Errorf("fact %d: %w", number(k), err)
		}
		e.Epoch, e.Seq = t.renewal.epoch, hallsync.Seq(len(kept)+1)
		raw, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("fact %d: %w", number(k), err)
		}
		kept = append(kept, raw)
	}
	return kept, nil
}
