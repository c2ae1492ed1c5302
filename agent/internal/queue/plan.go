package queue

import (
	"maps"
	"slices"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// ReasonPlan is why a ticket was moved when its window was no longer in the plan.
const ReasonPlan = "plan_changed"

// FitPlan brings the hall in line with a plan that is not the one it worked by before: a ticket at a window that is gone goes
// back to the front of its line, one that was sent to such a window may be called by any, and the window is closed. It does
// nothing when everything fits.
type FitPlan struct{}

func (FitPlan) decide(s *State, _ time.Time) ([]hallsync.Payload, error) {
	by := hallsync.By{Kind: "system"}
	gone := func(id hallsync.WindowID) bool { return id != "" && s.plan.window(id) == nil }
	var out []hallsync.Payload
	for _, t := range s.Tickets() {
		f := hallsync.TicketTransferred{Ticket: t.ID, Queue: t.Queue, Reason: ReasonPlan, By: by}
		switch t.State {
		case hallsync.Waiting:
			if gone(t.Target) {
				f.Position = hallsync.ByArrival
				out = append(out, f)
			}
		case hallsync.Called, hallsync.Serving, hallsync.Held:
			if gone(t.Window) {
				f.From, f.Position = t.Window, hallsync.AtFront
				out = append(out, f)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.windows)) {
		if gone(id) && s.windows[id].State != hallsync.WindowClosed {
			out = append(out, hallsync.WindowWasClosed{Window: id, By: by})
		}
	}
	return out, nil
}
