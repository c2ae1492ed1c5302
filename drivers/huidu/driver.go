// Package huidu drives LED screens with a Huidu full-colour card, over TCP: each row in its own text area.
package huidu

import (
	"context"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/panel"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/huidu"
)

// Screen is one screen. It implements device.Screen and device.SelfTester.
type Screen struct {
	cfg     registry.Config
	session *session.Session
	panel   *panel.Panel[huidu.Program]
	layout  layout
}

// New makes a screen; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	s := &Screen{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		layout:  readLayout(o),
	}
	c := &card{session: s.session, layout: s.layout, within: o.Duration("reply_within", 5*time.Second, 50*time.Millisecond, 30*time.Second)}
	s.panel = panel.New(panel.Config{
		Name:    cfg.Name,
		Poll:    o.Duration("poll", 5*time.Second, 50*time.Millisecond, time.Minute),
		Refresh: o.Duration("refresh", time.Minute, time.Second, time.Hour),
	}, s.session, c)
	if err := o.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run implements device.Device.
func (s *Screen) Run(ctx context.Context) error {
	return s.session.Run(ctx, s.cfg.Open, s.panel.Serve)
}

// Health implements device.Device.
func (s *Screen) Health() device.Health { return s.session.Health() }

// Show implements device.Screen. It returns when the card acknowledged this frame or a newer one.
func (s *Screen) Show(ctx context.Context, f device.Frame) error {
	picture, err := s.layout.picture(f)
	if err != nil {
		return &device.Error{Op: s.cfg.Name + " show", Code: device.CodeUnsupported, Err: err}
	}
	return s.panel.Show(ctx, picture)
}

// SelfTest shows a text for a moment, and then what stood there.
func (s *Screen) SelfTest(ctx context.Context) error {
	return s.panel.Try(ctx, s.layout.program(device.Frame{Lines: []string{"显示测试 ABC123", "政务服务"}}, panel.Plain))
}

// fits reports why a program cannot be an order, in whatever session.
func fits(p huidu.Program) error {
	_, err := p.Order("0")
	return err
}

// Begin implements panel.Card.
func (c *card) Begin() {
	c.packets.Reset()
	c.answer = huidu.Joiner{}
	c.guid, c.owed = "", false
}

// Blank implements panel.Card. A program replaces all that were there before it, so an empty one will do.
func (c *card) Blank(ctx context.Context, conn transport.Conn) error {
	return c.Draw(ctx, conn, c.layout.program(device.Frame{}, panel.Plain))
}

// Draw implements panel.Card.
func (c *card) Draw(ctx context.Context, conn transport.Conn, p huidu.Program) error {
	return c.show(ctx, conn, p)
}

// Look implements panel.Card.
func (c *card) Look(_ context.Context, conn transport.Conn) error {
	_, err := c.exchange(conn, []huidu.Packet{{Command: huidu.CmdHeartbeat}}, huidu.CmdHeartbeatAnswer)
	return err
}
