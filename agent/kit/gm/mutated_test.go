package gm_test

import (
	"encoding/base64"
	"testing"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/gmtest"
)

// Of signatures, envelopes, records and keys that were changed, none is taken.
func TestNothingMutatedIsTaken(t *testing.T) {
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	sig, err := key.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	gmtest.Mutated(sig, gmtest.Mutations, func(m []byte) {
		if key.Public().Verify(message, m) {
			t.Errorf("%x is taken for %x", m, sig)
		}
	})
	secret, err := key.Public().Wrap([]byte("sixteen bytes ok"))
	if err != nil {
		t.Fatal(err)
	}
	gmtest.Mutated(secret, gmtest.Mutations, func(m []byte) {
		if got, err := key.Unwrap(m); err == nil || got != nil {
			t.Errorf("%x opens", m)
		}
	})
	data := gm.NewDataKey()
	record, err := data.Seal([]byte("a citizen's number"), "hall", "ticket")
	if err != nil {
		t.Fatal(err)
	}
	gmtest.Mutated(record, gmtest.Mutations, func(m []byte) {
		if got, err := data.Open(m, "hall", "ticket"); err == nil || got != nil {
			t.Errorf("%x opens", m)
		}
	})
	spki, err := base64.StdEncoding.DecodeString(key.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	gmtest.Mutated(spki, gmtest.Mutations, func(m []byte) {
		k, err := gm.ParsePublicKey(base64.StdEncoding.EncodeToString(m))
		if err == nil && (k.IsZero() || k.String() == key.Public().String() || k.Verify(message, sig)) {
			t.Errorf("%x is a key: %v", m, k)
		}
	})
}
