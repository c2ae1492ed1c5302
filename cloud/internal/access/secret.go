package access

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Vault keeps the keys by which what the database must not show is sealed.
type Vault interface {
	Wrap(wrap func(gm.PublicKey) ([]byte, error)) ([]hallsync.KeyWrap, error)
	DataKey(wraps []hallsync.KeyWrap) (gm.DataKey, error)
}

// sealedMark begins what is kept of a secret that is sealed; what has no mark is as it is, of a centre before there was a vault.
const sealedMark = "sealed:"

// keptSecret is what is kept of a secret: sealed by a key of its own, which the vault opens.
type keptSecret struct {
	Wraps  []hallsync.KeyWrap `json:"wraps"`
	Record []byte             `json:"record"`
}

// seal gives what is kept of a user's secret. Without a vault that is the secret.
func (d *Desk) seal(user, secret string) (string, error) {
	if secret == "" || d.vault == nil || strings.HasPrefix(secret, sealedMark) {
		return secret, nil
	}
	key := gm.NewDataKey()
	var kept keptSecret
	var err error
	if kept.Record, err = key.Seal([]byte(secret), issuer, "second factor", user); err != nil {
		return "", err
	}
	if kept.Wraps, err = d.vault.Wrap(key.Wrap); err != nil {
		return "", err
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return "", err
	}
	return sealedMark + base64.StdEncoding.EncodeToString(raw), nil
}

// unseal gives a user's secret of what is kept of it.
func (d *Desk) unseal(user, text string) (string, error) {
	sealed, is := strings.CutPrefix(text, sealedMark)
	if !is {
		return text, nil
	}
	if d.vault == nil {
		return "", fmt.Errorf("second factor of %s: sealed, and there is no vault", user)
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("second factor of %s: %w", user, err)
	}
	var kept keptSecret
	if err := json.Unmarshal(raw, &kept); err != nil {
		return "", fmt.Errorf("second factor of %s: %w", user, err)
	}
	key, err := d.vault.DataKey(kept.Wraps)
	if err != nil {
		return "", fmt.Errorf("second factor of %s: %w", user, err)
	}
	plain, err := key.Open(kept.Record, issuer, "second factor", user)
	if err != nil {
		return "", fmt.Errorf("second factor of %s: %w", user, err)
	}
	return string(plain), nil
}

// factorOf reads a user's second factor.
func (d *Desk) factorOf(tx *store.Tx, user string) (f store.SecondFactor, err error) {
	if f, err = tx.SecondFactor(user); err != nil {
		return f, err
	}
	if f.Secret, err = d.unseal(user, f.Secret); err != nil {
		return f, err
	}
	f.Pending, err = d.unseal(user, f.Pending)
	return f, err
}

// putFactor stores a user's second factor, sealed.
func (d *Desk) putFactor(tx *store.Tx, user string, f store.SecondFactor) (err error) {
	if f.Secret, err = d.seal(user, f.Secret); err != nil {
		return err
	}
	if f.Pending, err = d.seal(user, f.Pending); err != nil {
		return err
	}
	return tx.PutSecondFactor(user, f)
}

// sealFactors seals the secrets that lie in the database as they are: an earlier centre had no vault.
func (d *Desk) sealFactors(ctx context.Context) error {
	if d.vault == nil {
		return nil
	}
	sealed := 0
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		all, err := tx.SecondFactors()
		if err != nil {
			return err
		}
		for user, f := range all {
			if plain(f.Secret) || plain(f.Pending) {
				sealed++
				if err := d.putFactor(tx, user, f); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("seal second factors: %w", err)
	}
	if sealed == 0 {
		return nil
	}
	d.log.Info("second factors sealed", "users", sealed)
	return d.store.Forget(ctx)
}

// plain reports whether a secret lies there as it is.
func plain(kept string) bool { return kept != "" && !strings.HasPrefix(kept, sealedMark) }
