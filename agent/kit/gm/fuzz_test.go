package gm

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func toBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func mustBase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	sig, err := key.Sign([]byte("m"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sig)
	f.Add([]byte{0x30, 0x06, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, sig []byte) {
		if key.Public().Verify([]byte("another message"), sig) {
			t.Fatalf("%x is a forgery", sig)
		}
	})
}

func FuzzKeys(f *testing.F) {
	text, err := newKey(f).PEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(newKey(f).Public().String())
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ParsePublicKey(text); err == nil && k.Verify([]byte("m"), []byte("s")) {
			t.Fatal("good")
		}
		if k, err := ParsePrivateKey(text); (err == nil) == k.IsZero() {
			t.Fatal("a key with an error, or none without")
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	key := newKey(f)
	secret := []byte("sixteen bytes ok")
	f.Add(wrapped(f, key.Public(), string(secret)))
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := key.Unwrap(der)
		if err == nil && !canonicalCiphertext(der) || err != nil && (got != nil || err.Error() != ErrOpen.Error()) {
			t.Fatalf("%x gives %x, %v", der, got, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	key := NewDataKey()
	plain := []byte("text")
	record, err := key.Seal(plain, "hall")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := key.Open(b, "hall"); err == nil && !bytes.Equal(b, record) || err != nil && got != nil {
			t.Fatalf("%x gives %x, %v", b, got, err)
		}
		if _, err := RecordKey(b); err == nil && len(b) < Sealed {
			t.Fatalf("%x is a record", b)
		}
	})
}
