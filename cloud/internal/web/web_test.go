package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web"
	"halledge/cloud/internal/web/api"
	"halledge/configs"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	token     = "0123456789abcdef"
	collector = "fedcba9876543210" // of who may see devices
)

type fixture struct {
	t       *testing.T
	handler http.Handler
	st      *store.Store
	sick    error // what readiness says
}

func begin(t *testing.T) *fixture {
	t.Helper()
	return beginWith(t, false)
}

func beginWith(t *testing.T, secure bool) *fixture {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	must(t, err)
	t.Cleanup(func() { _ = st.Close() })
	log := slog.New(slog.DiscardHandler)
	board, err := halls.New(t.Context(), halls.Options{Store: st, Log: log})
	must(t, err)
	catalog, err := problem.ParseCatalog(configs.Messages())
	must(t, err)
	desk := access.New(access.Options{Store: st, Log: log, Tokens: []access.Token{
		{Name: "demo", Secret: token, Roles: rights.Roles{rights.Video}, Scope: rights.Whole()},
		{Name: "collector", Secret: collector, Roles: rights.Roles{rights.Maintainer}, Scope: rights.Whole()},
	}})
	a, err := api.New(api.Options{Store: st, Board: board, Desk: desk, Catalog: catalog, Zone: time.UTC, Closing: t.Context(), Log: log})
	must(t, err)
	f := &fixture{t: t, st: st}
	f.handler = web.Handler(web.Options{
		API: a, Desk: desk, Ready: func(context.Context) error { return f.sick }, Registry: prometheus.NewRegistry(), Log: log,
		Hosts: []string{"example.com"}, Secure: secure,
		Console: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("broken")
			}
			_, _ = io.WriteString(w, "console")
		}),
		WHEP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if who, ok := access.WhoOf(r.Context()); !ok || who.User != "demo" {
				t.Errorf("the viewer is %+v", who)
			}
			if strings.HasSuffix(r.URL.Path, "missing") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(http.StatusCreated)
		}),
	})
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) do(method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, nil)
	for _, c := range change {
		c(r)
	}
	rec := httptest.NewRecorder()
	f.handler.ServeHTTP(rec, r)
	return rec
}

// here is a request of this machine.
func here(r *http.Request) { r.RemoteAddr = "127.0.0.1:1000" }

func signed(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }

func TestRoutes(t *testing.T) {
	f := begin(t)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/healthz": {200, "ok\n"}, "/readyz": {200, "ready\n"}, "/": {200, "console"}, "/halls/440900000000001": {200, "console"},
		"/api/v1/session": {401, "sign_in"}, "/api/v2": {404, "not_found"}, "/api": {404, "not_found"}, "/api/": {404, "not_found"},
	} {
		rec := f.do(http.MethodGet, path)
		if rec.Code != want.status || !strings.Contains(rec.Body.String(), want.body) {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
		h := rec.Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	if rec := f.do(http.MethodGet, "/metrics", here); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "hall_cloud_http_request_seconds_count") {
		t.Errorf("/metrics: %d %s", rec.Code, rec.Body)
	}
	if rec := f.do(http.MethodHead, "/healthz"); rec.Code != http.StatusOK {
		t.Errorf("HEAD /healthz: %d", rec.Code)
	}
	f.sick = errors.New("no disk")
	if rec := f.do(http.MethodGet, "/readyz"); rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), "disk") {
		t.Errorf("not ready: %d %s", rec.Code, rec.Body)
	}
	if rec := f.do(http.MethodGet, "/healthz"); rec.Code != http.StatusOK {
		t.Errorf("alive but not ready: %d", rec.Code)
	}
}

