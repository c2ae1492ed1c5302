package web_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// wants asks to be paired for a page and gives the code.
func (b *browser) wants(page string) string {
	b.s.t.Helper()
	return b.do("POST", "/pair", `{"page":"`+page+`"}`).want(b.s.t, 200, "").text("code")
}

func TestPairing(t *testing.T) {
	s := open(t)
	kiosk, manager := s.browser(), s.browser()
	closed := kiosk.do("GET", "/kiosk/1", "").want(t, 200, "")
	if !strings.Contains(closed.Raw, `id="pair-code"`) || !strings.Contains(closed.Raw, "/assets/pair.js") || strings.Contains(closed.Raw, "综合业务") {
		t.Errorf("%s", closed.Raw)
	}
	code := kiosk.wants("kiosk-1")
	manager.signIn("m01", "ops").want(t, 204, "")
	if r := manager.do("GET", "/api/v1/pairings?as=ops", "").want(t, 200, ""); r.at("waiting") != 1.0 || strings.Contains(r.Raw, code) || !strings.Contains(r.Raw, `"rate-3"`) {
		t.Errorf("%s", r.Raw)
	}
	pair := func(key, code, place string) reply {
		return manager.do("POST", "/api/v1/pairings?as=ops", `{"code":"`+code+`","place":"`+place+`"}`, "Idempotency-Key", key)
	}
	pair("a", code, "kiosk-9").want(t, 409, "pair_place")
	pair("b", code, "window-1").want(t, 409, "pair_place")
	pair("c", "22222222", "kiosk-1").want(t, 404, "pair_code")
	pair("d", "", "kiosk-1").want(t, 400, "field_missing")
	pair("e", code, "").want(t, 400, "field_missing")
	made := pair("f", code, "kiosk-2").want(t, 201, "")
	if made.text("device", "name") != "2 号取号机" || made.text("device", "by") != "manager m01" {
		t.Errorf("%s", made.Raw)
	}
	if again := pair("f", code, "kiosk-2").want(t, 201, ""); again.Raw != made.Raw {
		t.Errorf("%s", again.Raw)
	}
	if r := kiosk.do("POST", "/pair", `{"page":"kiosk-1"}`).want(t, 200, ""); r.text("page") != "kiosk-2" {
		t.Fatalf("%s", r.Raw)
	}
	kiosk.do("POST", "/api/v1/tickets?as=kiosk-2", `{"queue":"A","channel":"kiosk"}`, "Idempotency-Key", "k").want(t, 201, "")
	s.restart()
	if r := kiosk.do("GET", "/kiosk/2", "").want(t, 200, ""); !strings.Contains(r.Raw, `id="queues"`) {
		t.Error("a restart shuts the kiosk out")
	}
	if r := s.get(opsToken, "/api/v1/pairings").want(t, 200, ""); !strings.Contains(r.Raw, made.text("device", "id")) {
		t.Errorf("%s", r.Raw)
	}
	s.post(opsToken, "/api/v1/pairings/none/revoke", nil).want(t, 404, "pair_unknown")
}

// A device that is shut out sees and hears nothing more from that moment on.
func TestAShutOutDeviceIsCutOff(t *testing.T) {
	s := open(t)
	screen := s.browser()
	made := s.post(opsToken, "/api/v1/pairings", map[string]string{"code": screen.wants("screen-1"), "place": "screen-1"}).want(t, 201, "")
	screen.do("POST", "/pair", `{"page":"screen-1"}`).want(t, 200, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.base+"/api/v1/stream?as=screen-1", nil)
	must(t, err)
	res, err := screen.client.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "event: snapshot") {
	}
	seq := screen.do("GET", "/api/v1/hall?as=screen-1", "").want(t, 200, "").at("seq")
	if seq == nil {
		t.Fatal("no hall")
	}
	poll, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/api/v1/hall?as=screen-1&after=%.0f&wait=30", s.base, seq), nil)
	must(t, err)
	polled := make(chan string, 1)
	go func() {
		res, err := screen.client.Do(poll)
		if err != nil {
			polled <- err.Error()
			return
		}
		_ = res.Body.Close()
		polled <- res.Status
	}()
	s.post(opsToken, "/api/v1/pairings/"+made.text("device", "id")+"/revoke", nil).want(t, 200, "")
	for lines.Scan() { // until the server ends it
	}
	if got := <-polled; got != "401 Unauthorized" {
		t.Errorf("who polls gets %s", got)
	}
	must(t, lines.Err())
	screen.do("GET", "/api/v1/hall?as=screen-1", "").want(t, 401, "sign_in")
	if r := screen.do("GET", "/screen/1", "").want(t, 200, ""); !strings.Contains(r.Raw, `id="pair-code"`) {
		t.Errorf("%s", r.Raw)
	}
}
