package session

import (
	"context"
	"sync"
	"time"

	"halledge/drivers/internal/transport"
)

// use runs fn on the link's connection and makes its reads and writes return as soon as ctx or the link ends.
func (l *link) use(ctx context.Context, fn Serve) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()

	conn := &turnConn{Conn: l.conn}
	cut := make(chan struct{})
	notCut := context.AfterFunc(ctx, func() {
		defer close(cut)
		conn.cut()
	})
	err := fn(ctx, conn)
	if !notCut() {
		<-cut
	}
	if e := l.conn.SetDeadline(time.Time{}); err == nil {
		err = e
	}
	return err
}

// turnConn is the connection as one Do sees it: once cut, no deadline that fn sets can make it wait again.
type turnConn struct {
	transport.Conn
	mu   sync.Mutex
	over bool
}

// Under implements transport.Wrapper.
func (c *turnConn) Under() transport.Conn { return c.Conn }

func (c *turnConn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	_ = c.Conn.SetDeadline(time.Unix(1, 0)) // fails only when closed, and then nothing waits
}

func (c *turnConn) unlessOver(set func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil
	}
	return set(t)
}

func (c *turnConn) SetDeadline(t time.Time) error { return c.unlessOver(c.Conn.SetDeadline, t) }
func (c *turnConn) SetReadDeadline(t time.Time) error {
	return c.unlessOver(c.Conn.SetReadDeadline, t)
}
func (c *turnConn) SetWriteDeadline(t time.Time) error {
	return c.unlessOver(c.Conn.SetWriteDeadline, t)
}
