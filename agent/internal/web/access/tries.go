package access

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A person is locked out for lockTime at an address after maxFailures wrong PINs in a row there. Whoever has many addresses is stopped by
// maxGuesses in guessTime, from all addresses where that person has not signed in before: nobody can lock a clerk out of his own machine.
const (
	maxFailures = 5
	lockTime    = 5 * time.Minute
	maxGuesses  = 30
	guessTime   = time.Hour
	maxTallies  = 1024 // remembered, also of people who do not exist
)

// tries counts the PINs that were tried, before they are compared: guesses sent together count as those sent one by one.
type tries struct {
	mu sync.Mutex
	at map[spot]*tally
	of map[string]*tally // by person
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
	real  bool      // the person exists
	home  bool      // the person has signed in at this spot
}

// try is one that was counted.
type try struct {
	spot
	far bool // not from an address where that person has signed in
}

// begin counts a try, or gives for how long there may be none.
func (t *tries) begin(s spot, real bool) (one try, locked time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	at := find(t.at, s, lockTime, now)
	of := find(t.of, s.user, guessTime, now)
	at.real, of.real = real, real
	one = try{spot: s, far: !at.home}
	switch {
	case at.count >= maxFailures:
		return one, lockTime - now.Sub(at.since)
	case one.far && of.count >= maxGuesses:
		return one, guessTime - now.Sub(of.since)
	}
	at.count++
	at.since = now
	if one.far {
		if of.count == 0 {
			of.since = now
		}
		of.count++
	}
	return one, 0
}

// right ends a try with the right PIN: what was wrong at this spot before is forgotten, but not what others guess elsewhere.
func (t *tries) right(one try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.uncount(one)
	if at := t.at[one.spot]; at != nil {
		at.count, at.since, at.home = 0, time.Now(), true
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
	if of := t.of[one.user]; one.far && of != nil && of.count > 0 {
		of.count--
	}
}

// wrong ends a try with a wrong PIN and gives the lock it led to, or 0.
func (t *tries) wrong(one try) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := t.at[one.spot]; at != nil && at.count >= maxFailures {
		return lockTime
	}
	if of := t.of[one.user]; one.far && of != nil && of.count >= maxGuesses {
		return guessTime - time.Since(of.since)
	}
	return 0
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

// find gives the tally of a key, a fresh one if there is none. What is past its term counts no more.
func find[K comparable](all map[K]*tally, key K, term time.Duration, now time.Time) *tally {
	x := all[key]
	if x == nil {
		makeRoom(all, term, now)
		x = &tally{since: now}
		all[key] = x
	}
	if now.Sub(x.since) >= term {
		x.count, x.since = 0, now
	}
	return x
}

// makeRoom forgets what is past its time. If that is not enough it forgets one tally: of the names that do not exist first, so that inventing
// names does not wipe out what was counted of a person; of the others the oldest.
func makeRoom[K comparable](all map[K]*tally, term time.Duration, now time.Time) {
	if len(all) < maxTallies {
		return
	}
	var least K
	var worst *tally
	for key, x := range all {
		switch {
		case now.Sub(x.since) >= term && !x.home:
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
	maxSenders  = 1024
)

// senders bounds how fast an address can ask to be let in.
type senders struct {
	mu sync.Mutex
	by map[netip.Prefix]*rate.Limiter
}

func (s *senders) allow(from netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.by[from]
	if l == nil {
		s.makeRoom()
		l = rate.NewLimiter(senderRate, senderBurst)
		s.by[from] = l
	}
	return l.Allow()
}

// makeRoom forgets the addresses that have been quiet, and any one if there is none.
func (s *senders) makeRoom() {
	if len(s.by) < maxSenders {
		return
	}
	var last netip.Prefix
	for from, l := range s.by {
		if last = from; l.Tokens() >= senderBurst {
			delete(s.by, from)
		}
	}
	delete(s.by, last)
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
