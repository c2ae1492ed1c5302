package gm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
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

// PrivateKey signs and unwraps. It cannot be printed or encoded; only PEM gives it out, and only if it is in the memory of this program.
// It is safe for concurrent use. The zero value signs nothing.
type PrivateKey struct{ handle Handle }

// GenerateKey draws a key pair that this program keeps.
func GenerateKey() (PrivateKey, error) {
	k, _, err := GenerateKeyIn(Software{})
	return k, err
}

// ParsePrivateKey reads a PEM block with a PKCS#8 key without a password, as "openssl genpkey -algorithm SM2" writes it. It fails with
// ErrInvalid.
func ParsePrivateKey(text string) (PrivateKey, error) {
	h, err := Software{}.Open(context.Background(), text)
	if err != nil {
		return PrivateKey{}, err
	}
	return PrivateKey{h}, nil
}

// PEM gives the key itself, in the form ParsePrivateKey reads. Whoever holds it signs in this name. It fails with ErrInvalid for no key
// and for one that another provider keeps.
func (k PrivateKey) PEM() (string, error) {
	own, ok := k.handle.(*softKey)
	if !ok {
		return "", ErrInvalid
	}
	return own.pem()
}

// IsZero reports whether there is no key.
func (k PrivateKey) IsZero() bool { return k.handle == nil }

// Public gives the key that checks what k signs and wraps what k unwraps.
func (k PrivateKey) Public() PublicKey {
	if k.handle == nil {
		return PublicKey{}
	}
	return k.handle.Public()
}

// Sign gives the SM2 signature with SM3 of a message, as ASN.1 DER. It fails with ErrInvalid for no key and with *KeyError when the key
// cannot be used now.
func (k PrivateKey) Sign(message []byte) ([]byte, error) {
	if k.handle == nil {
		return nil, ErrInvalid
	}
	public := k.handle.Public()
	e, err := sm2.CalculateSM2Hash(public.key, message, []byte(userID))
	if err != nil {
		return nil, ErrInvalid
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sig, err := k.handle.SignDigest(ctx, [Size]byte(e))
	if err != nil {
		return nil, &KeyError{"sign", err}
	}
	if _, own := k.handle.(*softKey); !own && !public.Verify(message, sig) {
		return nil, &KeyError{"sign", errFaulty}
	}
	return sig, nil
}

// Signer gives k to libraries that sign through the standard interface. They hand over the message, not its digest; the digest is SM3
// with the signer's identity in any case.
func (k PrivateKey) Signer() crypto.Signer { return signer{k} }

type signer struct{ k PrivateKey }

func (s signer) Public() crypto.PublicKey { return s.k.Public().key }

func (s signer) Sign(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.k.Sign(message)
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
	return PublicKeyOf(parsed)
}

// PublicKeyOf gives the key that the standard library's type holds, such as a certificate's. It fails with ErrInvalid for a key of another
// curve and for no point of it.
func PublicKeyOf(key crypto.PublicKey) (k PublicKey, err error) {
	defer func() {
		if recover() != nil {
			k, err = PublicKey{}, ErrInvalid
		}
	}()
	standard, ok := key.(*ecdsa.PublicKey)
	if !ok || standard == nil || standard.Curve != sm2.P256() {
		return PublicKey{}, ErrInvalid
	}
	point, err := sm2.PublicKeyToECDH(standard)
	if err != nil {
		return PublicKey{}, ErrInvalid
	}
	checked, err := sm2.NewPublicKey(point.Bytes())
	if err != nil {
		return PublicKey{}, ErrInvalid
	}
	return PublicKey{checked}, nil
}

// Standard gives the key as the standard library's type, which libraries take. It is nil for no key.
func (k PublicKey) Standard() *ecdsa.PublicKey { return k.key }

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

// ID names the key, in 16 hexadecimal digits of the SM3 digest of its SubjectPublicKeyInfo. It is empty for no key.
func (k PublicKey) ID() string {
	if k.key == nil {
		return ""
	}
	der, err := smx509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return ""
	}
	sum := Sum(der)
	return hex.EncodeToString(sum[:keyIDBytes])
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
	if k.key == nil || !canonicalSignature(sig) {
		return false
	}
	return sm2.VerifyASN1WithSM2(k.key, []byte(userID), message, sig)
}
