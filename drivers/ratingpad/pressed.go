package ratingpad

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
)

const (
	atOnce  = 2 << 10
	breath  = 5 * time.Millisecond
	writing = 500 * time.Millisecond // a few bytes must have left
)

// dialect is how a device says which of its keys was pressed.
type dialect interface {
	// begin prepares an open connection.
	begin(conn transport.Conn) error
	hear(b []byte) heard
	// orders are the bytes that begin and end a question; empty for a device that takes none.
	orders() (ask, end []byte)
	// blind says that nothing is known of the device before its first key.
	blind() bool
}

// heard is what came of some bytes: grades from 1 to 5, how much of what came belongs to such a device, and how many bytes nobody can
// have said.
type heard struct {
	stars           []int
	frames, garbage int
}

// Pressed is a rating device that says by itself which key was pressed, whether anybody asked or not. It implements device.RatingPad.
type Pressed struct {
	cfg     registry.Config
	session *session.Session
	noise   *session.Noise
	dialect dialect
	desk    desk
	spoken  atomic.Bool // it has said something on this connection
}

func pressed(cfg registry.Config, speak func(*registry.Options) dialect) (device.Device, error) {
	o := registry.NewOptions(cfg)
	p := &Pressed{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		dialect: speak(o),
	}
	p.noise = p.session.Noise("what comes is no key of such a device: other bytes than the model says, another speed, or a bad line")
	if err := o.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Run implements device.Device.
func (p *Pressed) Run(ctx context.Context) error { return p.session.Run(ctx, p.cfg.Open, p.serve) }

// Health implements device.Device.
func (p *Pressed) Health() device.Health {
	p.noise.Forgive()
	h := p.session.Health()
	h.Blind = h.State == device.OK && p.dialect.blind() && !p.spoken.Load()
	return h
}

// Ask implements device.RatingPad. The first key pressed from now on is the answer.
func (p *Pressed) Ask(ctx context.Context, r device.RatingRequest) (device.Rating, error) {
	op := p.cfg.Name + " ask"
	q, ok := p.desk.begin(r.Session)
	if !ok {
		return device.Rating{}, busy(op)
	}
	defer p.desk.end()
	ask, end := p.dialect.orders()
	if err := p.say(ctx, "ask", ask); err != nil {
		return device.Rating{}, unasked(ctx, op, err)
	}
	rating, err := q.wait(ctx, op, r.Timeout)
	if err == nil {
		p.session.Job()
	}
	if len(end) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writing)
		defer cancel()
		if err := p.say(ctx, "end", end); err != nil {
			p.cfg.Log.Info("rating_not_ended", "error", err)
		}
	}
	return rating, err
}

// say writes to the device; with nothing to say it finds out that the device is there.
func (p *Pressed) say(ctx context.Context, op string, b []byte) error {
	return p.session.Do(ctx, op, func(ctx context.Context, conn transport.Conn) error {
		if len(b) == 0 {
			return nil
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writing)); err != nil {
			return err
		}
		if _, err := conn.Write(b); err != nil {
			return err
		}
		return conn.Drain(ctx)
	})
}

// serve is one life of the connection.
func (p *Pressed) serve(ctx context.Context, conn transport.Conn) error {
	defer p.desk.settle(lost())
	if err := p.dialect.begin(conn); err != nil {
		return err
	}
	p.spoken.Store(false)
	p.noise.Begin()
	buf := make([]byte, atOnce)
	for {
		n, err := conn.Read(buf)
		p.hear(p.dialect.hear(buf[:n]))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // of somebody's write that was given up
			select {
			case <-time.After(breath):
			case <-ctx.Done():
				return ctx.Err()
			}
		case err != nil:
			return err
		}
	}
}

// hear gives what was pressed to the question that is open. A key that nobody asked for is no rating: children play with the device.
func (p *Pressed) hear(h heard) {
	p.noise.Heard(h.frames, h.garbage)
	for _, stars := range h.stars {
		p.spoken.Store(true)
		if !p.desk.settle(result{stars: stars}) {
			p.session.Garbage(1)
		}
	}
}
