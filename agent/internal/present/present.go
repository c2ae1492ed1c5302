// Package present gives the hall's LED panels what they must show. A panel shows the state of the hall, not its history: after
// every change the frame is made anew from the committed state, and only the latest one counts.
package present

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Hall is what the presenter reads.
type Hall interface {
	Read(func(s *queue.State, seq hallsync.Seq))
	Watch() (dirty <-chan struct{}, cancel func())
}

// Panel is one LED panel and what it stands for. Renewed, if not nil, has a value when what the panel was told is lost.
type Panel struct {
	Name    string
	Screen  device.Screen
	Window  hallsync.WindowID // empty: a panel of the whole hall
	Renewed <-chan struct{}
}

// Presenter keeps panels up to date.
type Presenter struct {
	hall   Hall
	panels []Panel
	idle   string
	log    *slog.Logger
}

// New prepares a presenter; idle is what panels show when nothing is called.
func New(hall Hall, panels []Panel, idle string, log *slog.Logger) *Presenter {
	return &Presenter{hall: hall, panels: panels, idle: idle, log: log}
}

// retryAfter is the pause before a frame that the panel did not take is shown again.
const retryAfter = 2 * time.Second

// Run shows until ctx ends. A panel that does not answer holds up no other.
func (p *Presenter) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, panel := range p.panels {
		wg.Go(func() { p.serve(ctx, panel) })
	}
	wg.Wait()
	<-ctx.Done()
	return ctx.Err()
}

func (p *Presenter) serve(ctx context.Context, panel Panel) {
	dirty, cancel := p.hall.Watch()
	defer cancel()
	shown := ""
	for {
		var frame device.Frame
		p.hall.Read(func(s *queue.State, _ hallsync.Seq) { frame = Frame(s, panel.Window, p.idle) })
		var again <-chan time.Time
		if text := fmt.Sprint(frame); text != shown {
			if err := panel.Screen.Show(ctx, frame); err == nil {
				shown = text
			} else if ctx.Err() == nil {
				p.complain(panel.Name, err)
				again = time.After(retryAfter)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-dirty:
		case <-again:
		case <-panel.Renewed:
			shown = ""
		}
	}
}

// complain logs what is not already the device's own health.
func (p *Presenter) complain(panel string, err error) {
	var e *device.Error
	if errors.As(err, &e) && e.Retry {
		p.log.Debug("panel not updated", "panel", panel, "error", err)
		return
	}
	p.log.Warn("panel not updated", "panel", panel, "error", err)
}

// Frame is what a panel shows: a hall's panel the latest call, a window's panel the window's ticket or its pause. A fresh call
// or recall flashes; each is a new frame by its serial.
func Frame(s *queue.State, window hallsync.WindowID, idle string) device.Frame {
	if window == "" {
		for _, c := range s.Calls(1) {
			return device.Frame{Lines: []string{"请" + c.Number + "号", "到" + windowName(s, c.Window)}, Flash: true, Serial: serial(c.Ticket, c.Times, c.At)}
		}
		return device.Frame{Lines: []string{idle}}
	}
	w, ok := s.Window(window)
	switch {
	case !ok || w.State == hallsync.WindowClosed:
		return device.Frame{Lines: []string{"暂未开放"}}
	case w.State == hallsync.WindowPaused:
		return device.Frame{Lines: []string{"暂停服务"}}
	}
	t, ok := s.Ticket(w.Ticket)
	switch {
	case !ok:
		return device.Frame{Lines: []string{idle}}
	case t.State == hallsync.Called:
		return device.Frame{Lines: []string{"请" + t.Number + "号"}, Flash: true, Serial: serial(t.ID, t.Calls, t.CalledAt)}
	default:
		return device.Frame{Lines: []string{t.Number}}
	}
}

// serial tells one call from another one that looks the same: a person who was passed and came back is called to the same window
// for the first time again.
func serial(id hallsync.TicketID, times int, at time.Time) string {
	return fmt.Sprint(id, "/", times, "/", at.UnixMilli())
}

// windowName is the window as citizens read it: "3号窗口" for a window called 3, else its own name.
func windowName(s *queue.State, id hallsync.WindowID) string {
	for _, w := range s.Plan().Windows {
		if w.ID == id && w.Name != "" {
			return w.Name
		}
	}
	return strings.TrimSpace(string(id)) + "号窗口"
}
