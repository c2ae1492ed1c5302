package web_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func keysOf(v any) []string {
	m, _ := v.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

func wantKeys(t *testing.T, what string, v any, keys ...string) {
	t.Helper()
	slices.Sort(keys)
	if got := keysOf(v); !slices.Equal(got, keys) {
		t.Errorf("%s has %v, want %v", what, got, keys)
	}
}

var ticketKeys = []string{"id", "number", "queue", "class", "state", "ahead", "wait", "window", "taken_at", "print", "reprints"}

func TestTakeGivesATicket(t *testing.T) {
	s := open(t)
	r := s.post(kioskToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "kiosk"}).want(t, 201, "")
	wantKeys(t, "answer", r.body, "ticket")
	wantKeys(t, "T", r.at("ticket"), ticketKeys...)
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		t.Errorf("content type %q", ct)
	}
	if r.text("ticket", "number") != "A001" || r.text("ticket", "state") != "waiting" || r.text("ticket", "class") != "normal" ||
		r.text("ticket", "print") != "pending" || r.at("ticket", "ahead") != 0.0 || r.at("ticket", "wait") != nil || r.at("ticket", "window") != nil {
		t.Errorf("%s", r.Raw)
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00$`).MatchString(r.text("ticket", "taken_at")) {
		t.Errorf("taken_at %q", r.text("ticket", "taken_at"))
	}
	s.later(time.Second) // in the same instant an elder would be the first
	second := s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk", "class": "elder"}).want(t, 201, "")
	if second.text("ticket", "number") != "A002" || second.text("ticket", "print") != "none" || second.at("ticket", "ahead") != 1.0 {
		t.Errorf("%s", second.Raw)
	}
}

func TestTakeIsRefused(t *testing.T) {
	s := open(t)
	for name, tc := range map[string]struct {
		token, body string
		status      int
		code        string
	}{
		"nobody":          {"", `{"queue":"A","channel":"kiosk"}`, 401, "sign_in"},
		"wrong token":     {"guess", `{"queue":"A","channel":"kiosk"}`, 401, "sign_in"},
		"a screen":        {screenToken, `{"queue":"A","channel":"kiosk"}`, 403, "not_allowed"},
		"unknown queue":   {kioskToken, `{"queue":"Z","channel":"kiosk"}`, 404, "unknown_queue"},
		"no queue":        {kioskToken, `{"channel":"kiosk"}`, 404, "unknown_queue"},
		"class":           {kioskToken, `{"queue":"A","channel":"kiosk","class":"king"}`, 422, "class_invalid"},
		"channel":         {kioskToken, `{"queue":"A","channel":"phone"}`, 422, "channel_invalid"},
		"unknown member":  {kioskToken, `{"queue":"A","channel":"kiosk","name":"x"}`, 400, "field_unknown"},
		"member's case":   {kioskToken, `{"Queue":"A","channel":"kiosk"}`, 400, "field_unknown"},
		"member's type":   {kioskToken, `{"queue":1,"channel":"kiosk"}`, 400, "field_type"},
		"no JSON":         {kioskToken, `queue=A`, 400, "json_syntax"},
		"no object":       {kioskToken, `["A"]`, 400, "json_syntax"},
		"something after": {kioskToken, `{"queue":"A","channel":"kiosk"}{}`, 400, "json_syntax"},
		"identity":        {kioskToken, `{"queue":"A","channel":"kiosk","identity":"991101199003070016"}`, 422, "identity_unknown"},
		"needs identity":  {kioskToken, `{"queue":"C","channel":"kiosk"}`, 422, "identity_required"},
		"needs it later":  {kioskToken, `{"queue":"A","channel":"kiosk","then":["C"]}`, 422, "identity_required"},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.do("POST", "/api/v1/tickets", tc.token, "key of "+name, tc.body).want(t, tc.status, tc.code)
			if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
				t.Errorf("content type %q", ct)
			}
			if r.at("status") != float64(tc.status) || r.text("detail") == "" || r.text("detail") == tc.code || r.text("title") == "" || r.text("type") == "" {
				t.Errorf("%s", r.Raw)
			}
		})
	}
	s.do("POST", "/api/v1/tickets", kioskToken, "", `{"queue":"A","channel":"kiosk"}`).want(t, 400, "idempotency_key_missing")
	s.do("POST", "/api/v1/tickets", "", "", `{}`).want(t, 401, "sign_in")
	s.do("POST", "/api/v1/tickets", screenToken, "", `{}`).want(t, 403, "not_allowed")
	s.do("POST", "/api/v1/tickets", kioskToken, strings.Repeat("k", 256), `{}`).want(t, 400, "idempotency_key_invalid")
	s.do("POST", "/api/v1/tickets", kioskToken, "large", `{"queue":"`+strings.Repeat("A", 70<<10)+`"}`).want(t, 413, "body_too_large")
	if n := len(s.get(staffToken, "/api/v1/tickets").at("items").([]any)); n != 0 {
		t.Errorf("%d tickets came of refusals", n)
	}
}

func TestOneKeyOneTicket(t *testing.T) {
	s := open(t)
	body := `{"queue":"A","channel":"kiosk"}`
	first := s.do("POST", "/api/v1/tickets", kioskToken, "k1", body).want(t, 201, "")
	if first.Header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says it is a repetition")
	}
	again := func() {
		t.Helper()
		r := s.do("POST", "/api/v1/tickets", kioskToken, "k1", body).want(t, 201, "")
		if r.Raw != first.Raw || r.Header.Get("Idempotency-Replayed") != "true" || r.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
			t.Errorf("%v %s", r.Header, r.Raw)
		}
	}
	s.post(staffToken, "/api/v1/tickets/"+first.text("ticket", "id")+"/withdraw", nil).want(t, 200, "")
	again()
	s.do("POST", "/api/v1/tickets", kioskToken, "k1", body+" ").want(t, 422, "idempotency_key_reused")
	s.restart()
	again()
	if other := s.do("POST", "/api/v1/tickets", staffToken, "k1", body).want(t, 201, ""); other.text("ticket", "number") != "A002" {
		t.Errorf("another credential's key: %s", other.Raw)
	}
	s.later(24*time.Hour + time.Minute)
	if late := s.do("POST", "/api/v1/tickets", kioskToken, "k1", body).want(t, 201, ""); late.Header.Get("Idempotency-Replayed") != "" {
		t.Error("the answer is given again after its day")
	}
}

func TestRefusalsAreRemembered(t *testing.T) {
	s := open(t)
	refused := s.do("POST", "/api/v1/windows/1/call-next", staffToken, "k", nil).want(t, 409, "window_closed")
	s.verb("1", "open", nil).want(t, 200, "")
	again := s.do("POST", "/api/v1/windows/1/call-next", staffToken, "k", nil).want(t, 409, "window_closed")
	if again.Raw != refused.Raw || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%v %s", again.Header, again.Raw)
	}
	empty := s.do("POST", "/api/v1/windows/1/call-next", staffToken, "e", nil).want(t, 200, "")
	s.take("A")
	if r := s.do("POST", "/api/v1/windows/1/call-next", staffToken, "e", nil); r.Raw != empty.Raw || r.at("ticket") != nil {
		t.Errorf("an empty call called after all: %s", r.Raw)
	}
	s.do("POST", "/api/v1/tickets", kioskToken, "bad", `{"queue":`).want(t, 400, "json_syntax")
	s.do("POST", "/api/v1/tickets", kioskToken, "bad", `{"queue":"A","channel":"kiosk"}`).want(t, 201, "")
}

func TestTwinsWait(t *testing.T) {
	s := open(t)
	for _, path := range []struct{ token, path, body string }{
		{kioskToken, "/api/v1/tickets", `{"queue":"A","channel":"kiosk"}`},
		{staffToken, "/api/v1/devices/kiosk-1.printer/test", ``},
		{kioskToken, "/api/v1/scans", `{"payload":"YSS-SIM-TWINS"}`},
	} {
		raws := make([]string, 12)
		firsts := make([]bool, len(raws))
		var wg sync.WaitGroup
		for i := range raws {
			wg.Go(func() {
				r, err := s.try("POST", path.path, path.token, "twin", path.body)
				if err != nil {
					t.Error(err)
					return
				}
				raws[i], firsts[i] = fmt.Sprint(r.Status, r.Raw), r.Header.Get("Idempotency-Replayed") == ""
			})
		}
		wg.Wait()
		count := 0
		for i := range raws {
			if raws[i] != raws[0] {
				t.Errorf("%s: %s and %s", path.path, raws[0], raws[i])
			}
			if firsts[i] {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%s: %d of %d twins were the first", path.path, count, len(raws))
		}
	}
	if s.devices.tested != 1 {
		t.Errorf("the device was tested %d times", s.devices.tested)
	}
}

func TestThreat36TakesAreLimited(t *testing.T) {
	s := open(t, slowTakes)
	body := map[string]string{"queue": "A", "channel": "kiosk"}
	first := s.do("POST", "/api/v1/tickets", kioskToken, "again", body).want(t, 201, "")
	limited := 0
	for i := range 20 {
		r := s.post(kioskToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "kiosk"})
		if r.Status == http.StatusTooManyRequests {
			limited++
			if r.text("code") != "take_limited" || r.Header.Get("Retry-After") == "" {
				t.Fatalf("%v %s", r.Header, r.Raw)
			}
		} else if r.Status != 201 {
			t.Fatalf("take %d: %s", i, r.Raw)
		}
	}
	if limited < 10 {
		t.Errorf("%d of 20 takes were refused at 2 a second", limited)
	}
	for range 5 { // to repeat is not to take
		if r := s.do("POST", "/api/v1/tickets", kioskToken, "again", body).want(t, 201, ""); r.Raw != first.Raw {
			t.Errorf("%s after %s", r.Raw, first.Raw)
		}
	}
}

func TestTicketVerbs(t *testing.T) {
	s := open(t)
	id := s.take("A")
	path := "/api/v1/tickets/" + id + "/"
	s.post(staffToken, path+"requeue", nil).want(t, 409, "ticket_state")
	refused := s.post(kioskToken, path+"reprint", nil).want(t, 409, "slip_busy")
	if refused.text("state") != "waiting" {
		t.Errorf("%s", refused.Raw)
	}
	gone := s.post(kioskToken, path+"withdraw", `{}`).want(t, 200, "")
	wantKeys(t, "answer", gone.body, "ticket")
	if gone.text("ticket", "state") != "withdrawn" {
		t.Errorf("%s", gone.Raw)
	}
	twice := s.post(kioskToken, path+"withdraw", nil).want(t, 409, "ticket_state")
	if twice.text("state") != "withdrawn" || !strings.Contains(twice.text("detail"), "已退号") {
		t.Errorf("%s", twice.Raw)
	}
	s.post(screenToken, path+"withdraw", nil).want(t, 403, "not_allowed")
	s.post(staffToken, path+"withdraw", `{"reason":"x"}`).want(t, 400, "field_unknown")
	s.post(staffToken, "/api/v1/tickets/01NONE/withdraw", nil).want(t, 404, "unknown_ticket")
	s.get(staffToken, "/api/v1/tickets/01NONE").want(t, 404, "unknown_ticket")
	s.get("", path[:len(path)-1]).want(t, 401, "sign_in")
	s.get(screenToken, path[:len(path)-1]).want(t, 403, "not_allowed")

	// A desk's ticket has no slip; its reprint comes out at the first kiosk.
	r := s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk"}).want(t, 201, "")
	printed := s.post(staffToken, "/api/v1/tickets/"+r.text("ticket", "id")+"/reprint", nil).want(t, 200, "")
	if printed.text("ticket", "print") != "pending" || printed.at("ticket", "reprints") != 1.0 {
		t.Errorf("%s", printed.Raw)
	}
}

func TestThreat13ACitizenHasHisOwnTicket(t *testing.T) {
	s := open(t)
	mine, other := s.take("A"), s.take("A")
	token := s.signer.Token("none")
	s.get(token, "/api/v1/tickets/"+mine).want(t, 403, "not_allowed")
	token = strings.TrimPrefix(s.signer.TicketURL("x"), "http://hall.example/t/")
	if token != s.signer.Token("x") {
		t.Fatalf("%q", token)
	}
	token = s.signer.Token(ticketID(mine))
	r := s.get(token, "/api/v1/tickets/"+mine).want(t, 200, "")
	wantKeys(t, "answer", r.body, "ticket", "queue_name", "window_name", "rated", "windows")
	for _, path := range []string{"/api/v1/tickets/" + other, "/api/v1/hall", "/api/v1/tickets", "/api/v1/stream", "/api/v1/devices", "/api/v1/board", "/api/v1/log"} {
		s.get(token, path).want(t, 403, "not_allowed")
	}
	s.post(token, "/api/v1/tickets/"+other+"/withdraw", nil).want(t, 403, "not_allowed")
	s.post(token, "/api/v1/tickets/"+mine+"/reprint", nil).want(t, 403, "not_allowed")
	s.post(token, "/api/v1/ratings", map[string]string{"ticket": other, "grade": "satisfied"}).want(t, 403, "not_allowed")
	s.post(token, "/api/v1/tickets/"+mine+"/withdraw", nil).want(t, 200, "")
}

func TestFindTickets(t *testing.T) {
	s := open(t)
	for range 3 {
		s.take("A")
	}
	s.take("B")
	if r := s.get(staffToken, "/api/v1/tickets?number=a002"); r.at("total") != 1.0 {
		t.Errorf("%s", r.Raw)
	}
	all := s.get(staffToken, "/api/v1/tickets?state=waiting&limit=2")
	items := all.at("items").([]any)
	if all.at("total") != 4.0 || len(items) != 2 || items[0].(map[string]any)["number"] != "B001" {
		t.Errorf("%s", all.Raw)
	}
	if r := s.get(staffToken, "/api/v1/tickets?state=done"); r.at("total") != 0.0 {
		t.Errorf("%s", r.Raw)
	}
}

func TestTicketQR(t *testing.T) {
	s := open(t)
	id := s.take("A")
	r := s.get(kioskToken, "/api/v1/tickets/"+id+"/qr").want(t, 200, "")
	scanned := s.do("POST", "/api/v1/scans", kioskToken, "qr", []byte(r.Raw), "Content-Type", "image/png").want(t, 200, "")
	if scanned.text("kind") != "ticket" || scanned.text("ticket", "id") != id {
		t.Errorf("%s", scanned.Raw)
	}
	s.get(kioskToken, "/api/v1/tickets/01NONE/qr").want(t, 404, "unknown_ticket")
}

func TestStaffGiveATicketAnotherClass(t *testing.T) {
	s := open(t)
	first, second := s.take("A"), s.take("A")
	path := "/api/v1/tickets/" + second + "/class"
	body := map[string]string{"class": "priority", "reason": " 现役军人 "}
	s.post(kioskToken, path, body).want(t, 403, "not_allowed")
	s.post(staffToken, path, map[string]string{"class": "priority", "reason": " "}).want(t, 422, "reason_required")
	s.post(staffToken, path, map[string]string{"class": "king", "reason": "x"}).want(t, 422, "class_invalid")
	s.post(staffToken, path, map[string]string{"class": "priority", "reason": strings.Repeat("长", 300)}).want(t, 400, "field_too_long")
	s.post(staffToken, "/api/v1/tickets/nobody/class", body).want(t, 404, "unknown_ticket")
	if r := s.post(staffToken, path, body).want(t, 200, ""); r.text("ticket", "class") != "priority" || r.text("ticket", "state") != "waiting" {
		t.Errorf("%s", r.Raw)
	}
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("1", "call", map[string]string{"ticket": first, "reason": "在窗口"}).want(t, 200, "")
	s.post(staffToken, "/api/v1/tickets/"+first+"/class", body).want(t, 409, "ticket_state")
}

func TestOnlyStaffSayWhyATicketHasItsClass(t *testing.T) {
	s := open(t)
	take := func(reason string) map[string]string {
		return map[string]string{"queue": "A", "channel": "desk", "class": "priority", "reason": reason}
	}
	s.post(kioskToken, "/api/v1/tickets", take("x")).want(t, 403, "not_allowed")
	s.post(staffToken, "/api/v1/tickets", take(strings.Repeat("长", 300))).want(t, 400, "field_too_long")
	if r := s.post(staffToken, "/api/v1/tickets", take("烈士家属")).want(t, 201, ""); r.text("ticket", "class") != "priority" {
		t.Errorf("%s", r.Raw)
	}
}
