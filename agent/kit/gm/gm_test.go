package gm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func newKey(t testing.TB) PrivateKey {
	t.Helper()
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOneBitIsEnough(t *testing.T) {
	key, message := newKey(t), []byte("a message")
	sig, err := key.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	if !key.Public().Verify(message, sig) {
		t.Fatal("our own signature is not good")
	}
	for i := range len(sig) * 8 {
		bad := bytes.Clone(sig)
		bad[i/8] ^= 1 << (i % 8)
		if key.Public().Verify(message, bad) {
			t.Fatalf("bit %d changed, and it is still good", i)
		}
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": sig[:len(sig)-1], "longer": append(bytes.Clone(sig), 0), "zeros": make([]byte, 70),
	} {
		if key.Public().Verify(message, bad) {
			t.Errorf("%s: good", name)
		}
	}
	if newKey(t).Public().Verify(message, sig) || (PublicKey{}).Verify(message, sig) {
		t.Error("good under another key")
	}
	if _, err := (PrivateKey{}).Sign(message); !errors.Is(err, ErrInvalid) {
		t.Errorf("no key signs: %v", err)
	}
}

func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	key := newKey(t)
	text, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParsePrivateKey(text)
	if err != nil || again.Public().String() != key.Public().String() {
		t.Fatal(err)
	}
	var pub PublicKey
	if err := pub.UnmarshalText([]byte(key.Public().String())); err != nil || pub.String() != key.Public().String() {
		t.Fatal(err)
	}
	if err := pub.UnmarshalText(nil); err != nil || !pub.IsZero() {
		t.Fatal("no text is a key")
	}
	offCurve, err := base64.StdEncoding.DecodeString(key.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	offCurve[len(offCurve)-1] ^= 1
	for name, bad := range map[string]string{
		"nothing": "", "words": "a key", "off the curve": base64.StdEncoding.EncodeToString(offCurve), "private": text,
		"long": strings.Repeat("A", maxKey+1),
	} {
		if _, err := ParsePublicKey(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s is a public key: %v", name, err)
		}
	}
	for name, bad := range map[string]string{"nothing": "", "public": key.Public().String(), "two": text + text, "cut": text[:len(text)/2]} {
		if _, err := ParsePrivateKey(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s is a private key: %v", name, err)
		}
	}
}

// A key of OpenSSL 3.0.19 (genpkey -algorithm SM2; pkey -pubout), made for this test.
func TestKeysOfOpenSSL(t *testing.T) {
	private, err := os.ReadFile("testdata/openssl.key")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := os.ReadFile("testdata/openssl.pub")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile("testdata/openssl.sig")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePrivateKey(string(private))
	if err != nil {
		t.Fatal(err)
	}
	check, err := ParsePublicKey(string(pub))
	if err != nil {
		t.Fatal(err)
	}
	if check.String() != key.Public().String() || !check.Verify([]byte("a message"), signed) {
		t.Error("the keys or the signature do not belong together")
	}
}

func TestAPrivateKeyCannotBePrinted(t *testing.T) {
	key := newKey(t)
	d := key.handle.(*softKey).key.D
	inside := struct{ K PrivateKey }{key}
	asJSON, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", key, "inside", inside)
	all := string(asJSON) + log.String() + fmt.Sprintf("%v %+v %#v %s %x %d %q", key, inside, inside, key, key, inside, key)
	for _, form := range []string{d.String(), d.Text(16), strings.ToUpper(d.Text(16)), base64.StdEncoding.EncodeToString(d.Bytes())} {
		if strings.Contains(all, form) {
			t.Fatalf("it prints: %s", all)
		}
	}
	if !strings.Contains(all, "***") {
		t.Fatal(all)
	}
}

func TestPartsOfAMessageDoNotRunTogether(t *testing.T) {
	if HMAC([]byte("k"), "ab", "c") == HMAC([]byte("k"), "a", "bc") || HMAC([]byte("k"), "a") == HMAC([]byte("k"), "a", "") {
		t.Error("two lists of parts have one code")
	}
	if HMAC([]byte("k"), "a") == HMAC([]byte("l"), "a") {
		t.Error("the key is of no account")
	}
	if !Equal([]byte("same"), []byte("same")) || Equal([]byte("same"), []byte("some")) || Equal([]byte("same"), []byte("sam")) {
		t.Error("Equal is wrong")
	}
}

func TestKeysOfTheStandardLibrary(t *testing.T) {
	key := newKey(t).Public()
	again, err := PublicKeyOf(key.Standard())
	if err != nil || again.String() != key.String() {
		t.Error(again, err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]any{
		"nothing": nil, "no key": (*ecdsa.PublicKey)(nil), "of another curve": &other.PublicKey, "a word": "key", "empty": &ecdsa.PublicKey{},
		"no point": &ecdsa.PublicKey{Curve: key.Standard().Curve},
	} {
		if k, err := PublicKeyOf(bad); !errors.Is(err, ErrInvalid) || !k.IsZero() {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}
