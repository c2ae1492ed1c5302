// Package web gives the cloud's HTTP server: the console at /, the API under /api/, live pictures under /whep/, and what keeps a
// service running: /healthz, /readyz and /metrics.
package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/limit"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/guard"
	"halledge/cloud/internal/province"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Time limits of one request. Streams set their own for each event.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	readyTimeout  = 2 * time.Second
	maxHeader     = 32 << 10
	maxBody       = 64 << 10
	maxConns      = 2048 // open at once; the halls need descriptors too
)

// Options are the parts of the server.
type Options struct {
	API      *api.API
	Desk     *access.Desk
	Console  http.Handler
	WHEP     http.Handler                // answers POST /whep/{camera} and its sessions; nil: there is no video node
	Codes    http.Handler                // answers halls that ask about codes of citizens; nil: nobody does
	Ready    func(context.Context) error // nil when requests can be served
	Proxies  []netip.Prefix              // ours, in front: they say who the client is
	Hosts    []string                    // names browsers may reach the pages by, beside localhost and addresses
	Secure   bool                        // browsers come by https, and are told never to come otherwise
	Registry *prometheus.Registry
	Log      *slog.Logger
}

type server struct {
	Options
	requests *prometheus.HistogramVec
}

// Handler gives everything under one roof.
func Handler(o Options) http.Handler {
	s := &server{Options: o, requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hall_cloud_http_request_seconds", Help: "Time to answer a request, by route and status.", Buckets: []float64{.005, .02, .1, .5, 2, 10},
	}, []string{"route", "status"})}
	o.Registry.MustRegister(s.requests)
	mux := http.NewServeMux()
	for _, m := range s.mounts() {
		if m.handler != nil {
			mux.Handle(m.pattern, m.handler)
		}
	}
	return s.around(mux)
}

// mount is a part of the server and where it is.
type mount struct {
	pattern string
	handler http.Handler // nil: there is none
}

// mounts lists everything that is answered.
func (s *server) mounts() []mount {
	watch := http.Handler(http.HandlerFunc(s.watch))
	if s.WHEP == nil {
		watch = nil
	}
	return []mount{
		{"/api/", s.API},
		{"/api", s.API}, // or it would be sent on to /api/
		{"GET /healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })},
		{"GET /readyz", http.HandlerFunc(s.ready)},
		{"GET /metrics", s.figures(promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))},
		{"/whep/", watch},
		{"POST " + province.Path, s.Codes},
		{"/", s.Console},
	}
}

// Patterns lists where the parts of the server are, also those that not every centre has: each has to say who is let in.
func Patterns() (all []string) {
	for _, m := range (&server{Options: Options{Registry: prometheus.NewRegistry()}}).mounts() {
		all = append(all, m.pattern)
	}
	return all
}

// around does for every request what no handler may forget.
func (s *server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard.Headers(w.Header(), s.Secure)
		r.RemoteAddr = client(r, s.Proxies)
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		begun := time.Now()
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				panic(http.ErrAbortHandler) // the connection ends, without a second trace
			}
			if route := r.Pattern; !strings.HasSuffix(route, "/stream") {
				s.requests.WithLabelValues(route, strconv.Itoa(rec.status)).Observe(time.Since(begun).Seconds())
			}
		}()
		if !s.hostAllowed(r) {
			s.API.RefuseHost(rec)
			return
		}
		next.ServeHTTP(rec, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		s.Log.Warn("not ready", "error", err)
		plain(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	plain(w, http.StatusOK, "ready")
}

// figures lets this machine's own collector read the figures; from elsewhere they need a token. What a proxy passes on comes from elsewhere. A
// token that is given is judged from here too: whoever gives one is not asked which host he means, as a page of a foreign name would be.
func (s *server) figures(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		passed := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
		if err != nil || passed || r.Header.Get("Authorization") != "" || !from.Addr().Unmap().IsLoopback() {
			if _, err := s.API.Admit(r, rights.Devices); err != nil {
				s.API.Fail(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // a client that has gone cannot be told
}

// watch lets people who may look at cameras, and notes who began to look at which.
func (s *server) watch(w http.ResponseWriter, r *http.Request) {
	who, err := s.API.Admit(r, rights.Watch)
	if err != nil {
		s.API.Fail(w, r, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	rec := &recorder{ResponseWriter: w, status: http.StatusOK}
	s.WHEP.ServeHTTP(rec, r.WithContext(access.WithWho(r.Context(), who)))
	if r.Method != http.MethodPost {
		return
	}
	result := "ok"
	if rec.status >= 300 {
		result = strconv.Itoa(rec.status)
	}
	camera := strings.TrimPrefix(r.URL.Path, "/whep/")
	if rec.status == http.StatusNotFound {
		camera = "?" // whatever was written there, somebody's number perhaps: the audit is kept for years
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	note := store.Audit{Action: store.ActionWatch, Subject: camera, Result: result, Remote: host}
	if err := s.Desk.Note(context.WithoutCancel(r.Context()), who, note); err != nil {
		s.Log.Error("watching not audited", "error", err)
	}
}

// Serve answers requests on l until ctx ends; then it lets running requests finish. With settings it speaks TLS.
func Serve(ctx context.Context, l net.Listener, settings *tls.Config, h http.Handler, log *slog.Logger) error {
	limited := limit.New(l, maxConns)
	srv := &http.Server{
		Handler: h, ConnState: func(c net.Conn, s http.ConnState) {
			if secure, ok := c.(*tls.Conn); ok {
				c = secure.NetConn()
			}
			limited.State(c, s)
		}, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := net.Listener(limited)
	if settings != nil {
		served = tls.NewListener(limited, settings)
	}
	if err := guard.Serve(ctx, srv, served); err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
