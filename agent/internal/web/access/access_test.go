package access

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

const (
	kioskToken  = "kiosk-token-0123456789"
	screenToken = "screen-token-0123456789"
	staffToken  = "staff-token-0123456789"
	opsToken    = "ops-token-0123456789"
	rateToken   = "rate-token-0123456789"
)

// slips stands for the signer of ticket tokens: it knows one.
type slips struct{}

func (slips) Verify(token string) (hallsync.TicketID, bool) { return "T1", token == "HE1.T1.mac" }

// options are those of a hall with a token of each role, a clerk for window 1, and a manager.
func options(t *testing.T) Options {
	t.Helper()
	var web config.Web
	for role, secret := range map[string]string{"kiosk": kioskToken, "screen": screenToken, "staff": staffToken, "ops": opsToken, "rate": rateToken} {
		id := ""
		if role == "kiosk" || role == "screen" || role == "rate" {
			id = "1"
		}
		web.Tokens = append(web.Tokens, config.Token{Role: role, ID: id, Secret: config.NewSecret(secret)})
	}
	web.Listen, web.Public = "127.0.0.1:0", "https://hall.example"
	return Options{
		Web:     web,
		People:  People{Staff: []config.Staff{clerk(t, "w01", "1234", "clerk", "1"), clerk(t, "m01", "9876", "manager")}},
		Data:    t.TempDir(),
		Tickets: slips{},
		Catalog: problem.NewCatalog(nil),
		Log:     slog.New(slog.DiscardHandler),
	}
}

func clerk(t *testing.T, id, pin, role string, windows ...string) config.Staff {
	t.Helper()
	hash, err := HashPIN(pin)
	if err != nil {
		t.Fatal(err)
	}
	return config.Staff{ID: id, Name: "测试", PIN: hash, Role: role, Windows: windows}
}

func open(t *testing.T) (*Door, *httptest.Server) {
	t.Helper()
	return openWith(t, options(t))
}

func openWith(t *testing.T, o Options) (*Door, *httptest.Server) {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	d.Register(mux)
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		who, err := d.Identify(r)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "%s %s %s %s", who.Role, who.Place(), who.Staff, who.Window)
	})
	mux.HandleFunc("GET /page/{page}", func(w http.ResponseWriter, r *http.Request) {
		if done, refused := d.Enter(w, r, r.PathValue("page")); !done {
			fmt.Fprint(w, "page "+refused)
		}
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("test") })
	srv := httptest.NewServer(d.Wrap(mux))
	t.Cleanup(srv.Close)
	return d, srv
}

func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second}
}

// ask sends a request and gives its status and body.
func ask(t *testing.T, c *http.Client, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

func TestBearer(t *testing.T) {
	_, srv := open(t)
	for name, tc := range map[string]struct{ auth, want string }{
		"kiosk":           {"Bearer " + kioskToken, "kiosk kiosk-1  "},
		"screen":          {"bearer " + screenToken, "screen screen-1  "},
		"staff":           {"Bearer " + staffToken, "staff desk  "},
		"ops":             {"Bearer " + opsToken, "ops ops  "},
		"tablet":          {"Bearer " + rateToken, "rate rate-1  1"},
		"ticket":          {"Bearer HE1.T1.mac", "citizen   "},
		"wrong":           {"Bearer " + staffToken + "x", ""},
		"forged ticket":   {"Bearer HE1.T1.cam", ""},
		"another scheme":  {"Basic " + staffToken, ""},
		"without a token": {"Bearer ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := ask(t, srv.Client(), "GET", srv.URL+"/who", "", "Authorization", tc.auth)
			if body != tc.want || (tc.want == "") != (res.StatusCode == http.StatusUnauthorized) {
				t.Fatalf("%d %q", res.StatusCode, body)
			}
		})
	}
}

