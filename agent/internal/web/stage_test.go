package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
	"halledge/agent/internal/devices"
	"halledge/agent/internal/hall"
	"halledge/agent/internal/hall/halltest"
	"halledge/agent/internal/notices"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/store"
	"halledge/agent/internal/voice"
	"halledge/agent/internal/web"
	"halledge/agent/internal/web/access"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/logs"
	"halledge/agent/kit/problem"
	"halledge/configs"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

const (
	hallCode    = "440900000000001"
	kioskToken  = "kiosk-token-0123456789"
	screenToken = "screen-token-0123456789"
	staffToken  = "staff-token-0123456789"
	opsToken    = "ops-token-0123456789"
	clerkPIN    = "1234"
)

// stage is a hall with a real store, rules and server on a port of its own.
type stage struct {
	t       *testing.T
	base    string
	client  *http.Client
	hall    *hall.Hall
	notices *notices.Shelf
	shelf   string        // directory of the notices
	centre  gm.PrivateKey // signs them
	signer  *codes.Signer
	devices *hardware
	server  *web.Server
	site    *config.Site
	plan    *config.Plan
	dir     string
	quota   int64 // of the store; 0: its own
	build   func(web.Deps) (*web.Server, error)

	mu    sync.Mutex
	skew  time.Duration
	found []hallsync.Condition
	stop  func()
}

// hardware is the far end of the hall's devices: what they say is set by the test. What it does not set is that of a hall without any.
type hardware struct {
	*devices.Set
	mu      sync.Mutex
	list    []hallsync.DeviceStatus
	fail    map[string]error
	tested  int
	changed chan struct{}
}

func (h *hardware) Statuses() []hallsync.DeviceStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]hallsync.DeviceStatus(nil), h.list...)
}

func (h *hardware) SelfTest(_ context.Context, name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tested++
	return h.fail[name]
}

func (h *hardware) Watch() (<-chan struct{}, func()) { return h.changed, func() {} }

func (h *hardware) set(name, state, code string) {
	h.mu.Lock()
	for i := range h.list {
		if h.list[i].Name == name {
			h.list[i].State, h.list[i].Code = state, code
		}
	}
	h.mu.Unlock()
	h.changed <- struct{}{}
}

// clerkHash is made once: each costs what a sign-in costs.
var clerkHash = sync.OnceValue(func() string {
	hash, err := access.HashPIN(clerkPIN)
	if err != nil {
		panic(err)
	}
	return hash
})

func sitePlan(t testing.TB) (*config.Site, *config.Plan) {
	t.Helper()
	pin := clerkHash()
	site := &config.Site{
		Hall:    config.Identity{Code: hallCode, Name: "茂名市政务服务大厅", Profile: "full"},
		Web:     config.Web{Listen: "127.0.0.1:0"},
		Devices: []config.Device{{Name: "kiosk-1.printer"}, {Name: "kiosk-1.idcard"}, {Name: "window-1.pad"}, {Name: "window-1.led"}},
	}
	for role, secret := range map[string]string{"kiosk": kioskToken, "screen": screenToken, "staff": staffToken, "ops": opsToken} {
		id := ""
		if role == "kiosk" || role == "screen" {
			id = "1"
		}
		site.Web.Tokens = append(site.Web.Tokens, config.Token{Role: role, ID: id, Secret: config.NewSecret(secret)})
	}
	plan := &config.Plan{
		Zone: "Asia/Shanghai",
		Queues: []config.Queue{
			{ID: "A", Name: "综合业务", Dept: "政务服务中心", Identity: "optional"},
			{ID: "B", Name: "社会保险", Dept: "人力资源和社会保障局", Identity: "none"},
			{ID: "C", Name: "户政业务", Dept: "公安局", Identity: "required"},
		},
		Windows: []config.Window{
			{ID: "1", Name: "1 号窗口", Queues: []string{"A", "B"}},
			{ID: "2", Name: "2 号窗口", Queues: []string{"A"}},
			{ID: "3", Name: "3 号窗口", Queues: []string{"C"}},
		},
		Staff: []config.Staff{
			{ID: "w01", Name: "林晓", PIN: pin, Windows: []string{"1"}, Role: "clerk"},
			{ID: "m01", Name: "陈立", PIN: pin, Role: "manager"},
		},
		Kiosks:  []config.Kiosk{{ID: "1", Name: "1 号取号机"}, {ID: "2", Name: "2 号取号机", Queues: []string{"A"}}},
		Screens: []config.Screen{{ID: "1", Name: "等候区大屏"}, {ID: "2", Name: "户政大屏", Windows: []string{"3"}}},
		Rules: config.Rules{EndFrom: "17:00", TakesPerS: 500, CallGapS: 0, Arrival: "assumed", PassRecallS: 600, WaitMinCount: 5, Order: config.Order{RecallGapS: new(int)},
			Panels: config.Panels{Waiting: "欢迎光临", Paused: "暂停服务", Closed: "暂未开放"}},
	}
	return site, plan
}

