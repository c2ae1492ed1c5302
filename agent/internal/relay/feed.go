package relay

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/relay/pin"
	"halledge/firmware-protocols/hallsync"
)

const (
	silence     = 5 * time.Second  // without RTP: the camera is opened anew
	keyless     = 10 * time.Second // without a key frame: degraded
	settled     = time.Minute      // of pictures: the next failure is a first one again
	slowFor     = 10 * time.Second // after pictures were left out: degraded
	reportEvery = 5                // seconds between receiver reports and between bit rates
)

var errSilent = errors.New("no pictures")

// feed is one camera. Its run is the only goroutine that opens and closes it.
type feed struct {
	camera   config.Camera
	hall     string
	password string // of the hall, at a node on this machine
	source   target
	road     road // to the node
	identity *identity.Identity
	pin      *pin.Camera // by what the camera is known
	names    lookUp
	allowed  []netip.Prefix
	linger   time.Duration
	paces    paces
	dials    chan struct{} // a place for each dial at once
	buffers  *sync.Pool
	log      *slog.Logger
	kick     chan struct{}
	again    chan struct{} // somebody has said that the camera was replaced

	mu     sync.Mutex
	wanted bool
	until  time.Time // kept up to then although nobody wants it any more
	state  State
	retry  time.Time // when the next attempt is; for the state page
}

// want says whether somebody looks. Not wanting any more takes effect after the linger time.
func (f *feed) want(on bool) {
	f.mu.Lock()
	if f.wanted && !on {
		f.until = time.Now().Add(f.linger)
	}
	f.wanted = on
	f.mu.Unlock()
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// needed tells whether the camera is to be relayed now.
func (f *feed) needed(now time.Time) bool {
	if f.camera.Always {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wanted || now.Before(f.until)
}

// run keeps the camera relayed while it is needed, until ctx ends.
func (f *feed) run(ctx context.Context) {
	attempt := 0
	for f.await(ctx) {
		began := time.Now()
		err := f.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil { // nobody looks any more
			attempt = 0
			continue
		}
		if time.Since(began) > settled {
			attempt = 0
		}
		f.failed(err)
		if !f.pause(ctx, f.paces.of(err.reason).wait(attempt, rand.Float64())) {
			return
		}
		attempt++
	}
}

// await waits until the camera is needed; false when ctx ended.
func (f *feed) await(ctx context.Context) bool {
	for !f.needed(time.Now()) {
		f.set("idle", f.stranger())
		select {
		case <-ctx.Done():
			return false
		case <-f.kick:
		}
	}
	return ctx.Err() == nil
}

// pause waits before the next attempt; false when ctx ended.
func (f *feed) pause(ctx context.Context, d time.Duration) bool {
	f.mu.Lock()
	f.retry = time.Now().Add(d)
	f.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-f.again:
			return true
		case <-f.kick: // a new wish never shortens the wait: it protects the camera
		}
	}
}

// serve opens the camera and watches it until it ends; nil when it is not needed any more.
func (f *feed) serve(ctx context.Context) *endError {
	select {
	case f.dials <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	f.connecting()
	s, err := f.open(ctx)
	<-f.dials
	var ended *endError
	if errors.As(err, &ended) {
		return ended
	} else if err != nil {
		return end(CameraUnreachable, err)
	}
	defer s.close()
	f.learn(ctx)
	return f.watch(ctx, s)
}

// learn writes down by what the camera is known. One that is not written down is relayed all the same: the hall's disk may be full.
func (f *feed) learn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := f.pin.Learn(ctx); err != nil {
		f.log.Warn("camera not pinned", "error", err)
	}
}

// stranger gives the reason why the machine that was seen last at the camera's address needs a person's look; empty for none.
func (f *feed) stranger() Reason {
	switch f.pin.Standing().Verdict {
	case pin.Changed:
		return CameraChanged
	case pin.Unlike:
		return CameraUnlike
	}
	return ""
}

