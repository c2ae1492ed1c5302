package tlcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"halledge/agent/kit/gm/gmtest"
)

// script is a peer that says what is written, whatever it hears.
type script struct{ says bytes.Reader }

func newScript(b []byte) *script {
	s := &script{}
	s.says.Reset(b)
	return s
}

func (s *script) Read(p []byte) (int, error)       { return s.says.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// serve runs a server's handshake with what a client says.
func serve(c Config, says []byte) error {
	l := newListener(c, nil)
	_, err := l.handshake(newScript(says))
	return err
}

// call runs a client's handshake with what a server says.
func call(c Config, says []byte) error {
	_, err := Over(context.Background(), newScript(says), host, c)
	return err
}

// tap keeps what passes.
type tap struct {
	net.Conn
	mu          sync.Mutex
	read, wrote []byte
}

func (c *tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, p[:n]...)
	return n, err
}

func (c *tap) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.wrote = append(c.wrote, p...)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// flights gives what both ends say in a handshake that is good.
func flights(t testing.TB, server, client Config) (ofServer, ofClient []byte) {
	t.Helper()
	e := newEcho(t, server, nil)
	c := &tap{Conn: dial(t, e.address())}
	conn, err := Over(t.Context(), c, host, client)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	ofServer, ofClient = bytes.Clone(c.read), bytes.Clone(c.wrote)
	c.mu.Unlock()
	conn.Close()
	return ofServer, ofClient
}

// Threat 6: frames of handshakes that were good, bent and sent again: no end takes them, and none gives up.
func TestThreat06MutatedFramesAreNotTaken(t *testing.T) {
	w := newWorld(t)
	server, client := w.server(t), w.client(t)
	ofServer, ofClient := flights(t, server, client)
	first := int(ofClient[3])<<8 | int(ofClient[4]) + 5
	gmtest.Mutated(ofClient[:first], gmtest.Mutations*7/10, func(m []byte) {
		if serve(server, m) == nil {
			t.Errorf("the hello %x is a whole handshake", m)
		}
	})
	gmtest.Mutated(ofClient, gmtest.Mutations*15/100, func(m []byte) {
		if serve(server, m) == nil {
			t.Errorf("%x is taken again", m)
		}
	})
	gmtest.Mutated(ofServer, gmtest.Mutations*15/100, func(m []byte) {
		if call(client, m) == nil {
			t.Errorf("%x is taken again", m)
		}
	})
	if serve(server, ofClient) == nil || call(client, ofServer) == nil {
		t.Error("a handshake is taken twice")
	}
}

// bender is the way between two ends: it changes one byte of one direction, the first from at on that is not 0.
func bender(t *testing.T, to string, fromClient bool, at int) (address string, wait func()) {
	t.Helper()
	return between(t, to, func(dst, src net.Conn, client bool) {
		b, done := make([]byte, 1), false
		for i := 0; ; i++ {
			if _, err := io.ReadFull(src, b); err != nil {
				return
			}
			if client == fromClient && i >= at && b[0] != 0 && !done {
				b[0] &^= 1 << (bits.Len8(b[0]) - 1)
				done = true
				_ = src.SetReadDeadline(time.Now().Add(time.Second)) // of a length that is bent both ends may wait for the other
			}
			if _, err := dst.Write(b); err != nil {
				return
			}
		}
	})
}

// between is a way with a say in what passes; when one direction is done, so is the other.
func between(t *testing.T, to string, copy func(dst, src net.Conn, client bool)) (address string, wait func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		near, err := l.Accept()
		l.Close()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			near.Close()
			return
		}
		both := func() { near.Close(); far.Close() }
		all.Go(func() { defer both(); copy(far, near, true) })
		all.Go(func() { defer both(); copy(near, far, false) })
	})
	return l.Addr().String(), all.Wait
}