// open starts a stage; change may alter what it is built from.
func open(t *testing.T, change ...func(*config.Site, *config.Plan)) *stage {
	t.Helper()
	site, plan := sitePlan(t)
	for _, c := range change {
		c(site, plan)
	}
	s := &stage{t: t, site: site, plan: plan, dir: t.TempDir(), client: &http.Client{Timeout: 20 * time.Second}, build: web.New}
	site.Data = s.dir
	now := time.Now()
	s.skew = morning(t, plan.Zone, now).Sub(now)
	for _, d := range site.Devices {
		s.addDevice(d, now)
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// morning is ten o'clock of a day: a test at midnight must not run into the next one.
func morning(t testing.TB, zone string, day time.Time) time.Time {
	t.Helper()
	where, err := time.LoadLocation(zone)
	must(t, err)
	year, month, date := day.In(where).Date()
	return time.Date(year, month, date, 10, 0, 0, 0, where)
}

func (s *stage) addDevice(d config.Device, now time.Time) {
	if s.devices == nil {
		s.devices = &hardware{Set: devices.New(devices.Options{Log: slog.New(slog.DiscardHandler)}), fail: map[string]error{}, changed: make(chan struct{}, 8)}
	}
	s.devices.list = append(s.devices.list, hallsync.DeviceStatus{
		Name: d.Name, Class: string(d.Class()), Model: "demo", State: "ok", Since: now,
	})
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.skew)
}

// later moves the hall's clock.
func (s *stage) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += d
}

func (s *stage) conditions() []hallsync.Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found
}

// start opens the store in the stage's directory and serves; stop ends both.
func (s *stage) start() {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(s.dir, store.Options{Hall: hallCode, Log: log, Delivered: "cloud", Now: s.now, MaxBytes: s.quota})
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	rules, err := hall.PlanOf(s.plan)
	if err != nil {
		s.t.Fatal(err)
	}
	s.hall, err = hall.New(st, rules, log, halltest.Clock(s.now))
	must(s.t, err)
	s.signer, err = codes.NewSigner(s.dir, hallCode, "http://hall.example")
	must(s.t, err)
	catalog, err := problem.ParseCatalog(configs.Messages())
	must(s.t, err)
	if s.centre.IsZero() {
		s.shelf = s.t.TempDir()
		s.centre, err = gm.GenerateKey()
		must(s.t, err)
	}
	s.notices, err = notices.Open(notices.Options{
		Dir: s.shelf, Hall: hallCode, Keys: func() []gm.PublicKey { return []gm.PublicKey{s.centre.Public()} }, Now: s.now, Log: log,
	})
	must(s.t, err)
	listener, err := net.Listen("tcp", s.site.Web.Listen)
	must(s.t, err)
	s.server, err = s.build(web.Deps{
		Listener: listener,
		Site:     s.site, Plan: s.plan, Hall: s.hall, Facts: st, Signer: s.signer, Edit: (&config.Config{Site: *s.site, Plan: *s.plan}).Edited,
		Codes:   codes.New(codes.Options{Signer: s.signer, Rules: codes.SimRules, Resolver: codes.Sim{}, Log: log}),
		Devices: s.devices, Sounds: voice.NewSounds(s.site.Voice, log), Notices: s.notices, Health: s.conditions, Ring: logs.NewRing(100), Catalog: catalog, Metrics: prometheus.NewRegistry(), Log: log,
		Now: s.hall.Now,
	})
	must(s.t, err)
	s.base = "http://" + s.server.Addr().String()
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{st.Run, s.hall.Run, s.server.Run} {
		wg.Go(func() {
			if err := run(ctx); !errors.Is(err, context.Canceled) {
				s.t.Errorf("part ended: %v", err)
			}
		})
	}
	s.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		must(s.t, errors.Join(st.Close(), s.notices.Close()))
	})
	s.await("the business day", func() bool {
		day := ""
		s.hall.Read(func(st *queue.State, _ hallsync.Seq) { day = st.Day() })
		return day != ""
	})
}

