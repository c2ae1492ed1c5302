package gm

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Bounds of the questions remembered: a thousand a second for four minutes, and a sixteenth of that from one asker, so that one who asks
// without end shuts out himself alone.
const (
	maxNonces   = 1 << 18
	maxNoncesOf = maxNonces / 16
)

// Door lets signed questions in, each once, and signs the answers. It is safe for concurrent use.
type Door struct {
	Now func() time.Time // by which questions are old; nil: the machine's clock. It is set before the first

	sign func(believed string, message []byte) ([]byte, error)
	keys func(name string) (PublicKey, bool)

	mu    sync.Mutex
	seen  map[string]map[string]time.Time // by signer and nonce
	count int                             // of all signers
	swept time.Time
}

// NewDoor gives a door whose answers are signed by key, a PrivateKey or who keeps one; keys gives the key of somebody who may ask.
func NewDoor(key interface {
	Sign(message []byte) ([]byte, error)
}, keys func(name string) (PublicKey, bool)) *Door {
	return NewDoorOf(func(_ string, message []byte) ([]byte, error) { return key.Sign(message) }, keys)
}

// NewDoorOf gives a door of somebody who has changed keys: sign is told which of them the asker believes, by PublicKey.ID. It may be any text.
func NewDoorOf(sign func(believed string, message []byte) ([]byte, error), keys func(name string) (PublicKey, bool)) *Door {
	return &Door{sign: sign, keys: keys, seen: map[string]map[string]time.Time{}}
}

// Handler answers POSTs whose signature is good with what do gives for who asks and what. Others get 401 without a word of why, a
// question that came before too.
func (d *Door) Handler(do func(ctx context.Context, name string, body []byte) (status int, answer []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		q, ok := d.admit(r, body)
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		status, answer := do(r.Context(), q.signer, body)
		sig, err := d.sign(r.Header.Get(headerPeer), answerMessage(q.nonce, status, answer))
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set(headerSignature, base64.StdEncoding.EncodeToString(sig))
		w.WriteHeader(status)
		_, _ = w.Write(answer) // who has gone away cannot be told anything
	})
}

func (d *Door) admit(r *http.Request, body []byte) (question, bool) {
	q, at, sig, ok := asked(r)
	if !ok {
		return q, false
	}
	now := time.Now()
	if d.Now != nil {
		now = d.Now()
	}
	if off := now.Sub(at); off > Window || off < -Window {
		return q, false
	}
	key, known := d.keys(q.signer)
	if !known || !key.Verify(q.message(body), sig) {
		return q, false
	}
	return q, d.first(q.signer, q.nonce, now)
}

// first notes a question that was let in; it is false for one that was before. When too many are remembered nobody is let in, and whoever
// asked too many himself neither: to forget some would let copies of them in.
func (d *Door) first(signer, nonce string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	full := func() bool { return d.count >= maxNonces || len(d.seen[signer]) >= maxNoncesOf }
	if idle := now.Sub(d.swept); idle > Window || full() && idle > time.Second {
		d.sweep(now)
	}
	if _, before := d.seen[signer][nonce]; before || full() {
		return false
	}
	if d.seen[signer] == nil {
		d.seen[signer] = map[string]time.Time{}
	}
	d.seen[signer][nonce] = now
	d.count++
	return true
}

// sweep forgets what is too old to be let in again.
func (d *Door) sweep(now time.Time) {
	d.swept = now
	for signer, nonces := range d.seen {
		for nonce, at := range nonces {
			if now.Sub(at) > nonceKept {
				delete(nonces, nonce)
				d.count--
			}
		}
		if len(nonces) == 0 {
			delete(d.seen, signer)
		}
	}
}
