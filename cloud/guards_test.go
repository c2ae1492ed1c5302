package cloud_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"halledge/cloud/internal/store"
)

// guarded wants of an answer what an assessor's scanner looks for without asking twice.
func guarded(t *testing.T, what string, resp *http.Response, body string) {
	t.Helper()
	h := resp.Header
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Server": "", "X-Powered-By": "", "Access-Control-Allow-Origin": "", "X-Request-Id": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %s: %q", what, name, got)
		}
	}
	csp := h.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		t.Errorf("%s: Content-Security-Policy: %q", what, csp)
	}
	if got := h.Get("Referrer-Policy"); got != "no-referrer" && got != "same-origin" {
		t.Errorf("%s: Referrer-Policy: %q", what, got)
	}
	page := strings.HasPrefix(h.Get("Content-Type"), "text/html") // the way in, the same for everybody
	if got := h.Get("Cache-Control"); got != "no-store" && (!page || got != "no-cache") {
		t.Errorf("%s: Cache-Control: %q", what, got)
	}
	for _, c := range resp.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s: cookie %q", what, c.Raw)
		}
	}
	for _, inner := range []string{"goroutine ", "runtime error", "panic", ".go:", "/internal/", "sql: ", "SQLITE", "SQL logic", "Index of", "404 page not found", "Go-http"} {
		if strings.Contains(body, inner) {
			t.Errorf("%s: the answer says %q: %.300s", what, inner, body)
		}
	}
	if resp.StatusCode < http.StatusBadRequest || page {
		return
	}
	var p struct {
		Status        int
		Code, Message string
	}
	kind := h.Get("Content-Type")
	if resp.Request.Method != http.MethodHead && (!strings.HasPrefix(kind, "application/problem+json") || json.Unmarshal([]byte(body), &p) != nil || p.Status != resp.StatusCode || p.Code == "") {
		t.Errorf("%s: %d as %s: %.300s", what, resp.StatusCode, kind, body)
	}
}

// asked sends a request and looks at its answer.
func (m *matrix) asked(client *http.Client, method, path, body string) (status int, text string) {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), method, "http://"+m.addr.HTTP+path, strings.NewReader(body))
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
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") { // that has no end
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			m.t.Fatal(err)
		}
		text = string(raw)
	}
	guarded(m.t, fmt.Sprintf("%s %.200s", method, path), resp, text)
	return resp.StatusCode, text
}

// Every answer of every route, to whomever it is given and however it is refused, has its guards and tells nothing of the inside. The
// routes are those of the matrix, in which one that is missing fails.
func TestEveryAnswerIsGuarded(t *testing.T) {
	m := startMatrix(t)
	clients := map[string]*http.Client{}
	for _, name := range append(askers(), "") {
		clients[name] = m.enter(name)
		clients[name].CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	for route, r := range rows() {
		method, _, _ := strings.Cut(route, " ")
		for name, client := range clients {
			if method == http.MethodDelete && strings.HasSuffix(route, "/session") && name != "" {
				client = m.enter(name) // this one is over then
			}
			m.asked(client, method, in(r.path, string(hall), cameraCode, "own"), r.body)
			m.asked(client, method, in(r.path, noHall, noCamera, "ghost"), "{")
		}
		for _, method := range []string{"PUT", "DELETE", "PATCH", "POST", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "X"} {
			m.asked(clients[""], method, in(r.path, string(hall), cameraCode, "own"), "")
		}
	}
	for _, path := range []string{
		"/assets/", "/assets", "/assets/nothing.js", "/.git/config", "/.env", "/debug/pprof/", "/api", "/api/", "/api/v1", "/api/v1/nothing", "/api/v2/halls", "/whep", "/whep/", "/cloud.db",
		"/index.html", "/favicon.ico", "/robots.txt", "/x/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/%00", "/a//b", "/healthz/x", "/metrics/", "/" + strings.Repeat("x", 8000), "//evil.example/%2e%2e",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if status, text := m.asked(clients[""], method, path, ""); status >= 500 && status != http.StatusServiceUnavailable || strings.Contains(text, "root:") {
				t.Errorf("%s %.100s: %d", method, path, status)
			}
		}
	}
}

