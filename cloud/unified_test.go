package cloud_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/strictyaml"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/config"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
	"halledge/test/fakes/identity"
)

const comeBack = "http://127.0.0.1:1/sign-in/oidc"

// unified is a service beside an identity platform.
type unified struct {
	*service
	far      *identity.Platform
	database string
}

func startUnified(t *testing.T, change func(*config.OIDC)) *unified {
	t.Helper()
	far := identity.Start(t, comeBack,
		identity.Person{Subject: "s-li", Name: "li.si", FullName: "李四", Password: "words", Groups: []string{"managers", "staff"}},
		identity.Person{Subject: "s-wu", Name: "wu", FullName: "吴五", Password: "words"})
	u := &unified{far: far, database: filepath.Join(t.TempDir(), "cloud.db")}
	u.service = start(t, u.database, func(c *config.Config) {
		c.SignIn.OIDC = config.OIDC{
			Issuer: far.Issuer, Client: identity.Client, Secret: strictyaml.NewSecret(identity.Secret), Redirect: comeBack, Scopes: []string{"profile"},
			NameClaim: "preferred_username", FullNameClaim: "name", Accounts: config.AccountsInvited,
		}
		change(&c.SignIn.OIDC)
	})
	return u
}

// user stores a user of our own.
func (u *unified) user(name string, change func(*store.User)) {
	u.t.Helper()
	x := store.User{Name: name, FullName: "李小四", Password: phc.New([]byte("the right one")).String(), Origin: store.FromCLI, Created: time.Now(),
		Roles: rights.Roles{rights.Viewer}, Scope: rights.Scope{string(hall)}}
	change(&x)
	beside(u.t, u.database, func(tx *store.Tx) error { return tx.PutUser(x) })
}

func (u *unified) act(do func(access.Acting, *store.Tx) error) {
	u.t.Helper()
	by := access.Acting{Actor: "root", By: access.ByCommand, Scope: rights.Whole(), At: time.Now()}
	beside(u.t, u.database, func(tx *store.Tx) error { return do(by, tx) })
}

func (u *unified) invite(name string) {
	u.t.Helper()
	u.act(func(by access.Acting, tx *store.Tx) error { return by.Invite(tx, name, time.Now().Add(time.Hour)) })
}

// tab is a browser.
type tab struct {
	u      *unified
	client *http.Client
}

func (u *unified) tab() *tab {
	u.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		u.t.Fatal(err)
	}
	return &tab{u: u, client: &http.Client{Jar: jar}}
}

// send gives the status of an answer, and its code or its body.
func (b *tab) send(method, path, body string, into any) (int, string) {
	b.u.t.Helper()
	r, err := http.NewRequestWithContext(b.u.t.Context(), method, "http://"+b.u.addr.HTTP+path, strings.NewReader(body))
	if err != nil {
		b.u.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := b.client.Do(r)
	if err != nil {
		b.u.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.u.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		var p struct{ Code, Detail string }
		if err := json.Unmarshal(raw, &p); err != nil || p.Detail == "" || p.Detail == p.Code {
			b.u.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, raw)
		}
		return resp.StatusCode, p.Code
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			b.u.t.Fatal(err)
		}
	}
	return resp.StatusCode, ""
}

// away goes to the platform and back, and gives what the page would send then.
func (b *tab) away(name string) string {
	b.u.t.Helper()
	var j api.Journey
	if status, code := b.send(http.MethodPost, "/api/v1/session/journey", "", &j); status != http.StatusCreated {
		b.u.t.Fatalf("leave: %d %s", status, code)
	}
	back, err := b.u.far.SignIn(b.u.t.Context(), j.URL, name, "words")
	if err != nil {
		b.u.t.Fatal(err)
	}
	at, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, comeBack+"?") {
		b.u.t.Fatalf("back at %q, %v", back, err)
	}
	body, err := json.Marshal(api.Arrival{State: at.Query().Get("state"), Code: at.Query().Get("code")})
	if err != nil {
		b.u.t.Fatal(err)
	}
	return string(body)
}

func (b *tab) arrive(body string) (int, string, api.Session) {
	b.u.t.Helper()
	var s api.Session
	status, code := b.send(http.MethodPost, "/api/v1/session/oidc", body, &s)
	return status, code, s
}

// comes expects a code; "" is that of those who are let in.
func (b *tab) comes(name, want string) api.Session {
	b.u.t.Helper()
	status, code, s := b.arrive(b.away(name))
	if code != want || want == "" && status != http.StatusCreated {
		b.u.t.Errorf("%s: %d %q, want %q", name, status, code, want)
	}
	return s
}

