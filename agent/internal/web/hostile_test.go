package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"halledge/agent/internal/config"
)

// marked is in every payload, so that an answer that gives one back is found.
const marked = "xq7z"

// payloads are what an attacker writes where a name, a number or a remark belongs.
var payloads = []string{
	`<img src=` + marked + ` onerror=alert(1)>`, `"><svg/onload=alert('` + marked + `')>`, `</script><script>` + marked + `()</script>`,
	`javascript:` + marked + `()`, `{{` + marked + `}}${` + marked + `}`, `' OR 1=1;--` + marked,
	"\r\nSet-Cookie: " + marked + "=1\r\n\r\n<html>", "%0d%0aX-" + marked + ": 1", `../../../../etc/passwd` + marked, `..\..\windows\` + marked,
	"\x00" + marked, "\u202e" + marked + "\u2066", "\xff\xfe" + marked, strings.Repeat(marked, 2000),
}

// registered gives the patterns that the server's packages put on a mux, as their sources say them.
func registered(t *testing.T) (patterns []string) {
	t.Helper()
	for _, dir := range []string{".", "access", "api", "pages"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			must(t, err)
			ast.Inspect(parsed, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 2 {
					return true
				}
				if f, ok := call.Fun.(*ast.SelectorExpr); !ok || f.Sel.Name != "HandleFunc" {
					return true
				}
				text := ""
				ast.Inspect(call.Args[0], func(n ast.Node) bool {
					switch v := n.(type) {
					case *ast.BasicLit:
						part, err := strconv.Unquote(v.Value)
						must(t, err)
						text += part
					case *ast.Ident:
						text += map[string]string{"trustPath": "/trust", "rootPath": "/ca.crt"}[v.Name]
					}
					return true
				})
				patterns = append(patterns, text)
				return true
			})
		}
	}
	if len(patterns) < 60 {
		t.Fatalf("only %d routes found: does the search still work?", len(patterns))
	}
	return patterns
}

var wildcard = regexp.MustCompile(`\{[a-z.$]+\}`)

// filled gives a pattern's path with a text in the place of each wildcard; without one, with what is there in the hall.
func filled(pattern, ticket, text string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, wildcard.ReplaceAllStringFunc(path, func(w string) string {
		switch {
		case w == "{$}":
			return ""
		case text != "":
			return url.PathEscape(text)
		case strings.Contains(path, "tickets"):
			return ticket
		case w == "{verb}":
			return "pause"
		case w == "{name}":
			return "kiosk-1.printer"
		case w == "{place}":
			return "kiosk-1"
		}
		return "1"
	})
}

// members are fields that bodies have somewhere.
var members = []string{
	"queue", "channel", "identity", "name", "reason", "note", "text", "ticket", "number", "payload", "user", "pin", "page", "code", "place", "grade",
	"reasons", "to", "window", "kind", "remark", "staff", "class", "phone", "id", "from", "until", "minutes", "edit", "windows", "queues",
}

// bodies are what a command may come with: a payload in every field, and what is no command at all.
func bodies(payload string) (out []string) {
	var all []string
	for _, m := range members {
		one := fmt.Sprintf("%q:%q", m, payload)
		out, all = append(out, "{"+one+"}"), append(all, one)
	}
	return append(out, "{"+strings.Join(all, ",")+"}")
}

var nonsense = []string{
	"", "null", "[]", "1e999", `"text"`, "{", `{"a":NaN}`, `{"queue":1,"queue":"A"}`, `{"queue":["A"],"windows":{"a":[[]]},"to":7}`,
	strings.Repeat(`{"to":`, 5000) + "1" + strings.Repeat("}", 5000), strings.Repeat("[", 100_000), `{"reason":"` + strings.Repeat("长", 1<<20) + `"}`,
	"\xef\xbb\xbf{}", "{}{}", "a=b&c=d", "\x00\x01\x02",
}

// probe sends hostile requests and looks at every answer.
type probe struct {
	*secured
	client *http.Client
	sent   int
}

// guards are the headers that every answer must have.
var guards = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
}

func (p *probe) send(method, target, body string, header ...string) {
	p.t.Helper()
	u, err := url.Parse(p.base)
	must(p.t, err)
	path, query, _ := strings.Cut(target, "?")
	u.Opaque, u.RawQuery = "//"+u.Host+path, query
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base, strings.NewReader(body))
	must(p.t, err)
	req.URL = u
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := p.client.Do(req)
	p.sent++
	what := fmt.Sprintf("%s %.200q %.200q %.100q", method, target, body, header)
	if err != nil {
		p.t.Errorf("%s: %v", what, err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	away := strings.HasPrefix(path, "/api/v1/devices/") && res.StatusCode == http.StatusServiceUnavailable // no hardware is behind the name
	if res.StatusCode >= http.StatusInternalServerError && !away {
		p.t.Errorf("%s: %s", what, res.Status)
	}
	for name, want := range guards {
		if got := res.Header.Get(name); got != want {
			p.t.Errorf("%s: %s: %q", what, name, got)
		}
	}
	for name, values := range res.Header {
		if strings.Contains(strings.ToLower(name), marked) || name != "Location" && strings.Contains(strings.Join(values, " "), marked) {
			p.t.Errorf("%s: header %s: %q", what, name, values)
		}
	}
	p.quiet(what, path, res)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return // it has no end
	}
	got, err := io.ReadAll(res.Body)
	must(p.t, err)
	p.look(what, res, got)
}

// quiet wants of an answer's head that it says nothing of what answers, that nobody keeps what is for one alone, and that no script and no
// other site gets at a cookie.
func (p *probe) quiet(what, path string, res *http.Response) {
	p.t.Helper()
	for _, name := range []string{"Server", "X-Powered-By", "Via", "Access-Control-Allow-Origin"} {
		if got := res.Header.Get(name); got != "" {
			p.t.Errorf("%s: %s: %q", what, name, got)
		}
	}
	same := strings.HasPrefix(path, "/assets/") || path == "/ca.crt" // for everybody
	if cache := res.Header.Get("Cache-Control"); cache != "no-store" && !same {
		p.t.Errorf("%s: Cache-Control: %q", what, cache)
	}
	for _, c := range res.Cookies() {
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Domain != "" {
			p.t.Errorf("%s: cookie %q", what, c.Raw)
		}
	}
}

// look wants that an answer gives nothing back that could run.
func (p *probe) look(what string, res *http.Response, got []byte) {
	p.t.Helper()
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	known := []string{"text/html", "application/json", "application/problem+json", "text/css", "text/javascript", "image/svg+xml", "image/png",
		"application/x-x509-ca-cert", "text/plain", "audio/wav", "application/yaml", "text/yaml", ""}
	if !slices.Contains(known, kind) || kind == "" && len(got) > 0 {
		p.t.Errorf("%s: an answer of the kind %q", what, kind)
	}
	for _, inner := range []string{"goroutine ", "runtime error", ".go:", "halledge/", "Index of", "404 page not found", "Method Not Allowed\n"} {
		if bytes.Contains(got, []byte(inner)) && !strings.Contains(what, "/api/v1/log") {
			p.t.Errorf("%s: the answer says %q: %.300s", what, inner, got)
		}
	}
	if res.StatusCode >= http.StatusBadRequest && len(got) > 0 && kind != "application/problem+json" && kind != "text/html" {
		p.t.Errorf("%s: %s as %q", what, res.Status, kind)
	}
	low := bytes.ToLower(got)
	for _, bad := range []string{"<img src=" + marked, "<svg/onload", "<script>" + marked, "href=\"javascript:"} {
		if bytes.Contains(low, []byte(bad)) && (kind == "text/html" || kind == "image/svg+xml") {
			p.t.Errorf("%s: %s comes back: %.300s", what, bad, got)
		}
	}
	if strings.HasSuffix(kind, "json") && bytes.ContainsAny(got, "<>") {
		p.t.Errorf("%s: JSON with marks of HTML: %.300s", what, got)
	}
}

// openProbe starts a hall whose names are hostile, too.
func openProbe(t *testing.T) *probe {
	t.Helper()
	evil := payloads[0]
	s := openSecured(t, 64, func(site *config.Site, plan *config.Plan) {
		site.Hall.Name, plan.Queues[0].Name, plan.Windows[0].Name, plan.Staff[0].Name = evil, evil, evil, evil
		plan.Kiosks[0].Name, plan.Screens[0].Name, plan.Screens[0].Notice, plan.Queues[0].Dept = evil, evil, evil, evil
	})
	client := &http.Client{Transport: s.transport(nil), Timeout: s.client.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &probe{s, client, 0}
}

// Threat 19: whatever is written where, no answer gives it back so that it could run, none breaks the server, and each has its guards.
func TestThreat19HostileTextRunsNowhere(t *testing.T) {
	p := openProbe(t)
	ticket := p.take("A")
	citizen := p.signer.Token(ticketID(ticket))
	for _, pattern := range registered(t) {
		_, plain := filled(pattern, ticket, "")
		for i, payload := range payloads {
			method, path := filled(pattern, ticket, payload)
			query := url.Values{}
			for _, name := range []string{"as", "token", "window", "queue", "number", "text", "page", "after", "wait", "input", "day", "from", "lang", "v"} {
				query.Set(name, payload[:min(len(payload), 900)])
			}
			p.send(method, path, "", "Authorization", "Bearer "+staffToken, "Idempotency-Key", "k"+marked)
			p.send(method, plain+"?"+query.Encode(), "", "Accept", "text/html")
			header := strings.Map(func(r rune) rune { // what a client of HTTP lets pass
				if r < ' ' || r > '~' {
					return '?'
				}
				return r
			}, payload[:min(len(payload), 1000)])
			p.send(method, plain, "", "Authorization", "Bearer "+header, "Accept", "text/html, "+header, "Cookie", "he-window-1="+header, "User-Agent", header,
				"Referer", header, "X-Forwarded-For", header, "X-Forwarded-Host", header, "Last-Event-Id", header, "Idempotency-Key", header)
			if method != http.MethodPost || i%3 != 0 { // bodies are many
				continue
			}
			for n, body := range bodies(payload) {
				p.send(method, plain, body, "Authorization", "Bearer "+[]string{staffToken, opsToken, kioskToken, citizen}[n%4], "Idempotency-Key", fmt.Sprint(pattern, i, n))
			}
		}
		if method, _ := filled(pattern, ticket, ""); method == http.MethodPost {
			for n, body := range nonsense {
				p.send(method, plain, body, "Authorization", "Bearer "+staffToken, "Idempotency-Key", fmt.Sprint(pattern, "n", n), "Content-Type", "application/json")
			}
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "HEAD"} {
		for _, path := range allPages {
			p.send(method, path, "", "Accept", "text/html")
		}
	}
	t.Logf("%d requests", p.sent)
	p.get(staffToken, "/api/v1/hall").want(t, 200, "") // and the hall goes on
}

// Threat 18: no address leads out of what the server gives.
func TestThreat18NoAddressLeadsOut(t *testing.T) {
	p := openProbe(t)
	for _, path := range []string{
		"/assets/../../../etc/passwd", "/assets/%2e%2e%2f%2e%2e%2fetc/passwd", "/assets/..%5c..%5cagent.yaml", "/assets/%00", "//etc/passwd", "/%2e%2e/agent.yaml",
		"/assets/dist.go", "/assets/sources.sha256%00.css", "/ca.crt/../../web/root.key", "/web/root.key", "/hall.db", "/doctor.json", "/.git/config", "/debug/pprof/",
	} {
		p.send("GET", path, "")
		res, err := p.client.Get(p.base + path)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusMovedPermanently && res.StatusCode != http.StatusTemporaryRedirect {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	if _, err := os.Stat(filepath.Join(p.dir, "web", "root.key")); err != nil {
		t.Errorf("the key that was asked for is not there: %v", err)
	}
}

// Threat 12: what a QR code holds is data. Nothing in it is opened, none of it comes back, and only what has the grammar of a code of the
// hall, or its own seal, is taken for one.
func TestThreat12CodesAreData(t *testing.T) {
	s := open(t)
	trap, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, trap.Close()) }()
	id := s.take("A")
	good := s.signer.Token(ticketID(id))
	for _, payload := range append([]string{
		"http://" + trap.Addr().String() + "/" + marked, "https://" + trap.Addr().String() + "/t/" + marked, "file:///etc/passwd#" + marked, "ldap://" + trap.Addr().String() + "/" + marked,
		"%s%n%x" + marked, "$(touch /tmp/" + marked + ")", "`id`" + marked, "'; DROP TABLE tickets;--" + marked, "=cmd|' /C calc'!A0" + marked, "WIFI:S:" + marked + ";;",
		good + marked, good[:len(good)-2] + "AA", "HE1." + marked + "." + marked, strings.Repeat("9", 600),
	}, payloads...) {
		r := s.post(kioskToken, "/api/v1/scans", map[string]string{"payload": payload})
		if r.Status < 400 || r.Status >= 500 || strings.Contains(r.Raw, marked) || !strings.HasSuffix(r.Header.Get("Content-Type"), "json") {
			t.Errorf("%.80q: %d %.200s", payload, r.Status, r.Raw)
		}
	}
	if r := s.post(kioskToken, "/api/v1/scans", map[string]string{"payload": good}).want(t, 200, ""); r.text("ticket", "id") != id {
		t.Errorf("the hall's own code: %s", r.Raw)
	}
	own, err := net.Dial("tcp", trap.Addr().String())
	must(t, err)
	first, err := trap.Accept()
	must(t, err)
	if first.RemoteAddr().String() != own.LocalAddr().String() {
		t.Error("a code was opened: somebody came before us")
	}
	must(t, errors.Join(first.Close(), own.Close()))
}
