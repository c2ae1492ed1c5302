// Package hall gives the use cases of a hall: a command goes in, the rules decide, one transaction stores the facts and the
// answer, and a dirty signal goes out. Nothing is shown, printed, spoken or sent that did not pass through here.
package hall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// Hall is a running hall. All methods are safe for concurrent use.
//
// It keeps the state twice: ahead belongs to the store's writer and already has the facts of the commit under way; state is
// what the disk has, and the only one that anybody else sees.
type Hall struct {
	store *store.Store
	plan  *queue.Plan
	log   *slog.Logger
	clock Clock

	// The writer's goroutine only.
	ahead *queue.State
	seen  seen          // the clock when it was looked at last
	kept  seen          // the same, with all its steps on disk
	due   queue.Command // what must be done about the clock
	told  int           // thousands of today's numbers that were begun in other logs, until the day goes on behind them

	mu       sync.RWMutex
	state    *queue.State
	seq      hallsync.Seq // last fact in state
	watchers map[chan struct{}]struct{}

	waits waits
}

// New loads the hall's state from the store.
func New(st *store.Store, plan *queue.Plan, log *slog.Logger, clock Clock) (*Hall, error) {
	h := &Hall{
		store: st, plan: plan, log: log, clock: clock,
		state: queue.New(plan), watchers: map[chan struct{}]struct{}{},
	}
	err := st.Load(
		func(snapshot []byte) (err error) {
			h.state, err = queue.Restore(plan, snapshot)
			return err
		},
		func(e hallsync.Event, p hallsync.Payload) error {
			h.state.Apply(p, e.At)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("load hall: %w", err)
	}
	h.seq = st.Next() - 1
	if h.ahead, err = clone(plan, h.state); err != nil {
		return nil, err
	}
	st.Watch(h)
	return h, nil
}

func clone(plan *queue.Plan, s *queue.State) (*queue.State, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("copy state: %w", err)
	}
	return queue.Restore(plan, raw)
}

// Committed implements store.Committed: the facts are on disk and may be seen.
func (h *Hall) Committed(facts []store.Fact) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range facts {
		h.state.Apply(f.Value, f.At)
	}
	h.seq = h.store.Next() - 1
	if h.state.NumbersPassed() >= h.told && !h.state.ClockDead() && !h.state.DayOver(h.at(h.state)) { // or else it was another day
		h.told = 0
	}
	if h.due == nil { // or else a step that was seen is not on disk yet
		h.kept = h.seen
	}
	for w := range h.watchers {
		select {
		case w <- struct{}{}:
		default: // it is dirty already
		}
	}
}

// Refit gives a hall another plan before it runs; Replan does while it does.
func (h *Hall) Refit(plan *queue.Plan) {
	h.ahead.Refit(plan)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plan = plan
	h.state.Refit(plan)
	h.waits.forget()
}

// Replan makes the hall go on by another plan, from the next command on, and brings it in line with that.
func (h *Hall) Replan(ctx context.Context, plan *queue.Plan) error {
	err := h.store.Update(ctx, func(*store.Tx) error { // on the writer's goroutine, which the state ahead belongs to
		h.Refit(plan)
		return nil
	})
	if err != nil {
		return err
	}
	_, err = h.Do(ctx, queue.FitPlan{})
	return err
}

// RolledBack implements store.Committed: the writer's state forgets what did not reach the disk.
func (h *Hall) RolledBack() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	ahead, err := clone(h.plan, h.state)
	if err != nil { // a state that was read from JSON can be written as JSON
		h.log.Error("state not rolled back", "error", err)
		return
	}
	h.ahead, h.seen, h.due = ahead, h.kept, nil
}

// Read lets f look at the committed state and the sequence of its last fact. f must be quick and keep nothing.
func (h *Hall) Read(f func(s *queue.State, seq hallsync.Seq)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	f(h.state, h.seq)
}

// Look is Read at the hall's time, with the forecast of waits.
func (h *Hall) Look(f func(m queue.Moment)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	now := h.at(h.state)
	f(queue.Moment{State: h.state, Seq: h.seq, Now: now, Waits: func() *queue.Forecast { return h.waits.at(h.state, h.seq, now) }})
}

// Now is the hall's time.
func (h *Hall) Now() time.Time {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.at(h.state)
}

// waitsAge is how long a forecast is good enough while nothing happens.
const waitsAge = 10 * time.Second