// What is no HTTP at all is answered without a word about what answers.
func TestWhatIsNoRequestLearnsNothing(t *testing.T) {
	m := startMatrix(t)
	for _, said := range []string{
		"GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "\x16\x03\x01\x00\x05hello\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		c, err := net.Dial("tcp", m.addr.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, said); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%.40q: %v", said, err)
		}
		raw, _ := io.ReadAll(resp.Body) // who says too much is cut off
		if resp.StatusCode < 400 || resp.StatusCode >= 500 && resp.StatusCode != http.StatusHTTPVersionNotSupported || len(raw) > 400 || resp.Header.Get("Server") != "" || strings.Contains(string(raw), "goroutine") {
			t.Errorf("%.40q: %s: %s", said, resp.Status, raw)
		}
		_ = resp.Body.Close()
		_ = c.Close()
	}
}

// injections are what an attacker writes where a database is asked for what people wrote.
var injections = []string{
	"' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE users; --", "x' UNION SELECT password FROM users --", `" OR ""="`, "1); DELETE FROM audit; --", "%", "_", "%%%", "*", "[a-z]", `\`, "$1", "?1", ":name",
	"$(id)", "`id`", "; id", "| id", "*)(uid=*", "\x00", "\x1b[2J", "\u202e", strings.Repeat("'", 99),
}

// Threat 35: nothing that is written into a filter or into an address is anything but a value: it finds nothing, breaks nothing and
// changes nothing. The filters are those that the interface says it has.
func TestThreat35HostileFiltersFindNothing(t *testing.T) {
	m := startMatrix(t)
	beside(t, m.database, func(tx *store.Tx) error {
		return tx.AddAudit(store.Audit{Actor: "viewer", By: store.FromCLI, Action: store.ActionWatch, Subject: cameraCode, Result: "ok"})
	})
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
				Required bool
			}
		}
	}
	m.get("/api/v1/openapi.json", &doc)
	table, clients, filters := rows(), map[string]*http.Client{}, 0
	for path, methods := range doc.Paths {
		get, ok := methods["get"]
		row := table["GET "+path]
		if !ok || row.may == "public" {
			continue
		}
		who := strings.Fields(strings.Replace(row.may, "self", "viewer", 1))[0]
		if clients[who] == nil {
			clients[who] = m.enter(who)
		}
		for _, p := range get.Parameters {
			filters++
			for _, evil := range injections {
				query, target := url.Values{}, path
				for _, other := range get.Parameters {
					if other.Required && other.In == "query" && other.Name == "hall" {
						query.Set("hall", string(hall))
					}
				}
				if p.In == "path" {
					target = strings.Replace(target, "{"+p.Name+"}", url.PathEscape(evil), 1)
				} else {
					query.Set(p.Name, evil)
				}
				status, text := m.asked(clients[who], http.MethodGet, target+"?"+query.Encode(), "")
				var page struct {
					Total *int
					Items []any
				}
				_ = json.Unmarshal([]byte(text), &page) // only pages have them
				if !slices.Contains([]int{200, 400, 404}, status) || status == 200 && (len(page.Items) > 0 || page.Total != nil && *page.Total > 0) {
					t.Errorf("%s %s=%q: %d %.300s", path, p.Name, evil, status, text)
				}
			}
		}
	}
	if filters < 20 {
		t.Errorf("only %d filters found: does the search still work?", filters)
	}
	var users struct{ Total int }
	_, text := m.asked(m.enter("admin"), http.MethodGet, "/api/v1/users", "")
	if err := json.Unmarshal([]byte(text), &users); err != nil || users.Total < len(askers()) {
		t.Errorf("%d users are left, %v: %s", users.Total, err, text)
	}
	t.Logf("%d filters, %d texts each", filters, len(injections))
}
