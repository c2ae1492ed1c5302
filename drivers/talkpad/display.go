package talkpad

import (
	"context"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
)

// Display implements device.CallPad. It returns when this display or a newer one has left the machine: no pad says that it took it. One
// that could not be written is not forgotten: it appears when the line is back, unless a newer one came.
func (p *Pad) Display(ctx context.Context, f device.PadFrame) error {
	if _, err := p.dialect.show(f, device.PadFrame{}); err != nil {
		return &device.Error{Op: p.cfg.Name + " display", Code: device.CodeUnsupported, Err: err}
	}
	p.mu.Lock()
	p.want = f
	p.seq++
	p.mu.Unlock()
	return p.session.Do(ctx, "display", p.due)
}

// Refuse implements device.Refuser.
func (p *Pad) Refuse(ctx context.Context) error {
	frames := p.dialect.refuse()
	if len(frames) == 0 {
		return &device.Error{Op: p.cfg.Name + " refuse", Code: device.CodeUnsupported}
	}
	err := p.say(ctx, "refuse", frames)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = time.Now().Add(refusal)
	return err
}

// SelfTest shows a refusal, which any pad that has something to show does for a moment. Whether it did, only who stands there can say.
func (p *Pad) SelfTest(ctx context.Context) error {
	if len(p.dialect.refuse()) == 0 {
		return p.session.Do(ctx, "self-test", func(context.Context, transport.Conn) error { return nil })
	}
	return p.Refuse(ctx)
}

// due writes the newest display if it is not there, or was there for long.
func (p *Pad) due(ctx context.Context, conn transport.Conn) error {
	p.noise.Forgive()
	f, was, seq, right := p.newest(time.Now())
	if right {
		return nil
	}
	frames, err := p.dialect.show(f, was)
	if err != nil {
		return err
	}
	if err := p.write(ctx, conn, frames); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown, p.was, p.written = seq, f, time.Now()
	return nil
}

// state is that of the window, as the newest display says.
func (p *Pad) state() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want.State
}

// newest gives the newest display and its number, and what the pad shows; right says that nothing has to be written.
func (p *Pad) newest(now time.Time) (f, was device.PadFrame, seq uint64, right bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	right = p.seq == 0 || p.shown == p.seq && now.Sub(p.written) < refresh
	switch {
	case p.refused.IsZero():
	case now.After(p.refused):
		p.refused, right = time.Time{}, p.seq == 0
	case p.shown == p.seq:
		right = true // leave the refusal there for its time
	}
	return p.want, p.was, p.seq, right
}
