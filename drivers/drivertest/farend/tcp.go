package farend

import (
	"fmt"
	"net"
	"sync"
)

// TCP is a network device on loopback. Its port is free while it is unplugged, so connecting is refused.
type TCP struct {
	addr  string
	serve Serve
	ln    net.Listener // nil while unplugged

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil while unplugged
	all   sync.WaitGroup
}

// NewTCP makes a line on a port that the system chooses. Nothing listens yet.
func NewTCP(serve Serve) (*TCP, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &TCP{addr: ln.Addr().String(), serve: serve}, ln.Close()
}

// Addr is where the host finds the device while it is plugged in.
func (t *TCP) Addr() string { return t.addr }

// Plug implements Line. Every connection made from now on is served, several at a time.
func (t *TCP) Plug() error {
	if t.ln != nil {
		return fmt.Errorf("plug %s: %w", t.addr, errPlugged)
	}
	ln, err := net.Listen("tcp", t.addr)
	if err != nil {
		return err
	}
	t.ln, t.conns = ln, make(map[net.Conn]struct{})
	t.all.Go(func() { t.accept(ln) })
	return nil
}

func (t *TCP) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return // unplugged
		}
		if !t.add(conn) {
			conn.Close()
			return
		}
		t.all.Go(func() {
			defer t.remove(conn)
			t.serve(conn)
		})
	}
}

func (t *TCP) add(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conns == nil {
		return false
	}
	t.conns[conn] = struct{}{}
	return true
}

func (t *TCP) remove(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	conn.Close()
	delete(t.conns, conn)
}

// Unplug implements Line.
func (t *TCP) Unplug() error {
	if t.ln == nil {
		return nil
	}
	err := t.ln.Close()
	t.mu.Lock()
	for conn := range t.conns {
		conn.Close()
	}
	t.conns = nil
	t.mu.Unlock()
	t.all.Wait()
	t.ln = nil
	return err
}
