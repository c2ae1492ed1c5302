// Package printing gives tickets their paper: it takes the slips that wait in the committed state to the printers of their
// places and records how each of them went. A slip is never printed twice by itself: one that was under way when the agent died
// counts as failed, and a person decides about 补打.
package printing

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

// Codes of failed slips beside the printers' own.
const (
	CodeInterrupted device.Code = "interrupted"     // the agent ended while the slip was on its way
	CodeNoPrinter   device.Code = "printer_missing" // the place has no printer
	CodeRender      device.Code = "slip_template"   // the template does not fit the ticket
)

// Hall is what the printing reads and records.
type Hall interface {
	Read(func(s *queue.State, seq hallsync.Seq))
	Watch() (dirty <-chan struct{}, cancel func())
	Do(ctx context.Context, c queue.Command) ([]hallsync.Payload, error)
}

// Options of New.
type Options struct {
	Hall    Hall
	Printer func(place string) (name string, p device.Printer, ok bool)
	Render  func(s *queue.State, t queue.Ticket) (device.PrintJob, error)
	Log     *slog.Logger
}

// Room is the hall's printing. Run it once.
type Room struct {
	opts  Options
	freed chan struct{} // has a value after a printer became free

	mu   sync.Mutex
	busy map[string]bool
}

// New prepares the printing.
func New(opts Options) *Room {
	return &Room{opts: opts, freed: make(chan struct{}, 1), busy: map[string]bool{}}
}

// Times of one slip.
const (
	jobLimit    = 30 * time.Second // a printer that has not confirmed by then has failed
	recordLimit = 5 * time.Second
	retryAfter  = 2 * time.Second // when the store could not record
)

// Run prints until ctx ends; a slip under way is finished first.
func (r *Room) Run(ctx context.Context) error {
	dirty, cancel := r.opts.Hall.Watch()
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	if err := r.giveUpInterrupted(ctx); err != nil {
		return err
	}
	retry := time.NewTicker(retryAfter)
	defer retry.Stop()
	for {
		for _, t := range r.waiting() {
			if r.claim(t.Printer) {
				wg.Go(func() { r.print(ctx, t) })
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-dirty:
		case <-r.freed:
		case <-retry.C:
		}
	}
}

// giveUpInterrupted fails the slips that were at a printer when the agent ended.
func (r *Room) giveUpInterrupted(ctx context.Context) error {
	var half []queue.Ticket
	r.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) {
		for _, t := range s.Tickets() {
			if t.Print == hallsync.SlipPrinting {
				half = append(half, t)
			}
		}
	})
	for _, t := range half {
		if err := r.record(ctx, t, hallsync.SlipFailed, "", CodeInterrupted); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	return nil
}

// waiting gives the first waiting slip of each place.
func (r *Room) waiting() []queue.Ticket {
	var out []queue.Ticket
	seen := map[string]bool{}
	r.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) {
		for _, t := range s.Slips() {
			if !seen[t.Printer] {
				seen[t.Printer] = true
				out = append(out, t)
			}
		}
	})
	return out
}

func (r *Room) claim(place string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[place] {
		return false
	}
	r.busy[place] = true
	return true
}

func (r *Room) release(place string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, place)
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// print takes one slip to its printer. The fact that it is on its way is stored before the first byte goes out.
func (r *Room) print(ctx context.Context, t queue.Ticket) {
	defer r.release(t.Printer)
	name, printer, ok := r.opts.Printer(t.Printer)
	if !ok {
		r.end(ctx, t, hallsync.SlipFailed, "", CodeNoPrinter)
		return
	}
	job, err := r.render(t)
	if err != nil {
		r.opts.Log.Error("slip not rendered", "ticket", t.ID, "error", err)
		r.end(ctx, t, hallsync.SlipFailed, name, CodeRender)
		return
	}
	if err := r.record(ctx, t, hallsync.SlipPrinting, name, ""); err != nil {
		r.opts.Log.Error("slip not printed, its start cannot be stored", "ticket", t.ID, "error", err)
		return
	}
	// A slip that has begun is finished even if the agent is asked to stop.
	jctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobLimit)
	defer cancel()
	if err := printer.Print(jctx, job); err != nil {
		code := device.CodeTimeout
		var e *device.Error
		if errors.As(err, &e) {
			code = e.Code
		}
		r.opts.Log.Warn("slip failed", "ticket", t.ID, "printer", name, "error", err)
		r.end(ctx, t, hallsync.SlipFailed, name, code)
		return
	}
	r.end(ctx, t, hallsync.SlipPrinted, name, "")
}

func (r *Room) render(t queue.Ticket) (job device.PrintJob, err error) {
	r.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) { job, err = r.opts.Render(s, t) })
	return job, err
}

func (r *Room) end(ctx context.Context, t queue.Ticket, state hallsync.PrintState, name string, code device.Code) {
	if err := r.record(ctx, t, state, name, code); err != nil {
		r.opts.Log.Error("end of slip not stored", "ticket", t.ID, "state", state, "error", err)
	}
}

func (r *Room) record(ctx context.Context, t queue.Ticket, state hallsync.PrintState, name string, code device.Code) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	_, err := r.opts.Hall.Do(ctx, queue.SlipProgress{SlipChanged: hallsync.SlipChanged{
		Ticket: t.ID, Copy: t.Reprints, State: state, Device: name, Code: string(code),
	}})
	var refusal *queue.Refusal
	if errors.As(err, &refusal) { // the day has turned and forgotten the ticket
		return nil
	}
	return err
}
