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
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/said"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

// advanceLimit bounds the facts projected in one transaction when a gap closes below many stored facts.
const advanceLimit = 512

// Ingester stores what halls send. It may be called by many goroutines.
type Ingester struct {
	store    *store.Store
	vault    *vault.Vault
	states   *states
	opener   *sealed.Opener
	signers  func(hallsync.HallID) []gm.PublicKey
	required bool
	now      func() time.Time
	changed  func(hallsync.HallID, Touched)
	forked   func(hallsync.HallID)
	log      *slog.Logger
	metrics  metrics
	owing    chan struct{} // a debt was made in this process
	unclean  atomic.Bool   // the journal of the database may keep what was erased

	paying sync.Mutex
	rested map[hallsync.HallID]time.Time // whose projections were made again of late, until when it is left alone
}

// Options are the parts an Ingester works with.
type Options struct {
	Store  *store.Store
	Vault  *vault.Vault
	Opener *sealed.Opener
	// Signers gives the keys that a hall signs the checkpoints of its chain with, now and before; nil, or none: they are not checked.
	Signers func(hallsync.HallID) []gm.PublicKey
	// Required refuses facts in the clear of halls that have not begun to seal theirs too. Who has begun never goes back.
	Required bool
	Now      func() time.Time               // nil: time.Now
	Changed  func(hallsync.HallID, Touched) // told after each commit that stored something of the hall; must not block
	Forked   func(hallsync.HallID)          // told when a hall has signed two chains, as two copies of one box do; nil: nobody is
	Metrics  prometheus.Registerer
	Log      *slog.Logger
}

// New makes an Ingester.
func New(o Options) *Ingester {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Signers == nil {
		o.Signers = func(hallsync.HallID) []gm.PublicKey { return nil }
	}
	return &Ingester{
		store: o.Store, vault: o.Vault, states: &states{vault: o.Vault}, opener: o.Opener, signers: o.Signers, required: o.Required,
		now: o.Now, changed: o.Changed, forked: o.Forked, log: o.Log, metrics: newMetrics(o.Metrics),
		owing: make(chan struct{}, 1), rested: map[hallsync.HallID]time.Time{},
	}
}

// outcome is what one transaction did.
type outcome struct {
	cursor     store.Cursor
	stale      bool
	want       *hallsync.Range
	rejected   []hallsync.Rejection
	added      int
	duplicates int
	afterGap   int          // facts below the cursor that were given up as gone, and came after all
	first      hallsync.Seq // the oldest fact that the hall still has, as its hello says; 0: it says nothing. What is missing before is gone
	gone       int64
	touched    Touched
	more       bool         // contiguous facts are left to project
	owing      bool         // the projections are to be made again
	erased     bool         // facts that were stored before, as the hall says
	vouched    *chain.Point // the last place that the hall has signed, and that was found good
	faults     []store.ChainFault
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
	keys, err := in.keysOf(b, now)
	if err != nil {
		return hallsync.Ack{}, err
	}
	var out outcome
	err = in.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = in.take(tx, b, keys, now)
		return err
	})
	if err != nil {
		return hallsync.Ack{}, in.refused(err)
	}
	in.count(b, &out)
	if in.forked != nil && slices.ContainsFunc(out.faults, func(f store.ChainFault) bool { return f.Kind == string(chain.Forked) }) {
		in.forked(hall)
	}
	return in.finish(ctx, hall, b.epoch, &out)
}

// refused counts the epochs that are not begun, and gives the error on.
func (in *Ingester) refused(err error) error {
	var never *BatchError
	if errors.As(err, &never) && never.Reason == EpochsTooMany {
		in.metrics.epochs.Inc()
	}
	return err
}

// finish projects what is left, tells the world, and writes the acknowledgement.
func (in *Ingester) finish(ctx context.Context, hall hallsync.HallID, epoch string, out *outcome) (hallsync.Ack, error) {
	defer func() {
		if out.erased { // also when what is left fails
			in.erased()
		}
	}()
	for out.more {
		err := in.store.Write(ctx, func(tx *store.Tx) error { return in.advance(tx, out, in.now()) })
		if err != nil {
			return hallsync.Ack{}, err
		}
	}
	in.changed(hall, out.touched)
	if out.owing {
		in.kick()
	}
	ack := hallsync.Ack{Hall: hall, Epoch: epoch, ServerMS: in.now().UnixMilli()}
	if out.stale {
		// UpTo stays 0: what this epoch calls its facts is no longer what is stored under their numbers.
		in.metrics.stale.Inc()
		in.log.Warn("hall told to open a new epoch", "hall", hall, "epoch", epoch)
		var err error
		ack.EpochStale = true
		ack.Logs, err = in.Logs(ctx, hall)
		return ack, err
	}
	ack.UpTo, ack.Want, ack.Rejected = out.cursor.Contiguous, out.want, out.rejected
	for _, f := range out.faults {
		in.metrics.faults.WithLabelValues(f.Kind).Inc()
		in.log.Error("chain of a hall is not good", "hall", hall, "epoch", f.Epoch, "seq", f.Seq, "fault", f.Kind)
	}
	if out.vouched != nil {
		receipt, err := in.vault.Receive(*out.vouched, in.now())
		if err != nil { // the hall goes on without
			in.log.Warn("no receipt signed", "hall", hall, "error", err)
			return ack, nil
		}
		ack.Receipt = receipt.Bytes()
	}
	return ack, nil
}

