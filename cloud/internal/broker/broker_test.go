package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/cloud/internal/broker"
	"halledge/firmware-protocols/hallsync"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	hallA    = hallsync.HallID("440900000000001")
	hallB    = hallsync.HallID("440900000000002")
	password = "a long random word"
	patience = 20 * time.Second
)

// recorder is the cloud's side: it keeps what it was told and can hold or refuse messages.
type recorder struct {
	mu     sync.Mutex
	lines  []string
	hold   chan struct{} // a message on up/events waits for it when set
	refuse error
	heard  chan struct{}
}

func newRecorder() *recorder { return &recorder{heard: make(chan struct{}, 1)} }

func (r *recorder) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	select {
	case r.heard <- struct{}{}:
	default:
	}
}

func (r *recorder) Connected(h hallsync.HallID)    { r.note("connected " + string(h)) }
func (r *recorder) Disconnected(h hallsync.HallID) { r.note("disconnected " + string(h)) }

func (r *recorder) Message(ctx context.Context, h hallsync.HallID, leaf string, payload []byte) error {
	r.mu.Lock()
	hold, refuse := r.hold, r.refuse
	r.mu.Unlock()
	r.note(fmt.Sprintf("%s %s %s", h, leaf, payload))
	if hold != nil && leaf == hallsync.UpEvents {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return refuse
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// await waits until the recorder has heard a line.
func (r *recorder) await(t *testing.T, line string) {
	t.Helper()
	deadline := time.After(patience)
	for !slices.Contains(r.all(), line) {
		select {
		case <-r.heard:
		case <-deadline:
			t.Fatalf("not heard: %q; heard:\n%s", line, strings.Join(r.all(), "\n"))
		}
	}
}

type fixture struct {
	*broker.Broker
	heard *recorder
	stop  func() error
}

func start(t *testing.T) *fixture {
	t.Helper()
	rec := newRecorder()
	b, err := broker.Listen(broker.Options{
		Listen: "127.0.0.1:0",
		Authenticate: func(_ context.Context, h hallsync.HallID, pw []byte) bool {
			return (h == hallA || h == hallB) && string(pw) == password
		},
		Handler: rec, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &fixture{Broker: b, heard: rec, stop: stop}
}

func (f *fixture) options(h hallsync.HallID) *paho.ClientOptions {
	return paho.NewClientOptions().AddBroker("tcp://" + f.Addr().String()).SetProtocolVersion(4).
		SetClientID(string(h)).SetUsername(string(h)).SetPassword(password).
		SetAutoReconnect(false).SetConnectTimeout(patience).SetWriteTimeout(patience)
}

func connect(t testing.TB, o *paho.ClientOptions) paho.Client {
	t.Helper()
	c := paho.NewClient(o)
	t.Cleanup(func() { c.Disconnect(0) })
	finish(t, c.Connect())
	return c
}

func finish(t testing.TB, tok paho.Token) {
	t.Helper()
	if !tok.WaitTimeout(patience) {
		t.Fatal("no answer from the broker")
	}
	if err := tok.Error(); err != nil {
		t.Fatal(err)
	}
}

// subscribe returns the code of the SUBACK.
func subscribe(t *testing.T, c paho.Client, filter string, got chan<- paho.Message) byte {
	t.Helper()
	tok := c.Subscribe(filter, 1, func(_ paho.Client, m paho.Message) { got <- m })
	if !tok.WaitTimeout(patience) {
		t.Fatal("no SUBACK")
	}
	for _, code := range tok.(*paho.SubscribeToken).Result() { // the one filter, which paho may have shortened
		return code
	}
	t.Fatalf("subscribe %s: %v", filter, tok.Error())
	return 0
}

func receive(t *testing.T, got <-chan paho.Message) paho.Message {
	t.Helper()
	select {
	case m := <-got:
		return m
	case <-time.After(patience):
		t.Fatal("no message")
		return nil
	}
}

func TestMessagesGoUpAndDown(t *testing.T) {
	f := start(t)
	c := connect(t, f.options(hallA))
	f.heard.await(t, "connected "+string(hallA))
	got := make(chan paho.Message, 4)
	if code := subscribe(t, c, hallsync.Topic(hallA, "down/#"), got); code != 1 {
		t.Fatalf("SUBACK %#x", code)
	}
	for _, leaf := range []string{hallsync.UpHello, hallsync.UpEvents, hallsync.UpResults, hallsync.UpState} {
		finish(t, c.Publish(hallsync.Topic(hallA, leaf), 1, leaf == hallsync.UpState, "x"))
		f.heard.await(t, string(hallA)+" "+leaf+" x")
	}
	if err := f.Publish(hallA, hallsync.DownAcks, []byte("ack")); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, got); m.Topic() != hallsync.Topic(hallA, hallsync.DownAcks) || string(m.Payload()) != "ack" || m.Qos() != 1 || m.Retained() {
		t.Fatalf("got %s %q qos %d retained %t", m.Topic(), m.Payload(), m.Qos(), m.Retained())
	}
	if err := f.Publish(hallB, hallsync.DownAcks, []byte("nobody there")); err != nil {
		t.Fatal(err)
	}
	if f.Sessions() != 1 {
		t.Fatalf("%d sessions", f.Sessions())
	}
}

func TestNothingIsRetained(t *testing.T) {
	f := start(t)
	c := connect(t, f.options(hallA))
	finish(t, c.Publish(hallsync.Topic(hallA, hallsync.UpState), 1, true, "old"))
	if err := f.Publish(hallA, hallsync.DownAcks, []byte("before")); err != nil {
		t.Fatal(err)
	}
	got := make(chan paho.Message, 4)
	subscribe(t, c, hallsync.Topic(hallA, "down/#"), got)
	if err := f.Publish(hallA, hallsync.DownTime, []byte("after")); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, got); string(m.Payload()) != "after" || m.Qos() != 0 {
		t.Fatalf("first message after subscribing: %q", m.Payload())
	}
}

func TestPubackComesAfterTheHandler(t *testing.T) {
	f := start(t)
	hold := make(chan struct{})
	f.heard.hold = hold
	c := connect(t, f.options(hallA))
	tok := c.Publish(hallsync.Topic(hallA, hallsync.UpEvents), 1, false, "1")
	f.heard.await(t, string(hallA)+" up/events 1")
	select {
	case <-tok.Done():
		t.Fatal("PUBACK before the handler returned")
	default:
	}
	other := connect(t, f.options(hallB)) // another hall is not held up
	finish(t, other.Publish(hallsync.Topic(hallB, hallsync.UpState), 1, false, "s"))
	close(hold)
	finish(t, tok)
}

func TestNoPubackForARefusedMessage(t *testing.T) {
	f := start(t)
	f.heard.refuse = errors.New("disk full")
	c := connect(t, f.options(hallA))
	lost := c.Publish(hallsync.Topic(hallA, hallsync.UpEvents), 1, false, "1")
	f.heard.await(t, string(hallA)+" up/events 1")
	f.heard.mu.Lock()
	f.heard.refuse = nil
	f.heard.mu.Unlock()
	finish(t, c.Publish(hallsync.Topic(hallA, hallsync.UpEvents), 1, false, "2"))
	select {
	case <-lost.Done():
		t.Fatal("the refused message was acknowledged")
	default:
	}
}

func TestConnectIsRefused(t *testing.T) {
	f := start(t)
	for name, o := range map[string]*paho.ClientOptions{
		"wrong password":          f.options(hallA).SetPassword("guess"),
		"no password":             f.options(hallA).SetPassword(""),
		"unknown hall":            f.options("440900000000009"),
		"no hall code":            f.options("root"),
		"another's name":          f.options(hallA).SetUsername(string(hallB)),
		"kept session":            f.options(hallA).SetCleanSession(false),
		"no keep-alive":           f.options(hallA).SetKeepAlive(0),
		"keep-alive of an hour":   f.options(hallA).SetKeepAlive(time.Hour),
		"will of another hall":    f.options(hallA).SetWill(hallsync.Topic(hallB, hallsync.UpState), "x", 1, true),
		"will that is a fact":     f.options(hallA).SetWill(hallsync.Topic(hallA, hallsync.UpEvents), "x", 1, false),
		"will to itself downward": f.options(hallA).SetWill(hallsync.Topic(hallA, hallsync.DownCommands), "x", 1, false),
		"MQTT 3.1":                f.options(hallA).SetProtocolVersion(3),
	} {
		t.Run(name, func(t *testing.T) {
			c := paho.NewClient(o)
			tok := c.Connect()
			if !tok.WaitTimeout(patience) || tok.Error() == nil {
				t.Fatal("connected")
			}
		})
	}
	if lines := f.heard.all(); len(lines) != 0 {
		t.Fatalf("the handler heard %q", lines)
	}
}

func TestHallStaysInItsOwnTopics(t *testing.T) {
	f := start(t)
	c := connect(t, f.options(hallA))
	got := make(chan paho.Message, 4)
	for _, filter := range []string{
		"#", "+/v1/+/down/acks", "hall/v1/+/down/acks", "hall/v1/#", "$SYS/#", hallsync.Topic(hallB, "down/#"), hallsync.Topic(hallA, "#"),
		hallsync.Topic(hallA, "up/#"), hallsync.Topic(hallA, hallsync.UpEvents), "$share/g/" + hallsync.Topic(hallA, "down/#"),
		hallsync.Topic(hallA, "down"), hallsync.Topic(hallA, "down/acks/#"),
	} {
		if code := subscribe(t, c, filter, got); code != 0x80 {
			t.Errorf("SUBACK %#x for %s", code, filter)
		}
	}
	for _, topic := range []string{hallsync.Topic(hallB, hallsync.UpEvents), hallsync.Topic(hallA, hallsync.DownCommands), hallsync.Topic(hallA, "up/other"), "x"} {
		lost := make(chan error, 1)
		c := connect(t, f.options(hallA).SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
		c.Publish(topic, 1, false, "forged")
		select {
		case <-lost:
		case <-time.After(patience):
			t.Errorf("publishing to %s was allowed", topic)
		}
	}
	for _, line := range f.heard.all() {
		if strings.Contains(line, "forged") {
			t.Errorf("the handler heard %q", line)
		}
	}
}

func TestWillIsState(t *testing.T) {
	f := start(t)
	wire := make(chan net.Conn, 2)
	o := f.options(hallA).SetWill(hallsync.Topic(hallA, hallsync.UpState), "gone", 1, true)
	o.SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
		c, err := net.Dial("tcp", u.Host)
		wire <- c
		return c, err
	})
	connect(t, o).Disconnect(100)
	f.heard.await(t, "disconnected "+string(hallA))
	if lines := f.heard.all(); len(lines) != 2 {
		t.Fatalf("after a clean end the handler heard %q", lines)
	}
	<-wire
	connect(t, o)
	if err := (<-wire).Close(); err != nil { // the cable is pulled
		t.Fatal(err)
	}
	f.heard.await(t, string(hallA)+" up/state gone")
}

func TestNewerConnectionTakesOver(t *testing.T) {
	f := start(t)
	first := make(chan error, 1)
	connect(t, f.options(hallA).SetConnectionLostHandler(func(_ paho.Client, err error) { first <- err }))
	f.heard.await(t, "connected "+string(hallA))
	second := connect(t, f.options(hallA))
	select {
	case <-first:
	case <-time.After(patience):
		t.Fatal("the first connection lives on")
	}
	got := make(chan paho.Message, 1)
	subscribe(t, second, hallsync.Topic(hallA, "down/#"), got)
	if err := f.Publish(hallA, hallsync.DownAcks, []byte("a")); err != nil {
		t.Fatal(err)
	}
	receive(t, got)
	want := []string{"connected " + string(hallA), "disconnected " + string(hallA), "connected " + string(hallA)}
	if lines := f.heard.all(); !slices.Equal(lines, want) {
		t.Fatalf("heard %q", lines)
	}
}

func TestManyTakeoversLeaveOneWorkingSession(t *testing.T) {
	f := start(t)
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			c := paho.NewClient(f.options(hallA))
			if tok := c.Connect(); tok.WaitTimeout(patience) && tok.Error() == nil {
				c.Subscribe(hallsync.Topic(hallA, "down/#"), 1, nil) // answered or not, as the next one allows
			}
			t.Cleanup(func() { c.Disconnect(0) })
		})
	}
	wg.Wait()
	last := connect(t, f.options(hallA))
	got := make(chan paho.Message, 1)
	subscribe(t, last, hallsync.Topic(hallA, "down/#"), got)
	if err := f.Publish(hallA, hallsync.DownAcks, []byte("a")); err != nil {
		t.Fatal(err)
	}
	receive(t, got)
	open := 0
	for _, line := range f.heard.all() { // never two sessions at a time
		switch {
		case strings.HasPrefix(line, "connected"):
			open++
		case strings.HasPrefix(line, "disconnected"):
			open--
		}
		if open < 0 || open > 1 {
			t.Fatalf("heard %q", f.heard.all())
		}
	}
	if f.Sessions() != 1 {
		t.Fatalf("%d sessions", f.Sessions())
	}
}

