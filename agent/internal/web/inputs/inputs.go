// Package inputs gives what citizens show at a place, a card or a code, to the page that stands there, remembers for a short while
// that somebody was recognised, and carries calls for the guide. It holds no personal data: of a citizen only the way of recognition
// is kept.
package inputs

import (
	"crypto/rand"
	"sync"
	"time"

	"halledge/agent/kit/replay"
	"halledge/firmware-protocols/hallsync"
)

// Event is what was shown at a place. Identity is an opaque token that lets the place take one ticket.
type Event struct {
	N        uint64              `json:"n"`    // grows with every event of the hall
	Kind     string              `json:"kind"` // idcard, ticket, yss_code or ysh_code; refused, idcard_no or Unreadable when it led nowhere
	Identity string              `json:"identity,omitempty"`
	Ticket   hallsync.TicketID   `json:"ticket,omitempty"`
	Actions  []string            `json:"actions"`
	Waiting  []hallsync.TicketID `json:"waiting,omitempty"`  // open tickets of the person
	Bookings []Booking           `json:"bookings,omitempty"` // of today, not used yet
	Served   string              `json:"served,omitempty"`   // at a window: whether the person is the one who is served there
	Code     string              `json:"code,omitempty"`     // of refused and unreadable: why
	Detail   string              `json:"detail,omitempty"`   // of refused and unreadable: the sentence for people
}

// Unreadable is the kind of what a device could not read: nobody may have shown anything.
const Unreadable = "unreadable"

// Booking is an appointment somebody may check in for.
type Booking struct {
	Booking hallsync.BookingID `json:"booking"`
	Queue   hallsync.QueueID   `json:"queue"`
	Start   time.Time          `json:"start"`
	End     time.Time          `json:"end"`
}

// Term is how long an identity or an event counts; troubleTerm is how long one counts that led nowhere, and troubleGap how far
// apart two of those are at a place at least. For readTime after somebody was answered, noise tells nothing in between.
const (
	Term        = 2 * time.Minute
	troubleTerm = 10 * time.Second
	troubleGap  = time.Second
	readTime    = 5 * time.Second
)

// pollGap is how long a page that polls may be away between two questions.
const pollGap = 5 * time.Second

// maxIdentities bounds the identities that wait to be used.
const maxIdentities = 1024

// Desk keeps the events and identities of all places. It is safe for concurrent use.
type Desk struct {
	mu         sync.Mutex
	n          uint64
	last       map[string]stamped // by place
	refused    map[string]stamped // likewise, of what somebody showed for nothing
	noise      map[string]stamped // likewise, kept apart: noise must not push out what somebody showed
	watchers   map[string]map[chan struct{}]struct{}
	gone       map[string]time.Time // when the last watcher of a place went
	identities map[string]*identity
	helps      map[string]help      // by place
	heard      map[string]time.Time // when a page asked for something last, by the page's name
	screens    map[string]*Screen   // by place
	shown      map[shown]time.Time  // when the citizen of a ticket was last at a place
}

type stamped struct {
	Event
	at time.Time
}

// Person is what is known of somebody who was recognised: not who it is.
type Person struct {
	Proof hallsync.Proof
	Names []string       // keyed digests of the identity number, the one to use first; none if the proof gives none
	Class hallsync.Class // that the proof itself gives a right to; empty: none

	Code     replay.Mark       // stands for the code that was shown; zero: it was none, or one that may be shown often
	Kind     string            // of that code
	Identity hallsync.Identity // pending: nobody could be asked about the code; empty: as the proof says
}

type identity struct {
	place    string
	person   Person
	at       time.Time
	reserved bool
}

// New gives an empty desk. Its counter starts at the time, so that a page from before a restart finds later events new.
func New() *Desk {
	return &Desk{
		n: uint64(time.Now().UnixMilli()), last: map[string]stamped{}, refused: map[string]stamped{}, noise: map[string]stamped{},
		watchers: map[string]map[chan struct{}]struct{}{}, gone: map[string]time.Time{}, identities: map[string]*identity{}, helps: map[string]help{},
		heard: map[string]time.Time{}, screens: map[string]*Screen{}, shown: map[shown]time.Time{},
	}
}

// Publish tells the page of a place about an event.
func (d *Desk) Publish(place string, e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.publish(d.last, place, e)
}

// Trouble tells the page of a place that what was shown led nowhere, unless it was told so less than a second ago. What is
// Unreadable leaves people the time to read a better answer; such an answer does not wait for noise.
func (d *Desk) Trouble(place string, e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case e.Kind != Unreadable:
		if !within(d.refused[place], troubleGap) {
			d.publish(d.refused, place, e)
		}
	case !within(d.noise[place], troubleGap) && !within(d.refused[place], readTime):
		d.publish(d.noise, place, e)
	}
}

