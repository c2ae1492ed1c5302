package gm

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Handle is a private key that stays where its provider keeps it. It is safe for concurrent use. Its methods return when their context
// ends, and fail with any error but ErrOpen when the key cannot be used now: the module is gone, locked or broken.
type Handle interface {
	// Public gives the key's other half. It never changes and never fails: a provider reads it when it opens the key.
	Public() PublicKey
	// SignDigest gives the signature of the digest e of GB/T 32918.2 §6.1, which is SM3 over Z_A and the message: DER, GM/T 0009 §7.3.
	SignDigest(ctx context.Context, e [Size]byte) ([]byte, error)
	// Decrypt opens a ciphertext: DER, GM/T 0009 §7.2, its form and its point already checked. One that cannot be opened is ErrOpen.
	Decrypt(ctx context.Context, der []byte) ([]byte, error)
}

// Provider keeps private keys: Software in the memory of this program, others in a certified module (GM/T 0018, GM/T 0016) that never
// gives them out. gmtest has the tests that each of them must pass.
type Provider interface {
	// Generate draws a key pair. The reference is what Open takes to give the same key again, in this program or a later one.
	Generate(ctx context.Context) (key Handle, reference string, err error)
	// Open gives a key that exists. It fails with ErrInvalid for a reference that stands for none.
	Open(ctx context.Context, reference string) (Handle, error)
}

// KeyError is a private key that could not be used, whatever it was asked. Trying again may help.
type KeyError struct {
	Op  string // draw, open, sign or unwrap
	Err error
}

func (e *KeyError) Error() string { return "gm: " + e.Op + ": " + e.Err.Error() }

func (e *KeyError) Unwrap() error { return e.Err }

// patience is how long a provider may take for one answer: a key in a module on USB takes some tens of milliseconds.
const patience = 5 * time.Second

// errFaulty is a provider's answer that is none: a signature that does not verify gives the key away.
var errFaulty = errors.New("the provider gave a wrong answer")

// GenerateKeyIn draws a key pair that p keeps, and gives the reference for OpenKey. It fails with *KeyError.
func GenerateKeyIn(p Provider) (PrivateKey, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h, reference, err := p.Generate(ctx)
	if err == nil && (h == nil || h.Public().IsZero()) {
		err = errFaulty
	}
	if err != nil {
		return PrivateKey{}, "", &KeyError{"draw", err}
	}
	return PrivateKey{h}, reference, nil
}

// OpenKey gives a key that p keeps. It fails with *KeyError; a reference that will never stand for a key is ErrInvalid in it.
func OpenKey(p Provider, reference string) (PrivateKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	h, err := p.Open(ctx, reference)
	if err == nil && (h == nil || h.Public().IsZero()) {
		err = errFaulty
	}
	if err != nil {
		return PrivateKey{}, &KeyError{"open", err}
	}
	return PrivateKey{h}, nil
}

// Software is the provider that keeps keys in the memory of this program. The reference of a key is the key itself: a PEM block with
// PKCS#8 without a password, as "openssl genpkey -algorithm SM2" writes it.
type Software struct{}

// Generate implements Provider.
func (Software) Generate(context.Context) (Handle, string, error) {
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	h := &softKey{k}
	text, err := h.pem()
	return h, text, err
}

// Open implements Provider.
func (Software) Open(_ context.Context, reference string) (h Handle, err error) {
	defer func() {
		if recover() != nil { // the parser is not ours; a key file must never end the program
			h, err = nil, ErrInvalid
		}
	}()
	if len(reference) > maxKey {
		return nil, ErrInvalid
	}
	block, rest := pem.Decode([]byte(reference))
	if block == nil || block.Type != "PRIVATE KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, ErrInvalid
	}
	parsed, err := smx509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, ErrInvalid
	}
	key, ok := parsed.(*sm2.PrivateKey)
	if !ok {
		return nil, ErrInvalid
	}
	return &softKey{key}, nil
}

// softKey is a key in memory. It is only ever held by pointer, which is all that printing a struct around it shows.
type softKey struct{ key *sm2.PrivateKey }

func (k *softKey) Public() PublicKey { return PublicKey{&k.key.PublicKey} }

func (k *softKey) SignDigest(_ context.Context, e [Size]byte) ([]byte, error) {
	return sm2.SignASN1(rand.Reader, k.key, e[:], nil)
}

func (k *softKey) Decrypt(_ context.Context, der []byte) (secret []byte, err error) {
	defer func() {
		if recover() != nil {
			secret, err = nil, ErrOpen
		}
	}()
	secret, err = k.key.Decrypt(nil, der, sm2.ASN1DecrypterOpts)
	if err != nil {
		return nil, ErrOpen
	}
	return secret, nil
}

func (k *softKey) pem() (string, error) {
	der, err := smx509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return "", fmt.Errorf("gm: encode key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}
