package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"

	"github.com/pquerna/otp/totp"
)

// described checks an answer against the description of its operation.
func (f *fixture) described(id, status string, a answer) {
	f.t.Helper()
	var doc document
	must(f.t, json.Unmarshal(f.do(http.MethodGet, "/api/v1/openapi.json", "").body, &doc))
	response, there := doc.operation(f.t, id).Responses[status]
	if !there {
		f.t.Fatalf("%s: %s is not described", id, status)
	}
	if schema := response.Content["application/json"].Schema; schema != nil {
		for _, fault := range doc.check(schema, a.value(f.t), id) {
			f.t.Error(fault)
		}
	}
}

// A new administrator chooses his own password, sets up his second factor, and only then may do what he is for.
func TestOwnAccount(t *testing.T) {
	f := begin(t)
	admin := `{"name":"wu","full_name":"吴五","password":"for the first day","roles":["admin"],"scope":[""]}`
	if a := f.do(http.MethodPost, "/api/v1/users", admin, asAdmin); a.status != http.StatusCreated {
		t.Fatalf("add: %d %s", a.status, a.body)
	}
	visit := f.browser()
	signIn := func(body string) (answer, api.Session) {
		a := visit(http.MethodPost, "/api/v1/session", body)
		var s api.Session
		if a.status == http.StatusCreated {
			a.into(t, &s)
		}
		return a, s
	}
	want := func(what string, a answer, status int, code string) {
		t.Helper()
		if a.status != status || code != "" && a.code(t) != code {
			t.Errorf("%s: %d %s, want %d %s", what, a.status, a.body, status, code)
		}
	}
	if _, s := signIn(`{"user":"wu","password":"for the first day"}`); s.Must != "password" {
		t.Fatalf("%+v", s)
	}
	const password = "/api/v1/account/password"
	want("users before all", visit(http.MethodGet, "/api/v1/users", ""), 403, "password_first")
	want("wrong old", visit(http.MethodPut, password, `{"old":"no","new":"my very own words"}`), 422, "password_wrong")
	want("short", visit(http.MethodPut, password, `{"old":"for the first day","new":"short"}`), 422, "password_weak")
	want("common", visit(http.MethodPut, password, `{"old":"for the first day","new":"Password123"}`), 422, "password_common")
	want("same", visit(http.MethodPut, password, `{"old":"for the first day","new":"for the first day"}`), 422, "password_same")
	a := visit(http.MethodPut, password, `{"old":"for the first day","new":"my very own words"}`)
	f.described("changePassword", "200", a)
	want("users before the factor", visit(http.MethodGet, "/api/v1/users", ""), 403, "factor_first")

	const factor = "/api/v1/account/second-factor"
	want("confirm nothing", visit(http.MethodPut, factor, `{"code":"123456"}`), 409, "factor_not_begun")
	want("wrong password", visit(http.MethodPost, factor, `{"password":"no"}`), 422, "password_wrong")
	a = visit(http.MethodPost, factor, `{"password":"my very own words"}`)
	f.described("beginSecondFactor", "201", a)
	var e api.Factor
	a.into(t, &e)
	if !strings.HasPrefix(e.Image, "data:image/png;base64,") || !strings.Contains(e.URI, e.Secret) || len(e.Secret) != 32 {
		t.Errorf("%+v", e)
	}
	code := func(shift time.Duration) string {
		text, err := totp.GenerateCode(e.Secret, time.Now().Add(shift))
		must(t, err)
		return text
	}
	want("code of last week", visit(http.MethodPut, factor, `{"code":"`+code(-7*24*time.Hour)+`"}`), 422, "factor_code_wrong")
	a = visit(http.MethodPut, factor, `{"code":"`+code(0)+`"}`)
	f.described("confirmSecondFactor", "200", a)
	var recovery api.RecoveryCodes
	a.into(t, &recovery)
	if len(recovery.Codes) != 10 {
		t.Errorf("%q", recovery.Codes)
	}
	lines, _, err := f.st.Audits(t.Context(), store.AuditQuery{Actor: "wu", Action: store.ActionFactor, Limit: 9})
	must(t, err)
	results := ""
	for _, l := range lines {
		results += l.Result + " "
	}
	if results != "ok factor_code_wrong sign_in_wrong " {
		t.Errorf("audit of the second factor: %s", results)
	}
	want("users at last", visit(http.MethodGet, "/api/v1/users", ""), 200, "")

	visit = f.browser()
	a, _ = signIn(`{"user":"wu","password":"my very own words"}`)
	want("without a code", a, 401, "sign_in_code")
	a, s := signIn(`{"user":"wu","password":"my very own words","code":"` + strings.ToLower(recovery.Codes[3]) + `"}`)
	if a.status != http.StatusCreated || !s.SecondFactor || s.RecoveryLeft != 9 || s.Must != "" {
		t.Errorf("by a recovery code: %d %s", a.status, a.body)
	}
	a, _ = signIn(`{"user":"wu","password":"my very own words","code":"` + recovery.Codes[3] + `"}`)
	want("by the same again", a, 401, "sign_in_code_wrong")

	want("own role", visit(http.MethodPut, "/api/v1/users/wu", `{"roles":["admin","video"]}`), 409, "user_self")
	want("own factor", visit(http.MethodDelete, "/api/v1/users/wu/second-factor", ""), 409, "user_self")
	want("a program", f.do(http.MethodPost, factor, `{"password":"x"}`), 403, "no_account")
}

