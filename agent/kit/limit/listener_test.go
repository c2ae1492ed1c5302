package limit_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/limit"
)

// patience bounds each wait of a test; the server itself has no time limits, so that only a place given free ends a wait.
const patience = 10 * time.Second

// server answers "/hold" when release is closed, everything else at once.
type server struct {
	addr    string
	holding chan struct{} // one for each "/hold" that has come
	release chan struct{}
	idle    chan struct{} // one for each connection that has fallen silent after a request
}

// serve gives a server with n places.
func serve(t *testing.T, n int) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited := limit.New(l, n)
	s := &server{
		addr: l.Addr().String(), holding: make(chan struct{}, 16), release: make(chan struct{}), idle: make(chan struct{}, 1024),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hold", func(http.ResponseWriter, *http.Request) {
		s.holding <- struct{}{}
		<-s.release
	})
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	srv := &http.Server{Handler: mux, ConnState: func(c net.Conn, state http.ConnState) {
		limited.State(c, state)
		if state == http.StateIdle {
			s.idle <- struct{}{}
		}
	}}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(limited) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s
}

// client is one connection.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(path string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) answered() {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		c.t.Fatal(res.Status)
	}
}

func (c *client) ask(path string) *client {
	c.t.Helper()
	c.send(path)
	c.answered()
	return c
}

// sentAway waits for the end of the connection.
func (c *client) sentAway() {
	c.t.Helper()
	if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("still served: %v", err)
	}
}

func TestTheLongestSilentMakesRoom(t *testing.T) {
	s := serve(t, 3)
	ask := func(c *client) *client {
		c.ask("/")
		<-s.idle
		return c
	}
	a, b, c := ask(dial(t, s.addr)), ask(dial(t, s.addr)), ask(dial(t, s.addr))
	ask(a) // now b has been silent longest
	d := ask(dial(t, s.addr))
	b.sentAway()
	for _, other := range []*client{a, c, d} {
		ask(other)
	}
}

func TestOneThatNeverAskedMakesRoom(t *testing.T) {
	s := serve(t, 1)
	mute := dial(t, s.addr)
	dial(t, s.addr).ask("/")
	mute.sentAway()
}

func TestRequestsUnderWayStay(t *testing.T) {
	s := serve(t, 2)
	a, b := dial(t, s.addr), dial(t, s.addr)
	a.send("/hold")
	b.send("/hold")
	<-s.holding
	<-s.holding
	late := dial(t, s.addr)
	late.send("/") // nobody is silent: it waits
	close(s.release)
	a.answered()
	b.answered()
	late.answered()
}

func TestManyComeAndGo(t *testing.T) {
	s := serve(t, 4)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") // may be sent away for another
				_ = conn.Close()
			}
		})
	}
	wg.Wait()
	dial(t, s.addr).ask("/")
}

func TestCloseEndsAWaitForAPlace(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited := limit.New(l, 1)
	dial(t, l.Addr().String())
	first, err := limited.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	limited.State(first, http.StateNew)
	limited.State(first, http.StateActive)
	second := dial(t, l.Addr().String())
	done := make(chan error, 1)
	go func() {
		_, err := limited.Accept()
		done <- err
	}()
	if err := limited.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := second.in.ReadByte(); err == nil {
		t.Fatal("served after the end")
	}
}
