// Package ingest takes the facts of the halls: it stores each once, moves the hall's cursor over what is contiguous, brings that
// into the projections in the same transaction, and says in the acknowledgement what the hall may forget.
//
// The rules, in the words of hallsync: (hall, epoch, seq) identifies a fact for ever. A fact above a gap is stored at once and
// projected when the gap is filled. The same key with other bytes, a hello that would give out a used number again, and facts of
// an epoch that a newer one has replaced all mean that the hall's database went back in time: nothing of it is stored and the
// hall is told to open a new epoch. An acknowledgement exists only after the commit.
package ingest

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

// advanceLimit bounds the facts projected in one transaction when a gap closes below many stored facts.
const advanceLimit = 512

// Ingester stores what halls send. It may be called by many goroutines.
type Ingester struct {
	store   *store.Store
	now     func() time.Time
	changed func(hallsync.HallID, Touched)
	log     *slog.Logger
	metrics metrics
}

// Options are the parts an Ingester works with.
type Options struct {
	Store   *store.Store
	Now     func() time.Time               // nil: time.Now
	Changed func(hallsync.HallID, Touched) // told after each commit that stored something of the hall; must not block
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// New makes an Ingester.
func New(o Options) *Ingester {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Ingester{store: o.Store, now: o.Now, changed: o.Changed, log: o.Log, metrics: newMetrics(o.Metrics)}
}

// outcome is what one transaction did.
type outcome struct {
	cursor     store.Cursor
	stale      bool
	want       *hallsync.Range
	rejected   []hallsync.Rejection
	added      int
	duplicates int
	afterGap   int // facts below the cursor that were given up as gone, and came after all
	gone       int64
	touched    Touched
	more       bool // contiguous facts are left to project
}

// Ingest takes the body of one message on up/events. It returns after the commit, with the acknowledgement to send. It fails
// with *BatchError for a message that can never be taken, and with other errors when the database did not take it.
func (in *Ingester) Ingest(ctx context.Context, hall hallsync.HallID, payload []byte) (hallsync.Ack, error) {
	now := in.now()
	b, err := parseBatch(hall, payload, now)
	if err != nil {
		in.metrics.facts.WithLabelValues("malformed_batch").Inc()
		return hallsync.Ack{}, err
	}
	var out outcome
	err = in.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = take(tx, b, now)
		return err
	})
	if err != nil {
		return hallsync.Ack{}, err
	}
	in.count(b, out)
	return in.finish(ctx, hall, b.epoch, out)
}

// finish projects what is left, tells the world, and writes the acknowledgement.
func (in *Ingester) finish(ctx context.Context, hall hallsync.HallID, epoch string, out outcome) (hallsync.Ack, error) {
	for out.more {
		err := in.store.Write(ctx, func(tx *store.Tx) error { return advance(tx, &out) })
		if err != nil {
			return hallsync.Ack{}, err
		}
	}
	in.changed(hall, out.touched)
	ack := hallsync.Ack{Hall: hall, Epoch: epoch, ServerMS: in.now().UnixMilli()}
	if out.stale {
		// UpTo stays 0: what this epoch calls its facts is no longer what is stored under their numbers.
		in.metrics.stale.Inc()
		in.log.Warn("hall told to open a new epoch", "hall", hall, "epoch", epoch)
		ack.EpochStale = true
		return ack, nil
	}
	ack.UpTo, ack.Want, ack.Rejected = out.cursor.Contiguous, out.want, out.rejected
	return ack, nil
}

func (in *Ingester) count(b batch, out outcome) {
	in.metrics.facts.WithLabelValues("stored").Add(float64(out.added))
	in.metrics.facts.WithLabelValues("duplicate").Add(float64(out.duplicates))
	in.metrics.facts.WithLabelValues("unnamed").Add(float64(b.unnamed))
	in.metrics.facts.WithLabelValues("after_gap").Add(float64(out.afterGap))
	if b.unnamed > 0 {
		in.log.Warn("facts without epoch or sequence ignored", "hall", b.hall, "count", b.unnamed)
	}
	if n := len(out.rejected); n > 0 { // which ones, the log of facts tells
		in.metrics.facts.WithLabelValues("refused").Add(float64(n))
		first := out.rejected[0]
		in.log.Warn("facts refused", "hall", b.hall, "epoch", b.epoch, "count", n, "first", first.Seq, "code", first.Code)
	}
}

// take stores the new facts of a batch, or marks the epoch stale and stores nothing.
func take(tx *store.Tx, b batch, now time.Time) (outcome, error) {
	var out outcome
	var err error
	if out.cursor, out.stale, err = enter(tx, b.hall, b.epoch, now); err != nil || out.stale {
		return out, err
	}
	seen := map[hallsync.Seq]store.Hash{}
	var fresh []store.Event
	for _, e := range b.facts {
		old, there, err := tx.Stored(b.hall, b.epoch, e.Seq)
		if err != nil {
			return out, err
		}
		if twin, twice := seen[e.Seq]; twice {
			old, there = store.Stored{Hash: twin}, true
		}
		switch {
		case there && old.Hash != e.Hash:
			out = outcome{cursor: out.cursor, stale: true}
			out.cursor.Stale = true
			return out, tx.PutCursor(out.cursor)
		case there:
			out.duplicates++
			out.reject(e.Seq, old.Refused)
		case e.Seq <= out.cursor.Contiguous:
			out.afterGap++
		default:
			seen[e.Seq] = e.Hash
			fresh = append(fresh, e)
		}
	}
	return out, add(tx, &out, fresh, now)
}

