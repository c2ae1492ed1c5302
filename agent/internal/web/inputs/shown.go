package inputs

import (
	"time"

	"halledge/firmware-protocols/hallsync"
)

// shownTerm is how long a place knows whose ticket was shown there: as long as a slip may take that does not come out. maxShown bounds how many
// are known.
const (
	shownTerm = 10 * time.Minute
	maxShown  = 1024
)

// shown is a ticket at a place.
type shown struct {
	place  string
	ticket hallsync.TicketID
}

// Show notes that the citizens of tickets showed a slip, a card or a code at a place.
func (d *Desk) Show(place string, tickets ...hallsync.TicketID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, t := range tickets {
		if len(d.shown) >= maxShown {
			d.forgetShown(now)
		}
		d.shown[shown{place, t}] = now
	}
}

// Showed reports whether that was a short while ago.
func (d *Desk) Showed(place string, ticket hallsync.TicketID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.shown[shown{place, ticket}]
	return ok && time.Since(at) < shownTerm
}

// forgetShown makes room: what is past its term goes, else the oldest.
func (d *Desk) forgetShown(now time.Time) {
	var oldest shown
	var since time.Time
	for s, at := range d.shown {
		switch {
		case now.Sub(at) >= shownTerm:
			delete(d.shown, s)
		case since.IsZero() || at.Before(since):
			oldest, since = s, at
		}
	}
	if len(d.shown) >= maxShown {
		delete(d.shown, oldest)
	}
}
