package cloud_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"halledge/agent/kit/phc"
	"halledge/cloud/internal/province"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web"
)

// The hall and the camera that nobody of the matrix has, and those that are not there at all.
const (
	otherHall   = "441000000000001"
	otherCamera = otherHall + "-CM001"
	noHall      = "440300000000001"
	noCamera    = noHall + "-CM001"
)

// row says who is let in at a route, and how he is answered. A path with {hall}, {camera} or {user}, or a body with {hall}, is asked for with one's own, with
// another's and with one that is not there; the two last have to be answered alike.
type row struct {
	path, body string
	may        string // roles; "public" is everybody, "self" all who are signed in
	want       int    // the answer to those who are let in, 200 if none is given
	foreign    int    // to another's, 404 if none is given
}

const (
	everyViewer  = "viewer clerk manager maintainer video"
	everyWatcher = "viewer manager maintainer video"
	publishers   = "manager maintainer"
)

// rows has one row for each route.
func rows() map[string]row {
	const v1 = "/api/v1/"
	return map[string]row{
		"GET /api/v1/openapi.json": {path: v1 + "openapi.json", may: "public"},
		"POST /api/v1/session":     {path: v1 + "session", body: `{"user":"","password":""}`, may: "public", want: 401},
		"GET /api/v1/session":      {path: v1 + "session", may: "self"},
		"DELETE /api/v1/session":   {path: v1 + "session", may: "self", want: 204},

		"GET /api/v1/session/ways":     {path: v1 + "session/ways", may: "public"},
		"POST /api/v1/session/journey": {path: v1 + "session/journey", may: "public", want: 404},
		"POST /api/v1/session/oidc":    {path: v1 + "session/oidc", body: `{"state":"","code":""}`, may: "public", want: 404},

		"PUT /api/v1/account/password":       {path: v1 + "account/password", body: `{"old":"x","new":"short"}`, may: "self", want: 422},
		"POST /api/v1/account/second-factor": {path: v1 + "account/second-factor", body: `{"password":"wrong"}`, may: "self", want: 422},
		"PUT /api/v1/account/second-factor":  {path: v1 + "account/second-factor", body: `{"code":"000000"}`, may: "self", want: 409},

		"GET /api/v1/halls":      {path: v1 + "halls", may: everyViewer},
		"GET /api/v1/halls/{id}": {path: v1 + "halls/{hall}", may: everyViewer},
		"GET /api/v1/stream":     {path: v1 + "stream", may: everyViewer},
		"GET /api/v1/tickets":    {path: v1 + "tickets?hall={hall}", may: "viewer clerk manager"},
		"GET /api/v1/facts":      {path: v1 + "facts?hall={hall}", may: "viewer clerk manager"},
		"GET /api/v1/cameras":    {path: v1 + "cameras?hall={hall}", may: everyWatcher, foreign: 200},
		"GET /api/v1/audit":      {path: v1 + "audit", may: "auditor"},

		"GET /api/v1/audit/export": {path: v1 + "audit/export", may: "auditor"},

		"GET /api/v1/notices":                                 {path: v1 + "notices?hall={hall}", may: everyViewer, foreign: 200},
		"GET /api/v1/notices/groups":                          {path: v1 + "notices/groups", may: everyViewer},
		"GET /api/v1/notices/{hall}/{group}":                  {path: v1 + "notices/{hall}/hall", may: everyViewer},
		"GET /api/v1/notices/{hall}/{group}/{version}/{path}": {path: v1 + "notices/{hall}/hall/1/01.png", may: everyViewer, want: 404},
		"POST /api/v1/notices":                                {path: v1 + "notices", body: `{"halls":["{hall}"],"group":"hall","until":"2020-01-01T00:00:00Z","items":[]}`, may: publishers, want: 422},
		"POST /api/v1/notices/withdrawals":                    {path: v1 + "notices/withdrawals", body: `{"halls":["{hall}"],"group":"hall"}`, may: publishers},

		"GET /api/v1/users":                         {path: v1 + "users", may: "admin"},
		"POST /api/v1/users":                        {path: v1 + "users", body: `{"name":"new","password":"short","roles":[],"scope":[]}`, may: "admin", want: 422},
		"PUT /api/v1/users/{name}":                  {path: v1 + "users/{user}", body: `{}`, may: "admin"},
		"PUT /api/v1/users/{name}/password":         {path: v1 + "users/{user}/password", body: `{"password":"a word long enough"}`, may: "admin", want: 204},
		"DELETE /api/v1/users/{name}/second-factor": {path: v1 + "users/{user}/second-factor", may: "admin", want: 204},

		"POST /whep/{camera}":             {path: "/whep/{camera}", may: "video", want: 415},
		"DELETE /whep/{camera}/{session}": {path: "/whep/{camera}/x", may: "video", want: 404},
		"GET /whep/{camera}":              {path: "/whep/{camera}", may: "video", want: 405, foreign: 405},
		"PATCH /whep/{camera}/{session}":  {path: "/whep/{camera}/x", may: "video", want: 405, foreign: 405},
		"GET /":                           {path: "/", may: "public"}, // a page has nothing in it but the way in: what it shows it asks the API for
		"GET /audit":                      {path: "/audit", may: "public"},
		"GET /healthz":                    {path: "/healthz", may: "public"},
		"GET /readyz":                     {path: "/readyz", may: "public"},
		"GET /metrics":                    {path: "/metrics", may: "public"}, // of this machine, as all here are: see TestFiguresAreForThisMachine
	}
}

