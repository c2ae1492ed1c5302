package escpos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/escpos"
)

const (
	answerTime  = 500 * time.Millisecond // DLE EOT is obeyed at once
	networkTime = 500 * time.Millisecond // and a network adapter adds its part
	stallTime   = 5 * time.Second        // a printer that takes no byte for so long has stopped
	printTime   = 15 * time.Second       // the longest slip, with a pause for a hot head
	recoverTime = 3 * time.Second        // a cutter that goes home
	askAgain    = 300 * time.Millisecond // between two looks at a printing printer
	quietTime   = 2 * time.Millisecond   // two bytes at 9600 baud: after it, what an earlier exchange left behind has been read
	chunk       = 1024                   // bytes written under one stallTime
	maxLeftover = 32 << 10               // bytes thrown away before a question
	maxSilent   = 3                      // polls without an answer, then the connection is made anew
)

// errSilent says that the printer did not answer a question, errNonsense that it said something else instead.
var (
	errSilent   = errors.New("no answer")
	errNonsense = fmt.Errorf("%w, but %w", errSilent, session.ErrNonsense)
)

// exchange is one turn on the connection.
type exchange struct {
	p      *Printer
	ctx    context.Context
	conn   transport.Conn
	queue  []escpos.Reply // read, not looked at yet
	status escpos.Status  // as the printer last told it
}

// setUp turns automatic status on, so that a printing printer reports a fault without being asked.
func (x *exchange) setUp() error { return x.write(escpos.AutoStatusRequest(true)) }

