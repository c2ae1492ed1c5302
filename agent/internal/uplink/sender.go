package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Flow of facts.
const (
	windowMin   = hallsync.MaxBatchEvents
	windowMax   = 4 * hallsync.MaxBatchEvents
	helloWait   = 10 * time.Second
	patienceMax = 6 // times Options.Patience, after repeated silence
	reportEvery = 15 * time.Second
	reportQuiet = time.Second // changes within this are one report
)

// sender moves the log over one connection.
type sender struct {
	u *Uplink
	c *conn

	epoch  string
	first  hallsync.Seq // oldest fact held when the connection began
	logs   int          // thousands of numbers begun today that the cloud knows
	acked  hallsync.Seq // the cloud has everything up to here
	sent   hallsync.Seq // handed to the broker on this connection
	window hallsync.Seq
	resend time.Duration
	heard  time.Time  // of the last ack, or when sending began after a silence
	pause  time.Time  // the cloud asked for quiet until then
	oldest mqtt.Token // first publish without a PUBACK
	since  time.Time  // when oldest was published
}

// greet says hello and waits for the cloud's cursor, which may lie behind ours if the cloud lost its database.
func (s *sender) greet(ctx context.Context) error {
	s.epoch = s.u.opts.Store.Epoch()
	var err error
	if s.first, err = s.u.opts.Store.First(); err != nil {
		return err
	}
	asked := time.Now()
	hello := hallsync.Hello{
		Hall: s.u.opts.Hall, Epoch: s.epoch, First: s.first, Next: s.u.opts.Store.Next(), Boot: s.u.boot,
		Version: s.u.opts.Version, ClockMS: asked.UnixMilli(), Revision: s.u.opts.Revision(),
	}
	if s.u.opts.Keys != nil {
		if hello.Keys, err = s.u.opts.Keys(); err != nil {
			return fmt.Errorf("uplink: keys for the centre: %w", err)
		}
	}
	if s.u.opts.Index != nil {
		if hello.Index, err = s.u.opts.Index(); err != nil {
			return fmt.Errorf("uplink: index key for the centre: %w", err)
		}
	}
	tok, err := s.c.publish(hallsync.UpHello, 1, false, hello)
	if err != nil {
		return err
	}
	if err := s.c.wait(ctx, "hello", tok, publishTimeout); err != nil {
		return err
	}
	t := time.NewTimer(helloWait)
	defer t.Stop()
	for {
		select {
		case a := <-s.c.acks:
			if a.Epoch != s.epoch {
				continue // late answer to an earlier life
			}
			s.u.clock(hello.ClockMS, a.ServerMS, time.Now())
			s.window, s.resend, s.logs = windowMin, s.u.opts.Patience, hallsync.BeforeOf(max(0, a.Logs))
			if err := s.begin(ctx, a); err != nil {
				return err
			}
			return s.receipt(ctx, a)
		case err := <-s.c.lost:
			return fmt.Errorf("uplink: waiting for the cloud's cursor: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			return errors.New("uplink: the cloud did not answer the hello")
		}
	}
}

// begin finds where to go on: behind what both sides know of. A cloud that lost its database has less than this log knows of. A
// cloud that has more may have it from this log before the box was set back to an older copy: everything behind our own cursor
// is sent again, and the cloud tells by its bytes whether it is the same.
func (s *sender) begin(ctx context.Context, a hallsync.Ack) error {
	if s.stale(a) {
		return &staleError{s.logs}
	}
	if err := s.pass(ctx, a); err != nil {
		return err
	}
	before := s.u.Status().Acked
	have := min(a.UpTo, before)
	if have < before {
		s.u.opts.Log.Warn("cloud is behind, sending again", "cloud", have, "acked", before, "first_held", s.first)
	}
	if err := s.move(ctx, have); err != nil {
		return err
	}
	s.sent = s.base()
	return nil
}

// pass has the hall go on behind the numbers that the cloud knows of when it knows nothing of this log: a disk was replaced, say, and the box is
// who it was. What cannot be stored now keeps nobody from being told.
func (s *sender) pass(ctx context.Context, a hallsync.Ack) error {
	if a.UpTo > 0 || s.logs == 0 || s.u.opts.Pass == nil {
		return nil
	}
	if err := s.u.opts.Pass(ctx, s.logs); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.u.opts.Log.Error("numbers of other logs not passed over", "thousands", s.logs, "error", err)
	}
	return nil
}

// stale reports whether the cloud has facts of this epoch that are not here: the database is an old copy of itself. Going on
// would give used numbers to new facts, which the cloud would take for old ones.
func (s *sender) stale(a hallsync.Ack) bool { return a.EpochStale || a.UpTo >= s.u.opts.Store.Next() }

// base is where sending begins: behind what the cloud has, and behind what is not held any more, which the cloud knows from the
// hello and gives up.
func (s *sender) base() hallsync.Seq { return max(s.acked, s.first-1) }

// move stores the cloud's cursor; it rides in the next commit of the hall if there is one.
func (s *sender) move(ctx context.Context, to hallsync.Seq) error {
	s.acked = to
	err := s.u.opts.Store.Update(ctx, func(tx *store.Tx) error {
		tx.SetCursor(CursorName, to)
		return nil
	})
	var full *store.Error
	if err != nil && !(errors.As(err, &full) && full.Code == store.Full) {
		return fmt.Errorf("uplink: move cursor: %w", err)
	}
	// On a full disk the cursor stays behind, which only costs sending again.
	s.u.update(func(st *Status) { st.Acked = to })
	return nil
}

