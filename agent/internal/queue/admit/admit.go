// Package admit gives when a queue gives numbers, and how many. It is pure: the hours of a week, a calendar of the days that are not
// like their weekday, quotas of the day and of its slots.
package admit

import (
	"maps"
	"time"
)

// Rules are those of one queue; the zero value admits everybody at any time.
type Rules struct {
	Hours     []Span        // when numbers are given; empty: at any time
	Quota     int           // numbers a day, bookings apart; 0: no limit
	Slot      time.Duration // length of a slot of the day, counted from midnight; 0: no slots
	SlotQuota int           // numbers a slot, bookings apart; 0: no limit
	PerPerson int           // open tickets of one person; 0: no limit
	Closing   Closing       // what happens when somebody would still wait at the end of the hours
	Early     time.Duration // a booked person may come so long before the booked time
	Late      time.Duration // and so long after it; later, it is an ordinary number
}

// Span is a part of the day on some days of the week.
type Span struct {
	Days     [7]bool       // by time.Weekday
	From, To time.Duration // since midnight
}

// Closing is what a queue does about people who would still wait when it closes.
type Closing string

// The ways.
const (
	Ignored Closing = ""
	Warns   Closing = "warn"
	Stops   Closing = "stop"
)

// Calendar has the days that are not like their day of the week, by date (2006-01-02): Holiday, or the day of the week whose hours hold.
type Calendar map[string]int

// Holiday in a calendar is a day on which no numbers are given.
const Holiday = -1

// Reason is why no number is given.
type Reason string

// The reasons.
const (
	Closed        Reason = "queue_closed"
	QuotaUsed     Reason = "quota_used"
	SlotQuotaUsed Reason = "slot_quota_used"
	ClosingSoon   Reason = "closing_soon"
)

// State is whether a queue gives numbers at a moment. Opens is when it will, zero if not today; Closes is when it stops, zero if it does
// not. Late says that somebody who comes now would probably still wait then.
type State struct {
	Reason Reason // empty: it does
	Opens  time.Time
	Closes time.Time
	Left   int // numbers left today, -1 for no limit
	Late   bool
}

// Count is how many numbers were given that count against quotas. Every slot keeps its own: the hall's time may be put back over the end of
// one.
type Count struct {
	Day   int         `json:"day"`
	Slots map[int]int `json:"slots,omitempty"` // by slot of the day
}

// Add counts one more at a moment.
func (r *Rules) Add(c Count, now time.Time) Count {
	out := Count{Day: c.Day + 1, Slots: map[int]int{}}
	maps.Copy(out.Slots, c.Slots)
	out.Slots[r.slot(now)]++
	return out
}

// At tells whether a number is given to somebody who comes now, in the time zone of now. wait is how long they would probably wait, 0
// if that is not known.
func (r *Rules) At(now time.Time, days Calendar, given Count, wait time.Duration) State {
	s := r.hours(now, days)
	s.Left = -1
	if r.Quota > 0 {
		s.Left = max(0, r.Quota-given.Day)
	}
	switch {
	case s.Reason != "":
		return s
	case s.Left == 0:
		s.Reason = QuotaUsed
		return s
	case r.SlotQuota > 0 && r.Slot > 0 && given.Slots[r.slot(now)] >= r.SlotQuota:
		s.Reason, s.Opens = SlotQuotaUsed, r.nextSlot(now, days)
		return s
	}
	s.Late = !s.Closes.IsZero() && wait > 0 && now.Add(wait).After(s.Closes)
	if s.Late && r.Closing == Stops {
		s.Reason = ClosingSoon
	}
	return s
}

// hours looks at the clock alone.
func (r *Rules) hours(now time.Time, days Calendar) (s State) {
	start := Midnight(now)
	weekday, listed := days[start.Format(time.DateOnly)]
	if !listed {
		weekday = int(start.Weekday())
	}
	switch {
	case weekday < 0 || weekday > 6:
		return State{Reason: Closed}
	case len(r.Hours) == 0:
		return State{}
	}
	s.Reason = Closed
	for _, h := range r.Hours {
		from, to := start.Add(h.From), start.Add(h.To)
		switch {
		case !h.Days[weekday] || !now.Before(to):
		case !now.Before(from):
			return State{Closes: to}
		case s.Opens.IsZero() || from.Before(s.Opens):
			s.Opens = from
		}
	}
	return s
}

// Over gives when the last hours of the day of a moment end, since midnight, 0 on a day without any; ok is false where numbers are given at
// any time.
func (r *Rules) Over(now time.Time, days Calendar) (last time.Duration, ok bool) {
	start := Midnight(now)
	weekday, listed := days[start.Format(time.DateOnly)]
	if !listed {
		weekday = int(start.Weekday())
	}
	if weekday == Holiday {
		return 0, true
	}
	for _, h := range r.Hours {
		if h.Days[weekday] {
			last = max(last, h.To)
		}
	}
	return last, len(r.Hours) > 0
}

// nextSlot gives when numbers are given in a later slot of the day, zero if in none.
func (r *Rules) nextSlot(now time.Time, days Calendar) time.Time {
	next := Midnight(now).Add(time.Duration(r.slot(now)+1) * r.Slot)
	switch then := r.hours(next, days); {
	case next.Day() != now.Day():
		return time.Time{}
	case then.Reason == Closed:
		return then.Opens
	}
	return next
}

func (r *Rules) slot(now time.Time) int {
	if r.Slot <= 0 {
		return 0
	}
	return int(now.Sub(Midnight(now)) / r.Slot)
}

// Midnight is when the day of a moment began.
func Midnight(now time.Time) time.Time {
	y, m, d := now.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, now.Location())
}
