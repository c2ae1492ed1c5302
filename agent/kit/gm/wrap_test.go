package gm

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"testing"
)

func wrapped(t testing.TB, k PublicKey, secret string) []byte {
	t.Helper()
	w, err := k.Wrap([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWhatIsWrappedHasBounds(t *testing.T) {
	key := newKey(t)
	for _, n := range []int{0, MinSecret - 1, MaxSecret + 1} {
		if w, err := key.Public().Wrap(make([]byte, n)); !errors.Is(err, ErrLength) || w != nil {
			t.Errorf("%d bytes: %x, %v", n, w, err)
		}
	}
	long := wrapped(t, key.Public(), strings.Repeat("x", MaxSecret))
	if len(long) > maxWrapped {
		t.Errorf("the longest is %d bytes", len(long))
	}
	if got, err := key.Unwrap(long); err != nil || len(got) != MaxSecret {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := (PublicKey{}).Wrap([]byte("sixteen bytes ok")); !errors.Is(err, ErrInvalid) {
		t.Error("wrapped for nobody:", err)
	}
	if _, err := (PrivateKey{}).Unwrap(long); !errors.Is(err, ErrOpen) {
		t.Error("unwrapped by nobody:", err)
	}
}

// Whatever is wrong, the answer is the same.
func TestThreat07OneAnswerToAllThatCannotBeUnwrapped(t *testing.T) {
	key := newKey(t)
	good := wrapped(t, key.Public(), "sixteen bytes ok")
	var v ciphertext
	if !exactly(good, &v) {
		t.Fatal("not DER")
	}
	change := func(f func(*ciphertext)) []byte {
		c := ciphertext{new(big.Int).Set(v.X), new(big.Int).Set(v.Y), bytes.Clone(v.Hash), bytes.Clone(v.Text)}
		f(&c)
		return toDER(t, c)
	}
	p := number(load(t).Curve.P)
	for name, bad := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0), "a signature": toDER(t, signature{v.X, v.Y}),
		"off the curve":        change(func(c *ciphertext) { c.Y.Add(c.Y, big.NewInt(1)) }),
		"x not reduced":        change(func(c *ciphertext) { c.X.Add(c.X, p) }),
		"x negative":           change(func(c *ciphertext) { c.X.Neg(c.X) }),
		"x of a thousand bits": change(func(c *ciphertext) { c.X.Lsh(c.X, 1000) }),
		"the other y":          change(func(c *ciphertext) { c.Y.Sub(p, c.Y) }),
		"no point":             change(func(c *ciphertext) { c.X.SetInt64(0); c.Y.SetInt64(0) }),
		"no text":              change(func(c *ciphertext) { c.Text = nil }),
		"text too long":        change(func(c *ciphertext) { c.Text = make([]byte, MaxSecret+1) }),
		"short digest":         change(func(c *ciphertext) { c.Hash = c.Hash[1:] }),
		"long digest":          change(func(c *ciphertext) { c.Hash = append(c.Hash, 0) }),
		"other digest":         change(func(c *ciphertext) { c.Hash[0] ^= 1 }),
		"other text":           change(func(c *ciphertext) { c.Text[0] ^= 1 }),
		"for somebody else":    wrapped(t, newKey(t).Public(), "sixteen bytes ok"),
	} {
		if got, err := key.Unwrap(bad); err != ErrOpen || got != nil { //nolint:errorlint // the very value: nothing may be around it
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

func TestRecordsAreTiedToWhereTheyBelong(t *testing.T) {
	key := NewDataKey()
	record, err := key.Seal([]byte("text"), "hall", "ticket 1")
	if err != nil {
		t.Fatal(err)
	}
	if len(record) != len("text")+Sealed {
		t.Errorf("%d bytes", len(record))
	}
	if got, err := key.Open(record, "hall", "ticket 1"); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
	for _, about := range [][]string{nil, {"hall"}, {"hall", "ticket 2"}, {"hallticket 1"}, {"hall", "ticket 1", ""}, {"ticket 1", "hall"}} {
		if got, err := key.Open(record, about...); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%q: %q, %v", about, got, err)
		}
	}
	if got, err := NewDataKey().Open(record, "hall", "ticket 1"); !errors.Is(err, ErrOpen) || got != nil {
		t.Errorf("another key: %q, %v", got, err)
	}
	if id, err := RecordKey(record); err != nil || id != key.ID() || id == NewDataKey().ID() {
		t.Errorf("the record names %x, %v", id, err)
	}
	again, err := key.Seal([]byte("text"), "hall", "ticket 1")
	if err != nil || bytes.Equal(again[:headBytes+nonceLength], record[:headBytes+nonceLength]) {
		t.Error("a nonce came twice:", err)
	}
}

func TestWhatIsSealedHasBounds(t *testing.T) {
	key := NewDataKey()
	whole, err := key.Seal(make([]byte, MaxPlain))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Open(whole); err != nil || len(got) != MaxPlain {
		t.Error(len(got), err)
	}
	if _, err := key.Seal(make([]byte, MaxPlain+1)); !errors.Is(err, ErrLength) {
		t.Error(err)
	}
	if got, err := key.Open(append(whole, 0)); !errors.Is(err, ErrOpen) || got != nil {
		t.Error(err)
	}
	empty, err := key.Seal(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Open(empty); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
	var none DataKey
	if _, err := none.Seal([]byte("x")); !errors.Is(err, ErrInvalid) {
		t.Error("sealed without a key:", err)
	}
	if _, err := none.Open(empty); !errors.Is(err, ErrOpen) || !none.IsZero() || none.ID() != (KeyID{}) {
		t.Error("opened without a key:", err)
	}
	for _, n := range []int{0, 15, 17, 32} {
		if _, err := ParseDataKey(make([]byte, n)); !errors.Is(err, ErrInvalid) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
}

func TestADataKeyTravelsWrapped(t *testing.T) {
	box, cloud, data := newKey(t), newKey(t), NewDataKey()
	record, err := data.Seal([]byte("text"), "hall")
	if err != nil {
		t.Fatal(err)
	}
	for _, holder := range []PrivateKey{box, cloud} {
		w, err := data.Wrap(holder.Public())
		if err != nil {
			t.Fatal(err)
		}
		k, err := holder.UnwrapDataKey(w)
		if err != nil || k.ID() != data.ID() {
			t.Fatal(err)
		}
		if got, err := k.Open(record, "hall"); err != nil || string(got) != "text" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := box.UnwrapDataKey(wrapped(t, box.Public(), "seventeen bytes k")); !errors.Is(err, ErrOpen) {
		t.Error("no key of 16 bytes:", err)
	}
	if _, err := (DataKey{}).Wrap(box.Public()); !errors.Is(err, ErrInvalid) {
		t.Error("no key is wrapped:", err)
	}
}

// A cipher that keeps its scratch in itself would mix up what is sealed at once.
func TestADataKeyServesManyAtOnce(t *testing.T) {
	key := NewDataKey()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			plain := bytes.Repeat([]byte{byte(i)}, 333)
			for range 200 {
				record, err := key.Seal(plain, "hall")
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := key.Open(record, "hall"); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%x, %v", got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestADataKeyCannotBePrinted(t *testing.T) {
	secret := []byte("0123456789abcdef")
	key, err := ParseDataKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	inside := struct {
		K      DataKey
		hidden DataKey
	}{key, key}
	asJSON, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", key, "inside", inside)
	all := string(asJSON) + log.String() + fmt.Sprintf("%v %+v %#v %s %x %d %q", key, inside, inside, key, key, inside, key)
	for _, form := range []string{string(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%d", secret), toBase64(secret)} {
		if strings.Contains(all, form) {
			t.Errorf("it prints: %s", all)
		}
	}
	if !strings.Contains(all, "***") {
		t.Error(all)
	}
}

// The name of a public key is of its SubjectPublicKeyInfo: openssl pkey -pubin -outform DER | openssl dgst -sm3 begins with it.
func TestPublicKeysHaveNames(t *testing.T) {
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(k.Public().String())
	if err != nil {
		t.Fatal(err)
	}
	sum := Sum(der)
	if got := k.Public().ID(); got != hex.EncodeToString(sum[:8]) || len(got) != 16 {
		t.Errorf("key %s is called %q", k.Public(), got)
	}
	if name := (PublicKey{}).ID(); name != "" {
		t.Errorf("no key is called %q", name)
	}
}
