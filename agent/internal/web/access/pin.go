package access

import (
	"context"
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

// HashPIN is the function of that name, for requests: one is hashed at a time, as when people sign in.
func (d *Door) HashPIN(ctx context.Context, pin string) (string, error) {
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return HashPIN(pin)
}
