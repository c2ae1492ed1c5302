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
	Health   func() []hallsync.Condition // findings that are visible now
	Ring     *logs.Ring                  // the log's last lines
	Catalog  *problem.Catalog
	Metrics  *prometheus.Registry
	Log      *slog.Logger
	Now      func() time.Time // the wall clock
}

// Server is the hall's HTTP server.
type Server struct {
	deps   Deps
	api    *api.API
	listen net.Listener
	http   *http.Server
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
		Web: d.Site.Web, Staff: d.Plan.Staff, TakesPerS: d.Plan.Rules.TakesPerS, Tickets: d.Signer, Catalog: d.Catalog,
		Log: d.Log.With("part", "access"),
	})
	if err != nil {
		return nil, err
	}
	s := &Server{deps: d}
	s.api = api.New(api.Options{
		Hall: d.Hall, Facts: d.Facts, Site: d.Site, Plan: d.Plan, Door: door, Inputs: inputs.New(), Codes: d.Codes, Signer: d.Signer,
		Devices: d.Devices, Health: d.Health, Ring: d.Ring, Catalog: d.Catalog, Log: d.Log.With("part", "api"), Now: d.Now,
	})
	site, err := pages.New(pages.Options{
		Site: d.Site, Plan: d.Plan, Door: door, Signer: d.Signer, Catalog: d.Catalog, Log: d.Log.With("part", "pages"), Now: d.Now,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	s.api.Register(mux)
	site.Register(mux)
	mux.HandleFunc("POST /sign-in", door.SignIn)
	mux.HandleFunc("POST /sign-out", door.SignOut)
	s.probes(mux, door, site.Version())
	measured, err := s.measure(site.Missing(mux))
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

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listen.Addr() }

// Run serves until ctx ends; then the streams end, requests under way have a moment to finish, and the port is closed.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listen) }()
	s.deps.Log.Info("serving pages", "address", s.Addr().String())
	select {
	case err := <-served:
		s.api.Close()
		return fmt.Errorf("web: %w", err)
	case <-ctx.Done():
	}
	s.api.Close()
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

// Scanned tells the page at a place what one of the hall's scanners read there.
func (s *Server) Scanned(ctx context.Context, place string, payload device.Secret) {
	s.api.Scanned(ctx, place, payload)
}

// CardShown tells the page at a place that an identity card was read there.
func (s *Server) CardShown(place string, card device.IDCard) { s.api.CardShown(place, card) }

// Unreadable tells the page at a place that something was shown to a device there and could not be read.
func (s *Server) Unreadable(place string, why device.Fault) { s.api.Unreadable(place, why) }

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
