package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	goodFor    = time.Minute // a part that lived this long starts with the first pause again
)

// Phase is what a part is doing.
type Phase string

// The phases.
const (
	Idle    Phase = "idle"    // the group does not run yet
	Running Phase = "running" // as it should
	Pausing Phase = "pausing" // it failed and waits for its next start
	Stopped Phase = "stopped" // the group has ended it
)

// State is the condition of a part.
type State struct {
	Name     string
	Phase    Phase
	Since    time.Time // of Phase
	Failures uint64    // returns and panics since the start of the program
	Err      error     // of the last failure, nil before the first
}

// PanicError is the failure of a part that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

var errReturned = errors.New("returned without being told to")

// part is a Part at work.
type part struct {
	Part
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	state State
}

func newPart(p Part, log *slog.Logger) *part {
	return &part{Part: p, log: log, done: make(chan struct{}), state: State{Name: p.Name, Phase: Idle, Since: time.Now()}}
}

func (p *part) start(ctx context.Context) {
	ctx, p.cancel = context.WithCancel(ctx)
	go func() {
		defer close(p.done)
		p.keep(ctx)
	}()
}

// stop reports whether the part stopped in its time.
func (p *part) stop() bool {
	p.cancel()
	late := time.NewTimer(p.StopWithin)
	defer late.Stop()
	select {
	case <-p.done:
		return true
	case <-late.C:
		return false
	}
}

// keep runs the part again and again until ctx ends.
func (p *part) keep(ctx context.Context) {
	defer p.enter(Stopped)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		p.enter(Running)
		began := time.Now()
		err := p.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= goodFor {
			pause = firstPause
		}
		p.fail(err, pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause - pause/5 + rand.N(2*pause/5)): // a fifth to both sides
		}
	}
}

// once is one life of the part; it never gives nil.
func (p *part) once(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if err := p.Run(ctx); err != nil {
		return err
	}
	return errReturned
}

func (p *part) enter(phase Phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Phase, p.state.Since = phase, time.Now()
}

// fail records a failure. The stack is logged, and kept by nobody.
func (p *part) fail(err error, pause time.Duration) {
	p.mu.Lock()
	p.state.Phase, p.state.Since, p.state.Err = Pausing, time.Now(), err
	p.state.Failures++
	n := p.state.Failures
	p.mu.Unlock()
	attrs := []any{"error", err, "failures", n, "pause", pause}
	var panicked *PanicError
	if errors.As(err, &panicked) {
		attrs = append(attrs, "stack", string(panicked.Stack))
	}
	p.log.Error("part failed", attrs...)
}

func (p *part) get() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}
