// Package limit gives a listener that keeps a bounded number of connections open. When another one comes, the one that has been
// silent longest makes room for it, so that connections which only wait cannot keep out who has a request, and no address may have more
// than its share. Greet bounds the handshakes of connections that are not known yet, Patient makes a listener that outlives errors which
// pass, and Join makes one of several.
package limit

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Listener bounds the connections of a listener. It must learn what they do: set State as the server's ConnState.
type Listener struct {
	net.Listener
	places chan struct{} // holds one token for each open connection
	closed chan struct{}
	close  sync.Once

	share int // connections that one address may have; 0: all

	mu     sync.Mutex
	silent *list.List           // of *conn: no request is under way; the longest silent is the first
	wanted bool                 // somebody waits for the place of the next one that falls silent
	open   map[netip.Prefix]int // of addresses that are counted
}

// New gives a listener with n places.
func New(l net.Listener, n int) *Listener {
	return &Listener{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{}), silent: list.New(), open: map[netip.Prefix]int{}}
}

// Share lets one address, or one network of IPv6, have n connections. When it wants another one, that of its own which has been silent
// longest makes room; when all of them are busy, it is sent away. Programs of this machine are not counted: one of them may stand before
// many people. Share is for before the first Accept.
func (l *Listener) Share(n int) *Listener {
	l.share = n
	return l
}

// conn is a connection that has a place until it is closed.
type conn struct {
	net.Conn
	from   *Listener
	sender netip.Prefix // invalid if it is not counted

	// Guarded by from.mu.
	waits *list.Element // in from.silent, nil while a request is under way
	gone  bool
}

// Accept waits for the next connection and for a place for it.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, from: l, sender: l.counted(raw.RemoteAddr())}
		if !l.enter(c.sender) {
			_ = raw.Close() // it was never served
			continue
		}
		return l.place(c)
	}
}

// place waits for a place for a connection.
func (l *Listener) place(c *conn) (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
		return c, nil
	default:
	}
	l.makeRoom()
	defer l.roomMade()
	select {
	case l.places <- struct{}{}:
		return c, nil
	case <-l.closed:
		l.leave(c.sender)
		_ = c.Conn.Close() // it was never served
		return nil, net.ErrClosed
	}
}

// counted gives what a connection counts for; an invalid prefix for nothing.
func (l *Listener) counted(remote net.Addr) netip.Prefix {
	at, ok := remote.(*net.TCPAddr)
	if !ok || l.share == 0 || at.IP.IsLoopback() {
		return netip.Prefix{}
	}
	ip, bits := at.AddrPort().Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	from, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return from
}

// enter counts a connection of a sender, or reports that it has too many which are all busy.
func (l *Listener) enter(sender netip.Prefix) bool {
	if !sender.IsValid() {
		return true
	}
	for {
		l.mu.Lock()
		if l.open[sender] < l.share {
			l.open[sender]++
			l.mu.Unlock()
			return true
		}
		var idle *conn
		for e := l.silent.Front(); e != nil && idle == nil; e = e.Next() {
			if c := e.Value.(*conn); c.sender == sender {
				idle = c
			}
		}
		l.mu.Unlock()
		if idle == nil {
			return false
		}
		_ = idle.Close() // it had nothing to say, and is counted no more
	}
}

func (l *Listener) leave(sender netip.Prefix) {
	if !sender.IsValid() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[sender]--; l.open[sender] == 0 {
		delete(l.open, sender)
	}
}

// Close also ends an Accept that waits for a place.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// makeRoom closes the connection that has been silent longest, or else lets the next silent one be closed.
func (l *Listener) makeRoom() {
	l.mu.Lock()
	first := l.silent.Front()
	l.wanted = first == nil
	l.mu.Unlock()
	if first != nil {
		_ = first.Value.(*conn).Close() // it had nothing to say
	}
}

func (l *Listener) roomMade() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = false
}

// State is for http.Server.ConnState. A connection that has not sent its first request yet is as silent as one between two.
func (l *Listener) State(nc net.Conn, state http.ConnState) {
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	switch state {
	case http.StateNew, http.StateIdle:
		if l.rest(c) {
			_ = c.Close() // its place is wanted
		}
	case http.StateActive, http.StateHijacked:
		l.leaveSilent(c)
	}
}

// rest notes that c is silent from now on, and reports whether it should go at once.
func (l *Listener) rest(c *conn) (leave bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted {
		l.wanted = false
		return true
	}
	if !c.gone && c.waits == nil {
		c.waits = l.silent.PushBack(c)
	}
	return false
}

func (l *Listener) leaveSilent(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.waits != nil {
		l.silent.Remove(c.waits)
		c.waits = nil
	}
}

// NetConn gives the connection that was accepted.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Close gives the place free.
func (c *conn) Close() error {
	c.from.leaveSilent(c)
	c.from.mu.Lock()
	first := !c.gone
	c.gone = true
	c.from.mu.Unlock()
	err := c.Conn.Close()
	if first {
		c.from.leave(c.sender)
		<-c.from.places
	}
	return err
}
