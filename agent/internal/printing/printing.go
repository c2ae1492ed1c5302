// Package printing gives tickets their paper: it takes the slips that wait in the committed state to the printers of their
// places and records how each of them went. A slip that did not come out goes to the place's second printer, as another copy. One that
// may be whole, as when a printer or the agent died over it, is never printed again by itself: a person decides about 补打.
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
	Look(func(m queue.Moment))
	Watch() (dirty <-chan struct{}, cancel func())
	Do(ctx context.Context, c queue.Command) ([]hallsync.Payload, error)
}

// Options of New.
type Options struct {
	Hall    Hall
	Printer func(place string, spare bool) (name string, p device.Printer, ok bool)
	Render  func(m queue.Moment, t queue.Ticket, printer string) (device.PrintJob, error)
	Log     *slog.Logger
}

// Room is the hall's printing. Run it once.
type Room struct {
	opts  Options
	freed chan struct{} // has a value after a printer became free

	mu   sync.Mutex
	busy map[string]bool // printers at work, by name
}

// slip is a ticket whose paper is wanted and the printer that shall make it.
type slip struct {
	queue.Ticket
	name    string
	printer device.Printer // nil: there is none
	spare   bool           // it is the place's second one
}

// end is how a slip went.
type end struct {
	state hallsync.PrintState
	code  device.Code
	out   device.Outcome
}

func failed(code device.Code, out device.Outcome) end { return end{hallsync.SlipFailed, code, out} }

// New prepares the printing.
func New(opts Options) *Room {
	return &Room{opts: opts, freed: make(chan struct{}, 1), busy: map[string]bool{}}
}

// Times of one slip.
const (
	jobLimit    = 30 * time.Second // a printer that has not confirmed by then has failed
	recordLimit = 5 * time.Second
	retryAfter  = 2 * time.Second // when the store could not record; the paper waits for the log, never the other way round
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
		for _, s := range r.waiting() {
			if r.claim(s.name) {
				wg.Go(func() { r.release(s.name, r.print(ctx, s)) })
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
		s := slip{Ticket: t, name: t.Slip.Device}
		if _, err := r.record(ctx, s, failed(CodeInterrupted, device.OutUnknown)); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	return nil
}

// waiting gives the first waiting slip of each printer; several places may share one.
func (r *Room) waiting() []slip {
	var all []queue.Ticket
	r.opts.Hall.Read(func(s *queue.State, _ hallsync.Seq) { all = s.Slips() })
	var out []slip
	seen := map[string]bool{}
	for _, t := range all {
		s := r.choose(t)
		if !seen[s.name] {
			seen[s.name] = true
			out = append(out, s)
		}
	}
	return out
}

// choose gives a slip its printer: the second one if the slip is meant for it, or if the first is known to print nothing.
func (r *Room) choose(t queue.Ticket) slip {
	own, spare := r.at(t, false), r.at(t, true)
	if t.Slip.Spare || spare.prints() && !own.prints() {
		return spare
	}
	return own
}

// at is a slip at the first or the second printer of its place.
func (r *Room) at(t queue.Ticket, spare bool) slip {
	s := slip{Ticket: t, spare: spare}
	name, printer, ok := r.opts.Printer(t.Printer, spare)
	if s.name = name; ok {
		s.printer = printer
	}
	return s
}

// prints says whether the printer puts slips on paper, as far as is known. One that has just started may.
func (s slip) prints() bool {
	if s.printer == nil {
		return false
	}
	h := s.printer.Health()
	return h.State == device.OK || h.State == device.Starting || h.State == device.Degraded && h.Code == device.CodePaperLow
}

func (r *Room) claim(printer string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[printer] {
		return false
	}
	r.busy[printer] = true
	return true
}

// release lets the next slip have the printer: at once, or, after a slip that could not even begin, with the next retry.
func (r *Room) release(printer string, atOnce bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, printer)
	if !atOnce {
		return
	}
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// print takes one slip to its printer. The fact that it is on its way is stored before the first byte goes out; begun is false
// if that could not be.
func (r *Room) print(ctx context.Context, s slip) (begun bool) {
	if s.printer == nil {
		return r.end(ctx, s, failed(CodeNoPrinter, device.OutNothing))
	}
	job, err := r.render(s)
	if err != nil {
		r.opts.Log.Error("slip not rendered", "ticket", s.ID, "error", err)
		return r.end(ctx, s, failed(CodeRender, device.OutNothing))
	}
	known, err := r.record(ctx, s, end{state: hallsync.SlipPrinting})
	if err != nil {
		r.opts.Log.Error("slip not printed, its start cannot be stored", "ticket", s.ID, "error", err)
		return false
	}
	if !known {
		return true
	}
	// A slip that has begun is finished even if the agent is asked to stop.
	jctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobLimit)
	defer cancel()
	if err := s.printer.Print(jctx, job); err != nil {
		went := failed(device.CodeTimeout, device.OutUnknown)
		var e *device.Error
		if errors.As(err, &e) {
			went.code, went.out = e.Code, e.Out
		}
		r.opts.Log.Warn("slip failed", "ticket", s.ID, "printer", s.name, "out", string(went.out), "error", err)
		return r.end(ctx, s, went)
	}
	return r.end(ctx, s, end{state: hallsync.SlipPrinted})
}

// render makes the job. A template that panics on a ticket costs this slip, not the hall, which would print it again after each
// restart.
func (r *Room) render(s slip) (job device.PrintJob, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	r.opts.Hall.Look(func(m queue.Moment) { job, err = r.opts.Render(m, s.Ticket, s.name) })
	return job, err
}

// end records how a slip went, as often as it takes: nobody could ask for another copy before. When ctx ends it is left to the
// next start, which takes the slip for interrupted.
func (r *Room) end(ctx context.Context, s slip, went end) (stored bool) {
	for {
		_, err := r.record(ctx, s, went)
		if err == nil {
			return true
		}
		r.opts.Log.Error("end of slip not stored", "ticket", s.ID, "state", went.state, "error", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryAfter):
		}
	}
}

// record stores how far a slip is. known is false if the day has turned and forgotten the ticket. A template that does not fit the
// ticket fits it at no printer.
func (r *Room) record(ctx context.Context, s slip, went end) (known bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	again := went.state == hallsync.SlipFailed && went.code != CodeRender && !s.spare && r.at(s.Ticket, true).prints()
	_, err = r.opts.Hall.Do(ctx, queue.SlipProgress{Spare: again, SlipChanged: hallsync.SlipChanged{
		Ticket: s.ID, Copy: s.Reprints, State: went.state, Device: s.name, Code: string(went.code), Out: hallsync.Outcome(went.out),
	}})
	var refusal *queue.Refusal
	if errors.As(err, &refusal) {
		return false, nil
	}
	return err == nil, err
}
