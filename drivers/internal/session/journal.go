package session

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A device that comes and goes all day long, or speaks nonsense, says so in a few lines at first and then in one a minute.
const (
	atOnce    = 3
	lineEvery = time.Minute
)

// journal writes what becomes of a device into the log.
type journal struct {
	log *slog.Logger

	mu   sync.Mutex
	used int       // lines since the log was last quiet
	last time.Time // when used last became less
	held int       // lines not written since the last one that was
	late func()    // writes the latest of them
}

func (j *journal) write(level slog.Level, message string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := func() {
		if j.held > 0 {
			args = append(args, "repeated", j.held)
		}
		j.log.Log(context.Background(), level, message, args...) //nolint:sloglint // all callers have constants
		j.held, j.late = 0, nil
	}
	if !j.room() {
		if j.late != nil {
			j.held++
		}
		j.late = line
		return
	}
	j.used++
	line()
}

// room reports whether there may be a line now.
func (j *journal) room() bool {
	now := time.Now()
	if j.used == 0 {
		j.last = now
	}
	if back := int(now.Sub(j.last) / lineEvery); back > 0 {
		j.used, j.last = max(j.used-back, 0), j.last.Add(time.Duration(back)*lineEvery)
	}
	return j.used < atOnce
}

// run writes what was held back until ctx ends.
func (j *journal) run(ctx context.Context) {
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			j.flush()
		}
	}
}

func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.late != nil && j.room() {
		j.used++
		j.late()
	}
}
