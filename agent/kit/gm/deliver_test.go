package gm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"halledge/agent/kit/gm"
)

func drawn(t *testing.T) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedKeyOpensForItsHolderOnly(t *testing.T) {
	holder, other, key := drawn(t), drawn(t), drawn(t)
	sealed, err := gm.SealKey(key, holder.Public(), "encryption key", "440900000000001")
	if err != nil {
		t.Fatal(err)
	}
	got, err := holder.UnsealKey(sealed, "encryption key", "440900000000001")
	if err != nil || got.Public().String() != key.Public().String() {
		t.Fatalf("opened %v, %v", got.Public(), err)
	}
	if text, err := got.PEM(); err != nil || strings.Contains(string(sealed), text[40:80]) {
		t.Errorf("the key lies open in the record: %v", err)
	}
	for name, open := range map[string]func() (gm.PrivateKey, error){
		"another holder": func() (gm.PrivateKey, error) { return other.UnsealKey(sealed, "encryption key", "440900000000001") },
		"another hall":   func() (gm.PrivateKey, error) { return holder.UnsealKey(sealed, "encryption key", "440900000000002") },
		"nothing":        func() (gm.PrivateKey, error) { return holder.UnsealKey(nil, "encryption key", "440900000000001") },
		"a long wrap":    func() (gm.PrivateKey, error) { return holder.UnsealKey([]byte{255, 255, 1}, "x") },
		"no holder":      func() (gm.PrivateKey, error) { return gm.PrivateKey{}.UnsealKey(sealed, "x") },
	} {
		if k, err := open(); !errors.Is(err, gm.ErrOpen) || !k.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range sealed {
		changed := slices.Clone(sealed)
		changed[i] ^= 0x40
		if _, err := holder.UnsealKey(changed, "encryption key", "440900000000001"); !errors.Is(err, gm.ErrOpen) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		if _, err := holder.UnsealKey(sealed[:i], "encryption key", "440900000000001"); !errors.Is(err, gm.ErrOpen) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

func TestOnlyAKeyIsDelivered(t *testing.T) {
	holder := drawn(t)
	if _, err := gm.SealKey(gm.PrivateKey{}, holder.Public()); !errors.Is(err, gm.ErrInvalid) {
		t.Errorf("no key was sealed: %v", err)
	}
	if _, err := gm.SealKey(drawn(t), gm.PublicKey{}); !errors.Is(err, gm.ErrInvalid) {
		t.Errorf("a key was sealed for nobody: %v", err)
	}
}