// The parts of the server, and the rows that say who is let in there.
func parts() map[string][]string {
	return map[string][]string{
		"/api/": {"GET /api/v1/halls"}, "/api": {"GET /api/v1/halls"}, // each route of openapi.json has a row of its own
		"GET /healthz": {"GET /healthz"}, "GET /readyz": {"GET /readyz"}, "GET /metrics": {"GET /metrics"},
		"/whep/":                {"POST /whep/{camera}", "DELETE /whep/{camera}/{session}", "GET /whep/{camera}", "PATCH /whep/{camera}/{session}"},
		"POST " + province.Path: {programs}, // halls alone, by their signatures: see package province
		"/":                     {"GET /", "GET /audit"},
	}
}

// programs stands for the rows of a part that nobody comes to with a session or a token.
const programs = "programs"

// A part of the server that nobody has said of who is let in there fails, and so does one that is no more.
func TestPatternsHaveRows(t *testing.T) {
	table, known := rows(), parts()
	for _, pattern := range web.Patterns() {
		if len(known[pattern]) == 0 {
			t.Errorf("%s has no rows", pattern)
		}
		for _, route := range known[pattern] {
			if route != programs && table[route].path == "" {
				t.Errorf("%s: there is no row %s", pattern, route)
			}
		}
		delete(known, pattern)
	}
	for pattern := range known {
		t.Errorf("%s is not answered", pattern)
	}
}

// askers are one of each role, all for one hall; one with every role who has to choose a password first; and one administrator
// without a second factor.
func askers() []string {
	return append(rights.Roles(rights.All()).Names(), "fresh", "bare")
}

// matrix is a service with the askers and a user of each hall.
type matrix struct {
	*service
	database string
	hash     string
}

func startMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{database: filepath.Join(t.TempDir(), "cloud.db"), hash: phc.New([]byte("the right one")).String()}
	m.service = start(t, m.database)
	beside(t, m.database, func(tx *store.Tx) error {
		put := func(name string, roles rights.Roles, scope rights.Scope, fresh bool) error {
			return tx.PutUser(store.User{Name: name, Password: m.hash, Origin: store.FromCLI, Roles: roles, Scope: scope, MustChange: fresh, Created: time.Now()})
		}
		var errs []error
		for _, role := range rights.All() {
			errs = append(errs, put(string(role), rights.Roles{role}, rights.Scope{string(hall)}, false))
		}
		errs = append(errs, put("fresh", rights.All(), rights.Scope{string(hall)}, true), put("bare", rights.Roles{rights.Viewer, rights.Admin}, rights.Scope{string(hall)}, false),
			put("own", nil, rights.Scope{string(hall)}, false), put("other", nil, rights.Scope{otherHall}, false))
		return errors.Join(errs...)
	})
	return m
}

