package agent

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/config"
)

// A disk that gets slow, or well again, is noticed while the program runs.
func TestTheDiskIsMeasuredAgain(t *testing.T) {
	cfg := &config.Config{}
	cfg.Site.Data = t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := &Agent{cfg: cfg, log: slog.New(slog.DiscardHandler)}
		const before = time.Minute // no disk is that slow
		a.fsync.Store(int64(before))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.watchDisk(ctx) }()
		time.Sleep(diskEvery - time.Second)
		synctest.Wait()
		if a.fsyncP99() != before {
			t.Error("measured too soon")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if a.fsyncP99() == before {
			t.Error("not measured again")
		}
		cancel()
		<-done
	})
}

func TestADiskThatCannotBeMeasuredKeepsItsMeasure(t *testing.T) {
	cfg := &config.Config{}
	cfg.Site.Data = t.TempDir() + "/gone"
	a := &Agent{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	a.fsync.Store(int64(time.Second))
	if a.measureDisk(diskSamples); a.fsyncP99() != time.Second {
		t.Errorf("got %s", a.fsyncP99())
	}
}
