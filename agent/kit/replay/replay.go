// Package replay gives a guard that lets a code count once. What it remembers of a code is a keyed digest under a key that dies with
// the process, so that memory holds nothing a code could be guessed from.
package replay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// A code counts once: for Same whoever showed it first gets the same result again, because scanners and people repeat themselves; after
// that, or for anybody else, it is used until Kept has gone by, or its own time if that is longer.
const (
	Same = time.Minute
	Kept = 10 * time.Minute
	Most = 4096           // codes remembered
	Long = 24 * time.Hour // the longest life a code may claim
)

// Mark stands for a code.
type Mark [sha256.Size]byte

// State is what a guard knows of a code.
type State int

// The states.
const (
	Fresh State = iota // not shown lately, or still being resolved for the same asker
	Again              // shown before by the same asker: the first result counts
	Used               // shown before by another, or too long ago
)

// Guard remembers the codes shown lately with what they came to. It is safe for concurrent use.
type Guard[R any] struct {
	key [32]byte

	mu   sync.Mutex
	seen map[Mark]*shown[R]
}

type shown[R any] struct {
	who   string
	at    time.Time
	until time.Time
	res   *R   // nil while it is being resolved
	bound bool // the result counts as long as the code is remembered
}

// New gives an empty guard.
func New[R any]() *Guard[R] {
	g := &Guard[R]{seen: map[Mark]*shown[R]{}}
	_, _ = rand.Read(g.key[:]) // never fails: crypto/rand ends the program instead
	return g
}

// Mark gives the mark of a code.
func (g *Guard[R]) Mark(code string) Mark {
	h := hmac.New(sha256.New, g.key[:])
	h.Write([]byte(code))
	return Mark(h.Sum(nil))
}

// Begin notes that somebody shows a code. The result is there for Again only.
func (g *Guard[R]) Begin(m Mark, who string) (first R, state State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if s := g.seen[m]; s != nil && now.Before(s.until) {
		switch {
		case s.who != who:
			return first, Used
		case s.res == nil:
			return first, Fresh
		case s.bound || now.Sub(s.at) <= Same:
			return *s.res, Again
		}
		return first, Used
	}
	g.note(m, &shown[R]{who: who, at: now, until: now.Add(Kept)}, now)
	return first, Fresh
}

// Keep notes what a code came to and gives what counts: a code that has had its effect meanwhile keeps that. expires is the end of the
// code's own life, zero if nobody told.
func (g *Guard[R]) Keep(m Mark, who string, res R, expires time.Time) R {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	s := g.seen[m]
	if s == nil { // forgotten because the same code came to nothing elsewhere
		s = &shown[R]{who: who, at: now, until: now.Add(Kept)}
		g.note(m, s, now)
	}
	if s.bound {
		return *s.res
	}
	s.res = &res
	if latest := s.at.Add(Long); expires.After(latest) {
		expires = latest
	}
	if expires.After(s.until) {
		s.until = expires
	}
	return res
}

// Bind says that a code has had its effect for somebody: as long as it is remembered it gives him this result again, and nobody else
// anything.
func (g *Guard[R]) Bind(m Mark, who string, res R) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	s := g.seen[m]
	if s == nil {
		s = &shown[R]{who: who, at: now, until: now.Add(Kept)}
		g.note(m, s, now)
	}
	s.who, s.res, s.bound = who, &res, true
}

// Forget says that a code came to nothing and may be shown again.
func (g *Guard[R]) Forget(m Mark) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.seen[m]; s != nil && !s.bound {
		delete(g.seen, m)
	}
}

func (g *Guard[R]) note(m Mark, s *shown[R], now time.Time) {
	if len(g.seen) >= Most {
		g.sweep(now)
	}
	g.seen[m] = s
}

// sweep makes room: what is past its time goes, and if that is nothing, the oldest.
func (g *Guard[R]) sweep(now time.Time) {
	var oldest Mark
	at := now
	for m, s := range g.seen {
		if !now.Before(s.until) {
			delete(g.seen, m)
		} else if !s.at.After(at) {
			oldest, at = m, s.at
		}
	}
	if len(g.seen) >= Most {
		delete(g.seen, oldest)
	}
}
