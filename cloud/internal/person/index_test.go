package person_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// A hall tells the key of the names that it gave before it was enrolled: people are looked for by it too, and nobody is given it.
func TestHallsOwnKeyIsLookedForToo(t *testing.T) {
	l := begin(t)
	secret := []byte("the key of the hall, 32 bytes ..")
	wraps, err := l.Vault.Wrap(func(k gm.PublicKey) ([]byte, error) { return k.Wrap(secret) })
	if err != nil {
		t.Fatal(err)
	}
	own := hallsync.OwnIndexKey{ID: hallsync.OwnIndex + gm.IndexID(secret), Keys: wraps}
	for range 2 { // at each hello
		if err := l.desk.Told(t.Context(), hall, own); err != nil {
			t.Fatal(err)
		}
	}
	mine, shared := gm.Pseudonym(secret, number), gm.Pseudonym(l.key, number)
	if got := l.digests(t, number); len(got) != 2 || !slices.Contains(got, mine) || !slices.Contains(got, shared) {
		t.Errorf("he is %s", got)
	}
	names, err := l.desk.Names(t.Context(), hall, []string{own.ID, "unknown", gm.IndexID(l.key)}, number)
	if err != nil || !slices.Equal(names, []string{mine, shared}) {
		t.Errorf("%s, %v", names, err)
	}
	box, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	l.Now = l.Now.Add(time.Hour)
	if keys := indexKeys(t, l, box); len(keys) != 1 || string(keys[0]) != string(l.key) {
		t.Error("the hall's own key is given back as one of the centre's")
	}
	own.ID = hallsync.OwnIndex + gm.IndexID(l.key)
	if err := l.desk.Told(t.Context(), hall, own); err == nil {
		t.Error("a key goes under the name of another")
	}
}

// What a hall is told of its keys is signed, for it alone, and rises.
func TestOrderOfIndex(t *testing.T) {
	l := begin(t)
	box, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var before uint64
	for keys := 1; keys <= 2; keys++ {
		raw, err := l.desk.Order(t.Context(), hall, box.Public())
		if err != nil {
			t.Fatal(err)
		}
		s, err := hallsync.OpenSigned(raw, hallsync.SignedIndex, hall, l.Vault.Keys().Sign[0])
		if err != nil || s.Seq <= before {
			t.Fatalf("number %d behind %d, %v", s.Seq, before, err)
		}
		var o hallsync.IndexOrdered
		if err := json.Unmarshal(s.Body, &o); err != nil || !o.Valid() || len(o.Keys) != keys {
			t.Fatalf("%d keys, %v", len(o.Keys), err)
		}
		for _, k := range o.Keys {
			if secret, err := box.Unwrap(k.Wrapped); err != nil || gm.IndexID(secret) != k.ID {
				t.Errorf("key %s: %v", k.ID, err)
			}
		}
		before, l.Now = s.Seq, l.Now.AddDate(1, 0, 1)
	}
}
