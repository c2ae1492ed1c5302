// Package sealed opens the facts that halls have sealed. Whoever reads what a fact says does so by Opener.Open and nothing else.
package sealed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

// Why says why a fact cannot be opened.
type Why string

// The reasons.
const (
	KeyUnknown   Why = "key_unknown"   // nobody has told its key yet
	KeyDestroyed Why = "key_destroyed" // the term of its day is over
	Unsealable   Why = "unsealable"    // not by the key it names
	Unreadable   Why = "unreadable"    // no fact at all
)

// Error is a fact that cannot be opened. Trying again does not help until something comes.
type Error struct {
	Why Why
	Key string // in hexadecimal
}

func (e *Error) Error() string { return "sealed: " + string(e.Why) + ": " + e.Key }

// Opener opens facts. It is safe for concurrent use.
type Opener struct {
	vault *vault.Vault

	mu   sync.Mutex
	keys map[string]gm.DataKey // by hall and name
}

// maxKeys bounds the keys that are kept open: those of the day of all halls of a province, and as many of other days.
const maxKeys = 8192

// New makes an Opener.
func New(v *vault.Vault) *Opener { return &Opener{vault: v, keys: map[string]gm.DataKey{}} }

// Source gives a hall's data key, as store.Tx.DataKey does.
type Source func(hall hallsync.HallID, key string) (store.DataKey, bool, error)

// From is the source of who only reads.
func From(ctx context.Context, st *store.Store) Source {
	return func(hall hallsync.HallID, key string) (store.DataKey, bool, error) { return st.DataKey(ctx, hall, key) }
}

// Open gives a fact with what it says in the clear. It fails with *Error, and with *hallsync.ErasedError for a fact that has lost its body;
// other errors are of the database and of the vault.
func (o *Opener) Open(e store.Event, from Source) (hallsync.Event, error) {
	var fact hallsync.Event
	if err := json.Unmarshal(e.Body, &fact); err != nil {
		return fact, &Error{Why: Unreadable}
	}
	return o.OpenFact(fact, from)
}

// OpenFact does so with a fact that is decoded.
func (o *Opener) OpenFact(fact hallsync.Event, from Source) (hallsync.Event, error) {
	if fact.Erased != nil {
		return fact, &hallsync.ErasedError{Kind: fact.Kind}
	}
	if fact.Sealed == nil {
		return fact, nil
	}
	id, err := gm.RecordKey(fact.Sealed)
	if err != nil {
		return fact, &Error{Why: Unsealable}
	}
	k, err := o.key(fact.Hall, id.String(), from)
	if err != nil {
		return fact, err
	}
	opened, err := fact.Open(k)
	if errors.Is(err, gm.ErrOpen) {
		return fact, &Error{Unsealable, id.String()}
	}
	return opened, err
}

// key gives a data key. That it still is one says the database each time: a key may have been destroyed meanwhile.
func (o *Opener) key(hall hallsync.HallID, name string, from Source) (gm.DataKey, error) {
	row, found, err := from(hall, name)
	switch {
	case err != nil:
		return gm.DataKey{}, fmt.Errorf("read data key: %w", err)
	case !found:
		return gm.DataKey{}, &Error{KeyUnknown, name}
	case !row.Destroyed.IsZero():
		o.Forget(hall, name)
		return gm.DataKey{}, &Error{KeyDestroyed, name}
	}
	place := string(hall) + "/" + name
	o.mu.Lock()
	k, open := o.keys[place]
	o.mu.Unlock()
	if open {
		return k, nil
	}
	if k, err = o.Unwrap(row); err != nil {
		return k, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.keys) >= maxKeys {
		for other := range o.keys { // any of them
			delete(o.keys, other)
			break
		}
	}
	o.keys[place] = k
	return k, nil
}

// Forget takes a key that was destroyed out of the memory.
func (o *Opener) Forget(hall hallsync.HallID, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.keys, string(hall)+"/"+name)
}

// Unwrap opens a data key that the centre was given: one that bears the name it has. It fails with *Error when it is for another key than the
// centre's, or none.
func (o *Opener) Unwrap(row store.DataKey) (gm.DataKey, error) {
	k, err := o.vault.DataKey(row.Wraps)
	switch {
	case errors.Is(err, vault.ErrNoKey):
		return k, &Error{KeyUnknown, row.Key}
	case errors.Is(err, gm.ErrOpen), err == nil && k.ID().String() != row.Key:
		return gm.DataKey{}, &Error{Unsealable, row.Key}
	case err != nil:
		return gm.DataKey{}, fmt.Errorf("open data key: %w", err)
	}
	return k, nil
}

// Erase takes the body of a stored fact away, by an order, and reports whether there was one. What stays keeps the hall's chain whole. Facts
// that say how the others are sealed and chained stay: EraseTold is for them.
func Erase(tx *store.Tx, hall hallsync.HallID, at store.FactRef, order string) (bool, error) {
	return erase(tx, hall, at, order, func(k hallsync.Kind) bool { return !k.InClear() })
}

// TermOrder gives the order by which what a hall said on days before one went, since their term was over. The hall's chain can name it.
func TermOrder(tx *store.Tx, hall hallsync.HallID, day string, now time.Time) (store.Erasure, error) {
	id := "term-" + string(hall) + "-" + day
	order, found, err := tx.Erasure(id)
	if !found {
		order = store.Erasure{ID: id, Hall: hall, Kind: store.EraseTerm, Actor: "hall-cloud", Reason: "term", Made: now, Done: now}
	}
	return order, err
}

// EraseTold takes the bodies of the facts that tell a data key of a day before one away, with the key's wraps in them.
func EraseTold(tx *store.Tx, hall hallsync.HallID, key, day string, now time.Time) error {
	told, err := tx.KeyFacts(hall, key)
	if err != nil {
		return err
	}
	order, err := TermOrder(tx, hall, day, now)
	if err != nil {
		return err
	}
	for _, at := range told {
		gone, err := erase(tx, hall, at, order.ID, func(k hallsync.Kind) bool { return k == hallsync.KindKeyMade })
		if err != nil {
			return err
		}
		if gone {
			order.Facts++
		}
	}
	return tx.PutErasure(order)
}

func erase(tx *store.Tx, hall hallsync.HallID, at store.FactRef, order string, may func(hallsync.Kind) bool) (bool, error) {
	e, found, err := tx.Event(hall, at)
	if err != nil || !found || e.Erased != "" {
		return false, err
	}
	var fact hallsync.Event
	if json.Unmarshal(e.Body, &fact) != nil || fact.Erased != nil || !may(fact.Kind) { // no fact, or it came without a body
		return false, nil //nolint:nilerr // there is nothing to erase
	}
	hash := gm.Sum(fact.Body())
	fact.Payload, fact.Sealed, fact.Erased = nil, nil, &hallsync.Erased{Hash: hash[:], Order: order}
	body, err := json.Marshal(fact)
	if err != nil {
		return false, err
	}
	return true, tx.EraseEvent(hall, at.Epoch, at.Seq, order, body)
}
