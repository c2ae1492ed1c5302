// Package session keeps the connection of one device: it opens it, lets the driver serve it, closes it and tries again after a
// growing pause that ends early when the device's node appears. It knows the device's health and gives callers from outside
// (a print job, a new frame) the open connection, one at a time.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"halledge/drivers/device"
	"halledge/drivers/internal/transport"
)

// goodFor is how long a connection must have lived for the next failure to start with the shortest pause again.
const goodFor = time.Minute

// Open makes the connection; its errors are those of transport.Open.
type Open func(ctx context.Context) (transport.Conn, error)

// Serve is one life of the connection: it sets the device up, then reads it or waits, and returns when it is lost or ctx ends.
// The connection is closed when ctx ends, so a blocked Read returns. A *device.Error with CodeBadConfig or CodeUnsupported ends
// the session for good; any other error, and nil, mean: open again.
type Serve func(ctx context.Context, conn transport.Conn) error

// Config is what a session needs to know.
type Config struct {
	Name string // of the device, in errors
	Node string // device node whose appearance ends a pause, or a reference to it; empty for a network device
	Root string // of sysfs and of the nodes; empty: /
	Log  *slog.Logger
}

// Session is the connection of one device over all its lives. Its methods may be called from any goroutine.
type Session struct {
	cfg    Config
	health health
	states journal
	turn   chan struct{} // holds one token: whoever has taken it may use the link

	mu   sync.Mutex
	link *link // nil between two lives
}

// link is one life of the connection.
type link struct {
	conn transport.Conn
	ctx  context.Context
	end  context.CancelCauseFunc
}

// New makes a session whose state is Starting.
func New(cfg Config) *Session {
	s := &Session{cfg: cfg, states: journal{log: cfg.Log}, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	s.health.start()
	return s
}

// Run opens, serves and reopens until ctx ends, and returns ctx's error, or until trying again is useless, and returns why.
func (s *Session) Run(ctx context.Context, open Open, serve Serve) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all.Go(func() { s.states.run(ctx) })
	p := pause{root: cmp.Or(s.cfg.Root, "/"), node: s.cfg.Node}
	for {
		before := p.identify() // a node that gets its rights while the open fails must end the pause
		lived, err := s.once(ctx, open, serve)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if useless(err) {
			s.lost(device.Unusable, err)
			return fmt.Errorf("%s: %w", s.cfg.Name, err)
		}
		s.lost(device.Offline, err)
		if lived > 0 {
			before = p.identify() // what the life itself did to the node is no news
		}
		if lived >= goodFor {
			p.reset()
		}
		if err := p.wait(ctx, before); err != nil {
			return err
		}
	}
}

// once is one life. It returns when nobody uses the connection any more.
func (s *Session) once(ctx context.Context, open Open, serve Serve) (lived time.Duration, err error) {
	conn, err := open(ctx)
	if err != nil {
		return 0, err
	}
	opened := time.Now()
	s.health.opened()
	l := &link{conn: conn}
	l.ctx, l.end = context.WithCancelCause(ctx)
	closed := make(chan struct{})
	context.AfterFunc(l.ctx, func() {
		defer close(closed)
		_ = conn.Close() // what failed here is of no use to anybody
	})
	s.setLink(l)
	defer func() { // also when serve panics
		s.setLink(nil)
		l.end(err)
		<-closed
		<-s.turn // a Do that is still running has lost its connection and ends now
		s.turn <- struct{}{}
	}()
	err = serve(l.ctx, conn)
	if cause := context.Cause(l.ctx); cause != nil {
		err = cause // a Do lost the connection; serve only saw it closed
	}
	if err == nil {
		err = errors.New("the connection ended")
	}
	return time.Since(opened), err
}

func (s *Session) setLink(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link = l
}

func (s *Session) current() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// Do runs fn with the open connection, while no other Do of this session (and, on a shared bus, of no other device) runs. fn owns
// the deadlines of the connection; they are cleared after it. When ctx ends, fn's reads and writes return at once, so Do does too.
//
// Do fails with a *device.Error in the chain: offline when no connection is open or it was lost (then the session opens a new
// one), timeout when ctx ended or a deadline passed, else what fn said; an error of another type counts as bad_reply.
// After a timeout the device may still send the rest of an answer: the next fn begins with transport.Discard.
func (s *Session) Do(ctx context.Context, op string, fn Serve) error {
	op = s.cfg.Name + " " + op
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return &device.Error{Op: op, Code: device.CodeTimeout, Retry: true, Err: ctx.Err()}
	}
	l := s.current()
	if l == nil {
		return &device.Error{Op: op, Code: device.CodeOffline, Retry: true}
	}
	if bus, ok := l.conn.(transport.Bus); ok {
		release, err := bus.Turn(ctx)
		if err != nil {
			return &device.Error{Op: op, Code: device.CodeTimeout, Retry: true, Err: err}
		}
		defer release()
	}
	return s.verdict(ctx, l, op, l.use(ctx, fn))
}

