package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// room is what is no part of the interface for programs: a page, which shows a way in to whoever is not let in, or what leads in. open
// names the askers whose browser is let in at the page; "everybody" is one who holds nothing at all.
type room struct {
	path, open string
	status     int // of what is no page
}

// doors has a room for each route beside the interface.
func doors() map[string]room {
	return map[string]room{
		"GET /{$}":           {path: "/", open: "everybody"},
		"GET /kiosk/{id}":    {path: "/kiosk/1"},
		"GET /window/{id}":   {path: "/window/1", open: "clerk"},
		"GET /screen/{id}":   {path: "/screen/1"},
		"GET /rate/{id}":     {path: "/rate/1", open: "rate"},
		"GET /desk":          {path: "/desk", open: "guide"},
		"GET /board":         {path: "/board", open: "manager"},
		"GET /board/plan":    {path: "/board/plan", open: "manager"},
		"GET /board/rerun":   {path: "/board/rerun", open: "manager"},
		"GET /ops":           {path: "/ops"},
		"GET /t/{token}":     {path: "/t/HE1.nobody.bad", status: http.StatusNotFound},
		"GET /assets/{file}": {path: "/assets/window.js", status: http.StatusOK},
		"GET /healthz":       {path: "/healthz", status: http.StatusOK},
		"GET /readyz":        {path: "/readyz", status: http.StatusOK},
		"GET /metrics":       {path: "/metrics", status: http.StatusOK}, // from this machine; see TestMetricsAreForThisMachine
		"POST /sign-in":      {path: "/sign-in", status: http.StatusBadRequest},
		"POST /sign-out":     {path: "/sign-out", status: http.StatusNoContent},
		"POST /card":         {path: "/card", status: http.StatusBadRequest},
		"POST /lock":         {path: "/lock", status: http.StatusNoContent},
		"GET /here":          {path: "/here", status: http.StatusUnauthorized},
		"POST /here":         {path: "/here", status: http.StatusUnauthorized},
		"POST /pair":         {path: "/pair", status: http.StatusBadRequest},
	}
}

// A page is open for whom its cookie lets in, shows what it is made for to nobody else, and nobody's bearer token opens it.
func TestWhoSeesWhichPage(t *testing.T) {
	s := open(t)
	own := s.take("A")
	all := append(s.askers(own), asker{name: "everybody", client: s.browser().client})
	for pattern, room := range doors() {
		method, _, _ := strings.Cut(pattern, " ")
		for _, a := range all {
			status, text := s.see(a, method, room.path)
			if room.status != 0 {
				if status != room.status {
					t.Errorf("%s: %s: %d", pattern, a.name, status)
				}
				continue
			}
			open := status == http.StatusOK && !strings.Contains(text, `id="gate"`)
			may := room.open == "everybody" || slices.Contains(strings.Fields(room.open), a.name)
			if status != http.StatusOK || open != may {
				t.Errorf("%s: %s: %d, open: %v", pattern, a.name, status, open)
			}
			if !open && (strings.Contains(text, "林晓") || strings.Contains(text, "陈立")) {
				t.Errorf("%s: %s: the way in tells who works here", pattern, a.name)
			}
		}
	}
}

// see gives what a browser is shown at an address.
func (s *stage) see(a asker, method, path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, nil)
	must(s.t, err)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := a.client.Do(req)
	must(s.t, err)
	got, err := readReply(res)
	must(s.t, err)
	return got.Status, got.Raw
}
