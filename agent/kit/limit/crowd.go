package limit

import (
	"container/list"
	"net"
	"sync"
)

// shares: an address with more than this part of all places gives some back.
const shares = 8

// crowd are the connections that are being greeted, by address. It is safe for concurrent use.
type crowd struct {
	most int

	mu    sync.Mutex
	by    map[string]*list.List // of net.Conn; the oldest is the first
	count int
	over  bool // nobody may come any more
}

func newCrowd(most int) *crowd { return &crowd{most: most, by: map[string]*list.List{}} }

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
func (g *crowd) enter(c net.Conn) (leave func()) {
	address := addressOf(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count >= g.most {
		g.evict()
	}
	if g.by[address] == nil {
		g.by[address] = list.New()
	}
	if g.over {
		_ = c.Close()
	}
	place := g.by[address].PushBack(c)
	g.count++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.remove(address, place)
	}
}

func (g *crowd) evict() {
	var most string
	for address, conns := range g.by {
		if most == "" || conns.Len() > g.by[most].Len() {
			most = address
		}
	}
	if g.by[most].Len() <= g.most/shares {
		return
	}
	oldest := g.by[most].Front()
	_ = oldest.Value.(net.Conn).Close()
	g.remove(most, oldest)
}

// remove forgets a connection, once.
func (g *crowd) remove(address string, place *list.Element) {
	conns := g.by[address]
	if conns == nil || place.Value == nil {
		return
	}
	conns.Remove(place)
	place.Value = nil
	g.count--
	if conns.Len() == 0 {
		delete(g.by, address)
	}
}

// closeAll ends every greeting, also those that come later.
func (g *crowd) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	for _, conns := range g.by {
		for e := conns.Front(); e != nil; e = e.Next() {
			_ = e.Value.(net.Conn).Close()
		}
	}
}
