// Package gmtest gives the tests that every provider of private keys must pass, and a provider that keeps its keys outside of the memory
// of who uses them, as a module in a slot does: it can be slow, fail and be pulled out.
package gmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/gm"
)

// Provider runs the tests on p.
func Provider(t *testing.T, p gm.Provider) {
	t.Run("signs and unwraps", func(t *testing.T) { signsAndUnwraps(t, p) })
	t.Run("gives the same key again", func(t *testing.T) { sameAgain(t, p) })
	t.Run("knows no other references", func(t *testing.T) { noOthers(t, p) })
	t.Run("opens nothing that is not for it", func(t *testing.T) { opensNothingElse(t, p) })
	t.Run("serves many at once", func(t *testing.T) { manyAtOnce(t, p) })
	t.Run("returns when its time is over", func(t *testing.T) { returnsInTime(t, p) })
}

// NewKey draws a key that p keeps.
func NewKey(t *testing.T, p gm.Provider) (gm.PrivateKey, string) {
	t.Helper()
	k, reference, err := gm.GenerateKeyIn(p)
	if err != nil {
		t.Fatal(err)
	}
	return k, reference
}

func signsAndUnwraps(t *testing.T, p gm.Provider) {
	k, _ := NewKey(t, p)
	other, _ := NewKey(t, p)
	sig, err := k.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	if !k.Public().Verify([]byte("message"), sig) || k.Public().Verify([]byte("massage"), sig) || other.Public().Verify([]byte("message"), sig) {
		t.Error("the signature is not of this key and this message")
	}
	for _, n := range []int{gm.MinSecret, 48, gm.MaxSecret} {
		secret := bytes.Repeat([]byte{byte(n)}, n)
		wrapped, err := k.Public().Wrap(secret)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Unwrap(wrapped); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%d bytes: %x, %v", n, got, err)
		}
		if got, err := other.Unwrap(wrapped); !errors.Is(err, gm.ErrOpen) || got != nil {
			t.Errorf("another key gives %x, %v", got, err)
		}
	}
}

func sameAgain(t *testing.T, p gm.Provider) {
	k, reference := NewKey(t, p)
	again, err := gm.OpenKey(p, reference)
	if err != nil {
		t.Fatal(err)
	}
	if again.Public().String() != k.Public().String() {
		t.Fatal("another public key")
	}
	sig, err := again.Sign([]byte("message"))
	if err != nil || !k.Public().Verify([]byte("message"), sig) {
		t.Error("the key that was opened again does not sign in the same name:", err)
	}
}

func noOthers(t *testing.T, p gm.Provider) {
	_, reference := NewKey(t, p)
	for _, bad := range []string{"", "no such key", reference + reference, reference[:len(reference)-1] + "?"} {
		k, err := gm.OpenKey(p, bad)
		if !errors.Is(err, gm.ErrInvalid) || !k.IsZero() {
			t.Errorf("%.20q is a key: %v", bad, err)
		}
		var e *gm.KeyError
		if !errors.As(err, &e) || e.Op != "open" {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func opensNothingElse(t *testing.T, p gm.Provider) {
	h, _, err := p.Generate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := h.Public().Wrap([]byte("sixteen bytes ok"))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{len(wrapped) - 1, len(wrapped) - 17, len(wrapped) - 30} { // the text and the digest; the form stays right
		bad := bytes.Clone(wrapped)
		bad[at] ^= 1
		if secret, err := h.Decrypt(t.Context(), bad); !errors.Is(err, gm.ErrOpen) || secret != nil {
			t.Errorf("byte %d changed: %x, %v", at, secret, err)
		}
	}
}

func manyAtOnce(t *testing.T, p gm.Provider) {
	k, _ := NewKey(t, p)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			message := fmt.Appendf(nil, "message of number %d", i)
			for range 5 {
				sig, err := k.Sign(message)
				if err != nil || !k.Public().Verify(message, sig) {
					t.Error("sign:", err)
				}
				wrapped, err := k.Public().Wrap(message)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := k.Unwrap(wrapped); err != nil || !bytes.Equal(got, message) {
					t.Errorf("unwrap: %q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
}

// returnsInTime asks with a time that is over: an answer is good, and so is the context's error, but to wait is not.
func returnsInTime(t *testing.T, p gm.Provider) {
	h, _, err := p.Generate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if sig, err := h.SignDigest(ctx, gm.Sum(nil)); (err == nil) != (len(sig) > 0) {
		t.Errorf("sign: %x, %v", sig, err)
	}
	wrapped, err := h.Public().Wrap([]byte("sixteen bytes ok"))
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := h.Decrypt(ctx, wrapped); (err == nil) != (len(secret) > 0) {
		t.Errorf("decrypt: %x, %v", secret, err)
	}
}
