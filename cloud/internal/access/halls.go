package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"halledge/agent/kit/phc"
	"halledge/firmware-protocols/hallsync"
)

// Halls checks the passwords of the halls' MQTT users. argon2id is slow on purpose, and after an outage two thousand halls come
// back at once: a password that was right once is remembered as a keyed digest, under a key that dies with the process.
type Halls struct {
	passwords map[hallsync.HallID]phc.Hash
	key       []byte
	slots     chan struct{}

	mu    sync.Mutex
	right map[hallsync.HallID][]byte
}

// NewHalls takes the password hashes of all halls that may connect.
func NewHalls(passwords map[hallsync.HallID]phc.Hash) *Halls {
	h := &Halls{passwords: passwords, key: make([]byte, 32), slots: make(chan struct{}, hashesAtOnce), right: map[hallsync.HallID][]byte{}}
	_, _ = rand.Read(h.key) // never fails (crypto/rand)
	return h
}

// Authenticate reports whether the password is that of the hall. It waits for its turn to compute, at most until ctx ends.
func (h *Halls) Authenticate(ctx context.Context, hall hallsync.HallID, password []byte) bool {
	hash, known := h.passwords[hall]
	if !known || len(password) == 0 || len(password) > maxPassword {
		return false
	}
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(hall))
	mac.Write(password)
	digest := mac.Sum(nil)
	h.mu.Lock()
	right := hmac.Equal(h.right[hall], digest)
	h.mu.Unlock()
	if right {
		return true
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return false
	}
	if !hash.Matches(password) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.right[hall] = digest
	return true
}
