package chain

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"halledge/agent/kit/gm"
)

// Key authenticates one entry; the key of the next one follows from it and not the other way round. It cannot be printed or encoded and
// leaves the program only wrapped. The zero value is no key.
type Key struct{ k *secret }

type secret [gm.Size]byte

// ErrKey is a key that is none, that was forgotten, or that is too far from the one that is wanted.
var ErrKey = errors.New("chain: no such key")

// NewKey draws the first key of a segment, K_0.
func NewKey() Key {
	k := new(secret)
	_, _ = rand.Read(k[:]) // never fails: crypto/rand ends the program instead
	return Key{k}
}

// UnwrapKey gives the key that was wrapped for the holder of a private key. It fails as gm.PrivateKey.Unwrap does.
func UnwrapKey(holder gm.PrivateKey, wrapped []byte) (Key, error) {
	b, err := holder.Unwrap(wrapped)
	if err != nil {
		return Key{}, err
	}
	defer clear(b)
	if len(b) != gm.Size {
		return Key{}, gm.ErrOpen
	}
	k := secret(b)
	return Key{&k}, nil
}

// Wrap encrypts the key for the holder of a private key. It fails with ErrKey and as gm.PublicKey.Wrap does.
func (k Key) Wrap(to gm.PublicKey) ([]byte, error) {
	if k.k == nil || *k.k == (secret{}) {
		return nil, ErrKey
	}
	return to.Wrap(k.k[:])
}

// ID names the key without telling anything of it.
func (k Key) ID() Digest {
	if k.k == nil {
		return Digest{}
	}
	return digest("key", k.k[:])
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.k == nil }

// maxSteps bounds the way to a later key to a few minutes. A hall does not get there in a hundred years.
const maxSteps = 1 << 30

// Forward gives the key of the entry that comes so many entries later. It fails with ErrKey beyond 2³⁰ of them.
func (k Key) Forward(entries uint64) (Key, error) {
	if k.k == nil || *k.k == (secret{}) || entries > maxSteps {
		return Key{}, ErrKey
	}
	later := *k.k
	for range entries {
		later.ratchet()
	}
	return Key{&later}, nil
}

// Forget overwrites the key, for all who share it. No code is good by it afterwards.
func (k Key) Forget() {
	if k.k != nil {
		clear(k.k[:])
	}
}

// ratchet puts the key of the next entry in the place of this one.
func (k *secret) ratchet() {
	const word = "ratchet"
	var b [4 + len(domain) + len(word) + 4 + gm.Size]byte
	field := appendField(appendField(b[:0], []byte(domain+word)), k[:])
	*k = gm.Sum(field)
	clear(b[:])
}

// mac authenticates the head behind an entry.
func (k *secret) mac(head Digest, n uint64) Digest {
	return gm.HMAC(k[:], domain+"mac", string(head[:]), string(number(n)))
}

// Format implements fmt.Formatter for every verb: a key prints nothing of itself.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) } // a State takes what it is given

// LogValue implements slog.LogValuer.
func (k Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML: three stars.
func (k Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

const hidden = "***"
