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

// Desk runs the pads of a hall.
type Desk struct {
	hall Hall
	pads []Pad
	log  *slog.Logger
}

// New prepares the pads.
func New(hall Hall, pads []Pad, log *slog.Logger) *Desk {
	return &Desk{hall: hall, pads: pads, log: log}
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
	for {
		select {
		case <-ctx.Done():
			return
		case k, ok := <-p.Device.Keys():
			if !ok {
				return
			}
			d.press(ctx, p, k)
		}
	}
}

// press turns a key into a command. A pad has no screen for a sentence: a refusal is logged and the pad goes on showing the
// truth.
func (d *Desk) press(ctx context.Context, p Pad, k device.Key) {
	if k.Lost > 0 {
		d.log.Warn("pad keys lost", "pad", p.Name, "lost", k.Lost)
	}
	by := d.by(p)
	c := command(p, k.Code, by)
	if c == nil {
		d.log.Info("pad key has no command", "pad", p.Name, "key", k.Code)
		return
	}
	_, err := d.hall.Do(ctx, c)
	var refusal *queue.Refusal
	if errors.As(err, &refusal) && refusal.Code == queue.WindowClosed && k.Code == device.KeyNext {
		// Who presses 叫号 at a closed window means to begin work.
		if _, err = d.hall.Do(ctx, queue.Open{Window: p.Window, By: by}); err == nil {
			_, err = d.hall.Do(ctx, c)
		}
	}
	if err != nil && ctx.Err() == nil {
		d.log.Info("pad key refused", "pad", p.Name, "key", k.Code, "error", err)
	}
}

// by says who pressed: whoever has opened the window works there, and is who a citizen rates.
func (d *Desk) by(p Pad) hallsync.By {
	by := hallsync.By{Kind: "pad", ID: p.Name}
	d.hall.Read(func(s *queue.State, _ hallsync.Seq) {
		w, _ := s.Window(p.Window)
		by.Staff = w.Staff
	})
	return by
}

func command(p Pad, key device.KeyCode, by hallsync.By) queue.Command {
	switch key {
	case device.KeyNext:
		return queue.CallNext{Window: p.Window, By: by}
	case device.KeyRecall:
		return queue.Recall{Window: p.Window, By: by}
	case device.KeyPass:
		return queue.Pass{Window: p.Window, By: by}
	case device.KeyPause:
		return queue.Pause{Window: p.Window, By: by}
	case device.KeyResume:
		return queue.Unpause{Window: p.Window, By: by}
	case device.KeyLogin:
		return queue.Open{Window: p.Window, By: by}
	case device.KeyLogout:
		return queue.Close{Window: p.Window, By: by}
	case device.KeyFinish:
		return queue.Finish{Window: p.Window, By: by}
	}
	return nil
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
	for _, p := range s.Plan().Windows {
		if p.ID != window {
			continue
		}
		for _, q := range p.Queues {
			f.Waiting += s.Waiting(q)
		}
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
