// Package web gives the hall's HTTP server: the interface for programs (api), the pages for people (pages), and the door before
// both (access).
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/api"
	"halledge/agent/internal/web/inputs"
	"halledge/agent/internal/web/pages"
	"halledge/agent/kit/limit"
	"halledge/agent/kit/logs"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Deps are what the server is built from; all are required.
type Deps struct {
	Listener net.Listener // the open port; the server closes it
	Site     *config.Site
	Plan     *config.Plan
	Hall     *hall.Hall
	Facts    api.Facts // the store's log
	Signer   *codes.Signer
	Codes    *codes.Recogniser
	Devices  api.Devices
	Sounds   api.Sounds
	Edit     func(config.Edit) (text []byte, problems strictyaml.Problems, err error) // the plan after an edit
	Health   func() []hallsync.Condition                                              // findings that are visible now
	Ring     *logs.Ring                                                               // the log's last lines
	Catalog  *problem.Catalog
	Metrics  *prometheus.Registry
	Log      *slog.Logger
	Now      func() time.Time // the hall's time
}

// Server is the hall's HTTP server.
type Server struct {
	deps    Deps
	door    *access.Door
	inputs  *inputs.Desk
	flights *api.Flights
	listen  net.Listener
	http    *http.Server
	front   atomic.Pointer[front]
}

// front is what is answered by one plan of the hall.
type front struct {
	http.Handler
	api    *api.API
	kiosks []config.Kiosk
}

// Limits of what is served. Streams set their own, longer times.
const (
	headerTime = 5 * time.Second
	bodyTime   = 30 * time.Second
	answerTime = time.Minute
	idleTime   = 2 * time.Minute
	stopTime   = 5 * time.Second
	maxHeader  = 16 << 10
	maxConns   = 1024
)

// limits are those that tests of their own cannot wait for or fill.
type limits struct {
	header, body, idle time.Duration
	conns              int
}

// New prepares the server. Run serves.
func New(d Deps) (*Server, error) {
	return build(d, limits{header: headerTime, body: bodyTime, idle: idleTime, conns: maxConns})
}

func build(d Deps, lim limits) (*Server, error) {
	door, err := access.New(access.Options{
		Web: d.Site.Web, Data: d.Site.Data, Staff: d.Plan.Staff, TakesPerS: d.Plan.Rules.TakesPerS, Tickets: d.Signer, Catalog: d.Catalog,
		Log: d.Log.With("part", "access"),
	})
	if err != nil {
		return nil, err
	}
	s := &Server{deps: d, door: door, inputs: inputs.New(), flights: api.NewFlights()}
	if err := s.arrange(d.Plan); err != nil {
		return nil, err
	}
	measured, err := s.measure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.front.Load().ServeHTTP(w, r) }))
	if err != nil {
		return nil, err
	}
	listen := limit.New(d.Listener, lim.conns)
	s.listen = listen
	s.http = &http.Server{
		Handler: deadlines(lim.body, door.Wrap(measured)), ReadHeaderTimeout: lim.header, IdleTimeout: lim.idle, MaxHeaderBytes: maxHeader,
		ConnState: listen.State, ErrorLog: slog.NewLogLogger(d.Log.With("part", "http").Handler(), slog.LevelDebug),
	}
	return s, nil
}

// arrange makes the front for a plan.
func (s *Server) arrange(plan *config.Plan) error {
	d := s.deps
	next := &front{kiosks: plan.Kiosks, api: api.New(api.Options{
		Hall: d.Hall, Facts: d.Facts, Site: d.Site, Plan: plan, Door: s.door, Inputs: s.inputs, Codes: d.Codes, Signer: d.Signer,
		Devices: d.Devices, Sounds: d.Sounds, Health: d.Health, Ring: d.Ring, Catalog: d.Catalog, Edit: d.Edit, Flights: s.flights, Log: d.Log.With("part", "api"), Now: d.Now,
	})}
	site, err := pages.New(pages.Options{
		Site: d.Site, Plan: plan, Door: s.door, Signer: d.Signer, Catalog: d.Catalog, Log: d.Log.With("part", "pages"), Now: d.Now,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	next.api.Register(mux)
	site.Register(mux)
	mux.HandleFunc("POST /sign-in", s.door.SignIn)
	mux.HandleFunc("POST /sign-out", s.door.SignOut)
	mux.HandleFunc("POST /pair", s.door.Pair)
	s.probes(mux, s.door, site.Version())
	next.Handler = site.Missing(mux)
	if last := s.front.Swap(next); last != nil {
		last.api.Close() // its readers come again and find that the pages have changed
	}
	return nil
}

// Replan makes the server go on by another plan of the hall. Open pages load themselves again; whoever does not work here any more is
// signed out.
func (s *Server) Replan(plan *config.Plan) error {
	if err := s.door.Employ(plan.Staff); err != nil {
		return err
	}
	return s.arrange(plan)
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listen.Addr() }

// Run serves until ctx ends; then the streams end, requests under way have a moment to finish, and the port is closed.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listen) }()
	s.deps.Log.Info("serving pages", "address", s.Addr().String())
	select {
	case err := <-served:
		s.front.Load().api.Close()
		return fmt.Errorf("web: %w", err)
	case <-ctx.Done():
	}
	s.front.Load().api.Close()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		_ = s.http.Close() // whoever is still there is cut off
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("web: %w", err)
	}
	return ctx.Err()
}

// Inputs is what is shown and wished at the places of the hall.
func (s *Server) Inputs() *inputs.Desk { return s.inputs }

// Scanned tells the page at a place what one of the hall's scanners read there.
func (s *Server) Scanned(ctx context.Context, place string, payload device.Secret) {
	s.front.Load().api.Scanned(ctx, place, payload)
}

// CardShown tells the page at a place that an identity card was read there.
func (s *Server) CardShown(place string, card device.IDCard) {
	s.front.Load().api.CardShown(place, card)
}

// Unreadable tells the page at a place that something was shown to a device there and could not be read.
func (s *Server) Unreadable(place string, why device.Fault) {
	s.front.Load().api.Unreadable(place, why)
}

// Screen is the page of a calling screen as a device.
func (s *Server) Screen(id string) *inputs.Screen { return s.inputs.Screen("screen-" + id) }

// Silent gives the kiosks of the plan whose page was there and is no more, and since when.
func (s *Server) Silent() map[string]time.Time {
	out := map[string]time.Time{}
	for _, k := range s.front.Load().kiosks {
		place := "kiosk-" + k.ID
		if since, gone := s.inputs.Gone(place); gone {
			out[place] = since
		}
	}
	return out
}

// deadlines bounds how long a body may take to arrive and an answer to leave.
func deadlines(body time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctl, now := http.NewResponseController(w), time.Now()
		read := now.Add(body)
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			read = time.Time{} // nothing follows the header; a deadline would end streams
		}
		_ = ctl.SetReadDeadline(read) // every connection of this server has deadlines
		_ = ctl.SetWriteDeadline(now.Add(answerTime))
		next.ServeHTTP(w, r)
	})
}
