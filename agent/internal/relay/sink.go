package relay

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"halledge/agent/internal/relay/wire"
)

// What may wait on the line to the node. Past maxWaiting or maxAge pictures are left out; a single picture may still go up to
// hardLimit, so that it is not cut in two.
const (
	maxWaiting   = 512 << 10
	maxAge       = time.Second
	hardLimit    = 4 * maxWaiting
	writeTimeout = 10 * time.Second
)

var (
	errHungUp = errors.New("closed by the relay")
	errStuck  = errors.New("line took no more")
)

// sink is the connection to the node. The camera's packets go into it from whichever goroutine read them: it writes them
// straight to the socket while that takes them, and keeps the rest for its own goroutine. The protocol library writes its
// requests into the same queue, so nothing ever lands in the middle of a frame.
type sink struct {
	net.Conn
	raw syscall.RawConn // nil under TLS and TLCP: then everything goes through the queue

	mu      sync.Mutex
	queue   []byte
	since   time.Time // when the oldest byte of queue came
	sending int       // bytes the goroutine is writing
	begun   time.Time // when the oldest of those came
	err     error     // the first thing that went wrong; the connection is over

	wake   chan struct{}
	ended  chan struct{} // closed with err set
	closed chan struct{} // tells the goroutine to go
	gone   chan struct{} // it went
	once   sync.Once
}

// newSink takes over a connection. Close ends it and waits for its goroutine.
func newSink(conn net.Conn) *sink {
	s := &sink{
		Conn:   conn,
		wake:   make(chan struct{}, 1),
		ended:  make(chan struct{}),
		closed: make(chan struct{}),
		gone:   make(chan struct{}),
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		// The error is of a connection that is already closed, which the first write will find too.
		s.raw, _ = tcp.SyscallConn()
	}
	go s.drain()
	return s
}

// level tells how much waits.
func (s *sink) level(now time.Time) wire.Level {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := len(s.queue) + s.sending
	age := time.Duration(0)
	switch {
	case s.sending > 0:
		age = now.Sub(s.begun)
	case waiting > 0:
		age = now.Sub(s.since)
	}
	switch {
	case waiting > maxWaiting || age > maxAge:
		return wire.Full
	case waiting > maxWaiting/4:
		return wire.Tight
	}
	return wire.Room
}

// waiting gives the bytes not yet on the wire.
func (s *sink) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) + s.sending
}

// send takes whole frames without ever blocking. It fails with errStuck when no more may wait.
func (s *sink) send(b []byte, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if len(s.queue)+s.sending+len(b) > hardLimit {
		return errStuck
	}
	if s.raw != nil && len(s.queue) == 0 && s.sending == 0 {
		n, err := tryWrite(s.raw, b)
		if err != nil {
			s.fail(err)
			return err
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if len(s.queue) == 0 {
		s.since = now
	}
	s.queue = append(s.queue, b...)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Write takes a request of the protocol library.
func (s *sink) Write(b []byte) (int, error) {
	if err := s.send(b, time.Now()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read gives the node's answers to the protocol library.
func (s *sink) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err != nil {
		s.mu.Lock()
		s.fail(err)
		s.mu.Unlock()
	}
	return n, err
}

// SetWriteDeadline does nothing: the deadline is the sink's own. The protocol library sets one for each request and leaves it
// on the connection, where it would end a stream that sends no requests any more.
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// Close ends the connection and waits for the goroutine.
func (s *sink) Close() error {
	s.mu.Lock()
	s.fail(errHungUp)
	s.mu.Unlock()
	s.once.Do(func() { close(s.closed) })
	err := s.Conn.Close()
	<-s.gone
	return err
}

// fail records the first error; mu is held.
func (s *sink) fail(err error) {
	if s.err == nil {
		s.err = err
		close(s.ended)
	}
}

// reason gives why the connection is over.
func (s *sink) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// drain writes what the socket did not take at once.
func (s *sink) drain() {
	defer close(s.gone)
	var out []byte
	for {
		select {
		case <-s.closed:
			return
		case <-s.wake:
		}
		for {
			s.mu.Lock()
			out, s.queue = s.queue, out[:0]
			s.sending, s.begun = len(out), s.since
			if len(out) == 0 {
				if cap(s.queue) > wire.MaxUnit { // a rare jam must not keep its memory
					s.queue = nil
				}
				s.mu.Unlock()
				break
			}
			s.mu.Unlock()
			err := s.write(out)
			s.mu.Lock()
			s.sending = 0
			if err != nil {
				s.fail(err)
			}
			s.mu.Unlock()
			if err != nil {
				break
			}
		}
		if cap(out) > wire.MaxUnit {
			out = nil
		}
	}
}

func (s *sink) write(b []byte) error {
	if err := s.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := s.Conn.Write(b); err != nil {
		return err
	}
	return s.Conn.SetWriteDeadline(time.Time{})
}

// tryWrite writes what the socket takes now; 0 bytes is no error.
func tryWrite(raw syscall.RawConn, b []byte) (n int, err error) {
	failed := raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.Write(int(fd), b)
			if !errors.Is(err, unix.EINTR) {
				return true
			}
		}
	})
	switch {
	case failed != nil:
		return 0, failed
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return n, nil
}
