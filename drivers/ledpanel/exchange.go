package ledpanel

import (
	"context"
	"errors"
	"fmt"
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

// ask sends a request until the card has done it. A card that refuses makes the panel degraded and gives a *device.Error with
// CodeBadReply; one that is silent gives os.ErrDeadlineExceeded, one that talks nonsense session.ErrNonsense too.
func (p *Panel) ask(ctx context.Context, conn transport.Conn, r onbon.Request) error {
	frame, err := onbon.AppendFrame(nil, onbon.Frame{Dst: p.screen, Src: onbon.Host, CardType: onbon.AnyCard, Data: r.Data()})
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		reply, err := p.exchange(conn, frame)
		switch {
		case err != nil:
			if !errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil || try == tries {
				return fmt.Errorf("command %04X: %w", uint16(r.Command), err)
			}
		case reply.Result == onbon.ResultOK:
			return nil
		case try == tries || reply.Result != onbon.ResultBusy && reply.Result != onbon.ResultCRC:
			p.session.Degraded(device.CodeBadReply, reply.Result.String())
			return &device.Error{Op: fmt.Sprintf("command %04X", uint16(r.Command)), Code: device.CodeBadReply, Retry: true, Err: errors.New(reply.Result.String())}
		default:
			if err := sleep(ctx, busyWait); err != nil {
				return err
			}
		}
	}
}

// exchange sends a frame and gives the reply of our screen.
func (p *Panel) exchange(conn transport.Conn, frame []byte) (onbon.Reply, error) {
	if p.owed { // a late reply must not be taken for this one's
		n, err := transport.Discard(conn, onbon.MaxData, quietFor)
		p.session.Garbage(n)
		if err != nil {
			return onbon.Reply{}, err
		}
	}
	before := p.replies.Garbage()
	defer func() { p.session.Garbage(int(p.replies.Garbage() - before)) }()
	p.replies.Reset()
	heard := p.replies.Garbage()
	p.owed = true
	if err := conn.SetDeadline(time.Now().Add(p.within)); err != nil {
		return onbon.Reply{}, err
	}
	if _, err := conn.Write(frame); err != nil {
		return onbon.Reply{}, err
	}
	buf := make([]byte, 512)
	for {
		n, err := conn.Read(buf)
		p.replies.Push(buf[:n])
		for f, ok := p.replies.Next(); ok; f, ok = p.replies.Next() {
			if f.Dst != onbon.Host || f.Src != p.screen {
				continue // another panel of the same line, or our own frame come back
			}
			if reply, bad := onbon.ParseReply(f.Data); bad == nil {
				p.owed = false
				return reply, nil
			}
		}
		if err != nil {
			return onbon.Reply{}, session.Unanswered(err, p.replies.Garbage() > heard)
		}
	}
}

// sleep waits for d, less when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
