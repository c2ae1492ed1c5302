package agent

import (
	"slices"
	"strings"

	"halledge/agent/internal/pads"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/raters"
	"halledge/firmware-protocols/hallsync"
)

func (a *Agent) pads() *pads.Desk {
	var all []pads.Pad
	for _, d := range a.devices.Pads() {
		all = append(all, pads.Pad{Name: d.Name, Device: d.Device, Window: windowOf(d.Place), Renewed: d.Renewed})
	}
	return pads.New(pads.Options{Hall: a.hall, Pads: all, Staff: a.staffBy, Rate: a.askToRate, Log: a.log.With("part", "pads")})
}

func (a *Agent) raters() *raters.Desk {
	var all []raters.Rater
	for _, d := range a.devices.RatingPads() {
		w := windowOf(d.Place)
		all = append(all, raters.Rater{Name: d.Name, Device: d.Device, Window: w, Again: a.web.Inputs().Wishes(w)})
	}
	return raters.New(a.hall, all, a.log.With("part", "raters"))
}

// staffBy gives whose number it is that was entered at a window's pad: a pad has digits only, and may forget the zeros before them, so 18
// is enough for a name such as w018 if nobody else there has it.
func (a *Agent) staffBy(w hallsync.WindowID, number string) (id hallsync.StaffID, ok bool) {
	entered := strings.TrimLeft(number, "0")
	for _, s := range a.plan.Load().Staff {
		digits := strings.TrimLeft(s.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0")
		switch {
		case len(s.Windows) > 0 && !slices.Contains(s.Windows, string(w)):
		case s.ID == number:
			return hallsync.StaffID(s.ID), true
		case digits == "" || digits != entered:
		case id == "":
			id, ok = hallsync.StaffID(s.ID), true
		default: // two of them
			ok = false
		}
	}
	return id, ok
}

// askToRate has the citizen who was served last at a window asked once more.
func (a *Agent) askToRate(w hallsync.WindowID) bool {
	var (
		t  queue.Ticket
		ok bool
	)
	a.hall.Look(func(m queue.Moment) { t, ok = m.State.ToRate(w, m.Now) })
	return ok && a.web.Inputs().AskToRate(w, t.ID)
}
