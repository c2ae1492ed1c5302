package access

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A person is locked out for lockTime at an address after maxFailures wrong PINs in a row there, and twice as long each further time, up
// to longestLock, until nothing was wrong there for forgetTime. An address is locked in the same way for whoever has not signed in there
// before, after maxStrange wrong PINs of such people: who tries one PIN with many names gets no further. Whoever has many addresses is
// stopped by maxGuesses in guessTime, from all addresses where that person has not signed in before: nobody can lock a clerk out of his
// own machine.
const (
	maxFailures = 5
	maxStrange  = 15
	lockTime    = 5 * time.Minute
	longestLock = time.Hour
	forgetTime  = 12 * time.Hour
	maxGuesses  = 30
	guessTime   = time.Hour
	maxTallies  = 1024 // remembered, also of people who do not exist
)

// tries counts the PINs that were tried, before they are compared: guesses sent together count as those sent one by one.
type tries struct {
	mu   sync.Mutex
	at   map[spot]*tally
	of   map[string]*tally       // by person
	from map[netip.Prefix]*tally // of strangers, by address
}

// spot is a person, who may not exist, at an address.
type spot struct {
	user string
	from netip.Prefix
}

// tally counts the tries that were wrong or are not answered yet.
type tally struct {
	count int
	since time.Time // of a spot: of its last try; of a person: when the counting began
	locks int       // how often the count was full before: each lock is longer
	real  bool      // the person exists
	home  bool      // the person has signed in at this spot
}

// try is one that was counted.
type try struct {
	spot
	far bool // not from an address where that person has signed in
}

// lock is a refusal to compare a PIN: for how long, and whether the machine is locked and not the person there.
type lock struct {
	rest   time.Duration
	device bool
}

// begin counts a try, or gives the lock because of which there may be none.
func (t *tries) begin(s spot, real bool) (one try, locked lock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	at := find(t.at, s, maxFailures, now)
	from := find(t.from, s.from, maxStrange, now)
	of := find(t.of, s.user, 0, now)
	at.real, of.real, from.real = real, real, true
	one = try{spot: s, far: !at.home}
	switch {
	case at.count >= maxFailures:
		return one, lock{rest: at.lockTerm() - now.Sub(at.since)}
	case one.far && from.count >= maxStrange:
		return one, lock{rest: from.lockTerm() - now.Sub(from.since), device: true}
	case one.far && of.count >= maxGuesses:
		return one, lock{rest: guessTime - now.Sub(of.since)}
	}
	at.count++
	at.since = now
	if one.far {
		from.count++
		from.since = now
		if of.count == 0 {
			of.since = now
		}
		of.count++
	}
	return one, lock{}
}

// lockTerm is how long a full count locks.
func (x *tally) lockTerm() time.Duration { return min(lockTime<<min(x.locks, 8), longestLock) }

// right ends a try with the right PIN: what was wrong at this spot before is forgotten, but not what others guess elsewhere.
func (t *tries) right(one try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.uncount(one)
	if at := t.at[one.spot]; at != nil {
		at.count, at.locks, at.since, at.home = 0, 0, time.Now(), true
	}
}

// undo takes back a try that came to nothing: no PIN was compared.
func (t *tries) undo(one try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.uncount(one)
}

func (t *tries) uncount(one try) {
	if at := t.at[one.spot]; at != nil && at.count > 0 {
		at.count--
	}
	if from := t.from[one.from]; one.far && from != nil && from.count > 0 {
		from.count--
	}
	if of := t.of[one.user]; one.far && of != nil && of.count > 0 {
		of.count--
	}
}

// wrong ends a try with a wrong PIN and gives the lock it led to, if any.
func (t *tries) wrong(one try) lock {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := t.at[one.spot]; at != nil && at.count >= maxFailures {
		return lock{rest: at.lockTerm()}
	}
	if from := t.from[one.from]; one.far && from != nil && from.count >= maxStrange {
		return lock{rest: from.lockTerm(), device: true}
	}
	if of := t.of[one.user]; one.far && of != nil && of.count >= maxGuesses {
		return lock{rest: guessTime - time.Since(of.since)}
	}
	return lock{}
}

// forget begins anew with a person, who has another PIN.
func (t *tries) forget(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of, user)
	for s := range t.at {
		if s.user == user {
			delete(t.at, s)
		}
	}
}

// find gives the tally of a key, a fresh one if there is none. What is past its term counts no more; a lock that is over makes the next one
// longer. limit is the count that locks; 0: none does, and guessTime is the term.
func find[K comparable](all map[K]*tally, key K, limit int, now time.Time) *tally {
	x := all[key]
	if x == nil {
		makeRoom(all, limit, now)
		x = &tally{since: now}
		all[key] = x
	}
	if quiet := now.Sub(x.since); quiet >= x.term(limit) {
		if limit > 0 && x.count >= limit {
			x.locks++
		}
		if quiet >= forgetTime {
			x.locks = 0
		}
		x.count = 0
		if limit == 0 || x.locks == 0 {
			x.since = now
		}
	}
	return x
}

// term is for how long what was counted last counts.
func (x *tally) term(limit int) time.Duration {
	if limit == 0 {
		return guessTime
	}
	return x.lockTerm()
}

// makeRoom forgets what is past its time. If that is not enough it forgets one tally: of the names that do not exist first, so that inventing
// names does not wipe out what was counted of a person; of the others the oldest.
func makeRoom[K comparable](all map[K]*tally, limit int, now time.Time) {
	if len(all) < maxTallies {
		return
	}
	var least K
	var worst *tally
	for key, x := range all {
		quiet := now.Sub(x.since)
		switch {
		case quiet >= x.term(limit) && !x.home && (limit == 0 || x.count < limit && x.locks == 0 || quiet >= forgetTime):
			delete(all, key)
		case worst == nil || x.before(worst):
			least, worst = key, x
		}
	}
	if len(all) >= maxTallies {
		delete(all, least)
	}
}

// before reports whether a tally is forgotten before another.
func (x *tally) before(y *tally) bool {
	switch {
	case x.real != y.real:
		return y.real
	case x.home != y.home:
		return y.home
	}
	return x.since.Before(y.since)
}

// Sign-ins of one address: senderRate a second, senderBurst together. Each costs a tenth of a second of a processor and much memory.
const (
	senderRate  = 2
	senderBurst = 20
)

// maxMeters is how many of those are known who come from anywhere: addresses and citizens.
const maxMeters = 1024

// meters bound how fast each of many can do something. Those who have been quiet are forgotten, and anyone if there are too many.
type meters[K comparable] struct {
	often rate.Limit
	burst int

	mu sync.Mutex
	by map[K]*rate.Limiter
}

func newMeters[K comparable](often rate.Limit, burst int) *meters[K] {
	return &meters[K]{often: often, burst: burst, by: map[K]*rate.Limiter{}}
}

func (m *meters[K]) allow(who K) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.by[who]
	if l == nil {
		m.makeRoom()
		l = rate.NewLimiter(m.often, m.burst)
		m.by[who] = l
	}
	return l.Allow()
}

func (m *meters[K]) makeRoom() {
	if len(m.by) < maxMeters {
		return
	}
	var last K
	for who, l := range m.by {
		if last = who; l.Tokens() >= float64(m.burst) {
			delete(m.by, who)
		}
	}
	delete(m.by, last)
}

// senderOf gives the address a request comes from. A machine has a whole /64 of IPv6, so that counts as one.
func senderOf(r *http.Request) netip.Prefix {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	from, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return from
}
