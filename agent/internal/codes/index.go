package codes

import (
	"slices"
	"sync"
	"time"

	"halledge/agent/kit/gm"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// freshTime is for how long a key that comes while the hall works is known and not used: as long as somebody may be remembered who was
// recognised before it came (replay.Long).
const freshTime = 25 * time.Hour

// Key is a key of the hall's index of people: what names of people are made with.
type Key struct {
	ID     string
	secret device.Secret
}

// NewKey gives a key of that name.
func NewKey(id string, secret []byte) Key { return Key{id, device.NewSecret(string(secret))} }

// Wrap gives the key for its holder alone.
func (k Key) Wrap(holder gm.PublicKey) ([]byte, error) { return holder.Wrap([]byte(k.secret.Reveal())) }

// index makes the names of people. A hall that is not enrolled has a key of its own; the centre's come before it.
type index struct {
	own Key

	mu     sync.Mutex
	shared func() []Key // the centre's, the one to use first; nil: none
	known  []known      // those that were seen
}

// known is a key of the centre's.
type known struct {
	Key
	came time.Time // zero: it was there at the start
	gone time.Time // the centre gives it no more; zero: it does
}

// ownKey is the key of a hall's own names. It is told to the centre when the hall enrols, and so cannot be the one that signs tickets.
func ownKey(secret []byte, hall hallsync.HallID) Key {
	key := gm.HMAC(secret, "halledge-own-index-1", string(hall))
	return NewKey(hallsync.OwnIndex+gm.IndexID(key[:]), key[:])
}

// ShareNames gives people the names that the centre knows them by, made with the keys that shared gives, the one to use first. A key that comes
// later is used from the day after; until then, and for as long as it is there, a person is known by it. One that is taken away is used for a
// day more: who has a ticket under its name alone would be another person.
func (s *Signer) ShareNames(shared func() []Key) {
	var there []known
	for _, k := range shared() {
		there = append(there, known{Key: k})
	}
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	s.index.shared, s.index.known = shared, there
}

// OwnKey gives the key of the names that the hall gave before it was enrolled.
func (s *Signer) OwnKey() Key { return s.index.own }

// keys gives the keys of the index, the one to use first.
func (x *index) keys() []Key {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	x.look(now)
	used, fresh := x.parted(now)
	var keys []Key
	for _, k := range slices.Concat(used, []known{{Key: x.own}}, fresh) {
		keys = append(keys, k.Key)
	}
	return keys
}

// parted gives the keys that are in use, and those that are only known yet.
func (x *index) parted(now time.Time) (used, fresh []known) {
	for _, k := range x.known {
		if k.came.IsZero() || now.Sub(k.came) >= freshTime {
			used = append(used, k)
		} else {
			fresh = append(fresh, k)
		}
	}
	return used, fresh
}

// look takes over which keys the centre gives now. Those that it gives no more stay behind them for a while, as many as an order to forget
// somebody may name.
func (x *index) look(now time.Time) {
	if x.shared == nil {
		return
	}
	var next []known
	is := func(id string) func(known) bool { return func(k known) bool { return k.ID == id } }
	for _, k := range x.shared() {
		seen := known{came: now}
		if i := slices.IndexFunc(x.known, is(k.ID)); i >= 0 {
			seen.came = x.known[i].came
		}
		seen.Key = k
		next = append(next, seen)
	}
	used, fresh := x.parted(now)
	for _, k := range append(used, fresh...) { // those in use rather than those that never were
		if k.gone.IsZero() {
			k.gone = now
		}
		if !slices.ContainsFunc(next, is(k.ID)) && now.Sub(k.gone) < freshTime && len(next) < hallsync.MaxIndex-1 {
			next = append(next, k)
		}
	}
	x.known = next
}

// Index names the keys of the index, the one to use first.
func (s *Signer) Index() (ids []string) {
	for _, k := range s.index.keys() {
		ids = append(ids, k.ID)
	}
	return ids
}

// Names gives the hall's names for whoever has an identity number, the one to use first: the same all day and in no other hall, and of no use
// for finding the number out. There is one for each key of the index, and none for no number.
func (s *Signer) Names(number device.Secret) (names []string) {
	for _, k := range s.index.keys() {
		if name := gm.Pseudonym([]byte(k.secret.Reveal()), number.Reveal()); name != "" {
			names = append(names, name)
		}
	}
	return names
}
