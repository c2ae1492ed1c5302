package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"halledge/cloud/internal/access/oidc"
	"halledge/test/fakes/identity"
)

const redirect = "http://127.0.0.1:1/sign-in/oidc"

func platform(t *testing.T, change ...func(*oidc.Options)) (*identity.Platform, *oidc.Platform) {
	t.Helper()
	far := identity.Start(t, redirect, identity.Person{Subject: "s-1", Name: "li.si", FullName: "李四", Password: "words", Groups: []string{"managers", "4409"}})
	o := oidc.Options{Issuer: far.Issuer, Client: identity.Client, Secret: identity.Secret, Redirect: redirect, Scopes: []string{"profile"}}
	for _, c := range change {
		c(&o)
	}
	return far, oidc.New(o)
}

// travel goes to the platform and comes back with a code.
func travel(t *testing.T, far *identity.Platform, p *oidc.Platform) (oidc.Journey, string) {
	t.Helper()
	address, j, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back, err := far.SignIn(t.Context(), address, "li.si", "words")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, redirect+"?") || u.Query().Get("state") != j.State {
		t.Fatalf("back at %q, %v", back, err)
	}
	return j, u.Query().Get("code")
}

func TestSomebodyComesBack(t *testing.T) {
	far, p := platform(t)
	for range 2 { // and once more with another key
		j, code := travel(t, far, p)
		who, err := p.Finish(t.Context(), j, code)
		if err != nil {
			t.Fatal(err)
		}
		if who.Issuer != far.Issuer || who.Subject != "s-1" || who.Text("preferred_username") != "li.si" || who.Text("name") != "李四" || who.Text("none") != "" {
			t.Errorf("%+v", who)
		}
		if !who.Has("groups", "4409") || who.Has("groups", "440") || !who.Has("preferred_username", "li.si") || who.Has("none", "") {
			t.Errorf("%+v", who)
		}
		far.Rotate(t)
	}
}

func TestTheAddressAsksForAllThatProtects(t *testing.T) {
	_, p := platform(t)
	one, j, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": identity.Client, "redirect_uri": redirect, "scope": "openid profile", "code_challenge_method": "S256", "state": j.State,
	} {
		if q.Get(name) != want {
			t.Errorf("%s: %q", name, q.Get(name))
		}
	}
	two, other, err := p.Begin(t.Context())
	if err != nil || len(q.Get("nonce")) < 20 || len(q.Get("code_challenge")) < 43 || len(j.State) < 20 || strings.Contains(one, identity.Secret) {
		t.Fatalf("%s, %v", one, err)
	}
	again, err := url.Parse(two)
	if err != nil || other.State == j.State || again.Query().Get("nonce") == q.Get("nonce") || again.Query().Get("code_challenge") == q.Get("code_challenge") {
		t.Errorf("%s again, %v", two, err)
	}
}

// Whatever the platform has signed, a token that is not for this sign-in is refused.
func TestTokensForSomethingElseAreRefused(t *testing.T) {
	far, p := platform(t)
	at := func(shift time.Duration) int64 { return time.Now().Add(shift).Unix() }
	for name, change := range map[string]func(map[string]any){
		"audience":         func(c map[string]any) { c["aud"] = "another" },
		"no audience":      func(c map[string]any) { delete(c, "aud") },
		"two audiences":    func(c map[string]any) { c["aud"] = []string{identity.Client, "another"}; delete(c, "azp") },
		"authorized party": func(c map[string]any) { c["aud"] = []string{identity.Client, "another"}; c["azp"] = "another" },
		"issuer":           func(c map[string]any) { c["iss"] = far.Issuer + "/" },
		"nonce":            func(c map[string]any) { c["nonce"] = "of another sign-in" },
		"no nonce":         func(c map[string]any) { delete(c, "nonce") },
		"expired":          func(c map[string]any) { c["exp"] = at(-time.Minute) },
		"no expiry":        func(c map[string]any) { delete(c, "exp") },
		"not yet":          func(c map[string]any) { c["nbf"] = at(time.Hour) },
		"made long ago":    func(c map[string]any) { c["iat"] = at(-time.Hour) },
		"made tomorrow":    func(c map[string]any) { c["iat"] = at(24 * time.Hour) },
		"nobody":           func(c map[string]any) { c["sub"] = "" },
		"no text":          func(c map[string]any) { c["sub"] = strings.Repeat("x", 257) },
		"amr of no shape":  func(c map[string]any) { c["amr"] = "otp" },
	} {
		t.Run(name, func(t *testing.T) {
			far.Change(change)
			j, code := travel(t, far, p)
			refused(t, p, j, code)
		})
	}
	far.Change(func(map[string]any) {})
	j, code := travel(t, far, p)
	if _, err := p.Finish(t.Context(), j, code); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func refused(t *testing.T, p *oidc.Platform, j oidc.Journey, code string) {
	t.Helper()
	var refusal *oidc.RefusedError
	if who, err := p.Finish(t.Context(), j, code); !errors.As(err, &refusal) {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestCodesOfOthersAreRefused(t *testing.T) {
	far, p := platform(t)
	mine, _ := travel(t, far, p)
	_, code := travel(t, far, p)
	refused(t, p, mine, code) // their code with my verifier
	refused(t, p, mine, "")
	refused(t, p, mine, strings.Repeat("x", 5000))
	refused(t, p, mine, "made up")
	theirs, code := travel(t, far, p)
	if _, err := p.Finish(t.Context(), theirs, code); err != nil {
		t.Fatal(err)
	}
	refused(t, p, theirs, code) // once is enough
}

func TestKeysOfOthersAreRefused(t *testing.T) {
	far, p := platform(t)
	far.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/keys" {
			return false
		}
		_, _ = w.Write([]byte(`{"keys":[]}`))
		return true
	})
	j, code := travel(t, far, p)
	refused(t, p, j, code)
}

