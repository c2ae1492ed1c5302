package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/notices"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/cloud/internal/web/api"
	"halledge/configs"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	hallA = hallsync.HallID("440900000000001")
	hallB = hallsync.HallID("440900000000002")
	token = "0123456789abcdef"

	adminToken = "fedcba9876543210"
	localToken = "fedcba9876543211" // of an administrator of 4409

	viewerToken = "fedcba9876543212" // who sees no people
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.FixedZone("CST", 8*3600))

// fixture is the API over a real database, with one hall that has worked and one that was never heard.
type fixture struct {
	t      *testing.T
	server *httptest.Server
	st     *store.Store
	board  *halls.Board
	in     *ingest.Ingester
	vault  *vault.Vault
	close  context.CancelFunc // ends streams
}

func begin(t *testing.T) *fixture {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	must(t, err)
	t.Cleanup(func() { _ = st.Close() })
	log := slog.New(slog.DiscardHandler)
	known := []halls.Hall{{ID: hallA, Name: "甲厅", Region: "示例市"}, {ID: hallB, Name: "乙厅", Region: "示例县"}}
	board, err := halls.New(t.Context(), halls.Options{Halls: known, Store: st, Log: log})
	must(t, err)
	catalog, err := problem.ParseCatalog(configs.Messages())
	must(t, err)
	must(t, st.Write(t.Context(), func(tx *store.Tx) error {
		return tx.PutUser(store.User{Name: "li", FullName: "李四", Password: phc.New([]byte("right")).String(), Origin: store.FromCLI, Created: start,
			Roles: rights.Roles{rights.Viewer, rights.Manager, rights.Video}, Scope: rights.Whole()})
	}))
	desk := access.New(access.Options{
		Store: st, Tokens: []access.Token{
			{Name: "demo", Secret: token, Roles: rights.Roles{rights.Viewer, rights.Manager, rights.Video}, Scope: rights.Whole()},
			{Name: "viewer", Secret: viewerToken, Roles: rights.Roles{rights.Viewer}, Scope: rights.Whole()},
			{Name: "local", Secret: localToken, Roles: rights.Roles{rights.Admin}, Scope: rights.Scope{"4409"}},
			{Name: "auditor", Secret: adminToken, Roles: rights.All(), Scope: rights.Whole()},
		}, Factor: true, Log: log,
	})
	closing, end := context.WithCancel(context.Background())
	v, err := vault.Open(vault.Options{Directory: filepath.Join(t.TempDir(), "vault"), Make: true})
	must(t, err)
	opener := sealed.New(v)
	a, err := api.New(api.Options{
		Store: st, Opener: opener, Board: board, Catalog: catalog, Zone: start.Location(), Version: "1.2.3", Closing: closing, Log: log,
		Desk: desk, Notices: notices.New(notices.Options{Store: st, Content: v, Sign: v, Now: time.Now, Log: log}),
		Cameras: []api.KnownCamera{
			{Code: "440900000000001-CM001", Name: "入口", Scene: 1, Hall: known[0]},
			{Code: "440900000000001-CM002", Name: "等候区", Scene: 3, Hall: known[0]},
			{Code: "440900000000002-CM001", Name: "入口", Scene: 1, Hall: known[1]},
		},
		Live: func(camera string) api.Live {
			return api.Live{Arriving: camera == "440900000000001-CM001", Viewers: 2}
		},
	})
	must(t, err)
	f := &fixture{t: t, server: httptest.NewServer(a), st: st, board: board, vault: v, close: end}
	t.Cleanup(f.server.Close)
	t.Cleanup(end)
	f.in = ingest.New(ingest.Options{
		Store: st, Vault: v, Opener: opener, Log: log, Metrics: prometheus.NewRegistry(),
		Changed: func(id hallsync.HallID, _ ingest.Touched) { board.Touch(id, halls.Tickets|halls.Windows) },
	})
	f.work()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	follower := board.In(rights.Whole()).Follow()
	running.Go(func() { _ = board.Run(ctx) })
	running.Go(func() { _ = desk.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	select { // the figures have been read
	case <-follower.Signal():
		follower.Close()
	case <-time.After(20 * time.Second):
		t.Fatal("the board does not run")
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// work lets hall A open, take three tickets, call and finish the first and call the second.
func (f *fixture) work() {
	by := hallsync.By{Kind: "staff", Staff: "s1"}
	facts := []hallsync.Payload{hallsync.DayOpened{BusinessDay: "2026-11-23"}, hallsync.WindowWasOpened{Window: "1", By: by}}
	for i, id := range []hallsync.TicketID{"T1", "T2", "T3"} {
		facts = append(facts, hallsync.TicketTaken{
			Ticket: id, Number: []string{"A001", "A002", "B001"}[i], BusinessDay: "2026-11-23", Queue: []hallsync.QueueID{"A", "A", "B"}[i],
			Class: hallsync.Normal, Channel: hallsync.AtKiosk, Place: "1", Proof: hallsync.ProofNone, Printer: "1",
		})
	}
	facts = append(facts,
		hallsync.TicketCalled{Ticket: "T1", Number: "A001", Queue: "A", Window: "1", How: "next", Why: hallsync.Why{Rule: "arrival", WaitedS: 3}, By: by},
		hallsync.TicketStarted{Ticket: "T1", Window: "1", By: by}, hallsync.TicketFinished{Ticket: "T1", Window: "1", ServiceS: 1, By: by},
		hallsync.TicketCalled{Ticket: "T2", Number: "A002", Queue: "A", Window: "1", How: "next", By: by})
	f.send(1, facts...)
	raw := `{"hall":"440900000000001","epoch":"e1","seq":10,"kind":"ticket.taken","v":1,"at":"2026-11-23T09:00:10+08:00","payload":7}`
	_, err := f.in.Ingest(f.t.Context(), hallA, []byte(`{"events":[`+raw+`]}`))
	must(f.t, err)
	f.board.Connected(hallA)
	report, err := json.Marshal(hallsync.Report{
		Hall: hallA, Boot: "b1", Online: true, At: start, Version: "0.9", Profile: "full",
		Health:  []hallsync.Condition{{Code: "device_paper_low", Severity: "warning", Title: "纸快用完", Since: start}},
		Devices: []hallsync.DeviceStatus{{Name: "kiosk-1.printer", Class: "printer", State: "ok", Since: start}, {Name: "window-1.pad", State: "offline", Since: start}},
		Cameras: []hallsync.CameraStatus{{Code: "440900000000001-CM001", State: "relaying", Codec: "H264", BitsPS: 512000, Since: start}},
		Queues:  []hallsync.QueueStatus{{ID: "A", Name: "综合"}, {ID: "C", Name: "税务"}},
		Log:     hallsync.LogStatus{Epoch: "e1", Last: 14, Acked: 9, FileBytes: 4096, FsyncP99Usec: 900},
	})
	must(f.t, err)
	must(f.t, f.board.Report(hallA, report))
}

func (f *fixture) send(from hallsync.Seq, facts ...hallsync.Payload) {
	f.t.Helper()
	var b hallsync.Batch
	for i, p := range facts {
		e, err := hallsync.NewEvent(hallA, "e1", from+hallsync.Seq(i), start.Add(time.Duration(i)*time.Second), p)
		must(f.t, err)
		raw, err := json.Marshal(e)
		must(f.t, err)
		b.Events = append(b.Events, raw)
	}
	body, err := json.Marshal(b)
	must(f.t, err)
	_, err = f.in.Ingest(f.t.Context(), hallA, body)
	must(f.t, err)
}

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// code reads the code of a problem.
func (a answer) code(t *testing.T) string {
	t.Helper()
	if a.header.Get("Content-Type") != problem.ContentType {
		t.Fatalf("%d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	var p struct{ Code, Title, Detail string }
	if err := json.Unmarshal(a.body, &p); err != nil || p.Detail == "" || p.Detail == p.Code {
		t.Fatalf("problem without a sentence: %s", a.body)
	}
	return p.Code
}

// do sends a request with the token, unless change says otherwise.
func (f *fixture) do(method, path, body string, change ...func(*http.Request)) answer {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.server.URL+path, strings.NewReader(body))
	must(f.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range change {
		c(r)
	}
	return f.by(http.DefaultClient, r)
}

func (f *fixture) by(client *http.Client, r *http.Request) answer {
	f.t.Helper()
	resp, err := client.Do(r)
	must(f.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(f.t, err)
	return answer{status: resp.StatusCode, header: resp.Header, body: data}
}

func anonymous(r *http.Request) { r.Header.Del("Authorization") }

func asAdmin(r *http.Request) { r.Header.Set("Authorization", "Bearer "+adminToken) }

// browser is a client that keeps cookies and sends no token.
func (f *fixture) browser() func(method, path, body string, change ...func(*http.Request)) answer {
	jar, err := cookiejar.New(nil)
	must(f.t, err)
	client := &http.Client{Jar: jar}
	return func(method, path, body string, change ...func(*http.Request)) answer {
		f.t.Helper()
		r, err := http.NewRequestWithContext(f.t.Context(), method, f.server.URL+path, strings.NewReader(body))
		must(f.t, err)
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for _, c := range change {
			c(r)
		}
		return f.by(client, r)
	}
}
