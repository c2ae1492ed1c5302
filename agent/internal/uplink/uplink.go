// Package uplink gives the hall's session with the cloud over MQTT: it sends the facts of the log in order, moves the log's
// delivery cursor by the cloud's acknowledgements and by nothing else, and publishes the hall's report.
//
// A PUBACK never means stored: every broker was seen to acknowledge messages it then lost. Only the cloud's own ack, sent
// after its commit, counts. So the session needs no store of the MQTT library, no persistent session and no delivery
// guarantee beyond "usually": whatever is lost is sent again from the log. Each connection is a new client object.
package uplink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// CursorName is the log cursor that says which facts the cloud has.
const CursorName = "cloud"

// Options of New.
type Options struct {
	Hall     hallsync.HallID
	Identity *identity.Identity
	Broker   string // tcp://host:port (on this machine), tls:// or tlcp://; no other is ever taken. Empty: where the centre says
	Password string // with tcp alone: a certificate is a better proof
	Version  string
	Revision func() int64 // of hall.yaml
	Store    *store.Store
	Dirty    func() (<-chan struct{}, func()) // signals that the log has grown
	Renew    func(context.Context, int) error // begins a new epoch of the log; the cloud knows so many thousands of numbers begun today, 0: it does not say
	Pass     func(context.Context, int) error // goes on behind so many; the cloud does not know this epoch, but others of today. nil: nobody does
	Report   func() hallsync.Report           // what to publish on up/state, without Hall, Boot, Online, At, Log
	FsyncP99 func() time.Duration
	Keys     func() ([]hallsync.KeyMade, error)    // the data keys in use, wrapped for the centre; nil: nothing is sealed
	Index    func() (*hallsync.OwnIndexKey, error) // the hall's own key of the index of people, likewise; nil: it has none
	Receipt  func(context.Context, []byte) error   // takes the centre's receipt for the log; nil: nobody does
	Command  func(context.Context, []byte) error   // takes what comes on down/commands, not looked at; nil: nobody does
	Config   func(context.Context, []byte) error   // takes what comes on down/config, likewise
	Told     func(now time.Time)                   // the cloud says what time it is, give or take a second; nil: nobody asks
	Patience time.Duration                         // facts without an ack are sent again after this; 0: 10 s
	Log      *slog.Logger
}

// Uplink is the session. Run it once.
type Uplink struct {
	opts Options
	site road // as the site names it; empty: it does not
	boot string

	renewed time.Time // when the last new epoch was begun; only Run's goroutine

	mu     sync.Mutex
	status Status
	lowest time.Duration // round trip of the best clock sample of this connection
}

// Status is how the session is.
type Status struct {
	Off       bool // neither the site nor the centre says where the broker is
	Connected bool
	Since     time.Time // of Connected's value
	Acked     hallsync.Seq
	Lag       hallsync.Seq  // facts the cloud does not have yet
	Offset    time.Duration // cloud's clock minus ours, from the best sample
	Stale     bool          // the cloud knew an epoch further than we do; a new one was begun, and the question why remains
	Rejected  uint64        // facts the cloud refused by name since the start
	Refused   bool          // the broker did not accept the hall's certificate, or its name and password
	Unproven  bool          // who answers did not prove to be the centre
	Err       error         // why the last connection ended
}

// New prepares a session. It fails with *AddressError.
func New(opts Options) (*Uplink, error) {
	u := &Uplink{opts: opts, status: Status{Since: time.Now()}}
	if opts.Broker != "" {
		var err error
		if u.site, err = roadTo(opts.Broker); err != nil {
			return nil, err
		}
	}
	if opts.Patience == 0 {
		u.opts.Patience = 10 * time.Second
	}
	var r [8]byte
	if _, err := rand.Read(r[:]); err != nil {
		return nil, fmt.Errorf("draw boot id: %w", err)
	}
	u.boot, u.status.Off = fmt.Sprintf("%x", r), u.now() == road{}
	return u, nil
}

// Status gives the session's condition now.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	s := u.status
	u.mu.Unlock()
	s.Lag = u.opts.Store.Next() - 1 - min(s.Acked, u.opts.Store.Next()-1)
	return s
}

// Back-off between connections: full jitter, so that two thousand halls do not return in the same second.
const (
	backoffMin = time.Second
	backoffMax = time.Minute
	goodAfter  = time.Minute // a connection that lasted this long resets the back-off
)

