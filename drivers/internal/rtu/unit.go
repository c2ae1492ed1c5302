// Package rtu gives the host's side of a Modbus RTU line: it asks one unit, one question at a time, says why nothing came of it, and
// finds out which addresses answer.
package rtu

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
	leastGap = 5 * time.Millisecond  // an adapter holds bytes back for longer than the standard's silence
)

// Unit is one unit of a line. It is used by one goroutine at a time, such as in the turns of a session.
type Unit struct {
	Address byte
	Within  time.Duration   // an answer must come
	Noise   func(bytes int) // told of bytes that belonged to no answer

	gap     time.Duration // silence before a question
	answers modbus.ResponseDecoder
	owed    bool // an answer is still to come
}

// New gives a unit of a line with a speed, 0 for 9600.
func New(address byte, baud int, within time.Duration, noise func(int)) *Unit {
	return &Unit{Address: address, Within: within, Noise: noise, gap: max(leastGap, modbus.Gap(baud))}
}

// Reset forgets what came over an earlier connection.
func (u *Unit) Reset() {
	u.answers.Expect(modbus.Request{})
	u.owed = false
}

// Inputs reads count input registers from 0 on.
func (u *Unit) Inputs(ctx context.Context, conn transport.Conn, count uint16) ([]uint16, error) {
	a, err := u.ask(ctx, conn, modbus.Request{Unit: u.Address, Function: modbus.ReadInput, Count: count})
	return a.Values, err
}

// Set writes holding registers. It tries several times: writing the same twice does no harm.
func (u *Unit) Set(ctx context.Context, conn transport.Conn, address uint16, values ...uint16) error {
	q := modbus.Request{Unit: u.Address, Function: modbus.WriteRegisters, Address: address, Values: values}
	if len(values) == 1 {
		q.Function = modbus.WriteRegister
	}
	for try := 1; ; try++ {
		_, err := u.ask(ctx, conn, q)
		if err == nil || !Passing(err) || try == tries || ctx.Err() != nil {
			return err
		}
	}
}

// Passing reports whether a question may be asked again because of its error: nothing came, or the unit is busy.
func Passing(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, modbus.DeviceBusy)
}

// ask sends a request and gives its answer. An exception is a *device.Error with CodeBadReply around the modbus.Exception;
// silence is os.ErrDeadlineExceeded, and nonsense session.ErrNonsense too.
func (u *Unit) ask(ctx context.Context, conn transport.Conn, q modbus.Request) (modbus.Response, error) {
	frame, err := q.Append(nil)
	if err != nil {
		return modbus.Response{}, err
	}
	if err := u.silence(ctx, conn); err != nil {
		return modbus.Response{}, err
	}
	before := u.answers.Garbage()
	defer func() { u.Noise(int(u.answers.Garbage() - before)) }()
	u.answers.Expect(q)
	heard := u.answers.Garbage()
	u.owed = true
	a, err := answer(conn, &u.answers, frame, u.Within)
	op := fmt.Sprintf("function %02X", byte(q.Function))
	switch {
	case err != nil:
		return modbus.Response{}, fmt.Errorf("%s: %w", op, session.Unanswered(err, u.answers.Garbage() > heard))
	case a.Exception != modbus.NoException:
		u.owed = false
		return a, &device.Error{Op: op, Code: device.CodeBadReply, Retry: true, Err: a.Exception}
	}
	u.owed = false
	return a, nil
}

// answer sends a frame and waits for what the decoder expects.
func answer(conn transport.Conn, d *modbus.ResponseDecoder, frame []byte, within time.Duration) (modbus.Response, error) {
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return modbus.Response{}, err
	}
	if _, err := conn.Write(frame); err != nil {
		return modbus.Response{}, err
	}
	buf := make([]byte, modbus.MaxFrame)
	for {
		n, err := conn.Read(buf)
		d.Push(buf[:n])
		if a, ok := d.Next(); ok {
			return a, nil
		}
		if err != nil {
			return modbus.Response{}, err
		}
	}
}

// silence waits until the line is free: for the pause RTU wants between frames, and after a missed answer for its end.
func (u *Unit) silence(ctx context.Context, conn transport.Conn) error {
	if u.owed {
		n, err := transport.Discard(conn, modbus.MaxFrame, max(quietFor, u.gap))
		u.Noise(n)
		return err
	}
	return transport.Pause(ctx, u.gap-transport.Silent(conn))
}
