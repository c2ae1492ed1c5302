// Package callpad drives window call pads that speak Modbus RTU with HallEdge's register map, several on one RS-485 pair or one on
// a line of its own. It polls the pad's event counter, hands each key out once and shows the ticket to the staff.
package callpad

import (
	"context"
	"fmt"
	"sync"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/rtu"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/modbus"
)

const (
	maxMisses = 3           // polls in a row without an answer before the pad counts as lost
	refresh   = time.Minute // the display is written again this often: a pad that lost its power forgets it
	testBeep  = 30          // of the self-test, in units of 10 ms
	noBeep    = 80          // of a key that did nothing
)

// Pad is one call pad. It implements device.CallPad and device.SelfTester.
type Pad struct {
	cfg     registry.Config
	session *session.Session
	unit    *rtu.Unit     // used in the session's turns only
	poll    time.Duration // between two questions
	upTo    byte          // highest address that a self-test looks for
	keys    *session.Keys

	mu   sync.Mutex
	want []uint16 // newest display
	seq  uint64   // counts displays; 0 while there is none

	// Of the open connection; used in the session's turns only.
	misses  int
	presses counter
	unacked bool // the last key that was handed out is still to be acknowledged
	shown   uint64
	written time.Time
}

// New makes a pad; see sample.yaml for its options.
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	p := &Pad{
		cfg:     cfg,
		session: session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log}),
		poll:    o.Duration("poll", 50*time.Millisecond, 20*time.Millisecond, 2*time.Second),
		upTo:    byte(o.Int("search_to", 32, 1, modbus.MaxUnit)),
	}
	p.keys = p.session.NewKeys(8)
	within := o.Duration("reply_within", 100*time.Millisecond, 20*time.Millisecond, 2*time.Second)
	p.unit = rtu.New(byte(o.Int("unit", 1, 1, modbus.MaxUnit)), cfg.Connect.Baud, within, p.session.Garbage)
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

// Display implements device.CallPad. It returns when the pad took this display or a newer one. A display that could not be
// written is not forgotten: it appears when the pad is back, unless a newer one came.
func (p *Pad) Display(ctx context.Context, f device.PadFrame) error {
	r, err := registers(f)
	if err != nil {
		return &device.Error{Op: p.cfg.Name + " display", Code: device.CodeUnsupported, Err: err}
	}
	p.mu.Lock()
	p.want = r
	p.seq++
	p.mu.Unlock()
	return p.session.Do(ctx, "display", func(ctx context.Context, conn transport.Conn) error {
		if _, seq := p.newest(); p.shown == seq {
			return nil // the call before took this display along
		}
		return p.write(ctx, conn)
	})
}

// Refuse implements device.Refuser by a long beep.
func (p *Pad) Refuse(ctx context.Context) error { return p.beep(ctx, "refuse", noBeep) }

// SelfTest makes the pad beep. When the pad does not answer it says who else does on the line.
func (p *Pad) SelfTest(ctx context.Context) error {
	err := p.beep(ctx, "self-test", testBeep)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return p.unit.Search(ctx, p.cfg.Open, p.upTo, p.cfg.Log, err)
}

func (p *Pad) beep(ctx context.Context, op string, long uint16) error {
	return p.session.Do(ctx, op, func(ctx context.Context, conn transport.Conn) error {
		return p.unit.Set(ctx, conn, modbus.PadBeepAt, long)
	})
}

// serve is one life of the connection.
func (p *Pad) serve(ctx context.Context, _ transport.Conn) error {
	if err := p.session.Do(ctx, "start", p.start); err != nil {
		return err
	}
	return p.session.Every(ctx, p.poll, "poll", p.look)
}

