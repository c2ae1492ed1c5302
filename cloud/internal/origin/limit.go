package origin

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limit bounds how often something may happen by key, usually a network. It is in memory only, and of bounded size.
type Limit struct {
	every time.Duration
	burst int
	keys  int

	mu sync.Mutex
	by map[string]*rate.Limiter
}

// NewLimit lets something happen burst times at once and then once in every, for as many as keys keys.
func NewLimit(every time.Duration, burst, keys int) *Limit {
	return &Limit{every: every, burst: burst, keys: keys, by: map[string]*rate.Limiter{}}
}

// Allow counts one more time, and reports whether it is within the limit.
func (l *Limit) Allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.by[key]
	if one == nil {
		if len(l.by) >= l.keys {
			l.makeRoom()
		}
		one = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.by[key] = one
	}
	return one.Allow()
}

// Spent reports whether Allow would refuse.
func (l *Limit) Spent(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.by[key]
	return one != nil && one.Tokens() < 1
}

// Forgive forgets what was counted under a key.
func (l *Limit) Forgive(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, key)
}

// makeRoom forgets those for whom the limit would be the same if they were not known, or else all.
func (l *Limit) makeRoom() {
	for key, one := range l.by {
		if one.Tokens() >= float64(l.burst) {
			delete(l.by, key)
		}
	}
	if len(l.by) >= l.keys {
		clear(l.by)
	}
}
