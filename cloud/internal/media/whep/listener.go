package whep

import (
	"net"
	"sync"

	"halledge/agent/kit/limit"
)

// maxTCP bounds the connections to the TCP port: all viewers there may be, and as many that have yet to say who they are.
const maxTCP = 1024

// listener accepts connections within a limit, goes on after errors that pass, and closes every connection when it is closed:
// the library waits for those that have said nothing yet until their time is over, and takes any error for the end.
type listener struct {
	net.Listener
	limit int

	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

func newListener(ln net.Listener, most int) *listener {
	return &listener{Listener: limit.Patient(ln), limit: most, open: map[*conn]struct{}{}}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, l: l}
		if !l.add(c) {
			_ = raw.Close()
			continue
		}
		return c, nil
	}
}

func (l *listener) add(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.open) >= l.limit {
		return false
	}
	l.open[c] = struct{}{}
	return true
}

// Close implements net.Listener.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.closed = true
	open := l.open
	l.open = map[*conn]struct{}{}
	l.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close()
	}
	return err
}

// conn is one connection.
type conn struct {
	net.Conn
	l *listener
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.l.mu.Lock()
	delete(c.l.open, c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
