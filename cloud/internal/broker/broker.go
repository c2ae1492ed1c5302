// Package broker gives the MQTT broker inside the cloud: halls connect to it, and what they publish goes straight to the cloud's
// Handler instead of through a subscription, so that a PUBACK for facts comes after their commit.
//
// The engine is mochi-mqtt. Around it stands what it leaves open: who may connect and under which name, which topics a hall may
// touch, its will, the deadline of a connection that does not speak, the takeover of a session by the hall's next connection,
// and a panic of the packet decoder, which ends one connection only. Nothing is retained and no session outlives its connection:
// facts are safe in the hall's log until the cloud acknowledges them.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"halledge/agent/kit/limit"
	"halledge/cloud/internal/gate"
	"halledge/firmware-protocols/hallsync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Limits of one connection and of all.
const (
	maxPacket       = 256 << 10        // bytes of one MQTT packet
	maxConnections  = 8192             // open at once; the province has 2,028 halls
	maxStrangers    = 512              // of these, not signed in yet
	connectDeadline = 10 * time.Second // from accept to CONNECT
	maxKeepalive    = 300              // seconds; a hall sends 30
	takeoverWait    = 15 * time.Second // for the end of the session that is replaced
)

// Handler is told what halls do. Calls for one hall come one after the other and in order; halls are independent of each other.
// The context ends when the broker stops.
type Handler interface {
	Connected(hall hallsync.HallID)
	// Disconnected comes once for each Connected, after the last message of that connection.
	Disconnected(hall hallsync.HallID)
	// Message is one publication under up/. The hall gets its PUBACK when Message returns nil, and none on an error.
	Message(ctx context.Context, hall hallsync.HallID, leaf string, payload []byte) error
}

// Options are the parts of a broker.
type Options struct {
	Listen       string // host:port on the loopback; port 0 lets the system choose
	Authenticate func(ctx context.Context, hall hallsync.HallID, password []byte) bool
	// Secured are listeners of package gate: who comes by one of them is the hall that its certificate names, without a password.
	Secured []net.Listener
	// Replaced is told that a session of a hall took the place of a living one; it may be nil.
	Replaced func(ctx context.Context, hall hallsync.HallID, before, after gate.Place)
	Handler  Handler
	Metrics  prometheus.Registerer
	Log      *slog.Logger
}

// Broker is the MQTT broker. Run serves until its context ends.
type Broker struct {
	o        Options
	plain    net.Addr
	listener net.Listener // of all ways to come in
	server   *mqtt.Server
	log      *slog.Logger
	ctx      context.Context // of Run; hooks get none from the engine

	conns     sync.WaitGroup
	strangers chan struct{} // one token for each connection that has not signed in

	mu       sync.Mutex
	closed   bool
	all      map[*conn]struct{}
	sessions map[hallsync.HallID]*conn
}

// Listen binds the address and returns a broker that is ready to Run. Without transport encryption it listens on the loopback
// only.
func Listen(o Options) (*Broker, error) {
	addr, err := net.ResolveTCPAddr("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT: %w", err)
	}
	if !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("listen for MQTT on %s: only the loopback may be used without TLS", o.Listen)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT: %w", err)
	}
	b := &Broker{
		o: o, plain: l.Addr(), listener: limit.Join(append([]net.Listener{limit.Patient(l)}, o.Secured...)...), log: o.Log, strangers: make(chan struct{}, maxStrangers),
		all: map[*conn]struct{}{}, sessions: map[hallsync.HallID]*conn{},
	}
	b.server = mqtt.New(&mqtt.Options{
		Capabilities: &mqtt.Capabilities{
			MaximumClients: maxConnections, MaximumClientWritesPending: 256, MaximumInflight: 1024, ReceiveMaximum: 1024,
			MaximumPacketSize: maxPacket, MaximumQos: 1, MinimumProtocolVersion: 3,
			WildcardSubAvailable: 1,
			RetainAvailable:      1, // or a hall's retained state would be an error; nothing is kept all the same
		},
		// The engine's log lines carry whole packets; what matters is logged by the hook.
		Logger: slog.New(slog.DiscardHandler),
		// Every tick of $SYS stops the world to read the memory statistics. Nobody may subscribe to it anyway.
		SysTopicResendInterval: 1 << 31,
		InlineClient:           true,
	})
	if err := b.server.AddHook(&hook{b: b}, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("set up MQTT: %w", err), l.Close())
	}
	b.register(o.Metrics)
	return b, nil
}

func (b *Broker) register(r prometheus.Registerer) {
	counter := func(name, help string, v *int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(atomic.LoadInt64(v)) })
	}
	info := b.server.Info
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hall_cloud_mqtt_sessions", Help: "Halls connected now."},
			func() float64 { return float64(b.Sessions()) }),
		counter("hall_cloud_mqtt_messages_received_total", "Messages received from halls.", &info.MessagesReceived),
		counter("hall_cloud_mqtt_messages_sent_total", "Messages sent to halls.", &info.MessagesSent),
		counter("hall_cloud_mqtt_messages_dropped_total", "Messages to halls dropped because the hall reads too slowly.", &info.MessagesDropped),
		counter("hall_cloud_mqtt_inflight_dropped_total", "Messages to halls dropped because too many are unacknowledged.", &info.InflightDropped),
	)
}

