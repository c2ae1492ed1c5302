// Package talkpad drives window call pads that speak by themselves on a line they may share: a key is sent when it is pressed, and
// nobody asks. It knows the 21-key pad, the four-button pad of QSystem, and a six-byte protocol that is little more than a rumour.
package talkpad

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
)

const (
	refresh = time.Minute            // the display is written again this often: a pad that lost its power forgets it
	tick    = 200 * time.Millisecond // how soon a display that is due is written
	refusal = 1500 * time.Millisecond
	writing = 2 * time.Second // a frame of some bytes must have left
	breath  = 5 * time.Millisecond
	backlog = 16
	nextGap = 300 * time.Millisecond // a finger that trembles must not call two people
	atOnce  = 256
)

// dialect is one protocol, seen from the host, for the pad of one address.
type dialect interface {
	// state is that of the window.
	hear(b []byte, state string) heard
	// show gives the frames that make the pad show f, where it showed was before.
	show(f, was device.PadFrame) ([][]byte, error)
	// refuse gives the frames that tell staff that a key did nothing; none if the pad cannot. What they change, show changes back.
	refuse() [][]byte
	// gap is the silence after each frame.
	gap() time.Duration
}

// heard is what came of some bytes: what this pad said, how many frames of any pad there were, and how many bytes nobody can have said.
type heard struct {
	said            []word
	frames, garbage int
}

// word is what a pad said at once: keys in the order of the fingers, and the answer it waits for. Two with the same mark are the same.
type word struct {
	keys []device.Key
	ack  []byte
	mark string
}

// Pad is one call pad. It implements device.CallPad and device.Refuser.
type Pad struct {
	cfg     registry.Config
	session *session.Session
	noise   *session.Noise
	dialect dialect
	again   time.Duration // a word that is said again sooner is the same press
	keys    *session.Keys
	spoken  atomic.Bool // it has said something on this connection

	mu      sync.Mutex
	want    device.PadFrame // newest display
	was     device.PadFrame // what the pad shows
	seq     uint64          // counts displays; 0 while there is none
	shown   uint64
	written time.Time
	refused time.Time // when the display has to be put right after a refusal; zero: it is right

	// Of the reading goroutine.
	count  uint16
	last   string
	lastAt time.Time
}

// New21 makes a 21-key pad; see sample.yaml for its options.
func New21(cfg registry.Config) (device.Device, error) { return build(cfg, new21) }

// NewUB485 makes a four-button pad.
func NewUB485(cfg registry.Config) (device.Device, error) { return build(cfg, newUB485) }

// NewSixByte makes a six-byte pad.
func NewSixByte(cfg registry.Config) (device.Device, error) { return build(cfg, newSixByte) }

func build(cfg registry.Config, speak func(*registry.Options) dialect) (device.Device, error) {
	o := registry.NewOptions(cfg)
	p := &Pad{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		dialect: speak(o),
		again:   o.Duration("same_within", 300*time.Millisecond, 50*time.Millisecond, 10*time.Second),
	}
	p.keys = p.session.NewKeys(backlog)
	p.noise = p.session.Noise("what comes is no frame of such a pad: another protocol, another speed, or a bad line")
	if err := o.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Run implements device.Device.
func (p *Pad) Run(ctx context.Context) error {
	defer p.keys.Close()
	return p.session.Run(ctx, p.cfg.Open, p.serve)
}

// Health implements device.Device. A pad that was not heard yet may be anything: nobody can ask it.
func (p *Pad) Health() device.Health {
	h := p.session.Health()
	h.Blind = h.State == device.OK && !p.spoken.Load()
	return h
}

// Keys implements device.CallPad.
func (p *Pad) Keys() <-chan device.Key { return p.keys.C() }

// serve is one life of the connection: one goroutine hears, this one writes what is due.
func (p *Pad) serve(ctx context.Context, conn transport.Conn) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.spoken.Store(false)
	p.mu.Lock()
	p.shown, p.was, p.last = 0, device.PadFrame{}, ""
	p.mu.Unlock()
	p.noise.Begin()
	var hearing sync.WaitGroup
	hearing.Go(func() { cancel(p.session.Guard(func() error { return p.listen(ctx, conn) })) })
	err := p.session.Every(ctx, tick, "display", p.due)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	_ = conn.Close() // ends the listening; the session closes it again
	hearing.Wait()
	return err
}

// listen takes what the line delivers until it ends.
func (p *Pad) listen(ctx context.Context, conn transport.Conn) error {
	buf := make([]byte, atOnce)
	for {
		n, err := conn.Read(buf)
		p.hear(ctx, buf[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // of somebody's write that was given up
			if err := transport.Pause(ctx, breath); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
}

func (p *Pad) hear(ctx context.Context, b []byte) {
	h := p.dialect.hear(b, p.state())
	p.noise.Heard(h.frames, h.garbage)
	for _, w := range h.said {
		p.take(ctx, w)
	}
}

// take answers a word and hands its keys out, unless they were handed out a moment ago: a pad that missed the answer says it again.
func (p *Pad) take(ctx context.Context, w word) {
	p.spoken.Store(true)
	now := time.Now()
	same := w.mark == p.last && now.Sub(p.lastAt) < p.again
	p.last, p.lastAt = w.mark, now
	if w.ack != nil {
		if err := p.say(ctx, "acknowledge", [][]byte{w.ack}); err != nil && ctx.Err() == nil {
			p.cfg.Log.Warn("pad_not_acknowledged", "error", err)
		}
	}
	if same {
		p.session.Garbage(1)
		return
	}
	for _, k := range w.keys {
		p.count++
		k.Count, k.At = p.count, now
		p.keys.Hand(k)
	}
}

// say writes frames in a turn of this pad.
func (p *Pad) say(ctx context.Context, op string, frames [][]byte) error {
	return p.session.Do(ctx, op, func(ctx context.Context, conn transport.Conn) error { return p.write(ctx, conn, frames) })
}

func (p *Pad) write(ctx context.Context, conn transport.Conn, frames [][]byte) error {
	for _, f := range frames {
		if err := conn.SetWriteDeadline(time.Now().Add(writing)); err != nil {
			return err
		}
		if _, err := conn.Write(f); err != nil {
			return err
		}
		if err := conn.Drain(ctx); err != nil {
			return err
		}
		if err := transport.Pause(ctx, p.dialect.gap()); err != nil {
			return err
		}
	}
	return nil
}
