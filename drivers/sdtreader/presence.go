package sdtreader

import (
	"hash/maphash"
	"time"
)

const (
	liftedAfter = 500 * time.Millisecond // a card not found for this long was taken away; less is a flicker of the field
	lookAgain   = 2 * time.Second        // a card that stays is read again this often: it may be another one
)

// presence follows what lies on the reader, so that a card that stays is delivered once. It remembers the last card as a keyed
// hash and not as a number.
type presence struct {
	seed    maphash.Seed
	last    uint64 // card delivered last
	known   bool   // last is valid
	lifted  bool   // and was taken away since
	unseen  time.Time
	settled time.Time // when what lies there was read or given up; zero while that is still to do
	refused bool      // it was given up, and the log says so
}

func newPresence() presence { return presence{seed: maphash.MakeSeed()} }

// none says that no card is there. Many modules say so of a card they have read until it is lifted.
func (p *presence) none(now time.Time) {
	p.settled, p.refused = time.Time{}, false
	if p.unseen.IsZero() {
		p.unseen = now
	}
}

// found says that a card is there, and tells whether to read it.
func (p *presence) found(now time.Time) bool {
	if !p.unseen.IsZero() && now.Sub(p.unseen) >= liftedAfter {
		p.lifted = true
	}
	p.unseen = time.Time{}
	return p.settled.IsZero() || now.Sub(p.settled) >= lookAgain
}

// read says that the card was read, and tells whether to deliver it.
func (p *presence) read(now time.Time, number string) bool {
	id := maphash.String(p.seed, number)
	fresh := !p.known || p.lifted || p.last != id
	p.last, p.known, p.lifted, p.settled, p.refused = id, true, false, now, false
	return fresh
}

// giveUp says that the card cannot be read, and tells whether that is news.
func (p *presence) giveUp(now time.Time) bool {
	news := !p.refused
	p.settled, p.refused = now, true
	return news
}
