package devices_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// stage gives drivers that do without hardware what hardware cannot be asked to: panic, give up, and deliver at once. Devices on
// real lines are tested in hotplug_test.go.
func stage() map[string]registry.Driver {
	lives := new(atomic.Int64)
	build := func(cfg registry.Config) (device.Device, error) {
		o := registry.NewOptions(cfg)
		a := &actor{name: cfg.Name, lives: lives, panics: int64(o.Int("panics", 0, 0, 9)), useless: o.Bool("useless", false)}
		o.Int("unit", 1, 1, 247)
		a.health.Store(&device.Health{State: device.Starting, Since: time.Now()})
		if err := o.Err(); err != nil {
			return nil, err
		}
		_, role, _ := strings.Cut(cfg.Name, ".")
		switch role {
		case "printer":
			return &printer{a}, nil
		case "scanner":
			return &scanner{unread{a, make(chan device.Unread)}, make(chan device.Scan)}, nil
		case "idcard":
			return &reader{unread{a, make(chan device.Unread)}, make(chan device.IDCard)}, nil
		case "pad":
			return &pad{a, make(chan device.Key)}, nil
		default:
			return &panel{a}, nil
		}
	}
	return map[string]registry.Driver{"stage": {New: build}, "shared": {New: build, Bus: true}}
}

// actor is what all staged devices have in common.
type actor struct {
	name    string
	lives   *atomic.Int64
	panics  int64 // lives that end in a panic
	useless bool
	health  atomic.Pointer[device.Health]
}

func (a *actor) Health() device.Health { return *a.health.Load() }

func (a *actor) run(ctx context.Context, deliver func()) error {
	if a.lives.Add(1) <= a.panics {
		panic("a byte too many")
	}
	if a.useless {
		err := &device.Error{Op: "open", Code: device.CodeUnsupported}
		a.health.Store(&device.Health{State: device.Unusable, Code: err.Code, Since: time.Now()})
		return err
	}
	a.health.Store(&device.Health{State: device.OK, Since: time.Now()})
	deliver()
	<-ctx.Done()
	return ctx.Err()
}

type printer struct{ *actor }

func (p *printer) Run(ctx context.Context) error  { return p.run(ctx, func() {}) }
func (p *printer) SelfTest(context.Context) error { return nil }
func (p *printer) Print(_ context.Context, job device.PrintJob) error {
	if job.ID == "" {
		panic("a slip without a number")
	}
	return errors.New("printed " + job.ID + " on " + p.name)
}

// unread is an actor that could not read what was shown first.
type unread struct {
	*actor
	lost chan device.Unread
}

func (u *unread) Unread() <-chan device.Unread { return u.lost }

type scanner struct {
	unread
	out chan device.Scan
}

func (s *scanner) Scans() <-chan device.Scan { return s.out }
func (s *scanner) Run(ctx context.Context) error {
	defer close(s.out)
	defer close(s.lost)
	return s.run(ctx, func() {
		send(ctx, s.lost, device.Unread{Fault: device.ScanTooLong})
		send(ctx, s.out, device.Scan{Payload: device.NewSecret("hello from " + s.name)})
	})
}

type reader struct {
	unread
	out chan device.IDCard
}

func (r *reader) Cards() <-chan device.IDCard { return r.out }
func (r *reader) Run(ctx context.Context) error {
	defer close(r.out)
	defer close(r.lost)
	return r.run(ctx, func() {
		send(ctx, r.lost, device.Unread{Fault: device.CardRemoved})
		send(ctx, r.out, device.IDCard{Name: device.NewSecret("hello from " + r.name)})
	})
}

type pad struct {
	*actor
	out chan device.Key
}

func (p *pad) Keys() <-chan device.Key                        { return p.out }
func (p *pad) Display(context.Context, device.PadFrame) error { return nil }
func (p *pad) Run(ctx context.Context) error {
	defer close(p.out)
	return p.run(ctx, func() { send(ctx, p.out, device.Key{Code: device.KeyNext}) })
}

type panel struct{ *actor }

func (p *panel) Run(ctx context.Context) error            { return p.run(ctx, func() {}) }
func (p *panel) Show(context.Context, device.Frame) error { return nil }

func send[T any](ctx context.Context, to chan<- T, v T) {
	select {
	case to <- v:
	case <-ctx.Done():
	}
}
