package gate

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// Two boxes with one identity throw each other out for ever. More than often such changes within a window are no accident.
const (
	often  = 2
	window = 5 * time.Minute
	// reasonClone is why a hall is in quarantine that two boxes seem to be.
	reasonClone = "clone"
)

// Place is where a session of a hall comes from.
type Place struct {
	Address string // host:port of the peer
	Boot    string // run of the box's program, as it says; empty: it does not say
}

// clones finds halls that two boxes seem to be. It is safe for concurrent use.
type clones struct{ *watched }

type watched struct {
	mu sync.Mutex
	by map[hallsync.HallID]*changes
}

// changes are those of one hall.
type changes struct {
	at    []time.Time // when a living session was replaced from elsewhere, within the window
	boots []seen      // that had a session, within the window
}

type seen struct {
	boot string
	at   time.Time
}

func newClones() clones { return clones{&watched{by: map[hallsync.HallID]*changes{}}} }

// replaced notes that a living session was replaced, and reports whether that is too often for one box.
//
// The same run of the program is the same box, wherever its address moves to. Another run is elsewhere when its address is another one, or
// when it had a session before the one it replaces: a box that starts again never comes back as its earlier self.
func (w clones) replaced(hall hallsync.HallID, before, after Place, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.by[hall]
	if c == nil {
		c = &changes{}
		w.by[hall] = c
	}
	c.at = slices.DeleteFunc(c.at, func(at time.Time) bool { return now.Sub(at) >= window })
	c.boots = slices.DeleteFunc(c.boots, func(s seen) bool { return now.Sub(s.at) >= window || s.boot == before.Boot })
	if before.Boot != "" {
		c.boots = append(c.boots[max(0, len(c.boots)-7):], seen{before.Boot, now})
	}
	back := slices.ContainsFunc(c.boots, func(s seen) bool { return s.boot == after.Boot })
	if after.Boot != "" && after.Boot == before.Boot || !back && host(before.Address) == host(after.Address) {
		return false
	}
	c.at = append(c.at, now)
	if len(c.at) <= often {
		return false
	}
	delete(w.by, hall) // after a release it begins anew
	return true
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// Replaced is told that a living session of a hall was replaced by another one. Whoever does that more than twice in five minutes from
// elsewhere is put in quarantine, both of them: which is the right one, an operator has to find out.
func (g *Gate) Replaced(ctx context.Context, hall hallsync.HallID, before, after Place) {
	if !g.watch.replaced(hall, before, after, g.o.Now()) {
		return
	}
	if err := g.Quarantine(ctx, hall, reasonClone); err != nil {
		g.o.Log.Error("hall not put in quarantine", "hall", hall, "error", err)
	}
}
