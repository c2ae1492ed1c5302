package access_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	remote = "127.0.0.1"
	right  = "correct horse"
)

// rightHash is the hash of right, which takes its time to make.
var rightHash = sync.OnceValue(func() string { return phc.New([]byte(right)).String() })

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type fixture struct {
	*access.Desk
	t     *testing.T
	st    *store.Store
	clock *clock
}

func start(t *testing.T) *fixture {
	t.Helper()
	return startAt(t, filepath.Join(t.TempDir(), "cloud.db"))
}

func startAt(t *testing.T, path string) *fixture {
	t.Helper()
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	c := &clock{at: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)}
	u := store.User{Name: "li", FullName: "李四", Roles: rights.Roles{rights.Viewer, rights.Auditor}, Scope: rights.Whole(), Password: rightHash(), Origin: store.FromCLI, Created: c.at}
	if err := st.Write(t.Context(), func(tx *store.Tx) error { return tx.PutUser(u) }); err != nil {
		t.Fatal(err)
	}
	d := access.New(access.Options{
		Store: st, Tokens: []access.Token{{Name: "demo", Secret: "0123456789abcdef", Roles: rights.Roles{rights.Viewer}}, {Name: "auditor", Secret: "fedcba9876543210", Roles: rights.Roles{rights.Auditor}}}, Secure: true, Now: c.now,
		Log: slog.New(slog.DiscardHandler),
	})
	return &fixture{Desk: d, t: t, st: st, clock: c}
}

// attempt signs in from remote and gives the code of the refusal, or ok.
func (f *fixture) attempt(user, password string) problem.Code {
	f.t.Helper()
	return f.from(remote, user, password)
}

// from signs in from an address and gives the code of the refusal, or ok.
func (f *fixture) from(address, user, password string) problem.Code {
	f.t.Helper()
	_, _, err := f.SignIn(f.t.Context(), access.Attempt{User: user, Password: password, Remote: address})
	return f.code(err)
}

// audit reads the whole audit, newest first.
func (f *fixture) audit() []store.Audit {
	f.t.Helper()
	lines, _, err := f.st.Audits(f.t.Context(), store.AuditQuery{Limit: 1000})
	if err != nil {
		f.t.Fatal(err)
	}
	return lines
}

func (f *fixture) code(err error) problem.Code {
	f.t.Helper()
	var refusal *access.Refusal
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refusal):
		return refusal.Code
	}
	f.t.Fatal(err)
	return ""
}

func (f *fixture) identify(change func(*http.Request)) (access.Who, problem.Code) {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, "/", nil)
	change(r)
	who, err := f.Identify(r)
	return who, f.code(err)
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func with(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(c) }
}

func TestSessionFromBeginToEnd(t *testing.T) {
	f := start(t)
	cookie, who, err := f.SignIn(t.Context(), access.Attempt{User: "li", Password: right, Remote: remote})
	if err != nil {
		t.Fatal(err)
	}
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || len(cookie.Value) < 40 {
		t.Errorf("cookie %+v", cookie)
	}
	if who.User != "li" || who.Name != "李四" || who.By != access.ByPassword || who.Roles.String() != "viewer,auditor" {
		t.Errorf("who %+v", who)
	}
	if again, code := f.identify(with(cookie)); code != "ok" || again.User != "li" || again.Name != "李四" || again.Roles.String() != "viewer,auditor" {
		t.Errorf("%+v, %s", again, code)
	}
	gone, err := f.SignOut(t.Context(), who, remote)
	if err != nil || gone.MaxAge >= 0 || gone.Name != cookie.Name {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, code := f.identify(with(cookie)); code != access.CodeSignIn {
		t.Errorf("after signing out: %s", code)
	}
	if lines := f.audit(); len(lines) != 2 || lines[0].Action != "sign_out" || lines[1].Action != "sign_in" || lines[1].Result != "ok" || lines[1].Remote != remote {
		t.Errorf("audit %+v", lines)
	}
}

func TestSessionEnds(t *testing.T) {
	f := start(t)
	signIn := func() *http.Cookie {
		cookie, _, err := f.SignIn(t.Context(), access.Attempt{User: "li", Password: right, Remote: remote})
		if err != nil {
			t.Fatal(err)
		}
		return cookie
	}
	idle := signIn()
	f.clock.pass(2*time.Hour + time.Second)
	if _, code := f.identify(with(idle)); code != access.CodeSignIn {
		t.Errorf("after two hours without use: %s", code)
	}
	used := signIn()
	for range 7 { // 11 h 40 min
		f.clock.pass(100 * time.Minute)
		if _, code := f.identify(with(used)); code != "ok" {
			t.Fatalf("in use: %s", code)
		}
	}
	f.clock.pass(21 * time.Minute)
	if _, code := f.identify(with(used)); code != access.CodeSignIn {
		t.Errorf("after twelve hours: %s", code)
	}
}

func TestOddCredentials(t *testing.T) {
	f := start(t)
	for _, c := range [][2]string{{"", right}, {"li", ""}, {"LI", right}, {strings.Repeat("l", 65), right}, {"li", strings.Repeat("p", 257)}, {"li'--", right}} {
		if code := f.attempt(c[0], c[1]); code != access.CodeWrong {
			t.Errorf("%q: %s", c, code)
		}
	}
}

func TestBearerToken(t *testing.T) {
	f := start(t)
	cookie, _, err := f.SignIn(t.Context(), access.Attempt{User: "li", Password: right, Remote: remote})
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]problem.Code{
		"Bearer 0123456789abcdef": "ok", "bearer 0123456789abcdef": "ok", "Bearer 0123456789abcdeF": access.CodeSignIn, "Bearer ": access.CodeSignIn,
		"Bearer": access.CodeSignIn, "Basic 0123456789abcdef": access.CodeSignIn, "0123456789abcdef": access.CodeSignIn,
	} {
		who, code := f.identify(func(r *http.Request) {
			r.Header.Set("Authorization", header)
			r.AddCookie(cookie) // a wrong token is not made good by a cookie
		})
		if code != want || want == "ok" && (who.User != "demo" || who.By != access.ByToken || who.Roles.String() != "viewer") {
			t.Errorf("%q: %s, %+v", header, code, who)
		}
	}
	if who, _ := f.identify(func(r *http.Request) { r.Header.Set("Authorization", "Bearer fedcba9876543210") }); who.User != "auditor" || who.Roles.String() != "auditor" {
		t.Errorf("%+v", who)
	}
	if _, code := f.identify(func(*http.Request) {}); code != access.CodeSignIn {
		t.Errorf("nobody: %s", code)
	}
	if _, code := f.identify(with(&http.Cookie{Name: "hall_session", Value: "forged"})); code != access.CodeSignIn {
		t.Errorf("forged cookie: %s", code)
	}
}

func TestHallPasswords(t *testing.T) {
	const a, b = hallsync.HallID("440900000000001"), hallsync.HallID("440900000000002")
	h := access.NewHalls(map[hallsync.HallID]phc.Hash{a: phc.New([]byte("pa")), b: phc.New([]byte("pb"))})
	for range 2 { // the second time from memory
		for _, c := range []struct {
			hall     hallsync.HallID
			password string
			want     bool
		}{{a, "pa", true}, {b, "pb", true}, {a, "pb", false}, {b, "pa", false}, {a, "", false}, {"440900000000009", "pa", false}, {a, strings.Repeat("p", 257), false}} {
			if got := h.Authenticate(t.Context(), c.hall, []byte(c.password)); got != c.want {
				t.Errorf("%s with %q: %t", c.hall, c.password, got)
			}
		}
	}
}
