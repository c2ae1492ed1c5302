// Package relay gives the hall's cameras to the video-aggregation node: one RTSP connection to each camera, one to the node for
// each camera that is looked at, and the packets carried from one to the other.
//
// The protocol (login, set-up, keepalive) is gortsplib's on both sides, but the packets of a TCP camera never pass through it.
// The connection to the camera is a tap: it sorts what it reads into whole frames and messages, writes the frames of a picture
// straight to the node's connection in one system call, and hands the library only what the protocol needs. That costs about a
// quarter of a relay that decodes every packet. UDP cameras go through the library, and their packets are written picture by
// picture.
//
// When the line to the node is slow, whole groups of pictures are left out, never single packets. Only video is asked for;
// what people say in the hall is not relayed.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/identity"
	"halledge/agent/internal/relay/pin"
	"halledge/firmware-protocols/hallsync"
)

// dialsAtOnce bounds how many cameras of a hall are opened at the same time.
const dialsAtOnce = 2

// ErrUnknownCamera is the error of Start and Stop for a code that is not configured.
var ErrUnknownCamera = errors.New("camera is not configured")

// Relay is the relay of one hall.
type Relay struct {
	feeds    []*feed
	site     road // as the site names it
	identity *identity.Identity
	log      *slog.Logger
}

// New checks the configuration; all problems come at once. A camera's sub-stream is relayed where it has one: it is what a
// browser can show and a village line can carry. The node is reached with the box's certificate, or on this machine with the hall's
// password; where the site names none it is the one that the centre named when it enrolled the box.
// Cameras are known again by what is written in the book.
func New(cfg config.Relay, hall string, cameras []config.Camera, own *identity.Identity, book *pin.Book, log *slog.Logger) (*Relay, error) {
	r := &Relay{identity: own, log: log}
	allowed, err := subnets(cfg.Subnets)
	problems := []error{err}
	if cfg.Node != "" {
		if r.site, err = roadTo(cfg.Node); err != nil {
			problems = append(problems, fmt.Errorf("relay.node: %w", err))
		}
	}
	dials := make(chan struct{}, dialsAtOnce)
	buffers := &sync.Pool{New: func() any { return new([bufferSize]byte) }}
	for _, c := range cameras {
		if r.find(c.Code) != nil {
			problems = append(problems, fmt.Errorf("camera %s: there are two of them", c.Code))
			continue
		}
		address := c.URL
		if c.SubURL != "" {
			address = c.SubURL
		}
		source, err := parseTarget(address)
		if err != nil {
			problems = append(problems, fmt.Errorf("camera %s: %w", c.Code, err))
			continue
		}
		r.feeds = append(r.feeds, &feed{
			camera: c, hall: hall, password: cfg.Password.Reveal(),
			source: source, identity: own, names: net.DefaultResolver.LookupNetIP, allowed: allowed,
			pin:    pin.NewCamera(c.Code, pin.Machine{MAC: string(c.MAC), Key: string(c.Key)}, book),
			linger: time.Duration(cfg.LingerS) * time.Second, paces: defaultPaces(),
			dials: dials, buffers: buffers, log: log.With("camera", c.Code),
			kick: make(chan struct{}, 1), again: make(chan struct{}, 1),
			state: State{CameraStatus: hallsync.CameraStatus{
				Code: c.Code, Name: c.Name, Scene: c.Scene, State: "idle", Since: time.Now()}},
		})
	}
	return r, errors.Join(problems...)
}

// Run relays until ctx ends, and returns when every connection is closed. Nothing that happens to a camera ends it. It may be
// called again after it returned.
func (r *Relay) Run(ctx context.Context) error {
	for {
		to, err := r.way(ctx)
		if err != nil {
			return err
		}
		r.over(ctx, to)
	}
}

// over relays over a road until ctx ends, or until the centre names another one.
func (r *Relay) over(ctx context.Context, to road) {
	ctx, end := r.identity.While(ctx, func() bool { return r.now() == to })
	defer end()
	var running sync.WaitGroup
	for _, f := range r.feeds {
		f.road = to
		running.Go(func() { f.run(ctx) })
	}
	running.Wait()
}

// Start says that somebody wants to see a camera. Saying it twice is the same as once.
func (r *Relay) Start(code string) error { return r.want(code, true) }

// Stop says that nobody wants to see a camera any more; it is closed after relay.linger_s.
func (r *Relay) Stop(code string) error { return r.want(code, false) }

func (r *Relay) want(code string, on bool) error {
	f := r.find(code)
	if f == nil {
		return ErrUnknownCamera
	}
	f.want(on)
	return nil
}

// Status gives every camera's status in the order of the configuration.
func (r *Relay) Status() []hallsync.CameraStatus {
	out := make([]hallsync.CameraStatus, len(r.feeds))
	for i, f := range r.feeds {
		out[i] = f.snapshot().CameraStatus
	}
	return out
}

// States gives the same with the counters.
func (r *Relay) States() []State {
	out := make([]State, len(r.feeds))
	for i, f := range r.feeds {
		out[i] = f.snapshot()
	}
	return out
}

// Known is how a camera is, and by what it is known.
type Known struct {
	hallsync.CameraStatus
	pin.Standing
}

// Known gives that of every camera in the order of the configuration.
func (r *Relay) Known() []Known {
	out := make([]Known, len(r.feeds))
	for i, f := range r.feeds {
		out[i] = Known{f.snapshot().CameraStatus, f.pin.Standing()}
	}
	return out
}

// Again opens a camera at once that waits, because somebody has said that the machine that was seen is the camera.
func (r *Relay) Again(code string) {
	if f := r.find(code); f != nil {
		select {
		case f.again <- struct{}{}:
		default:
		}
	}
}

func (r *Relay) find(code string) *feed {
	for _, f := range r.feeds {
		if f.camera.Code == code {
			return f
		}
	}
	return nil
}