// watch looks after an open stream once a second.
func (f *feed) watch(ctx context.Context, s *session) *endError {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	w := watcher{began: time.Now()}
	f.progress(s, w.look(s.fwd.counters(), w.began), 0)
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-s.tap.ended:
			return end(CameraClosed, s.tap.reason())
		case <-s.sink.ended:
			return end(NodeClosed, s.sink.reason())
		case <-tick.C:
		}
		now := time.Now()
		c := s.fwd.counters()
		if now.Sub(c.last) >= silence {
			return end(CameraSilent, errSilent)
		}
		if !f.needed(now) {
			return nil
		}
		if n%reportEvery == 0 {
			s.report(now)
		}
		f.progress(s, w.look(c, now), s.sink.waiting())
	}
}

// watcher turns counters into what a person wants to know.
type watcher struct {
	began  time.Time
	at     time.Time // of bytes
	bytes  uint64
	groups uint64
	slow   time.Time // pictures were last left out
	bitsPS int64
}

type view struct {
	counters
	reason Reason
	bitsPS int64
}

func (w *watcher) look(c counters, now time.Time) view {
	if c.groups > w.groups {
		w.groups, w.slow = c.groups, now
	}
	if w.at.IsZero() {
		w.at = now
	} else if since := now.Sub(w.at); since >= reportEvery*time.Second || w.bitsPS == 0 {
		w.bitsPS = int64(float64(c.bytes-w.bytes) * 8 / since.Seconds())
		w.at, w.bytes = now, c.bytes
	}
	v := view{counters: c, bitsPS: w.bitsPS}
	switch {
	case !w.slow.IsZero() && now.Sub(w.slow) < slowFor:
		v.reason = UplinkSlow
	case now.Sub(c.key) > keyless:
		v.reason = NoKeyFrame
	}
	return v
}

// failed shows and logs why the camera is not relayed. A reason that stays the same is one line.
func (f *feed) failed(e *endError) {
	state := "offline"
	if e.reason == CameraLogin {
		state = "auth_failed"
	}
	if f.set(state, e.reason) {
		f.log.Warn("camera not relayed", "reason", string(e.reason), "error", e.err.Error())
	}
}

// connecting is shown for a first attempt; a retry keeps showing why it is one.
func (f *feed) connecting() {
	f.mu.Lock()
	idle := f.state.Reason == ""
	f.mu.Unlock()
	if idle {
		f.set("connecting", "")
	}
}

// progress shows a stream that runs.
func (f *feed) progress(s *session, v view, waiting int) {
	f.mu.Lock()
	f.state.Codec, f.state.BitsPS, f.state.Packets = s.codec, v.bitsPS, v.packets
	f.state.LostByCamera, f.state.Dropped, f.state.Gaps, f.state.Waiting = v.lost, v.dropped, v.groups, waiting
	f.mu.Unlock()
	state := "relaying"
	if v.reason != "" {
		state = "degraded"
	} else {
		v.reason = f.stranger()
	}
	if f.set(state, v.reason) {
		f.log.Info("camera relayed", "state", state, "reason", string(v.reason), "codec", s.codec)
	}
}

// set changes what is shown and tells whether it did.
func (f *feed) set(state string, reason Reason) bool {
	f.mu.Lock()
	same := f.state.State == state && f.state.Reason == string(reason)
	if !same {
		if state == "relaying" && f.state.State != "degraded" {
			f.state.Opens++
		}
		f.state.State, f.state.Reason, f.state.Since = state, string(reason), time.Now()
		if state != "relaying" && state != "degraded" {
			f.state.BitsPS = 0
		}
	}
	f.mu.Unlock()
	return !same
}

func (f *feed) snapshot() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// State is a camera's status with the figures of its present, or last, connection.
type State struct {
	hallsync.CameraStatus
	Opens        uint64 // connections that brought pictures
	LostByCamera uint64 // packets the camera left out
	Dropped      uint64 // packets left out because the line to the node was slow
	Gaps         uint64 // times that happened
	Waiting      int    // bytes waiting for the line
}
