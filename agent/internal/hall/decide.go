package hall

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// errDayOver says that the business day must be turned before anything else may happen.
var errDayOver = errors.New("business day is over")

// errBehind says that numbers of today may be on slips that the log does not have: it came back from a backup, or they are of another one.
var errBehind = errors.New("log is behind")

// update runs do on the writer's goroutine, by a clock that was looked after, in a business day that is not over, and behind all numbers that
// were given here.
func (h *Hall) update(ctx context.Context, do func(tx *store.Tx, now time.Time) error) error {
	inDay := func(tx *store.Tx) error {
		if h.due == nil {
			h.due = h.moved()
		}
		if h.due != nil {
			return errClockMoved
		}
		now := h.time()
		if h.ahead.DayOver(now) {
			return errDayOver
		}
		if h.behind() && !h.ahead.ClockDead() { // while nobody knows the day, no numbers are given
			return errBehind
		}
		return do(tx, now)
	}
	err := h.store.Update(ctx, inDay)
	for tries := 0; tries < 5; tries++ { // the clock, the day, the numbers, and once more when the first moved the second
		switch {
		case errors.Is(err, errClockMoved):
			err = h.settleClock(ctx)
		case errors.Is(err, errDayOver):
			err = h.turn(ctx)
		case errors.Is(err, errBehind):
			err = h.catchUp(ctx)
		default:
			return err
		}
		if err == nil {
			err = h.store.Update(ctx, inDay)
		}
	}
	return err
}

// decide runs the rules on the writer's goroutine. The writer's state changes last, when nothing can fail any more.
func (h *Hall) decide(tx *store.Tx, c queue.Command, now time.Time) (Result, error) {
	res := Result{State: h.ahead, At: now}
	facts, err := h.ahead.Decide(c, now)
	if err != nil {
		if !errors.As(err, &res.Refusal) {
			return Result{}, err
		}
		return res, nil
	}
	for _, f := range facts {
		if day, ok := f.(hallsync.DayOpened); ok && day.After > 0 {
			if err := tx.Passed(day.BusinessDay, queue.Logs(day.After)); err != nil {
				return Result{}, err
			}
		}
		if _, err := tx.Append(f, now); err != nil {
			return Result{}, err
		}
	}
	for _, f := range facts {
		h.ahead.Apply(f, now)
	}
	res.Facts = facts
	return res, nil
}

// render makes the answer. The facts are in the transaction already, so a fault here must not undo them: it is answered as an
// internal error, and remembered, because repeating the command would do it twice.
func (h *Hall) render(r Request, res Result) (status int, body []byte) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("answer not rendered", "panic", p)
			status, body = 500, []byte(`{"status":500,"code":"internal"}`)
		}
	}()
	return r.Render(res)
}

// turn closes a business day that is over and opens the new one, with a snapshot of the state behind it.
func (h *Hall) turn(ctx context.Context) error {
	over := false
	h.Read(func(s *queue.State, _ hallsync.Seq) { over = s.DayOver(h.at(s)) })
	if !over {
		return nil
	}
	return h.store.Update(ctx, func(tx *store.Tx) error {
		now, lost := h.time(), h.store.Lost()
		if lost > 0 {
			lost = max(lost, tx.LostOn(now.Format(time.DateOnly)))
		}
		res, err := h.decide(tx, queue.TurnDay{Lost: lost}, now)
		if err != nil || len(res.Facts) == 0 {
			return err
		}
		snapshot, err := json.Marshal(h.ahead)
		if err != nil { // the log alone is enough
			h.log.Error("state not written as snapshot", "error", err)
			return nil
		}
		tx.SetSnapshot(snapshot)
		return nil
	})
}

// elsewhere is how many thousands of today's numbers were begun in logs that are not here, as far as anybody has said. Like all that
// follows it belongs to the writer's goroutine.
func (h *Hall) elsewhere() int { return max(h.told, h.store.Before()) }

// behind reports whether the next number may be on a slip that is not in the log.
func (h *Hall) behind() bool { return h.store.Behind() || h.ahead.NumbersPassed() < h.elsewhere() }

// pass has the day go on behind all that may be on slips.
func (h *Hall) pass(tx *store.Tx, now time.Time) error {
	_, err := h.decide(tx, queue.PassNumbers{Lost: max(tx.LostOn(h.ahead.Day()), h.elsewhere())}, now)
	return err
}

// catchUp has the day go on behind the numbers that are not in the log.
func (h *Hall) catchUp(ctx context.Context) error {
	return h.store.Update(ctx, func(tx *store.Tx) error {
		if !h.behind() {
			return nil
		}
		if err := h.pass(tx, h.time()); err != nil {
			return err
		}
		if h.store.Behind() {
			tx.Caught()
		}
		return nil
	})
}

// Pass has the day go on behind so many thousands of numbers that were begun in other logs, unless it does already, and reports whether it does:
// while nobody knows the day, that waits. No number is given before.
func (h *Hall) Pass(ctx context.Context, thousands int) (passed bool, err error) {
	err = h.store.Update(ctx, func(*store.Tx) error {
		h.told = max(h.told, thousands)
		return nil
	})
	if err == nil {
		err = h.update(ctx, func(*store.Tx, time.Time) error {
			passed = !h.ahead.ClockDead()
			return nil
		})
	}
	return passed && err == nil, err
}

// Renew begins a new epoch of the log, because the cloud knows the present one further than it is here. What is not here may be numbers of
// today, which are on slips: the hall goes on behind them. thousands is how many of them were begun today, as far as the cloud says.
func (h *Hall) Renew(ctx context.Context, thousands int) error {
	err := h.update(ctx, func(tx *store.Tx, now time.Time) error {
		h.told = max(h.told, thousands, 1)
		return h.pass(tx, now)
	})
	if err != nil {
		return err
	}
	return h.store.Update(ctx, func(tx *store.Tx) error {
		state, err := json.Marshal(h.ahead)
		if err != nil {
			return err
		}
		return tx.Renew(state)
	})
}