// within reports whether an event was told so short a time ago.
func within(e stamped, term time.Duration) bool { return e.N > 0 && time.Since(e.at) < term }

func (d *Desk) publish(into map[string]stamped, place string, e Event) {
	d.n++
	e.N = d.n
	into[place] = stamped{e, time.Now()}
	d.wake(place)
}

// wake has those look who watch a place.
func (d *Desk) wake(place string) {
	for w := range d.watchers[place] {
		select {
		case w <- struct{}{}:
		default: // it knows already
		}
	}
}

// Next gives the first event of a place that is newer than n and still counts. Of several the last is kept, and the last trouble
// of each sort.
func (d *Desk) Next(place string, n uint64) (Event, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var next Event
	first := func(e stamped, term time.Duration) {
		if e.N > n && within(e, term) && (next.N == 0 || e.N < next.N) {
			next = e.Event
		}
	}
	first(d.last[place], Term)
	first(d.refused[place], troubleTerm)
	first(d.noise[place], troubleTerm)
	return next, next.N > 0
}

// Now is the counter of the last event of the hall.
func (d *Desk) Now() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}

// Watch gives a channel that gets a value after an event at a place; cancel ends it.
func (d *Desk) Watch(place string) (dirty <-chan struct{}, cancel func()) {
	w := make(chan struct{}, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watchers[place] == nil {
		d.watchers[place] = map[chan struct{}]struct{}{}
	}
	d.watchers[place][w] = struct{}{}
	delete(d.gone, place)
	return w, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers[place], w)
		if len(d.watchers[place]) == 0 {
			delete(d.watchers, place)
			d.gone[place] = time.Now()
		}
	}
}

// Watched reports whether a page at a place hears of events: it watches, or polls and will be back in a moment.
func (d *Desk) Watched(place string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	gone, was := d.gone[place]
	return len(d.watchers[place]) > 0 || was && time.Since(gone) < pollGap
}

// Gone gives since when nobody watches a place that somebody has watched.
func (d *Desk) Gone(place string) (since time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	since, ok = d.gone[place]
	return since, ok
}

// Recognised notes that somebody was recognised at a place and gives the token for it.
func (d *Desk) Recognised(place string, p Person) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.identities) >= maxIdentities {
		d.sweep()
	}
	token := rand.Text()
	d.identities[token] = &identity{place: place, person: p, at: time.Now()}
	return token
}

// Reserve takes a token for one command. ok is false if it is not known, past its term, of another place, or reserved already.
// Whoever reserved must Spend or Release it.
func (d *Desk) Reserve(token, place string) (p Person, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.identities[token]
	if id == nil || id.reserved || id.place != place || time.Since(id.at) >= Term {
		return Person{}, false
	}
	for _, other := range d.identities {
		if other.reserved && id.sameCode(other) {
			return Person{}, false
		}
	}
	id.reserved = true
	return id.person, true
}

// Spend ends a token: its command has led to a ticket. All others of the same code end with it: a code is worth one ticket.
func (d *Desk) Spend(token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.identities[token]
	delete(d.identities, token)
	for t, other := range d.identities {
		if id != nil && id.sameCode(other) {
			delete(d.identities, t)
		}
	}
}

// sameCode reports whether two identities come from one code.
func (i *identity) sameCode(other *identity) bool {
	return i.person.Code != (replay.Mark{}) && i.person.Code == other.person.Code
}

// Release gives a token back: its command came to nothing.
func (d *Desk) Release(token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id := d.identities[token]; id != nil {
		id.reserved = false
	}
}

// sweep makes room: what is past its term goes, else the oldest that is not reserved.
func (d *Desk) sweep() {
	oldest, now := "", time.Now()
	for token, id := range d.identities {
		switch {
		case now.Sub(id.at) >= Term:
			delete(d.identities, token)
		case !id.reserved && (oldest == "" || id.at.Before(d.identities[oldest].at)):
			oldest = token
		}
	}
	if len(d.identities) >= maxIdentities {
		delete(d.identities, oldest)
	}
}

// Hear notes that a page asked for something. A frozen page keeps its stream, so that Gone does not tell.
func (d *Desk) Hear(page string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard[page] = time.Now()
}

// Quiet gives how long a page has asked for nothing; ok is false if it never did.
func (d *Desk) Quiet(page string) (quiet time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.heard[page]
	return time.Since(at), ok
}
