package identity

import (
	"context"
	"slices"
	"time"
)

// Certificates are asked for before their time when the hall's pages are called otherwise, once that has lasted, and when the centre has
// another signing key; not more often than once in a while, whatever changes.
const (
	settled = 3 * lookEvery
	seldom  = 10 * time.Minute
)

// moved is what the hall's pages were called the last time that somebody looked.
type moved struct {
	hosts []string
	since time.Time // of the machine's own clock
	asked time.Time // when certificates were taken before their time
}

// due reports whether it is time to ask for new certificates. Only Run's goroutine calls it.
func (i *Identity) due(p *papers) bool {
	if !i.Now().Before(p.from.Add(p.until.Sub(p.from) / 3 * 2)) {
		return true
	}
	now, hosts := time.Now(), i.hosts()
	if !slices.Equal(hosts, i.moved.hosts) || i.moved.since.IsZero() {
		i.moved.hosts, i.moved.since = hosts, now
	}
	others := now.Sub(i.moved.since) >= settled && !slices.Equal(hosts, p.Hosts)
	i.mu.Lock()
	behind := i.behind
	i.mu.Unlock()
	return (others || behind) && (i.moved.asked.IsZero() || now.Sub(i.moved.asked) >= seldom)
}

// hosts are what the hall's pages are called now, in order: machines list their addresses in any.
func (i *Identity) hosts() []string { return slices.Sorted(slices.Values(i.o.Hosts())) }

// While gives a context that ends when ctx does, and when other papers have come into force with which same is false any more. The
// function ends it, and waits until nobody watches.
func (i *Identity) While(ctx context.Context, same func() bool) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			changed := i.Changed()
			if !same() {
				cancel()
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}()
	return ctx, func() { cancel(); <-done }
}

// Changed gives a channel that is closed when other papers come into force: new certificates, and what came with them.
func (i *Identity) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}
