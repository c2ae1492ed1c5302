package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"halledge/agent/internal/config"
	"halledge/drivers/device"
	"halledge/drivers/registry"
)

// slot is the place of one configured device: what stands there may be made anew after its driver panicked, or be nothing, and
// those who use the slot do not notice but for its errors.
type slot struct {
	site        config.Device
	page        string // its title if it is a page; empty: it is hardware
	name, model string
	line        string        // its connection; several devices may have the same
	shared      bool          // others may stand on the line
	leads       func() string // names the device behind the line now, under whatever name that is configured; nil: there is none
	tape        *registry.Tape
	trial       chan chan struct{} // a test that waits for a reading, at most one
	place       config.Place
	class       device.Class
	build       func() (device.Device, error)
	log         *slog.Logger
	scans       chan<- Scan
	cards       chan<- Card
	unread      chan<- Unread
	keys        chan device.Key
	renewed     chan struct{} // has a value after the device was made anew

	mu     sync.Mutex
	device device.Device // nil while there is none
	fault  device.Health // why there is none
	port   string        // the socket that it is or was in, if it is a USB device
}

// make builds the device.
func (s *slot) make() {
	d, err := s.build()
	if err != nil {
		s.refuse(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = d
}

// refuse leaves the slot empty for good.
func (s *slot) refuse(err error) {
	s.log.Error("device unusable", "error", err)
	s.empty(device.Health{State: device.Unusable, Code: device.CodeBadConfig, Detail: err.Error()})
}

func (s *slot) empty(why device.Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	why.Since = time.Now()
	s.device, s.fault = nil, why
}

// current gives the device, nil if there is none, and its health.
func (s *slot) current() (device.Device, device.Health) {
	s.mu.Lock()
	d, fault := s.device, s.fault
	s.mu.Unlock()
	if d == nil {
		return nil, fault
	}
	return d, d.Health()
}

// run is one life of the device. A panic passes through to the supervisor, and the next life begins with a new device.
func (s *slot) run(ctx context.Context) error {
	d, why := s.current()
	if d == nil && why.State != device.Unusable {
		s.make()
		if d, _ = s.current(); d != nil {
			s.renew()
		}
	}
	if d == nil { // the configuration must change, and then the program starts again
		<-ctx.Done()
		return ctx.Err()
	}
	panicked := true
	defer func() {
		if panicked {
			s.empty(device.Health{State: device.Offline, Code: device.CodeBadReply, Detail: "the driver failed and will start again"})
		}
	}()
	err := s.serve(ctx, d)
	panicked = false
	if ctx.Err() == nil {
		s.log.Error("device unusable", "error", err)
		<-ctx.Done()
	}
	return ctx.Err()
}

// renew says that there is a new device, which was told nothing yet.
func (s *slot) renew() {
	select {
	case s.renewed <- struct{}{}:
	default: // said already
	}
}

// serve runs the device and passes on what it delivers.
func (s *slot) serve(ctx context.Context, d device.Device) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	switch d := d.(type) {
	case device.Scanner:
		all.Go(func() {
			pass(ctx, s, d.Scans(), s.scans, func(v device.Scan) Scan { return Scan{Device: s.name, Place: s.place, Scan: v} })
		})
		all.Go(func() { pass(ctx, nil, d.Unread(), s.unread, s.unreadHere) })
	case device.IDCardReader:
		all.Go(func() {
			pass(ctx, s, d.Cards(), s.cards, func(v device.IDCard) Card { return Card{Device: s.name, Place: s.place, IDCard: v} })
		})
		all.Go(func() { pass(ctx, nil, d.Unread(), s.unread, s.unreadHere) })
	case device.CallPad:
		all.Go(func() { pass(ctx, s, d.Keys(), s.keys, func(v device.Key) device.Key { return v }) })
	}
	return d.Run(ctx)
}

func (s *slot) unreadHere(v device.Unread) Unread {
	return Unread{Device: s.name, Place: s.place, Unread: v}
}

// pass moves what comes from one channel to the other until the first is closed or ctx ends. What a test of s waits for goes no
// further: whoever tries a pad calls nobody.
func pass[A, B any](ctx context.Context, s *slot, from <-chan A, to chan<- B, as func(A) B) {
	for {
		select {
		case v, ok := <-from:
			if !ok {
				return
			}
			if s != nil && s.tried() {
				continue
			}
			select {
			case to <- as(v):
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// use gives the device as the interface D, or why that cannot be.
func use[D any](s *slot, op string) (D, error) {
	now, health := s.current()
	d, ok := now.(D)
	switch {
	case now == nil:
		retry := health.State != device.Unusable
		return d, &device.Error{
			Op: s.name + " " + op, Code: health.Code, Retry: retry, Out: device.OutNothing, Err: errors.New(health.Detail),
		}
	case !ok:
		return d, &device.Error{Op: s.name + " " + op, Code: device.CodeUnsupported, Out: device.OutNothing}
	}
	return d, nil
}

// ask lets the device do something. A driver that panics fails this call; the hall goes on.
func ask[D any](s *slot, op string, do func(D) error) (err error) {
	d, err := use[D](s, op)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("driver panicked", "operation", op, "panic", p, "stack", string(debug.Stack()))
			err = &device.Error{Op: s.name + " " + op, Code: device.CodeBadReply, Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	return do(d)
}

// Run implements device.Device for those who hold a slot; the Set runs it, so there is nothing left to do.
func (s *slot) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Health implements device.Device.
func (s *slot) Health() device.Health {
	_, health := s.current()
	return health
}

// Print implements device.Printer.
func (s *slot) Print(ctx context.Context, job device.PrintJob) error {
	return ask(s, "print", func(p device.Printer) error { return p.Print(ctx, job) })
}

// Show implements device.Screen.
func (s *slot) Show(ctx context.Context, f device.Frame) error {
	return ask(s, "show", func(p device.Screen) error { return p.Show(ctx, f) })
}

// Say implements device.Speaker.
func (s *slot) Say(ctx context.Context, a device.Announcement) error {
	return ask(s, "say", func(p device.Speaker) error { return p.Say(ctx, a) })
}

// Keys implements device.CallPad.
func (s *slot) Keys() <-chan device.Key { return s.keys }

// Display implements device.CallPad.
func (s *slot) Display(ctx context.Context, f device.PadFrame) error {
	return ask(s, "display", func(p device.CallPad) error { return p.Display(ctx, f) })
}

// Refuse implements device.Refuser.
func (s *slot) Refuse(ctx context.Context) error {
	return ask(s, "refuse", func(p device.Refuser) error { return p.Refuse(ctx) })
}

// Ask implements device.RatingPad.
func (s *slot) Ask(ctx context.Context, q device.RatingRequest) (device.Rating, error) {
	var r device.Rating
	err := ask(s, "ask", func(p device.RatingPad) (err error) {
		r, err = p.Ask(ctx, q)
		return err
	})
	return r, err
}

// SelfTest implements device.SelfTester. A device that people work with is tested by them: the test ends with the next code that is
// scanned, with the next key, or with the answer to a question. It fails with ErrNothingCame when nobody did anything.
func (s *slot) SelfTest(ctx context.Context) error {
	err := ask(s, "self-test", func(p device.SelfTester) error { return p.SelfTest(ctx) })
	if s.class != device.ClassScanner && s.class != device.ClassCallPad && s.class != device.ClassRatingPad {
		return err
	}
	var failed *device.Error
	if err != nil && !(errors.As(err, &failed) && failed.Code == device.CodeUnsupported) {
		return err
	}
	if h := s.Health(); h.State == device.Offline || h.State == device.Unusable {
		return &device.Error{Op: s.name + " self-test", Code: h.Code, Retry: true}
	}
	if s.class == device.ClassRatingPad {
		return s.question(ctx)
	}
	return s.try(ctx)
}

// question has the device ask whoever tests it. The answer is no rating.
func (s *slot) question(ctx context.Context) error {
	_, err := s.Ask(ctx, device.RatingRequest{Prompt: "测试，请按任意一档", Timeout: tryWithin})
	var failed *device.Error
	if errors.As(err, &failed) && failed.Code == device.CodeTimeout && ctx.Err() == nil {
		return fmt.Errorf("%s self-test: %w", s.name, ErrNothingCame)
	}
	return err
}

// try waits until the device delivers something.
func (s *slot) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tryWithin)
	defer cancel()
	came := make(chan struct{})
	select {
	case s.trial <- came:
	default:
		return &device.Error{Op: s.name + " self-test", Code: device.CodeBusy, Retry: true}
	}
	select {
	case <-came:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-s.trial:
		return fmt.Errorf("%s self-test: %w", s.name, ErrNothingCame)
	case <-came:
		return nil
	}
}

// tried ends the test that waits, if there is one.
func (s *slot) tried() bool {
	select {
	case came := <-s.trial:
		close(came)
		return true
	default:
		return false
	}
}
