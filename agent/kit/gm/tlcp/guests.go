package tlcp

import (
	"container/list"
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

	shares = 8 // an address with more than this part of all places gives some back
)

// guests are the connections whose handshake is under way, and what is held against their addresses. It is safe for concurrent use.
type guests struct {
	alarm func(address string, failures int)

	mu       sync.Mutex
	waiting  map[string]*list.List // of net.Conn by address; the oldest is the first
	count    int
	over     bool // nobody may come any more
	suspects map[string]*suspect
}

type suspect struct {
	since    time.Time
	failures int
}

func newGuests(alarm func(string, int)) *guests {
	return &guests{alarm: alarm, waiting: map[string]*list.List{}, suspects: map[string]*suspect{}}
}

// addressOf gives the peer's address without its port.
func addressOf(c net.Conn) string {
	address := c.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// enter notes a connection. When there are most already and one address has more than its share, the oldest of that address is closed to
// make room: who opens connections without end shuts out himself, and a province that comes back at once waits its turn.
func (g *guests) enter(c net.Conn, most int) (leave func()) {
	address := addressOf(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count >= most {
		g.evict(most / shares)
	}
	if g.waiting[address] == nil {
		g.waiting[address] = list.New()
	}
	if g.over {
		_ = c.Close()
	}
	place := g.waiting[address].PushBack(c)
	g.count++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.remove(address, place)
	}
}

func (g *guests) evict(share int) {
	var crowd string
	for address, conns := range g.waiting {
		if crowd == "" || conns.Len() > g.waiting[crowd].Len() {
			crowd = address
		}
	}
	if g.waiting[crowd].Len() <= share {
		return
	}
	oldest := g.waiting[crowd].Front()
	_ = oldest.Value.(net.Conn).Close()
	g.remove(crowd, oldest)
}

// remove forgets a connection, once.
func (g *guests) remove(address string, place *list.Element) {
	conns := g.waiting[address]
	if conns == nil || place.Value == nil {
		return
	}
	conns.Remove(place)
	place.Value = nil
	g.count--
	if conns.Len() == 0 {
		delete(g.waiting, address)
	}
}

// closeAll ends every handshake, also those that come later.
func (g *guests) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	for _, conns := range g.waiting {
		for e := conns.Front(); e != nil; e = e.Next() {
			_ = e.Value.(net.Conn).Close()
		}
	}
}

// welcome reports whether an address may try.
func (g *guests) welcome(address string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.suspects[address]
	return s == nil || s.failures < AlarmAt || now.Sub(s.since) >= alarmWindow
}

// failed notes a secret of an address that could not be opened.
func (g *guests) failed(address string, now time.Time) {
	if g.note(address, now) == AlarmAt && g.alarm != nil {
		g.alarm(address, AlarmAt)
	}
}

// note counts it and gives how many there were in this minute.
func (g *guests) note(address string, now time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.suspects[address]
	if s == nil || now.Sub(s.since) >= alarmWindow {
		if len(g.suspects) >= maxSuspects {
			g.forget(now)
		}
		s = &suspect{since: now}
		g.suspects[address] = s
	}
	s.failures++
	return s.failures
}

// forget drops who has been quiet for a minute; if all are busy, whoever comes first: a million addresses are not one attacker's.
func (g *guests) forget(now time.Time) {
	for address, s := range g.suspects {
		if now.Sub(s.since) >= alarmWindow {
			delete(g.suspects, address)
		}
	}
	for address := range g.suspects {
		if len(g.suspects) < maxSuspects {
			return
		}
		delete(g.suspects, address)
	}
}
