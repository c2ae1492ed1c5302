// Package panel gives what the drivers of LED panels and strips share, whatever the make of the card: only the newest frame counts, it
// is sent again whenever the panel may have forgotten it, it flashes for a moment when it is new, and its lines are fitted to rows.
package panel

import (
	"context"
	"errors"
	"sync"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
)

// testFor is how long the picture of a self-test stays.
const testFor = 2 * time.Second

// Card is a make of panel whose pictures are of type P. Its methods are called in turns of the session, one at a time. A picture that
// the card refuses is a *device.Error with CodeBadReply: the panel is there, and the next frame may be better.
type Card[P any] interface {
	Begin()                                               // the connection is new: nothing is known of what was said before
	Blank(ctx context.Context, conn transport.Conn) error // wipes what an earlier program left
	Draw(ctx context.Context, conn transport.Conn, p P) error
	Look(ctx context.Context, conn transport.Conn) error // fails when the panel is not there; nil where nobody can know
}

// Picture is a frame as a card shows it: when it is new what Flash has, one after the other and Each apart, and then Rest.
type Picture[P any] struct {
	Flash []P
	Each  time.Duration
	Rest  P
}

// Config is how a panel is looked after.
type Config struct {
	Name    string
	Poll    time.Duration // between two looks at an idle panel
	Refresh time.Duration // after this its picture is sent again: panels forget it with their power, and say nothing
}

// Panel shows the newest picture on one card.
type Panel[P any] struct {
	cfg     Config
	session *session.Session
	card    Card[P]
	flashes chan struct{} // has a value when a picture begins to flash

	mu   sync.Mutex
	want Picture[P]
	seq  uint64 // counts pictures; 0 while there is none

	// Used in the session's turns only.
	shown   uint64 // picture on the panel; 0: unknown
	flashed uint64 // last picture whose flash began
	step    int    // of Flash, that is drawn next
	flash   bool   // the picture on the panel is one of Flash
	sent    time.Time
	trial   time.Time // until then a self-test's picture stands
}

// New makes a panel on a session of its own.
func New[P any](cfg Config, s *session.Session, card Card[P]) *Panel[P] {
	return &Panel[P]{cfg: cfg, session: s, card: card, flashes: make(chan struct{}, 1)}
}

// Show returns when the panel took this picture or a newer one. A picture that could not be shown is not forgotten: it appears when the
// panel is back, unless a newer one came.
func (p *Panel[P]) Show(ctx context.Context, picture Picture[P]) error {
	p.mu.Lock()
	p.want = picture
	p.seq++
	p.mu.Unlock()
	err := p.session.Do(ctx, "show", func(ctx context.Context, conn transport.Conn) error {
		if _, seq := p.newest(); p.shown == seq {
			return nil // the call before took this picture along
		}
		return p.draw(ctx, conn)
	})
	if err == nil {
		p.session.Job()
	}
	return err
}

// Try shows a picture for a moment, and then what stood there. Others may use the line meanwhile.
func (p *Panel[P]) Try(ctx context.Context, picture P) error {
	err := p.session.Do(ctx, "self-test", func(ctx context.Context, conn transport.Conn) error {
		p.shown = 0
		if err := p.card.Draw(ctx, conn, picture); err != nil {
			return err
		}
		p.trial = time.Now().Add(testFor)
		return nil
	})
	if err != nil {
		return err
	}
	if err := transport.Pause(ctx, testFor); err != nil {
		return err
	}
	return p.session.Do(ctx, "self-test", func(ctx context.Context, conn transport.Conn) error {
		if p.shown != 0 {
			return nil // a new picture, or the next look, was faster
		}
		return p.draw(ctx, conn)
	})
}

// Serve is one life of the connection.
func (p *Panel[P]) Serve(ctx context.Context, _ transport.Conn) error {
	if err := p.session.Do(ctx, "start", p.start); err != nil {
		return err
	}
	wait := p.cfg.Poll
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.flashes:
			wait = p.due(wait)
			continue
		case <-time.After(wait):
		}
		if err := p.session.Do(ctx, "check", p.check); err != nil {
			return err
		}
		wait = p.cfg.Poll
	}
}

// due is when the next picture of a flash comes, after one began.
func (p *Panel[P]) due(otherwise time.Duration) time.Duration {
	if want, _ := p.newest(); want.Each > 0 {
		return want.Each
	}
	return otherwise
}

// start shows the newest picture, and nothing of an earlier program's.
func (p *Panel[P]) start(ctx context.Context, conn transport.Conn) error {
	p.card.Begin()
	p.shown, p.flash = 0, false
	return Refusable(p.draw(ctx, conn))
}

// check goes on with a flash, sends the picture again, or only looks whether the panel is there.
func (p *Panel[P]) check(ctx context.Context, conn transport.Conn) error {
	var err error
	switch _, seq := p.newest(); {
	case time.Now().Before(p.trial):
	case p.shown != seq, p.flash, time.Since(p.sent) >= p.cfg.Refresh:
		err = p.draw(ctx, conn)
	default:
		if err = p.card.Look(ctx, conn); err == nil {
			p.session.Good()
		}
	}
	return Refusable(err)
}

// Refusable takes the refusal of a panel that is there and answers; its health says what it does not like. Other errors stay.
func Refusable(err error) error {
	var refused *device.Error
	if errors.As(err, &refused) && refused.Code == device.CodeBadReply && !errors.Is(err, session.ErrNonsense) {
		return nil
	}
	return err
}

// newest gives the newest picture and its number, which is 0 when there is none.
func (p *Panel[P]) newest() (Picture[P], uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want, p.seq
}

// draw sends the newest picture, or wipes the panel when there is none yet. On a new connection it wipes in any case.
func (p *Panel[P]) draw(ctx context.Context, conn transport.Conn) error {
	want, seq := p.newest()
	if p.shown == 0 || seq == 0 {
		if err := p.card.Blank(ctx, conn); err != nil {
			return err
		}
	}
	if seq > 0 {
		picture := want.Rest
		if p.flashed != seq {
			p.flashed, p.step = seq, 0
		}
		p.flash = p.step < len(want.Flash)
		if p.flash {
			picture = want.Flash[p.step]
			p.step++
		}
		if err := p.card.Draw(ctx, conn, picture); err != nil {
			return err
		}
	}
	p.shown, p.sent = seq, time.Now()
	p.session.Good()
	if p.flash {
		select {
		case p.flashes <- struct{}{}:
		default: // said already
		}
	}
	return nil
}
