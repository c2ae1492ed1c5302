package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"halledge/cloud/internal/broker"
	"halledge/cloud/internal/gate"
	"halledge/cloud/internal/pki/pkitest"
	"halledge/firmware-protocols/hallsync"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
)

// secured is a broker that halls reach by TLS and TLCP.
type secured struct {
	*pkitest.Centre
	*broker.Broker
	heard *recorder
	addr  map[bool]string // of TLS, and of TLCP
}

func startSecured(t testing.TB) *secured {
	t.Helper()
	s := &secured{Centre: pkitest.New(t), heard: newRecorder(), addr: map[bool]string{}}
	log, metrics := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	g, err := gate.New(gate.Options{Register: s.Register, Centre: s.Own, Now: s.Now, Metrics: metrics, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	var raw [2]net.Listener
	for i := range raw {
		if raw[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		s.addr[i == 1] = raw[i].Addr().String()
	}
	byTLCP, err := g.TLCP(raw[1])
	if err != nil {
		t.Fatal(err)
	}
	s.Broker, err = broker.Listen(broker.Options{
		Listen: "127.0.0.1:0", Authenticate: func(context.Context, hallsync.HallID, []byte) bool { return false },
		Secured: []net.Listener{g.TLS(raw[0], false), byTLCP}, Replaced: g.Replaced, Handler: s.heard, Metrics: metrics, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, run := range []func(context.Context) error{g.Run, s.Run} {
		all.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { stop(); all.Wait() })
	return s
}

// options give a client that shows a box's certificate.
func (s *secured) options(t testing.TB, b *pkitest.Box, gm bool, boot string) *paho.ClientOptions {
	t.Helper()
	return paho.NewClientOptions().AddBroker("tls://"+s.addr[gm]).SetProtocolVersion(4).SetClientID(string(b.Hall)).SetUsername(string(b.Hall)).
		SetAutoReconnect(false).SetConnectTimeout(patience).SetWriteTimeout(patience).
		SetWill(hallsync.Topic(b.Hall, hallsync.UpState), fmt.Sprintf(`{"hall":%q,"boot":%q}`, b.Hall, boot), 1, true).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
			return b.Dial(context.Background(), t, s.addr[gm], gm)
		})
}

func both(t *testing.T, do func(t *testing.T, gm bool)) {
	t.Run("TLS", func(t *testing.T) { do(t, false) })
	t.Run("TLCP", func(t *testing.T) { do(t, true) })
}

// refuse fails the test if a client gets in.
func refuse(t *testing.T, what string, o *paho.ClientOptions) {
	t.Helper()
	c := paho.NewClient(o)
	defer c.Disconnect(0)
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() == nil {
		t.Errorf("%s comes in", what)
	}
}

func TestMessagesGoUpAndDownSecured(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		s := startSecured(t)
		b := s.Box(t, hallA)
		c := connect(t, s.options(t, b, gm, "1"))
		got := make(chan paho.Message, 1)
		if code := subscribe(t, c, hallsync.Topic(hallA, "down/#"), got); code != 1 {
			t.Fatalf("SUBACK %#x", code)
		}
		big := bytes.Repeat([]byte("x"), 200<<10)
		finish(t, c.Publish(hallsync.Topic(hallA, hallsync.UpEvents), 1, false, big))
		s.heard.await(t, fmt.Sprintf("%s up/events %s", hallA, big))
		if err := s.Publish(hallA, hallsync.DownConfig, []byte("down")); err != nil {
			t.Fatal(err)
		}
		if m := receive(t, got); string(m.Payload()) != "down" {
			t.Errorf("%q", m.Payload())
		}
	})
}

// Threat 4: the certificate says who somebody is, whatever he calls himself, and what he may touch.
func TestThreat04StolenNamesAndWildcards(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		s := startSecured(t)
		b, victim := s.Box(t, hallA), s.Box(t, hallB)
		living := connect(t, s.options(t, victim, gm, "1"))
		other := func() *paho.ClientOptions { return s.options(t, b, gm, "1") }
		refuse(t, "another hall's client id and user", other().SetClientID(string(hallB)).SetUsername(string(hallB)).
			SetWill(hallsync.Topic(hallB, hallsync.UpState), "{}", 1, true))
		refuse(t, "another hall's client id", other().SetClientID(string(hallB)).SetWill(hallsync.Topic(hallB, hallsync.UpState), "{}", 1, true))
		refuse(t, "another hall's user", other().SetUsername(string(hallB)))
		refuse(t, "another hall's will", other().SetWill(hallsync.Topic(hallB, hallsync.UpState), "{}", 1, true))
		refuse(t, "a program of the centre", other().SetClientID("centre").SetUsername("centre"))
		c := connect(t, other())
		got := make(chan paho.Message, 1)
		for _, filter := range []string{"#", "hall/v1/+/down/#", "hall/v1/#", "$SYS/#", hallsync.Topic(hallB, "down/#"), "$share/g/#"} {
			if code := subscribe(t, c, filter, got); code != 0x80 {
				t.Errorf("SUBACK %#x for %s", code, filter)
			}
		}
		if !living.IsConnectionOpen() {
			t.Error("the victim was thrown out")
		}
	})
}

