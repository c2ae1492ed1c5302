package callpad

import (
	"context"
	"errors"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/modbus"
)

// search asks every address of the line which answer: one set wrong at the pad is the usual mistake. Its error has CodeAddress and a
// device.Found when some do, else it is why, the reason why this pad does not.
func (p *Pad) search(ctx context.Context, why error) error {
	conn, err := p.cfg.Open(ctx)
	if err != nil {
		return why
	}
	found, err := p.roll(ctx, conn)
	if closing := conn.Close(); err == nil {
		err = closing
	}
	p.cfg.Log.Info("pad_line_searched", "unit", p.unit, "to", p.upTo, "answer", found.String())
	if err != nil || len(found) == 0 {
		return errors.Join(why, err)
	}
	return &device.Error{Op: p.cfg.Name + " self-test", Code: device.CodeAddress, Err: errors.Join(why, found)}
}

// roll gives the addresses that answer, with whatever. Each has a turn of its own, so that the pads that work go on.
func (p *Pad) roll(ctx context.Context, conn transport.Conn) (found device.Found, err error) {
	for unit := byte(1); unit <= p.upTo && ctx.Err() == nil; unit++ {
		answers, err := p.there(ctx, conn, unit)
		if err != nil {
			return found, err
		}
		if answers {
			found = append(found, int(unit))
		}
	}
	return found, ctx.Err()
}

func (p *Pad) there(ctx context.Context, conn transport.Conn, unit byte) (answers bool, err error) {
	if bus, ok := conn.(transport.Bus); ok {
		release, err := bus.Turn(ctx)
		if err != nil {
			return false, err
		}
		defer release()
	}
	if _, err := transport.Discard(conn, modbus.MaxFrame, max(quietFor, p.gap)); err != nil {
		return false, err
	}
	q := modbus.Request{Unit: unit, Function: modbus.ReadInput, Count: 1}
	frame, err := q.Append(nil)
	if err != nil {
		return false, err
	}
	if err := conn.SetDeadline(time.Now().Add(p.within)); err != nil {
		return false, err
	}
	if _, err := conn.Write(frame); err != nil {
		return false, err
	}
	var d modbus.ResponseDecoder
	d.Expect(q)
	buf := make([]byte, modbus.MaxFrame)
	for {
		n, err := conn.Read(buf)
		d.Push(buf[:n])
		if _, ok := d.Next(); ok {
			return true, nil
		}
		if errors.Is(err, transport.ErrGone) {
			return false, err
		}
		if err != nil {
			return false, nil
		}
	}
}
