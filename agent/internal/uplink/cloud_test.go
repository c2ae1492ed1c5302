package uplink_test

import (
	"encoding/json"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"halledge/firmware-protocols/hallsync"
)

// everybody is a hook that lets everybody in.
type everybody struct{ mqtt.HookBase }

func (*everybody) Provides(b byte) bool {
	return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck
}

func (*everybody) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

func (*everybody) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

// cloud is a far end behind a real broker: it stores facts by sequence and acknowledges the contiguous ones.
type cloud struct {
	t      *testing.T
	server *mqtt.Server
	addr   string

	mu      sync.Mutex
	facts   map[hallsync.Seq]string
	copies  int  // facts received again
	differ  bool // facts may come with other bytes
	missed  int  // facts that came while deaf
	deaf    bool // stores nothing and answers nothing
	hellos  int
	keys    []hallsync.KeyMade // of the last hello
	receipt []byte             // goes with every ack
	stale   bool               // says so of each epoch, or of old alone
	later   bool               // it finds out by the facts
	ahead   hallsync.Seq       // what it acknowledges of old
	logs    int                // of today that it says it knows, in the answer to a hello
	old     string             // epoch that stale and ahead are about
	gone    hallsync.Seq       // facts up to here were given up
	report  hallsync.Report
	changed chan struct{} // has a value after anything happened
}

func newCloud(t *testing.T) *cloud {
	c := newCloudAt(t)
	c.start("127.0.0.1:0")
	t.Cleanup(c.stop)
	return c
}

// newCloudAt is a cloud that has yet to be started.
func newCloudAt(t *testing.T) *cloud {
	return &cloud{t: t, facts: map[hallsync.Seq]string{}, changed: make(chan struct{}, 1)}
}

func (c *cloud) start(addr string) {
	c.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.startOn(l)
}

// startOn starts behind a listener that is there.
func (c *cloud) startOn(l net.Listener) {
	c.t.Helper()
	s := mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	for _, err := range []error{s.AddHook(new(everybody), nil), s.AddListener(listeners.NewNet("t", l))} {
		if err != nil {
			c.t.Fatal(err)
		}
	}
	c.server, c.addr = s, l.Addr().String()
	for leaf, take := range map[string]func([]byte){hallsync.UpHello: c.hello, hallsync.UpEvents: c.events, hallsync.UpState: c.state} {
		err := s.Subscribe(hallsync.Topic(hallCode, leaf), 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) { take(pk.Payload) })
		if err != nil {
			c.t.Fatal(err)
		}
	}
	go func() {
		if err := s.Serve(); err != nil {
			c.t.Error(err)
		}
	}()
}

func (c *cloud) stop() {
	if err := c.server.Close(); err != nil {
		c.t.Error(err)
	}
}

func (c *cloud) hello(raw []byte) {
	var h hallsync.Hello
	if err := json.Unmarshal(raw, &h); err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	c.hellos++
	c.keys = h.Keys
	if h.First > c.contiguous()+1 {
		c.gone = h.First - 1
	}
	c.mu.Unlock()
	c.ack(h.Epoch, nil, true)
}

func (c *cloud) events(raw []byte) {
	var b hallsync.Batch
	if err := json.Unmarshal(raw, &b); err != nil {
		c.t.Error(err)
	}
	if len(b.Events) > hallsync.MaxBatchEvents || len(raw) > hallsync.MaxBatchBytes+4096 {
		c.t.Errorf("batch of %d facts, %d bytes", len(b.Events), len(raw))
	}
	c.mu.Lock()
	if c.deaf {
		c.missed += len(b.Events)
		c.signal()
		c.mu.Unlock()
		return
	}
	epoch := ""
	var highest hallsync.Seq
	for _, raw := range b.Events {
		var e hallsync.Event
		if err := json.Unmarshal(raw, &e); err != nil {
			c.t.Error(err)
		}
		if c.later && e.Epoch == c.old {
			epoch = e.Epoch
			continue // it has other facts in their places
		}
		if have, twice := c.facts[e.Seq]; twice {
			c.copies++
			if have != string(raw) && !c.differ {
				c.t.Errorf("fact %d came with other bytes", e.Seq)
			}
		}
		c.facts[e.Seq], epoch, highest = string(raw), e.Epoch, e.Seq
	}
	var want *hallsync.Range
	if upTo := c.contiguous(); upTo < highest {
		want = &hallsync.Range{From: upTo + 1, To: highest}
	}
	c.mu.Unlock()
	c.ack(epoch, want, false)
}

func (c *cloud) state(raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report = hallsync.Report{}
	if err := json.Unmarshal(raw, &c.report); err != nil {
		c.t.Error(err)
	}
	c.signal()
}

// contiguous is the cursor: everything up to it is stored. The caller holds mu.
func (c *cloud) contiguous() (upTo hallsync.Seq) {
	upTo = c.gone
	for c.facts[upTo+1] != "" {
		upTo++
	}
	return upTo
}

func (c *cloud) ack(epoch string, want *hallsync.Range, greeted bool) {
	c.mu.Lock()
	a := hallsync.Ack{Hall: hallCode, Epoch: epoch, UpTo: c.contiguous(), Want: want, ServerMS: time.Now().Add(time.Hour).UnixMilli(), Receipt: c.receipt}
	if greeted {
		a.Logs = c.logs
	}
	if c.old == "" || c.old == epoch {
		a.EpochStale = c.stale && !(greeted && c.later)
		a.UpTo = max(a.UpTo, c.ahead)
	}
	c.signal()
	c.mu.Unlock()
	raw, err := json.Marshal(a)
	if err != nil {
		c.t.Error(err)
	}
	if err := c.server.Publish(hallsync.Topic(hallCode, hallsync.DownAcks), raw, false, 1); err != nil {
		c.t.Error(err)
	}
}

func (c *cloud) signal() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// until waits for a condition on the cloud.
func (c *cloud) until(what string, cond func() bool) {
	c.t.Helper()
	deadline := time.After(30 * time.Second)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		c.mu.Lock()
		ok := cond()
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-c.changed:
		case <-poll.C:
		case <-deadline:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.t.Fatalf("%s did not happen; the cloud has %d facts up to %d", what, len(c.facts), c.contiguous())
		}
	}
}
