package access

import (
	"fmt"

	"halledge/agent/kit/phc"
)

// PINs have 4 to 64 bytes.
const (
	minPIN = 4
	maxPIN = 64
)

// HashPIN gives the hash of a PIN as hall.yaml holds it.
func HashPIN(pin string) (string, error) {
	if len(pin) < minPIN || len(pin) > maxPIN {
		return "", fmt.Errorf("access: a PIN has %d to %d characters", minPIN, maxPIN)
	}
	return phc.New([]byte(pin)).String(), nil
}