// Run keeps a session until ctx ends.
func (u *Uplink) Run(ctx context.Context) error {
	acked, err := u.opts.Store.Cursor(CursorName)
	if err != nil {
		return fmt.Errorf("uplink: read cursor: %w", err)
	}
	u.update(func(s *Status) { s.Acked = acked })
	ceiling := backoffMin
	for {
		to, err := u.way(ctx)
		if err != nil {
			return err
		}
		began := time.Now()
		err = u.connection(ctx, to)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var stale *staleError
		if errors.As(err, &stale) {
			err = errors.Join(err, u.renew(ctx, stale.logs))
		}
		u.setConnected(false, err)
		u.opts.Log.Warn("uplink ended", "error", err)
		if time.Since(began) > goodAfter {
			ceiling = backoffMin
		}
		pause := backoffMin/4 + mrand.N(ceiling)
		ceiling = min(2*ceiling, backoffMax)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// renewEvery bounds how often a new epoch is begun: two boxes with one hall's name would outdo each other for ever.
const renewEvery = time.Hour

// renew begins a new epoch of the log, with everything the cloud has not.
func (u *Uplink) renew(ctx context.Context, logs int) error {
	u.update(func(s *Status) { s.Stale = true })
	if !u.renewed.IsZero() && time.Since(u.renewed) < renewEvery {
		return errors.New("uplink: another new epoch so soon; is there a second box with this hall's name?")
	}
	old := u.opts.Store.Epoch()
	if err := u.opts.Renew(ctx, logs); err != nil {
		return fmt.Errorf("uplink: begin a new epoch: %w", err)
	}
	u.renewed = time.Now()
	u.update(func(s *Status) { s.Acked = 0 })
	u.opts.Log.Error("the cloud knows this log further than it is here, new epoch begun", "old", old, "new", u.opts.Store.Epoch())
	return nil
}

// connection runs one MQTT connection from CONNECT to its end, or until the broker is elsewhere.
func (u *Uplink) connection(ctx context.Context, to road) error {
	ctx, end := u.opts.Identity.While(ctx, func() bool { return u.now() == to })
	defer end()
	c, err := u.dial(ctx, to)
	if err != nil {
		return err
	}
	defer c.close()
	u.mu.Lock()
	u.lowest = 0 // the clock may have been set since
	u.mu.Unlock()
	s := &sender{u: u, c: c}
	if err := s.greet(ctx); err != nil {
		return err
	}
	u.setConnected(true, nil)
	u.opts.Identity.Worked()
	u.opts.Log.Info("uplink connected", "acked", s.acked)
	err = s.run(ctx)
	if ctx.Err() != nil {
		c.publishReport(u.report(false))
	}
	return err
}

func (u *Uplink) setConnected(on bool, err error) {
	u.update(func(s *Status) {
		if s.Connected != on {
			s.Connected, s.Since = on, time.Now()
		}
		s.Err, s.Refused, s.Unproven = err, refused(err), identity.Unproven(err)
	})
}

// refused tells who is not let in from a bad line.
func refused(err error) bool {
	return identity.Refused(err) || errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) ||
		errors.Is(err, packets.ErrorRefusedIDRejected)
}

func (u *Uplink) update(f func(*Status)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.status)
}

// clock learns from one answer of the cloud: asked is our clock when we asked, server the cloud's when it answered. The sample
// with the shortest round trip is the best.
func (u *Uplink) clock(askedMS, serverMS int64, now time.Time) {
	trip := now.Sub(time.UnixMilli(askedMS))
	if askedMS == 0 || trip < 0 {
		return
	}
	if u.opts.Told != nil && trip < 2*time.Second {
		u.opts.Told(time.UnixMilli(serverMS).Add(trip / 2))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lowest != 0 && trip > u.lowest {
		return
	}
	u.lowest = trip
	u.status.Offset = time.UnixMilli(serverMS).Sub(now.Add(-trip / 2))
}

// report completes the hall's report for up/state.
func (u *Uplink) report(online bool) hallsync.Report {
	r := u.opts.Report()
	st := u.Status()
	r.Hall, r.Boot, r.Online, r.At, r.Version = u.opts.Hall, u.boot, online, time.Now(), u.opts.Version
	r.Log = hallsync.LogStatus{
		Epoch: u.opts.Store.Epoch(), Last: u.opts.Store.Next() - 1, Acked: st.Acked,
		FileBytes: u.opts.Store.Size(), FsyncP99Usec: u.opts.FsyncP99().Microseconds(),
	}
	return r
}

// staleError says that the cloud has facts of this epoch that are not here.
type staleError struct{ logs int } // thousands of numbers begun today that it knows

func (*staleError) Error() string { return "uplink: the cloud knows this log further than it is here" }

// errStuck says that the broker took nothing for so long that the connection is thrown away.
var errStuck = errors.New("connection is stuck")