// run sends until the connection or ctx ends.
func (s *sender) run(ctx context.Context) error {
	dirty, cancel := s.u.opts.Dirty()
	defer cancel()
	report := time.NewTimer(0)
	defer report.Stop()
	tick := time.NewTicker(min(time.Second, s.u.opts.Patience/2))
	defer tick.Stop()
	reported := time.Time{}
	for {
		if err := s.fill(); err != nil {
			return err
		}
		select {
		case <-dirty:
			if wait := reportQuiet - time.Since(reported); wait > 0 {
				report.Reset(wait)
			} else {
				report.Reset(0)
			}
		case a := <-s.c.acks:
			if err := s.onAck(ctx, a); err != nil {
				return err
			}
		case w := <-s.c.words:
			s.u.pass(ctx, w)
		case r := <-s.c.times:
			s.u.clock(r.AskedMS, r.ServerMS, time.Now())
		case <-report.C:
			reported = time.Now()
			if err := s.publish(hallsync.UpState, true, s.u.report(true)); err != nil {
				return err
			}
			report.Reset(reportEvery)
		case <-tick.C:
			if err := s.watch(); err != nil {
				return err
			}
			if s.sent > s.base() && time.Since(s.heard) > s.resend {
				s.again()
			}
		case err := <-s.c.lost:
			return fmt.Errorf("uplink: connection lost: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// onAck handles the cloud's word on what it has.
func (s *sender) onAck(ctx context.Context, a hallsync.Ack) error {
	if a.Epoch != s.epoch {
		return nil
	}
	if s.stale(a) {
		return &staleError{s.logs}
	}
	if a.Want != nil && a.Want.From <= s.acked {
		return errors.New("uplink: the cloud lost facts it had acknowledged") // the next hello tells where it stands
	}
	if err := s.receipt(ctx, a); err != nil {
		return err
	}
	s.heard = time.Now()
	if a.PauseMS > 0 {
		s.pause = time.Now().Add(time.Duration(min(a.PauseMS, 60_000)) * time.Millisecond)
	}
	s.u.update(func(st *Status) { st.Rejected += uint64(len(a.Rejected)) })
	for _, r := range a.Rejected {
		s.u.opts.Log.Error("fact rejected by the cloud", "seq", r.Seq, "code", r.Code)
	}
	if a.UpTo > s.acked {
		if err := s.move(ctx, a.UpTo); err != nil {
			return err
		}
		s.sent = max(s.sent, s.acked)
		s.window, s.resend = min(windowMax, s.window+windowMin/4), s.u.opts.Patience
	}
	if a.Want != nil && a.Want.From <= s.sent {
		s.sent = max(a.Want.From-1, s.base())
	}
	return nil
}

// receipt hands the centre's receipt to who keeps it. One that is not good is kept by nobody, and the facts are delivered all the same.
func (s *sender) receipt(ctx context.Context, a hallsync.Ack) error {
	if len(a.Receipt) == 0 || s.u.opts.Receipt == nil {
		return nil
	}
	if err := s.u.opts.Receipt(ctx, a.Receipt); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.u.opts.Log.Error("receipt of the centre not kept", "epoch", a.Epoch, "upto", a.UpTo, "error", err)
	}
	return nil
}

// again goes back to the first fact without an ack, with a smaller window and more patience.
func (s *sender) again() {
	s.u.opts.Log.Info("no ack, sending again", "from", s.base()+1, "to", s.sent)
	s.sent, s.heard = s.base(), time.Now()
	s.window = max(windowMin, s.window/2)
	s.resend = min(patienceMax*s.u.opts.Patience, s.resend*3/2)
}

// fill sends batches while the window is open.
func (s *sender) fill() error {
	last := s.u.opts.Store.Next() - 1
	for s.sent < last && s.sent-s.base() < s.window && !time.Now().Before(s.pause) {
		raws, err := s.u.opts.Store.Read(s.sent, hallsync.MaxBatchEvents, hallsync.MaxBatchBytes)
		if err != nil {
			return err
		}
		if len(raws) == 0 {
			return nil
		}
		b := hallsync.Batch{Events: make([]json.RawMessage, len(raws))}
		for i, raw := range raws {
			b.Events[i] = raw
		}
		var end struct {
			Seq hallsync.Seq `json:"seq"`
		}
		if err := json.Unmarshal(raws[len(raws)-1], &end); err != nil {
			return fmt.Errorf("uplink: read own fact: %w", err)
		}
		if s.sent == s.base() {
			s.heard = time.Now() // nothing was owed until now
		}
		if err := s.publish(hallsync.UpEvents, false, b); err != nil {
			return err
		}
		s.sent = end.Seq
	}
	return nil
}

// publish sends with QoS 1 and remembers the oldest message the broker has not taken.
func (s *sender) publish(leaf string, retained bool, v any) error {
	tok, err := s.c.publish(leaf, 1, retained, v)
	if err != nil {
		return err
	}
	if s.oldest == nil {
		s.oldest, s.since = tok, time.Now()
	}
	return nil
}

// watch throws the connection away when the broker has taken nothing for too long.
func (s *sender) watch() error {
	if s.oldest == nil {
		return nil
	}
	select {
	case <-s.oldest.Done():
		err := s.oldest.Error()
		s.oldest = nil
		return err
	default:
	}
	if time.Since(s.since) > publishTimeout {
		return fmt.Errorf("uplink: no PUBACK for %s: %w", publishTimeout, errStuck)
	}
	return nil
}
