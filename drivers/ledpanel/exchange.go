package ledpanel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/firmware-protocols/onbon"
)

const (
	tries    = 3                      // a frame is sent this often before the panel counts as silent
	busyWait = 200 * time.Millisecond // the card wants this pause when it says that it is busy
	quietFor = 100 * time.Millisecond // silence that ends what a missed reply left behind
)

// card speaks with one card. It implements panel.Card; its fields below within are of the open connection.
type card struct {
	session *session.Session
	layout  layout
	log     *slog.Logger
	screen  uint16
	bright  schedule
	now     func() time.Time
	within  time.Duration // a reply must come

	replies onbon.Decoder
	owed    bool // a reply is still to come
	set     byte // brightness it was told; 0: none
}

// ask sends a request until the card has done it. A card that refuses makes the panel degraded and gives a *device.Error with
// CodeBadReply; one that is silent gives os.ErrDeadlineExceeded, one that talks nonsense session.ErrNonsense too.
func (c *card) ask(ctx context.Context, conn transport.Conn, r onbon.Request) error {
	frame, err := onbon.AppendFrame(nil, onbon.Frame{Dst: c.screen, Src: onbon.Host, CardType: onbon.AnyCard, Data: r.Data()})
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		reply, err := c.exchange(conn, frame)
		switch {
		case err != nil:
			if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil || try == tries {
				return fmt.Errorf("command %04X: %w", uint16(r.Command), err)
			}
		case reply.Result == onbon.ResultOK:
			return nil
		case try == tries || reply.Result != onbon.ResultBusy && reply.Result != onbon.ResultCRC:
			c.session.Degraded(device.CodeBadReply, reply.Result.String())
			return &device.Error{Op: fmt.Sprintf("command %04X", uint16(r.Command)), Code: device.CodeBadReply, Retry: true, Err: errors.New(reply.Result.String())}
		default:
			if err := transport.Pause(ctx, busyWait); err != nil {
				return err
			}
		}
	}
}

// exchange sends a frame and gives the reply of our screen.
func (c *card) exchange(conn transport.Conn, frame []byte) (onbon.Reply, error) {
	if c.owed { // a late reply must not be taken for this one's
		n, err := transport.Discard(conn, onbon.MaxData, quietFor)
		c.session.Garbage(n)
		if err != nil {
			return onbon.Reply{}, err
		}
	}
	before := c.replies.Garbage()
	defer func() { c.session.Garbage(int(c.replies.Garbage() - before)) }()
	c.replies.Reset()
	heard := c.replies.Garbage()
	c.owed = true
	if err := conn.SetDeadline(time.Now().Add(c.within)); err != nil {
		return onbon.Reply{}, err
	}
	if _, err := conn.Write(frame); err != nil {
		return onbon.Reply{}, err
	}
	buf := make([]byte, 512)
	for {
		n, err := conn.Read(buf)
		c.replies.Push(buf[:n])
		for f, ok := c.replies.Next(); ok; f, ok = c.replies.Next() {
			if f.Dst != onbon.Host || f.Src != c.screen {
				continue // another panel of the same line, or our own frame come back
			}
			if reply, bad := onbon.ParseReply(f.Data); bad == nil {
				c.owed = false
				return reply, nil
			}
		}
		if err != nil {
			return onbon.Reply{}, session.Unanswered(err, c.replies.Garbage() > heard)
		}
	}
}
