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

// errBehind says that numbers of today may be on slips that the log, which came back from a backup, does not have.
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
		if h.store.Behind() && !h.ahead.ClockDead() { // while nobody knows the day, no numbers are given
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

// catchUp has the day go on behind the numbers that are not in a log which came back from a backup.
func (h *Hall) catchUp(ctx context.Context) error {
	return h.store.Update(ctx, func(tx *store.Tx) error {
		if !h.store.Behind() {
			return nil
		}
		_, err := h.decide(tx, queue.PassNumbers{Lost: tx.LostOn(h.ahead.Day())}, h.time())
		if err == nil {
			tx.Caught()
		}
		return err
	})
}

// Pass has the day go on behind the numbers of so many logs of other boxes, unless it does already.
func (h *Hall) Pass(ctx context.Context, logs int) error {
	return h.update(ctx, func(tx *store.Tx, now time.Time) error {
		if tx.LostOn(h.ahead.Day()) > logs {
			return nil
		}
		_, err := h.decide(tx, queue.PassNumbers{Lost: logs}, now)
		return err
	})
}

// Renew begins a new epoch of the log, because the cloud knows the present one further than it is here. What is not here may be numbers of
// today, which are on slips: the hall goes on behind them. logs is how many of today's logs it knows, as far as it says.
func (h *Hall) Renew(ctx context.Context, logs int) error {
	if _, err := h.Do(ctx, queue.PassNumbers{Lost: max(1, logs)}); err != nil {
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
