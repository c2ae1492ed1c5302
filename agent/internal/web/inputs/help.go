package inputs

import (
	"cmp"
	"slices"
	"time"
)

// HelpCall is somebody at a place who asks for the guide. It is no fact of the log: it matters for a minute, between two people, and
// whoever still needs help after a restart presses again.
type HelpCall struct {
	Place  string    `json:"place"`
	Name   string    `json:"name"` // of the place, for people
	At     time.Time `json:"at"`
	Coming bool      `json:"coming"`       // a guide has seen it
	By     string    `json:"by,omitempty"` // the name of who comes, so that two do not both go
}

// How long a call is shown that nobody answers, and one that was answered.
const (
	helpTerm   = 10 * time.Minute
	comingTerm = 2 * time.Minute
)

// help is a call and when it was rung or answered last, on the clock that nobody sets.
type help struct {
	HelpCall
	since time.Time
}

// Ring calls the guide to a place. Ringing again while nobody comes changes nothing.
func (d *Desk) Ring(place, name string, at time.Time) HelpCall {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h, ok := d.rung(place); ok && !h.Coming {
		return h.HelpCall
	}
	h := help{HelpCall{Place: place, Name: name, At: at}, time.Now()}
	d.helps[place] = h
	d.wakeAll()
	return h.HelpCall
}

// Come says that a guide of a name is on the way to a place; the first who says so goes. ok is false if nobody there called.
func (d *Desk) Come(place, by string) (c HelpCall, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, ok := d.rung(place)
	if ok && !h.Coming {
		h.Coming, h.By, h.since = true, by, time.Now()
		d.helps[place] = h
		d.wakeAll()
	}
	return h.HelpCall, ok
}

// HelpCalls gives the calls of a place, or of all for an empty one, the oldest first.
func (d *Desk) HelpCalls(place string) []HelpCall {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []HelpCall{}
	for at := range d.helps {
		if h, ok := d.rung(at); ok && (place == "" || place == at) {
			out = append(out, h.HelpCall)
		}
	}
	slices.SortFunc(out, func(a, b HelpCall) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Place, b.Place)) })
	return out
}

// rung gives the call of a place that still counts, and forgets one that does not.
func (d *Desk) rung(place string) (help, bool) {
	h, ok := d.helps[place]
	term := helpTerm
	if h.Coming {
		term = comingTerm
	}
	if ok && time.Since(h.since) >= term {
		delete(d.helps, place)
		return help{}, false
	}
	return h, ok
}

// wakeAll has everybody look who waits for something.
func (d *Desk) wakeAll() {
	for place := range d.watchers {
		d.wake(place)
	}
}
