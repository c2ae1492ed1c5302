package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// A session ends with the day's work, or when nothing was done in it for a while: clerks share machines.
const (
	sessionLife = 12 * time.Hour
	sessionIdle = 2 * time.Hour
	maxSessions = 512
)

// sessions are the people who are signed in. They live in memory: after a restart people enter their PIN again.
type sessions struct {
	mu   sync.Mutex
	byID map[string]*session // by the digest of the cookie's value
}

type session struct {
	who    Who
	beside bool // of a helper that works beside the page
	begun  time.Time
	used   time.Time // last command; the page's own reading does not count
}

// begin makes a session and gives the secret for its cookie. It ends any other session at the same page; a helper that works beside the
// page and the page leave each other alone, as long as the same person is signed in at both.
func (s *sessions) begin(who Who, beside bool) string {
	secret := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, old := range s.byID {
		other := old.beside != beside && old.who.Staff == who.Staff
		if old.over(now) || !other && (old.who.Page == who.Page && who.Window != "" || old.who.Credential == who.Credential) {
			delete(s.byID, id)
		}
	}
	if len(s.byID) >= maxSessions {
		s.dropOldest()
	}
	s.byID[digest(secret)] = &session{who: who, beside: beside, begun: now, used: now}
	return secret
}

func (s *sessions) dropOldest() {
	var oldest string
	for id, x := range s.byID {
		if oldest == "" || x.used.Before(s.byID[oldest].used) {
			oldest = id
		}
	}
	delete(s.byID, oldest)
}

// find gives who a session belongs to at a page; a command keeps it alive.
func (s *sessions) find(secret, page string, command bool) (Who, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, now := digest(secret), time.Now()
	x := s.byID[id]
	if x == nil || x.who.Page != page {
		return Who{}, errNotSignedIn
	}
	if x.over(now) {
		delete(s.byID, id)
		return Who{}, errNotSignedIn
	}
	if command {
		x.used = now
	}
	return x.who, nil
}

// review ends the sessions that are not to be kept.
func (s *sessions) review(keep func(Who) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, x := range s.byID {
		if !keep(x.who) {
			delete(s.byID, id)
		}
	}
}

func (s *sessions) end(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, digest(secret))
}

func (x *session) over(now time.Time) bool {
	return now.Sub(x.begun) >= sessionLife || now.Sub(x.used) >= sessionIdle
}

func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
