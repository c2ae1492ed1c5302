package rtu

import (
	"context"
	"errors"
	"log/slog"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/modbus"
)

// Search asks every address of the unit's line up to a highest one which answer: one set wrong at the device is the usual mistake. Its
// error has CodeAddress and a device.Found when some do, else it is why, the reason why this unit does not.
func (u *Unit) Search(ctx context.Context, open session.Open, upTo byte, log *slog.Logger, why error) error {
	conn, err := open(ctx)
	if err != nil {
		return why
	}
	found, err := u.roll(ctx, conn, upTo)
	if closing := conn.Close(); err == nil {
		err = closing
	}
	log.Info("line_searched", "unit", u.Address, "to", upTo, "answer", found.String())
	if err != nil || len(found) == 0 {
		return errors.Join(why, err)
	}
	return &device.Error{Op: "search the line", Code: device.CodeAddress, Err: errors.Join(why, found)}
}

// roll gives the addresses that answer, with whatever. Each has a turn of its own, so that the units that work go on.
func (u *Unit) roll(ctx context.Context, conn transport.Conn, upTo byte) (found device.Found, err error) {
	for unit := byte(1); unit <= upTo && ctx.Err() == nil; unit++ {
		answers, err := u.there(ctx, conn, unit)
		if err != nil {
			return found, err
		}
		if answers {
			found = append(found, int(unit))
		}
	}
	return found, ctx.Err()
}

func (u *Unit) there(ctx context.Context, conn transport.Conn, unit byte) (answers bool, err error) {
	if bus, ok := conn.(transport.Bus); ok {
		release, err := bus.Turn(ctx)
		if err != nil {
			return false, err
		}
		defer release()
	}
	if _, err := transport.Discard(conn, modbus.MaxFrame, max(quietFor, u.gap)); err != nil {
		return false, err
	}
	q := modbus.Request{Unit: unit, Function: modbus.ReadInput, Count: 1}
	frame, err := q.Append(nil)
	if err != nil {
		return false, err
	}
	var d modbus.ResponseDecoder
	d.Expect(q)
	if _, err = answer(conn, &d, frame, u.Within); errors.Is(err, transport.ErrGone) {
		return false, err
	}
	return err == nil, nil
}
