package gm

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Bounds of what is parsed: a key and a signature have a few hundred bytes at most.
const (
	maxKey       = 4096
	maxSignature = 80
)

// userID is the signer's distinguishing identifier of GM/T 0009, which everybody uses unless agreed otherwise.
const userID = "1234567812345678"

// PrivateKey signs. It cannot be printed or encoded; only PEM gives it out. The zero value signs nothing.
type PrivateKey struct{ key *sm2.PrivateKey }

// GenerateKey draws a key pair.
func GenerateKey() (PrivateKey, error) {
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("gm: draw key: %w", err)
	}
	return PrivateKey{k}, nil
}

// ParsePrivateKey reads a PEM block with a PKCS#8 key without a password, as "openssl genpkey -algorithm SM2" writes it. It fails with
// ErrInvalid.
func ParsePrivateKey(text string) (k PrivateKey, err error) {
	defer func() {
		if recover() != nil { // the parser is not ours; a key file must never end the program
			k, err = PrivateKey{}, ErrInvalid
		}
	}()
	if len(text) > maxKey {
		return PrivateKey{}, ErrInvalid
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PRIVATE KEY" || strings.TrimSpace(string(rest)) != "" {
		return PrivateKey{}, ErrInvalid
	}
	parsed, err := smx509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return PrivateKey{}, ErrInvalid
	}
	key, ok := parsed.(*sm2.PrivateKey)
	if !ok {
		return PrivateKey{}, ErrInvalid
	}
	return PrivateKey{key}, nil
}

// PEM gives the key itself, in the form ParsePrivateKey reads. Whoever holds it signs in this name.
func (k PrivateKey) PEM() (string, error) {
	if k.key == nil {
		return "", ErrInvalid
	}
	der, err := smx509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return "", ErrInvalid
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// IsZero reports whether there is no key.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Public gives the key that checks what k signs.
func (k PrivateKey) Public() PublicKey {
	if k.key == nil {
		return PublicKey{}
	}
	return PublicKey{&k.key.PublicKey}
}

// Sign gives the SM2 signature with SM3 of a message, as ASN.1 DER.
func (k PrivateKey) Sign(message []byte) ([]byte, error) {
	if k.key == nil {
		return nil, ErrInvalid
	}
	sig, err := k.key.SignWithSM2(rand.Reader, []byte(userID), message)
	if err != nil {
		return nil, fmt.Errorf("gm: sign: %w", err)
	}
	return sig, nil
}

// Format implements fmt.Formatter for every verb: a private key prints nothing of itself.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") } // a State takes what it is given

// LogValue implements slog.LogValuer.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML: three stars.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte("***"), nil }

// PublicKey checks signatures. As text it is the base64 of its SubjectPublicKeyInfo, which is the body of the PEM file that "openssl
// pkey -pubout" writes. The zero value finds no signature good.
type PublicKey struct{ key *ecdsa.PublicKey }

// ParsePublicKey reads a key from text, with or without the lines of PEM around it. It fails with ErrInvalid, also for what is not a
// point of the curve.
func ParsePublicKey(text string) (k PublicKey, err error) {
	defer func() {
		if recover() != nil {
			k, err = PublicKey{}, ErrInvalid
		}
	}()
	if len(text) > maxKey {
		return PublicKey{}, ErrInvalid
	}
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if block, rest := pem.Decode([]byte(text)); block != nil && block.Type == "PUBLIC KEY" && len(rest) == 0 {
		der, err = block.Bytes, nil
	}
	if err != nil {
		return PublicKey{}, ErrInvalid
	}
	parsed, err := smx509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, ErrInvalid
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != sm2.P256() {
		return PublicKey{}, ErrInvalid
	}
	return PublicKey{key}, nil
}

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

// String gives the key as text, empty for none.
func (k PublicKey) String() string {
	if k.key == nil {
		return ""
	}
	der, err := smx509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return "" // a key that was parsed or drawn can be written
	}
	return base64.StdEncoding.EncodeToString(der)
}

// MarshalText implements encoding.TextMarshaler.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a key; empty text is no key.
func (k *PublicKey) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*k = PublicKey{}
		return nil
	}
	*k, err = ParsePublicKey(string(b))
	return err
}

// Verify reports whether sig is a signature of the message by the holder of the private key. Only the one DER form of a signature is
// good: a second form of the same one would pass for another.
func (k PublicKey) Verify(message, sig []byte) (good bool) {
	defer func() {
		if recover() != nil {
			good = false
		}
	}()
	if k.key == nil || len(sig) > maxSignature || !canonical(sig) {
		return false
	}
	return sm2.VerifyASN1WithSM2(k.key, []byte(userID), message, sig)
}
