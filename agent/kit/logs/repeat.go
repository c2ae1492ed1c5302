package logs

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// repeatSpan is how long a fault is counted before it is written again.
const repeatSpan = time.Minute

// maxFaults bounds how many different faults are counted at a time.
const maxFaults = 256

// handler counts warnings and errors that say the same again within a minute. The first is written at once; the count
// follows as one line with the attribute "repeated".
type handler struct {
	inner  slog.Handler
	prefix string // what With added, part of what makes two lines the same
	counts *counts
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.inner.Enabled(ctx, l) }

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.prefix)
	for _, a := range attrs {
		writeAttr(&b, a)
	}
	return &handler{inner: h.inner.WithAttrs(attrs), prefix: b.String(), counts: h.counts}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{inner: h.inner.WithGroup(name), prefix: h.prefix + name + ".", counts: h.counts}
}

// Handle writes or counts one record.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if err := h.counts.writeDue(ctx, r.Time); err != nil {
		return err
	}
	if r.Level >= slog.LevelWarn && h.counts.again(h.same(r), h.inner, r) {
		return nil
	}
	return h.inner.Handle(ctx, r)
}

// same is what two lines of one fault have in common: level, message and everything but numbers and times, which count
// attempts and measure.
func (h *handler) same(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Level.String() + " " + r.Message + " " + h.prefix)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, a)
		return true
	})
	return b.String()
}

func writeAttr(b *strings.Builder, a slog.Attr) {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindDuration, slog.KindTime:
		return
	}
	b.WriteString(a.Key + "=" + v.String() + " ")
}

// counts are the faults of the last minute.
type counts struct {
	mu   sync.Mutex
	seen map[string]*count
}

type count struct {
	first time.Time
	times int // beyond the first
	out   slog.Handler
	last  slog.Record
}

// again notes a fault and reports whether it was written within the last minute.
func (c *counts) again(key string, out slog.Handler, r slog.Record) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.seen[key]; ok {
		known.times++
		known.last = r.Clone()
		return true
	}
	if len(c.seen) < maxFaults {
		c.seen[key] = &count{first: r.Time, out: out}
	}
	return false
}

// writeDue writes the counts whose minute is over. Nothing is written while nothing is logged: what is late then is a count,
// never a fault.
func (c *counts) writeDue(ctx context.Context, now time.Time) error {
	return c.write(ctx, func(k *count) bool { return now.Sub(k.first) >= repeatSpan })
}

func (c *counts) flush() {
	_ = c.write(context.Background(), func(*count) bool { return true }) // the program ends: nobody is left to be told
}

func (c *counts) write(ctx context.Context, due func(*count) bool) error {
	c.mu.Lock()
	var ready []*count
	for key, k := range c.seen {
		if due(k) {
			delete(c.seen, key)
			if k.times > 0 {
				ready = append(ready, k)
			}
		}
	}
	c.mu.Unlock()
	slices.SortFunc(ready, func(a, b *count) int { return a.last.Time.Compare(b.last.Time) })
	for _, k := range ready {
		k.last.AddAttrs(slog.Int("repeated", k.times))
		if err := k.out.Handle(ctx, k.last); err != nil {
			return err
		}
	}
	return nil
}
