package ratingpad

import (
	"context"
	"errors"
	"sync"
	"time"

	"halledge/drivers/device"
)

var (
	errNobody = errors.New("nobody answered")
	errLost   = errors.New("the device was lost while it asked")
)

// desk holds the question that a device asks, one at a time.
type desk struct {
	mu   sync.Mutex
	open *question // nil: none
}

// question is one that a citizen is being asked.
type question struct {
	tag    uint16
	result chan result // takes one
}

// result is a grade, or why there is none.
type result struct {
	stars int
	code  device.Code
	err   error
}

func nobody() result { return result{code: device.CodeTimeout, err: errNobody} }

func lost() result { return result{code: device.CodeOffline, err: errLost} }

// begin opens a question; ok is false while another one is open.
func (d *desk) begin(tag uint16) (q *question, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open != nil {
		return nil, false
	}
	d.open = &question{tag: tag, result: make(chan result, 1)}
	return d.open, true
}

func (d *desk) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = nil
}

// settle ends the open question with a result. It gives false when there is none, or it has its result already.
func (d *desk) settle(r result) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		return false
	}
	select {
	case d.open.result <- r:
		return true
	default:
		return false
	}
}

// asking reports whether a question is open, and its tag.
func (d *desk) asking() (tag uint16, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		return 0, false
	}
	return d.open.tag, true
}

// wait gives the answer. Its error is a *device.Error.
func (q *question) wait(ctx context.Context, op string, within time.Duration) (device.Rating, error) {
	t := time.NewTimer(within)
	defer t.Stop()
	fail := func(code device.Code, why error) (device.Rating, error) {
		return device.Rating{}, &device.Error{Op: op, Code: code, Retry: true, Err: why}
	}
	select {
	case r := <-q.result:
		if r.err != nil {
			return fail(r.code, r.err)
		}
		return device.Rating{Session: q.tag, Stars: r.stars}, nil
	case <-t.C:
		return fail(device.CodeTimeout, errNobody)
	case <-ctx.Done():
		return fail(device.CodeTimeout, ctx.Err())
	}
}

// unasked is why a question was not asked. That the device did not take it must not pass for a citizen who did not answer.
func unasked(ctx context.Context, op string, err error) error {
	var de *device.Error
	if errors.As(err, &de) && de.Code == device.CodeTimeout && ctx.Err() == nil {
		return &device.Error{Op: op, Code: device.CodeOffline, Retry: true, Err: err}
	}
	return err
}

func busy(op string) error { return &device.Error{Op: op, Code: device.CodeBusy, Retry: true} }
