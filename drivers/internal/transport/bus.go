package transport

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

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
	mu      sync.Mutex
	buses   map[Spec]*bus
	parties map[Spec]*party
}

// bus is one connection and those who share it.
type bus struct {
	turn   chan struct{} // holds one token; the taker may use conn
	conn   Conn          // nil until the first sharer opened it
	shares atomic.Int32  // changed under Ports.mu
	spared atomic.Int64  // until when nobody may ask who did not answer last time, in nanoseconds since began
	began  time.Time
}

// A device that does not answer costs the whole time that is waited for it. Those who answer shall not feel that: after each such turn
// the line is theirs for absentShare times as long, but no longer than absentAtMost. Who has answered on this connection is one of them
// until it has missed absentAfter questions in a row: an answer that comes late now and then is no reason to wait for one's turn.
const (
	absentShare  = 4
	absentAtMost = time.Second
	absentAfter  = 3
)

// Open gives a share of the connection of s, and opens that when this is the first. The last Close closes the connection; the
// first Close after the other end is gone does too, so that the next Open makes a new one.
func (p *Ports) Open(ctx context.Context, s Spec) (Bus, error) {
	sh := &share{bus: p.join(s), ports: p, spec: s, absent: true}
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
		b = &bus{turn: make(chan struct{}, 1), began: time.Now()}
		b.turn <- struct{}{}
		if p.buses == nil {
			p.buses = make(map[Spec]*bus)
		}
		p.buses[s] = b
	}
	b.shares.Add(1)
	return b
}

// leave closes the connection when nobody needs it any more or can use it.
func (p *Ports) leave(sh *share) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sh.bus.shares.Add(-1) > 0 && !sh.gone.Load() {
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

	// Of whoever has the turn.
	absent       bool // no byte came when it was asked last and before, or it was never heard
	missed       int  // questions in a row
	wrote, heard bool // in this turn
}

// Turn implements Bus. Who did not answer last time waits until the line can be spared.
func (s *share) Turn(ctx context.Context) (func(), error) {
	for {
		select {
		case <-s.bus.turn:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		wait := time.Duration(s.bus.spared.Load()) - time.Since(s.bus.began)
		if !s.absent || wait <= 0 || s.bus.shares.Load() < 2 {
			break
		}
		s.bus.turn <- struct{}{}
		if err := Pause(ctx, wait); err != nil {
			return nil, err
		}
	}
	s.wrote, s.heard = false, false
	begun := time.Now()
	return func() {
		switch {
		case s.heard:
			s.absent, s.missed = false, 0
		case s.wrote:
			s.missed++
			s.absent = s.absent || s.missed >= absentAfter
		}
		if s.wrote && !s.heard {
			free := min(absentShare*time.Since(begun), absentAtMost)
			s.bus.spared.Store(int64(time.Since(s.bus.began) + free))
		}
		s.bus.turn <- struct{}{}
	}, nil
}

// Pause waits, less when ctx ends: then it gives ctx's error.
func Pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Under implements Wrapper.
func (s *share) Under() Conn { return s.Conn }

func (s *share) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.heard = s.heard || n > 0
	return n, s.notice("read", err)
}

func (s *share) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	s.wrote = s.wrote || n > 0
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
