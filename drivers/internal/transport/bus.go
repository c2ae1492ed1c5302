package transport

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"halledge/drivers/device"
)

// Bus is a Conn that several devices share, such as an RS-485 pair with a pad for each window. It is used only in turns; its
// Close gives back a share and releases no Read.
type Bus interface {
	Conn
	// Turn waits until nobody else uses the bus and gives the function that ends the turn. It fails with ctx's error.
	Turn(ctx context.Context) (release func(), err error)
}

// Ports gives the devices of one bus the same connection. The zero value is ready.
type Ports struct {
	mu    sync.Mutex
	buses map[Spec]*bus
}

// bus is one connection and those who share it.
type bus struct {
	turn   chan struct{} // holds one token; the taker may use conn
	conn   Conn          // nil until the first sharer opened it
	shares int           // guarded by Ports.mu
}

// Open gives a share of the connection of s, and opens that when this is the first. The last Close closes the connection; the
// first Close after the other end is gone does too, so that the next Open makes a new one.
func (p *Ports) Open(ctx context.Context, s Spec) (Bus, error) {
	sh := &share{bus: p.join(s), ports: p, spec: s}
	release, err := sh.Turn(ctx)
	if err != nil {
		_ = p.leave(sh) // it has no connection to close
		return nil, err
	}
	defer release()
	if sh.bus.conn == nil {
		if sh.bus.conn, err = Open(ctx, s); err != nil {
			_ = p.leave(sh)
			return nil, err
		}
	}
	sh.Conn = sh.bus.conn
	return sh, nil
}

func (p *Ports) join(s Spec) *bus {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buses[s]
	if b == nil {
		b = &bus{turn: make(chan struct{}, 1)}
		b.turn <- struct{}{}
		if p.buses == nil {
			p.buses = make(map[Spec]*bus)
		}
		p.buses[s] = b
	}
	b.shares++
	return b
}

// leave closes the connection when nobody needs it any more or can use it.
func (p *Ports) leave(sh *share) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	sh.bus.shares--
	if sh.bus.shares > 0 && !sh.gone.Load() {
		return nil
	}
	if p.buses[sh.spec] == sh.bus {
		delete(p.buses, sh.spec)
	}
	if sh.Conn == nil {
		return nil
	}
	return sh.Conn.Close()
}

// share is one device's part of a bus.
type share struct {
	Conn
	bus     *bus
	ports   *Ports
	spec    Spec
	gone    atomic.Bool
	closing sync.Once
	closed  atomic.Bool
}

func (s *share) Turn(ctx context.Context) (func(), error) {
	select {
	case <-s.bus.turn:
		return func() { s.bus.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *share) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	return n, s.notice("read", err)
}

func (s *share) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	return n, s.notice("write", err)
}

// notice remembers that the other end is gone, also when another share found out first and closed the connection.
func (s *share) notice(op string, err error) error {
	if errors.Is(err, os.ErrClosed) && !s.closed.Load() {
		err = &device.Error{Op: op + " " + s.spec.String(), Code: device.CodeOffline, Retry: true, Err: ErrGone}
	}
	if errors.Is(err, ErrGone) {
		s.gone.Store(true)
	}
	return err
}

func (s *share) Close() error {
	var err error
	s.closing.Do(func() {
		s.closed.Store(true)
		err = s.ports.leave(s)
	})
	return err
}
