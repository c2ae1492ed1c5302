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

	acked  hallsync.Seq // the cloud has everything up to here
	sent   hallsync.Seq // handed to the broker on this connection
	window hallsync.Seq
	resend time.Duration
	pause  time.Time  // the cloud asked for quiet until then
	oldest mqtt.Token // first publish without a PUBACK
	since  time.Time  // when oldest was published
}

// greet says hello and waits for the cloud's cursor, which may lie behind ours if the cloud lost its database.
func (s *sender) greet(ctx context.Context) error {
	first, err := s.u.opts.Store.First()
	if err != nil {
		return err
	}
	asked := time.Now()
	hello := hallsync.Hello{
		Hall: s.u.opts.Hall, Epoch: s.u.opts.Store.Epoch(), First: first, Next: s.u.opts.Store.Next(), Boot: s.u.boot,
		Version: s.u.opts.Version, ClockMS: asked.UnixMilli(), Revision: s.u.opts.Revision,
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
			if a.Epoch != hello.Epoch {
				continue // late answer to an earlier life
			}
			s.u.clock(hello.ClockMS, a.ServerMS, time.Now())
			s.window, s.resend = windowMin, s.u.opts.Patience
			return s.begin(ctx, a, first)
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
func (s *sender) begin(ctx context.Context, a hallsync.Ack, first hallsync.Seq) error {
	if a.EpochStale {
		s.u.update(func(st *Status) { st.Stale = true })
		return errors.New("uplink: the cloud knows this log further than it is here")
	}
	before := s.u.Status().Acked
	have := min(a.UpTo, before)
	if have < before {
		s.u.opts.Log.Warn("cloud is behind, sending again", "cloud", have, "acked", before, "first_held", first)
	}
	s.sent = max(have, first-1)
	return s.move(ctx, have)
}

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
	s.u.update(func(st *Status) { st.Acked, st.Stale = to, false })
	return nil
}

// run sends until the connection or ctx ends.
func (s *sender) run(ctx context.Context) error {
	dirty, cancel := s.u.opts.Dirty()
	defer cancel()
	report := time.NewTimer(0)
	defer report.Stop()
	quiet := time.NewTimer(s.resend) // no ack for this long: send again
	defer quiet.Stop()
	tick := time.NewTicker(time.Second)
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
			quiet.Reset(s.resend)
		case r := <-s.c.times:
			s.u.clock(r.AskedMS, r.ServerMS, time.Now())
		case <-quiet.C:
			s.again()
			quiet.Reset(s.resend)
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
		case err := <-s.c.lost:
			return fmt.Errorf("uplink: connection lost: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// onAck handles the cloud's word on what it has.
func (s *sender) onAck(ctx context.Context, a hallsync.Ack) error {
	if a.Epoch != s.u.opts.Store.Epoch() {
		return nil
	}
	if a.EpochStale {
		s.u.update(func(st *Status) { st.Stale = true })
		return errors.New("uplink: the cloud knows this log further than it is here")
	}
	if a.PauseMS > 0 {
		s.pause = time.Now().Add(time.Duration(min(a.PauseMS, 60_000)) * time.Millisecond)
	}
	s.u.update(func(st *Status) { st.Rejected += uint64(len(a.Rejected)) })
	for _, r := range a.Rejected {
		s.u.opts.Log.Error("fact rejected by the cloud", "seq", r.Seq, "code", r.Code)
	}
	if a.UpTo > s.acked && a.UpTo < s.u.opts.Store.Next() {
		if err := s.move(ctx, a.UpTo); err != nil {
			return err
		}
		s.sent = max(s.sent, s.acked)
		s.window, s.resend = min(windowMax, s.window+windowMin/4), s.u.opts.Patience
	}
	if a.Want != nil && a.Want.From > s.acked && a.Want.From <= s.sent {
		s.sent = a.Want.From - 1
	}
	return nil
}

// again goes back to the first fact without an ack, with a smaller window and more patience.
func (s *sender) again() {
	if s.sent == s.acked {
		return
	}
	s.u.opts.Log.Info("no ack, sending again", "from", s.acked+1, "to", s.sent)
	s.sent = s.acked
	s.window = max(windowMin, s.window/2)
	s.resend = min(patienceMax*s.u.opts.Patience, s.resend*3/2)
}

// fill sends batches while the window is open.
func (s *sender) fill() error {
	last := s.u.opts.Store.Next() - 1
	for s.sent < last && s.sent-s.acked < s.window && !time.Now().Before(s.pause) {
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
