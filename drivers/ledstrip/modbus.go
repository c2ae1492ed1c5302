package ledstrip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/ledtemplate"
	"halledge/firmware-protocols/modbus"
)

// registers is a strip with text in Modbus registers, two bytes in each. It implements card. Which registers is the model's: every maker
// has a map of his own.
type registers struct {
	session *session.Session
	face    *face
	unit    byte
	set     ledtemplate.Set
	textAt  int
	count   int // registers of a row
	step    int // from one row to the next
	low     bool
	pad     byte

	colourAt, flashAt, showAt int // -1: there is none
	show                      uint16

	within time.Duration
	gap    time.Duration

	// Of the open connection.
	answers modbus.ResponseDecoder
	owed    bool
}

func newRegisters(o *registry.Options, cfg registry.Config, s *session.Session, f *face) card {
	optional := func(key string) int { return o.Int(key, -1, 0, 0xFFFF) }
	r := &registers{
		session: s,
		face:    f,
		unit:    byte(o.Int("unit", 1, 1, modbus.MaxUnit)),
		set:     ledtemplate.Set(o.OneOf("charset", string(ledtemplate.GB2312), string(ledtemplate.GB2312), string(ledtemplate.GBK))),
		textAt:  o.Int("text_at", 0, 0, 0xFFFF),
		count:   o.Int("text_registers", 8, 1, modbus.MaxWrite),
		low:     o.OneOf("first_byte", "high", "high", "low") == "low",

		colourAt: optional("colour_at"), flashAt: optional("flash_at"), showAt: optional("show_at"),
		show: uint16(o.Int("show_value", 1, 0, 0xFFFF)),

		within: o.Duration("reply_within", 300*time.Millisecond, 20*time.Millisecond, 5*time.Second),
		gap:    max(o.Duration("gap", 20*time.Millisecond, 0, time.Second), modbus.Gap(cfg.Connect.Baud)),
	}
	r.step = o.Int("row_step", r.count, 1, 0xFFFF)
	if o.OneOf("pad", "zero", "zero", "space") == "space" {
		r.pad = ' '
	}
	if (r.colourAt >= 0) != (f.values != nil) {
		o.Reject("colour_values", "goes with colour_at")
	}
	if (r.flashAt >= 0) != (f.flashes != nil) {
		o.Reject("flash_values", "goes with flash_at")
	}
	if r.textAt+(f.rows.Count-1)*r.step+r.count > 0x10000 {
		o.Reject("text_at", "the rows end behind the last register")
	}
	return r
}

func (r *registers) mute() bool { return false }

func (r *registers) fits([]line) error { return nil } // what is too long is cut

// Begin implements panel.Card.
func (r *registers) Begin() {
	r.answers.Expect(modbus.Request{})
	r.owed = false
}

// Blank implements panel.Card.
func (r *registers) Blank(ctx context.Context, conn transport.Conn) error {
	return r.Draw(ctx, conn, r.face.blank())
}

// Draw implements panel.Card. The strip has one colour for all rows, the first line's, and takes the text over at the last.
func (r *registers) Draw(ctx context.Context, conn transport.Conn, lines []line) error {
	for i, l := range lines {
		if err := r.insist(ctx, conn, r.write(r.textAt+i*r.step, r.words(l.text)...)); err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	if r.colourAt >= 0 {
		if err := r.insist(ctx, conn, r.write(r.colourAt, uint16(r.face.values[lines[0].colour]))); err != nil {
			return fmt.Errorf("colour: %w", err)
		}
	}
	if r.flashAt >= 0 {
		if err := r.insist(ctx, conn, r.write(r.flashAt, uint16(r.face.flashes[onOff(lines[0].flash)]))); err != nil {
			return fmt.Errorf("flash: %w", err)
		}
	}
	if r.showAt >= 0 {
		if err := r.insist(ctx, conn, r.write(r.showAt, r.show)); err != nil {
			return fmt.Errorf("show: %w", err)
		}
	}
	return nil
}

// Look implements panel.Card. A strip whose registers cannot be read says that, which is an answer too.
func (r *registers) Look(ctx context.Context, conn transport.Conn) error {
	a, err := r.answered(ctx, conn, modbus.Request{Unit: r.unit, Function: modbus.ReadHolding, Address: uint16(r.textAt), Count: 1})
	if err == nil && a.Exception == modbus.DeviceFailure {
		return r.refused(a)
	}
	return err
}

// words puts a text into the registers of a row, and cuts it between two characters.
func (r *registers) words(text string) []uint16 {
	var b []byte
	for _, c := range text {
		one := r.set.AppendRune(nil, c)
		if len(b)+len(one) > 2*r.count {
			break
		}
		b = append(b, one...)
	}
	for len(b) < 2*r.count {
		b = append(b, r.pad)
	}
	out := make([]uint16, r.count)
	for i := range out {
		out[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		if r.low {
			out[i] = out[i]<<8 | out[i]>>8
		}
	}
	return out
}

func (r *registers) write(at int, values ...uint16) modbus.Request {
	return modbus.Request{Unit: r.unit, Function: modbus.WriteRegisters, Address: uint16(at), Values: values}
}

// insist sends a request until the strip has done it. A strip that refuses is degraded, and gives a *device.Error with CodeBadReply
// around the modbus.Exception.
func (r *registers) insist(ctx context.Context, conn transport.Conn, q modbus.Request) error {
	for try := 1; ; try++ {
		a, err := r.answered(ctx, conn, q)
		if err != nil {
			return err
		}
		switch {
		case a.Exception == modbus.NoException, a.Exception == modbus.Acknowledge:
			return nil
		case a.Exception != modbus.DeviceBusy || try == tries:
			return r.refused(a)
		}
	}
}

func (r *registers) refused(a modbus.Response) error {
	r.session.Degraded(device.CodeBadReply, a.Exception.Error())
	return &device.Error{Op: fmt.Sprintf("function %02X", byte(a.Function)), Code: device.CodeBadReply, Retry: true, Err: a.Exception}
}

// answered sends a request until there is an answer.
func (r *registers) answered(ctx context.Context, conn transport.Conn, q modbus.Request) (modbus.Response, error) {
	for try := 1; ; try++ {
		a, err := r.once(ctx, conn, q)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || try == tries || ctx.Err() != nil {
			return a, err
		}
	}
}

func (r *registers) once(ctx context.Context, conn transport.Conn, q modbus.Request) (modbus.Response, error) {
	frame, err := q.Append(nil)
	if err != nil {
		return modbus.Response{}, err
	}
	if r.owed {
		n, err := transport.Discard(conn, maxNoise, max(quietFor, r.gap))
		r.session.Garbage(n)
		if err != nil {
			return modbus.Response{}, err
		}
	} else if err := transport.Pause(ctx, r.gap-transport.Silent(conn)); err != nil {
		return modbus.Response{}, err
	}
	before := r.answers.Garbage()
	defer func() { r.session.Garbage(int(r.answers.Garbage() - before)) }()
	r.answers.Expect(q)
	heard := r.answers.Garbage()
	r.owed = true
	if err := conn.SetDeadline(time.Now().Add(r.within)); err != nil {
		return modbus.Response{}, err
	}
	if _, err := conn.Write(frame); err != nil {
		return modbus.Response{}, err
	}
	buf := make([]byte, modbus.MaxFrame)
	for {
		n, err := conn.Read(buf)
		r.answers.Push(buf[:n])
		if a, ok := r.answers.Next(); ok {
			r.owed = false
			return a, nil
		}
		if err != nil {
			return modbus.Response{}, session.Unanswered(err, r.answers.Garbage() > heard)
		}
	}
}
