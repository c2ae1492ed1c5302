package supervise

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Watch knows whether the loops that promised a sign of life keep giving it. A loop that hangs cannot report itself; the system's
// watchdog, which Run feeds only while all is well, then restarts the program.
type Watch struct {
	mu    sync.Mutex
	loops map[*loop]struct{}
}

type loop struct {
	name  string
	limit time.Duration
	last  time.Time
}

// NewWatch makes a watch that expects nothing yet.
func NewWatch() *Watch { return &Watch{loops: make(map[*loop]struct{})} }

// Expect says that from now on beat will be called at least once every limit, until done is called. A part calls Expect when it
// starts to run and defers done, so that a part that waits for its restart is not taken for one that hangs.
func (w *Watch) Expect(name string, limit time.Duration) (beat, done func()) {
	l := &loop{name: name, limit: limit, last: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loops[l] = struct{}{}
	beat = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		l.last = time.Now()
	}
	done = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.loops, l)
	}
	return beat, done
}

// Late names the loops whose sign is overdue, in alphabetical order.
func (w *Watch) Late() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for l := range w.loops {
		if time.Since(l.last) > l.limit {
			names = append(names, l.name)
		}
	}
	slices.Sort(names)
	return names
}

// Run calls alive each period while no loop is late, until ctx ends. With systemd, alive sends WATCHDOG=1 and period is half of
// WATCHDOG_USEC.
func (w *Watch) Run(ctx context.Context, period time.Duration, alive func() error, log *slog.Logger) error {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		if late := w.Late(); len(late) > 0 {
			log.Error("part hangs", "parts", late)
		} else if err := alive(); err != nil {
			log.Warn("watchdog not fed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
