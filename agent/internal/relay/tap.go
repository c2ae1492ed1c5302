package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"halledge/agent/internal/relay/wire"
)

// bufferSize holds the longest unit, and the beginning of the next.
const bufferSize = wire.MaxUnit + 4096

// tap is the connection to the camera as the protocol library sees it. It reads whole units off the socket, sends runs of
// media frames straight on to the node, and gives the library only what the protocol needs: messages, RTCP, and one RTP packet
// a second, by which the library knows that the camera lives. The library's reading goroutine does all the work inside Read.
type tap struct {
	net.Conn
	raw  syscall.RawConn // nil under TLS
	pool *sync.Pool      // of *[bufferSize]byte, shared by all cameras
	fwd  *forward

	// These belong to the reading goroutine.
	buf    *[bufferSize]byte // nil while nothing is in hand
	have   int
	give   []byte // for the library
	passed time.Time

	mu      sync.Mutex
	channel int // the camera's RTP channel, -1 until known
	err     error
	ended   chan struct{} // closed with err set
}

func newTap(conn net.Conn, pool *sync.Pool, fwd *forward) *tap {
	t := &tap{Conn: conn, pool: pool, fwd: fwd, channel: -1, ended: make(chan struct{})}
	if tcp, ok := conn.(*net.TCPConn); ok {
		// The error is of a connection that is already closed, which the first read will find too.
		t.raw, _ = tcp.SyscallConn()
	}
	return t
}

// tune names the camera's RTP channel; its RTCP channel is the next one.
func (t *tap) tune(channel int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.channel = channel
}

// Read gives the protocol library its part.
func (t *tap) Read(p []byte) (int, error) {
	for len(t.give) == 0 {
		if err := t.fill(); err != nil {
			t.release()
			t.fail(err)
			return 0, err
		}
	}
	n := copy(p, t.give)
	if t.give = t.give[n:]; len(t.give) == 0 {
		t.give = nil
	}
	return n, nil
}

// Close ends the connection.
func (t *tap) Close() error {
	t.fail(errHungUp)
	return t.Conn.Close()
}

func (t *tap) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
		close(t.ended)
	}
}

// reason gives why the connection is over.
func (t *tap) reason() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// fill reads once and sorts what came.
func (t *tap) fill() error {
	n, err := t.receive()
	if err != nil {
		return err
	}
	t.have += n
	used, err := t.sort(t.buf[:t.have], time.Now())
	if err != nil {
		return err
	}
	if t.have -= used; t.have == 0 {
		t.release()
	} else if used > 0 {
		copy(t.buf[:], t.buf[used:used+t.have])
	}
	return nil
}

// sort handles all whole units in b and gives the number of bytes they have.
func (t *tap) sort(b []byte, now time.Time) (used int, err error) {
	t.mu.Lock()
	channel := t.channel
	t.mu.Unlock()
	f := t.fwd
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := wire.Room
	if f.out != nil {
		waiting = f.out.level(now)
	}
	from := 0 // where the run of frames to send begins
	for {
		n, frame, err := wire.Next(b[used:])
		if err != nil {
			return used, err
		}
		if n == 0 {
			f.send(b[from:used], now)
			return used, nil
		}
		if !frame || !t.media(b[used:used+n], channel, now, waiting) {
			if !frame {
				t.give = append(t.give, b[used:used+n]...)
			}
			f.send(b[from:used], now)
			from = used + n
		}
		used += n
	}
}

// media handles one frame and reports whether it goes on to the node. What the library needs of it is copied first, with the
// camera's own channel number.
func (t *tap) media(frame []byte, channel int, now time.Time, waiting wire.Level) bool {
	switch {
	case channel < 0:
	case int(frame[1]) == channel:
		if now.Sub(t.passed) >= time.Second {
			t.passed = now
			t.give = append(t.give, frame...)
		}
		return t.fwd.rtp(frame, now, waiting)
	case int(frame[1]) == channel+1:
		t.give = append(t.give, frame...)
		return t.fwd.rtcp(frame, now)
	}
	return false
}

// receive waits for bytes and reads them behind those in hand. The buffer is taken only when there is something to read, so a
// camera between two pictures holds none.
func (t *tap) receive() (n int, err error) {
	if t.raw == nil {
		t.take()
		return t.Conn.Read(t.buf[t.have:])
	}
	waited := t.raw.Read(func(fd uintptr) bool {
		t.take()
		for {
			n, err = unix.Read(int(fd), t.buf[t.have:])
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if errors.Is(err, unix.EAGAIN) {
			if t.have == 0 {
				t.release()
			}
			return false
		}
		return true
	})
	switch {
	case waited != nil:
		return 0, waited
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (t *tap) take() {
	if t.buf == nil {
		t.buf = t.pool.Get().(*[bufferSize]byte)
	}
}

func (t *tap) release() {
	if t.buf != nil {
		t.pool.Put(t.buf)
		t.buf = nil
	}
}
