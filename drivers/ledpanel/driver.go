// Package ledpanel drives LED panels with an Onbon K-series card, over a serial line or TCP: each row in its own text area.
package ledpanel

import (
	"context"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/panel"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/onbon"
)

// defaultScreen is a card's number as it comes.
const defaultScreen = 1

// Panel is one panel. It implements device.Screen and device.SelfTester.
type Panel struct {
	cfg     registry.Config
	session *session.Session
	panel   *panel.Panel[onbon.Request]
	layout  layout
	card    *card
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
	}
	p.card = &card{
		session: p.session,
		layout:  p.layout,
		log:     cfg.Log,
		screen:  uint16(o.Int("screen", defaultScreen, 0, int(onbon.Broadcast)-1)),
		within:  o.Duration("reply_within", within, 50*time.Millisecond, 10*time.Second),
		bright:  readBrightness(o),
		now:     time.Now,
	}
	p.panel = panel.New(panel.Config{
		Name:    cfg.Name,
		Poll:    o.Duration("poll", 2*time.Second, 50*time.Millisecond, time.Minute),
		Refresh: o.Duration("refresh", time.Minute, time.Second, time.Hour),
	}, p.session, p.card)
	if err := o.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Station gives the card, or the areas of it, that a panel with some options is.
func Station(options map[string]string) (registry.Station, bool) {
	s, ok := registry.Numbered("onbon", "screen", defaultScreen)(options)
	if l := readLayout(registry.NewOptions(registry.Config{Options: options})); l.shared {
		s.Part, s.First, s.Last = "first_area", l.first, l.first+l.rows-1
	}
	return s, ok
}

// Run implements device.Device.
func (p *Panel) Run(ctx context.Context) error {
	return p.session.Run(ctx, p.cfg.Open, p.panel.Serve)
}

// Health implements device.Device.
func (p *Panel) Health() device.Health { return p.session.Health() }

// Show implements device.Screen. It returns when the panel acknowledged this frame or a newer one. A frame that could not be
// shown is not forgotten: it appears when the panel is back, unless a newer one came.
func (p *Panel) Show(ctx context.Context, f device.Frame) error {
	picture, err := p.layout.picture(f)
	if err != nil {
		return p.cannot("show", err)
	}
	return p.panel.Show(ctx, picture)
}

// SelfTest shows a text for a moment, and then what stood there.
func (p *Panel) SelfTest(ctx context.Context) error {
	r, err := p.layout.update(device.Frame{Lines: []string{"显示测试 ABC123", "政务服务"}}, panel.Plain).Request()
	if err != nil {
		return p.cannot("self-test", err)
	}
	return p.panel.Try(ctx, r)
}

func (p *Panel) cannot(op string, err error) error {
	return &device.Error{Op: p.cfg.Name + " " + op, Code: device.CodeUnsupported, Err: err}
}

// Begin implements panel.Card.
func (c *card) Begin() {
	c.replies.Reset()
	c.owed, c.set = false, 0
}

// Blank implements panel.Card.
func (c *card) Blank(ctx context.Context, conn transport.Conn) error {
	wipe, err := c.layout.wipe().Request()
	if err != nil {
		return err
	}
	return c.ask(ctx, conn, wipe)
}

// Draw implements panel.Card.
func (c *card) Draw(ctx context.Context, conn transport.Conn, r onbon.Request) error {
	if err := c.dim(ctx, conn); err != nil {
		return err
	}
	return c.ask(ctx, conn, r)
}

// Look implements panel.Card.
func (c *card) Look(ctx context.Context, conn transport.Conn) error {
	if err := c.dim(ctx, conn); err != nil {
		return err
	}
	return c.ask(ctx, conn, onbon.Request{Command: onbon.CmdPing})
}
