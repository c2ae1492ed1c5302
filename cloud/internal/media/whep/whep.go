// Package whep gives browsers the pictures of cameras over WebRTC. The protocol is WHEP: POST an SDP offer to /whep/{camera},
// get the answer with 201 and the session's address in Location, DELETE that to end it. All candidates are in the answer, so
// there is no trickling. Everything goes through one UDP and one TCP port.
//
// A viewer sees the picture at once: it is sent the pictures since the last key frame, which the fan-out keeps. Packets are cut
// once per camera; per viewer they are only numbered and encrypted, and kept by reference for when it misses some.
package whep

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/media/fanout"
)

// Prefix is where the handler wants to be mounted.
const Prefix = "/whep/"

// The problems of the endpoint.
const (
	NotAllowed    problem.Code = "not_allowed"
	CameraUnknown problem.Code = "camera_unknown"
	NotLive       problem.Code = "camera_not_live" // no pictures arrive from the hall
	CameraCodec   problem.Code = "camera_codec"    // its codec is not H.264: {codec}
	ViewerCodec   problem.Code = "viewer_codec"    // the browser takes no H.264
	OfferInvalid  problem.Code = "offer_invalid"   // the body is no SDP offer
	ViewersFull   problem.Code = "viewers_full"
	SessionGone   problem.Code = "session_gone"
	NotMethod     problem.Code = "method_not_allowed" // {method}
	BodyLarge     problem.Code = "body_too_large"     // {limit}
	BodySlow      problem.Code = "body_slow"
)

const (
	maxOffer = 64 << 10
	// arrive is how long a viewer waits for a camera that has to be asked for.
	arrive = 10 * time.Second
	gather = 2 * time.Second
)

// Config is what a Server needs.
type Config struct {
	Listen    string   // host:port, UDP and TCP; port 0 lets the system choose
	Addresses []string // IP addresses under which viewers reach the node; empty: those of its interfaces
	// Authorize says whether a request may see a camera, and for how long. A problem.Problem as its error is answered as it is,
	// any other error as 403 not_allowed.
	Authorize func(r *http.Request, camera string) (Permit, error)
	// Known says whether a camera is registered.
	Known    func(camera string) bool
	Messages *problem.Catalog
	// MaxViewers bounds all sessions, MaxPerCamera those of one camera. 0: 500 and 100.
	MaxViewers, MaxPerCamera int
}

// Permit lets somebody look until Done is closed. Release is called once, when the looking has ended or never began. The zero
// Permit does not end.
type Permit struct {
	Done    <-chan struct{}
	Release func()
}

// Server is the endpoint and its ports.
type Server struct {
	cfg   Config
	hub   *fanout.Hub
	log   *slog.Logger
	ports *ports
	api   *webrtc.API
	ctx   context.Context // until Run ends
	end   context.CancelFunc
	// connect is how long a viewer has from its offer until the line is up.
	connect time.Duration

	mu       sync.Mutex
	sessions map[string]*session
	places   map[string]int // taken, by camera; more than sessions while one is being made
	taken    int
	closed   bool
}

// Listen opens the ports. Run serves them.
func Listen(cfg Config, hub *fanout.Hub, log *slog.Logger) (*Server, error) {
	if cfg.MaxViewers == 0 {
		cfg.MaxViewers = 500
	}
	if cfg.MaxPerCamera == 0 {
		cfg.MaxPerCamera = 100
	}
	p, err := openPorts(cfg.Listen, log)
	if err != nil {
		return nil, err
	}
	api, err := newAPI(p, cfg.Addresses, log)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	ctx, end := context.WithCancel(context.Background())
	return &Server{cfg: cfg, hub: hub, log: log, ports: p, api: api, ctx: ctx, end: end, connect: connectTimeout,
		sessions: make(map[string]*session), places: make(map[string]int)}, nil
}

// Addr gives the address of the UDP and of the TCP port; the numbers are the same.
func (s *Server) Addr() *net.TCPAddr { return s.ports.addr }

// Run waits until ctx ends, then ends every session and closes the ports. It is called once.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	return errors.Join(ctx.Err(), s.Close())
}

// Close ends every session, waits for them, and closes the ports.
func (s *Server) Close() error {
	s.end()
	s.mu.Lock()
	s.closed = true
	open := make([]*session, 0, len(s.sessions))
	for _, v := range s.sessions {
		open = append(open, v)
	}
	s.mu.Unlock()
	for _, v := range open {
		v.stop()
	}
	for _, v := range open {
		<-v.ended
	}
	return s.ports.close()
}

// take takes a place for a viewer.
func (s *Server) take(camera string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.taken >= s.cfg.MaxViewers || s.places[camera] >= s.cfg.MaxPerCamera {
		return false
	}
	s.taken++
	s.places[camera]++
	return true
}

func (s *Server) leave(camera string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.places[camera]--; s.places[camera] == 0 {
		delete(s.places, camera)
	}
}

// begin makes a session for somebody who has a place, and starts it. Whatever it refuses, the place is free again.
func (s *Server) begin(ctx context.Context, camera, offer string, permit Permit) (*session, *problem.Problem) {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, arrive)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	unwant, err := s.hub.Want(ctx, camera)
	release := func() {
		unwant()
		s.leave(camera)
	}
	refuse := func(status int, code problem.Code, args map[string]string) (*session, *problem.Problem) {
		release()
		p := s.cfg.Messages.Problem(status, code, args)
		return nil, &p
	}
	if err != nil {
		return refuse(http.StatusConflict, NotLive, nil)
	}
	info, err := s.hub.Live(camera)
	switch {
	case err != nil:
		return refuse(http.StatusConflict, NotLive, nil)
	case info.Codec != fanout.H264:
		return refuse(http.StatusNotAcceptable, CameraCodec, map[string]string{"codec": info.Codec})
	}
	v := &session{id: rand.Text(), camera: camera, asked: asked, permit: permit.Done, connect: s.connect, hub: s.hub, log: s.log, track: newTrack(info.Profile),
		up: make(chan struct{}), down: make(chan struct{}), quit: make(chan struct{}), again: make(chan struct{}, 1),
		nacks: make(chan []uint16, requests), ended: make(chan struct{})}
	if err := s.negotiate(v, offer); err != nil {
		if errors.Is(err, errNoCodec) {
			return refuse(http.StatusNotAcceptable, ViewerCodec, nil)
		}
		s.log.Debug("offer refused", "camera", camera, "error", err.Error())
		return refuse(http.StatusBadRequest, OfferInvalid, nil)
	}
	if !s.keep(v, func() { release(); permit.Release() }) {
		_ = v.pc.GracefulClose() // it never was up
		return refuse(http.StatusServiceUnavailable, ViewersFull, nil)
	}
	go v.serve()
	return v, nil
}

// keep adds a session, unless the server is closing.
func (s *Server) keep(v *session, release func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.sessions[v.id] = v
	v.release = func() {
		s.mu.Lock()
		delete(s.sessions, v.id)
		s.mu.Unlock()
		release()
	}
	return true
}
