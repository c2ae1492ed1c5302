// Package limit gives a listener that keeps a bounded number of connections open. When another one comes, the one that has been
// silent longest makes room for it, so that connections which only wait cannot keep out who has a request. Patient makes a listener
// that outlives errors which pass.
package limit

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// Listener bounds the connections of a listener. It must learn what they do: set State as the server's ConnState.
type Listener struct {
	net.Listener
	places chan struct{} // holds one token for each open connection
	closed chan struct{}
	close  sync.Once

	mu     sync.Mutex
	silent *list.List // of *conn: no request is under way; the longest silent is the first
	wanted bool       // somebody waits for the place of the next one that falls silent
}

// New gives a listener with n places.
func New(l net.Listener, n int) *Listener {
	return &Listener{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{}), silent: list.New()}
}

// conn is a connection that has a place until it is closed.
type conn struct {
	net.Conn
	from *Listener

	// Guarded by from.mu.
	waits *list.Element // in from.silent, nil while a request is under way
	gone  bool
}

// Accept waits for the next connection and for a place for it.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.places <- struct{}{}:
		return &conn{Conn: c, from: l}, nil
	default:
	}
	l.makeRoom()
	defer l.roomMade()
	select {
	case l.places <- struct{}{}:
		return &conn{Conn: c, from: l}, nil
	case <-l.closed:
		_ = c.Close() // it was never served
		return nil, net.ErrClosed
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

// Close gives the place free.
func (c *conn) Close() error {
	c.from.leaveSilent(c)
	c.from.mu.Lock()
	first := !c.gone
	c.gone = true
	c.from.mu.Unlock()
	err := c.Conn.Close()
	if first {
		<-c.from.places
	}
	return err
}