// notice publishes a notice for both halls, as a program that may.
func (m *matrix) notice() {
	m.t.Helper()
	body := `{"halls":["` + string(hall) + `","` + otherHall + `"],"group":"hall","until":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `","items":[{"title":"停电通知"}]}`
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, "http://"+m.addr.HTTP+"/api/v1/notices", strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusCreated {
		m.t.Fatalf("%d %s, %v", resp.StatusCode, raw, err)
	}
}

// enter signs somebody in. The administrator of the matrix gets his second factor then.
func (m *matrix) enter(name string) *http.Client {
	m.t.Helper()
	if name == "" {
		return &http.Client{}
	}
	factor := func(secret string) {
		if name == "admin" {
			beside(m.t, m.database, func(tx *store.Tx) error { return tx.PutSecondFactor(name, store.SecondFactor{Secret: secret}) })
		}
	}
	factor("")
	defer factor("JBSWY3DPEHPK3PXP")
	jar, err := cookiejar.New(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	// Each comes from an address of his own: they do not use up one another's attempts.
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+slices.Index(askers(), name)))}}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DialContext: from.DialContext}}
	m.t.Cleanup(client.CloseIdleConnections)
	if status, code, _ := m.ask(client, http.MethodPost, "/api/v1/session", `{"user":"`+name+`","password":"the right one"}`); status != http.StatusCreated {
		m.t.Fatalf("%s signs in: %d %s", name, status, code)
	}
	return client
}

// ask gives the status, code and body of an answer. A stream has no end: what is no refusal is read for a while only.
func (m *matrix) ask(client *http.Client, method, path, body string) (status int, code, text string) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+m.addr.HTTP+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp.StatusCode, "", ""
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	var p struct{ Code string }
	_ = json.Unmarshal(raw, &p) // only problems have one
	return resp.StatusCode, p.Code, string(raw)
}

// in puts whose it is into a path.
func in(path, hall, camera, user string) string {
	return strings.NewReplacer("{hall}", hall, "{camera}", camera, "{user}", user).Replace(path)
}

// Every route lets in those, and no others, whom its row names, and shows nothing of other halls. A route without a row fails.
func TestWhoMayDoWhat(t *testing.T) {
	m := startMatrix(t)
	m.notice()
	table := rows()
	shell, _, _ := m.ask(&http.Client{}, http.MethodGet, "/", "")
	if shell != http.StatusOK && shell != http.StatusServiceUnavailable { // the console may not have been built
		t.Fatalf("the console: %d", shell)
	}
	for _, route := range parts()["/"] {
		page := table[route]
		page.want = shell
		table[route] = page
	}
	var doc struct{ Paths map[string]map[string]any }
	m.get("/api/v1/openapi.json", &doc)
	for path, methods := range doc.Paths {
		for method := range methods {
			if route := strings.ToUpper(method) + " " + path; table[route].path == "" {
				t.Errorf("%s has no row", route)
			}
		}
	}
	for _, name := range append(askers(), "") {
		t.Run(cmp.Or(name, "nobody"), func(t *testing.T) {
			client := m.enter(name)
			for route, r := range table {
				m.check(t, client, name, route, r)
			}
		})
	}
}

