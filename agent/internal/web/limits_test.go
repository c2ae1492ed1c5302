package web_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/web"
)

// raw is a connection to the server that sends what no HTTP client would.
type raw struct {
	s    *stage
	conn net.Conn
	in   *bufio.Reader
}

func (s *stage) dial() *raw {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	must(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	must(s.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return &raw{s, conn, bufio.NewReader(conn)}
}

// ask sends lines and reads an answer.
func (c *raw) ask(lines ...string) reply {
	c.s.t.Helper()
	_, err := io.WriteString(c.conn, strings.Join(lines, "\r\n"))
	must(c.s.t, err)
	res, err := http.ReadResponse(c.in, nil)
	must(c.s.t, err)
	r, err := readReply(res)
	must(c.s.t, err)
	return r
}

// within serves with limits that a test can reach.
func within(t *testing.T, body time.Duration, conns int) *stage {
	t.Helper()
	s := open(t)
	s.stop()
	s.build = func(d web.Deps) (*web.Server, error) { return web.NewWithin(d, body, conns) }
	s.start()
	return s
}

// No time limit ends these connections: only that they are silent makes room for the next one.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	s := within(t, time.Hour, 4)
	for range 3 {
		s.dial().ask("GET /healthz HTTP/1.1", "Host: localhost", "", "").want(t, 200, "")
		s.dial() // and one that never says anything
	}
	for range 8 {
		s.client.CloseIdleConnections()
		s.take("A")
	}
}

func TestASlowBodyTimesOut(t *testing.T) {
	s := within(t, 10*time.Millisecond, 16)
	for path, body := range map[string]string{
		"/api/v1/tickets":        `{"queue":"A","channel":"kiosk"}`,
		"/api/v1/windows/1/open": `{}`,
		"/sign-in":               `{"user":"w01"}`,
	} {
		r := s.dial().ask("POST "+path+" HTTP/1.1", "Host: localhost", "Authorization: Bearer "+staffToken, "Idempotency-Key: "+rand.Text(),
			fmt.Sprint("Content-Length: ", len(body)), "", body[:len(body)-1])
		if r.want(t, 408, "body_slow").Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
	if waiting := s.get(kioskToken, "/api/v1/hall").at("queues").([]any)[0].(map[string]any)["waiting"]; waiting != 0.0 {
		t.Errorf("half a request took a ticket: %v wait", waiting)
	}
}

func TestOneKeyARequest(t *testing.T) {
	s := open(t)
	for _, keys := range [][]string{{"a", "b"}, {"a", "a"}, {"", "b"}, {"a", ""}} {
		body := `{"queue":"A","channel":"kiosk"}`
		s.dial().ask("POST /api/v1/tickets HTTP/1.1", "Host: localhost", "Authorization: Bearer "+kioskToken,
			"Idempotency-Key: "+keys[0], "Idempotency-Key: "+keys[1], fmt.Sprint("Content-Length: ", len(body)), "", body).
			want(t, 400, "idempotency_key_repeated")
	}
}

func TestHTTP10WithoutAHost(t *testing.T) {
	s := open(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		s.dial().ask("GET "+path+" HTTP/1.0", "", "").want(t, 200, "")
	}
	s.dial().ask("GET /api/v1/hall HTTP/1.0", "", "").want(t, 401, "sign_in")
	s.dial().ask("GET /readyz HTTP/1.0", "Host: evil.example", "", "").want(t, 421, "host_not_allowed")
}

// What a client writes comes back only as far as it can be seen.
func TestAnswersRepeatNothingInvisible(t *testing.T) {
	s := open(t)
	turned := "9\u202e\u2066\u0007" + strings.Repeat("号", 500)
	for name, r := range map[string]reply{
		"window": s.verb("%39%E2%80%AE%E2%81%A6%07"+strings.Repeat("%E5%8F%B7", 500), "open", nil).want(t, 404, "unknown_window"),
		"to":     s.transferTo(turned).want(t, 404, "unknown_window"),
		"field":  s.verb("1", "open", map[string]any{turned: 1}).want(t, 400, "field_unknown"),
	} {
		if strings.ContainsAny(fmt.Sprint(r.body), "\u202e\u2066\u0007") || !strings.Contains(r.text("detail"), "9") || len(r.Raw) > 1000 {
			t.Errorf("%s: %q", name, r.Raw)
		}
	}
	s.verb("1", "pause", map[string]string{"reason": "\u202e开会"}).want(t, 400, "field_characters")
}

// transferTo sends the ticket of window 1 on to another window.
func (s *stage) transferTo(window string) reply {
	s.t.Helper()
	s.take("A")
	s.verb("1", "open", nil).want(s.t, 200, "")
	s.verb("1", "call-next", nil).want(s.t, 200, "")
	return s.verb("1", "transfer", map[string]any{"to": map[string]string{"window": window}})
}

// Threat 36: whoever got hold of a slip or of a kiosk can keep the hall as busy as that one may, and no more.
func TestThreat36NobodyCommandsFasterThanPeopleDo(t *testing.T) {
	s := open(t, func(_ *config.Site, plan *config.Plan) { plan.Rules.TakesPerS = 1 })
	id := s.take("A")
	for name, c := range map[string]struct{ token, path, body string }{
		"a slip":  {s.signer.Token(ticketID(id)), "/api/v1/ratings", `{"ticket":"` + id + `"}`},
		"scans":   {kioskToken, "/api/v1/scans", `{"payload":"x"}`},
		"tickets": {kioskToken, "/api/v1/tickets", `{"queue":"A","channel":"kiosk"}`},
	} {
		limited := 0
		for range 40 {
			r := s.post(c.token, c.path, c.body)
			if r.Status == http.StatusTooManyRequests && r.Header.Get("Retry-After") != "" {
				limited++
			} else if r.Status >= http.StatusInternalServerError {
				t.Fatalf("%s: %d %s", name, r.Status, r.Raw)
			}
		}
		if limited == 0 {
			t.Errorf("%s: all passed", name)
		}
	}
	other := s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk"}).want(t, 201, "").text("ticket", "id")
	s.post(s.signer.Token(ticketID(other)), "/api/v1/tickets/"+other+"/withdraw", nil).want(t, 200, "") // each slip has its own measure
	s.get(kioskToken, "/api/v1/hall").want(t, 200, "")                                                  // who only looks is not held up
}

// Threat 36: what is too large is refused before it costs anything.
func TestThreat36OversizedRequests(t *testing.T) {
	s := open(t)
	long := strings.Repeat("x", 64<<10)
	for _, lines := range [][]string{
		{"GET /" + long + " HTTP/1.1", "Host: localhost", "", ""},
		{"GET / HTTP/1.1", "Host: localhost", "X-Long: " + long, "", ""},
		{"GET / HTTP/1.1", "Host: localhost", strings.Repeat("X-Many: 1\r\n", 8<<10), "", ""},
	} {
		c := s.dial()
		_, _ = io.WriteString(c.conn, strings.Join(lines, "\r\n")) // it may be cut off before all is sent
		res, err := http.ReadResponse(c.in, nil)
		if err == nil && res.StatusCode != http.StatusRequestHeaderFieldsTooLarge && res.StatusCode != http.StatusBadRequest {
			t.Errorf("%.60q: %s", lines, res.Status)
		}
	}
	for _, path := range []string{"/api/v1/tickets", "/api/v1/windows/1/open", "/api/v1/scans", "/api/v1/plan", "/sign-in", "/pair"} {
		r := s.post(staffToken, path, `{"reason":"`+strings.Repeat("x", 9<<20)+`"}`)
		if r.Status != http.StatusRequestEntityTooLarge && r.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %.100s", path, r.Status, r.Raw)
		}
	}
}
