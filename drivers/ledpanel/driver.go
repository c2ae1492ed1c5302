// Package ledpanel drives LED panels with an Onbon K-series card, over a serial line or TCP. It shows the newest frame, each row
// in its own text area, and shows it again whenever the panel may have forgotten it.
package ledpanel

import (
	"context"
	"errors"
	"sync"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

// testFor is how long the self-test's text stays.
const testFor = 2 * time.Second

// Panel is one panel. It implements device.Screen and device.SelfTester.
type Panel struct {
	cfg     registry.Config
	session *session.Session
	layout  layout
	screen  uint16
	poll    time.Duration // between two looks at an idle panel
	refresh time.Duration
	within  time.Duration // a reply must come

	mu   sync.Mutex
	want onbon.Request // newest frame
	seq  uint64        // counts frames; 0 while there is none

	// Of the open connection; used in the session's turns only.
	replies onbon.Decoder
	owed    bool // a reply is still to come
	shown   uint64
	sent    time.Time
}

// New makes a panel; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	within := 2 * time.Second
	if cfg.Connect.TCP != "" {
		within = 5 * time.Second
	}
	p := &Panel{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		layout:  readLayout(o),
		screen:  uint16(o.Int("screen", 1, 0, int(onbon.Broadcast)-1)),
		poll:    o.Duration("poll", 2*time.Second, 50*time.Millisecond, time.Minute),
		refresh: o.Duration("refresh", time.Minute, time.Second, time.Hour),
		within:  o.Duration("reply_within", within, 50*time.Millisecond, 10*time.Second),
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Run implements device.Device.
func (p *Panel) Run(ctx context.Context) error { return p.session.Run(ctx, p.cfg.Open, p.serve) }

// Health implements device.Device.
func (p *Panel) Health() device.Health { return p.session.Health() }

// Show implements device.Screen. It returns when the panel acknowledged this frame or a newer one. A frame that could not be
// shown is not forgotten: it appears when the panel is back, unless a newer one came.
func (p *Panel) Show(ctx context.Context, f device.Frame) error {
	r, err := p.layout.update(f).Request()
	if err != nil {
		return &device.Error{Op: p.cfg.Name + " show", Code: device.CodeUnsupported, Err: err}
	}
	p.mu.Lock()
	p.want = r
	p.seq++
	p.mu.Unlock()
	err = p.session.Do(ctx, "show", func(ctx context.Context, conn transport.Conn) error {
		if _, seq := p.newest(); p.shown == seq {
			return nil // the call before took this frame along
		}
		return p.showNewest(ctx, conn)
	})
	if err == nil {
		p.session.Job()
	}
	return err
}

// SelfTest shows a text for a moment, and then what stood there.
func (p *Panel) SelfTest(ctx context.Context) error {
	r, err := p.layout.update(device.Frame{Lines: []string{"显示测试 ABC123", "政务服务"}, Flash: true}).Request()
	if err != nil {
		return &device.Error{Op: p.cfg.Name + " self-test", Code: device.CodeUnsupported, Err: err}
	}
	return p.session.Do(ctx, "self-test", func(ctx context.Context, conn transport.Conn) error {
		p.shown = 0
		if err := p.ask(ctx, conn, r); err != nil {
			return err
		}
		if err := sleep(ctx, testFor); err != nil {
			return err
		}
		return p.showNewest(ctx, conn)
	})
}

// serve is one life of the connection.
func (p *Panel) serve(ctx context.Context, _ transport.Conn) error {
	if err := p.session.Do(ctx, "start", p.start); err != nil {
		return err
	}
	return p.session.Every(ctx, p.poll, "check", p.check)
}

// start shows the newest frame, and nothing of an earlier program's.
func (p *Panel) start(ctx context.Context, conn transport.Conn) error {
	p.replies.Reset()
	p.owed, p.shown = false, 0
	return p.showNewest(ctx, conn)
}

// check keeps the panel's picture: cards forget it when they lose their power, and say nothing.
func (p *Panel) check(ctx context.Context, conn transport.Conn) error {
	var err error
	if _, seq := p.newest(); p.shown != seq || time.Since(p.sent) >= p.refresh {
		err = p.showNewest(ctx, conn)
	} else if err = p.ask(ctx, conn, onbon.Request{Command: onbon.CmdPing}); err == nil {
		p.session.Good()
	}
	var refused *device.Error
	if errors.As(err, &refused) && refused.Code == device.CodeBadReply && !errors.Is(err, session.ErrNonsense) {
		return nil // the panel is there and answers; its health says what it does not like
	}
	return err
}

// newest gives the newest frame and its number, which is 0 when there is none.
func (p *Panel) newest() (onbon.Request, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want, p.seq
}

// showNewest sends the newest frame, or wipes the panel when there is none yet. The first time it wipes in any case.
func (p *Panel) showNewest(ctx context.Context, conn transport.Conn) error {
	want, seq := p.newest()
	if p.shown == 0 || seq == 0 {
		wipe, err := onbon.Update{DeleteAll: true}.Request()
		if err != nil {
			return err
		}
		if err := p.ask(ctx, conn, wipe); err != nil {
			return err
		}
	}
	if seq > 0 {
		if err := p.ask(ctx, conn, want); err != nil {
			return err
		}
	}
	p.shown, p.sent = seq, time.Now()
	p.session.Good()
	return nil
}
