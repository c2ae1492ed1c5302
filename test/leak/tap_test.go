package leak

import (
	"encoding/binary"
	"io"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"
)

// tap stands between the agent and the broker and keeps every byte.
type tap struct {
	listener net.Listener
	broker   string
	both     buffer
	wg       sync.WaitGroup

	mu  sync.Mutex
	far net.Conn // the newest to the broker
}

var brokerOf = regexp.MustCompile(`(mqtt: [a-z]+://)(\S+)`)

// listen opens a tap for the broker that a configuration names, on the same address: a certificate is for that.
func listen(t *testing.T, config string) *tap {
	t.Helper()
	m := brokerOf.FindStringSubmatch(config)
	if m == nil {
		t.Fatal("the configuration names no broker")
	}
	host, _, err := net.SplitHostPort(m[2])
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	w := &tap{listener: l, broker: m[2]}
	w.wg.Go(w.serve)
	t.Cleanup(func() {
		l.Close()
		w.wg.Wait()
	})
	return w
}

// into gives the configuration with the tap for its broker.
func (w *tap) into(config string) string {
	return brokerOf.ReplaceAllString(config, "${1}"+w.listener.Addr().String())
}

func (w *tap) heard() []byte { return w.both.all() }

func (w *tap) serve() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.broker)
		if err != nil {
			near.Close()
			continue
		}
		w.mu.Lock()
		w.far = far
		w.mu.Unlock()
		pass := func(to, from net.Conn) {
			_, _ = io.Copy(to, io.TeeReader(from, &w.both)) // either end may go
			to.Close()
			from.Close()
		}
		w.wg.Go(func() { pass(far, near) })
		w.wg.Go(func() { pass(near, far) })
	}
}

// cut ends the agent's session, which begins another: orders wait for that.
func (w *tap) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.far != nil {
		w.far.Close()
	}
}

// stranger says names to the broker itself, as a client that it does not know.
func (w *tap) stranger(t *testing.T, client, user, password string) {
	t.Helper()
	conn, err := net.Dial("tcp", w.broker)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	field := func(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }
	body := append(field("MQTT"), 4, 0xC2, 0, 30)
	for _, s := range []string{client, user, password} {
		body = append(body, field(s)...)
	}
	if _, err := conn.Write(append([]byte{0x10, byte(len(body))}, body...)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(conn) // it hangs up, with a word or without one
}