func (in *Ingester) count(b batch, out *outcome) {
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
func (in *Ingester) take(tx *store.Tx, b batch, keys map[hallsync.Seq]store.DataKey, now time.Time) (outcome, error) {
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
		case there && old.Hash != e.Hash && !isErasure(tx, e):
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
	return out, in.add(tx, &out, fresh, keys, now)
}

// isErasure reports whether a fact that came again in other bytes is what an erasure left of the stored one.
func isErasure(tx *store.Tx, e store.Event) bool {
	var again, first hallsync.Event
	if json.Unmarshal(e.Body, &again) != nil || again.Erased == nil {
		return false
	}
	old, found, err := tx.Event(e.Hall, store.FactRef{Epoch: e.Epoch, Seq: e.Seq})
	if err != nil || !found || json.Unmarshal(old.Body, &first) != nil || string(first.Clear()) != string(again.Clear()) {
		return false
	}
	if first.Erased != nil {
		return string(first.Erased.Hash) == string(again.Erased.Hash)
	}
	hash := gm.Sum(first.Body())
	return string(hash[:]) == string(again.Erased.Hash)
}

func (in *Ingester) add(tx *store.Tx, out *outcome, fresh []store.Event, keys map[hallsync.Seq]store.DataKey, now time.Time) error {
	for _, e := range fresh {
		if err := tx.AddEvent(e); err != nil {
			return err
		}
		if k, tells := keys[e.Seq]; tells {
			if err := tell(tx, out, e, k, now); err != nil {
				return err
			}
		}
		out.added++
		out.reject(e.Seq, e.Refused)
		if e.Refused != "" {
			out.cursor.Refused++
		}
		out.cursor.Highest = max(out.cursor.Highest, e.Seq)
		out.cursor.Received = now
	}
	return in.advance(tx, out, now)
}

func (out *outcome) reject(seq hallsync.Seq, code string) {
	if code != "" {
		out.rejected = append(out.rejected, hallsync.Rejection{Seq: seq, Code: code})
	}
}

// enter finds the cursor of an epoch, or begins one: an epoch not seen before replaces all others of its hall. stale says that
// the epoch may not go on.
func enter(tx *store.Tx, hall hallsync.HallID, epoch string, now time.Time) (c store.Cursor, stale bool, err error) {
	newest, err := tx.NewestEpoch(hall)
	if err != nil {
		return c, false, err
	}
	c, known, err := tx.Cursor(hall, epoch)
	if err != nil || known {
		return c, c.Stale || c.Ordinal < newest, err
	}
	spent, err := tx.EpochsSpent(hall, newest, now)
	if err != nil {
		return c, false, err
	}
	if spent {
		return c, false, &BatchError{Hall: hall, Reason: EpochsTooMany}
	}
	c = store.Cursor{Hall: hall, Epoch: epoch, Ordinal: newest + 1, Created: now}
	return c, false, tx.PutCursor(c)
}

// advance moves the cursor over the facts that follow it without a hole, goes along their chain, projects each, and stores the cursor.
func (in *Ingester) advance(tx *store.Tx, out *outcome, now time.Time) error {
	out.more, out.want = false, nil
	if out.cursor.Contiguous < out.cursor.Highest {
		if err := in.passFacts(tx, out, now); err != nil {
			return err
		}
	}
	if out.want == nil && !out.more {
		if err := out.giveUp(tx, math.MaxInt64, now); err != nil {
			return err
		}
	}
	return tx.PutCursor(out.cursor)
}

func (in *Ingester) passFacts(tx *store.Tx, out *outcome, now time.Time) error {
	c := &out.cursor
	events, err := tx.EventsAfter(c.Hall, c.Epoch, c.Contiguous, advanceLimit)
	if err != nil {
		return err
	}
	way, err := in.follow(tx, c, now)
	if err != nil {
		return err
	}
	keys := remember(tx.DataKey)
	for _, e := range events {
		if err := out.giveUp(tx, e.Seq-1, now); err != nil {
			return err
		}
		if e.Seq != c.Contiguous+1 {
			out.want = &hallsync.Range{From: c.Contiguous + 1, To: e.Seq - 1}
			break
		}
		var fact hallsync.Event
		readable := json.Unmarshal(e.Body, &fact) == nil
		if err := way.take(e, fact, readable); err != nil {
			return err
		}
		if readable { // or else it was stored as readable by another version of this program
			if err := in.bring(tx, out, e, fact, keys, now); err != nil {
				return err
			}
		}
		c.Contiguous = e.Seq
	}
	if way.vouched != nil {
		out.vouched = way.vouched
	}
	out.faults = append(out.faults, way.faults...)
	out.more = out.want == nil && c.Contiguous < c.Highest
	return way.put()
}

// remember is a source that is asked for the key of facts that lie together once. It is of use within one transaction alone.
func remember(from sealed.Source) sealed.Source {
	var last store.DataKey
	return func(hall hallsync.HallID, key string) (store.DataKey, bool, error) {
		if last.Hall == hall && last.Key == key && key != "" {
			return last, true, nil
		}
		k, found, err := from(hall, key)
		if err == nil && found {
			last = k
		}
		return k, found, err
	}
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
	return said.Bounded(h), nil
}

// Hello answers the first message of a connection with where the cloud stands. Facts the hall no longer has are recorded as
// gone, and the cursor passes them.
func (in *Ingester) Hello(ctx context.Context, h hallsync.Hello) (hallsync.Ack, error) {
	now := in.now()
	keys, err := in.keysOfHello(ctx, h, now)
	if err != nil {
		return hallsync.Ack{}, err
	}
	var out outcome
	err = in.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = in.greet(tx, h, keys, now)
		return err
	})
	if err != nil {
		return hallsync.Ack{}, in.refused(err)
	}
	ack, err := in.finish(ctx, h.Hall, h.Epoch, &out)
	if err == nil {
		ack.Logs, err = in.Logs(ctx, h.Hall)
	}
	if out.gone > 0 {
		in.log.Warn("hall no longer has facts that never came", "hall", h.Hall, "epoch", h.Epoch, "gone", out.gone)
	}
	return ack, err
}

