package gm

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/emmansun/gmsm/sm2"
)

// The lengths in bytes of the shortest and the longest secret that is wrapped: keys, not documents. Of a few bytes the library makes
// ciphertexts that nobody can open, one in 256 of one byte: when the bytes it draws to hide the text are all zero, it draws again for a
// key that it has changed meanwhile (emmansun/gmsm v0.44.1, internal/sm2). With 16 bytes that takes 2¹²⁸ tries.
const (
	MinSecret = 16
	MaxSecret = 256
)

// maxWrapped is the length of the longest wrapped secret: two coordinates, a digest and the secret, each with the head of its DER.
const maxWrapped = 4 + 2*(3+coordinate) + (2 + Size) + 4 + MaxSecret

// ErrOpen is all that is said of something sealed or wrapped that cannot be opened: not for us, changed, or no such thing at all.
var ErrOpen = errors.New("gm: cannot be opened")

// ErrLength is something too short or too long to be sealed or wrapped.
var ErrLength = errors.New("gm: too short or too long")

// Wrap encrypts a secret of MinSecret to MaxSecret bytes for the holder of the private key: SM2, C1C3C2, DER of GM/T 0009 §7.2, as OpenSSL reads
// and writes it. It says nothing of who wrapped it. It fails with ErrInvalid or ErrLength.
func (k PublicKey) Wrap(secret []byte) ([]byte, error) {
	switch {
	case k.key == nil:
		return nil, ErrInvalid
	case len(secret) < MinSecret || len(secret) > MaxSecret:
		return nil, ErrLength
	}
	wrapped, err := sm2.EncryptASN1(rand.Reader, k.key, secret)
	if err != nil {
		return nil, ErrInvalid // of a key that is a point of the curve it does not happen
	}
	return wrapped, nil
}

// Unwrap gives the secret that was wrapped for k. It fails with ErrOpen, the same for every fault of what it is given, or with *KeyError
// when the key cannot be used now.
func (k PrivateKey) Unwrap(wrapped []byte) (secret []byte, err error) {
	defer func() {
		if recover() != nil {
			secret, err = nil, ErrOpen
		}
	}()
	if k.handle == nil || !canonicalCiphertext(wrapped) {
		return nil, ErrOpen
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	secret, err = k.handle.Decrypt(ctx, wrapped)
	switch {
	case errors.Is(err, ErrOpen):
		return nil, ErrOpen
	case err == nil && (len(secret) == 0 || len(secret) > MaxSecret):
		return nil, &KeyError{"unwrap", errFaulty}
	case err != nil:
		return nil, &KeyError{"unwrap", err}
	}
	return secret, nil
}
