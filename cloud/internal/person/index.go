// Package person gives people what the law gives them of what is kept about them: to know it (PIPL article 45) and to have it erased (47). A
// person is known by a digest of his ID number under a key of the hall's index; the number itself is nowhere.
package person

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	keyBytes = 32
	keyLife  = 365 * 24 * time.Hour // then a hall is given a new key, beside those before it
)

// IndexKeys gives the keys of a hall's index of people, wrapped for a key of its box: the one to use first, then those that older digests were
// made with. The first key is drawn when somebody asks for it, and another one each year; those whose last digest is past its term are
// forgotten.
func (d *Desk) IndexKeys(ctx context.Context, hall hallsync.HallID, to gm.PublicKey) ([]hallsync.IndexKey, error) {
	now := d.o.Now()
	var keys []store.IndexKey
	err := d.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		keys, err = d.rotate(tx, hall, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("index keys: %w", err)
	}
	var list []hallsync.IndexKey
	for _, k := range keys {
		secret, err := d.o.Vault.Secret(k.Wraps)
		if err != nil {
			return nil, fmt.Errorf("open index key: %w", err)
		}
		wrapped, err := to.Wrap(secret)
		clear(secret)
		if err != nil {
			return nil, fmt.Errorf("wrap index key: %w", err)
		}
		list = append(list, hallsync.IndexKey{ID: k.ID, Wrapped: wrapped})
	}
	return list, nil
}

// orderLife is how long an order of index keys is good: it is told again at each connection.
const orderLife = 24 * time.Hour

// Order gives a signed order of SignedIndex: the keys of a hall's index, wrapped for its box.
func (d *Desk) Order(ctx context.Context, hall hallsync.HallID, to gm.PublicKey) ([]byte, error) {
	keys, err := d.IndexKeys(ctx, hall, to)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(hallsync.IndexOrdered{Keys: keys})
	if err != nil {
		return nil, err
	}
	now := d.o.Now().UTC()
	return hallsync.Signed{ // the time is the number: it rises also after the database was restored
		Type: hallsync.SignedIndex, Hall: hall, Seq: uint64(now.UnixMilli()), At: now, NotAfter: now.Add(orderLife), Body: body,
	}.Sign(d.o.Vault)
}

// overlap is how long a box may still use a key after another one was made: until it has heard of that, and those are forgotten whom it
// recognised before.
const overlap = 7 * 24 * time.Hour

// rotate gives the keys that a hall was given, the newest first, after drawing one that is due and dropping those that nothing needs any more.
func (d *Desk) rotate(tx *store.Tx, hall hallsync.HallID, now time.Time) ([]store.IndexKey, error) {
	keys, err := tx.IndexKeys(hall)
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k store.IndexKey) bool { return strings.HasPrefix(k.ID, hallsync.OwnIndex) })
	if len(keys) == 0 || now.Sub(keys[0].Made) >= keyLife {
		secret := make([]byte, keyBytes)
		_, _ = rand.Read(secret) // never fails
		defer clear(secret)
		wraps, err := d.o.Vault.Wrap(func(k gm.PublicKey) ([]byte, error) { return k.Wrap(secret) })
		if err != nil {
			return nil, err
		}
		k := store.IndexKey{Hall: hall, ID: gm.IndexID(secret), Wraps: wraps, Made: now}
		if err := tx.PutIndexKey(k); err != nil {
			return nil, err
		}
		keys = append([]store.IndexKey{k}, keys...)
	}
	for i := len(keys) - 1; i > 0; i-- { // a key was in use until the next one was made
		if now.Sub(keys[i-1].Made) < d.o.Term+overlap {
			break
		}
		if err := tx.DropIndexKey(hall, keys[i].ID); err != nil {
			return nil, err
		}
		keys = keys[:i]
	}
	return keys, nil
}

// Told notes the key that a hall made names with before it was enrolled. What is no such key is an error.
func (d *Desk) Told(ctx context.Context, hall hallsync.HallID, own hallsync.OwnIndexKey) error {
	known := false
	is := func(k store.IndexKey) bool { return k.ID == own.ID }
	err := d.o.Store.Write(ctx, func(tx *store.Tx) error {
		keys, err := tx.IndexKeys(hall)
		known = slices.ContainsFunc(keys, is)
		return err
	})
	if err != nil || known {
		return err
	}
	secret, err := d.o.Vault.Secret(own.Keys)
	if err != nil {
		return fmt.Errorf("open index key: %w", err)
	}
	defer clear(secret)
	if len(secret) != keyBytes || own.ID != hallsync.OwnIndex+gm.IndexID(secret) {
		return errors.New("index key under a wrong name")
	}
	return d.o.Store.Write(ctx, func(tx *store.Tx) error {
		keys, err := tx.IndexKeys(hall)
		if err != nil || slices.ContainsFunc(keys, is) {
			return err
		}
		mine := 0
		for _, k := range keys { // one of each box that the hall had; a box that tells ever new ones fills nothing
			if !strings.HasPrefix(k.ID, hallsync.OwnIndex) {
				continue
			}
			if mine++; mine < maxOwn {
				continue
			}
			if err := tx.DropIndexKey(hall, k.ID); err != nil {
				return err
			}
		}
		wraps, err := d.o.Vault.Wrap(func(k gm.PublicKey) ([]byte, error) { return k.Wrap(secret) })
		if err != nil {
			return err
		}
		return tx.PutIndexKey(store.IndexKey{Hall: hall, ID: own.ID, Wraps: wraps, Made: d.o.Now()})
	})
}

// maxOwn bounds the keys of a hall that were its boxes' own.
const maxOwn = 4

// Digests gives what an ID number is in a hall's index, by all of its keys.
func (d *Desk) Digests(ctx context.Context, hall hallsync.HallID, number string) ([]string, error) {
	_, digests, err := d.digests(ctx, hall, number)
	return digests, err
}

// Names gives what an ID number is in a hall's index by the keys that are named, in their order; unknown ones are left out.
func (d *Desk) Names(ctx context.Context, hall hallsync.HallID, index []string, number string) (names []string, err error) {
	ids, digests, err := d.digests(ctx, hall, number)
	for _, id := range index {
		if i := slices.Index(ids, id); i >= 0 {
			names = append(names, digests[i])
		}
	}
	return names, err
}

func (d *Desk) digests(ctx context.Context, hall hallsync.HallID, number string) (ids, digests []string, err error) {
	var keys []store.IndexKey
	err = d.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		keys, err = tx.IndexKeys(hall)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("index keys: %w", err)
	}
	for _, k := range keys {
		secret, err := d.o.Vault.Secret(k.Wraps)
		if err != nil {
			return nil, nil, fmt.Errorf("open index key: %w", err)
		}
		ids, digests = append(ids, k.ID), append(digests, gm.Pseudonym(secret, number))
		clear(secret)
	}
	return ids, digests, nil
}
