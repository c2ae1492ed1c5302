package whep

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"halledge/cloud/internal/media/fanout"
	"halledge/test/await"
)

// conns is the number of open connections.
func (l *listener) conns() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A connection that says nothing must not hold up the end of the program.
func TestServer_silentConnectionsDoNotDelayTheEnd(t *testing.T) {
	hub := fanout.NewHub(func(string, bool) {}, func(string) {})
	s, err := Listen(Config{Listen: "127.0.0.1:0"}, hub, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	silent := dial(t, s.Addr())
	await.That(t, "it is accepted", func() bool { return s.ports.ln.conns() == 1 })
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(connectTimeout / 2):
		t.Fatal("the ports are not closed")
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

func TestListener_boundsConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := newListener(inner, 1)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	dial(t, ln.Addr())
	first := <-accepted
	if _, err := dial(t, ln.Addr()).Read(make([]byte, 1)); err == nil {
		t.Error("a second one was let in")
	}
	for range 2 { // as the library does now and then
		_ = first.Close()
	}
	third := dial(t, ln.Addr())
	<-accepted
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("accepts after the end")
	}
	if _, err := third.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the end left a connection open: %v", err)
	}
	if n := ln.conns(); n != 0 {
		t.Errorf("%d connections are still counted", n)
	}
}
