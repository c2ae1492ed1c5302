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

// maxNonces bounds the questions remembered: a thousand a second for four minutes.
const maxNonces = 1 << 18

// Door lets signed questions in, each once, and signs the answers. It is safe for concurrent use.
type Door struct {
	key  PrivateKey
	keys func(name string) (PublicKey, bool)

	mu    sync.Mutex
	seen  map[string]time.Time // by signer and nonce
	swept time.Time
}

// NewDoor gives a door whose answers are signed by key; keys gives the key of somebody who may ask.
func NewDoor(key PrivateKey, keys func(name string) (PublicKey, bool)) *Door {
	return &Door{key: key, keys: keys, seen: map[string]time.Time{}}
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
		sig, err := d.key.Sign(answerMessage(q.nonce, status, answer))
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
	if off := now.Sub(at); off > Window || off < -Window {
		return q, false
	}
	key, known := d.keys(q.signer)
	if !known || !key.Verify(q.message(body), sig) {
		return q, false
	}
	return q, d.first(q.signer+"\n"+q.nonce, now)
}

// first notes a question that was let in; it is false for one that was before. When too many are remembered nobody is let in: to
// forget some would let copies of them in.
func (d *Door) first(id string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.swept) > Window || len(d.seen) >= maxNonces && now.Sub(d.swept) > time.Second {
		d.swept = now
		for id, at := range d.seen {
			if now.Sub(at) > nonceKept {
				delete(d.seen, id)
			}
		}
	}
	if _, before := d.seen[id]; before || len(d.seen) >= maxNonces {
		return false
	}
	d.seen[id] = now
	return true
}