// recover tells a printer that stopped with an error to go on, without what it still holds. It does not know it from others: those that
// are well, and those that know no such command, do nothing.
func (x *exchange) recover() error {
	if err := x.forget(); err != nil {
		return err
	}
	known, err := x.ask()
	if err != nil || !known || !x.status.Cutter && !x.status.Recoverable {
		return err
	}
	if err := x.write(escpos.RecoverRequest()); err != nil {
		return err
	}
	for end := time.Now().Add(recoverTime); time.Now().Before(end); {
		if _, err := x.ask(); err != nil && !errors.Is(err, errSilent) { // some are deaf while the cutter goes home
			return err
		}
		if faultOf(x.status) == nil {
			break
		}
		if _, err := x.next(time.Now().Add(askAgain)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	x.report()
	return nil
}

// look tells the session how the printer is.
func (x *exchange) look() error {
	if err := x.forget(); err != nil {
		return err
	}
	known, err := x.ask()
	x.p.blind.Store(err == nil && !known)
	if errors.Is(err, errSilent) {
		if x.p.silent++; x.p.silent < maxSilent {
			return nil
		}
	}
	x.p.silent = 0
	if err == nil {
		x.report()
	}
	return err
}

// report passes the printer's condition on to its health.
func (x *exchange) report() {
	switch f := faultOf(x.status); {
	case f != nil:
		x.p.session.Degraded(f.Code, f.Err.Error())
	case x.status.NearEnd:
		x.p.session.Degraded(device.CodePaperLow, "the roll is near its end")
	default:
		x.p.session.Good()
	}
}

// forget reads what came before the first question, so that it is not taken for an answer, until the line is quiet.
func (x *exchange) forget() error {
	buf := make([]byte, 256)
	for range maxLeftover / len(buf) {
		if err := x.conn.SetReadDeadline(time.Now().Add(quietTime)); err != nil {
			return err
		}
		n, err := x.conn.Read(buf)
		x.read(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) && x.ctx.Err() == nil || isUnsupported(err) { // unsupported: nothing ever comes back
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ask asks for everything the printer can tell and puts it into x.status. known is false if it can tell nothing, which is an
// error only where the model promises answers. A fault is believed when it was told twice: a stray byte, or an answer that came too late
// for the question before, looks like one.
func (x *exchange) ask() (known bool, err error) {
	known, err = x.askOnce()
	if err != nil || faultOf(x.status) == nil {
		return known, err
	}
	if err := x.forget(); err != nil {
		return false, err
	}
	return x.askOnce()
}

func (x *exchange) askOnce() (known bool, err error) {
	x.status = escpos.Status{}
	if x.p.model.status == statusNone {
		return x.askPort()
	}
	for _, q := range []escpos.Query{escpos.QueryPrinter, escpos.QueryOffline, escpos.QueryError, escpos.QueryPaper} {
		if q == escpos.QueryError && !x.status.Error {
			continue
		}
		err := x.query(q)
		mute := errors.Is(err, errSilent) && !errors.Is(err, errNonsense) || isUnsupported(err)
		if x.p.model.status == statusProbe && !x.p.answered && mute {
			return x.askPort()
		}
		if err != nil {
			return false, err
		}
	}
	x.p.answered = true
	return true, nil
}

// askPort asks the printer port where the printer itself says nothing. Many printers claim there that all is well.
func (x *exchange) askPort() (known bool, err error) {
	port, err := x.conn.PortStatus()
	if isUnsupported(err) {
		return false, nil
	}
	x.status = escpos.Status{PaperEnd: port.PaperOut, Offline: port.Fault || !port.Selected}
	return err == nil, err
}

// query asks one question and waits for its answer.
func (x *exchange) query(q escpos.Query) error {
	if err := x.write(q.Request()); err != nil {
		return err
	}
	deadline := time.Now().Add(x.answerTime())
	noise := x.p.replies.Garbage()
	for {
		r, err := x.next(deadline)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && x.ctx.Err() == nil:
			if x.p.replies.Garbage() > noise {
				return &device.Error{Op: "ask status", Code: device.CodeBadReply, Retry: true, Err: errNonsense}
			}
			return &device.Error{Op: "ask status", Code: device.CodeTimeout, Retry: true, Err: errSilent}
		case err != nil:
			return err
		case r.Kind == escpos.StatusReply && x.status.SetReply(q, r.Bytes[0]):
			return nil
		}
	}
}

// answerTime is how long the answer to a question takes that the printer obeys at once.
func (x *exchange) answerTime() time.Duration {
	if x.p.cfg.Connect.TCP != "" {
		return answerTime + networkTime
	}
	return answerTime
}

// read gives the replies that the next bytes complete, and takes each answer to GS r off those that are owed as soon as it is read:
// whatever is done with it then, it is never counted for a later job.
func (x *exchange) read(b []byte) []escpos.Reply {
	replies := x.p.replies.Feed(b)
	for _, r := range replies {
		if r.Kind == escpos.PaperReply && x.p.owed > 0 {
			x.p.owed--
			x.p.barriers = true
		}
	}
	return replies
}

// next gives the next reply, and takes note of what was not asked for just now.
func (x *exchange) next(deadline time.Time) (escpos.Reply, error) {
	buf := make([]byte, 64)
	for len(x.queue) == 0 {
		if err := x.conn.SetReadDeadline(deadline); err != nil {
			return escpos.Reply{}, err
		}
		n, err := x.conn.Read(buf)
		x.queue = x.read(buf[:n])
		if err != nil && len(x.queue) == 0 {
			return escpos.Reply{}, err
		}
	}
	r := x.queue[0]
	x.queue = x.queue[1:]
	switch r.Kind {
	case escpos.AutoReply:
		x.status.SetASB(r.Bytes)
	case escpos.PaperReply:
		x.status.SetPaperReply(r.Bytes[0])
	}
	return r, nil
}

// write sends bytes, as long as the printer goes on taking some.
func (x *exchange) write(b []byte) error {
	for len(b) > 0 {
		if err := x.conn.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
			return err
		}
		n, err := x.conn.Write(b[:min(len(b), chunk)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func isUnsupported(err error) bool {
	var de *device.Error
	return errors.As(err, &de) && de.Code == device.CodeUnsupported
}