// Addr is the address bound for connections without TLS.
func (b *Broker) Addr() net.Addr { return b.plain }

// Sessions is the number of halls connected now.
func (b *Broker) Sessions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions)
}

// Publish sends a message under down/ to a hall. It does not wait and does not say whether the hall got it: everything sent down
// is repeated until it has had its effect.
func (b *Broker) Publish(hall hallsync.HallID, leaf string, payload []byte) error {
	qos := byte(1)
	if leaf == hallsync.DownTime {
		qos = 0
	}
	if err := b.server.Publish(hallsync.Topic(hall, leaf), payload, false, qos); err != nil {
		return fmt.Errorf("publish %s to hall %s: %w", leaf, hall, err)
	}
	return nil
}

// Run serves connections until ctx ends, and returns when the last one has ended.
func (b *Broker) Run(ctx context.Context) error {
	b.ctx = ctx
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("start MQTT: %w", err)
	}
	stop := context.AfterFunc(ctx, b.shut)
	err := b.accept(ctx)
	if stop() {
		b.shut() // accept failed by itself
	}
	b.conns.Wait()
	return errors.Join(err, b.server.Close())
}

// Close gives up the address of a broker that was never run.
func (b *Broker) Close() error { return b.listener.Close() }

// shut closes the listener and all connections.
func (b *Broker) shut() {
	_ = b.listener.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for c := range b.all {
		_ = c.Close()
	}
}

func (b *Broker) accept(ctx context.Context) error {
	for {
		raw, err := b.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = raw.Close()
			}
			return nil
		case err != nil: // what passes stays below
			return fmt.Errorf("accept MQTT connection: %w", err)
		}
		b.admit(raw)
	}
}

// admit serves a connection, or closes it when there are too many.
func (b *Broker) admit(raw net.Conn) {
	select {
	case b.strangers <- struct{}{}:
	default:
		b.log.Warn("mqtt connection refused", "reason", "too many that have not signed in")
		_ = raw.Close()
		return
	}
	c := &conn{Conn: raw, done: make(chan struct{}), known: sync.OnceFunc(func() { <-b.strangers })}
	b.mu.Lock()
	refuse := b.closed || len(b.all) >= maxConnections
	if !refuse {
		b.all[c] = struct{}{}
	}
	b.mu.Unlock()
	if refuse {
		c.known()
		_ = raw.Close()
		return
	}
	b.conns.Go(func() { b.serve(c) })
}

// serve runs one connection to its end. The engine decodes packets on this goroutine; a packet that makes it panic costs the
// sender its connection and nobody else anything.
func (b *Broker) serve(c *conn) {
	defer b.leave(c)
	defer func() {
		if r := recover(); r != nil {
			b.log.Error("mqtt connection panicked", "hall", c.hall, "panic", fmt.Sprint(r))
		}
	}()
	_ = c.SetDeadline(time.Now().Add(connectDeadline))
	if err := b.server.EstablishConnection("tcp", c); err != nil {
		b.log.Debug("mqtt connection ended", "hall", c.hall, "error", err)
	}
}

// leave forgets a connection, and tells the handler when it was a hall's session.
func (b *Broker) leave(c *conn) {
	_ = c.Close()
	c.known()
	b.mu.Lock()
	delete(b.all, c)
	session := c.hall != "" && b.sessions[c.hall] == c
	if session {
		delete(b.sessions, c.hall)
	}
	b.mu.Unlock()
	if session {
		b.o.Handler.Disconnected(c.hall)
	}
	close(c.done)
}

// conn is one network connection. hall is empty until it has signed in; it is written by the connection's own goroutine.
type conn struct {
	net.Conn
	hall  hallsync.HallID
	place gate.Place    // of who came by a certificate
	known func()        // gives back the stranger's token
	done  chan struct{} // closed when nothing of the connection is left
}

// enter makes c the session of its hall. A session the hall still has is ended first, and only when nothing of it is left the new
// one begins: so messages of one hall never overtake each other, and the engine never sees two clients of one name.
func (b *Broker) enter(c *conn, hall hallsync.HallID) bool {
	deadline := time.NewTimer(takeoverWait)
	defer deadline.Stop()
	var replaced *conn
	for {
		b.mu.Lock()
		old := b.sessions[hall]
		if old == nil {
			if b.closed {
				b.mu.Unlock()
				return false
			}
			c.hall = hall
			b.sessions[hall] = c
			b.mu.Unlock()
			c.known()
			b.o.Handler.Connected(hall)
			return true
		}
		b.mu.Unlock()
		b.log.Warn("mqtt session taken over", "hall", hall, "remote", c.RemoteAddr().String())
		_ = old.Close()
		if replaced != old && b.o.Replaced != nil && c.place.Address != "" {
			b.o.Replaced(b.ctx, hall, old.place, c.place)
		}
		replaced = old
		select {
		case <-old.done:
		case <-deadline.C:
			b.log.Error("mqtt session does not end", "hall", hall)
			return false
		case <-b.ctx.Done():
			return false
		}
	}
}
