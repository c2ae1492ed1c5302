// Package breaker gives a guard that spares people the wait for a far end that is known to be down.
package breaker

import (
	"sync"
	"time"
)

// A far end that failed this often within this time is not asked again for a while; then one question tries it.
const (
	Failures = 5
	Within   = 30 * time.Second
	Rest     = 15 * time.Second
)

// Breaker counts the failures of one far end. The zero value lets questions pass. It is safe for concurrent use.
type Breaker struct {
	mu       sync.Mutex
	failures []time.Time // the latest, oldest first, at most Failures
	openedAt time.Time   // zero while questions pass
	probing  bool        // one question is on its way to try
}

// Allow reports whether a question may be asked now. Whoever is allowed must Report.
func (b *Breaker) Allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.openedAt.IsZero() {
		return true
	}
	if b.probing || time.Since(b.openedAt) < Rest {
		return false
	}
	b.probing = true
	return true
}

// Open reports whether the far end is taken for down.
func (b *Breaker) Open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.openedAt.IsZero()
}

// Report tells how a question went. An answer that says no is a success: the far end is there.
func (b *Breaker) Report(ok bool) {
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
	if len(b.failures) < Failures {
		return
	}
	b.failures = b.failures[len(b.failures)-Failures:]
	if now.Sub(b.failures[0]) <= Within {
		b.openedAt = now
	}
}
