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
	"sync"
	"time"

	"halledge/agent/internal/config"
	"halledge/firmware-protocols/hallsync"
)

// dialsAtOnce bounds how many cameras of a hall are opened at the same time.
const dialsAtOnce = 2

// ErrUnknownCamera is the error of Start and Stop for a code that is not configured.
var ErrUnknownCamera = errors.New("camera is not configured")

// Relay is the relay of one hall.
type Relay struct {
	feeds   []*feed
	off     bool // no node
	changed chan struct{}
}

// New checks the configuration; all problems come at once. A camera's sub-stream is relayed where it has one: it is what a
// browser can show and a village line can carry.
func New(cfg config.Relay, hall string, cameras []config.Camera, log *slog.Logger) (*Relay, error) {
	r := &Relay{off: cfg.Node == "", changed: make(chan struct{}, 1)}
	allowed, err := subnets(cfg.Subnets)
	problems := []error{err}
	var node target
	if !r.off {
		if node, err = parseTarget(cfg.Node); err != nil {
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
			source: source, node: node, allowed: allowed,
			linger: time.Duration(cfg.LingerS) * time.Second, paces: defaultPaces(),
			dials: dials, buffers: buffers, log: log.With("camera", c.Code),
			changed: r.signal, kick: make(chan struct{}, 1),
			state: State{CameraStatus: hallsync.CameraStatus{
				Code: c.Code, Name: c.Name, Scene: c.Scene, State: "idle", Since: time.Now()}},
		})
	}
	return r, errors.Join(problems...)
}

// Run relays until ctx ends, and returns when every connection is closed. Nothing that happens to a camera ends it. It may be
// called again after it returned.
func (r *Relay) Run(ctx context.Context) error {
	if r.off {
		for _, f := range r.feeds {
			f.set("idle", RelayOff)
		}
		<-ctx.Done()
		return ctx.Err()
	}
	var running sync.WaitGroup
	for _, f := range r.feeds {
		running.Go(func() { f.run(ctx) })
	}
	running.Wait()
	return ctx.Err()
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

// Changed gets a value after a camera's state or reason changed. Many changes may be one value.
func (r *Relay) Changed() <-chan struct{} { return r.changed }

func (r *Relay) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
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
