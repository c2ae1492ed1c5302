package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// A session ends with the day's work, or when nothing was done in it for a while: clerks share machines. Long before that it is locked,
// as the plan says.
const (
	sessionLife = 12 * time.Hour
	sessionIdle = 2 * time.Hour
	maxSessions = 512
)

// sessions are the people who are signed in. They live in memory: after a restart people enter their PIN again.
type sessions struct {
	mu    sync.Mutex
	byID  map[string]*session // by the digest of the cookie's value
	taken map[string]handover // those that ended because somebody signed in elsewhere, likewise
}

type session struct {
	who    Who
	beside bool // of a helper that works beside the page
	begun  time.Time
	used   time.Time // last sign of somebody; the page's own reading does not count
	locked bool
}

// handover is how a session ended: who signed in in its stead.
type handover struct {
	name string
	at   time.Time
}

// TakenError says that a session is over because somebody signed in elsewhere.
type TakenError struct{ Name string }

func (e *TakenError) Error() string { return "signed in elsewhere" }

// begin makes a session and gives the secret for its cookie. It ends any other session at the same page; a helper that works beside the
// page and the page leave each other alone, as long as the same person is signed in at both.
func (s *sessions) begin(who Who, beside bool) string {
	secret := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, old := range s.byID {
		other := old.beside != beside && old.who.Staff == who.Staff
		if old.over(now) {
			delete(s.byID, id)
		} else if !other && (old.who.Page == who.Page && who.Window != "" || old.who.Credential == who.Credential) {
			delete(s.byID, id)
			s.noteTaken(id, handover{who.Name, now})
		}
	}
	if len(s.byID) >= maxSessions {
		s.dropOldest()
	}
	s.byID[digest(secret)] = &session{who: who, beside: beside, begun: now, used: now}
	return secret
}

// renew has the session of a browser go on, locked or not, if it is that of the same person at the same page: he has shown again who he is.
func (s *sessions) renew(secret string, who Who) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, now := s.byID[digest(secret)], time.Now()
	if x == nil || x.beside || x.who != who || x.over(now) {
		return false
	}
	x.begun, x.used, x.locked = now, now, false
	return true
}

// noteTaken remembers who took a session over, to tell its page. What is older than any session could be is forgotten.
func (s *sessions) noteTaken(id string, h handover) {
	if len(s.taken) >= maxSessions {
		for old, x := range s.taken {
			if h.at.Sub(x.at) >= sessionLife || len(s.taken) >= maxSessions {
				delete(s.taken, old)
			}
		}
	}
	s.taken[id] = h
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

// find gives who a session belongs to at a page: as Locked where nothing was done for as long as lock, if that is not 0. A command keeps
// it alive, and the page beside which a helper sends it.
func (s *sessions) find(secret, page string, command bool, lock time.Duration) (Who, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, now := digest(secret), time.Now()
	if h, was := s.taken[id]; was {
		return Who{}, &TakenError{h.name}
	}
	x := s.byID[id]
	if x == nil || x.who.Page != page {
		return Who{}, errNotSignedIn
	}
	if x.over(now) {
		delete(s.byID, id)
		return Who{}, errNotSignedIn
	}
	x.locked = x.locked || !x.beside && lock > 0 && now.Sub(x.used) >= lock
	if x.locked {
		who := x.who
		who.Role = Locked
		return who, nil
	}
	if command {
		s.touch(x, now, lock)
	}
	return x.who, nil
}

// touch notes that somebody is there: at a page, and at the page beside which his helper works, unless that is locked.
func (s *sessions) touch(x *session, now time.Time, lock time.Duration) {
	x.used = now
	if !x.beside {
		return
	}
	for _, page := range s.byID {
		if page.who.Credential == x.who.Credential && !page.locked && (lock == 0 || now.Sub(page.used) < lock) {
			page.used = now
		}
	}
}

// lock locks a session now.
func (s *sessions) lock(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.byID[digest(secret)]; x != nil {
		x.locked = true
	}
}

// holder gives who is signed in at a window's page, locked or not.
func (s *sessions) holder(page string) (who Who, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, x := range s.byID {
		if x.who.Page == page && x.who.Window != "" && !x.beside && !x.over(now) {
			return x.who, true
		}
	}
	return Who{}, false
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
