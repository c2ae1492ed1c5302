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
	"slices"
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
	"halledge/agent/internal/web/proof"
	"halledge/agent/internal/web/trust"
	"halledge/agent/kit/limit"
	"halledge/agent/kit/logs"
	"halledge/agent/kit/problem"
	"halledge/agent/kit/strictyaml"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// Deps are what the server is built from; all but Trust are required.
type Deps struct {
	Listener net.Listener  // the open port; the server closes it
	Trust    *trust.Keeper // of the certificate; nil: plain HTTP, for this machine alone
	Site     *config.Site
	Plan     *config.Plan
	Hall     *hall.Hall
	Facts    api.Facts // the store's log
	Signer   *codes.Signer
	Codes    *codes.Recogniser
	Devices  api.Devices
	Cameras  api.Cameras // nil: there are none
	Sounds   api.Sounds
	Notices  api.Notices
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
	proofs  *proof.Maker
	listen  net.Listener
	http    *http.Server
	front   atomic.Pointer[front]
}

// front is what is answered by one plan of the hall.
type front struct {
	http.Handler
	plain  http.Handler // to those who do not speak TLS
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
	maxShare   = 256 // of one address
)

// limits are those that tests of their own cannot wait for or fill.
type limits struct {
	header, body, idle time.Duration
	conns, share       int
}

// New prepares the server. Run serves.
func New(d Deps) (*Server, error) {
	return build(d, limits{header: headerTime, body: bodyTime, idle: idleTime, conns: maxConns, share: maxShare})
}

func build(d Deps, lim limits) (*Server, error) {
	var names func() []string
	if d.Trust != nil {
		names = d.Trust.Names
	}
	s := &Server{deps: d, inputs: inputs.New(), flights: api.NewFlights(), proofs: proof.New()}
	door, err := access.New(access.Options{
		Web: d.Site.Web, Names: names, Data: d.Site.Data, People: people(d.Plan), Readers: readers(d.Site), TakesPerS: d.Plan.Rules.TakesPerS, Tickets: d.Signer, Catalog: d.Catalog,
		Log: d.Log.With("part", "access"), Repin: func(ctx context.Context, id hallsync.StaffID, hash string) error {
			return s.front.Load().api.Repin(ctx, id, hash)
		},
	})
	if err != nil {
		return nil, err
	}
	s.door = door
	if err := s.arrange(d.Plan); err != nil {
		return nil, err
	}
	measured, err := s.measure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.front.Load().ServeHTTP(w, r) }))
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		ReadHeaderTimeout: lim.header, IdleTimeout: lim.idle, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(d.Log.With("part", "http").Handler(), slog.LevelDebug),
	}
	s.serveOn(limit.New(d.Listener, lim.conns).Share(lim.share))
	handler := door.Wrap(measured)
	if d.Trust != nil {
		handler = securely(handler, door.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.front.Load().plain.ServeHTTP(w, r) })))
	}
	s.http.Handler = deadlines(lim.body, handler)
	return s, nil
}

// serveOn takes the connections of a listener, by TLS if there is a certificate.
func (s *Server) serveOn(l *limit.Listener) {
	s.listen, s.http.ConnState = l, l.State
	if s.deps.Trust == nil {
		return
	}
	s.listen = &secured{l, s.deps.Trust.Config()}
	s.http.ConnContext = remember
	s.http.ConnState = func(c net.Conn, state http.ConnState) {
		if v, ok := c.(*visitor); ok {
			l.State(v.Conn, state)
		}
	}
}

// arrange makes the front for a plan.
func (s *Server) arrange(plan *config.Plan) error {
	d := s.deps
	next := &front{kiosks: plan.Kiosks, api: api.New(api.Options{
		Hall: d.Hall, Facts: d.Facts, Site: d.Site, Plan: plan, Door: s.door, Inputs: s.inputs, Codes: d.Codes, Signer: d.Signer,
		Devices: d.Devices, Cameras: d.Cameras, Sounds: d.Sounds, Notices: d.Notices, Proofs: s.proofs, Health: d.Health, Ring: d.Ring, Catalog: d.Catalog, Edit: d.Edit, Flights: s.flights, Log: d.Log.With("part", "api"), Now: d.Now,
	})}
	site, err := pages.New(pages.Options{
		Site: d.Site, Plan: plan, Trust: d.Trust, Door: s.door, Proofs: s.proofs, Signer: d.Signer, Catalog: d.Catalog, Log: d.Log.With("part", "pages"), Now: d.Now,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	s.register(mux, next.api, site)
	next.Handler, next.plain = site.Missing(mux), http.HandlerFunc(site.Plain)
	if last := s.front.Swap(next); last != nil {
		last.api.Close() // its readers come again and find that the pages have changed
	}
	return nil
}

func people(plan *config.Plan) access.People {
	return access.People{Staff: plan.Staff, Windows: plan.Windows, SignIn: plan.Rules.SignIn}
}

// readers lists the places where a device reads cards or codes.
func readers(site *config.Site) (out []string) {
	for _, d := range site.Devices {
		if place, role, ok := d.Split(); ok && (role == "idcard" || role == "scanner") && !slices.Contains(out, place.String()) {
			out = append(out, place.String())
		}
	}
	return out
}

// register puts everything that is answered on a mux.
func (s *Server) register(mux api.Mux, a *api.API, site *pages.Pages) {
	a.Register(mux)
	site.Register(mux)
	s.door.Register(mux)
	s.probes(mux, s.door, site.Version())
}

// Replan makes the server go on by another plan of the hall. Open pages load themselves again; whoever does not work here any more is
// signed out.
func (s *Server) Replan(plan *config.Plan) error {
	if err := s.door.Employ(people(plan)); err != nil {
		return err
	}
	return s.arrange(plan)
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listen.Addr() }

// Run serves, and renews the certificate, until ctx ends; then the streams end, requests under way have a moment to finish, and the port is closed.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listen) }()
	defer s.renew(ctx)()
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

// renew keeps the certificate good until ctx ends and what it gives is called.
func (s *Server) renew(ctx context.Context) (stop func()) {
	if s.deps.Trust == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.deps.Trust.Run(ctx) // it ends with ctx alone
	}()
	return func() {
		cancel()
		<-ended
	}
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
