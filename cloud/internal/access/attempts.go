package access

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// One address may try to sign in this often: enough for a room of people behind one address, too little to fill the audit or to
// keep the machine hashing.
const (
	attemptPause = 2 * time.Second
	attemptBurst = 30
	maxAddresses = 4096
)

// attempts limits sign-in by address.
type attempts struct {
	mu   sync.Mutex
	from map[string]*rate.Limiter
}

func (a *attempts) allow(remote string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.from[remote]
	if l == nil {
		if len(a.from) >= maxAddresses {
			clear(a.from)
		}
		l = rate.NewLimiter(rate.Every(attemptPause), attemptBurst)
		a.from[remote] = l
	}
	return l.Allow()
}
