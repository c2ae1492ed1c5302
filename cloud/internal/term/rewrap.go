package term

import (
	"context"
	"errors"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
)

// wraps are keys of one kind that lie wrapped in the store.
type wraps[K any] struct {
	list func(ctx context.Context, after K, most int) ([]K, error)
	anew func(*K) (done bool, err error) // wraps one for the key in force, unless it is, or cannot be opened
	put  func(*store.Tx, K) error
}

// rewrap wraps all of them anew, some at a time, and counts them.
func (w wraps[K]) rewrap(ctx context.Context, st *store.Store) (int, error) {
	var last K
	total := 0
	for {
		keys, err := w.list(ctx, last, step)
		if err != nil || len(keys) == 0 {
			return total, err
		}
		last = keys[len(keys)-1]
		var anew []K
		for _, key := range keys {
			done, err := w.anew(&key)
			if err != nil {
				return total, err
			}
			if done {
				anew = append(anew, key)
			}
		}
		if len(anew) == 0 {
			continue
		}
		err = st.Write(ctx, func(tx *store.Tx) error {
			for _, key := range anew {
				if err := w.put(tx, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += len(anew)
	}
}

// rewrap wraps the data keys that older keys of the vault open for the one in force.
func (k *Keeper) rewrap(ctx context.Context) (int, error) {
	return wraps[store.DataKey]{
		list: func(ctx context.Context, after store.DataKey, most int) ([]store.DataKey, error) {
			return k.o.Store.DataKeys(ctx, "", after, most)
		},
		anew: func(key *store.DataKey) (bool, error) {
			if k.o.Vault.Current(key.Wraps) {
				return false, nil
			}
			opened, err := k.o.Opener.Unwrap(*key)
			var no *sealed.Error
			if errors.As(err, &no) {
				return false, nil
			}
			if err == nil {
				key.Wraps, err = k.o.Vault.Wrap(opened.Wrap)
			}
			return err == nil, err
		},
		put: (*store.Tx).RewrapDataKey,
	}.rewrap(ctx, k.o.Store)
}

// rewrapIndexes does so with the keys of halls' indexes of people. One that the vault cannot open stays as it is.
func (k *Keeper) rewrapIndexes(ctx context.Context) (int, error) {
	return wraps[store.IndexKey]{
		list: k.o.Store.IndexKeys,
		anew: func(key *store.IndexKey) (bool, error) {
			if k.o.Vault.Current(key.Wraps) {
				return false, nil
			}
			secret, err := k.o.Vault.Secret(key.Wraps)
			if errors.Is(err, vault.ErrNoKey) || errors.Is(err, gm.ErrOpen) {
				k.o.Log.Warn("index key cannot be opened", "hall", key.Hall, "key", key.ID)
				return false, nil
			}
			if err != nil {
				return false, err
			}
			key.Wraps, err = k.o.Vault.Wrap(func(to gm.PublicKey) ([]byte, error) { return to.Wrap(secret) })
			clear(secret)
			return err == nil, err
		},
		put: (*store.Tx).RewrapIndexKey,
	}.rewrap(ctx, k.o.Store)
}