// Threat 4: two boxes with one certificate do not throw each other out for ever.
func TestThreat04TwoBoxesOfOneIdentityEnd(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		s := startSecured(t)
		b := s.Box(t, hallA)
		var clients []paho.Client
		for i := range 6 { // two runs of the program, in turns
			c := paho.NewClient(s.options(t, b, gm, fmt.Sprint("boot", i%2)))
			clients = append(clients, c)
			if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
				break
			}
		}
		defer func() {
			for _, c := range clients {
				c.Disconnect(0)
			}
		}()
		all, err := s.Quarantines(t.Context())
		if err != nil || len(all) != 1 || all[0].Reason != "clone" {
			t.Fatalf("%+v, %v", all, err)
		}
		refuse(t, "either of them", s.options(t, b, gm, "boot0"))
		if err := s.Release(t.Context(), hallA, pkitest.Operator); err != nil {
			t.Fatal(err)
		}
		connect(t, s.options(t, b, gm, "boot0"))
	})
}

func TestRevokedHallsLoseTheirSession(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		s := startSecured(t)
		b := s.Box(t, hallA)
		lost := make(chan error, 1)
		connect(t, s.options(t, b, gm, "1").SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
		if n, err := s.Revoke(t.Context(), string(hallA), "stolen", pkitest.Operator); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		select {
		case <-lost:
		case <-time.After(patience):
			t.Fatal("the session goes on")
		}
		s.heard.await(t, "disconnected "+string(hallA))
		refuse(t, "a revoked box", s.options(t, b, gm, "1"))
	})
}

// speak sends bytes after the handshake and waits until the broker ends the connection; it says what the broker answered.
func (s *secured) speak(t *testing.T, b *pkitest.Box, gm bool, data []byte) []byte {
	t.Helper()
	c, err := b.Dial(t.Context(), t, s.addr[gm], gm)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write(data) // the broker may end it before all is written
	answer, err := io.ReadAll(c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the connection was not ended")
	}
	return answer
}

// Threat 6: packets that kill a decoder cost their sender's connection and nothing else. Those of the handshakes are in package tlcp.
func TestThreat06KillerPacketsCostOneConnection(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		s := startSecured(t)
		b := s.Box(t, hallA)
		v5 := append([]byte{0x10, 31, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 30, 0, 0, 15}, hallA...)
		for what, data := range map[string][]byte{
			"a truncated subscribe of MQTT 5": append(v5, 0x82, 3, 0, 1, 0x80),
			"a huge length":                   {0x10, 0xff, 0xff, 0xff, 0x7f},
			"an endless length":               {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			"HTTP":                            []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		} {
			if answer := s.speak(t, b, gm, data); len(answer) > 0 && answer[0] == 0x20 && len(answer) > 3 && answer[3] == 0 {
				t.Errorf("%s is welcome", what)
			}
		}
		connect(t, s.options(t, b, gm, "1"))
	})
}

// Threat 5: a publication of 256 MiB ends at the limit of a packet, by its head alone.
func TestThreat05BombsEndAtTheirHead(t *testing.T) {
	both(t, func(t *testing.T, gm bool) {
		s := startSecured(t)
		b := s.Box(t, hallA)
		hello := append([]byte{0x10, 44, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x82, 0, 30, 0, 15}, hallA...)
		hello = append(append(hello, 0, 15), hallA...)
		s.speak(t, b, gm, append(hello, 0x32, 0x80, 0x80, 0x80, 0x7f)) // 0x7f·2²¹ bytes are to come, and never do
		connect(t, s.options(t, b, gm, "1"))
	})
}