// The figures are for this machine; from elsewhere, also by way of a proxy on it, they need a token of somebody who may see devices.
func TestFiguresAreForThisMachine(t *testing.T) {
	f := begin(t)
	f.do(http.MethodGet, "/healthz") // before the first answer there are no figures
	by := func(proxy, client string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr = proxy; r.Header.Set("X-Forwarded-For", client) }
	}
	for name, x := range map[string]struct {
		change []func(*http.Request)
		want   int
	}{
		"this machine":              {[]func(*http.Request){here}, http.StatusOK},
		"by IPv6":                   {[]func(*http.Request){func(r *http.Request) { r.RemoteAddr = "[::1]:1000" }}, http.StatusOK},
		"elsewhere":                 {nil, http.StatusUnauthorized},
		"who says he is here":       {[]func(*http.Request){by("192.0.2.1:1000", "127.0.0.1")}, http.StatusUnauthorized},
		"a proxy on it":             {[]func(*http.Request){by("127.0.0.1:1000", "192.0.2.1")}, http.StatusUnauthorized},
		"a token for pictures":      {[]func(*http.Request){signed}, http.StatusForbidden},
		"a token for devices":       {[]func(*http.Request){func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+collector) }}, http.StatusOK},
		"a token that is nobody":    {[]func(*http.Request){func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }}, http.StatusUnauthorized},
		"one of here":               {[]func(*http.Request){here, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }}, http.StatusUnauthorized},
		"a page made to point here": {[]func(*http.Request){here, func(r *http.Request) { r.Host = "evil.example" }}, http.StatusMisdirectedRequest},
		"one that makes up a token": {[]func(*http.Request){here, func(r *http.Request) {
			r.Host = "evil.example"
			r.Header.Set("Authorization", "Bearer x")
		}}, http.StatusUnauthorized},
	} {
		rec := f.do(http.MethodGet, "/metrics", x.change...)
		if rec.Code != x.want || strings.Contains(rec.Body.String(), "hall_cloud_") != (x.want == http.StatusOK) {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
}

func TestWatchingIsForTheSignedInAndAudited(t *testing.T) {
	f := begin(t)
	if rec := f.do(http.MethodPost, "/whep/440900000000001-CM001"); rec.Code != http.StatusUnauthorized {
		t.Fatalf("a stranger watches: %d", rec.Code)
	}
	for path, status := range map[string]int{"/whep/440900000000001-CM001": 201, "/whep/missing": 404} {
		if rec := f.do(http.MethodPost, path, signed); rec.Code != status {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	f.do(http.MethodDelete, "/whep/440900000000001-CM001/1", signed)
	lines, _, err := f.st.Audits(t.Context(), store.AuditQuery{Limit: 10})
	must(t, err)
	results := map[string]string{}
	for _, l := range lines {
		results[l.Subject] = l.Actor + " by " + l.By + " " + l.Action + " " + l.Result
	}
	if len(lines) != 2 || results["440900000000001-CM001"] != "demo by token watch ok" || results["?"] != "demo by token watch 404" {
		t.Errorf("audit %v", results)
	}
}

func TestPanicCostsOneConnection(t *testing.T) {
	f := begin(t)
	server := httptest.NewServer(f.handler)
	defer server.Close()
	get := func(path string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		must(t, err)
		return http.DefaultClient.Do(r)
	}
	if resp, err := get("/panic"); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("answered %d", resp.StatusCode)
	}
	resp, err := get("/healthz")
	must(t, err)
	_ = resp.Body.Close()
}

func TestServeLetsRequestsFinish(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- web.Serve(ctx, l, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			stop() // the program ends while the request runs
			select {
			case <-r.Context().Done():
			default:
				_, _ = io.WriteString(w, "finished")
			}
		}), slog.New(slog.DiscardHandler))
	}()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+l.Addr().String(), nil)
	must(t, err)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "finished" {
		t.Errorf("%q, %v", body, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// crowd is a listener to which ever more clients connect, up to their number.
type crowd struct {
	number  int
	clients []net.Conn
	closed  chan struct{}
}

func (c *crowd) Accept() (net.Conn, error) {
	if len(c.clients) == c.number {
		<-c.closed
		return nil, net.ErrClosed
	}
	client, server := net.Pipe()
	c.clients = append(c.clients, client)
	return server, nil
}

func (c *crowd) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return nil
}

func (c *crowd) Addr() net.Addr { return &net.TCPAddr{} }

// Clients that only connect must leave descriptors to the halls.
func TestServeBoundsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &crowd{number: 5000, closed: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- web.Serve(ctx, l, nil, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
		synctest.Wait()
		open, newest, soon := 0, false, time.Now().Add(time.Millisecond)
		for _, c := range l.clients {
			_ = c.SetReadDeadline(soon)
			_, err := c.Read(make([]byte, 1))
			if newest = errors.Is(err, os.ErrDeadlineExceeded); newest { // nobody has hung up
				open++
			}
		}
		if open == l.number {
			t.Errorf("all %d clients are served", open)
		}
		if open == 0 || !newest {
			t.Errorf("%d clients keep the newest out", open)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, c := range l.clients {
			_ = c.Close()
		}
	})
}

// Threat 8: where browsers come by https, they are told never to come otherwise; by http on this machine alone they are not.
func TestThreat08BrowsersOfTheCentreComeByTLSAlone(t *testing.T) {
	f := begin(t)
	if got := f.do(http.MethodGet, "/healthz").Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("by http: %q", got)
	}
	f = beginWith(t, true)
	if got := f.do(http.MethodGet, "/halls").Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("by https: %q", got)
	}
}

// A page of a foreign name that was made to point here gets nothing; addresses, localhost and the names of the configuration do, and
// programs are not asked.
func TestOnlyKnownHosts(t *testing.T) {
	f := begin(t)
	for host, want := range map[string]int{
		"example.com": 200, "EXAMPLE.com:9090": 200, "example.com.": 200, "localhost:9090": 200, "127.0.0.1:9090": 200, "[::1]:9090": 200, "192.0.2.7": 200,
		"evil.example": 421, "example.com.evil.example": 421, "localhost.evil.example:9090": 421,
	} {
		named := func(r *http.Request) { r.Host = host }
		for _, path := range []string{"/", "/halls", "/metrics"} {
			if rec := f.do(http.MethodGet, path, named, here); rec.Code != want {
				t.Errorf("%s%s: %d, want %d", host, path, rec.Code, want)
			}
		}
		refused := want != 200
		for path, method := range map[string]string{"/api/v1/session": http.MethodGet, "/whep/x": http.MethodPost} {
			if rec := f.do(method, path, named); (rec.Code == http.StatusMisdirectedRequest) != refused {
				t.Errorf("%s%s: %d", host, path, rec.Code)
			}
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			if rec := f.do(http.MethodGet, path, named); rec.Code != http.StatusOK {
				t.Errorf("%s%s: %d", host, path, rec.Code)
			}
		}
		if rec := f.do(http.MethodGet, "/api/v1/session", named, signed); rec.Code != http.StatusOK {
			t.Errorf("a program at %s: %d", host, rec.Code)
		}
		if rec := f.do(http.MethodPost, "/api/v1/session", named, signed); (rec.Code == http.StatusMisdirectedRequest) != refused {
			t.Errorf("a password at %s: %d", host, rec.Code)
		}
	}
}
