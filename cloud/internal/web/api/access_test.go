package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"halledge/cloud/internal/access"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/web/api"
)

func TestAuditIsForAuditors(t *testing.T) {
	f := begin(t)
	visit := f.browser()
	if a := visit(http.MethodGet, "/api/v1/audit", ""); a.status != http.StatusUnauthorized || a.code(t) != "sign_in" {
		t.Errorf("a stranger: %d %s", a.status, a.body)
	}
	visit(http.MethodPost, "/api/v1/session", `{"user":"li","password":"right"}`)
	for who, a := range map[string]answer{"user": visit(http.MethodGet, "/api/v1/audit", ""), "token": f.do(http.MethodGet, "/api/v1/audit", "")} {
		if a.status != http.StatusForbidden || a.code(t) != "not_allowed" {
			t.Errorf("a %s without the role: %d %s", who, a.status, a.body)
		}
	}
	must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
		u, _, err := tx.User("li")
		if err != nil {
			return err
		}
		u.Roles = rights.Roles{rights.Auditor}
		return tx.PutUser(u)
	}))
	visit(http.MethodPost, "/api/v1/session", `{"user":"li","password":"right"}`)
	a := visit(http.MethodGet, "/api/v1/audit", "")
	var page api.Page[api.AuditLine]
	a.into(t, &page)
	if a.status != http.StatusOK || page.Total != 2 || len(page.Items) != 2 {
		t.Fatalf("after being made auditor: %d %s", a.status, a.body)
	}
	l := page.Items[0]
	if l.User != "li" || l.Name != "李四" || l.By != "password" || l.Action != "sign_in" || l.Result != "ok" || l.Remote != "127.0.0.1" || l.ID == 0 || l.At.IsZero() {
		t.Errorf("%+v", l)
	}
}

func TestSlowedNameIsToldWhen(t *testing.T) {
	f := begin(t)
	must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
		for i := range 13 {
			failures := store.Failures{Name: "li", Network: fmt.Sprintf("127.0.0.%d", i+2), Failed: 4, Last: time.Now()}
			if err := tx.PutFailures(failures, start); err != nil {
				return err
			}
		}
		return nil
	}))
	a := f.browser()(http.MethodPost, "/api/v1/session", `{"user":"li","password":"right"}`)
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	if a.status != http.StatusTooManyRequests || a.code(t) != "sign_in_slowed" || err != nil || seconds < 1 || seconds > 30 {
		t.Fatalf("%d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
	if !strings.Contains(string(a.body), fmt.Sprintf("%d 秒后", seconds)) {
		t.Errorf("the sentence names another time: %s", a.body)
	}
}

// Who comes while too many others wait is sent away for a moment, and told so as a program and as a person understands it.
func TestCrowdedSignInIsToldWhen(t *testing.T) {
	f := begin(t)
	w := httptest.NewRecorder()
	f.server.Config.Handler.(*api.API).Fail(w, httptest.NewRequest(http.MethodPost, "/api/v1/session", nil), &access.Refusal{Code: access.CodeBusy, RetryAfter: 5 * time.Second})
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	if a.status != http.StatusServiceUnavailable || a.code(t) != "sign_in_busy" || a.header.Get("Retry-After") != "5" || !strings.Contains(string(a.body), "5 秒后") {
		t.Errorf("%d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
}

func TestAuditFilters(t *testing.T) {
	f := begin(t)
	must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
		for i, action := range []string{store.ActionSignIn, store.ActionWatch, store.ActionSignIn, store.ActionSignOut} {
			at := start.AddDate(0, 0, i-1) // 9:00 on the 22nd, 23rd …
			a := store.Audit{At: at, Actor: []string{"li", "demo"}[i%2], By: []string{"password", "token"}[i%2], Action: action, Subject: fmt.Sprint(i), Result: "ok"}
			if err := tx.AddAudit(a); err != nil {
				return err
			}
		}
		return nil
	}))
	for query, want := range map[string]string{
		"": "3210 4", "?size=2": "32 4", "?size=2&page=2": "10 4", "?page=9": " 4",
		"?user=li": "20 2", "?user=nobody": " 0", "?action=watch": "1 1", "?user=li&action=sign_in": "20 2",
		"?from=2026-11-23": "321 3", "?to=2026-11-23": "10 2", "?from=2026-11-23&to=2026-11-24": "21 2",
		"?from=2026-11-23T09:00:00%2B08:00&to=2026-11-24T01:00:00Z": "1 1",
	} {
		var page api.Page[api.AuditLine]
		f.do(http.MethodGet, "/api/v1/audit"+query, "", asAdmin).into(t, &page)
		got := ""
		for _, l := range page.Items {
			got += l.Subject
		}
		if got = fmt.Sprint(got, " ", page.Total); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"?page=0", "?size=201", "?action=fly", "?from=yesterday", "?to=2026-13-01", "?user=" + strings.Repeat("x", 101)} {
		if a := f.do(http.MethodGet, "/api/v1/audit"+query, "", asAdmin); a.status != http.StatusBadRequest || a.code(t) != "query_invalid" {
			t.Errorf("%q: %d %s", query, a.status, a.body)
		}
	}
}