// waits keeps the latest forecast, because many pages ask for it at the same change.
type waits struct {
	mu   sync.Mutex
	seq  hallsync.Seq
	now  time.Time
	last *queue.Forecast
}

func (w *waits) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = nil
}

func (w *waits) at(s *queue.State, seq hallsync.Seq, now time.Time) *queue.Forecast {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil || w.seq != seq || now.Sub(w.now).Abs() > waitsAge {
		w.seq, w.now, w.last = seq, now, s.Forecast(now)
	}
	return w.last
}

// Trouble is why the last commit failed, nil if it did not.
func (h *Hall) Trouble() error { return h.store.Trouble() }

// Watch gives a channel that gets a value after changes. Several changes may come as one value: read the state again. cancel
// ends it.
func (h *Hall) Watch() (dirty <-chan struct{}, cancel func()) {
	w := make(chan struct{}, 1)
	h.mu.Lock()
	h.watchers[w] = struct{}{}
	h.mu.Unlock()
	return w, func() {
		h.mu.Lock()
		delete(h.watchers, w)
		h.mu.Unlock()
	}
}

// Run brings the hall in line with its plan, turns the business day when it is over, even if nobody comes, and does what has become
// due. It returns when ctx ends.
func (h *Hall) Run(ctx context.Context) error {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	var began time.Time
	h.Look(func(m queue.Moment) { began = m.Now })
	for fits := false; ; {
		var err error
		if !fits {
			_, err = h.Do(ctx, queue.FitPlan{})
			fits = err == nil
		}
		for _, due := range []queue.Command{queue.Return{}, queue.MissBookings{Since: began}, queue.EndDay{}} {
			if err == nil {
				_, err = h.Do(ctx, due)
			}
		}
		if err != nil && ctx.Err() == nil {
			h.log.Error("business day or plan not brought in line", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Result is what a command came to, as the writer sees it. State must only be read, and only inside Render.
type Result struct {
	State   *queue.State
	Facts   []hallsync.Payload
	Refusal *queue.Refusal // nil if the command was taken
	At      time.Time
}

// Moment gives the state as the answer may show it. What somebody was told about the wait when taking a number is not reckoned again.
func (r *Result) Moment() queue.Moment {
	return queue.Moment{State: r.State, Now: r.At, Waits: sync.OnceValue(func() *queue.Forecast {
		for _, f := range r.Facts {
			if t, ok := f.(hallsync.TicketTaken); ok {
				return &queue.Forecast{Tickets: map[hallsync.TicketID]*hallsync.WaitRange{t.Ticket: t.Wait}}
			}
		}
		return r.State.Forecast(r.At)
	})}
}

// Do runs a command. It returns the facts it led to, or a *queue.Refusal, or a *store.Error.
func (h *Hall) Do(ctx context.Context, c queue.Command) (facts []hallsync.Payload, err error) {
	err = h.update(ctx, func(tx *store.Tx, now time.Time) error {
		res, err := h.decide(tx, c, now)
		if err == nil && res.Refusal != nil {
			err = res.Refusal
		}
		facts = res.Facts
		return err
	})
	return facts, err
}

// Request is a command that must have one effect and one answer however often it is sent.
type Request struct {
	Key     store.AnswerKey
	Asked   string                                 // digest of the body
	Command func() (queue.Command, error)          // asked for once, never on a repetition
	Render  func(Result) (status int, body []byte) // makes the answer, inside the transaction
}

// ErrKeyReused says that the key was used before with another body.
var ErrKeyReused = errors.New("idempotency key was used with another body")

// Answer runs a request once. A repetition gets the first answer, byte for byte, with replayed true, also after a crash:
// answer and facts are one commit. Refusals are remembered like other answers; errors of Command and of the store are not.
// Requests with the same key wait for each other.
func (h *Hall) Answer(ctx context.Context, r Request) (a store.Answer, replayed bool, err error) {
	err = h.update(ctx, func(tx *store.Tx, now time.Time) error {
		if first, ok := tx.Answer(r.Key); ok {
			if first.Asked != r.Asked {
				return ErrKeyReused
			}
			a, replayed = first, true
			return nil
		}
		c, err := r.Command()
		if err != nil {
			return err
		}
		res, err := h.decide(tx, c, now)
		if err != nil {
			return err
		}
		a = store.Answer{Asked: r.Asked}
		a.Status, a.Body = h.render(r, res)
		tx.PutAnswer(r.Key, a)
		return nil
	})
	return a, replayed, err
}