// One byte that is changed on the way, in a handshake that is under way, is noticed.
func TestABentHandshakeFails(t *testing.T) {
	w := newWorld(t)
	server, client := w.server(t), w.client(t)
	ofServer, ofClient := flights(t, server, client)
	e := newEcho(t, server, nil)
	for _, dir := range []struct {
		client bool
		n      int
	}{{true, len(ofClient)}, {false, len(ofServer)}} {
		for at := 3; at < dir.n-40; at += 1 + dir.n/30 { // the last ones may not be there: lengths of signatures vary
			address, wait := bender(t, e.address(), dir.client, at)
			conn, err := connect(t.Context(), address, host, client)
			if err == nil { // the server may notice what the client cannot
				_, err = conn.Read(make([]byte, 1))
				conn.Close()
			}
			if err == nil {
				t.Errorf("byte %d, client %v: not noticed", at, dir.client)
			}
			wait()
		}
		if s := e.Stats(); dir.client && s.Done != 0 { // of its own last words only the client can tell
			t.Errorf("%+v", s)
		}
	}
}

func TestACutIsNoEnd(t *testing.T) {
	w := newWorld(t)
	server, client := w.server(t), w.client(t)
	ofServer, ofClient := flights(t, server, client)
	e := newEcho(t, server, nil)
	for _, dir := range []struct {
		client bool
		n      int
	}{{true, len(ofClient)}, {false, len(ofServer)}} {
		for n := 0; n < dir.n-40; n += 1 + dir.n/12 {
			address, wait := between(t, e.address(), func(dst, src net.Conn, fromClient bool) {
				if fromClient == dir.client {
					_, _ = io.CopyN(dst, src, int64(n))
				} else {
					_, _ = io.Copy(dst, src)
				}
			})
			if conn, err := connect(t.Context(), address, host, client); err == nil {
				conn.Close()
				t.Errorf("cut after %d bytes, client %v: taken", n, dir.client)
			}
			wait()
		}
		if s := e.Stats(); dir.client && s.Done != 0 {
			t.Errorf("%+v", s)
		}
	}
	e.works(t, client)
}

// A connection that is cut where a record ends must not pass for one that was ended.
func TestTheEndOfAConnection(t *testing.T) {
	w := newWorld(t)
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(raw, w.server(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, tc := range map[string]struct {
		end  func(*Conn) error
		want error
	}{
		"ended": {(*Conn).Close, io.EOF},
		"cut":   {func(c *Conn) error { return c.raw.Close() }, io.ErrUnexpectedEOF},
	} {
		conn, err := connect(t.Context(), l.Addr().String(), host, w.client(t))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := theirs.Write([]byte("word")); err != nil {
			t.Fatal(err)
		}
		if err := tc.end(theirs.(*Conn)); err != nil {
			t.Error(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(deadline)); err != nil {
			t.Error(err)
		}
		got, err := readAll(conn)
		if string(got) != "word" || !errors.Is(err, tc.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		conn.Close()
	}
}

// readAll gives what comes and how it ends, io.EOF too.
func readAll(r io.Reader) (all []byte, err error) {
	b := make([]byte, 100)
	for {
		n, err := r.Read(b)
		all = append(all, b[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// A byte that is changed after the handshake is noticed too.
func TestABentRecordIsNotRead(t *testing.T) {
	w := newWorld(t)
	server, client := w.server(t), w.client(t)
	e := newEcho(t, server, nil)
	for at := range 20 {
		raw := dial(t, e.address())
		b := &bent{Conn: raw, at: 5 + at*3}
		conn, err := Over(t.Context(), b, host, client)
		if err != nil {
			t.Fatal(err)
		}
		b.on.Store(true)
		if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
			t.Error(err)
		}
		if _, err := conn.Write([]byte("words")); err != nil {
			t.Error(err)
		}
		if got, err := readAll(conn); len(got) != 0 || errors.Is(err, io.EOF) {
			t.Errorf("%q came back, %v", got, err)
		}
		conn.Close()
	}
}

// bent changes one byte of what is written, once it is on.
type bent struct {
	net.Conn
	at int
	on atomic.Bool
}

func (c *bent) Write(p []byte) (int, error) {
	if c.on.Swap(false) && c.at < len(p) {
		p = bytes.Clone(p)
		p[c.at] ^= 1
	}
	return c.Conn.Write(p)
}
