// Package media gives the video-aggregation node: halls publish their cameras to it over RTSP, browsers see them over WebRTC and
// other platforms read them over RTSP. It keeps no pictures beyond the last seconds.
package media

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/media/fanout"
	"halledge/cloud/internal/media/ingest"
	"halledge/cloud/internal/media/whep"
)

// Config is what a node needs. Registry, Authorize and Messages must be set.
type Config struct {
	RTSP      string         // host:port on the loopback for halls and other platforms; port 0 lets the system choose
	Secured   []net.Listener // ways to the same by TLS and TLCP, of package gate
	WebRTC    string         // host:port for browsers, one UDP and one TCP port of the same number
	Addresses []string       // IP addresses under which browsers reach the node; empty: those of its interfaces
	Registry  ingest.Registry
	// Authorize says whether a WHEP request may see a camera, and for how long; see whep.Config.
	Authorize func(r *http.Request, camera string) (Permit, error)
	Messages  *problem.Catalog
	// Demand is told when the first receiver of a camera comes and when the last one has gone, so that the hall can be asked to
	// start and stop relaying it. Changed is told when a camera began or stopped arriving or its receivers changed. Both may be
	// nil; they are called in order and must not block or call back.
	Demand  func(camera string, wanted bool)
	Changed func(camera string)
	// Watched is told when another platform begins to read a camera over RTSP, before it gets the first picture. It may be nil.
	Watched func(camera, user, remote string)
}

// Status is one camera at this node.
type Status = fanout.Status

// Permit lets somebody look at a camera for as long as it lasts.
type Permit = whep.Permit

// Media is a node.
type Media struct {
	hub    *fanout.Hub
	ingest *ingest.Server
	whep   *whep.Server
}

// New opens the ports. Run serves them.
func New(cfg Config, log *slog.Logger) (*Media, error) {
	if cfg.Demand == nil {
		cfg.Demand = func(string, bool) {}
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	if cfg.Watched == nil {
		cfg.Watched = func(string, string, string) {}
	}
	hub := fanout.NewHub(cfg.Demand, cfg.Changed)
	in, err := ingest.Listen(cfg.RTSP, cfg.Secured, cfg.Registry, hub, cfg.Watched, log)
	if err != nil {
		return nil, err
	}
	out, err := whep.Listen(whep.Config{
		Listen: cfg.WebRTC, Addresses: cfg.Addresses, Authorize: cfg.Authorize, Messages: cfg.Messages,
		Known: func(camera string) bool { _, ok := cfg.Registry.Hall(camera); return ok },
	}, hub, log)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return &Media{hub: hub, ingest: in, whep: out}, nil
}

// Run serves until ctx ends, or until one of the ports fails, and returns when every connection is closed. It is called once.
func (m *Media) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	viewers := make(chan error, 1)
	go func() {
		defer cancel()
		viewers <- m.whep.Run(ctx)
	}()
	err := m.ingest.Run(ctx)
	cancel()
	return errors.Join(err, <-viewers)
}

// Close closes the ports of a node that is not run.
func (m *Media) Close() error { return errors.Join(m.ingest.Close(), m.whep.Close()) }

// Handler is the WHEP endpoint, to be mounted at /whep/.
func (m *Media) Handler() http.Handler { return m.whep }

// Cameras gives every camera that was published or asked for since the start, in the order of their codes.
func (m *Media) Cameras() []Status { return m.hub.Cameras() }

// RTSPAddr gives the address of the RTSP port.
func (m *Media) RTSPAddr() net.Addr { return m.ingest.Addr() }

// WebRTCAddr gives the address of the UDP and of the TCP port of browsers.
func (m *Media) WebRTCAddr() *net.TCPAddr { return m.whep.Addr() }
