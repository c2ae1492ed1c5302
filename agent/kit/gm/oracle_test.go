package gm

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"hash"
	"testing"

	oracle2 "github.com/tjfoc/gmsm/sm2"
	oracle3 "github.com/tjfoc/gmsm/sm3"
	oracle4 "github.com/tjfoc/gmsm/sm4"
	"github.com/tjfoc/gmsm/x509"
)

// The other library is the oracle in these tests: each must take what the other made.

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func TestTwoLibrariesAgreeOnDigests(t *testing.T) {
	for i := range 500 {
		message := random(i * 7)
		if ours, theirs := Sum(message), oracle3.Sm3Sum(message); !bytes.Equal(ours[:], theirs) {
			t.Fatalf("SM3 of %x: %x and %x", message, ours, theirs)
		}
		h := hmac.New(func() hash.Hash { return oracle3.New() }, message)
		h.Write(message)
		if ours := mac(message, message); !bytes.Equal(ours[:], h.Sum(nil)) {
			t.Fatalf("HMAC-SM3 of %x: %x", message, ours)
		}
	}
}

// theirs gives our key to the other library, through the standard form.
func theirs(t *testing.T, k PrivateKey) *oracle2.PrivateKey {
	t.Helper()
	spki, err := base64.StdEncoding.DecodeString(k.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.ParseSm2PublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return &oracle2.PrivateKey{PublicKey: *pub, D: k.handle.(*softKey).key.D}
}

func TestTwoLibrariesAgreeOnSignatures(t *testing.T) {
	for i := range 40 {
		message := random(i * 11)
		key := newKey(t)
		sig, err := key.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		other := theirs(t, key)
		if !other.Verify(message, sig) {
			t.Fatalf("the other library does not take our signature %x", sig)
		}
		if sig, err = other.Sign(rand.Reader, message, nil); err != nil {
			t.Fatal(err)
		}
		if !key.Public().Verify(message, sig) {
			t.Fatalf("we do not take the other library's signature %x", sig)
		}
	}
}

func TestTwoLibrariesAgreeOnWrappedSecrets(t *testing.T) {
	for i := range 40 {
		secret := random(MinSecret + i*5)
		key := newKey(t)
		other := theirs(t, key)
		wrapped, err := key.Public().Wrap(secret)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := oracle2.DecryptAsn1(other, wrapped); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("the other library opens %x as %x, %v", wrapped, got, err)
		}
		secret = secret[:1+i*5] // what others wrap may be shorter
		if wrapped, err = oracle2.EncryptAsn1(&other.PublicKey, secret, rand.Reader); err != nil {
			t.Fatal(err)
		}
		if got, err := key.Unwrap(wrapped); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("we open %x as %x, %v", wrapped, got, err)
		}
	}
}

func TestTwoLibrariesAgreeOnSealedRecords(t *testing.T) {
	for i := range 300 {
		secret, plain := random(dataKeyBytes), random(i*13)
		key, err := ParseDataKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		block, err := oracle4.NewCipher(secret)
		if err != nil {
			t.Fatal(err)
		}
		other, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		topic := fmt.Sprintf("topic %d", i)
		record, err := key.Seal(plain, "hall", topic)
		if err != nil {
			t.Fatal(err)
		}
		about := key.k.about([]string{"hall", topic})
		got, err := other.Open(nil, record[headBytes:headBytes+nonceLength], record[headBytes+nonceLength:], about)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("the other library opens %x as %x, %v", record, got, err)
		}
		theirs := append(bytes.Clone(record[:headBytes]), random(nonceLength)...)
		theirs = other.Seal(theirs, theirs[headBytes:], plain, about)
		if got, err := key.Open(theirs, "hall", topic); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("we open %x as %x, %v", theirs, got, err)
		}
	}
}
