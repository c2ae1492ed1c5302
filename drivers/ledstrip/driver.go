// Package ledstrip drives LED strips at windows, several on one line: those whose maker's sheet of paper can be said as a template of
// bytes, and those with text in Modbus registers.
package ledstrip

import (
	"context"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/panel"
	"halledge/drivers/internal/session"
	"halledge/drivers/registry"
)

// Strip is one strip. It implements device.Screen and device.SelfTester.
type Strip struct {
	cfg     registry.Config
	session *session.Session
	panel   *panel.Panel[[]line]
	face    face
	card    card
}

// card speaks with a strip of one kind; its pictures are a line for each row.
type card interface {
	panel.Card[[]line]
	fits([]line) error // whether the lines can be said at all
	mute() bool        // it never answers
}

// New makes a strip whose frames follow a template; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) { return build(cfg, newTemplated) }

// NewModbus makes a strip with text in Modbus registers; see sample-modbus.yaml.
func NewModbus(cfg registry.Config) (device.Device, error) { return build(cfg, newRegisters) }

func build(cfg registry.Config, kind func(*registry.Options, registry.Config, *session.Session, *face) card) (device.Device, error) {
	o := registry.NewOptions(cfg)
	s := &Strip{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
	}
	s.face = readFace(o)
	s.card = kind(o, cfg, s.session, &s.face)
	s.panel = panel.New(panel.Config{
		Name:    cfg.Name,
		Poll:    o.Duration("poll", 2*time.Second, 50*time.Millisecond, time.Minute),
		Refresh: o.Duration("refresh", time.Minute, time.Second, time.Hour),
	}, s.session, s.card)
	if err := o.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run implements device.Device.
func (s *Strip) Run(ctx context.Context) error {
	return s.session.Run(ctx, s.cfg.Open, s.panel.Serve)
}

// Health implements device.Device. Of a strip that never answers nobody knows more than that its line is open.
func (s *Strip) Health() device.Health {
	h := s.session.Health()
	h.Blind = h.State == device.OK && s.card.mute()
	return h
}

// Show implements device.Screen. It returns when the strip acknowledged this frame or a newer one, or when that was sent to one that
// never answers.
func (s *Strip) Show(ctx context.Context, f device.Frame) error {
	picture, err := panel.Draw(f, s.face.rows.Fit(f), s.face.flash, func(as panel.Look) ([]line, error) {
		lines := s.face.lines(f, as)
		return lines, s.card.fits(lines)
	})
	if err != nil {
		return &device.Error{Op: s.cfg.Name + " show", Code: device.CodeUnsupported, Err: err}
	}
	return s.panel.Show(ctx, picture)
}

// SelfTest shows a text for a moment, and then what stood there.
func (s *Strip) SelfTest(ctx context.Context) error {
	lines := s.face.lines(device.Frame{Lines: []string{"测试 123", "政务服务"}}, panel.Plain)
	if err := s.card.fits(lines); err != nil {
		return &device.Error{Op: s.cfg.Name + " self-test", Code: device.CodeUnsupported, Err: err}
	}
	return s.panel.Try(ctx, lines)
}