// Threat 6, 9: of thousands of changed frames none passes for a hall's sign-in, and the broker goes on.
func TestChangedFramesSignNobodyIn(t *testing.T) {
	s := startSecured(t)
	b := s.Box(t, hallA)
	good := append([]byte{0x10, 44, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x82, 0, 30, 0, 15}, hallA...)
	good = append(append(good, 0, 15), hallA...)
	rng := rand.New(rand.NewPCG(4, 6))
	var all sync.WaitGroup
	room := make(chan struct{}, 16)
	for range 500 {
		bad := bytes.Clone(good)
		for range 1 + rng.IntN(3) {
			bad[rng.IntN(len(bad))] = byte(rng.Uint32())
		}
		bad = append(bad, 0xe0, 0) // and leave
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			c, err := b.Dial(t.Context(), t, s.addr[false], false)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = c.Write(bad)
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			_, _ = io.Copy(io.Discard, c)
		})
	}
	all.Wait()
	for _, line := range s.heard.all() {
		if line != "connected "+string(hallA) && line != "disconnected "+string(hallA) {
			t.Errorf("heard %q", line)
		}
	}
	connect(t, s.options(t, b, false, "1"))
}

func BenchmarkHandshakes(b *testing.B) {
	for name, gm := range map[string]bool{"TLS": false, "TLCP": true} {
		b.Run(name, func(b *testing.B) {
			s := startSecured(b)
			box := s.Box(b, hallA)
			for b.Loop() {
				c, err := box.Dial(b.Context(), b, s.addr[gm], gm)
				if err != nil {
					b.Fatal(err)
				}
				_ = c.Close()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
		})
	}
}

// BenchmarkProvince is a province that comes back after an outage: 2,028 halls, each from an address of its own, sign in at once.
func BenchmarkProvince(b *testing.B) {
	const halls = 2028
	for name, gm := range map[string]bool{"TLS": false, "TLCP": true} {
		b.Run(name, func(b *testing.B) {
			s := startSecured(b)
			boxes := make([]*pkitest.Box, halls)
			for i := range boxes {
				boxes[i] = s.Box(b, hallsync.HallID(fmt.Sprintf("4409%011d", i)))
			}
			for b.Loop() {
				s.comeBack(b, boxes, gm)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/province")
		})
	}
}

// comeBack signs all boxes in and ends their sessions again.
func (s *secured) comeBack(b *testing.B, boxes []*pkitest.Box, gm bool) {
	var all sync.WaitGroup
	hold := make(chan struct{})
	in := make(chan struct{}, len(boxes))
	for i, box := range boxes {
		all.Go(func() {
			c, err := s.signIn(b.Context(), b, box, gm, i)
			in <- struct{}{}
			if err != nil {
				b.Error(err)
				return
			}
			<-hold
			_ = c.Close()
		})
	}
	for range boxes {
		<-in
	}
	b.StopTimer()
	if n := s.Sessions(); n != len(boxes) {
		b.Errorf("%d of %d halls are in", n, len(boxes))
	}
	close(hold)
	all.Wait()
	for s.Sessions() > 0 {
		<-s.heard.heard
	}
	b.StartTimer()
}

// signIn does what a box does when the centre is back, from the address of its own that it has in the province.
func (s *secured) signIn(ctx context.Context, t testing.TB, box *pkitest.Box, gm bool, n int) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}}
	raw, err := d.DialContext(ctx, "tcp", s.addr[gm])
	if err != nil {
		return nil, err
	}
	c, err := box.Over(ctx, t, raw, gm)
	if err != nil {
		return nil, err
	}
	hello := append([]byte{0x10, 44, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x82, 0, 30, 0, 15}, box.Hall...)
	hello = append(append(hello, 0, 15), box.Hall...)
	if _, err := c.Write(hello); err != nil {
		return nil, err
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, err
	}
	if answer[0] != 0x20 || answer[3] != 0 {
		return nil, fmt.Errorf("answered %x", answer)
	}
	return c, nil
}
