package limit

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Greeter is a listener that hands out connections whose greeting is done, such as a handshake. One that is slow holds up nobody, and a
// bounded number is under way at once: most wait for their peer, so the figure bounds memory.
type Greeter struct {
	raw     net.Listener
	greet   func(net.Conn) (net.Conn, error)
	longest time.Duration
	crowd   *crowd

	ready  chan net.Conn
	slots  chan struct{}
	ended  chan struct{} // no more connections come
	err    error         // why; read after ended is closed
	closed chan struct{}
	close  sync.Once
	all    sync.WaitGroup
}

// Greet takes over a listener; its first error ends this one too, so one that outlives errors which pass comes below (Patient). n greetings
// are under way at once; each may take the longest time, which greet need not see to. A connection for which greet fails or panics is closed. Close
// ends everything that Greet began.
func Greet(raw net.Listener, n int, longest time.Duration, greet func(net.Conn) (net.Conn, error)) *Greeter {
	g := &Greeter{
		raw: raw, greet: greet, longest: longest, crowd: newCrowd(n), ready: make(chan net.Conn), slots: make(chan struct{}, n),
		ended: make(chan struct{}), closed: make(chan struct{}),
	}
	g.all.Add(1)
	go g.accept()
	return g
}

// Accept implements net.Listener. What it gives is what greet gave.
func (g *Greeter) Accept() (net.Conn, error) {
	select {
	case c := <-g.ready:
		return c, nil
	case <-g.closed:
		return nil, net.ErrClosed
	case <-g.ended:
		return nil, g.err
	}
}

// Close implements net.Listener. It ends the greetings that are under way and waits for them; connections that were handed out stay.
func (g *Greeter) Close() error {
	var err error
	g.close.Do(func() {
		close(g.closed)
		err = g.raw.Close()
		g.crowd.closeAll()
	})
	g.all.Wait()
	return err
}

// Addr implements net.Listener.
func (g *Greeter) Addr() net.Addr { return g.raw.Addr() }

func (g *Greeter) accept() {
	defer g.all.Done()
	for {
		raw, err := g.raw.Accept()
		if err != nil {
			g.err = fmt.Errorf("accept: %w", err)
			close(g.ended)
			return
		}
		leave := g.crowd.enter(raw)
		select {
		case g.slots <- struct{}{}: // who was closed to make room leaves at once
			g.all.Add(1)
			go g.serve(raw, leave)
		case <-g.closed:
			leave()
			_ = raw.Close()
		}
	}
}

// serve greets one connection and hands it out.
func (g *Greeter) serve(raw net.Conn, leave func()) {
	defer g.all.Done()
	defer func() { <-g.slots }()
	c, err := g.greeted(raw)
	leave()
	if err != nil {
		_ = raw.Close()
		return
	}
	select {
	case g.ready <- c:
	case <-g.closed:
		_ = c.Close()
	}
}

func (g *Greeter) greeted(raw net.Conn) (c net.Conn, err error) {
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, fmt.Errorf("greeting panicked: %v", r)
		}
	}()
	if err := raw.SetDeadline(time.Now().Add(g.longest)); err != nil {
		return nil, err
	}
	if c, err = g.greet(raw); err != nil {
		return nil, err
	}
	return c, raw.SetDeadline(time.Time{})
}

// Join gives one listener that accepts whatever the others do; the first of them says what its address is. The first error of one of them
// ends it. It closes them all.
func Join(all ...net.Listener) net.Listener {
	if len(all) == 1 {
		return all[0]
	}
	j := &joined{all: all, ready: make(chan net.Conn), failed: make(chan error, len(all)), closed: make(chan struct{})}
	for _, l := range all {
		j.accepts.Go(func() { j.accept(l) })
	}
	return j
}

type joined struct {
	all     []net.Listener
	ready   chan net.Conn
	failed  chan error
	closed  chan struct{}
	close   sync.Once
	accepts sync.WaitGroup
}

func (j *joined) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			j.failed <- err
			return
		}
		select {
		case j.ready <- c:
		case <-j.closed:
			_ = c.Close()
		}
	}
}

// Accept implements net.Listener.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case c := <-j.ready:
		return c, nil
	case <-j.closed:
		return nil, net.ErrClosed
	case err := <-j.failed:
		return nil, err
	}
}

// Close implements net.Listener.
func (j *joined) Close() (err error) {
	j.close.Do(func() {
		close(j.closed)
		for _, l := range j.all {
			if e := l.Close(); err == nil {
				err = e
			}
		}
	})
	j.accepts.Wait()
	return err
}

// Addr implements net.Listener.
func (j *joined) Addr() net.Addr { return j.all[0].Addr() }
