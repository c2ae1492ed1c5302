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

// serve gives a server with n places, of which two are of one address. Connections come from the addresses of from, one after the other;
// without any, from this machine.
func serve(t *testing.T, n int, from ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if len(from) > 0 {
		l = &elsewhere{l, from}
	}
	limited := limit.New(l, n).Share(2)
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

// elsewhere is a listener whose connections come from addresses of their own: those that the test names, one after the other.
type elsewhere struct {
	net.Listener
	from []string
}

func (l *elsewhere) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ip := l.from[0]
	if len(l.from) > 1 {
		l.from = l.from[1:]
	}
	return &sent{c, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}, nil
}

// sent is a connection that comes from an address.
type sent struct {
	net.Conn
	from net.Addr
}

func (s *sent) RemoteAddr() net.Addr { return s.from }

func TestOneAddressHasItsShare(t *testing.T) {
	const one, other = "192.0.2.1", "192.0.2.2"
	s := serve(t, 16, one, one, one, other, one, one)
	silent := dial(t, s.addr).ask("/")
	<-s.idle
	busy, late := dial(t, s.addr), dial(t, s.addr)
	busy.send("/hold")
	<-s.holding
	silent.sentAway() // for late, which is of the same address
	late.send("/hold")
	<-s.holding
	dial(t, s.addr).ask("/") // the other address has lost nothing
	<-s.idle
	dial(t, s.addr).sentAway()
	close(s.release)
	busy.answered()
	late.answered()
	<-s.idle
	<-s.idle
	dial(t, s.addr).ask("/") // its silent ones make room again
}

func TestNetworksOfIPv6AreOneAddress(t *testing.T) {
	s := serve(t, 16, "2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3", "2001:db8:0:1::1")
	a, b := dial(t, s.addr), dial(t, s.addr)
	for _, c := range []*client{a, b} {
		c.send("/hold")
		<-s.holding
	}
	dial(t, s.addr).sentAway()
	dial(t, s.addr).ask("/")
	close(s.release)
	a.answered()
	b.answered()
}

func TestThisMachineIsNotCounted(t *testing.T) {
	s := serve(t, 16, "127.0.0.1")
	for range 5 {
		dial(t, s.addr).send("/hold")
		<-s.holding
	}
	close(s.release)
}
