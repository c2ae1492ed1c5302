// Package present gives the hall's screens what they must show. A screen shows the state of the hall, not its history: after every
// change the frame is made anew from the committed state, and only the latest one counts.
package present

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	View    View
	Renewed <-chan struct{}
}

// Presenter keeps panels up to date.
type Presenter struct {
	hall   Hall
	panels []Panel
	log    *slog.Logger
}

// New prepares a presenter.
func New(hall Hall, panels []Panel, log *slog.Logger) *Presenter {
	return &Presenter{hall: hall, panels: panels, log: log}
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
		p.hall.Read(func(s *queue.State, _ hallsync.Seq) { frame = panel.View.Frame(s) })
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
