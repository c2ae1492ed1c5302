package store

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store/seal"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// Keys are what the file is sealed and its log chained with. Without Storage, nothing is.
//
// What facts say, answers and the snapshot are sealed with a data key of the day, which lies in the file wrapped for Storage. When the last
// thing sealed with it is gone, the key is destroyed, and the file is copied without it.
type Keys struct {
	Storage  gm.PrivateKey         // opens the file on this box
	Signer   gm.PrivateKey         // signs checkpoints
	Signers  []gm.PublicKey        // those that signed them before
	Centre   func() []gm.PublicKey // who else can open the facts; nil: nobody
	Receipts func() []gm.PublicKey // who gives receipts; nil: nobody
}

func (k Keys) on() bool { return !k.Storage.IsZero() }

func (k Keys) centre() []gm.PublicKey {
	if k.Centre == nil {
		return nil
	}
	return k.Centre()
}

func (k Keys) receipts() []gm.PublicKey {
	if k.Receipts == nil {
		return nil
	}
	return k.Receipts()
}

func (k Keys) signers() []gm.PublicKey {
	if k.Signer.IsZero() {
		return k.Signers
	}
	return append([]gm.PublicKey{k.Signer.Public()}, k.Signers...)
}

// maxRecords is how many records one data key seals: half of what its random nonces are good for.
const maxRecords = 1 << 27

var (
	bucketKeys = []byte("keys")
	keyRecords = []byte("sealed_records") // with the newest key
	keyWipe    = []byte("to_wipe")        // there while free pages hold what was taken out
)

// errSealed says that none of a file's keys can be unwrapped here.
var errSealed = errors.New("file is sealed for another key")

// readRing reads the keys of a file. It fails with errSealed when there are some, and none can be unwrapped. A key that was unwrapped before is
// not unwrapped again: a module may take its time.
func (s *Store) readRing(tx *bbolt.Tx) (ring seal.Ring, err error) {
	b := tx.Bucket(bucketKeys)
	if b == nil || !s.opts.Keys.on() {
		return ring, nil
	}
	s.mu.RLock()
	have := s.ring
	s.mu.RUnlock()
	err = b.ForEach(func(n, raw []byte) error {
		if k, ok := have.Has(number(n), raw); ok {
			ring = ring.With(k)
			return nil
		}
		k, err := seal.Parse(number(n), raw, s.opts.Keys.Storage)
		if err == nil {
			ring = ring.With(k)
		}
		return err
	})
	if err == nil && len(ring.All()) > 0 && len(ring.Live()) == 0 {
		err = errSealed
	}
	return ring, err
}

// about says where a sealed value belongs.
func (s *Store) about(bucket, key []byte, more ...string) []string {
	return append([]string{"hall-edge/v1/store", string(s.opts.Hall), string(bucket), string(key)}, more...)
}

// freshKey reports whether the newest key may go on sealing.
func (t *Tx) freshKey() bool {
	k, ok := t.ring.Newest()
	return ok && k.Day == t.store.today() && t.records < t.store.opts.records
}

func (s *Store) today() string { return s.opts.Now().UTC().Format(time.DateOnly) }

// makeKey draws the key for what is sealed from here on, and says so in the log.
func (t *Tx) makeKey() error {
	keys := t.tx.Bucket(bucketKeys)
	n, err := keys.NextSequence()
	if err != nil {
		return err
	}
	k, err := seal.Draw(n, t.store.today(), t.next, t.store.opts.Keys.Storage.Public())
	if err != nil {
		return err
	}
	made, err := k.Made(wrapFor, t.store.opts.Keys.centre())
	if err != nil {
		return err
	}
	t.ring, t.records = t.ring.With(k), 0
	return errors.Join(keys.Put(bytes8(n), k.Bytes()), t.note(made))
}

func wrapFor(k seal.Key, holder gm.PublicKey) ([]byte, error) { return k.Wrap(holder) }

// Keys gives the data keys that are in use, wrapped for the centre as it is now. It is empty while nobody there can open them.
func (s *Store) Keys() (all []hallsync.KeyMade, err error) {
	holders := s.opts.Keys.centre()
	if len(holders) == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wraps := map[string][]byte{}
	wrap := func(k seal.Key, holder gm.PublicKey) (wrapped []byte, err error) {
		name := strconv.FormatUint(k.Number, 10) + " " + holder.ID()
		if wrapped = s.wraps[name]; wrapped == nil {
			wrapped, err = k.Wrap(holder)
		}
		wraps[name] = wrapped
		return wrapped, err
	}
	for _, k := range s.ring.Live() {
		made, err := k.Made(wrap, holders)
		if err != nil {
			return nil, err
		}
		all = append(all, made)
	}
	s.wraps = wraps // those of keys that are gone are forgotten
	return all, nil
}

