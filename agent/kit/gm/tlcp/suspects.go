package tlcp

import (
	"net"
	"sync"
	"time"
)

// AlarmAt is how many secrets of one address that cannot be opened, within a minute, are an attack: then the alarm is raised, once, and
// the address is kept out until the minute is over.
const AlarmAt = 20

const (
	alarmWindow = time.Minute
	maxSuspects = 4096 // addresses that are remembered
)

// suspects are the addresses whose secrets could not be opened. It is safe for concurrent use.
type suspects struct {
	alarm func(address string, failures int)

	mu sync.Mutex
	by map[string]*suspect
}

type suspect struct {
	since    time.Time
	failures int
}

func newSuspects(alarm func(string, int)) *suspects {
	return &suspects{alarm: alarm, by: map[string]*suspect{}}
}

// addressOf gives the peer's address without its port.
func addressOf(c net.Conn) string {
	address := c.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// welcome reports whether an address may try.
func (g *suspects) welcome(address string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.by[address]
	return s == nil || s.failures < AlarmAt || now.Sub(s.since) >= alarmWindow
}

// failed notes a secret of an address that could not be opened.
func (g *suspects) failed(address string, now time.Time) {
	if g.note(address, now) == AlarmAt && g.alarm != nil {
		g.alarm(address, AlarmAt)
	}
}

// note counts it and gives how many there were in this minute.
func (g *suspects) note(address string, now time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.by[address]
	if s == nil || now.Sub(s.since) >= alarmWindow {
		if len(g.by) >= maxSuspects {
			g.forget(now)
		}
		s = &suspect{since: now}
		g.by[address] = s
	}
	s.failures++
	return s.failures
}

// forget drops who has been quiet for a minute; if all are busy, whoever comes first: a million addresses are not one attacker's.
func (g *suspects) forget(now time.Time) {
	for address, s := range g.by {
		if now.Sub(s.since) >= alarmWindow {
			delete(g.by, address)
		}
	}
	for address := range g.by {
		if len(g.by) < maxSuspects {
			return
		}
		delete(g.by, address)
	}
}
