package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"halledge/agent/internal/store"
	"halledge/agent/kit/supervise"
)

// watchdog feeds systemd's watchdog while the hall is alive; one that is not is restarted. Without systemd it has nothing to do.
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
		if err := a.alive(ctx); err != nil {
			a.log.Error("the hall is not alive", "error", err)
			continue
		}
		if _, err := daemon.SdNotify(false, daemon.SdNotifyWatchdog); err != nil {
			a.log.Warn("service manager not told", "error", err)
		}
	}
}

// alive reports what keeps the hall from working that a new start may mend: a writer that takes no requests, or a part without
// which nothing goes and that cannot be started again in this process.
func (a *Agent) alive(ctx context.Context) error {
	for _, s := range a.group.States() {
		if (s.Name == partStore || s.Name == partWeb) && s.Phase == supervise.Pausing {
			return fmt.Errorf("%s: %w", s.Name, s.Err)
		}
	}
	// A request that writes nothing costs no disk access; it only proves that the writer takes requests.
	return a.store.Update(ctx, func(*store.Tx) error { return nil })
}
