package trace

import (
	"context"
	"errors"
	"os"

	"halledge/drivers/internal/transport"
)

// Wrap gives conn with its bytes recorded on t; err is that of opening it, and given back as it is. A bus stays one.
func (t *Tape) Wrap(conn transport.Conn, err error) (transport.Conn, error) {
	if t == nil {
		return conn, err
	}
	if err != nil {
		t.note(err.Error())
		return conn, err
	}
	t.note("opened")
	if bus, ok := conn.(transport.Bus); ok {
		return &tapedBus{taped{conn, t}, bus}, nil
	}
	return &taped{conn, t}, nil
}

// taped is a connection whose bytes are recorded.
type taped struct {
	transport.Conn
	tape *Tape
}

// Under implements transport.Wrapper.
func (c *taped) Under() transport.Conn { return c.Conn }

func (c *taped) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.tape.passed(In, b[:n])
	return n, c.failed(err)
}

func (c *taped) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.tape.passed(Out, b[:n])
	return n, c.failed(err)
}

// failed notes an error that is none of a deadline or of our own Close.
func (c *taped) failed(err error) error {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, os.ErrClosed) {
		c.tape.note(err.Error())
	}
	return err
}

func (c *taped) Close() error {
	c.tape.note("closed")
	return c.Conn.Close()
}

// tapedBus is a share of a bus whose bytes are recorded.
type tapedBus struct {
	taped
	bus transport.Bus
}

// Turn implements transport.Bus.
func (c *tapedBus) Turn(ctx context.Context) (func(), error) { return c.bus.Turn(ctx) }
