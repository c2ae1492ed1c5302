package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// answersKept is how long an answer can be given again (the contract says 24 hours).
const answersKept = 24 * time.Hour

// AnswerKey identifies one request for ever: whose it is, what it asked and the key it carried.
type AnswerKey [32]byte

// KeyOf makes the key of a request from its credential, method, path and Idempotency-Key.
func KeyOf(credential, method, path, key string) AnswerKey {
	h := sha256.New()
	for _, part := range []string{credential, method, path, key} {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	return AnswerKey(h.Sum(nil))
}

// Answer is what was said to a request, byte for byte. Asked is the digest of the request's body, At when it was stored, in
// milliseconds.
type Answer struct {
	Status int
	Body   []byte
	Asked  string
	At     time.Time
}

// The answers of a day lie in the file one behind the other, so that a commit writes one page for all of them, however many
// there are; where each lies is kept in memory.

// answerHead is the length of a stored answer before its texts: key, milliseconds, status, length of Asked.
const answerHead = len(AnswerKey{}) + 8 + 2 + 1

// encodeAnswer gives an answer's stored bytes.
func encodeAnswer(key AnswerKey, a Answer) ([]byte, error) {
	if len(a.Asked) > 255 || a.Status < 0 || a.Status > 0xffff {
		return nil, errors.New("answer cannot be stored")
	}
	raw := make([]byte, 0, answerHead+len(a.Asked)+len(a.Body))
	raw = append(raw, key[:]...)
	raw = binary.BigEndian.AppendUint64(raw, uint64(a.At.UnixMilli()))
	raw = binary.BigEndian.AppendUint16(raw, uint16(a.Status))
	raw = append(raw, byte(len(a.Asked)))
	raw = append(raw, a.Asked...)
	return append(raw, a.Body...), nil
}

// answerClear is what of it is never sealed: whose it is, which is a digest, and when it was given.
const answerClear = len(AnswerKey{}) + 8

// headOf reads whose a stored answer is and when it was given. It is not ok if there is no whole answer.
func headOf(raw []byte) (key AnswerKey, at time.Time, ok bool) {
	if len(raw) < answerClear {
		return key, at, false
	}
	copy(key[:], raw)
	return key, time.UnixMilli(int64(binary.BigEndian.Uint64(raw[len(key):]))), true
}

// decodeAnswer reads an answer's stored bytes; the answer's body is a copy.
func decodeAnswer(raw []byte) (key AnswerKey, a Answer, ok bool) {
	key, at, ok := headOf(raw)
	if !ok || len(raw) < answerHead || len(raw) < answerHead+int(raw[answerHead-1]) {
		return key, a, false
	}
	texts, asked := raw[answerHead:], int(raw[answerHead-1])
	return key, Answer{
		At:     at,
		Status: int(binary.BigEndian.Uint16(raw[answerHead-3:])),
		Asked:  string(texts[:asked]),
		Body:   append([]byte(nil), texts[asked:]...),
	}, true
}

// loadAnswers finds where each answer lies. One that cannot be read is as good as forgotten.
func (s *Store) loadAnswers(tx *bbolt.Tx) error {
	s.answers = map[AnswerKey]uint64{}
	return tx.Bucket(bucketAnswers).ForEach(func(place, raw []byte) error {
		if key, _, ok := headOf(raw); ok {
			s.answers[key] = number(place)
		}
		return nil
	})
}

// Answer gives the answer stored under a key, if it is not older than 24 hours.
func (t *Tx) Answer(key AnswerKey) (Answer, bool) {
	place, ok := t.placed[key]
	if !ok {
		if place, ok = t.store.answers[key]; !ok {
			return Answer{}, false
		}
	}
	raw, ok := t.openAnswer(bytes8(place), t.tx.Bucket(bucketAnswers).Get(bytes8(place)))
	if !ok {
		return Answer{}, false
	}
	whose, a, ok := decodeAnswer(raw)
	return a, ok && whose == key && t.sure().Sub(a.At) <= answersKept
}

// PutAnswer remembers the answer to a request, of now, together with its facts.
func (t *Tx) PutAnswer(key AnswerKey, a Answer) {
	a.At = t.store.opts.Now()
	t.answers = append(t.answers, pendingAnswer{key, a})
}

func (t *Tx) flushAnswers() error {
	all := t.tx.Bucket(bucketAnswers)
	for _, p := range t.answers {
		raw, err := encodeAnswer(p.key, p.a)
		if err != nil {
			return err
		}
		place, err := all.NextSequence()
		if err != nil {
			return err
		}
		if err := t.putAnswer(all, bytes8(place), raw); err != nil {
			return err
		}
		t.placed[p.key] = place
	}
	return nil
}

// eraseAnswers leaves of the answers that have one of the words in them that there was one: the digest of what was asked goes with what was said.
// What is left goes to the end, since it is sealed with the newest key: the first answer has the oldest, which is what spend looks at.
func (t *Tx) eraseAnswers() error {
	all := t.tx.Bucket(bucketAnswers)
	type left struct {
		place []byte
		key   AnswerKey
		raw   []byte
	}
	var found []left
	err := all.ForEach(func(place, raw []byte) error {
		plain, ok := t.openAnswer(place, raw)
		if !ok || !slices.ContainsFunc(t.words, func(word string) bool { return word != "" && bytes.Contains(plain, []byte(word)) }) {
			return nil
		}
		key, a, ok := decodeAnswer(plain)
		if !ok {
			return nil
		}
		empty, err := encodeAnswer(key, Answer{Status: a.Status, At: a.At})
		found = append(found, left{bytes.Clone(place), key, empty})
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range found {
		if err := all.Delete(f.place); err != nil {
			return err
		}
		last, ok := t.placed[f.key]
		if !ok {
			last = t.store.answers[f.key]
		}
		if last != number(f.place) {
			continue // its key was used again since: the later answer is the one that is given
		}
		place, err := all.NextSequence()
		if err != nil {
			return err
		}
		if err := t.putAnswer(all, bytes8(place), f.raw); err != nil {
			return err
		}
		t.placed[f.key] = place
	}
	return nil
}

// pruneAnswers deletes a few of the oldest answers if they were given before a time, or if there are too many: then a clock that
// was once far ahead, or somebody who never stops asking, fills neither memory nor disk.
func (t *Tx) pruneAnswers(before time.Time) error {
	all := t.tx.Bucket(bucketAnswers)
	var old [][]byte
	many := len(t.store.answers) + len(t.placed) - t.store.opts.Answers
	c := all.Cursor()
	for place, raw := c.First(); place != nil && len(old) < pruneStep+len(t.placed); place, raw = c.Next() {
		key, at, ok := headOf(raw)
		early := ok && !at.Before(before)
		if early && len(old) >= many {
			break
		}
		old = append(old, append([]byte(nil), place...))
		if ok {
			t.dropped = append(t.dropped, placedAnswer{key, number(place), early})
		}
	}
	for _, place := range old {
		if err := all.Delete(place); err != nil {
			return err
		}
	}
	return nil
}

// placedAnswer is an answer and where it lies.
type placedAnswer struct {
	key   AnswerKey
	place uint64
	early bool // it is dropped before its time
}

// placeAnswers brings what is in memory in line with a commit.
func (s *Store) placeAnswers(done *outcome) {
	for _, d := range done.dropped {
		if d.early {
			s.forgotten++
		}
		if s.answers[d.key] == d.place { // or else the key was used again since
			delete(s.answers, d.key)
		}
	}
	for key, place := range done.placed {
		s.answers[key] = place
	}
	s.warnOfForgotten()
}

// forgottenEvery is how often it is said at most that answers are forgotten before their time.
const forgottenEvery = time.Hour

// warnOfForgotten says that a request of the last 24 hours that comes again would be carried out again.
func (s *Store) warnOfForgotten() {
	now := s.opts.Now()
	if s.forgotten == 0 || !s.warned.IsZero() && now.Sub(s.warned) < forgottenEvery {
		return
	}
	s.opts.Log.Warn("answers forgotten before their time", "answers", s.forgotten, "kept", s.opts.Answers)
	s.forgotten, s.warned = 0, now
}
