package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// inbox is how many bytes wait for a device that does not read; older ones are thrown away.
	inbox = 4 << 10
	// lull is the silence after which nobody is in the middle of a frame, and lullAtMost how long it is waited for.
	lull       = 10 * time.Millisecond
	lullAtMost = 200 * time.Millisecond
)

// party is one connection whose far ends speak unasked, such as pads that send their keys when they are pressed: everybody hears all of
// it, but not what was written. Its goroutine ends when the connection does, which the last who leaves waits for.
type party struct {
	turn  chan struct{} // holds one token; the taker may write
	ended chan struct{} // closed when its goroutine has ended

	mu   sync.Mutex
	conn Conn // nil until the first ear opened it
	ears map[*ear]struct{}
	last time.Time // when a byte came
	echo echo
	err  error // why the connection has ended
}

// Listen gives an ear on the connection of s, and opens that when this is the first. Unlike shares of Open, ears read at any time, and
// each hears everything; a turn is for writing, and begins in a pause of the others. The last Close closes the connection.
func (p *Ports) Listen(ctx context.Context, s Spec) (Bus, error) {
	pa := p.party(s)
	release, err := pa.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	pa.mu.Lock()
	conn := pa.conn
	pa.mu.Unlock()
	if conn == nil {
		if conn, err = Open(ctx, s); err != nil {
			return nil, err
		}
		pa.mu.Lock()
		pa.conn = conn
		pa.mu.Unlock()
		go p.attend(s, pa)
	}
	e := &ear{Conn: conn, party: pa, changed: make(chan struct{})}
	if !pa.join(e) {
		return nil, ioError("open", s.String(), io.EOF)
	}
	return e, nil
}

func (p *Ports) party(s Spec) *party {
	p.mu.Lock()
	defer p.mu.Unlock()
	pa := p.parties[s]
	if pa == nil {
		pa = &party{turn: make(chan struct{}, 1), ended: make(chan struct{}), ears: map[*ear]struct{}{}}
		pa.turn <- struct{}{}
		if p.parties == nil {
			p.parties = make(map[Spec]*party)
		}
		p.parties[s] = pa
	}
	return pa
}

// attend passes what arrives to all ears until the connection ends.
func (p *Ports) attend(s Spec, pa *party) {
	defer close(pa.ended)
	buf := make([]byte, 256)
	for {
		n, err := pa.conn.Read(buf)
		pa.pass(buf[:n])
		if err == nil {
			continue
		}
		p.mu.Lock()
		if p.parties[s] == pa {
			delete(p.parties, s)
		}
		p.mu.Unlock()
		pa.mu.Lock()
		pa.err = err
		pa.mu.Unlock()
		_ = pa.conn.Close() // before anybody hears of it: who opens again must find it free
		pa.end()
		return
	}
}

func (p *party) pass(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	b = p.echo.strip(b, p.last)
	for e := range p.ears {
		e.take(b)
	}
}

// wrote says that somebody writes b now.
func (p *party) wrote(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.echo.wrote(b, time.Now())
}

// end tells all ears that nothing more comes.
func (p *party) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for e := range p.ears {
		e.fail(p.err)
	}
}

// ending is why the connection has ended, nil while it is there.
func (p *party) ending() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// join reports whether the connection is still there.
func (p *party) join(e *ear) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return false
	}
	p.ears[e] = struct{}{}
	return true
}

// leave closes the connection behind the last one.
func (p *party) leave(e *ear) error {
	p.mu.Lock()
	delete(p.ears, e)
	last := len(p.ears) == 0
	p.mu.Unlock()
	if !last {
		return nil
	}
	err := p.conn.Close()
	<-p.ended
	return err
}

func (p *party) take(ctx context.Context) (release func(), err error) {
	select {
	case <-p.turn:
		return func() { p.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// quiet gives how long the line must still be silent until somebody may speak.
func (p *party) quiet() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return lull - time.Since(p.last)
}

// ear is one device's part of a party.
type ear struct {
	Conn  // never read
	party *party

	mu       sync.Mutex
	buf      []byte
	err      error // why nothing more comes
	closed   bool
	deadline time.Time
	changed  chan struct{} // closed when any of these changed
}

// Turn implements Bus.
func (e *ear) Turn(ctx context.Context) (func(), error) {
	release, err := e.party.take(ctx)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	for wait := e.party.quiet(); wait > 0 && time.Since(begun) < lullAtMost; wait = e.party.quiet() {
		if err := Pause(ctx, wait); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// change does something to the ear and wakes who reads.
func (e *ear) change(do func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	do()
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *ear) take(b []byte) {
	e.change(func() {
		e.buf = append(e.buf, b...)
		if over := len(e.buf) - inbox; over > 0 {
			e.buf = append(e.buf[:0], e.buf[over:]...)
		}
	})
}

func (e *ear) fail(err error) { e.change(func() { e.err = err }) }

// look gives what there is to read now, or the time until it may be asked again at the latest and what ends the wait before.
func (e *ear) look(b []byte) (n int, wait time.Duration, changed <-chan struct{}, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	wait = time.Hour
	if !e.deadline.IsZero() {
		wait = time.Until(e.deadline)
	}
	switch {
	case e.closed:
		return 0, 0, nil, os.ErrClosed
	case wait <= 0:
		return 0, 0, nil, os.ErrDeadlineExceeded
	case len(e.buf) > 0:
		n = copy(b, e.buf)
		e.buf = append(e.buf[:0], e.buf[n:]...)
		return n, 0, nil, nil
	case e.err != nil:
		return 0, 0, nil, e.err
	}
	return 0, wait, e.changed, nil
}

func (e *ear) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, wait, changed, err := e.look(b)
		if n > 0 || err != nil {
			return n, err
		}
		t := time.NewTimer(wait)
		select {
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// Write must be called in a turn. When the other end is gone it says so, also if somebody else found out first.
func (e *ear) Write(b []byte) (int, error) {
	e.mu.Lock()
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return 0, os.ErrClosed
	}
	e.party.wrote(b)
	n, err := e.Conn.Write(b)
	if ended := e.party.ending(); errors.Is(err, os.ErrClosed) && ended != nil {
		err = ended
	}
	return n, err
}

// SetDeadline implements Conn. The deadline for writing is the connection's, so set it in a turn only.
func (e *ear) SetDeadline(t time.Time) error {
	return errors.Join(e.SetReadDeadline(t), e.Conn.SetWriteDeadline(t))
}

func (e *ear) SetReadDeadline(t time.Time) error {
	e.change(func() { e.deadline = t })
	return nil
}

func (e *ear) Close() error {
	was := false
	e.change(func() { was, e.closed = e.closed, true })
	if was {
		return nil
	}
	return e.party.leave(e)
}
