package access

import (
	"context"
	"fmt"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/store"
)

// watchEvery is how often sessions in use are looked at: what ends one in another process is noticed within that time.
const watchEvery = 500 * time.Millisecond

// hold is a session in use beyond one request: an event stream or a viewing.
type hold struct {
	session sessionID
	expires time.Time
	cancel  context.CancelCauseFunc
}

// Hold gives a context that ends with its parent or with the credential of who, by sign-out, expiry, a changed password or a
// disabled user; then context.Cause gives a *Refusal. An open page counts as use of its session. Tokens do not end. release must
// be called when nothing depends on the context any more.
func (d *Desk) Hold(parent context.Context, who Who) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	if !who.InSession() {
		return ctx, func() { cancel(nil) }
	}
	h := &hold{session: who.session, expires: who.Expires, cancel: cancel}
	d.mu.Lock()
	d.holds[h] = struct{}{}
	d.mu.Unlock()
	return ctx, func() {
		d.mu.Lock()
		delete(d.holds, h)
		d.mu.Unlock()
		cancel(nil)
	}
}

// Run watches over the sessions in use and keeps the audit to its length, until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	pruned := time.Time{}
	if err := d.sealFactors(ctx); err != nil && ctx.Err() == nil {
		d.log.Error("second factors not sealed", "error", err)
	}
	for {
		if now := d.now(); now.Sub(pruned).Abs() >= pruneEvery {
			if err := d.prune(ctx, now); err != nil && ctx.Err() == nil {
				d.log.Error("audit not pruned", "error", err)
			}
			pruned = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.watch(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("sessions in use not checked", "error", err)
			}
		}
	}
}

// watch ends what holds on to sessions that have ended, and notes that the others are in use.
func (d *Desk) watch(ctx context.Context) error {
	d.mu.Lock()
	held := map[sessionID]bool{}
	for h := range d.holds {
		held[h.session] = true
	}
	d.mu.Unlock()
	if len(held) == 0 {
		return nil
	}
	sessions, err := d.store.Sessions(ctx)
	if err != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	now := d.now()
	live := map[sessionID]bool{}
	var touch []sessionID
	for _, s := range sessions {
		if !held[s.TokenHash] || over(s, now) {
			continue
		}
		live[s.TokenHash] = true
		if now.Sub(s.Used) >= touchEvery {
			touch = append(touch, s.TokenHash)
		}
	}
	d.end(CodeExpired, func(h *hold) bool { return !now.Before(h.expires) })
	// Only what was held when the sessions were read can be judged by them.
	d.end(CodeEnded, func(h *hold) bool { return held[h.session] && !live[h.session] })
	if touch == nil {
		return nil
	}
	return d.store.Write(ctx, func(tx *store.Tx) error {
		for _, id := range touch {
			if err := tx.TouchSession(id, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// end ends the holds that which picks.
func (d *Desk) end(code problem.Code, which func(*hold) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for h := range d.holds {
		if which(h) {
			h.cancel(&Refusal{Code: code})
			delete(d.holds, h)
		}
	}
}
