package escpos

import (
	"context"
	"errors"
	"os"
	"time"

	"halledge/drivers/device"
	"halledge/firmware-protocols/escpos"
)

// print sends a job and waits until the printer said that it is on paper, or, where it says nothing, until the job has left.
// out says how much of it came out: nothing until the job's first byte.
func (x *exchange) print(job []byte, out *device.Outcome) error {
	if err := x.forget(); err != nil {
		return err
	}
	known, err := x.ask()
	if err != nil {
		return err
	}
	x.report()
	if f := faultOf(x.status); f != nil {
		return f
	}
	// NULs complete the command in which an earlier job broke off; outside a command printers pass over them.
	if err := x.write(make([]byte, x.p.torn)); err != nil {
		return err
	}
	asks := x.asksBarrier()
	if asks && x.p.certain() && x.p.owed > 0 {
		if err := x.settle(); err != nil {
			return err
		}
	}
	if asks {
		job = append(job, barrier()...)
		x.p.owed++
	}
	*out = device.OutUnknown
	x.p.torn = len(job)
	if err := x.write(job); err != nil {
		return err
	}
	if err := x.drain(len(job)); err != nil {
		return err
	}
	x.p.torn = 0
	switch {
	case x.p.answered:
		err = x.await(asks, out)
	case known: // by its port alone
		if _, err = x.ask(); err == nil && faultOf(x.status) != nil {
			err = faultOf(x.status)
		}
	}
	if err == nil || faultOf(x.status) != nil {
		x.report()
	}
	return err
}

// settle waits until the printer has done with the slips before this one, of which it owes an answer, so that the next answer is the one
// to this slip. An answer may have been lost, with the power or the cable: one more GS r, right behind the last, tells. It is answered
// at once after those before it. A printer that is well for as long as the longest slip takes and gives none has nothing left to say.
func (x *exchange) settle() error {
	x.p.owed++
	left := x.p.owed
	if err := x.write(barrier()); err != nil {
		return err
	}
	for end := time.Now().Add(printTime); x.p.owed > 0; {
		wait := askAgain
		if heard := x.p.owed < left; heard {
			wait = x.answerTime()
		}
		before := x.p.owed
		_, err := x.next(time.Now().Add(wait))
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded) || x.ctx.Err() != nil:
			return err
		case x.p.owed == before && before < left:
			x.p.owed = 0 // lost
			return nil
		default:
			if _, err = x.ask(); err != nil {
				return err
			}
		}
		if f := faultOf(x.status); f != nil {
			x.report()
			return f
		}
		if x.p.owed == left && !time.Now().Before(end) {
			x.p.owed, x.p.barriers = 0, false
		}
	}
	return nil
}

// barrier is GS r at the end of a job: the printer answers when everything before it was done.
func barrier() []byte {
	b := escpos.NewBuilder(escpos.Layout{})
	b.Barrier()
	return b.Bytes()
}

// asksBarrier says whether the printer may know GS r. One that answers DLE EOT mostly does.
func (x *exchange) asksBarrier() bool {
	return x.p.model.status == statusBarrier || x.p.model.status == statusProbe && x.p.answered
}

// drain waits until n bytes have left this machine.
func (x *exchange) drain(n int) error {
	limit := stallTime
	if baud := x.p.cfg.Connect.Baud; baud > 0 {
		limit += time.Duration(n) * 10 * time.Second / time.Duration(baud) // 8N1 takes ten bits a byte
	}
	if flow := x.p.cfg.Connect.Flow; flow != "" && flow != "none" {
		limit += printTime // the printer holds the line while its buffer is full
	}
	ctx, cancel := context.WithTimeout(x.ctx, limit)
	defer cancel()
	err := x.conn.Drain(ctx)
	if errors.Is(err, context.DeadlineExceeded) && x.ctx.Err() == nil {
		return &device.Error{Op: "drain", Code: device.CodeTimeout, Err: err}
	}
	return err
}

// await waits for the end of the slip: for the answer to GS r, or, from printers that do not give it, for the time a slip takes.
// A printer that has stopped answers no GS r, so it is asked in real time meanwhile. If it gives that answer at its end, then one that
// stopped without it has not cut the slip yet: a part of it is out at most. A jammed cutter, too, stops it, with all the text on paper.
// One that gives the answer to an earlier slip meanwhile turns out to be such a printer, but which answers it owes is not known.
func (x *exchange) await(asks bool, out *device.Outcome) error {
	begin, wait := time.Now(), askAgain
	alone := x.p.certain() // only the answer to this slip is owed: those before it were settled
	if !alone {
		wait = min(wait, x.p.model.settle)
	}
	for {
		_, err := x.next(time.Now().Add(wait))
		if errors.Is(err, os.ErrDeadlineExceeded) && x.ctx.Err() == nil {
			_, err = x.ask()
		}
		certain, end := x.p.certain(), begin.Add(x.p.model.settle)
		if certain {
			end = begin.Add(printTime)
		}
		fault := faultOf(x.status)
		switch over := !time.Now().Before(end); {
		case asks && x.p.owed == 0:
			return nil
		case err != nil && !errors.Is(err, errSilent): // some are deaf while they print
			return err
		case fault != nil && !fault.Retry:
			if alone && (fault.Code == device.CodePaperOut || fault.Code == device.CodeCoverOpen) {
				*out = device.OutPart
			}
			return fault
		case !over:
		case certain:
			return &device.Error{Op: "wait for the end of the slip", Code: device.CodeTimeout}
		case err != nil:
			return err
		case fault == nil:
			return nil
		case time.Since(end) > printTime: // a hot head may pause that long
			return fault
		}
	}
}

// faultOf is why a printer in this state does not print, or nil. Its Retry is true for what goes away by itself.
func faultOf(s escpos.Status) *device.Error {
	fault := func(code device.Code, retry bool, why string) *device.Error {
		return &device.Error{Op: "status", Code: code, Retry: retry, Err: errors.New(why)}
	}
	switch {
	case s.CoverOpen: // first: with the cover open the paper sensors tell nothing
		return fault(device.CodeCoverOpen, false, "the cover is open")
	case s.PaperEnd, s.PaperStop:
		return fault(device.CodePaperOut, false, "no paper")
	case s.Cutter:
		return fault(device.CodeCutter, false, "the cutter is jammed")
	case s.Unrecoverable, s.Recoverable:
		return fault(device.CodeOffline, false, "an error that needs a person")
	case s.AutoRecover:
		return fault(device.CodeBusy, true, "the head is hot")
	case s.FedByButton, s.FeedButton:
		return fault(device.CodeBusy, true, "somebody holds the feed button")
	case s.Offline, s.Waiting, s.Error:
		return fault(device.CodeOffline, true, "the printer is off line")
	}
	return nil
}
