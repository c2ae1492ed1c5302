// Package sdtreader drives second-generation identity-card readers that speak the SDT protocol over a serial line, a USB adapter that
// plays one, or the bulk endpoints of their own USB device. It looks for a card a few times a second, reads each card once and
// forgets it.
package sdtreader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/session"
	"halledge/drivers/internal/transport"
	"halledge/drivers/registry"
	"halledge/firmware-protocols/sdt"
)

// How long the reader may take to answer. Reading includes a second of radio and, at 9600 baud, 1.4 s of line.
const (
	answerIn = 500 * time.Millisecond
	readIn   = 3 * time.Second
	quietFor = 200 * time.Millisecond // silence that ends what a missed answer left behind, once its time is over
	brokenIn = 300 * time.Millisecond // silence in the midst of an answer after which the rest does not come
)

// maxMisses is how many looks in a row may stay without an answer before the connection counts as lost.
const maxMisses = 3

// Reader is one card reader.
type Reader struct {
	cfg     registry.Config
	session *session.Session
	every   time.Duration
	newest  bool
	photo   bool
	cards   chan device.IDCard
	unread  *session.Unread

	speeds []int // of a serial line: configured speed first; the reader may be set to another
	speed  int   // index of the speed to open with

	// Of the open connection; used in the session's turns only.
	replies sdt.ReplyDecoder
	owed    time.Time // until when an answer may still come that belongs to no question any more; zero: none does
	misses  int

	seen presence // of all connections; used in the session's turns only
}

// headLen is how much of a frame readers with two pairs of bulk endpoints take and give over the first pair: the preamble and the
// length.
const headLen = 7

// New makes a reader. Options: find_every (time between two looks, default 300ms), newest_address (ask for the address a card got
// later, default false), photo (hand the compressed photo out with the card, default false) and usb_head (bytes of a frame that go
// over the first pair of endpoints where a USB reader has two, default 7; 0: everything does).
func New(cfg registry.Config) (device.Device, error) {
	o := registry.NewOptions(cfg)
	cfg.Connect.Head = o.Int("usb_head", headLen, 0, headLen)
	r := &Reader{
		cfg:    cfg,
		every:  o.Duration("find_every", 300*time.Millisecond, 50*time.Millisecond, 5*time.Second),
		newest: o.Bool("newest_address", false),
		photo:  o.Bool("photo", false),
		cards:  make(chan device.IDCard, 1),
		speeds: []int{cfg.Connect.Baud},
		seen:   newPresence(),
	}
	if err := o.Err(); err != nil {
		return nil, err
	}
	for _, baud := range []int{115200, 57600, 38400, 19200, 9600} {
		if cfg.Connect.Serial != "" && !slices.Contains(r.speeds, baud) {
			r.speeds = append(r.speeds, baud)
		}
	}
	r.session = session.New(session.Config{Name: cfg.Name, Node: cfg.Connect.Path(), Log: cfg.Log})
	r.unread = r.session.NewUnread(device.CodeCardsUnread)
	return r, nil
}

// Run implements device.Device.
func (r *Reader) Run(ctx context.Context) error {
	defer close(r.cards)
	defer r.unread.Close()
	return r.session.Run(ctx, r.open, r.serve)
}

// Health implements device.Device.
func (r *Reader) Health() device.Health { return r.session.Health() }

// Cards implements device.IDCardReader. A card that nobody took gives way to the next one.
func (r *Reader) Cards() <-chan device.IDCard { return r.cards }

// Unread implements device.IDCardReader.
func (r *Reader) Unread() <-chan device.Unread { return r.unread.C() }

// SelfTest asks the reader's security module how it is.
func (r *Reader) SelfTest(ctx context.Context) error {
	return r.session.Do(ctx, "self-test", r.checkModule)
}

func (r *Reader) open(ctx context.Context) (transport.Conn, error) {
	cfg := r.cfg
	cfg.Connect.Baud = r.speeds[r.speed]
	return cfg.Open(ctx)
}

// serve is one life of the connection.
func (r *Reader) serve(ctx context.Context, _ transport.Conn) error {
	if err := r.session.Do(ctx, "start", r.start); err != nil {
		return err
	}
	return r.session.Every(ctx, r.every, "find", r.look)
}

