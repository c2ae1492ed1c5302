package gm

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/emmansun/gmsm/sm4"
)

// A sealed record is
//
//	version 1 | suite 1 | key id (8) | nonce (12) | ciphertext | tag (16)
//
// and what it is about is authenticated with it: "hall-edge/v1", the parts the caller names and the key id, each after its length.
const (
	recordVersion = 1
	suiteSM4GCM   = 1 // SM4-GCM under a key that is wrapped with SM2
	headBytes     = 2 + keyIDBytes
	nonceLength   = 12
	tagBytes      = 16
	dataKeyBytes  = 16
	keyIDBytes    = 8
	domain        = "hall-edge/v1"
)

// Sealed is by how many bytes a record is longer than what is in it.
const Sealed = headBytes + nonceLength + tagBytes

// MaxPlain is the length in bytes of the longest thing that is sealed as one. What is longer goes in pieces whose number, and whether it
// is the last one, are among the parts.
const MaxPlain = 1 << 20

// KeyID names a data key without telling anything of it.
type KeyID [keyIDBytes]byte

// String gives the name in hexadecimal.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// DataKey seals records with SM4-GCM. It cannot be printed or encoded, and leaves the program only wrapped. A key is good for 2²⁸ records,
// whose nonces are drawn at random; its owner draws another one each day. It is safe for concurrent use. The zero value opens nothing.
type DataKey struct{ k *dataKey }

type dataKey struct {
	secret [dataKeyBytes]byte
	id     KeyID
	aead   cipher.AEAD
}

// NewDataKey draws a key.
func NewDataKey() DataKey {
	var secret [dataKeyBytes]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand ends the program instead
	k, _ := ParseDataKey(secret[:])
	return k
}

// ParseDataKey gives the key of 16 bytes. It fails with ErrInvalid for another length.
func ParseDataKey(secret []byte) (DataKey, error) {
	if len(secret) != dataKeyBytes {
		return DataKey{}, ErrInvalid
	}
	block, err := sm4.NewCipher(secret)
	if err != nil {
		return DataKey{}, ErrInvalid
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return DataKey{}, ErrInvalid
	}
	k := &dataKey{secret: [dataKeyBytes]byte(secret), aead: aead}
	digest := Sum(append(slices.Clone(secret), "kid"...))
	copy(k.id[:], digest[:])
	return DataKey{k}, nil
}

// UnwrapDataKey gives the data key that was wrapped for k. It fails as Unwrap does.
func (k PrivateKey) UnwrapDataKey(wrapped []byte) (DataKey, error) {
	secret, err := k.Unwrap(wrapped)
	if err != nil {
		return DataKey{}, err
	}
	defer clear(secret)
	key, err := ParseDataKey(secret)
	if err != nil {
		return DataKey{}, ErrOpen
	}
	return key, nil
}

// IsZero reports whether there is no key.
func (k DataKey) IsZero() bool { return k.k == nil }

// ID names the key in the records it seals.
func (k DataKey) ID() KeyID {
	if k.k == nil {
		return KeyID{}
	}
	return k.k.id
}

// Wrap encrypts the key for the holder of a private key. It fails with ErrInvalid.
func (k DataKey) Wrap(to PublicKey) ([]byte, error) {
	if k.k == nil {
		return nil, ErrInvalid
	}
	return to.Wrap(k.k.secret[:])
}

// Seal encrypts up to MaxPlain bytes. Who opens the record must name the same parts: where it belongs, so that it cannot stand elsewhere.
// It fails with ErrInvalid without a key and with ErrLength.
func (k DataKey) Seal(plain []byte, about ...string) ([]byte, error) {
	switch {
	case k.k == nil:
		return nil, ErrInvalid
	case len(plain) > MaxPlain:
		return nil, ErrLength
	}
	record := make([]byte, headBytes+nonceLength, len(plain)+Sealed)
	record[0], record[1] = recordVersion, suiteSM4GCM
	copy(record[2:], k.k.id[:])
	_, _ = rand.Read(record[headBytes:])
	return k.k.aead.Seal(record, record[headBytes:], plain, k.k.about(about)), nil
}

// Open gives what was sealed. It fails with ErrOpen, whatever is wrong.
func (k DataKey) Open(record []byte, about ...string) (plain []byte, err error) {
	id, err := RecordKey(record)
	if err != nil || k.k == nil || id != k.k.id {
		return nil, ErrOpen
	}
	sealed := record[headBytes:]
	plain, err = k.k.aead.Open(nil, sealed[:nonceLength], sealed[nonceLength:], k.k.about(about))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// RecordKey names the key that a record was sealed with. It fails with ErrOpen for what is no record.
func RecordKey(record []byte) (KeyID, error) {
	if len(record) < Sealed || len(record) > MaxPlain+Sealed || record[0] != recordVersion || record[1] != suiteSM4GCM {
		return KeyID{}, ErrOpen
	}
	return KeyID(record[2:headBytes]), nil
}

func (k *dataKey) about(parts []string) []byte {
	return join(slices.Concat([]string{domain}, parts, []string{string(k.id[:])}))
}

// join gives the parts, each after its length, so that no two lists of parts are the same bytes.
func join(parts []string) []byte {
	room := 0
	for _, p := range parts {
		room += 4 + len(p)
	}
	b := make([]byte, 0, room)
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	return b
}

// Format implements fmt.Formatter for every verb: a key prints nothing of itself.
func (k DataKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") } // a State takes what it is given

// LogValue implements slog.LogValuer.
func (k DataKey) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML: three stars.
func (k DataKey) MarshalText() ([]byte, error) { return []byte("***"), nil }