// verdict turns what fn returned into what the caller of Do gets, and ends a link that is lost.
func (s *Session) verdict(ctx context.Context, l *link, op string, err error) error {
	var de *device.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrGone):
		l.end(err)
		return fmt.Errorf("%s: %w", op, err)
	case ctx.Err() != nil:
		return &device.Error{Op: op, Code: device.CodeTimeout, Retry: true, Err: ctx.Err()}
	case l.ctx.Err() != nil:
		return &device.Error{Op: op, Code: device.CodeOffline, Retry: true, Err: context.Cause(l.ctx)}
	case errors.As(err, &de):
		return fmt.Errorf("%s: %w", op, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &device.Error{Op: op, Code: device.CodeTimeout, Retry: true, Err: err}
	default:
		return &device.Error{Op: op, Code: device.CodeBadReply, Retry: true, Err: err}
	}
}

// Every calls Do at once and then each d, until it fails or ctx ends. It suits devices that are asked, not heard: a Serve may end
// with it.
func (s *Session) Every(ctx context.Context, d time.Duration, op string, fn Serve) error {
	next := time.NewTimer(d)
	defer next.Stop()
	for {
		began := time.Now()
		if err := s.Do(ctx, op, fn); err != nil {
			return err
		}
		next.Reset(untilNext(d, began, time.Now()))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
	}
}

// untilNext is how long to wait after a call that began at a time: until the clock shows a multiple of d. So the devices of a hall are asked
// in the same moments, and the processor sleeps between them. After a call that took d or more the next is due at once.
func untilNext(d time.Duration, began, now time.Time) time.Duration {
	if now.Sub(began) >= d {
		return 0
	}
	return d - time.Duration(now.UnixNano()%int64(d))
}

// Health gives the device's condition.
func (s *Session) Health() device.Health { return s.health.get() }

// Good says that the device answered, delivered, or can do no more than be open. A session is not OK before its driver says so.
func (s *Session) Good() {
	if s.health.good() {
		s.states.write(slog.LevelInfo, "device ok")
	}
}

// Degraded says that the device is there and works less than it should, such as a printer with its cover open. detail is for
// logs and the ops page and holds no personal data. Good ends it.
func (s *Session) Degraded(code device.Code, detail string) {
	if s.health.set(device.Degraded, code, detail) {
		s.states.write(slog.LevelWarn, "device degraded", "code", string(code), "detail", detail)
	}
}

// Identify keeps which one of its kind the device says it is, also after it has gone: whoever misses it learns which one to look for.
func (s *Session) Identify(id string) { s.health.identify(id) }

// Job counts a job done or a reading delivered.
func (s *Session) Job() { s.health.count(device.Counters{Jobs: 1}) }

// Garbage counts n bytes or frames thrown away as noise.
func (s *Session) Garbage(n int) { s.health.count(device.Counters{Garbage: uint64(max(n, 0))}) }

// ErrNonsense says that something came where an answer was due, and that it was none.
var ErrNonsense = errors.New("what came is no answer")

// Unanswered gives the error of a question that err left without an answer. If noise came instead of one it is a *device.Error with
// CodeBadReply around ErrNonsense and err: the other end speaks something else, or the line spoils what it says.
func Unanswered(err error, noise bool) error {
	if !noise || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &device.Error{Op: "read the answer", Code: device.CodeBadReply, Retry: true, Err: fmt.Errorf("%w: %w", ErrNonsense, err)}
}

// lost records why a connection could not be made or ended. A fault that repeats is counted, and logged once.
func (s *Session) lost(state device.State, err error) {
	code := codeOf(err)
	s.health.count(device.Counters{Failures: 1})
	if s.health.set(state, code, err.Error()) {
		s.states.write(slog.LevelWarn, "device lost", "state", string(state), "code", string(code), "error", err)
	}
}

func codeOf(err error) device.Code {
	var de *device.Error
	switch {
	case errors.As(err, &de):
		return de.Code
	case errors.Is(err, os.ErrDeadlineExceeded):
		return device.CodeTimeout
	default:
		return device.CodeOffline
	}
}

// useless reports whether opening again cannot help before somebody changes the configuration.
func useless(err error) bool {
	code := codeOf(err)
	return code == device.CodeBadConfig || code == device.CodeUnsupported
}
