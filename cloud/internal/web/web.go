// Package web gives the cloud's HTTP server: the console at /, the API under /api/, live pictures under /whep/, and what keeps a
// service running: /healthz, /readyz and /metrics.
package web

import (
	"context"
	"errors"
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
	stopTimeout   = 8 * time.Second
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
	mux.Handle("/api/", o.API)
	mux.Handle("/api", o.API) // or it would be sent on to /api/
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{}))
	if o.WHEP != nil {
		mux.HandleFunc("/whep/", s.watch)
	}
	if o.Codes != nil {
		mux.Handle("POST "+province.Path, o.Codes)
	}
	mux.Handle("/", o.Console)
	return s.around(mux)
}

// around does for every request what no handler may forget.
func (s *server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
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

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
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
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	note := store.Audit{Action: store.ActionWatch, Subject: camera[:min(len(camera), 64)], Result: result, Remote: host}
	if err := s.Desk.Note(context.WithoutCancel(r.Context()), who, note); err != nil {
		s.Log.Error("watching not audited", "error", err)
	}
}

// Serve answers requests on l until ctx ends; then it lets running requests finish.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *slog.Logger) error {
	limited := limit.New(l, maxConns)
	srv := &http.Server{
		Handler: h, ConnState: limited.State, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(limited) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := srv.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-done
	return err
}
