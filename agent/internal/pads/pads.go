// Package pads gives the call pads of windows: each key is the same command as the button of the window's page, and the pad
// shows its window.
package pads

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Hall is what pads read and order.
type Hall interface {
	Read(func(s *queue.State, seq hallsync.Seq))
	Watch() (dirty <-chan struct{}, cancel func())
	Do(ctx context.Context, c queue.Command) ([]hallsync.Payload, error)
}

// Pad is one pad and its window. Renewed, if not nil, has a value when what the pad was told is lost.
type Pad struct {
	Name    string
	Device  device.CallPad
	Window  hallsync.WindowID
	Renewed <-chan struct{}
}

// Options of New.
type Options struct {
	Hall Hall
	Pads []Pad
	// Staff gives whose number it is that was entered at a window's pad; ok is false if nobody has it who may work there.
	Staff func(w hallsync.WindowID, number string) (id hallsync.StaffID, ok bool)
	// Rate has the citizen who was served last at a window asked for a rating once more; false if there is nobody or nothing to ask.
	Rate func(w hallsync.WindowID) bool
	Log  *slog.Logger
}

// Desk runs the pads of a hall.
type Desk struct {
	hall  Hall
	pads  []Pad
	staff func(hallsync.WindowID, string) (hallsync.StaffID, bool)
	rate  func(hallsync.WindowID) bool
	log   *slog.Logger
}

// New prepares the pads.
func New(o Options) *Desk {
	return &Desk{hall: o.Hall, pads: o.Pads, staff: o.Staff, rate: o.Rate, log: o.Log}
}

// Run serves until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, p := range d.pads {
		wg.Go(func() { d.listen(ctx, p) })
		wg.Go(func() { d.display(ctx, p) })
	}
	wg.Wait()
	<-ctx.Done()
	return ctx.Err()
}

func (d *Desk) listen(ctx context.Context, p Pad) {
	var digits typed
	for {
		select {
		case <-ctx.Done():
			return
		case k, ok := <-p.Device.Keys():
			if !ok {
				return
			}
			now := time.Now()
			if k.Lost > 0 {
				d.log.Warn("pad keys lost", "pad", p.Name, "lost", k.Lost)
				digits.lost(now)
			}
			switch k.Code {
			case device.KeyDigit:
				digits.add(k, now)
			case device.KeyCancel:
				digits.take(now)
			default:
				if before, whole := digits.take(now); whole {
					d.press(ctx, p, k, before)
				} else { // a number of which a digit is missing is another one, and 叫号 without its number calls another person
					d.refuse(ctx, p, k, nil)
				}
			}
		}
	}
}

// press does what a key stands for. A pad has no screen for a sentence: a key that did nothing is told of by whatever the pad has for it,
// and the pad goes on showing the truth.
func (d *Desk) press(ctx context.Context, p Pad, k device.Key, digits string) {
	var (
		c    queue.Command
		idle bool
	)
	d.hall.Read(func(s *queue.State, _ hallsync.Seq) {
		c = d.order(s, p, k, digits)
		w, _ := s.Window(p.Window)
		idle = w.Ticket == ""
	})
	did, err := false, error(nil)
	switch {
	case c == nil:
	case k.Code == device.KeyRate && idle:
		did = d.rate(p.Window)
	default:
		did, err = d.do(ctx, p, c)
	}
	if did || ctx.Err() != nil {
		return
	}
	d.refuse(ctx, p, k, err)
}

// refuse tells staff that a key did nothing.
func (d *Desk) refuse(ctx context.Context, p Pad, k device.Key, err error) {
	d.log.Info("pad key did nothing", "pad", p.Name, "key", k.Code, "error", err)
	pad, can := p.Device.(device.Refuser)
	if !can {
		return
	}
	var de *device.Error
	if err := pad.Refuse(ctx); err != nil && ctx.Err() == nil && !(errors.As(err, &de) && de.Code == device.CodeUnsupported) {
		d.log.Info("refusal not shown", "pad", p.Name, "error", err)
	}
}

// do runs a command and reports whether it changed anything. Pads lack keys for what is plain from another one: who presses 叫号 at a closed
// window begins work, and who puts somebody aside has begun to serve him.
func (d *Desk) do(ctx context.Context, p Pad, c queue.Command) (did bool, err error) {
	facts, err := d.hall.Do(ctx, c)
	var refusal *queue.Refusal
	if !errors.As(err, &refusal) {
		return err == nil && len(facts) > 0, err
	}
	var before queue.Command
	switch c := c.(type) {
	case queue.CallNext:
		if refusal.Code == queue.WindowClosed {
			before = queue.Open{Window: p.Window, By: c.By}
		}
	case queue.Hold:
		if refusal.Code == queue.TicketState && refusal.State == hallsync.Called {
			before = queue.Start{Window: p.Window, By: c.By}
		}
	}
	if before == nil {
		return false, err
	}
	if _, err := d.hall.Do(ctx, before); err != nil {
		return false, err
	}
	_, err = d.hall.Do(ctx, c)
	return err == nil, err
}

// retryAfter is the pause before a frame that the pad did not take is shown again.
const retryAfter = 2 * time.Second

func (d *Desk) display(ctx context.Context, p Pad) {
	dirty, cancel := d.hall.Watch()
	defer cancel()
	var shown device.PadFrame // no frame has an empty state, so the first one is always shown
	for {
		var frame device.PadFrame
		d.hall.Read(func(s *queue.State, _ hallsync.Seq) { frame = Frame(s, p.Window) })
		var again <-chan time.Time
		if frame != shown {
			if err := p.Device.Display(ctx, frame); err == nil {
				shown = frame
			} else {
				again = time.After(retryAfter)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-dirty:
		case <-again:
		case <-p.Renewed:
			shown = device.PadFrame{}
		}
	}
}

// Frame is what a window's pad shows: the window's ticket, how many wait in its lines, and its state.
func Frame(s *queue.State, window hallsync.WindowID) device.PadFrame {
	w, ok := s.Window(window)
	if !ok {
		return device.PadFrame{State: "closed"}
	}
	f := device.PadFrame{State: "idle"}
	for _, q := range queuesOf(s, window) {
		f.Waiting += s.Waiting(q)
	}
	t, has := s.Ticket(w.Ticket)
	switch {
	case w.State == hallsync.WindowClosed:
		f.State = "closed"
	case w.State == hallsync.WindowPaused:
		f.State = "paused"
	case has:
		f.Number, f.State = t.Number, string(t.State)
	}
	return f
}
