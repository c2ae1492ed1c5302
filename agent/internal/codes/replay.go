package codes

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// A code counts once: for replaySame at the place that showed it first it gives the same result again, because scanners and
// people repeat themselves; after that, or anywhere else, it is used until replayKept has gone by.
const (
	replaySame = time.Minute
	replayKept = 10 * time.Minute
	replayMax  = 4096
)

type fingerprint [sha256.Size]byte

// replayGuard remembers the codes shown lately by a keyed digest, so that memory holds nothing a code could be guessed from.
type replayGuard struct {
	key [32]byte

	mu   sync.Mutex
	seen map[fingerprint]*shown
}

type shown struct {
	place string
	at    time.Time
	res   *Result // nil while it is being resolved
}

func newReplayGuard() *replayGuard {
	g := &replayGuard{seen: map[fingerprint]*shown{}}
	_, _ = rand.Read(g.key[:]) // never fails: crypto/rand ends the program instead
	return g
}

func (g *replayGuard) print(text string) fingerprint {
	h := hmac.New(sha256.New, g.key[:])
	h.Write([]byte(text))
	return fingerprint(h.Sum(nil))
}

// begin notes that a code is shown. seen is true if it was shown before; first is then its result, or nil if it is used.
func (g *replayGuard) begin(p fingerprint, place string) (first *Result, seen bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if s := g.seen[p]; s != nil && now.Sub(s.at) < replayKept {
		if s.place != place || now.Sub(s.at) > replaySame {
			return nil, true
		}
		return s.res, s.res != nil
	}
	if len(g.seen) >= replayMax {
		g.sweep(now)
	}
	g.seen[p] = &shown{place: place, at: now}
	return nil, false
}

func (g *replayGuard) keep(p fingerprint, res Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.seen[p]; s != nil {
		s.res = &res
	}
}

func (g *replayGuard) forget(p fingerprint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.seen, p)
}

// sweep makes room: what is past its time goes, and if that is nothing, the oldest.
func (g *replayGuard) sweep(now time.Time) {
	var oldest fingerprint
	at := now
	for p, s := range g.seen {
		if now.Sub(s.at) >= replayKept {
			delete(g.seen, p)
		} else if !s.at.After(at) {
			oldest, at = p, s.at
		}
	}
	if len(g.seen) >= replayMax {
		delete(g.seen, oldest)
	}
}
