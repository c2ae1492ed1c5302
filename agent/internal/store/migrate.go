package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
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

// Where schema 1 has its answers.
const (
	answersByKey  = "answers"
	answersByTime = "answers_by_time"
)

func migrate1(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if snapshot := meta.Get(keySnapshot); snapshot != nil {
		if err := errors.Join(tx.Bucket(bucketState).Put(keySnapshot, append([]byte(nil), snapshot...)), meta.Delete(keySnapshot)); err != nil {
			return err
		}
	}
	old, times := tx.Bucket([]byte(answersByKey)), tx.Bucket([]byte(answersByTime))
	if old == nil || times == nil {
		return dropAnswers1(tx) // they were given up
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
	return errors.Join(err, t.flushAnswers(), dropAnswers1(tx))
}

// dropAnswers1 gives up the answers of schema 1, which frees their pages for the next transaction.
func dropAnswers1(tx *bbolt.Tx) error {
	for _, name := range []string{answersByKey, answersByTime} {
		if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
			return err
		}
	}
	return nil
}
