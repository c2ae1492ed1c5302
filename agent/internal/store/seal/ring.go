// Package seal gives the data keys of a hall's file: a new one for each day, wrapped for a key of the box. The newest seals, those before
// it open what they sealed, and a key with nothing left to open is destroyed, which is the end of what it sealed, wherever a copy of that
// may lie.
package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// Key is one data key.
type Key struct {
	gm.DataKey
	Number uint64       // they are numbered in the order they were made in
	Day    string       // 2006-01-02, UTC
	From   hallsync.Seq // facts before it are not sealed with this key

	id      string
	wrapped []byte
}

// record is a key as it is stored under its number.
type record struct {
	Key     string       `json:"key"`
	Day     string       `json:"day"`
	From    hallsync.Seq `json:"from"`
	Wrapped []byte       `json:"wrapped"`
}

// Draw draws a key and wraps it for its box. It fails as gm.PublicKey.Wrap does.
func Draw(number uint64, day string, from hallsync.Seq, box gm.PublicKey) (Key, error) {
	k := gm.NewDataKey()
	wrapped, err := k.Wrap(box)
	if err != nil {
		return Key{}, fmt.Errorf("wrap data key: %w", err)
	}
	return Key{DataKey: k, Number: number, Day: day, From: from, id: k.ID().String(), wrapped: wrapped}, nil
}

// Bytes gives the key as it is stored, wrapped.
func (k Key) Bytes() []byte {
	raw, _ := json.Marshal(record{k.id, k.Day, k.From, k.wrapped}) // strings and bytes can be written
	return raw
}

// Parse reads a stored key. One that cannot be unwrapped is given all the same, and opens nothing. It fails for what is no key, and with
// *gm.KeyError when the box's key cannot be used now.
func Parse(number uint64, raw []byte, box gm.PrivateKey) (Key, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil || r.Key == "" {
		return Key{}, fmt.Errorf("data key %d cannot be read", number)
	}
	k := Key{Number: number, Day: r.Day, From: r.From, id: r.Key, wrapped: r.Wrapped}
	secret, err := box.UnwrapDataKey(r.Wrapped)
	var unusable *gm.KeyError
	switch {
	case errors.As(err, &unusable):
		return Key{}, err
	case err == nil && secret.ID().String() == r.Key:
		k.DataKey = secret
	}
	return k, nil
}

// Made tells with which key facts are sealed, wrapped for the holders of others. It fails as gm.DataKey.Wrap does.
func (k Key) Made(wrap func(Key, gm.PublicKey) ([]byte, error), holders []gm.PublicKey) (hallsync.KeyMade, error) {
	made := hallsync.KeyMade{Key: k.id, Day: k.Day}
	for _, h := range holders {
		wrapped, err := wrap(k, h)
		if err != nil {
			return hallsync.KeyMade{}, fmt.Errorf("wrap data key: %w", err)
		}
		made.Wraps = append(made.Wraps, hallsync.KeyWrap{For: h.ID(), Wrapped: wrapped})
	}
	return made, nil
}

// Ring holds keys in the order they were made in. It never changes: With and Without give another one. The zero value has none, and seals
// nothing.
type Ring struct{ keys []Key }

// With gives a ring with one more key, the newest.
func (r Ring) With(k Key) Ring { return Ring{append(slices.Clip(r.keys), k)} }

// Without gives a ring without the keys of some numbers.
func (r Ring) Without(numbers ...uint64) Ring {
	return Ring{slices.DeleteFunc(slices.Clone(r.keys), func(k Key) bool { return slices.Contains(numbers, k.Number) })}
}

// Rebased gives a ring whose keys sealed none of the facts that are there: the log was begun anew.
func (r Ring) Rebased() Ring {
	keys := slices.Clone(r.keys)
	for i := range keys {
		keys[i].From = 0
	}
	return Ring{keys}
}

// Newest gives the key that seals. It is not ok if there is none, or it cannot be used.
func (r Ring) Newest() (Key, bool) {
	if len(r.keys) == 0 || r.keys[len(r.keys)-1].IsZero() {
		return Key{}, false
	}
	return r.keys[len(r.keys)-1], true
}

// Has gives the key of a number if it can be used and is stored as these bytes.
func (r Ring) Has(number uint64, raw []byte) (Key, bool) {
	for _, k := range r.keys {
		if k.Number == number && !k.IsZero() && bytes.Equal(k.Bytes(), raw) {
			return k, true
		}
	}
	return Key{}, false
}

// Live gives the keys that can be used.
func (r Ring) Live() []Key {
	return slices.DeleteFunc(slices.Clone(r.keys), func(k Key) bool { return k.IsZero() })
}

// All gives the keys, also those that cannot be used.
func (r Ring) All() []Key { return slices.Clone(r.keys) }

// Spent gives the numbers of the keys that open nothing any more: the first fact that is there is sealed with a later one, and so are
// all others records that are there. The newest key is never spent.
func (r Ring) Spent(first hallsync.Seq, others ...[]byte) (numbers []uint64) {
	oldest := len(r.keys) - 1
	for _, o := range others {
		id, err := gm.RecordKey(o)
		name := id.String()
		if i := slices.IndexFunc(r.keys, func(k Key) bool { return k.id == name }); err == nil && i >= 0 {
			oldest = min(oldest, i)
		}
	}
	for i := range oldest {
		if r.keys[i+1].From > first {
			break
		}
		numbers = append(numbers, r.keys[i].Number)
	}
	return numbers
}

// Seal implements hallsync.Sealer.
func (r Ring) Seal(plain []byte, about ...string) ([]byte, error) {
	k, ok := r.Newest()
	if !ok {
		return nil, gm.ErrInvalid
	}
	return k.Seal(plain, about...)
}

// Open implements hallsync.Opener. It fails with gm.ErrOpen.
func (r Ring) Open(record []byte, about ...string) ([]byte, error) {
	id, err := gm.RecordKey(record)
	if err != nil {
		return nil, err
	}
	for i := len(r.keys) - 1; i >= 0; i-- {
		if r.keys[i].DataKey.ID() == id {
			return r.keys[i].Open(record, about...)
		}
	}
	return nil, gm.ErrOpen
}
