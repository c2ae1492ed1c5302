package access

import (
	"errors"

	"halledge/agent/kit/phc"
)

// PINs have 4 to 64 bytes.
const (
	MinPIN = 4
	MaxPIN = 64
)

// ErrPINLength says that a PIN is too short or too long.
var ErrPINLength = errors.New("a PIN of this length is not allowed")

// HashPIN gives the hash of a PIN as hall.yaml holds it.
func HashPIN(pin string) (string, error) {
	if len(pin) < MinPIN || len(pin) > MaxPIN {
		return "", ErrPINLength
	}
	return phc.New([]byte(pin)).String(), nil
}