// Logs counts the logs of a hall whose numbers may be on slips: a box whose log is lost gives out none of them. They are those heard from since
// its last business day began, and within a day in any case. A box that was set back without us has passed the numbers of a log that never
// came: then its day says that more thousands were begun than logs are known.
func (in *Ingester) Logs(ctx context.Context, hall hallsync.HallID) (count int, err error) {
	day, err := in.store.Day(ctx, hall)
	if err != nil {
		return 0, err
	}
	since := in.now().Add(-24 * time.Hour)
	if date, err := time.Parse(time.DateOnly, day.BusinessDay); err == nil {
		if begun := date.Add(-14 * time.Hour); begun.Before(since) { // where that day begins first
			since = begun
		}
	}
	count, err = in.store.HeardEpochs(ctx, hall, since)
	return max(count, day.Thousands), err
}

func (in *Ingester) greet(tx *store.Tx, h hallsync.Hello, keys []store.DataKey, now time.Time) (outcome, error) {
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
	for _, k := range keys {
		if err := learn(tx, &out, k, now); err != nil {
			return out, err
		}
	}
	skew := time.UnixMilli(h.ClockMS).Sub(now)
	c.Skew = &skew
	out.first = h.First
	if err := in.advance(tx, &out, now); err != nil {
		return out, err
	}
	return out, out.lastVouched(tx)
}

// lastVouched gives a hall that comes back the receipt again that it may have lost.
func (out *outcome) lastVouched(tx *store.Tx) error {
	g, found, err := tx.LastSegment(out.cursor.Hall, out.cursor.Epoch)
	if err != nil || !found || len(g.Vouched) == 0 {
		return err
	}
	c, err := chain.ParseCheckpoint(g.Vouched)
	out.vouched = &c.Point
	return err
}

// giveUp records what is missing behind the cursor as gone, up to a place, as far as the hall no longer has it. Nothing there is stored.
func (out *outcome) giveUp(tx *store.Tx, to hallsync.Seq, now time.Time) error {
	c := &out.cursor
	if out.first == 0 || min(to, out.first-1) <= c.Contiguous {
		return nil
	}
	missing := hallsync.Range{From: c.Contiguous + 1, To: min(to, out.first-1)}
	if err := tx.AddGap(store.Gap{Hall: c.Hall, Epoch: c.Epoch, Range: missing, At: now}); err != nil {
		return err
	}
	count := int64(missing.To - missing.From + 1)
	out.gone, c.Gone, c.Contiguous = out.gone+count, c.Gone+count, missing.To
	return nil
}