// start makes sure that a reader is there and says which one it is.
func (r *Reader) start(ctx context.Context, conn transport.Conn) error {
	r.replies.Reset()
	r.misses = 0
	r.seen.reconnected()
	err := r.checkModule(ctx, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.speed = (r.speed + 1) % len(r.speeds) // perhaps it listens at another speed
	}
	if err != nil {
		return err
	}
	reply, err := r.ask(conn, sdt.CmdSAMNumber, answerIn)
	if err != nil {
		return err
	}
	r.unread.Read()
	number, err := reply.SAMNumber()
	if err != nil { // an older module without a number reads cards all the same
		r.cfg.Log.Warn("reader_number_unknown", "error", err)
		r.session.Identify("")
		return nil
	}
	r.session.Identify(number.String())
	r.cfg.Log.Info("reader_found", "sam", number.String(), "at", r.cfg.Connect.String(), "baud", r.speeds[r.speed])
	return nil
}

// checkModule asks for the module's condition, and resets it once if it is not well.
func (r *Reader) checkModule(_ context.Context, conn transport.Conn) error {
	reply, err := r.ask(conn, sdt.CmdStatus, answerIn)
	if err == nil && reply.Status.Action() == sdt.ResetOnce {
		if _, err = r.ask(conn, sdt.CmdReset, readIn); err == nil {
			reply, err = r.ask(conn, sdt.CmdStatus, answerIn)
		}
	}
	if err != nil {
		return err
	}
	if !reply.Status.OK() {
		return outOfService(reply.Status)
	}
	r.unread.Answered()
	return nil
}

// outOfService is for a module that answers something else than that it is well: it tells of its own fault, or it is no such module.
func outOfService(s sdt.Status) error {
	code := device.CodeBadReply
	switch s.Action() {
	case sdt.ResetOnce, sdt.OutOfService:
		code = device.CodeFaulty
	}
	return &device.Error{Op: "ask the security module", Code: code, Retry: true, Err: errors.New(s.String())}
}

// ask sends a command and gives its answer; a command that arrived damaged is sent once more. The answer is valid until the next ask.
func (r *Reader) ask(conn transport.Conn, c sdt.Command, within time.Duration) (sdt.Reply, error) {
	reply, err := r.exchange(conn, c, within)
	if err == nil && reply.Status.Action() == sdt.Resend {
		reply, err = r.exchange(conn, c, within)
	}
	return reply, err
}

// exchange sends a command and waits for its answer. Answers do not say what they answer: one that comes late must not be taken
// for the next command's, or somebody would get the identity of who stood there before.
func (r *Reader) exchange(conn transport.Conn, c sdt.Command, within time.Duration) (sdt.Reply, error) {
	if err := r.forget(conn); err != nil {
		return sdt.Reply{}, err
	}
	before := r.replies.Garbage()
	r.replies.Reset()
	defer func() { r.session.Garbage(int(r.replies.Garbage() - before)) }()
	end := time.Now().Add(within)
	r.owed = end
	if err := conn.SetDeadline(end); err != nil {
		return sdt.Reply{}, err
	}
	if _, err := conn.Write(sdt.AppendRequest(nil, c)); err != nil {
		return sdt.Reply{}, err
	}
	buf := make([]byte, 1024)
	defer clear(buf) // it held a card
	heard := false
	for {
		n, err := conn.Read(buf)
		r.replies.Push(buf[:n])
		if reply, ok := r.replies.Next(); ok {
			r.owed = time.Time{}
			return reply, nil
		}
		if err != nil {
			return sdt.Reply{}, fmt.Errorf("command %04X: %w", uint16(c), session.Unanswered(err, heard))
		}
		heard = true
		if broken := time.Now().Add(brokenIn); r.replies.Begun() && broken.Before(end) {
			r.owed = broken // what began was the answer, and a rest without its beginning is none
			if err := conn.SetReadDeadline(broken); err != nil {
				return sdt.Reply{}, err
			}
		}
	}
}

// forget throws away what comes until an answer that was missed can come no more and the line is quiet. A line that never is does
// not hold it up for longer.
func (r *Reader) forget(conn transport.Conn) error {
	const most = 2 * sdt.MaxLength
	for !r.owed.IsZero() {
		began := time.Now()
		n, err := transport.Discard(conn, most, quietFor)
		r.session.Garbage(n)
		now := time.Now()
		switch {
		case err != nil:
			return err
		case !now.Before(r.owed.Add(quietFor)):
			r.owed = time.Time{}
		case n < most && now.Sub(began) < quietFor:
			return os.ErrDeadlineExceeded // the turn is over
		}
	}
	return nil
}

// deliver hands a card out; one that nobody took yet is dropped, because its owner has gone.
func (r *Reader) deliver(c device.IDCard) {
	select {
	case <-r.cards:
		r.cfg.Log.Warn("card_dropped", "reason", "nobody took it")
	default:
	}
	r.session.Job()
	r.cards <- c // only this goroutine sends, so there is room
	r.cfg.Log.Info("card_read", slog.String("kind", c.Kind))
}