func add(tx *store.Tx, out *outcome, fresh []store.Event, now time.Time) error {
	for _, e := range fresh {
		if err := tx.AddEvent(e); err != nil {
			return err
		}
		out.added++
		out.reject(e.Seq, e.Refused)
		if e.Refused != "" {
			out.cursor.Refused++
		}
		out.cursor.Highest = max(out.cursor.Highest, e.Seq)
		out.cursor.Received = now
	}
	return advance(tx, out)
}

func (out *outcome) reject(seq hallsync.Seq, code string) {
	if code != "" {
		out.rejected = append(out.rejected, hallsync.Rejection{Seq: seq, Code: code})
	}
}

// enter finds the cursor of an epoch, or begins one: an epoch not seen before replaces all others of its hall. stale says that
// the epoch may not go on.
func enter(tx *store.Tx, hall hallsync.HallID, epoch string, now time.Time) (c store.Cursor, stale bool, err error) {
	known, err := tx.Cursors(hall)
	if err != nil {
		return c, false, err
	}
	newest := int64(0)
	for _, k := range known {
		newest = max(newest, k.Ordinal)
		if k.Epoch == epoch {
			c = k
		}
	}
	if c.Ordinal == 0 {
		c = store.Cursor{Hall: hall, Epoch: epoch, Ordinal: newest + 1, Created: now}
		return c, false, tx.PutCursor(c)
	}
	return c, c.Stale || c.Ordinal < newest, nil
}

// advance moves the cursor over the facts that follow it without a hole, projects each, and stores the cursor.
func advance(tx *store.Tx, out *outcome) error {
	c := &out.cursor
	out.more, out.want = false, nil
	if c.Contiguous < c.Highest {
		events, err := tx.EventsAfter(c.Hall, c.Epoch, c.Contiguous, advanceLimit)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Seq != c.Contiguous+1 {
				out.want = &hallsync.Range{From: c.Contiguous + 1, To: e.Seq - 1}
				return tx.PutCursor(*c)
			}
			touched, err := fold(tx, e)
			if err != nil {
				return err
			}
			out.touched |= touched
			c.Contiguous = e.Seq
		}
		out.more = c.Contiguous < c.Highest
	}
	return tx.PutCursor(*c)
}

// ParseHello reads the body of up/hello.
func ParseHello(hall hallsync.HallID, payload []byte) (hallsync.Hello, error) {
	var h hallsync.Hello
	if err := json.Unmarshal(payload, &h); err != nil {
		return h, unreadable(hall, err)
	}
	next := position{h.Epoch, h.Next}
	if h.Hall != hall || !next.valid() || h.First == 0 || h.First > h.Next {
		return h, &BatchError{Hall: hall, Reason: "hello: hall, epoch, first or next is wrong"}
	}
	return h, nil
}

// Hello answers the first message of a connection with where the cloud stands. Facts the hall no longer has are recorded as
// gone, and the cursor passes them.
func (in *Ingester) Hello(ctx context.Context, h hallsync.Hello) (hallsync.Ack, error) {
	now := in.now()
	var out outcome
	err := in.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = greet(tx, h, now)
		return err
	})
	if err != nil {
		return hallsync.Ack{}, err
	}
	if out.gone > 0 {
		in.log.Warn("hall no longer has facts that never came", "hall", h.Hall, "epoch", h.Epoch, "gone", out.gone)
	}
	return in.finish(ctx, h.Hall, h.Epoch, out)
}

func greet(tx *store.Tx, h hallsync.Hello, now time.Time) (outcome, error) {
	var out outcome
	var err error
	if out.cursor, out.stale, err = enter(tx, h.Hall, h.Epoch, now); err != nil || out.stale {
		return out, err
	}
	c := &out.cursor
	if c.Highest >= h.Next || c.Contiguous >= h.Next {
		out.stale, c.Stale = true, true
		return out, tx.PutCursor(*c)
	}
	skew := time.UnixMilli(h.ClockMS).Sub(now)
	c.Skew = &skew
	if h.First > c.Contiguous+1 {
		if err := giveUp(tx, &out, h.First, now); err != nil {
			return out, err
		}
	}
	return out, advance(tx, &out)
}

// giveUp records the facts between the cursor and first as gone, except those that are stored, and projects the latter.
func giveUp(tx *store.Tx, out *outcome, first hallsync.Seq, now time.Time) error {
	c := &out.cursor
	for c.Contiguous+1 < first {
		if err := advance(tx, out); err != nil {
			return err
		}
		if out.more || c.Contiguous+1 >= first {
			continue
		}
		missing := hallsync.Range{From: c.Contiguous + 1, To: first - 1}
		if out.want != nil {
			missing.To = min(missing.To, out.want.To)
		}
		if err := tx.AddGap(store.Gap{Hall: c.Hall, Epoch: c.Epoch, Range: missing, At: now}); err != nil {
			return err
		}
		count := int64(missing.To - missing.From + 1)
		out.gone, c.Gone, c.Contiguous = out.gone+count, c.Gone+count, missing.To
	}
	return nil
}
