package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Costs of a new hash: the second choice of RFC 9106 scaled to machines with 2 GB (OWASP's minimum: 19 MiB, 2 passes).
const (
	pinMemoryKiB = 19 << 10
	pinPasses    = 2
	pinThreads   = 1
	pinSalt      = 16
	pinHash      = 32
)

// PINs have 4 to 64 bytes.
const (
	minPIN = 4
	maxPIN = 64
)

// phc is an argon2id hash in PHC string form: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>, base64 without padding.
type phc struct {
	memoryKiB, passes uint32
	threads           uint8
	salt, hash        []byte
}

// HashPIN gives the hash of a PIN as hall.yaml holds it.
func HashPIN(pin string) (string, error) {
	if len(pin) < minPIN || len(pin) > maxPIN {
		return "", fmt.Errorf("access: a PIN has %d to %d characters", minPIN, maxPIN)
	}
	p := phc{memoryKiB: pinMemoryKiB, passes: pinPasses, threads: pinThreads, salt: make([]byte, pinSalt), hash: make([]byte, pinHash)}
	if _, err := rand.Read(p.salt); err != nil {
		return "", fmt.Errorf("access: draw salt: %w", err)
	}
	p.hash = p.of(pin)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memoryKiB, p.passes, p.threads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.hash)), nil
}

func (p *phc) of(pin string) []byte {
	return argon2.IDKey([]byte(pin), p.salt, p.passes, p.memoryKiB, p.threads, uint32(len(p.hash)))
}

func (p *phc) matches(pin string) bool { return subtle.ConstantTimeCompare(p.of(pin), p.hash) == 1 }

var errPHC = errors.New("not an argon2id hash in PHC form")

// parsePHC reads a hash. Costs are bounded, so that a hash from a file cannot make the agent run out of memory.
func parsePHC(text string) (phc, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" {
		return phc{}, errPHC
	}
	var p phc
	var version int
	if _, err := fmt.Sscanf(fields[2], "v=%d", &version); err != nil || version != argon2.Version {
		return phc{}, fmt.Errorf("%w: version", errPHC)
	}
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.memoryKiB, &p.passes, &p.threads); err != nil {
		return phc{}, fmt.Errorf("%w: costs", errPHC)
	}
	if p.memoryKiB < 8<<10 || p.memoryKiB > 256<<10 || p.passes < 1 || p.passes > 10 || p.threads < 1 || p.threads > 8 {
		return phc{}, fmt.Errorf("%w: costs out of bounds", errPHC)
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(fields[4])
	p.hash, err2 = base64.RawStdEncoding.Strict().DecodeString(fields[5])
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.salt) > 64 || len(p.hash) < 16 || len(p.hash) > 64 {
		return phc{}, fmt.Errorf("%w: salt or hash", errPHC)
	}
	return p, nil
}