// A page that stays open is told when its session ends, and why; it must not go on showing the halls.
func TestStreamEndsWithItsSession(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*fixture, func(method, path, body string, change ...func(*http.Request)) answer)
		want string
	}{
		"sign-out": {func(_ *fixture, visit func(method, path, body string, change ...func(*http.Request)) answer) {
			visit(http.MethodDelete, "/api/v1/session", "")
		}, "session_signed_out"},
		"another sign-in": {func(_ *fixture, visit func(method, path, body string, change ...func(*http.Request)) answer) {
			visit(http.MethodPost, "/api/v1/session", `{"user":"li","password":"right"}`)
		}, "session_replaced"},
		"disabled user": {func(f *fixture, _ func(method, path, body string, change ...func(*http.Request)) answer) {
			must(t, f.st.Write(t.Context(), func(tx *store.Tx) error {
				u, _, err := tx.User("li")
				if err != nil {
					return err
				}
				u.Disabled = true
				return tx.PutUser(u)
			}))
		}, "session_ended"},
	} {
		t.Run(name, func(t *testing.T) {
			f := begin(t)
			jar, err := cookiejar.New(nil)
			must(t, err)
			client := &http.Client{Jar: jar}
			visit := func(method, path, body string, _ ...func(*http.Request)) answer {
				r, err := http.NewRequestWithContext(t.Context(), method, f.server.URL+path, strings.NewReader(body))
				must(t, err)
				r.Header.Set("Content-Type", "application/json")
				return f.by(client, r)
			}
			visit(http.MethodPost, "/api/v1/session", `{"user":"li","password":"right"}`)
			resp, err := client.Get(f.server.URL + "/api/v1/stream")
			must(t, err)
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			nextEvent(t, lines, "ready")
			c.end(f, visit)
			var ended api.Ended
			must(t, json.Unmarshal([]byte(nextEvent(t, lines, "ended")), &ended))
			if ended.Code != c.want || ended.Detail == "" || ended.Detail == ended.Code {
				t.Errorf("%+v", ended)
			}
			for lines.Scan() {
			}
			if err := lines.Err(); err != nil {
				t.Errorf("the stream did not end by itself: %v", err)
			}
		})
	}
}

// A body that does not come in time is the sender's slowness, not nonsense.
func TestSlowBody(t *testing.T) {
	f := begin(t)
	slow := httptest.NewUnstartedServer(f.server.Config.Handler)
	slow.Config.ReadTimeout = 100 * time.Millisecond
	slow.Start()
	defer slow.Close()
	conn, err := net.Dial("tcp", slow.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprint(conn, "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"user\":")
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header, body: make([]byte, resp.ContentLength)}
	if _, err := bufio.NewReader(resp.Body).Read(a.body); err != nil || a.status != http.StatusRequestTimeout || a.code(t) != "body_slow" {
		t.Errorf("%d %s, %v", a.status, a.body, err)
	}
}

// Two boxes with one identity are seen where all halls are listed, before anything else that is wrong with the hall.
func TestSharedIdentityStandsInTheList(t *testing.T) {
	f := begin(t)
	for _, boot := range []string{"b1", "b2", "b1"} {
		f.board.Boot(hallA, boot)
	}
	for _, path := range []string{"/api/v1/halls", "/api/v1/halls?severity=error"} {
		var page api.Page[api.Hall]
		f.do(http.MethodGet, path, "").into(t, &page)
		h := page.Items[0]
		if h.ID != hallA || h.Severity != "error" || h.Finding == nil || h.Finding.Code != "identity_shared" || h.Finding.Title == "" {
			t.Errorf("%s: %+v %+v", path, h, h.Finding)
		}
	}
}
