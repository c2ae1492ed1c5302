package session

import (
	"time"

	"halledge/drivers/device"
)

// RepeatAfter is how long after a next another next counts: a finger that trembles must not call two people.
const RepeatAfter = 300 * time.Millisecond

// Keys hands the presses of a pad to whoever takes them from C. But for C its methods are for one goroutine at a time.
type Keys struct {
	session  *Session
	out      chan device.Key
	lost     int // presses that nobody got since the last one that somebody did
	lastNext time.Time
}

// NewKeys makes Keys; backlog is how many of them wait for whoever takes them.
func (s *Session) NewKeys(backlog int) *Keys {
	return &Keys{session: s, out: make(chan device.Key, backlog)}
}

// C is where the keys come.
func (k *Keys) C() <-chan device.Key { return k.out }

// Close closes C.
func (k *Keys) Close() { close(k.out) }

// Lose says that n presses never came.
func (k *Keys) Lose(n int) { k.lost += n }

// Hand hands out a key that was pressed at its At, and those lost before it in its Lost. It reports whether somebody will get it: not a
// next that follows another one too soon, nor what nobody takes.
func (k *Keys) Hand(key device.Key) bool {
	log := k.session.cfg.Log
	if k.bounces(key) {
		log.Info("pad_key_repeated", "key", string(key.Code))
		return false
	}
	key.Lost += k.lost
	select {
	case k.out <- key:
		k.lost = 0
		k.session.Job()
		return true
	default: // nobody listens
		k.lost = key.Lost + 1
		k.session.Garbage(1)
		log.Warn("pad_key_dropped", "key", string(key.Code))
		return false
	}
}

// bounces reports whether key is a next that follows another one too soon.
func (k *Keys) bounces(key device.Key) bool {
	if key.Code != device.KeyNext {
		return false
	}
	soon := !k.lastNext.IsZero() && key.At.Sub(k.lastNext) < RepeatAfter
	k.lastNext = key.At
	return soon
}
