package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// schema is the number of the file's layout. Files of a newer program are refused, older ones are migrated.
//
//	1  answers by key and their keys by time; the snapshot among the counters
//	2  answers one behind the other; the snapshot in a bucket of its own, which other commits need not write again
const schema = 2

// migrate brings a file of an older program to the present layout, in the transaction that prepares it.
func migrate(tx *bbolt.Tx, have uint64) error {
	if have == 1 {
		if err := migrate1(tx); err != nil {
			return fmt.Errorf("migrate from schema 1: %w", err)
		}
	}
	return nil
}

func migrate1(tx *bbolt.Tx) error {
	meta, byKey, byTime := tx.Bucket(bucketMeta), []byte("answers"), []byte("answers_by_time")
	if snapshot := meta.Get(keySnapshot); snapshot != nil {
		if err := errors.Join(tx.Bucket(bucketState).Put(keySnapshot, append([]byte(nil), snapshot...)), meta.Delete(keySnapshot)); err != nil {
			return err
		}
	}
	old, times := tx.Bucket(byKey), tx.Bucket(byTime)
	if old == nil || times == nil {
		return errors.New("answers are missing")
	}
	t := &Tx{tx: tx, placed: map[AnswerKey]uint64{}}
	err := times.ForEach(func(when, _ []byte) error {
		var a struct {
			Status int       `json:"status"`
			Body   []byte    `json:"body"`
			Asked  string    `json:"asked"`
			At     time.Time `json:"at"`
		}
		if len(when) != 8+len(AnswerKey{}) || json.Unmarshal(old.Get(when[8:]), &a) != nil {
			return nil //nolint:nilerr // it was pruned, or could not be given again by the older program either
		}
		t.answers = append(t.answers, pendingAnswer{AnswerKey(when[8:]), Answer(a)})
		return nil
	})
	return errors.Join(err, t.flushAnswers(), tx.DeleteBucket(byKey), tx.DeleteBucket(byTime))
}
