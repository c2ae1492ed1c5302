package gm

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	oracle2 "github.com/tjfoc/gmsm/sm2"
	oracle3 "github.com/tjfoc/gmsm/sm3"
	"github.com/tjfoc/gmsm/x509"
)

// octets is hexadecimal in the vectors.
type octets []byte

func (o *octets) UnmarshalText(b []byte) (err error) {
	*o, err = hex.DecodeString(string(b))
	return err
}

// vectors are the examples of the standards, each checked with OpenSSL 3.0.19 and two libraries.
type vectors struct {
	SM3 []struct {
		Name   string
		Msg    octets `json:"msg_hex"`
		Digest octets
	}
	HMAC []struct {
		Name string
		Key  octets
		Msg  octets `json:"msg_hex"`
		MAC  octets
	} `json:"hmac_sm3"`
	Sign []struct {
		Name          string
		Msg           string `json:"msg_ascii"`
		ID            string `json:"id_ascii"`
		D, X, Y, R, S octets
	} `json:"sm2_sign"`
	MustFail []struct {
		Name string
		Msg  string `json:"msg_ascii"`
		Sig  octets `json:"sig_asn1"`
		X, Y octets
	} `json:"sm2_verify_must_fail"`
	MustPass []struct {
		Name      string
		E         octets
		Pub       octets `json:"pub_spki"`
		Signature octets `json:"sig_asn1"`
	} `json:"sm2_verify_hash_must_pass"`
}

func load(t *testing.T) (v vectors) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.SM3) < 2 || len(v.HMAC) < 1 || len(v.Sign) < 1 || len(v.MustFail) < 1 || len(v.MustPass) < 1 {
		t.Fatalf("vectors are missing: %+v", v)
	}
	return v
}

func public(t *testing.T, x, y []byte) PublicKey {
	t.Helper()
	k, err := sm2.NewPublicKey(append(append([]byte{4}, x...), y...))
	if err != nil {
		t.Fatal(err)
	}
	return PublicKey{k}
}

func der(t *testing.T, r, s []byte) []byte {
	t.Helper()
	out, err := asn1.Marshal(signature{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestVectors(t *testing.T) {
	v := load(t)
	for _, c := range v.SM3 {
		if got := Sum(c.Msg); !bytes.Equal(got[:], c.Digest) {
			t.Errorf("%s: %x", c.Name, got)
		}
	}
	for _, c := range v.HMAC {
		if got := mac(c.Key, func(h hash.Hash) { h.Write(c.Msg) }); !bytes.Equal(got[:], c.MAC) {
			t.Errorf("%s: %x", c.Name, got)
		}
	}
	for _, c := range v.Sign {
		private, err := sm2.NewPrivateKey(c.D)
		if err != nil || c.ID != userID {
			t.Fatal(err, c.ID)
		}
		key := PrivateKey{private}
		if key.Public().String() != public(t, c.X, c.Y).String() {
			t.Errorf("%s: the public key is another", c.Name)
		}
		if !key.Public().Verify([]byte(c.Msg), der(t, c.R, c.S)) {
			t.Errorf("%s: the official signature is not good", c.Name)
		}
		if key.Public().Verify([]byte(c.Msg+"."), der(t, c.R, c.S)) {
			t.Errorf("%s: it is good for another message", c.Name)
		}
	}
	for _, c := range v.MustFail {
		if public(t, c.X, c.Y).Verify([]byte(c.Msg), c.Sig) {
			t.Errorf("%s: good", c.Name)
		}
	}
	for _, c := range v.MustPass { // a carry that the library lost in two of its versions
		k, err := ParsePublicKey(base64.StdEncoding.EncodeToString(c.Pub))
		if err != nil || !canonical(c.Signature) || !sm2.VerifyASN1(k.key, c.E, c.Signature) {
			t.Errorf("%s: not good, %v", c.Name, err)
		}
	}
}

// The other library is the oracle: each must take what the other made.
func TestTwoLibrariesAgree(t *testing.T) {
	for i := range 200 {
		message := make([]byte, i*7)
		_, _ = rand.Read(message)
		if ours, theirs := Sum(message), oracle3.Sm3Sum(message); !bytes.Equal(ours[:], theirs) {
			t.Fatalf("SM3 of %x: %x and %x", message, ours, theirs)
		}
		h := hmac.New(func() hash.Hash { return oracle3.New() }, message)
		h.Write(message)
		if ours := mac(message, func(h hash.Hash) { h.Write(message) }); !bytes.Equal(ours[:], h.Sum(nil)) {
			t.Fatalf("HMAC-SM3 of %x: %x", message, ours)
		}
	}
	for i := range 20 {
		message := fmt.Appendf(nil, "message %d", i)
		key, err := GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		sig, err := key.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		spki, err := base64.StdEncoding.DecodeString(key.Public().String())
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := x509.ParseSm2PublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		if !theirs.Verify(message, sig) {
			t.Fatalf("the other library does not take our signature %x", sig)
		}
		private, err := oracle2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		sig, err = private.Sign(rand.Reader, message, nil)
		if err != nil {
			t.Fatal(err)
		}
		x, y := private.X.FillBytes(make([]byte, 32)), private.Y.FillBytes(make([]byte, 32))
		if !public(t, x, y).Verify(message, sig) {
			t.Fatalf("we do not take the other library's signature %x", sig)
		}
	}
}

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
	d := key.key.D
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