func (m *matrix) check(t *testing.T, client *http.Client, name, route string, r row) {
	method, _, _ := strings.Cut(route, " ")
	if method == http.MethodDelete && strings.HasSuffix(route, "/session") && name != "" {
		client = m.enter(name) // this one is over then
	}
	want, code := cmp.Or(r.want, http.StatusOK), ""
	in401 := name == "" && r.may != "public"
	allowed := r.may == "public" || !in401 && (r.may == "self" || slices.Contains(strings.Fields(r.may), name))
	switch {
	case in401:
		want, code = http.StatusUnauthorized, "sign_in"
	case allowed:
	case name == "fresh":
		want, code = http.StatusForbidden, "password_first"
	case name == "bare":
		want, code = http.StatusForbidden, "factor_first"
	default:
		want, code = http.StatusForbidden, "not_allowed"
	}
	status, said, text := m.ask(client, method, in(r.path, string(hall), cameraCode, "own"), in(r.body, string(hall), cameraCode, "own"))
	if status != want || code != "" && said != code {
		t.Errorf("%s: %d %s, want %d %s", route, status, said, want, code)
	}
	if r.may != "public" && strings.Contains(text, otherHall) {
		t.Errorf("%s tells of another hall: %s", route, text)
	}
	if !strings.Contains(r.path, "{") && !strings.Contains(r.body, "{hall}") {
		return
	}
	if allowed {
		want = cmp.Or(r.foreign, http.StatusNotFound)
	}
	status, _, text = m.ask(client, method, in(r.path, otherHall, otherCamera, "other"), in(r.body, otherHall, otherCamera, "other"))
	absentStatus, _, absent := m.ask(client, method, in(r.path, noHall, noCamera, "ghost"), in(r.body, noHall, noCamera, "ghost"))
	text = strings.NewReplacer(otherHall, noHall, "other", "ghost").Replace(text)
	if status != want || absentStatus != status || absent != text {
		t.Errorf("%s of another: %d %s, of none: %d %s, want %d", route, status, text, absentStatus, absent, want)
	}
}

// A page of another site changes nothing, whoever looks at it: there is no route that forgets to ask.
func TestForeignPagesChangeNothing(t *testing.T) {
	m := startMatrix(t)
	client := m.enter("fresh")
	changing := 0
	for route, r := range rows() {
		method, _, _ := strings.Cut(route, " ")
		if method == http.MethodGet {
			continue
		}
		changing++
		for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			req, err := http.NewRequestWithContext(t.Context(), method, "http://"+m.addr.HTTP+in(r.path, string(hall), cameraCode, "own"), strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set(header, value)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			var p struct{ Code string }
			err = json.NewDecoder(resp.Body).Decode(&p)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusForbidden || p.Code != "foreign_origin" {
				t.Errorf("%s with %s: %d %s, %v", route, header, resp.StatusCode, p.Code, err)
			}
		}
	}
	if changing < 10 {
		t.Errorf("only %d routes that change something", changing)
	}
}

// What somebody may see ends when his rights do, in the middle of a stream.
func TestStreamsEndWithTheRights(t *testing.T) {
	m := startMatrix(t)
	client := m.enter("viewer")
	resp, err := client.Get("http://" + m.addr.HTTP + "/api/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	beside(t, m.database, func(tx *store.Tx) error {
		u, _, err := tx.User("viewer")
		if err != nil {
			return err
		}
		u.Scope = rights.Scope{otherHall}
		return tx.PutUser(u)
	})
	if raw, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(raw), "session_ended") {
		t.Errorf("%s, %v", raw, err)
	}
	if status, _, _ := m.ask(client, http.MethodGet, "/api/v1/halls", ""); status != http.StatusUnauthorized {
		t.Errorf("afterwards: %d", status)
	}
}

// A program reads by RTSP what its role and its scope let it see; what they do not is as if it were not there.
func TestWhoMayReadByRTSP(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "cloud.db"))
	s.publish()
	for login, want := range map[string]base.StatusCode{
		"test:" + token + " " + cameraCode: 0, "test:" + token + " " + noCamera: base.StatusNotFound, "elsewhere:" + elsewhereToken + " " + cameraCode: base.StatusNotFound,
		"blind:" + blindToken + " " + cameraCode: base.StatusUnauthorized, "blind:" + blindToken + " " + noCamera: base.StatusUnauthorized,
	} {
		user, camera, _ := strings.Cut(login, " ")
		u, err := base.ParseURL("rtsp://" + user + "@" + s.addr.RTSP + "/" + camera)
		if err != nil {
			t.Fatal(err)
		}
		c := gortsplib.Client{Scheme: u.Scheme, Host: u.Host}
		if err := c.Start2(); err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Describe(u)
		c.Close()
		var bad liberrors.ErrClientBadStatusCode
		if want == 0 && err != nil || want != 0 && (!errors.As(err, &bad) || bad.Code != want) {
			t.Errorf("%s: %v, want %d", login, err, want)
		}
	}
}
