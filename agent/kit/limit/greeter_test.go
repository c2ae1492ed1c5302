package limit_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"halledge/agent/kit/limit"
)

var errRude = errors.New("rude")

// hello is a greeting: one byte, to which the same comes back. x is refused, p makes it panic.
func hello(c net.Conn) (net.Conn, error) {
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return nil, err
	}
	switch b[0] {
	case 'x':
		return nil, errRude
	case 'p':
		panic("p")
	}
	_, err := c.Write(b[:])
	return c, err
}

// greeting gives a listener of a few places whose longest greeting is too long for any test.
func greeting(t *testing.T, places int, longest time.Duration) *limit.Greeter {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := limit.Greet(raw, places, longest, hello)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// call connects from an address of this machine.
func call(t *testing.T, g net.Listener, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// say greets and gives what comes back.
func say(c net.Conn, b byte) error {
	if _, err := c.Write([]byte{b}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

func TestGreetersHandOutWhoGreeted(t *testing.T) {
	g := greeting(t, 4, patience)
	for _, rude := range []byte{'x', 'p'} {
		if err := say(call(t, g, "127.0.0.1"), rude); !errors.Is(err, io.EOF) {
			t.Errorf("%c is not closed: %v", rude, err)
		}
	}
	if err := say(call(t, g, "127.0.0.1"), 'h'); err != nil {
		t.Fatal(err)
	}
	c, err := g.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestGreetingsHaveADeadline(t *testing.T) {
	g := greeting(t, 4, time.Millisecond)
	if _, err := io.ReadAll(call(t, g, "127.0.0.1")); err != nil {
		t.Errorf("who says nothing is not closed: %v", err)
	}
}

func TestWhoCrowdsMakesRoomForOthers(t *testing.T) {
	const places = 16
	g := greeting(t, places, patience)
	crowd := make([]net.Conn, places)
	for i := range crowd {
		crowd[i] = call(t, g, "127.0.0.1")
	}
	if err := say(call(t, g, "127.0.0.2"), 'h'); err != nil {
		t.Errorf("another address is kept out: %v", err)
	}
	if _, err := io.ReadAll(crowd[0]); err != nil {
		t.Errorf("the oldest of the crowd is still there: %v", err)
	}
	if err := say(crowd[places-1], 'h'); err != nil {
		t.Errorf("the newest of the crowd is gone: %v", err)
	}
}

func TestGreetersEnd(t *testing.T) {
	g := greeting(t, 4, patience)
	silent := call(t, g, "127.0.0.1")
	if err := say(call(t, g, "127.0.0.1"), 'h'); err != nil { // and is never accepted
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(silent); err != nil && !isReset(err) {
		t.Errorf("a greeting goes on: %v", err)
	}
	if _, err := g.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := limit.Greet(raw, 1, patience, hello)
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := dead.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the end of what is below is %v", err)
	}
	_ = dead.Close()
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

func TestJoinedListenersAreOne(t *testing.T) {
	var all []net.Listener
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	j := limit.Join(all...)
	if j.Addr() != all[0].Addr() {
		t.Error("it has another address")
	}
	for _, l := range all {
		c := call(t, l, "127.0.0.1")
		got, err := j.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got.RemoteAddr().String() != c.LocalAddr().String() {
			t.Error("another connection")
		}
		_ = got.Close()
	}
	call(t, all[1], "127.0.0.1") // is there when it ends
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := j.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	for _, l := range all {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("one goes on:", err)
		}
	}
}

func TestJoinedListenersEndWithTheFirstError(t *testing.T) {
	one, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	j := limit.Join(one, other)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	_ = j.Close()
}