func (b *tab) in() bool {
	b.u.t.Helper()
	status, _ := b.send(http.MethodGet, "/api/v1/session", "", nil)
	return status == http.StatusOK
}

// lines gives who did what, how and with what result, oldest first.
func (u *unified) lines() (all []string) {
	u.t.Helper()
	st, err := store.Open(u.t.Context(), u.database, store.Options{Shared: true})
	if err != nil {
		u.t.Fatal(err)
	}
	defer st.Close()
	audits, _, err := st.Audits(u.t.Context(), store.AuditQuery{Limit: 100})
	if err != nil {
		u.t.Fatal(err)
	}
	for _, a := range slices.Backward(audits) {
		actor := a.Actor
		if strings.HasPrefix(actor, "?") {
			actor = "?"
		}
		all = append(all, strings.Join([]string{actor, a.By, a.Action, a.Result}, " "))
	}
	return all
}

// Somebody who was invited has the rights of his account, by the platform's word.
func TestPeopleComeThroughThePlatform(t *testing.T) {
	u := startUnified(t, func(*config.OIDC) {})
	u.user("li.si", func(x *store.User) { x.MustChange = true })
	li := u.tab()
	var ways api.SignInWays
	if li.send(http.MethodGet, "/api/v1/session/ways", "", &ways); !ways.OIDC || !ways.Password {
		t.Errorf("%+v", ways)
	}
	li.comes("wu", "oidc_unknown")    // has no account
	li.comes("li.si", "oidc_unknown") // is not invited
	u.invite("li.si")
	s := li.comes("li.si", "")
	if s.User != "li.si" || s.By != "oidc" || s.Must != "" || !slices.Equal(s.Roles, []string{"viewer"}) || !slices.Equal(s.Scope, []string{string(hall)}) {
		t.Errorf("%+v", s)
	}
	u.far.Rotate(t)
	li.comes("li.si", "") // is known now, and the platform has other keys
	for path, want := range map[string]int{
		"/api/v1/halls/" + string(hall): http.StatusOK, "/api/v1/halls/" + otherHall: http.StatusNotFound, "/api/v1/audit": http.StatusForbidden,
	} {
		if status, _ := li.send(http.MethodGet, path, "", nil); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, code := li.send(http.MethodPut, "/api/v1/account/password", `{"old":"the right one","new":"quite another one"}`, nil); status != http.StatusForbidden || code != "account_oidc" {
		t.Errorf("password: %d %s", status, code)
	}
	u.act(func(by access.Acting, tx *store.Tx) error { return by.Unlink(tx, "li.si") })
	if li.in() {
		t.Error("in after the link was cut")
	}
	li.comes("li.si", "oidc_unknown")
	want := []string{
		"? oidc sign_in oidc_unknown", "? oidc sign_in oidc_unknown", "root command user_invite ok", "li.si oidc user_link ok", "li.si oidc sign_in ok",
		"li.si oidc sign_out session_replaced", "li.si oidc sign_in ok", "root command user_unlink ok", "? oidc sign_in oidc_unknown",
	}
	if got := u.lines(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Only the browser that left comes back, once, with the code it was given.
func TestReturnsOfOthersAreRefused(t *testing.T) {
	u := startUnified(t, func(o *config.OIDC) { o.Accounts = config.AccountsNamed })
	u.user("li.si", func(*store.User) {})
	mine, theirs := u.tab(), u.tab()
	body := theirs.away("li.si")
	refused := func(what string, b *tab, body, want string) {
		t.Helper()
		if status, code, _ := b.arrive(body); status != http.StatusUnauthorized || code != want {
			t.Errorf("%s: %d %s", what, status, code)
		}
	}
	refused("without having left", mine, body, "oidc_state")
	own := mine.away("li.si")
	refused("with another's state", mine, body, "oidc_state")
	var a, b api.Arrival
	if err := json.Unmarshal([]byte(own), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		t.Fatal(err)
	}
	refused("with another's code", mine, `{"state":"`+a.State+`","code":"`+b.Code+`"}`, "oidc_refused")
	refused("a second time", mine, own, "oidc_state")
	refused("with a long state", mine, `{"state":"`+strings.Repeat("x", 5000)+`","code":"x"}`, "oidc_state")
	denied := mine.away("li.si")
	if err := json.Unmarshal([]byte(denied), &a); err != nil {
		t.Fatal(err)
	}
	refused("denied", mine, `{"state":"`+a.State+`","error":"access_denied"}`, "oidc_denied")
	u.far.Change(func(c map[string]any) { c["nonce"] = "another" })
	refused("with another nonce", mine, mine.away("li.si"), "oidc_refused")
	if mine.in() || theirs.in() {
		t.Error("somebody is in")
	}
}

// What the rules say counts, and what they do not speak of gives nothing.
func TestRightsFromClaims(t *testing.T) {
	u := startUnified(t, func(o *config.OIDC) {
		o.Accounts = config.AccountsClaims
		o.Rules = []config.ClaimRule{
			{Claim: "groups", Value: "managers", Roles: []string{"manager"}, Scope: []string{string(hall)}},
			{Claim: "groups", Value: "staff", Roles: []string{"viewer", "video"}, Scope: []string{"all"}},
		}
	})
	u.user("wu", func(*store.User) {})
	li, wu := u.tab(), u.tab()
	s := li.comes("li.si", "")
	if s.Name != "李四" || !slices.Equal(s.Roles, []string{"manager"}) || !slices.Equal(s.Scope, []string{string(hall)}) {
		t.Errorf("the first rule alone: %+v", s)
	}
	wu.comes("wu", "oidc_no_rights")
	u.far.Change(func(c map[string]any) { c["groups"] = []string{"staff"} })
	wu.comes("wu", "oidc_taken") // by an account of ours
	other := u.tab()
	if s := other.comes("li.si", ""); !slices.Equal(s.Roles, []string{"viewer", "video"}) || !slices.Equal(s.Scope, []string{""}) {
		t.Errorf("the other rule: %+v", s)
	}
	if li.in() {
		t.Error("what was opened with other rights goes on")
	}
	u.act(func(by access.Acting, tx *store.Tx) error {
		disabled := true
		return by.Change(tx, "li.si", access.Change{Disabled: &disabled})
	})
	if other.in() {
		t.Error("disabled and in")
	}
	other.comes("li.si", "oidc_unknown")
	u.far.Change(func(c map[string]any) { c["groups"] = "nothing" })
	other.comes("li.si", "oidc_no_rights")
	if status, code := li.send(http.MethodPost, "/api/v1/session", `{"user":"li.si","password":""}`, nil); status != http.StatusUnauthorized || code != "sign_in_wrong" {
		t.Errorf("with no password: %d %s", status, code)
	}
}

// Administrators show more, where the configuration demands it, and nobody becomes one by being refused.
func TestAdministratorsShowMore(t *testing.T) {
	u := startUnified(t, func(o *config.OIDC) {
		o.Accounts, o.Admins = config.AccountsNamed, config.Proofs{AMR: []string{"otp", "hwk"}, ACR: []string{"high"}}
	})
	u.user("li.si", func(x *store.User) { x.Roles = rights.Roles{rights.Admin} })
	b := u.tab()
	b.comes("li.si", "oidc_factor")
	u.far.Change(func(c map[string]any) { c["amr"] = []string{"pwd", "otp"} })
	b.comes("li.si", "oidc_factor")
	u.far.Change(func(c map[string]any) { c["amr"], c["acr"] = []string{"pwd", "otp"}, "high" })
	if s := b.comes("li.si", ""); s.Must != "" {
		t.Errorf("%+v", s)
	}
	if got := u.lines(); slices.Contains(got[:2], "li.si oidc user_link ok") {
		t.Errorf("%q", got)
	}
	if status, code := b.send(http.MethodPut, "/api/v1/users/li.si", `{"disabled":true}`, nil); status != http.StatusConflict || code != "user_self" {
		t.Errorf("changing himself: %d %s", status, code)
	}
}

// A platform that is down hinders nobody who has a password here.
func TestPlatformIsDown(t *testing.T) {
	u := startUnified(t, func(*config.OIDC) {})
	u.user("li.si", func(*store.User) {})
	u.far.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	b := u.tab()
	if status, code := b.send(http.MethodPost, "/api/v1/session/journey", "", nil); status != http.StatusServiceUnavailable || code != "oidc_down" {
		t.Errorf("%d %s", status, code)
	}
	if status, code := b.send(http.MethodPost, "/api/v1/session", `{"user":"li.si","password":"the right one"}`, nil); status != http.StatusCreated {
		t.Errorf("by password: %d %s", status, code)
	}
}
