package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"halledge/firmware-protocols/hallsync"
)

// Times of a connection.
const (
	dialTimeout    = 10 * time.Second
	keepAlive      = 30 * time.Second
	publishTimeout = 20 * time.Second // without a PUBACK for this long the connection is stuck
)

// conn is one MQTT connection. Its library goroutines only hand messages over; they never wait.
type conn struct {
	u     *Uplink
	cl    mqtt.Client
	acks  chan hallsync.Ack
	times chan hallsync.TimeReply
	words chan word
	lost  chan error
	open  *opener
}

// word is what the centre tells the hall, not looked at.
type word struct {
	leaf string
	body []byte
}

// maxWord is the length of the longest word in bytes; maxWords of them wait at most.
const (
	maxWord  = 512 << 10
	maxWords = 16
)

func (u *Uplink) dial(ctx context.Context, to road) (*conn, error) {
	c := &conn{
		u: u, acks: make(chan hallsync.Ack, 64), times: make(chan hallsync.TimeReply, 4), words: make(chan word, maxWords),
		lost: make(chan error, 1), open: &opener{u: u, ctx: ctx, to: to},
	}
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	c.cl = mqtt.NewClient(opts)
	if err := c.wait(ctx, "connect", c.cl.Connect(), dialTimeout); err != nil {
		c.close()
		return nil, c.reason(err)
	}
	topics := map[string]byte{
		hallsync.Topic(u.opts.Hall, hallsync.DownAcks): 1,
		hallsync.Topic(u.opts.Hall, hallsync.DownTime): 0,
	}
	for leaf, take := range u.takers() {
		if take != nil {
			topics[hallsync.Topic(u.opts.Hall, leaf)] = 1
		}
	}
	tok := c.cl.SubscribeMultiple(topics, nil)
	if err := c.wait(ctx, "subscribe", tok, dialTimeout); err != nil {
		c.close()
		return nil, c.reason(err)
	}
	// A refused subscription is no error of the token: the code in the SUBACK says it.
	for topic, code := range tok.(*mqtt.SubscribeToken).Result() {
		if code == 0x80 {
			c.close()
			return nil, fmt.Errorf("uplink: subscribe %s: refused", topic)
		}
	}
	return c, nil
}

func (c *conn) options() (*mqtt.ClientOptions, error) {
	o := c.u.opts
	will := hallsync.Report{Hall: o.Hall, Boot: c.u.boot, Online: false}
	raw, err := json.Marshal(will)
	if err != nil {
		return nil, fmt.Errorf("uplink: encode will: %w", err)
	}
	m := mqtt.NewClientOptions().AddBroker(c.open.to.String()).
		SetClientID(string(o.Hall)).SetUsername(string(o.Hall)).SetPassword(o.Password).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(dialTimeout).SetKeepAlive(keepAlive).SetPingTimeout(dialTimeout).SetWriteTimeout(dialTimeout).
		SetBinaryWill(hallsync.Topic(o.Hall, hallsync.UpState), raw, 1, true).
		SetDefaultPublishHandler(c.receive).SetCustomOpenConnectionFn(c.open.open).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) {
			select {
			case c.lost <- err:
			default:
			}
		})
	return m, nil
}

// receive runs on the library's goroutine. A full channel drops the message: acks are cumulative.
func (c *conn) receive(_ mqtt.Client, m mqtt.Message) {
	_, leaf, ok := hallsync.ParseTopic(m.Topic())
	if !ok {
		return
	}
	switch leaf {
	case hallsync.DownAcks:
		deliver(c, m.Payload(), c.acks)
	case hallsync.DownTime:
		deliver(c, m.Payload(), c.times)
	case hallsync.DownCommands, hallsync.DownConfig:
		c.hear(leaf, m.Payload())
	}
}

// hear keeps a word for whoever takes it. What is too long or too much is dropped: the centre says it again at the next hello.
func (c *conn) hear(leaf string, body []byte) {
	if len(body) <= maxWord {
		select {
		case c.words <- word{leaf, body}:
			return
		default:
		}
	}
	c.u.opts.Log.Warn("word of the centre dropped", "topic", leaf, "bytes", len(body))
}

// takers are who takes which words.
func (u *Uplink) takers() map[string]func(context.Context, []byte) error {
	return map[string]func(context.Context, []byte) error{hallsync.DownCommands: u.opts.Command, hallsync.DownConfig: u.opts.Config}
}

// pass hands a word to who takes it. One that is not good is no reason to end the session.
func (u *Uplink) pass(ctx context.Context, w word) {
	take := u.takers()[w.leaf]
	if take == nil {
		return
	}
	if err := take(ctx, w.body); err != nil && ctx.Err() == nil {
		u.opts.Log.Warn("word of the centre not followed", "topic", w.leaf, "error", err)
	}
}

// reason puts what the line itself said in the place of the library's words.
func (c *conn) reason(err error) error {
	if why := c.open.why(); why != nil {
		return fmt.Errorf("uplink: connect: %w", why)
	}
	return err
}

func deliver[T any](c *conn, payload []byte, to chan T) {
	var v T
	if err := json.Unmarshal(payload, &v); err != nil {
		c.u.opts.Log.Warn("uplink message not understood", "bytes", len(payload), "error", err)
		return
	}
	select {
	case to <- v:
	default:
	}
}

// wait waits for a token, the end of the connection, ctx or the time-out, whichever comes first: paho's own waits may not end.
func (c *conn) wait(ctx context.Context, op string, tok mqtt.Token, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-tok.Done():
		if err := tok.Error(); err != nil {
			return fmt.Errorf("uplink: %s: %w", op, err)
		}
		return nil
	case err := <-c.lost:
		return fmt.Errorf("uplink: %s: connection lost: %w", op, err)
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return fmt.Errorf("uplink: %s: %w", op, errStuck)
	}
}

// publish hands a message to the library without waiting for the broker.
func (c *conn) publish(leaf string, qos byte, retained bool, v any) (mqtt.Token, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("uplink: encode %s: %w", leaf, err)
	}
	if !c.cl.IsConnectionOpen() {
		return nil, errors.New("uplink: not connected")
	}
	return c.cl.Publish(hallsync.Topic(c.u.opts.Hall, leaf), qos, retained, raw), nil
}

// publishReport sends a last report on the way out; it matters little whether it arrives.
func (c *conn) publishReport(r hallsync.Report) {
	if tok, err := c.publish(hallsync.UpState, 1, true, r); err == nil {
		tok.WaitTimeout(time.Second)
	}
}

// close ends the client and its goroutines.
func (c *conn) close() { c.cl.Disconnect(100) }