// An administrator of some halls has users of those halls, and gives nobody more than he has.
func TestUsersAreChanged(t *testing.T) {
	f := begin(t)
	must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
		for name, scope := range map[string]rights.Scope{"near": {"4409"}, "far": {"4401"}, "all": rights.Whole()} {
			if err := tx.PutUser(store.User{Name: name, FullName: name, Origin: store.FromCLI, Roles: rights.Roles{rights.Viewer}, Scope: scope, Created: start}); err != nil {
				return err
			}
		}
		return tx.PutUser(store.User{Name: "file", Origin: store.FromConfig, Scope: rights.Scope{"4409"}, Created: start})
	}))
	local := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+localToken) }
	var page api.Page[api.User]
	f.do(http.MethodGet, "/api/v1/users", "", local).into(t, &page)
	if page.Total != 2 || page.Items[0].Name != "file" || page.Items[1].Name != "near" {
		t.Errorf("%+v", page)
	}
	for request, want := range map[string]string{
		`PUT /api/v1/users/near {"scope":["44"]}`:    "409 scope_beyond",
		`PUT /api/v1/users/near {"scope":[""]}`:      "409 scope_beyond",
		`PUT /api/v1/users/near {"scope":["x"]}`:     "422 config_scope",
		`PUT /api/v1/users/near {"roles":["boss"]}`:  "422 config_not_allowed",
		`PUT /api/v1/users/near {"roles":["clerk"]}`: "422 clerk_scope",
		`POST /api/v1/users {"name":"wu","password":"long enough it is","roles":["viewer","clerk"],"scope":["440900000000001","44090"]}`: "422 clerk_scope",
		`PUT /api/v1/users/near {"origin":"config"}`:                                                    "400 body_invalid",
		`PUT /api/v1/users/far {"disabled":true}`:                                                       "404 user_unknown",
		`PUT /api/v1/users/all {"disabled":true}`:                                                       "404 user_unknown",
		`PUT /api/v1/users/file {"disabled":true}`:                                                      "409 user_of_file",
		`PUT /api/v1/users/far/password {"password":"long enough it is"}`:                               "404 user_unknown",
		`POST /api/v1/users {"name":"near","password":"long enough it is","roles":[],"scope":["4409"]}`: "409 user_exists",
		`POST /api/v1/users {"name":"wu","password":"long enough it is","roles":[],"scope":["4401"]}`:   "409 scope_beyond",
		`POST /api/v1/users {"name":"W u","password":"long enough it is","roles":[],"scope":["4409"]}`:  "422 config_user_name",
		`POST /api/v1/users {"name":"wu","password":"wu12345678","roles":[],"scope":["4409"]}`:          "422 password_common",
	} {
		method, rest, _ := strings.Cut(request, " ")
		path, body, _ := strings.Cut(rest, " ")
		a := f.do(method, path, body, local)
		if got := fmt.Sprint(a.status, " ", a.code(t)); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
	a := f.do(http.MethodPut, "/api/v1/users/near", `{"full_name":"近","roles":["video","manager"],"scope":["440981"],"disabled":true}`, local)
	var u api.User
	a.into(t, &u)
	if u.FullName != "近" || strings.Join(u.Roles, " ") != "manager video" || strings.Join(u.Scope, " ") != "440981" || !u.Disabled {
		t.Errorf("%+v", u)
	}
	lines, _, err := f.st.Audits(t.Context(), store.AuditQuery{Actor: "local", Limit: 99})
	must(t, err)
	var actions []string
	for _, l := range lines {
		actions = append(actions, l.Action)
		if l.Subject != "near" || l.By != "token" || l.Remote != "127.0.0.1" {
			t.Errorf("%+v", l)
		}
	}
	if got := strings.Join(actions, " "); got != "user_disable user_scope user_roles user_name" {
		t.Errorf("audit: %s", got)
	}
}