func TestRights(t *testing.T) {
	for _, tc := range []struct {
		role Role
		yes  []Right
		no   []Right
	}{
		{Kiosk, []Right{SeeHall, Take, Mend, Scan, Rate}, []Right{Work, SeeStaff, TestDevices, SeeLog, FindTickets, Override}},
		{Screen, []Right{SeeHall}, []Right{Take, Mend, Work, Scan, Rate, SeeTicket, SeeStaff}},
		{Rater, []Right{SeeHall, Hear, Rate}, []Right{SeeTicket, FindTickets, ShowSlip, Take, Mend, Withdraw, Scan, Work}},
		{Staff, []Right{SeeHall, Take, Work, Rate, TestDevices, SeeLog}, nil},
		{Clerk, []Right{SeeHall, Take, Work, Scan, SeeDevices, SeeWords}, []Right{Rate, ShowSlip, FindTickets, Withdraw, Override, TestDevices, SeeLog, Direct}},
		{Guide, []Right{SeeHall, Take, Work, Scan, FindTickets, Withdraw, Override}, []Right{Rate, ShowSlip, TestDevices, SeeLog, Direct}},
		{Manager, []Right{Work, TestDevices, SeeLog, Direct}, []Right{Rate, ShowSlip}},
		{Ops, []Right{SeeHall, TestDevices, SeeLog}, []Right{Take, Work, Mend, Rate, SeeWords}},
		{Citizen, nil, []Right{SeeHall, SeeTicket, FindTickets, ShowSlip, Take, Mend, Withdraw, Work, Scan, Hear, Rate}},
		{"", nil, []Right{SeeHall}},
	} {
		for _, r := range tc.yes {
			if !(Who{Role: tc.role}).May(r) {
				t.Errorf("%s may not %s", tc.role, r)
			}
		}
		for _, r := range tc.no {
			if (Who{Role: tc.role}).May(r) {
				t.Errorf("%s may %s", tc.role, r)
			}
		}
	}
	if !(Who{Role: Staff}).MayWorkAt("7") || (Who{Role: Clerk, Window: "1"}).MayWorkAt("7") || !(Who{Role: Clerk, Window: "1"}).MayWorkAt("1") {
		t.Error("people work at their own window, the staff token at all")
	}
	if !(Who{Role: Rater, Window: "1"}).MayRateAt("1") || (Who{Role: Rater, Window: "1"}).MayRateAt("2") || !(Who{Role: Staff}).MayRateAt("2") {
		t.Error("a tablet rates at its own window")
	}
	if (Who{Role: Kiosk}).MayWorkAt("") || (Who{Role: Screen}).MayWorkAt("1") {
		t.Error("a device works at a window")
	}
}

