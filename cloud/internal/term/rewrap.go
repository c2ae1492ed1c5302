package term

import (
	"context"
	"errors"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
)

// rewrap wraps the data keys that older keys of the vault open for the one in force.
func (k *Keeper) rewrap(ctx context.Context) (int, error) {
	total, last := 0, store.DataKey{}
	for {
		keys, err := k.o.Store.DataKeys(ctx, "", last, step)
		if err != nil || len(keys) == 0 {
			return total, err
		}
		last = keys[len(keys)-1]
		var anew []store.DataKey
		for _, key := range keys {
			if k.o.Vault.Current(key.Wraps) {
				continue
			}
			opened, err := k.o.Opener.Unwrap(key)
			var no *sealed.Error
			if errors.As(err, &no) {
				continue
			}
			if err == nil {
				key.Wraps, err = k.o.Vault.Wrap(opened.Wrap)
			}
			if err != nil {
				return total, err
			}
			anew = append(anew, key)
		}
		if len(anew) == 0 {
			continue
		}
		err = k.o.Store.Write(ctx, func(tx *store.Tx) error {
			for _, key := range anew {
				if err := tx.RewrapDataKey(key); err != nil {
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

// rewrapIndexes does so with the keys of halls' indexes of people. One that the vault cannot open stays as it is.
func (k *Keeper) rewrapIndexes(ctx context.Context) (int, error) {
	total, last := 0, store.IndexKey{}
	for {
		keys, err := k.o.Store.IndexKeys(ctx, last, step)
		if err != nil || len(keys) == 0 {
			return total, err
		}
		last = keys[len(keys)-1]
		var anew []store.IndexKey
		for _, key := range keys {
			if k.o.Vault.Current(key.Wraps) {
				continue
			}
			secret, err := k.o.Vault.Secret(key.Wraps)
			if errors.Is(err, vault.ErrNoKey) || errors.Is(err, gm.ErrOpen) {
				k.o.Log.Warn("index key cannot be opened", "hall", key.Hall, "key", key.ID)
				continue
			}
			if err != nil {
				return total, err
			}
			key.Wraps, err = k.o.Vault.Wrap(func(to gm.PublicKey) ([]byte, error) { return to.Wrap(secret) })
			clear(secret)
			if err != nil {
				return total, err
			}
			anew = append(anew, key)
		}
		if len(anew) == 0 {
			continue
		}
		err = k.o.Store.Write(ctx, func(tx *store.Tx) error {
			for _, key := range anew {
				if err := tx.RewrapIndexKey(key); err != nil {
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
