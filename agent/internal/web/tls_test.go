package web_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/web"
	"halledge/agent/internal/web/trust"
)

const hallName = "hall.example.cn"

// secured is a stage whose pages are served by TLS.
type secured struct {
	*stage
	keeper *trust.Keeper
	names  []string // of the box now
	plain  string   // the same address without TLS
}

// openSecured starts one with room for a number of connections; its client trusts the root as the hall's machines do.
func openSecured(t *testing.T, conns int, change ...func(*config.Site, *config.Plan)) *secured {
	t.Helper()
	s := &secured{names: []string{hallName, "localhost", "127.0.0.1"}}
	s.stage = open(t, append(change, func(site *config.Site, _ *config.Plan) { site.Web.TLS = "on" })...)
	s.stop()
	var err error
	s.keeper, err = trust.Open(trust.Options{
		Dir: filepath.Join(s.dir, trust.Directory), Hall: hallCode, Name: s.site.Hall.Name, Names: s.called,
		Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	s.build = func(d web.Deps) (*web.Server, error) {
		d.Trust = s.keeper
		return web.NewWithin(d, time.Hour, conns)
	}
	s.start()
	s.plain, s.base = s.base, strings.Replace(s.base, "http:", "https:", 1)
	s.client.Transport = s.transport(nil)
	return s
}

func (s *secured) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

// call gives the box a further name.
func (s *secured) call(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, name)
}

// transport trusts the hall's root; change may alter what it offers.
func (s *secured) transport(change func(*tls.Config)) *http.Transport {
	c := &tls.Config{RootCAs: s.keeper.Root().Pool()}
	if change != nil {
		change(c)
	}
	return &http.Transport{TLSClientConfig: c}
}

// fetch sends a request as a browser does that is new here and follows nothing.
func (s *secured) fetch(method, address string, header ...string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, nil)
	must(s.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	client := &http.Client{Transport: s.transport(nil), Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	must(s.t, err)
	r, err := readReply(res)
	must(s.t, err)
	return r
}

// Threat 8: old TLS, weak ciphers and plain HTTP get nothing; old machines that know TLS 1.2 with authenticated encryption do.
func TestThreat08TheHallSpeaksNoOldTLS(t *testing.T) {
	s := openSecured(t, 64)
	aead := []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	dial := func(c *tls.Config) (*tls.Conn, error) {
		c.RootCAs, c.ServerName = s.keeper.Root().Pool(), hallName
		return tls.Dial("tcp", s.server.Addr().String(), c)
	}
	for name, c := range map[string]*tls.Config{
		"TLS 1.0": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"TLS 1.1": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"TLS 1.2 without AEAD": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
		}},
		"TLS 1.2 without forward secrecy": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
			tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
		}},
	} {
		if conn, err := dial(c); err == nil {
			t.Errorf("%s is accepted: %+v", name, conn.ConnectionState())
		}
	}
	for _, suite := range aead {
		conn, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err != nil {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
			continue
		}
		if got := conn.ConnectionState(); got.CipherSuite != suite || got.Version != tls.VersionTLS12 {
			t.Errorf("%+v", got)
		}
		must(t, conn.Close())
	}
	conn, err := dial(&tls.Config{NextProtos: []string{"h2", "http/1.1"}})
	must(t, err)
	if got := conn.ConnectionState(); got.Version != tls.VersionTLS13 || got.NegotiatedProtocol != "http/1.1" {
		t.Errorf("%x %q", got.Version, got.NegotiatedProtocol)
	}
	must(t, conn.Close())
	if _, err := (&http.Client{}).Get(s.base + "/"); err == nil {
		t.Error("a machine without the root is let through")
	}
	s.get(staffToken, "/api/v1/hall").want(t, 200, "")
}

// Threat 8: without TLS there is one page and the root, whatever is asked for.
func TestThreat08PlainHTTPGetsOnePage(t *testing.T) {
	s := openSecured(t, 64)
	id := s.take("A")
	page := s.fetch("GET", s.plain+"/", "Accept", "text/html").want(t, 426, "")
	for _, path := range append([]string{"/sign-in", "/trust", "/api/v1/hall", "/api/v1/tickets/" + id, "/healthz", "/metrics", "/assets/window.js", "/t/" + s.signer.Token(ticketID(id))}, allPages...) {
		got := s.fetch("GET", s.plain+path+"?token="+kioskToken, "Accept", "text/html", "Authorization", "Bearer "+staffToken, "Cookie", "he-window-1=t.x").want(t, 426, "")
		if got.Raw != page.Raw || got.Header.Get("Set-Cookie") != "" || got.Header.Get("Location") != "" {
			t.Errorf("%s: %v %s", path, got.Header, got.Raw)
		}
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"} {
			r := s.fetch(method, s.plain+path, "Authorization", "Bearer "+staffToken, "Idempotency-Key", "k").want(t, 426, "tls_required")
			if !strings.Contains(r.Header.Get("Upgrade"), "TLS/1.2") {
				t.Errorf("%s %s: %v", method, path, r.Header)
			}
		}
	}
	root := s.fetch("GET", s.plain+"/ca.crt").want(t, 200, "")
	if root.Raw != string(s.keeper.Root().DER()) || root.Header.Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Errorf("%v", root.Header)
	}
	for _, r := range []reply{page, root} {
		if r.Header.Get("Content-Security-Policy") == "" || r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%v", r.Header)
		}
	}
	s.fetch("GET", s.plain+"/ca.crt", "Host", "evil.example").want(t, 421, "host_not_allowed")
	if !strings.Contains(page.Raw, `href="`+s.base+`/"`) || !strings.Contains(page.Raw, "没有加密") {
		t.Error(page.Raw)
	}
}

