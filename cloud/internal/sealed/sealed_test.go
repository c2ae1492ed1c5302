package sealed_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

const hall = hallsync.HallID("440900000000001")

// shelf is a vault, a key of the hall, and a fact that is sealed with it.
func shelf(t *testing.T) (o *sealed.Opener, row *store.DataKey, fact hallsync.Event) {
	t.Helper()
	v, err := vault.Open(vault.Options{Directory: filepath.Join(t.TempDir(), "vault"), Make: true})
	if err != nil {
		t.Fatal(err)
	}
	key := gm.NewDataKey()
	wraps, err := v.Wrap(key.Wrap)
	if err != nil {
		t.Fatal(err)
	}
	e, err := hallsync.NewEvent(hall, "e", 7, time.Unix(1, 0), hallsync.DayClosed{BusinessDay: "2026-11-23"})
	if err == nil {
		fact, err = e.Seal(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sealed.New(v), &store.DataKey{Hall: hall, Key: key.ID().String(), Day: "2026-11-23", Wraps: wraps}, fact
}

func from(row *store.DataKey) sealed.Source {
	return func(h hallsync.HallID, key string) (store.DataKey, bool, error) {
		return *row, row.Hall == h && row.Key == key, nil
	}
}

func why(err error) sealed.Why {
	var no *sealed.Error
	if errors.As(err, &no) {
		return no.Why
	}
	return ""
}

func TestOpener(t *testing.T) {
	o, row, fact := shelf(t)
	opened, err := o.OpenFact(fact, from(row))
	if err != nil || string(opened.Payload) != `{"business_day":"2026-11-23"}` || opened.Sealed != nil {
		t.Fatalf("%s, %v", opened.Payload, err)
	}
	moved := fact
	moved.Seq++
	if _, err := o.OpenFact(moved, from(row)); why(err) != sealed.Unsealable {
		t.Errorf("at another place: %v", err)
	}
	other := fact
	other.Hall = "440900000000002"
	if _, err := o.OpenFact(other, from(row)); why(err) != sealed.KeyUnknown {
		t.Errorf("of another hall: %v", err)
	}
	if _, err := o.Open(store.Event{Body: []byte("x")}, from(row)); why(err) != sealed.Unreadable {
		t.Errorf("no fact: %v", err)
	}
	row.Destroyed = time.Unix(2, 0) // although it has been opened before
	if _, err := o.OpenFact(fact, from(row)); why(err) != sealed.KeyDestroyed {
		t.Errorf("destroyed: %v", err)
	}
	wrong := *row
	wrong.Key = "0011223344556677"
	if _, err := o.Unwrap(wrong); why(err) != sealed.Unsealable {
		t.Errorf("under another name: %v", err)
	}
}

// Of ten thousand changed records none opens, and none breaks anything.
func TestChangedRecordsDoNotOpen(t *testing.T) {
	o, row, fact := shelf(t)
	random := rand.New(rand.NewPCG(1, 2)) // the same each time
	for range 10_000 {
		changed := fact
		changed.Sealed = slices.Clone(fact.Sealed)
		switch at := random.IntN(len(changed.Sealed)); random.IntN(3) {
		case 0:
			changed.Sealed[at] ^= byte(1 + random.IntN(255))
		case 1:
			changed.Sealed = changed.Sealed[:at]
		default:
			changed.Sealed = append(changed.Sealed, byte(at))
		}
		body, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := o.Open(store.Event{Hall: hall, Body: body}, from(row))
		if w := why(err); err == nil && opened.Payload != nil || err != nil && w != sealed.Unsealable && w != sealed.KeyUnknown {
			t.Fatalf("record %x: %s, %v", changed.Sealed, opened.Payload, err)
		}
	}
}
