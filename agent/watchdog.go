package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"halledge/agent/internal/store"
)

// watchdog feeds systemd's watchdog while the store's writer answers: a hall whose writer hangs is restarted. Without systemd it
// has nothing to do.
func (a *Agent) watchdog(ctx context.Context) error {
	period, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	if period == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(period / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		// A request that writes nothing costs no disk access; it only proves that the writer takes requests.
		if err := a.store.Update(ctx, func(*store.Tx) error { return nil }); err != nil {
			a.log.Error("writer does not answer", "error", err)
			continue
		}
		if _, err := daemon.SdNotify(false, daemon.SdNotifyWatchdog); err != nil {
			a.log.Warn("service manager not told", "error", err)
		}
	}
}
