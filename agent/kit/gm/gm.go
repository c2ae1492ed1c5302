// Package gm gives the national (GM) algorithms that HallEdge uses: SM3 and HMAC-SM3 (GB/T 32905), SM2 signatures and the wrapping of
// keys (GB/T 32918, GM/T 0009), records sealed with SM4-GCM (GB/T 32907), and HTTP questions and answers that are signed with them.
// Certificates are in cert, connections in tlcp. Nobody outside of these three may import a library of these algorithms: what those get
// wrong is kept in here.
//
// All keys are the caller's values: a private key cannot be printed, logged or encoded by accident, and a public key that exists is a
// point of the curve. Where private keys are kept is a Provider's affair: a certified module takes the place of the software with no
// change to who uses them.
package gm

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"github.com/emmansun/gmsm/sm3"
)

// Size is the length of an SM3 digest in bytes.
const Size = 32

// Sum gives the SM3 digest of data.
func Sum(data []byte) [Size]byte { return sm3.Sum(data) }

// SumReader gives the SM3 of all that a reader has, and its length.
func SumReader(r io.Reader) (sum [Size]byte, n int64, err error) {
	h := sm3.New()
	n, err = io.Copy(h, r)
	h.Sum(sum[:0])
	return sum, n, err
}

// HMAC gives the HMAC-SM3 of the parts under a key. Each part is preceded by its length, so that no two lists of parts are the same
// message.
func HMAC(key []byte, parts ...string) [Size]byte {
	return mac(key, join(parts))
}

func mac(key, message []byte) (out [Size]byte) {
	h := hmac.New(sm3.New, key)
	h.Write(message)
	h.Sum(out[:0])
	return out
}

// Equal compares two secrets in a time that does not depend on where they differ.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// ErrInvalid is all that is said of a key that cannot be used.
var ErrInvalid = errors.New("gm: not a usable SM2 key")

// Pseudonym gives a name for whoever has a number: the same for all who hold the key, and of no use for finding the number out without
// it. It is empty for no number.
func Pseudonym(key []byte, number string) string {
	number = strings.ToUpper(strings.TrimSpace(number))
	if number == "" {
		return ""
	}
	sum := HMAC(key, "halledge-person-1", number)
	return hex.EncodeToString(sum[:pseudonymBytes])
}

// IndexID names a key that pseudonyms are made with, and tells nothing of it.
func IndexID(key []byte) string {
	digest := HMAC(key, "halledge-index-1")
	return hex.EncodeToString(digest[:8])
}

// pseudonymBytes of the code are kept: 128 bits never meet by chance.
const pseudonymBytes = 16