func TestTokenInTheAddressBecomesACookie(t *testing.T) {
	d, srv := open(t)
	c := browser(t)
	res, body := ask(t, c, "GET", srv.URL+"/page/kiosk-1?token="+kioskToken+"&big=1", "")
	if body != "page " || strings.Contains(res.Request.URL.String(), "token") || res.Request.URL.RawQuery != "big=1" {
		t.Fatalf("%s %q", res.Request.URL, body)
	}
	if _, body = ask(t, c, "GET", srv.URL+"/who?as=kiosk-1", ""); body != "kiosk kiosk-1  " {
		t.Fatalf("%q", body)
	}
	for _, path := range []string{"/who", "/who?as=kiosk-2", "/who?as=screen-1", "/who?as="} {
		if res, _ := ask(t, c, "GET", srv.URL+path, ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	// A restart keeps kiosks signed in: the cookie is derived from the token.
	again, err := New(d.opts)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("GET", "/", nil)
	for _, cookie := range c.Jar.Cookies(res.Request.URL) {
		req.AddCookie(cookie)
	}
	if who, err := again.AtPage(req, "kiosk-1"); err != nil || who.Role != Kiosk || who.ID != "1" {
		t.Fatalf("%+v, %v", who, err)
	}
}

func TestCookieIsGuarded(t *testing.T) {
	_, srv := open(t)
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, _ := ask(t, c, "GET", srv.URL+"/page/kiosk-1?token="+kioskToken, "")
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 1 {
		t.Fatalf("%d, %v", res.StatusCode, res.Cookies())
	}
	cookie := res.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || strings.Contains(cookie.Value, kioskToken) {
		t.Fatalf("%+v", cookie)
	}
}

func TestTokensOpenTheirOwnPages(t *testing.T) {
	_, srv := open(t)
	for _, tc := range []struct {
		page, token string
		want        problem.Code
	}{
		{"kiosk-1", "guessed-token-0123456789", SignIn},
		{"kiosk-2", kioskToken, NotAllowed},
		{"window-1", kioskToken, NotAllowed},
		{"screen-1", kioskToken, NotAllowed},
		{"kiosk-1", screenToken, NotAllowed},
		{"window-1", opsToken, NotAllowed},
		{"rate-3", kioskToken, ""},
		{"rate-1", rateToken, ""},
		{"rate-2", rateToken, NotAllowed},
		{"kiosk-1", rateToken, NotAllowed},
		{"rate-1", screenToken, NotAllowed},
		{"window-1", staffToken, ""},
		{"ops", opsToken, ""},
	} {
		_, body := ask(t, browser(t), "GET", srv.URL+"/page/"+tc.page+"?token="+tc.token, "")
		if body != "page "+string(tc.want) {
			t.Errorf("%s with %s: %q", tc.page, tc.token, body)
		}
	}
}

func signInAs(t *testing.T, c *http.Client, base, user, pin, page string) (int, problem.Code) {
	t.Helper()
	res, body := ask(t, c, "POST", base+"/sign-in", fmt.Sprintf(`{"user":%q,"pin":%q,"page":%q}`, user, pin, page))
	var p struct {
		Code problem.Code `json:"code"`
	}
	if res.StatusCode != http.StatusNoContent {
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatalf("%d %q: %v", res.StatusCode, body, err)
		}
	}
	return res.StatusCode, p.Code
}

func TestSignIn(t *testing.T) {
	_, srv := open(t)
	for _, tc := range []struct {
		user, pin, page string
		status          int
		code            problem.Code
	}{
		{"w01", "1234", "window-1", 204, ""},
		{"w01", "1234", "desk", 204, ""},
		{"m01", "9876", "ops", 204, ""},
		{"m01", "9876", "window-7", 204, ""},
		{"w01", "1234", "window-2", 403, WindowNotAllowed},
		{"w01", "1234", "ops", 403, ManagerOnly},
		{"w01", "1234", "kiosk-1", 400, BodyInvalid},
		{"w01", "1234", "window-", 400, BodyInvalid},
		{"w01", "0000", "window-1", 401, PINWrong},
		{"w99", "1234", "window-1", 401, PINWrong},
	} {
		if status, code := signInAs(t, browser(t), srv.URL, tc.user, tc.pin, tc.page); status != tc.status || code != tc.code {
			t.Errorf("%+v: %d %s", tc, status, code)
		}
	}
	if res, _ := ask(t, srv.Client(), "POST", srv.URL+"/sign-in", `{"user":"w01","pin":"1234","page":"desk","role":"manager"}`); res.StatusCode != 400 {
		t.Errorf("unknown field: %d", res.StatusCode)
	}
}

func TestSessionsOfAWindow(t *testing.T) {
	_, srv := open(t)
	first, second := browser(t), browser(t)
	who := func(c *http.Client, page string) string {
		_, body := ask(t, c, "GET", srv.URL+"/who?as="+page, "")
		return body
	}
	signInAs(t, first, srv.URL, "w01", "1234", "window-1")
	if got := who(first, "window-1"); got != "clerk window-1 w01 1" {
		t.Fatalf("%q", got)
	}
	if got := who(first, "window-2"); got != "" {
		t.Fatalf("session of window 1 is good at window 2: %q", got)
	}
	if status, code := signInAs(t, second, srv.URL, "m01", "9876", "window-1"); status != http.StatusConflict || code != WindowInUse {
		t.Fatalf("somebody else is signed in there: %d %s", status, code)
	}
	if got := who(first, "window-1"); got != "clerk window-1 w01 1" {
		t.Fatalf("asking alone ends the session: %q", got)
	}
	takeOver(t, second, srv.URL, "m01", "9876")
	if got := who(first, "window-1"); got != "" {
		t.Fatalf("two people are signed in at one window: %q", got)
	}
	if got := who(second, "window-1"); got != "manager window-1 m01 1" {
		t.Fatalf("%q", got)
	}
	if res, _ := ask(t, second, "POST", srv.URL+"/sign-out?as=window-1", ""); res.StatusCode != http.StatusNoContent {
		t.Fatal(res.Status)
	}
	if got := who(second, "window-1"); got != "" {
		t.Fatalf("signed out, still %q", got)
	}
}

// takeOver signs somebody in at window 1, whoever is there.
func takeOver(t *testing.T, c *http.Client, base, user, pin string) {
	t.Helper()
	if res, body := ask(t, c, "POST", base+"/sign-in", fmt.Sprintf(`{"user":%q,"pin":%q,"page":"window-1","takeover":true}`, user, pin)); res.StatusCode != http.StatusNoContent {
		t.Fatal(res.StatusCode, body)
	}
}

func TestLockOut(t *testing.T) {
	d, srv := open(t)
	for i := range maxFailures - 1 {
		if status, code := signInAs(t, srv.Client(), srv.URL, "w01", "0000", "window-1"); status != 401 || code != PINWrong {
			t.Fatalf("failure %d: %d %s", i, status, code)
		}
	}
	for _, pin := range []string{"0000", "1234"} {
		if status, code := signInAs(t, srv.Client(), srv.URL, "w01", pin, "window-1"); status != 429 || code != PINLocked {
			t.Fatalf("locked: %d %s", status, code)
		}
	}
	if status, _ := signInAs(t, srv.Client(), srv.URL, "m01", "9876", "window-1"); status != 204 {
		t.Fatalf("somebody else is locked out too: %d", status)
	}
	d.tries.mu.Lock()
	d.tries.at[spot{"w01", addr("127.0.0.1")}].since = time.Now().Add(-lockTime)
	d.tries.mu.Unlock()
	if status, _ := signInAs(t, srv.Client(), srv.URL, "w01", "1234", "desk"); status != 204 {
		t.Fatalf("still locked after the term: %d", status)
	}
}

func TestSessionsEnd(t *testing.T) {
	s := sessions{byID: map[string]*session{}, taken: map[string]handover{}}
	secret := s.begin(Who{Role: Clerk, Staff: "w01", Page: "window-1", Window: "1", Credential: "staff/w01/window-1"}, false)
	x := s.byID[digest(secret)]
	x.used = time.Now().Add(-sessionIdle + time.Minute)
	if _, err := s.find(secret, "window-1", true, 0); err != nil || time.Since(x.used) > time.Minute {
		t.Fatal("a command does not keep the session alive")
	}
	x.used = time.Now().Add(-sessionIdle)
	if _, err := s.find(secret, "window-1", true, 0); err == nil {
		t.Fatal("an idle session lives")
	}
	for i := range maxSessions + 5 {
		s.begin(Who{Page: "desk", Credential: fmt.Sprint("staff/", i)}, false)
	}
	if len(s.byID) > maxSessions {
		t.Fatalf("%d sessions", len(s.byID))
	}
}

func TestHosts(t *testing.T) {
	_, srv := open(t)
	for host, want := range map[string]int{
		"localhost:1": 401, "127.0.0.1": 401, "[::1]:8080": 401, "hall.example": 401, "HALL.example:80": 401,
		"evil.example": 421, "192.0.2.1": 421, "localhost.evil.example": 421,
	} {
		if res, _ := ask(t, srv.Client(), "GET", srv.URL+"/who", "", "Host", host); res.StatusCode != want {
			t.Errorf("%s: %d", host, res.StatusCode)
		}
	}
}

func TestOrigins(t *testing.T) {
	_, srv := open(t)
	for _, tc := range []struct {
		header, value string
		want          int
	}{
		{"Origin", "http://evil.example", 403},
		{"Origin", "null", 403},
		{"Sec-Fetch-Site", "cross-site", 403},
		{"Origin", srv.URL, 204},
		{"Origin", "https://hall.example", 204},
		{"Sec-Fetch-Site", "same-origin", 204},
		{"X-None", "", 204},
	} {
		if res, _ := ask(t, srv.Client(), "POST", srv.URL+"/sign-out", "", tc.header, tc.value); res.StatusCode != tc.want {
			t.Errorf("%s: %s: %d", tc.header, tc.value, res.StatusCode)
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	_, srv := open(t)
	for _, path := range []string{"/who", "/page/kiosk-1", "/nothing", "/panic"} {
		res, _ := ask(t, srv.Client(), "GET", srv.URL+path, "")
		csp := res.Header.Get("Content-Security-Policy")
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, res.Header)
		}
		if path == "/panic" && res.StatusCode != 500 {
			t.Errorf("panic answered with %d", res.StatusCode)
		}
	}
}

func TestAllowTake(t *testing.T) {
	o := options(t)
	o.TakesPerS = 3
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for range 10 {
		if d.AllowTake(Who{Credential: "a"}) {
			taken++
		}
	}
	if taken < 3 || taken > 4 || !d.AllowTake(Who{Credential: "b"}) {
		t.Fatalf("%d of 10 takes allowed at 3 a second", taken)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"short token":  func(o *Options) { o.Web.Tokens[0].Secret = config.NewSecret("short") },
		"ticket token": func(o *Options) { o.Web.Tokens[0].Secret = config.NewSecret("HE1.0123456789abcdef") },
		"role":         func(o *Options) { o.Web.Tokens[0].Role = "root" },
		"plain PIN":    func(o *Options) { o.People.Staff[0].PIN = "1234" },
		"huge hash": func(o *Options) {
			o.People.Staff[0].PIN = strings.Replace(o.People.Staff[0].PIN, "m=19456", "m=99999999", 1)
		},
		"public": func(o *Options) { o.Web.Public = "hall" },
	} {
		o := options(t)
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestHashPIN(t *testing.T) {
	a, err := HashPIN("1234")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := HashPIN("1234")
	p, err := phc.Parse(a)
	if err != nil || a == b || !p.Matches([]byte("1234")) || p.Matches([]byte("1235")) {
		t.Fatalf("%s %s %v", a, b, err)
	}
	for _, pin := range []string{"", "123", strings.Repeat("1", MaxPIN+1)} {
		if _, err := HashPIN(pin); err == nil {
			t.Errorf("PIN of %d characters accepted", len(pin))
		}
	}
}

// Who does not work here any more, or works elsewhere, is signed out; all others stay.
func TestEmploy(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(all []config.Staff) []config.Staff
		stays  bool
	}{
		"somebody else is new":  {func(all []config.Staff) []config.Staff { return append(all, clerk(t, "w02", "2222", "clerk")) }, true},
		"one more window":       {func(all []config.Staff) []config.Staff { all[0].Windows = []string{"1", "2"}; return all }, true},
		"other windows":         {func(all []config.Staff) []config.Staff { all[0].Windows = []string{"2"}; return all }, false},
		"another PIN":           {func(all []config.Staff) []config.Staff { all[0].PIN = clerk(t, "w01", "4321", "").PIN; return all }, false},
		"another name":          {func(all []config.Staff) []config.Staff { all[0].Name = "改名"; return all }, false},
		"no longer a colleague": {func(all []config.Staff) []config.Staff { return all[1:] }, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, srv := open(t)
			c := browser(t)
			if status, code := signInAs(t, c, srv.URL, "w01", "1234", "window-1"); status != http.StatusNoContent {
				t.Fatal(status, code)
			}
			if err := d.Employ(People{Staff: tc.change(slices.Clone(d.opts.People.Staff))}); err != nil {
				t.Fatal(err)
			}
			res, _ := ask(t, c, "GET", srv.URL+"/who?as=window-1", "")
			if stays := res.StatusCode == http.StatusOK; stays != tc.stays {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	d, srv := open(t)
	if err := d.Employ(People{Staff: []config.Staff{{ID: "w01", PIN: "1234"}}}); err == nil {
		t.Error("a PIN in clear is taken")
	}
	if err := d.Employ(People{Staff: []config.Staff{clerk(t, "w01", "4321", "clerk")}}); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]int{"w01": http.StatusNoContent, "m01": http.StatusUnauthorized} {
		if status, code := signInAs(t, browser(t), srv.URL, user, "4321", "desk"); status != want {
			t.Errorf("%s: %d %s", user, status, code)
		}
	}
}

// A helper that presses keys for a clerk is signed in beside the page, until somebody else works there.
func TestAHelperBesideThePage(t *testing.T) {
	o := options(t)
	o.People.Staff = append(o.People.Staff, clerk(t, "w02", "2222", "clerk", "1"))
	_, srv := openWith(t, o)
	page, helper := browser(t), browser(t)
	signIn := func(c *http.Client, user, pin string, beside bool) {
		t.Helper()
		if res, body := ask(t, c, "POST", srv.URL+"/sign-in", fmt.Sprintf(`{"user":%q,"pin":%q,"page":"window-1","beside":%t}`, user, pin, beside)); res.StatusCode != http.StatusNoContent {
			t.Fatal(res.StatusCode, body)
		}
	}
	in := func(c *http.Client) bool {
		res, _ := ask(t, c, "GET", srv.URL+"/who?as=window-1", "")
		return res.StatusCode == http.StatusOK
	}
	signIn(page, "w01", "1234", false)
	signIn(helper, "w01", "1234", true)
	if !in(page) || !in(helper) {
		t.Fatal("one has thrown the other out")
	}
	signIn(page, "w01", "1234", false)
	if !in(helper) {
		t.Error("signing in at the page again throws the helper out")
	}
	takeOver(t, page, srv.URL, "w02", "2222")
	if in(helper) {
		t.Error("the helper goes on under the name of somebody who has left")
	}
}
