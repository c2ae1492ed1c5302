package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// maxKeys bounds the keys of a hello: two years of them.
const maxKeys = 1024

// keyOf gives the data key that a hall tells, nil when it is not for the centre. bad: it is none.
func (in *Ingester) keyOf(hall hallsync.HallID, made hallsync.KeyMade, now time.Time) (k *store.DataKey, bad bool, err error) {
	day, err := time.Parse(time.DateOnly, made.Day)
	if err != nil {
		return nil, true, nil //nolint:nilerr // said by bad
	}
	if today := now.UTC(); day.After(today) { // or its term would never come
		made.Day = today.Format(time.DateOnly)
	}
	row := store.DataKey{Hall: hall, Key: made.Key, Day: made.Day, Wraps: in.vault.Ours(made.Wraps)}
	if len(row.Wraps) == 0 {
		return nil, false, nil
	}
	var no *sealed.Error
	if _, err := in.opener.Unwrap(row); errors.As(err, &no) {
		return nil, true, nil
	} else if err != nil {
		return nil, false, err
	}
	return &row, false, nil
}

// keysOf finds the data keys that the facts of a batch tell, and refuses facts that tell none. It is done before the transaction: opening them
// is work.
func (in *Ingester) keysOf(b batch, now time.Time) (map[hallsync.Seq]store.DataKey, error) {
	told := map[hallsync.Seq]store.DataKey{}
	for i := range b.facts {
		e := &b.facts[i]
		if e.Kind != hallsync.KindKeyMade || e.Refused != "" {
			continue
		}
		var fact hallsync.Event
		var made hallsync.KeyMade
		if json.Unmarshal(e.Body, &fact) != nil || fact.Erased != nil || json.Unmarshal(fact.Payload, &made) != nil {
			continue
		}
		k, bad, err := in.keyOf(b.hall, made, now)
		switch {
		case err != nil:
			return nil, err
		case bad:
			e.Refused = FactPayload
		case k != nil:
			told[e.Seq] = *k
		}
	}
	return told, nil
}

// keysOfHello does so with the keys of a hello. What is none is left out, and what is known is not opened again: most of them are.
func (in *Ingester) keysOfHello(ctx context.Context, h hallsync.Hello, now time.Time) ([]store.DataKey, error) {
	known, err := in.store.DataKeyNames(ctx, h.Hall)
	if err != nil {
		return nil, err
	}
	var told []store.DataKey
	wrong := 0
	for _, made := range h.Keys[:min(len(h.Keys), maxKeys)] {
		if known[made.Key] {
			continue
		}
		k, bad, err := in.keyOf(h.Hall, made, now)
		if err != nil {
			return nil, err
		}
		if bad {
			wrong++
		}
		if k != nil {
			told = append(told, *k)
		}
	}
	if wrong > 0 || len(h.Keys) > maxKeys {
		in.log.Warn("data keys of a hello left out", "hall", h.Hall, "wrong", wrong, "told", len(h.Keys))
	}
	return told, nil
}

// tell takes the data key that a stored fact tells. The fact of one that was destroyed loses its body at once: the key's wraps are in it.
func tell(tx *store.Tx, out *outcome, e store.Event, k store.DataKey, now time.Time) error {
	if err := errors.Join(learn(tx, out, k, now), tx.AddKeyFact(e.Hall, k.Key, store.FactRef{Epoch: e.Epoch, Seq: e.Seq})); err != nil {
		return err
	}
	known, _, err := tx.DataKey(k.Hall, k.Key)
	if err != nil || known.Destroyed.IsZero() {
		return err
	}
	return sealed.EraseTold(tx, k.Hall, k.Key, known.Destroyed.UTC().Format(time.DateOnly), now)
}

// learn stores a data key. When facts wait for it, the hall's projections are to be made again.
func learn(tx *store.Tx, out *outcome, k store.DataKey, now time.Time) error {
	added, err := tx.AddDataKey(k)
	if err != nil || !added {
		return err
	}
	missed, err := tx.FoundKey(k.Hall, k.Key)
	if err != nil || !missed {
		return err
	}
	return out.owes(tx, k.Hall, now)
}
