package huidu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/huidu"
)

const (
	tries    = 3                      // an order that the card is not ready for is sent this often
	wait     = 200 * time.Millisecond // before that
	quietFor = 100 * time.Millisecond // silence that ends what a missed answer left behind
	idleFor  = time.Millisecond       // of a line on which nothing is due: what came unasked must not be put before the answer
)

// card speaks with one card. It implements panel.Card; its fields below within are of the open connection.
type card struct {
	session *session.Session
	layout  layout
	within  time.Duration // an answer must come

	packets huidu.Decoder
	answer  huidu.Joiner
	guid    string // of the session with the card; empty: none yet
	owed    bool   // an answer is still to come
}

// show makes the card show a program. A card that refuses makes the screen degraded and gives a *device.Error with CodeBadReply, one
// that somebody else holds CodeBusy; one that is silent gives os.ErrDeadlineExceeded, one that talks nonsense session.ErrNonsense too.
func (c *card) show(ctx context.Context, conn transport.Conn, p huidu.Program) error {
	for try := 1; ; try++ {
		if err := c.greet(conn); err != nil {
			return err
		}
		xml, err := p.Order(c.guid)
		if err != nil {
			return err
		}
		a, err := c.order(conn, xml, huidu.MethodProgram)
		if err != nil {
			return err
		}
		switch {
		case a.Result == huidu.ResultSuccess:
			return nil
		case a.Result == huidu.ResultSession && try < tries:
			c.guid = "" // it has started again
		case a.Result == huidu.ResultDelayed && try < tries:
			if err := transport.Pause(ctx, wait); err != nil {
				return err
			}
		default:
			return c.refused(a)
		}
	}
}

// refused tells of an order that the card does not take.
func (c *card) refused(a huidu.Answer) error {
	code := device.CodeBadReply
	if a.Result == huidu.ResultOccupied {
		code = device.CodeBusy
	}
	c.session.Degraded(code, a.Method+": "+a.Result)
	return &device.Error{Op: a.Method, Code: code, Retry: true, Err: errors.New(a.Result)}
}

// greet opens a session with the card, unless there is one.
func (c *card) greet(conn transport.Conn) error {
	if c.guid != "" {
		return nil
	}
	answer, err := c.exchange(conn, []huidu.Packet{huidu.AskVersion()}, huidu.CmdVersionAnswer)
	if err != nil {
		return fmt.Errorf("ask the version: %w", err)
	}
	if version, status, err := huidu.ParseVersionAnswer(answer); err != nil || status != 0 {
		return badReply("ask the version", fmt.Errorf("version %X, status %d: %w", version, status, errors.Join(err, errRefused)))
	}
	a, err := c.order(conn, huidu.VersionOrder(), huidu.MethodVersion)
	if err != nil {
		return err
	}
	if a.Result != huidu.ResultSuccess {
		return c.refused(a)
	}
	if !huidu.SessionOK(a.Session) {
		return badReply("open a session", fmt.Errorf("session %.64q", a.Session))
	}
	c.guid = a.Session
	return nil
}

var errRefused = errors.New("the card refuses")

func badReply(op string, err error) error {
	return &device.Error{Op: op, Code: device.CodeBadReply, Retry: true, Err: fmt.Errorf("%w: %w", session.ErrNonsense, err)}
}

// order sends an order and gives its answer.
func (c *card) order(conn transport.Conn, xml []byte, method string) (huidu.Answer, error) {
	packets, err := huidu.Split(huidu.CmdOrder, xml)
	if err != nil {
		return huidu.Answer{}, err
	}
	p, err := c.exchange(conn, packets, huidu.CmdOrderAnswer)
	if err != nil {
		return huidu.Answer{}, fmt.Errorf("%s: %w", method, err)
	}
	a, err := huidu.ParseAnswer(p.Payload)
	if err == nil && a.Method != method {
		err = fmt.Errorf("an answer to %.64q", a.Method)
	}
	if err != nil {
		return huidu.Answer{}, badReply(method, err)
	}
	return a, nil
}

// exchange sends packets and gives the answer of the wanted kind; of orders the whole XML is its payload.
func (c *card) exchange(conn transport.Conn, packets []huidu.Packet, want huidu.Command) (huidu.Packet, error) {
	quiet := idleFor
	if c.owed { // a late answer must not be taken for this one's
		quiet = quietFor
	}
	n, err := transport.Discard(conn, huidu.MaxXML, quiet)
	c.session.Garbage(n)
	if err != nil {
		return huidu.Packet{}, err
	}
	before := c.packets.Garbage()
	defer func() { c.session.Garbage(int(c.packets.Garbage() - before)) }()
	c.packets.Reset()
	c.answer = huidu.Joiner{}
	heard := c.packets.Garbage()
	var out []byte
	for _, p := range packets {
		var err error
		if out, err = p.Append(out); err != nil {
			return huidu.Packet{}, err
		}
	}
	c.owed = true
	if err := conn.SetDeadline(time.Now().Add(c.within)); err != nil {
		return huidu.Packet{}, err
	}
	if _, err := conn.Write(out); err != nil {
		return huidu.Packet{}, err
	}
	buf := make([]byte, huidu.MaxPacket)
	for {
		n, err := conn.Read(buf)
		c.packets.Push(buf[:n])
		for p, ok := c.packets.Next(); ok; p, ok = c.packets.Next() {
			whole, done, bad := c.take(p, want)
			if bad != nil || done {
				c.owed = bad != nil
				return whole, bad
			}
		}
		if err != nil {
			return huidu.Packet{}, session.Unanswered(err, c.packets.Garbage() > heard)
		}
	}
}

// take looks at a packet that came while an answer is due.
func (c *card) take(p huidu.Packet, want huidu.Command) (answer huidu.Packet, done bool, err error) {
	switch {
	case p.Command == huidu.CmdError:
		fault, err := huidu.ParseFault(p)
		return p, false, badReply("packet", errors.Join(fault, err))
	case p.Command != want: // of something older, or a heartbeat of the card's own
		return p, false, nil
	case want != huidu.CmdOrderAnswer:
		return p, true, nil
	}
	xml, whole, err := c.answer.Add(p)
	if err != nil {
		return p, false, badReply("put the answer together", err)
	}
	return huidu.Packet{Command: want, Payload: xml}, whole, nil
}