func TestHostileBytesCostOneConnection(t *testing.T) {
	f := start(t)
	v5 := append([]byte{0x10, 31, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 30, 0, 0, 15}, hallA...)
	for name, data := range map[string][]byte{
		"MQTT 5 connect, truncated subscribe": append(v5, 0x82, 3, 0, 1, 0x80),
		"HTTP":                                []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"subscribe first":                     {0x82, 5, 0, 1, 0, 0, 1},
		"huge length":                         {0x10, 0xff, 0xff, 0xff, 0x7f},
		"endless length":                      {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"empty connect":                       {0x10, 0},
		"no packet type":                      {0x00, 0x00},
		"zeros":                               bytes.Repeat([]byte{0}, 4096),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", f.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(data); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.ReadAll(c); errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("the connection was not ended")
			}
		})
	}
	finish(t, connect(t, f.options(hallA)).Publish(hallsync.Topic(hallA, hallsync.UpHello), 1, false, "alive"))
}

func TestOversizedPublishEndsTheConnection(t *testing.T) {
	f := start(t)
	lost := make(chan error, 1)
	c := connect(t, f.options(hallA).SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
	c.Publish(hallsync.Topic(hallA, hallsync.UpEvents), 1, false, bytes.Repeat([]byte{'x'}, 300<<10))
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("still connected")
	}
	f.heard.await(t, "disconnected "+string(hallA))
}

func TestStopEndsEverything(t *testing.T) {
	f := start(t)
	f.heard.hold = make(chan struct{}) // a commit that does not come
	lost := make(chan error, 1)
	c := connect(t, f.options(hallA).SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
	c.Publish(hallsync.Topic(hallA, hallsync.UpEvents), 1, false, "1")
	f.heard.await(t, string(hallA)+" up/events 1")
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("the connection outlived the broker")
	}
	if lines := f.heard.all(); lines[len(lines)-1] != "disconnected "+string(hallA) {
		t.Fatalf("heard %q", lines)
	}
	if _, err := net.Dial("tcp", f.Addr().String()); err == nil {
		t.Fatal("the address is still served")
	}
}

func TestPlainMQTTStaysOnTheLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		b, err := broker.Listen(broker.Options{Listen: address, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			t.Errorf("listens on %s", b.Addr())
		}
	}
}
