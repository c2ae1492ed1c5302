package store

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// AnswerKey identifies one request for ever: whose it is, what it asked and the key it carried.
type AnswerKey [32]byte

// KeyOf makes the key of a request from its credential, method, path and Idempotency-Key.
func KeyOf(credential, method, path, key string) AnswerKey {
	h := sha256.New()
	for _, part := range []string{credential, method, path, key} {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	return AnswerKey(h.Sum(nil))
}

// Answer is what was said to a request, byte for byte. Asked is the digest of the request's body, At when it was stored.
type Answer struct {
	Status int       `json:"status"`
	Body   []byte    `json:"body"`
	Asked  string    `json:"asked"`
	At     time.Time `json:"at"`
}

// DigestOf gives the digest of a request's body for Answer.Asked.
func DigestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
