package rerun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// Log is the facts of a hall, as its store keeps them.
type Log interface {
	Read(after hallsync.Seq, limit, maxBytes int) (raws [][]byte, err error)
}

// Bounds of one look into a log.
const (
	stepFacts = 1000
	stepBytes = 8 << 20
)

// NoDayError says that a log has no begin of a day; Days are those it has.
type NoDayError struct {
	Day  string
	Days []string
}

// Error implements error.
func (e *NoDayError) Error() string { return fmt.Sprintf("the log has no day %q", e.Day) }

// Load finds a business day in a log, the newest one if date is empty, and gives the days that are there. It fails with *NoDayError.
func Load(ctx context.Context, l Log, plan *queue.Plan, date string) (d *Day, days []string, err error) {
	if date == "" {
		days, err := Days(ctx, l)
		if err != nil {
			return nil, nil, err
		}
		if len(days) == 0 {
			return nil, nil, &NoDayError{}
		}
		date = days[len(days)-1]
	}
	r := NewRecorder(plan, date)
	err = each(ctx, l, func(e hallsync.Event) error {
		p, err := e.Decode()
		var unknown *hallsync.UnknownKindError
		var erased *hallsync.ErasedError
		switch {
		case errors.As(err, &unknown), errors.As(err, &erased): // of a later program, which is no matter of the order; or somebody had it erased
			return nil
		case err != nil:
			return err
		}
		r.Add(p, e.At)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if d = r.Day(); d == nil {
		return nil, r.Days(), &NoDayError{Day: date, Days: r.Days()}
	}
	return d, r.Days(), nil
}

// Days gives the business days whose begin is in a log.
func Days(ctx context.Context, l Log) (days []string, err error) {
	err = each(ctx, l, func(e hallsync.Event) error {
		var f hallsync.DayOpened
		if e.Kind != f.Kind() {
			return nil
		}
		if err := json.Unmarshal(e.Payload, &f); err != nil {
			return err
		}
		if f.Instead != f.BusinessDay {
			days = append(days, f.BusinessDay)
		}
		return nil
	})
	return days, err
}

// each gives the facts of a log in order.
func each(ctx context.Context, l Log, do func(hallsync.Event) error) error {
	for after := hallsync.Seq(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		raws, err := l.Read(after, stepFacts, stepBytes)
		if err != nil || len(raws) == 0 {
			return err
		}
		for _, raw := range raws {
			var e hallsync.Event
			if err := json.Unmarshal(raw, &e); err != nil {
				return fmt.Errorf("fact behind %d: %w", after, err)
			}
			if err := do(e); err != nil {
				return fmt.Errorf("fact %d: %w", e.Seq, err)
			}
			after = e.Seq
		}
	}
}
