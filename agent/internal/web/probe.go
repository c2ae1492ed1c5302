package web

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/agent/internal/web/access"
	"halledge/agent/internal/web/api"
	"halledge/firmware-protocols/hallsync"
)

// probes puts the addresses that machines watch the server by on a mux. /readyz needs neither devices nor the centre: a hall that
// can give and call numbers is ready.
func (s *Server) probes(mux api.Mux, door *access.Door, version string) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pages", version)                                 // by which an open page learns that there is a newer one
		w.Header().Set("Date", s.deps.Now().UTC().Format(http.TimeFormat)) // and what time it is in the hall, whatever the box's clock shows
		s.alive(w, r, door)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		day := ""
		s.deps.Hall.Read(func(st *queue.State, _ hallsync.Seq) { day = st.Day() })
		var disk *store.Error
		switch {
		case day == "":
			status(w, http.StatusServiceUnavailable, "starting")
		case errors.As(s.deps.Hall.Trouble(), &disk):
			status(w, http.StatusServiceUnavailable, string(disk.Code))
		default:
			status(w, http.StatusOK, "ready")
		}
	})
	metrics := promhttp.HandlerFor(s.deps.Metrics, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		// Figures are for this machine's collector; from elsewhere they need a token.
		if who, err := door.Identify(r); !fromLoopback(r) && (err != nil || !who.May(access.SeeDevices)) {
			status(w, http.StatusUnauthorized, "sign_in")
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// alive answers GET /healthz. Open pages ask it every 20 seconds; page=kiosk-1 asks how long that page has been quiet, in whole
// seconds: the program that watches the browser there starts it again. A page that was never let in has no member quiet_s.
func (s *Server) alive(w http.ResponseWriter, r *http.Request, door *access.Door) {
	if who, err := door.Identify(r); err == nil && who.Page != "" {
		s.inputs.Hear(who.Page)
	}
	answer := map[string]any{"status": "ok"}
	if quiet, ok := s.inputs.Quiet(r.URL.Query().Get("page")); ok {
		answer["quiet_s"] = int(quiet / time.Second)
	}
	send(w, http.StatusOK, answer)
}

func status(w http.ResponseWriter, code int, text string) {
	send(w, code, map[string]any{"status": text})
}

func send(w http.ResponseWriter, code int, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // a prober that has gone away cannot be told anything
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// measure counts requests by route and status and registers the hall's own figures.
func (s *Server) measure(next http.Handler) (http.Handler, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hall_http_requests_total", Help: "Requests answered, by route and status.",
	}, []string{"route", "status"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hall_http_seconds", Help: "Time to answer, by route; streams count until they end.",
		Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
	}, []string{"route"})
	for _, c := range []prometheus.Collector{requests, seconds, newHallFigures(s.deps)} {
		if err := s.deps.Metrics.Register(c); err != nil {
			return nil, err
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &watched{ResponseWriter: w, status: http.StatusOK}
		begin := time.Now()
		next.ServeHTTP(seen, r)
		route := r.Pattern
		if route == "" {
			route = "none"
		}
		requests.WithLabelValues(route, strconv.Itoa(seen.status)).Inc()
		seconds.WithLabelValues(route).Observe(time.Since(begin).Seconds())
	}), nil
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets streams flush and set deadlines.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hallFigures shows the state of the hall as metrics when it is collected.
type hallFigures struct {
	deps                               Deps
	waiting, windows, seq, devices, ok *prometheus.Desc
}

func newHallFigures(d Deps) *hallFigures {
	return &hallFigures{
		deps:    d,
		waiting: prometheus.NewDesc("hall_queue_waiting", "People who wait, by queue.", []string{"queue"}, nil),
		windows: prometheus.NewDesc("hall_windows", "Windows, by state.", []string{"state"}, nil),
		seq:     prometheus.NewDesc("hall_log_seq", "Sequence of the last fact.", nil, nil),
		devices: prometheus.NewDesc("hall_device_ok", "1 if the device works, by device and class.", []string{"device", "class"}, nil),
		ok:      prometheus.NewDesc("hall_conditions", "Findings that are visible now, by severity.", []string{"severity"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (f *hallFigures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.waiting, f.windows, f.seq, f.devices, f.ok} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (f *hallFigures) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	states := map[hallsync.WindowState]int{hallsync.WindowOpen: 0, hallsync.WindowPaused: 0, hallsync.WindowClosed: 0}
	f.deps.Hall.Read(func(s *queue.State, seq hallsync.Seq) {
		gauge(f.seq, float64(seq))
		for _, q := range s.Plan().Queues {
			gauge(f.waiting, float64(s.Waiting(q.ID)), string(q.ID))
		}
		for i := range s.Plan().Windows {
			if w, ok := s.Window(s.Plan().Windows[i].ID); ok {
				states[w.State]++
			}
		}
	})
	for state, n := range states {
		gauge(f.windows, float64(n), string(state))
	}
	for _, d := range f.deps.Devices.Statuses() {
		v := 0.0
		if d.State == "ok" {
			v = 1
		}
		gauge(f.devices, v, d.Name, d.Class)
	}
	severities := map[string]int{"info": 0, "warning": 0, "error": 0}
	for _, c := range f.deps.Health() {
		severities[c.Severity]++
	}
	for severity, n := range severities {
		gauge(f.ok, float64(n), severity)
	}
}
