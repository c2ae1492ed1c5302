// Package keypad drives USB numeric keypads as call pads: it reads their keys as a Linux input device, before any desktop does, and
// takes the keypad for itself. Such a pad has no display.
package keypad

import (
	"context"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/evdev"
)

const (
	// backlog is how many keys wait for whoever takes them.
	backlog = 8
	// atOnce is how many events are read at once; a press and its release are about six.
	atOnce = 64
)

// Pad is one keypad. It implements device.CallPad.
type Pad struct {
	cfg     registry.Config
	session *session.Session
	mapping map[evdev.KeyCode]meaning
	keys    *session.Keys
	paused  atomic.Bool // the window, as the newest frame says

	// Of Run's goroutine, over all connections.
	count uint16
}

// New makes a keypad; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	p := &Pad{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		mapping: readMapping(o),
	}
	p.keys = p.session.NewKeys(backlog)
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

// Health implements device.Device.
func (p *Pad) Health() device.Health { return p.session.Health() }

// Keys implements device.CallPad.
func (p *Pad) Keys() <-chan device.Key { return p.keys.C() }

// Display implements device.CallPad. There is nothing to show it on: the frame only tells what a key that pauses and resumes does
// next, also when it comes while the keypad is away.
func (p *Pad) Display(_ context.Context, f device.PadFrame) error {
	p.paused.Store(f.State == "paused")
	if p.session.Health().State != device.OK {
		return &device.Error{Op: p.cfg.Name + " display", Code: device.CodeOffline, Retry: true}
	}
	return nil
}

// serve is one life of the connection. Keys pressed before it are past: a kernel keeps none for whoever opens the device later.
func (p *Pad) serve(_ context.Context, conn transport.Conn) error {
	taken, err := transport.Grab(conn)
	if err != nil {
		return err
	}
	if !taken {
		p.cfg.Log.Info("keypad_not_taken", "reason", "no input device of this machine")
	}
	p.session.Good() // a keypad says nothing before somebody presses, and its file is gone when it is
	var (
		events evdev.Decoder
		board  evdev.Keyboard
		buf    = make([]byte, atOnce*evdev.Size)
	)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		p.hear(&events, &board, buf[:n])
	}
}

// hear takes what the keypad sent.
func (p *Pad) hear(events *evdev.Decoder, board *evdev.Keyboard, data []byte) {
	garbage := events.Garbage()
	events.Push(data)
	for e, ok := events.Next(); ok; e, ok = events.Next() {
		p.session.Good()
		dropped := board.Dropped()
		press, pressed := board.Take(e)
		if board.Dropped() > dropped {
			p.keys.Lose(1)
			p.session.Garbage(1)
			p.cfg.Log.Warn("keypad_events_lost")
		}
		if pressed {
			p.press(press)
		}
	}
	p.session.Garbage(int(events.Garbage() - garbage))
}

// press hands a key out, if it means something. With Shift or its like held it means nothing: keypads type their 00, % and brackets so.
func (p *Pad) press(press evdev.Press) {
	m, mapped := p.mapping[press.Key]
	if !mapped || press.Modified {
		return
	}
	k := device.Key{Code: m.code, Digit: m.digit, At: time.Now()}
	if m.toggles && p.paused.Load() {
		k.Code = device.KeyResume
	}
	p.count++
	k.Count = p.count
	p.keys.Hand(k)
}
