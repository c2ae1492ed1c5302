package codes

import (
	"sync"
	"time"
)

// A resolver that failed this often within this time is not asked again for a while; then one question tries it.
const (
	breakerFailures = 5
	breakerWindow   = 30 * time.Second
	breakerRest     = 15 * time.Second
)

// breaker spares the citizens the wait for a resolver that is known to be down.
type breaker struct {
	mu       sync.Mutex
	failures []time.Time // the latest, oldest first, at most breakerFailures
	openedAt time.Time   // zero while questions pass
	probing  bool        // one question is on its way to try
}

// allow reports whether a question may be asked now. Whoever is allowed must report.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.openedAt.IsZero() {
		return true
	}
	if b.probing || time.Since(b.openedAt) < breakerRest {
		return false
	}
	b.probing = true
	return true
}

// report tells how a question went. An answer that says no is a success: the resolver is there.
func (b *breaker) report(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	wasProbe := b.probing
	b.probing = false
	switch {
	case ok:
		b.failures, b.openedAt = nil, time.Time{}
		return
	case wasProbe:
		b.openedAt = now
		return
	}
	b.failures = append(b.failures, now)
	if len(b.failures) < breakerFailures {
		return
	}
	b.failures = b.failures[len(b.failures)-breakerFailures:]
	if now.Sub(b.failures[0]) <= breakerWindow {
		b.openedAt = now
	}
}