// Threat 8: every answer by TLS, also a refusal, tells browsers never to come otherwise. A hall that has no TLS, because it listens on
// this machine alone, does not.
func TestThreat08BrowsersOfTheHallComeByTLSAlone(t *testing.T) {
	s, plain := openSecured(t, 64), open(t)
	for _, path := range append([]string{"/", "/sign-in", "/trust", "/ca.crt", "/healthz", "/api/v1/hall", "/assets/window.js", "/t/HE1.x.x", "/nowhere"}, allPages...) {
		if got := s.fetch("GET", s.base+path).Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
			t.Errorf("%s: %q", path, got)
		}
		if got := plain.get("", path).Header.Get("Strict-Transport-Security"); strings.Contains(got, "max-age") {
			t.Errorf("%s without TLS: %q", path, got)
		}
	}
}

func TestTheRootIsThereForTheHallsMachines(t *testing.T) {
	s := openSecured(t, 64)
	page := s.fetch("GET", s.base+"/trust").want(t, 200, "")
	shown := strings.NewReplacer(`<span class="phrase">`, "", "</span>", "").Replace(page.Raw)
	if root := s.keeper.Root(); !strings.Contains(shown, root.SHA256()) || !strings.Contains(shown, root.SHA1()) || strings.Contains(shown, "没有加密") {
		t.Error(page.Raw)
	}
	got, err := x509.ParseCertificate([]byte(s.fetch("GET", s.base+"/ca.crt").want(t, 200, "").Raw))
	if err != nil || !got.Equal(s.keeper.Root().Certificate) {
		t.Errorf("%v", err)
	}
	if home := s.fetch("GET", s.base+"/"); !strings.Contains(home.Raw, `href="/trust"`) {
		t.Error("the first page does not lead there")
	}
	plain := open(t)
	for _, path := range []string{"/trust", "/ca.crt"} { // a hall without a certificate has no root
		plain.get("", path).want(t, 404, "not_found")
	}
	if home := plain.get("", "/"); strings.Contains(home.Raw, "/trust") {
		t.Error("the first page leads to nothing")
	}
}

// Threat 20: cookies stay with TLS, names stay with the certificate, and other origins stay out.
func TestThreat20CookiesAndNamesByTLS(t *testing.T) {
	s := openSecured(t, 64)
	clerk := s.browser()
	clerk.client.Transport = s.client.Transport
	in := clerk.signIn("w01", "window-1").want(t, 204, "")
	enter := s.fetch("GET", s.base+"/kiosk/1?token="+kioskToken).want(t, 303, "")
	for _, r := range []reply{in, enter} {
		cookie := r.Header.Get("Set-Cookie")
		for _, word := range []string{"Secure", "HttpOnly", "SameSite=Strict"} {
			if !strings.Contains(cookie, word) {
				t.Errorf("%s: not %s", cookie, word)
			}
		}
		if r.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
			t.Errorf("%v", r.Header)
		}
	}
	clerk.do("GET", "/api/v1/hall?as=window-1", "").want(t, 200, "")
	clerk.do("POST", "/sign-out?as=window-1", "", "Origin", s.plain).want(t, 403, "cross_origin")
	clerk.do("POST", "/sign-out?as=window-1", "", "Origin", "https://evil.example").want(t, 403, "cross_origin")
	clerk.do("POST", "/sign-out?as=window-1", "", "Origin", s.base).want(t, 204, "")
	for host, status := range map[string]int{hallName: 200, strings.ToUpper(hallName) + ":8080": 200, "evil.example": 421, "x." + hallName: 421, "192.0.2.7": 421} {
		s.fetch("GET", s.base+"/healthz", "Host", host).want(t, status, "")
	}
	s.call("second.local")
	s.fetch("GET", s.base+"/healthz", "Host", "second.local").want(t, 421, "host_not_allowed")
	must(t, s.keeper.Renew())
	s.fetch("GET", s.base+"/healthz", "Host", "second.local").want(t, 200, "")
	if c := open(t).get("", "/kiosk/1?token="+kioskToken); strings.Contains(c.Header.Get("Strict-Transport-Security"), "max-age") {
		t.Error("a hall without TLS asks for it")
	}
}

// A box that gets another address shows the right certificate to whoever comes then, and nobody who is there is cut off.
func TestTheCertificateChangesUnderARunningHall(t *testing.T) {
	s := openSecured(t, 64)
	leaf := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", s.server.Addr().String(), &tls.Config{RootCAs: s.keeper.Root().Pool(), ServerName: hallName})
		must(t, err)
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0]
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/api/v1/stream", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+screenToken)
	res, err := (&http.Client{Transport: s.transport(nil)}).Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	before := leaf()
	s.call("192.0.2.44")
	must(t, s.keeper.Renew())
	after := leaf()
	if after.Equal(before) || !slices.ContainsFunc(after.IPAddresses, func(ip net.IP) bool { return ip.String() == "192.0.2.44" }) {
		t.Errorf("%v, then %v", before.IPAddresses, after.IPAddresses)
	}
	s.take("A")
	for told := ""; !strings.Contains(told, "ticket.taken"); {
		got := make([]byte, 4096)
		n, err := res.Body.Read(got)
		must(t, err)
		told += string(got[:n])
	}
}

// Threat 36: connections that say nothing, or only begin to speak TLS, keep nobody out.
func TestThreat36HalfHandshakesKeepNobodyOut(t *testing.T) {
	s := openSecured(t, 4)
	for _, said := range []string{"", "\x16", "\x16\x03\x01\x02\x00\x01", "G", "GET / HTTP/1.1\r\nHost: "} {
		for range 3 {
			conn, err := net.Dial("tcp", s.server.Addr().String())
			must(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, said)
			must(t, err)
		}
		s.client.CloseIdleConnections()
		s.take("A")
	}
}
