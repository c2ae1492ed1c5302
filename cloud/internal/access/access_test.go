package access_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	remote = "127.0.0.1"
	right  = "correct horse"
)

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
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	c := &clock{at: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)}
	u := store.User{Name: "li", FullName: "李四", Password: phc.New([]byte(right)).String(), Origin: store.FromCLI, Created: c.at}
	if err := st.Write(t.Context(), func(tx *store.Tx) error { return tx.PutUser(u) }); err != nil {
		t.Fatal(err)
	}
	d := access.New(access.Options{
		Store: st, Tokens: []access.Token{{Name: "demo", Secret: "0123456789abcdef"}}, Secure: true, Now: c.now,
		Log: slog.New(slog.DiscardHandler),
	})
	return &fixture{Desk: d, t: t, st: st, clock: c}
}

// attempt signs in and gives the code of the refusal, or ok.
func (f *fixture) attempt(user, password string) problem.Code {
	f.t.Helper()
	_, _, err := f.SignIn(f.t.Context(), user, password, remote)
	return f.code(err)
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

func with(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(c) }
}

func TestSessionFromBeginToEnd(t *testing.T) {
	f := start(t)
	cookie, who, err := f.SignIn(t.Context(), "li", right, remote)
	if err != nil {
		t.Fatal(err)
	}
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || len(cookie.Value) < 40 {
		t.Errorf("cookie %+v", cookie)
	}
	if who.User != "li" || who.Name != "李四" || who.By != access.ByPassword {
		t.Errorf("who %+v", who)
	}
	if again, code := f.identify(with(cookie)); code != "ok" || again.User != "li" || again.Name != "李四" {
		t.Errorf("%+v, %s", again, code)
	}
	gone, err := f.SignOut(t.Context(), who, remote)
	if err != nil || gone.MaxAge >= 0 || gone.Name != cookie.Name {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, code := f.identify(with(cookie)); code != access.CodeSignIn {
		t.Errorf("after signing out: %s", code)
	}
	lines, err := f.st.Audits(t.Context(), 10)
	if err != nil || len(lines) != 2 || lines[0].Action != "sign_out" || lines[1].Action != "sign_in" || lines[1].Result != "ok" || lines[1].Remote != remote {
		t.Errorf("audit %+v, %v", lines, err)
	}
}

func TestSessionEnds(t *testing.T) {
	f := start(t)
	signIn := func() *http.Cookie {
		cookie, _, err := f.SignIn(t.Context(), "li", right, remote)
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

func TestNameIsLockedAfterFailures(t *testing.T) {
	for name, user := range map[string]string{"user": "li", "nobody": "ghost"} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			for i := range 4 {
				if code := f.attempt(user, "wrong"); code != access.CodeWrong {
					t.Fatalf("failure %d: %s", i+1, code)
				}
			}
			if code := f.attempt(user, "wrong"); code != access.CodeLocked {
				t.Fatalf("fifth failure: %s", code)
			}
			_, _, err := f.SignIn(t.Context(), user, right, remote)
			var refusal *access.Refusal
			if !errors.As(err, &refusal) || refusal.Code != access.CodeLocked || refusal.RetryAfter != 15*time.Minute {
				t.Fatalf("the right password while locked: %v", err)
			}
			f.clock.pass(15*time.Minute + time.Second)
			want := problem.Code("ok")
			if user == "ghost" {
				want = access.CodeWrong
			}
			if code := f.attempt(user, right); code != want {
				t.Fatalf("after the lock: %s", code)
			}
			lines, err := f.st.Audits(t.Context(), 10)
			if err != nil || len(lines) != 6 || lines[1].Result != string(access.CodeLocked) || lines[5].Result != string(access.CodeWrong) || lines[5].Actor != user {
				t.Fatalf("audit %+v, %v", lines, err)
			}
		})
	}
}

func TestSuccessAndTimeForgiveFailures(t *testing.T) {
	f := start(t)
	for range 3 {
		for range 4 {
			f.attempt("li", "wrong")
		}
		if code := f.attempt("li", right); code != "ok" {
			t.Fatalf("after four failures: %s", code)
		}
	}
	for range 4 {
		f.attempt("li", "wrong")
	}
	f.clock.pass(16 * time.Minute)
	if code := f.attempt("li", "wrong"); code != access.CodeWrong {
		t.Fatalf("a failure long after the others: %s", code)
	}
}

func TestParallelGuessesAreLockedToo(t *testing.T) {
	f := start(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	wrong := 0
	for range 20 {
		wg.Go(func() {
			_, _, err := f.SignIn(context.Background(), "li", "wrong", remote)
			var refusal *access.Refusal
			if errors.As(err, &refusal) && refusal.Code == access.CodeWrong {
				mu.Lock()
				wrong++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if wrong != 4 {
		t.Errorf("%d guesses were judged before the lock, want 4", wrong)
	}
}

func TestOneAddressCannotTryForEver(t *testing.T) {
	f := start(t)
	for range 30 {
		f.attempt("", "no name costs nothing")
	}
	if code := f.attempt("li", right); code != access.CodeTooOften {
		t.Errorf("the 31st attempt: %s", code)
	}
	if _, _, err := f.SignIn(t.Context(), "li", right, "127.0.0.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if lines, err := f.st.Audits(t.Context(), 10); err != nil || len(lines) != 1 {
		t.Errorf("audit %+v, %v", lines, err)
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
	cookie, _, err := f.SignIn(t.Context(), "li", right, remote)
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
		if code != want || want == "ok" && (who.User != "demo" || who.By != access.ByToken) {
			t.Errorf("%q: %s, %+v", header, code, who)
		}
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
