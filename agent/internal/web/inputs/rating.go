package inputs

import "halledge/firmware-protocols/hallsync"

// askToRate is the kind of an event that has the citizen at a window asked for a rating once more.
const askToRate = "rating"

func ratePlace(w hallsync.WindowID) string { return "rate-" + string(w) }

// AskToRate has the tablet or the rating device of a window ask about a ticket once more; false if neither hears of it.
func (d *Desk) AskToRate(w hallsync.WindowID, id hallsync.TicketID) bool {
	if !d.Watched(ratePlace(w)) {
		return false
	}
	d.Publish(ratePlace(w), Event{Kind: askToRate, Ticket: id, Actions: []string{}})
	return true
}

// Wishes is what the rating device of a window hears of.
type Wishes struct {
	desk  *Desk
	place string
}

// Wishes gives what is wished of the rating device of a window.
func (d *Desk) Wishes(w hallsync.WindowID) Wishes { return Wishes{d, ratePlace(w)} }

// Watch gives a channel that gets a value after a wish; cancel ends it.
func (w Wishes) Watch() (dirty <-chan struct{}, cancel func()) { return w.desk.Watch(w.place) }

// Newest gives the ticket that is to be asked about once more, and a number that grows with each time; empty for none.
func (w Wishes) Newest() (n uint64, id hallsync.TicketID) {
	e, ok := w.desk.Next(w.place, 0)
	if !ok || e.Kind != askToRate {
		return 0, ""
	}
	return e.N, e.Ticket
}
