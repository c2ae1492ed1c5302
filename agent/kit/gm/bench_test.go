package gm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"
)

// Each stands beside what the standard library does for the same end: the ratio is the price of the national algorithms.

func BenchmarkSign(b *testing.B) {
	message := random(256)
	b.Run("SM2", func(b *testing.B) {
		key := newKey(b)
		for b.Loop() {
			if _, err := key.Sign(message); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("P-256", func(b *testing.B) {
		key := p256(b)
		for b.Loop() {
			digest := sha256.Sum256(message)
			if _, err := ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	message := random(256)
	b.Run("SM2", func(b *testing.B) {
		key := newKey(b)
		sig, err := key.Sign(message)
		if err != nil {
			b.Fatal(err)
		}
		public := key.Public()
		for b.Loop() {
			if !public.Verify(message, sig) {
				b.Fatal("not good")
			}
		}
	})
	b.Run("P-256", func(b *testing.B) {
		key := p256(b)
		digest := sha256.Sum256(message)
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			digest := sha256.Sum256(message)
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
				b.Fatal("not good")
			}
		}
	})
}

func BenchmarkUnwrap(b *testing.B) {
	key := newKey(b)
	w := wrapped(b, key.Public(), "sixteen bytes ok")
	for b.Loop() {
		if _, err := key.Unwrap(w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealAndOpen(b *testing.B) {
	plain := random(1024)
	b.Run("SM4", func(b *testing.B) {
		key := NewDataKey()
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			record, err := key.Seal(plain, "hall", "ticket")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := key.Open(record, "hall", "ticket"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("AES", func(b *testing.B) {
		block, err := aes.NewCipher(random(16))
		if err != nil {
			b.Fatal(err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			b.Fatal(err)
		}
		about := join([]string{domain, "hall", "ticket"})
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			if _, err := aead.Open(nil, nil, aead.Seal(nil, nil, plain, about), about); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func p256(b *testing.B) *ecdsa.PrivateKey {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	return key
}