// start makes sure that the pad is one of ours. Keys pressed before are past: their counter is only remembered.
func (p *Pad) start(ctx context.Context, conn transport.Conn) error {
	p.unit.Reset()
	p.misses, p.presses, p.unacked, p.shown = 0, counter{}, false, 0
	r, err := p.unit.Inputs(ctx, conn, modbus.PadInputs)
	if err != nil {
		return err
	}
	in, err := modbus.ParsePadInput(r)
	if err == nil && in.Map != modbus.PadMapVersion {
		err = fmt.Errorf("register map version %d, this driver knows %d", in.Map, modbus.PadMapVersion)
	}
	if err != nil {
		return &device.Error{Op: "read the pad's map", Code: device.CodeBadReply, Retry: true, Err: err}
	}
	p.presses.count(in.Counter)
	p.cfg.Log.Info("pad_found", "unit", p.unit.Address, "firmware", in.Firmware)
	p.session.Good()
	return p.write(ctx, conn)
}

// look asks the pad once. An answer that does not come is no reason to give the line up: what it was for is asked again at the next look.
func (p *Pad) look(ctx context.Context, conn transport.Conn) error {
	err := p.ask(ctx, conn)
	if err == nil {
		p.misses = 0
		return nil
	}
	p.misses++
	if p.misses < maxMisses && ctx.Err() == nil && rtu.Passing(err) {
		return nil
	}
	return err
}

// ask looks for the last key, hands it out if it is new, acknowledges it, and shows what is to be shown.
func (p *Pad) ask(ctx context.Context, conn transport.Conn) error {
	r, err := p.unit.Inputs(ctx, conn, 2)
	if err != nil {
		return err
	}
	p.session.Good()
	if err := p.take(ctx, conn, r[0], modbus.PadKey(r[1])); err != nil {
		return err
	}
	if p.unacked {
		if err := p.unit.Set(ctx, conn, modbus.PadAckAt, p.presses.last); err != nil {
			return err
		}
		p.unacked = false
	}
	if _, seq := p.newest(); p.shown != seq || time.Since(p.written) >= refresh {
		return p.write(ctx, conn)
	}
	return nil
}

// take hands a new key out. It counts as seen only when all that belongs to it was read.
func (p *Pad) take(ctx context.Context, conn transport.Conn, count uint16, key modbus.PadKey) error {
	next := p.presses
	n, restarted := next.count(count)
	k, known := toDevice(key)
	if n > 0 && k.Code == device.KeyLogin {
		var err error
		if k.Operator, err = p.operator(ctx, conn); err != nil {
			return err
		}
	}
	p.presses = next
	if restarted {
		p.cfg.Log.Warn("pad_restarted", "count", count)
		p.shown, p.unacked = 0, false
	}
	if n == 0 {
		return nil
	}
	p.unacked = false
	if !known {
		p.session.Garbage(1)
		p.cfg.Log.Warn("pad_key_unknown", "key", uint16(key))
		return nil
	}
	k.Count, k.Lost, k.At = count, n-1, time.Now()
	if k.Lost > 0 {
		p.cfg.Log.Warn("pad_keys_lost", "lost", k.Lost)
	}
	p.unacked = p.keys.Hand(k) // one that nobody took leaves the lamp dark
	return nil
}

// operator is the number that was entered at the pad before login.
func (p *Pad) operator(ctx context.Context, conn transport.Conn) (int, error) {
	r, err := p.unit.Inputs(ctx, conn, modbus.PadInputs)
	if err != nil {
		return 0, err
	}
	in, err := modbus.ParsePadInput(r)
	return int(in.Operator), err
}

// newest gives the newest display and its number, which is 0 when there is none.
func (p *Pad) newest() ([]uint16, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want, p.seq
}

// write shows the newest display, if there is one.
func (p *Pad) write(ctx context.Context, conn transport.Conn) error {
	want, seq := p.newest()
	if seq > 0 {
		if err := p.unit.Set(ctx, conn, modbus.PadNumberAt, want...); err != nil {
			return err
		}
	}
	p.shown, p.written = seq, time.Now()
	return nil
}
