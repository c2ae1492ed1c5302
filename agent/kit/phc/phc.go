// Package phc gives argon2id hashes of passwords and PINs in the PHC string form,
// $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>, with salt and hash in base64 without padding.
package phc

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of a new hash: OWASP's least for argon2id, which a ten-year-old machine does in a tenth of a second.
const (
	memoryKiB = 19 << 10
	passes    = 2
	lanes     = 1
	saltBytes = 16
	hashBytes = 32
)

// The cost a hash may ask for: less is guessed too fast, more lets one sign-in take the whole machine.
const (
	minMemoryKiB, maxMemoryKiB = 8 << 10, 256 << 10
	maxPasses                  = 10
	maxLanes                   = 8
)

// ErrForm says that a text is not an argon2id hash in PHC form, or one of a cost out of bounds.
var ErrForm = errors.New("not an argon2id hash in PHC form with bounded cost")

// Hash is a parsed hash. The zero Hash matches nothing.
type Hash struct {
	memoryKiB, passes uint32
	lanes             uint8
	salt, sum         []byte
}

// New hashes a secret with a fresh salt.
func New(secret []byte) Hash {
	h := Hash{memoryKiB: memoryKiB, passes: passes, lanes: lanes, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt) // never fails (crypto/rand)
	h.sum = h.of(secret, hashBytes)
	return h
}

// Decoy gives the hash of no secret. To compare with it costs as much as with a new one, and to make it costs nothing: it stands for
// people whom nobody knows, so that the time of an answer tells nothing.
func Decoy() Hash {
	h := Hash{memoryKiB: memoryKiB, passes: passes, lanes: lanes, salt: make([]byte, saltBytes), sum: make([]byte, hashBytes)}
	_, _ = rand.Read(h.salt) // never fails (crypto/rand)
	_, _ = rand.Read(h.sum)
	return h
}

// Parse reads a hash.
func Parse(text string) (Hash, error) {
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return Hash{}, ErrForm
	}
	var h Hash
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.memoryKiB, &h.passes, &h.lanes); err != nil {
		return Hash{}, ErrForm
	}
	if h.memoryKiB < minMemoryKiB || h.memoryKiB > maxMemoryKiB || h.passes < 1 || h.passes > maxPasses || h.lanes < 1 || h.lanes > maxLanes {
		return Hash{}, ErrForm
	}
	var errSalt, errSum error
	h.salt, errSalt = base64.RawStdEncoding.Strict().DecodeString(part[4])
	h.sum, errSum = base64.RawStdEncoding.Strict().DecodeString(part[5])
	if errSalt != nil || errSum != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > 64 {
		return Hash{}, ErrForm
	}
	if h.String() != text { // one text for one hash: no blanks, signs or leading zeros
		return Hash{}, ErrForm
	}
	return h, nil
}

// IsZero reports whether this is no hash at all.
func (h Hash) IsZero() bool { return len(h.sum) == 0 }

// Matches reports whether the hash is that of the secret. It takes the hash's cost in time and memory, whatever the answer.
func (h Hash) Matches(secret []byte) bool {
	if h.IsZero() {
		return false
	}
	return subtle.ConstantTimeCompare(h.of(secret, len(h.sum)), h.sum) == 1
}

func (h Hash) of(secret []byte, size int) []byte {
	return argon2.IDKey(secret, h.salt, h.passes, h.memoryKiB, h.lanes, uint32(size))
}

// String gives the PHC form.
func (h Hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memoryKiB, h.passes, h.lanes,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}
