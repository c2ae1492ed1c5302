package rtu_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/drivertest/farend"
	"halledge/drivers/internal/rtu"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/modbus"
)

// far is a line with pads on it that answers as reply says.
func far(t *testing.T, reply func(q modbus.Request) []byte, units ...byte) transport.Conn {
	t.Helper()
	line := farend.NewPTY(t.TempDir()+"/tty", func(rw io.ReadWriter) {
		decoders := make([]*modbus.RequestDecoder, len(units))
		for i, u := range units {
			decoders[i] = modbus.NewRequestDecoder(u)
		}
		farend.Converse(rw, func(b []byte) (out []byte) {
			for _, d := range decoders {
				d.Push(b)
				for q, ok := d.Next(); ok; q, ok = d.Next() {
					out = append(out, reply(q)...)
				}
			}
			return out
		})
	})
	if err := line.Plug(); err != nil {
		t.Fatal(err)
	}
	conn, err := transport.Open(t.Context(), transport.Spec{Serial: line.Path()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(conn.Close(), line.Unplug()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func frame(t *testing.T, a modbus.Response) []byte {
	t.Helper()
	b, err := a.Append(nil)
	if err != nil {
		t.Error(err)
	}
	return b
}

func TestUnit(t *testing.T) {
	var busy, noise atomic.Int32
	pad := modbus.NewPad(3)
	pad.Press(modbus.PadRecall)
	conn := far(t, func(q modbus.Request) []byte {
		if busy.Add(-1) >= 0 {
			return append([]byte{3, 4, 0xF0}, frame(t, modbus.Response{Unit: 3, Function: q.Function, Exception: modbus.DeviceBusy})...)
		}
		a, _ := pad.Handle(q)
		return frame(t, a)
	}, 3)
	u := rtu.New(3, 9600, 5*time.Second, func(n int) { noise.Add(int32(n)) })
	if r, err := u.Inputs(t.Context(), conn, 2); err != nil || len(r) != 2 || r[1] != uint16(modbus.PadRecall) {
		t.Errorf("inputs %v, %v", r, err)
	}
	busy.Store(2)
	if err := u.Set(t.Context(), conn, modbus.PadAckAt, 1); err != nil || pad.Acknowledged() != 1 {
		t.Errorf("a unit that is busy for a while: %v", err)
	}
	if noise.Load() == 0 {
		t.Error("nobody was told of the noise")
	}
	busy.Store(3)
	var de *device.Error
	if err := u.Set(t.Context(), conn, modbus.PadAckAt, 2); !errors.As(err, &de) || de.Code != device.CodeBadReply || !errors.Is(err, modbus.DeviceBusy) {
		t.Errorf("a unit that stays busy: %v", err)
	}
	if err := u.Set(t.Context(), conn, modbus.PadHoldings, 0, 0); !errors.Is(err, modbus.IllegalAddress) || rtu.Passing(err) {
		t.Errorf("beyond the last register: %v", err)
	}
}

// An answer that came too late is not taken for that of the next question.
func TestLateAnswer(t *testing.T) {
	var late atomic.Bool
	pad := modbus.NewPad(3)
	asked := make(chan struct{}, 8)
	conn := far(t, func(q modbus.Request) []byte {
		a, _ := pad.Handle(q)
		asked <- struct{}{}
		if late.Swap(false) {
			pad.Press(modbus.PadPass)
			return frame(t, a)[:4] // the rest stays in the pad
		}
		return frame(t, a)
	}, 3)
	u := rtu.New(3, 9600, 100*time.Millisecond, func(int) {})
	late.Store(true)
	if _, err := u.Inputs(t.Context(), conn, 2); !errors.Is(err, os.ErrDeadlineExceeded) || !rtu.Passing(err) {
		t.Fatalf("half an answer: %v", err)
	}
	u.Within = 5 * time.Second
	if r, err := u.Inputs(t.Context(), conn, 2); err != nil || r[0] != 1 {
		t.Errorf("inputs %v, %v", r, err)
	}
	if len(asked) != 2 {
		t.Errorf("it was asked %d times", len(asked))
	}
	u.Reset()
	if r, err := u.Inputs(t.Context(), conn, 2); err != nil || r[0] != 1 {
		t.Errorf("after a reset: inputs %v, %v", r, err)
	}
}

// A line that a caller hears of is one that nobody answers on, or one with the addresses that do.
func TestSearch(t *testing.T) {
	why := errors.New("no answer")
	log := slog.New(slog.DiscardHandler)
	search := func(conn transport.Conn) error {
		u := rtu.New(3, 9600, 50*time.Millisecond, func(int) {})
		return u.Search(t.Context(), func(context.Context) (transport.Conn, error) { return shared{conn}, nil }, 6, log, why)
	}
	pads := map[byte]*modbus.Pad{2: modbus.NewPad(2), 5: modbus.NewPad(5), 9: modbus.NewPad(9)}
	answering := far(t, func(q modbus.Request) []byte {
		a, _ := pads[q.Unit].Handle(q)
		return frame(t, a)
	}, 2, 5, 9)
	var found device.Found
	if err := search(answering); !errors.As(err, &found) || found.String() != "2, 5" || !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if err := search(far(t, func(modbus.Request) []byte { return nil })); !errors.Is(err, why) || errors.As(err, new(device.Found)) {
		t.Errorf("on a dead line: %v", err)
	}
}

// shared is somebody's share of a line: closing it does not end the line.
type shared struct{ transport.Conn }

func (shared) Close() error { return nil }
