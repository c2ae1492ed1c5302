package sdtreader

import (
	"hash/maphash"
	"time"
)

const (
	liftedAfter = 500 * time.Millisecond // a card not found for this long was taken away; less is a flicker of the field
	lookAgain   = 2 * time.Second        // a card that stays is read again this often: it may be another one
)

// presence follows what lies on the reader from connection to connection, so that a card that stays is delivered once. It remembers the last card as a keyed
// hash and not as a number.
type presence struct {
	seed    maphash.Seed
	last    uint64 // card delivered last
	known   bool   // last is valid
	lifted  bool   // and was taken away since
	unseen  time.Time
	settled time.Time // when what lies there was read or given up; zero while that is still to do
	begun   bool      // it is new, and was neither read nor given up yet
	refused bool      // it could not be read, and whoever stands there was told
}

// reconnected says that a new connection begins. The card may have stayed all the while, so that nobody saw it does not make it lifted.
// That a reader had said so before does not either: some say it of a card that lies there, and find that card again after a reset.
func (p *presence) reconnected() {
	p.unseen, p.settled = time.Time{}, time.Time{}
	p.begun, p.refused = false, false
}

func newPresence() presence { return presence{seed: maphash.MakeSeed()} }

// none says that no card is there, and tells whether one was taken away before it was read. Many modules say so of a card they have
// read until it is lifted.
func (p *presence) none(now time.Time) (removed bool) {
	p.settled = time.Time{}
	if p.unseen.IsZero() {
		p.unseen = now
	}
	if now.Sub(p.unseen) < liftedAfter {
		return false
	}
	removed = p.begun
	p.begun, p.refused = false, false
	return removed
}

// found says that a card is there, and tells whether to read it.
func (p *presence) found(now time.Time) bool {
	if !p.unseen.IsZero() && now.Sub(p.unseen) >= liftedAfter {
		p.lifted, p.refused = true, false
	}
	p.unseen = time.Time{}
	if (p.lifted || !p.known) && !p.refused {
		p.begun = true
	}
	return p.settled.IsZero() || now.Sub(p.settled) >= lookAgain
}

// read says that the card was read, and tells whether to deliver it.
func (p *presence) read(now time.Time, number string) bool {
	id := maphash.String(p.seed, number)
	fresh := !p.known || p.lifted || p.last != id
	p.last, p.known, p.lifted, p.settled, p.begun, p.refused = id, true, false, now, false, false
	return fresh
}

// giveUp says that the card cannot be read, and tells whether that is news. It is tried again after a while.
func (p *presence) giveUp(now time.Time) bool {
	p.settled = now
	return p.fail()
}

// fail says that reading the card failed, and tells whether that is news.
func (p *presence) fail() bool {
	news := !p.refused
	p.begun, p.refused = false, true
	return news
}
