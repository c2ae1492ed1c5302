package agent

import (
	"context"
	"time"

	"halledge/agent/internal/store"
)

// A disk ages while the program runs for years, so it is measured again from time to time, with few writes.
const (
	diskEvery   = time.Hour
	diskSamples = 20
)

// watchDisk measures until ctx ends.
func (a *Agent) watchDisk(ctx context.Context) error {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			a.measureDisk(diskSamples)
		}
	}
}

// measureDisk keeps the last measure when there is no new one: a disk that is full is no reason not to call who waits.
func (a *Agent) measureDisk(samples int) {
	d, err := store.MeasureSync(a.cfg.Site.Data, samples)
	if err != nil {
		a.log.Warn("disk not measured", "error", err)
		return
	}
	a.fsync.Store(int64(d.P99))
}