// restart ends the stage as a crash of the process would and starts it anew on the same disk.
func (s *stage) restart() {
	s.t.Helper()
	s.stop()
	s.client.CloseIdleConnections()
	s.start()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *stage) await(what string, done func() bool) {
	s.t.Helper()
	await.That(s.t, what, done)
}

// reply is an answer of the server.
type reply struct {
	Status int
	Header http.Header
	Raw    string
	body   map[string]any
}

// at gives a member by its path: at("ticket", "number").
func (r reply) at(path ...string) any {
	var v any = r.body
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func (r reply) text(path ...string) string {
	s, _ := r.at(path...).(string)
	return s
}

func (s *stage) do(method, path, token, key string, body any, header ...string) reply {
	s.t.Helper()
	res, err := s.try(method, path, token, key, body, header...)
	must(s.t, err)
	return res
}

// try is do for goroutines, which must not end the test.
func (s *stage) try(method, path, token, key string, body any, header ...string) (reply, error) {
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	case []byte:
		raw = b
	default:
		var err error
		if raw, err = json.Marshal(b); err != nil {
			return reply{}, err
		}
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, bytes.NewReader(raw))
	if err != nil {
		return reply{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	return readReply(res)
}

// readReply reads an answer to its end.
func readReply(res *http.Response) (reply, error) {
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{Status: res.StatusCode, Header: res.Header, Raw: string(got)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(got, &r.body); err != nil {
			return reply{}, err
		}
	}
	return r, nil
}

// post sends a command under a fresh key.
func (s *stage) post(token, path string, body any) reply {
	s.t.Helper()
	return s.do("POST", path, token, rand.Text(), body)
}

func (s *stage) get(token, path string) reply {
	s.t.Helper()
	return s.do("GET", path, token, "", nil)
}

// take takes a ticket at the kiosk and gives its id.
func (s *stage) take(queue string) string {
	s.t.Helper()
	r := s.post(kioskToken, "/api/v1/tickets", map[string]string{"queue": queue, "channel": "kiosk"})
	if r.Status != http.StatusCreated {
		s.t.Fatalf("take: %d %s", r.Status, r.Raw)
	}
	return r.text("ticket", "id")
}

// verb uses a verb of a window with the staff token.
func (s *stage) verb(window, verb string, body any) reply {
	s.t.Helper()
	return s.post(staffToken, "/api/v1/windows/"+window+"/"+verb, body)
}

// want fails unless an answer has a status and, for a problem, a code.
func (r reply) want(t *testing.T, status int, code string) reply {
	t.Helper()
	if r.Status != status || code != "" && r.text("code") != code {
		t.Fatalf("got %d %s, want %d %s", r.Status, r.Raw, status, code)
	}
	return r
}
