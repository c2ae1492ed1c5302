package ingest

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"halledge/agent/kit/limit"
)

const (
	// introduce is how long a connection has from accept until it publishes or plays.
	introduce = 30 * time.Second
	// userTimeout is how long the kernel keeps a line whose far end acknowledges nothing.
	userTimeout = 10 * time.Second
	// The most connections in all, and the most that do not publish or play yet.
	maxConns     = 8192
	maxStrangers = 512
)

// listener accepts connections within the limits. A connection beyond them is closed at once; an error of accept that passes,
// such as having no file descriptor left, does not end the server.
type listener struct {
	net.Listener
	conns     atomic.Int32
	strangers atomic.Int32
}

// listen opens the port without encryption, which is for this machine alone, and accepts by the secured ways too.
func listen(address string, secured []net.Listener) (*listener, error) {
	if addr, err := net.ResolveTCPAddr("tcp", address); err != nil {
		return nil, fmt.Errorf("open RTSP port: %w", err)
	} else if !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("open RTSP port on %s: only the loopback may be used without TLS", address)
	}
	cfg := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) { // connections inherit it
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		}); err != nil {
			return err
		}
		return failed
	}}
	ln, err := cfg.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open RTSP port: %w", err)
	}
	return &listener{Listener: limit.Join(append([]net.Listener{limit.Patient(ln)}, secured...)...)}, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.conns.Load() >= maxConns || l.strangers.Load() >= maxStrangers {
			_ = c.Close()
			continue
		}
		if err := c.SetReadDeadline(time.Now().Add(introduce)); err != nil {
			_ = c.Close()
			continue
		}
		l.conns.Add(1)
		l.strangers.Add(1)
		return &conn{Conn: c, l: l}, nil
	}
}

// conn is one connection. Until it is known it keeps the deadline it was accepted with, whatever the protocol library sets.
type conn struct {
	net.Conn
	l      *listener
	known  atomic.Bool
	closed atomic.Bool
}

// admit marks a connection that publishes or plays.
func (c *conn) admit() {
	if !c.known.Swap(true) {
		c.l.strangers.Add(-1)
		// It fails only when the connection is closed, which the next read finds.
		_ = c.Conn.SetReadDeadline(time.Time{})
	}
}

// NetConn gives the connection that was accepted.
func (c *conn) NetConn() net.Conn { return c.Conn }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !c.known.Load() {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		c.l.conns.Add(-1)
		if !c.known.Swap(true) {
			c.l.strangers.Add(-1)
		}
	}
	return c.Conn.Close()
}
