package callpad

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/modbus"
)

const (
	tries    = 3                     // a write is sent this often before it has failed
	quietFor = 20 * time.Millisecond // silence that ends what a missed answer left behind
)

// set is the request that writes holding registers.
func (p *Pad) set(address uint16, values ...uint16) modbus.Request {
	f := modbus.WriteRegisters
	if len(values) == 1 {
		f = modbus.WriteRegister
	}
	return modbus.Request{Unit: p.unit, Function: f, Address: address, Values: values}
}

// insist sends a request until it is answered. Writing the same twice does no harm.
func (p *Pad) insist(ctx context.Context, conn transport.Conn, q modbus.Request) error {
	for try := 1; ; try++ {
		_, err := p.ask(ctx, conn, q)
		again := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, modbus.DeviceBusy)
		if err == nil || !again || try == tries || ctx.Err() != nil {
			return err
		}
	}
}

// ask sends a request and gives its answer. An exception is a *device.Error with CodeBadReply around the modbus.Exception;
// silence is os.ErrDeadlineExceeded, and nonsense session.ErrNonsense too.
func (p *Pad) ask(ctx context.Context, conn transport.Conn, q modbus.Request) (modbus.Response, error) {
	frame, err := q.Append(nil)
	if err != nil {
		return modbus.Response{}, err
	}
	if err := p.silence(ctx, conn); err != nil {
		return modbus.Response{}, err
	}
	before := p.answers.Garbage()
	defer func() { p.session.Garbage(int(p.answers.Garbage() - before)) }()
	p.answers.Expect(q)
	heard := p.answers.Garbage()
	p.owed = true
	if err := conn.SetDeadline(time.Now().Add(p.within)); err != nil {
		return modbus.Response{}, err
	}
	if _, err := conn.Write(frame); err != nil {
		return modbus.Response{}, err
	}
	buf := make([]byte, modbus.MaxFrame)
	for {
		n, err := conn.Read(buf)
		p.answers.Push(buf[:n])
		if a, ok := p.answers.Next(); ok {
			p.owed = false
			if a.Exception != modbus.NoException {
				return a, &device.Error{Op: fmt.Sprintf("function %02X", byte(q.Function)), Code: device.CodeBadReply, Retry: true, Err: a.Exception}
			}
			return a, nil
		}
		if err != nil {
			noise := p.answers.Garbage() > heard
			return modbus.Response{}, fmt.Errorf("function %02X: %w", byte(q.Function), session.Unanswered(err, noise))
		}
	}
}

// silence waits until the line is free: for the pause RTU wants between frames, and after a missed answer for its end.
func (p *Pad) silence(ctx context.Context, conn transport.Conn) error {
	if p.owed {
		n, err := transport.Discard(conn, modbus.MaxFrame, max(quietFor, p.gap))
		p.session.Garbage(n)
		return err
	}
	t := time.NewTimer(p.gap)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