// spend destroys the keys that open nothing any more.
func (t *Tx) spend() error {
	first := t.next
	if k, _ := t.tx.Bucket(bucketLog).Cursor().First(); k != nil {
		first = hallsync.Seq(number(k))
	}
	others := [][]byte{seal.First(sealedPart(t.tx.Bucket(bucketState).Get(keySnapshot), 8))}
	if _, raw := t.tx.Bucket(bucketAnswers).Cursor().First(); raw != nil {
		others = append(others, seal.First(sealedPart(raw, answerClear)))
	}
	spent := t.ring.Spent(first, others...)
	for _, n := range spent {
		if err := t.tx.Bucket(bucketKeys).Delete(bytes8(n)); err != nil {
			return err
		}
	}
	if len(spent) > 0 {
		t.ring, t.wipe = t.ring.Without(spent...), true
	}
	return nil
}

func sealedPart(raw []byte, behind int) []byte { return raw[min(behind, len(raw)):] }

// adopt seals what a file of a program without keys has in the clear, except its facts: their bytes are known to the centre, and go when
// their time is over.
func (t *Tx) adopt() error {
	answers := t.tx.Bucket(bucketAnswers)
	type placed struct{ place, raw []byte }
	var all []placed
	err := answers.ForEach(func(place, raw []byte) error {
		all = append(all, placed{bytes.Clone(place), bytes.Clone(raw)})
		return nil
	})
	for _, a := range all {
		if err == nil && len(a.raw) >= answerClear {
			err = t.putAnswer(answers, a.place, a.raw)
		}
	}
	if snap := bytes.Clone(t.tx.Bucket(bucketState).Get(keySnapshot)); err == nil && len(snap) >= 8 {
		err = t.putSnapshot(snap)
	}
	if err == nil {
		err = t.tx.Bucket(bucketMeta).Put(keySchema, bytes8(schemaSealed))
	}
	if err != nil {
		return fmt.Errorf("seal what is there: %w", err)
	}
	t.sealing, t.wipe = true, true
	return nil
}

// putAnswer stores an answer's bytes, sealed but for whose it is and when it was given.
func (t *Tx) putAnswer(b *bbolt.Bucket, place, raw []byte) error {
	if t.store.opts.Keys.on() {
		sealed, err := t.ring.Long(raw[answerClear:], t.store.about(bucketAnswers, place, string(raw[:answerClear]))...)
		if err != nil {
			return err
		}
		t.records++
		raw = append(raw[:answerClear:answerClear], sealed...)
	}
	return b.Put(place, raw)
}

// openAnswer gives an answer's bytes as they were before putAnswer.
func (t *Tx) openAnswer(place, raw []byte) ([]byte, bool) {
	if !t.sealing || len(raw) < answerClear {
		return raw, true
	}
	plain, err := t.ring.OpenLong(raw[answerClear:], t.store.about(bucketAnswers, place, string(raw[:answerClear]))...)
	return append(raw[:answerClear:answerClear], plain...), err == nil
}

// putSnapshot stores a snapshot behind the 8 bytes of its sequence.
func (t *Tx) putSnapshot(raw []byte) error {
	if t.store.opts.Keys.on() {
		sealed, err := t.ring.Long(raw[8:], t.store.about(bucketState, keySnapshot, string(raw[:8]))...)
		if err != nil {
			return err
		}
		t.records += uint64(1 + len(raw)/gm.MaxPlain)
		raw = append(raw[:8:8], sealed...)
	}
	return t.tx.Bucket(bucketState).Put(keySnapshot, raw)
}

// openSnapshot gives a stored snapshot in the clear.
func (s *Store) openSnapshot(ring seal.Ring, schema uint64, raw []byte) ([]byte, error) {
	if schema < schemaSealed {
		return raw[8:], nil
	}
	return ring.OpenLong(raw[8:], s.about(bucketState, keySnapshot, string(raw[:8]))...)
}