// A platform that does not answer, or not as it should, is down, whatever is asked of it.
func TestPlatformThatIsDown(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter, r *http.Request){
		"error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"x":"` + strings.Repeat("x", 2<<20) + `"}`))
		},
		"sends elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"hangs up":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, answer := range answers {
		for _, path := range []string{"/.well-known/openid-configuration", "/oauth/token", "/keys"} {
			t.Run(name+path, func(t *testing.T) {
				far, p := platform(t)
				var asked atomic.Int32
				far.Before(func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != path {
						return false
					}
					asked.Add(1)
					answer(w, r)
					return true
				})
				err := wholeWay(t.Context(), far, p)
				var down *oidc.DownError
				if !errors.As(err, &down) || asked.Load() == 0 {
					t.Errorf("%v after %d", err, asked.Load())
				}
				far.Before(nil)
				if err := wholeWay(t.Context(), far, p); err != nil {
					t.Errorf("up again: %v", err)
				}
			})
		}
	}
}

func wholeWay(ctx context.Context, far *identity.Platform, p *oidc.Platform) error {
	address, j, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	back, err := far.SignIn(ctx, address, "li.si", "words")
	if err != nil {
		return err
	}
	u, err := url.Parse(back)
	if err != nil {
		return err
	}
	_, err = p.Finish(ctx, j, u.Query().Get("code"))
	return err
}

// Who no longer waits holds nothing up, and a slow platform keeps nobody longer than that.
func TestSlowPlatform(t *testing.T) {
	far, p := platform(t)
	waiting, over := make(chan struct{}, 1), make(chan struct{})
	far.Before(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case waiting <- struct{}{}:
		default:
		}
		select {
		case <-over:
		case <-r.Context().Done():
		}
		return false
	})
	first := make(chan error, 1)
	go func() { first <- wholeWay(t.Context(), far, p) }()
	<-waiting
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := p.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(over)
	if err := <-first; err != nil {
		t.Errorf("%v", err)
	}
}

func TestAddressesThatAreNotSafe(t *testing.T) {
	far, p := platform(t)
	far.Before(func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = w.Write([]byte(`{"issuer":"` + far.Issuer + `","authorization_endpoint":"` + far.Issuer + `/a","token_endpoint":"http://203.0.113.9/t","jwks_uri":"` + far.Issuer + `/keys"}`))
		return true
	})
	var down *oidc.DownError
	if _, _, err := p.Begin(t.Context()); !errors.As(err, &down) {
		t.Errorf("%v", err)
	}
	far.Before(func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = w.Write([]byte(`{"issuer":"http://203.0.113.9","authorization_endpoint":"` + far.Issuer + `/a","token_endpoint":"` + far.Issuer + `/t","jwks_uri":"` + far.Issuer + `/keys"}`))
		return true
	})
	if _, _, err := p.Begin(t.Context()); !errors.As(err, &down) {
		t.Errorf("another issuer: %v", err)
	}
}
