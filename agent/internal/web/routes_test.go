package web_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// asker is somebody who sends requests: by a bearer token, or by the cookie of a page.
type asker struct {
	name, token, page string
	client            *http.Client
}

// ask gives the status and the code of an answer. It does not read what it was given: a stream has no end.
func (s *stage) ask(a asker, method, path string) (int, string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	if a.page != "" {
		sign := "?"
		if strings.Contains(path, "?") {
			sign = "&"
		}
		path += sign + "as=" + a.page
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, nil)
	must(s.t, err)
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	res, err := a.client.Do(req)
	must(s.t, err)
	defer func() { _ = res.Body.Close() }()
	var p struct {
		Code string `json:"code"`
	}
	if res.StatusCode >= http.StatusBadRequest {
		raw, err := io.ReadAll(res.Body)
		must(s.t, err)
		must(s.t, json.Unmarshal(raw, &p))
	}
	return res.StatusCode, p.Code
}

// askers are one of each role. The tablet, the clerk and the citizen belong to window 1 and the ticket, the lead is the manager at window 2.
func (s *stage) askers(ticket string) []asker {
	s.t.Helper()
	cookie := func(name, page, enter string) asker {
		b := s.browser()
		if user, found := strings.CutPrefix(enter, "user "); found {
			b.signIn(user, page).want(s.t, 204, "")
		} else {
			b.do("GET", enter, "").want(s.t, 200, "")
		}
		return asker{name: name, page: page, client: b.client}
	}
	bearer := func(name, token string) asker { return asker{name: name, token: token, client: s.client} }
	return []asker{
		bearer("kiosk", kioskToken), bearer("screen", screenToken), bearer("staff", staffToken), bearer("ops", opsToken),
		bearer("citizen", s.signer.Token(ticketID(ticket))),
		cookie("rate", "rate-1", "/rate/1?token="+kioskToken),
		cookie("clerk", "window-1", "user w01"), cookie("guide", "desk", "user w01"),
		cookie("manager", "board", "user m01"), cookie("lead", "window-2", "user m01"), s.locked(),
	}
}

// locked is a manager who has left the guide's desk.
func (s *stage) locked() asker {
	s.t.Helper()
	b := s.browser()
	b.signIn("m01", "desk").want(s.t, 204, "")
	b.do("POST", "/lock?as=desk", "").want(s.t, 204, "")
	return asker{name: "locked", page: "desk", client: b.client}
}

// visit is an address of a route, and who is let in there.
type visit struct{ path, may string }

const (
	everybodyInside = "kiosk screen rate staff ops clerk guide manager lead locked"
	directors       = "staff manager lead"
	desks           = "staff guide manager lead"
	workers         = "staff clerk guide manager lead"
	givers          = "kiosk staff clerk guide manager lead"
	technicians     = "staff ops manager lead"
	machines        = "kiosk rate staff"
)

// routes says who may do what, for every route of the interface. own is the citizen's ticket, taken at the kiosk; other is somebody else's,
// taken at the desk.
func routes(own, other string) map[string][]visit {
	const v1 = "/api/v1/"
	one := func(path, may string) []visit { return []visit{{v1 + path, may}} }
	mine, others := "tickets/"+own, "tickets/"+other
	out := map[string][]visit{
		"GET /api/v1/hall":   one("hall?input=", everybodyInside),
		"GET /api/v1/stream": one("stream", everybodyInside),
		"GET /api/v1/board":  one("board", "staff ops clerk guide manager lead"),
		"GET /api/v1/log":    one("log", technicians),

		"GET /api/v1/tickets":                {{v1 + "tickets?number=A001", desks}},
		"GET /api/v1/tickets/{id}":           {{v1 + mine, givers + " citizen"}, {v1 + others, givers}},
		"GET /api/v1/tickets/{id}/qr":        {{v1 + mine + "/qr", "kiosk staff"}, {v1 + others + "/qr", "staff"}},
		"POST /api/v1/tickets":               one("tickets", givers),
		"POST /api/v1/tickets/{id}/withdraw": {{v1 + mine + "/withdraw", "kiosk citizen " + desks}, {v1 + others + "/withdraw", "kiosk " + desks}},
		"POST /api/v1/tickets/{id}/requeue":  one(mine+"/requeue", givers),
		"POST /api/v1/tickets/{id}/reprint":  one(mine+"/reprint", givers),
		"POST /api/v1/tickets/{id}/class":    one(mine+"/class", desks),
		"POST /api/v1/tickets/{id}/unrated":  one(mine+"/unrated", machines),

		"POST /api/v1/windows/{w}/duty":       {{v1 + "windows/1/duty", directors}, {v1 + "windows/2/duty", directors}},
		"POST /api/v1/windows/{w}/ask-rating": {{v1 + "windows/1/ask-rating", "staff clerk"}, {v1 + "windows/2/ask-rating", "staff lead"}},
		"GET /api/v1/windows/{w}/rating":      {{v1 + "windows/1/rating", machines}, {v1 + "windows/2/rating", "kiosk staff"}},

		"POST /api/v1/roll":                 one("roll", directors),
		"GET /api/v1/rerun":                 one("rerun", directors),
		"GET /api/v1/plan":                  one("plan", directors),
		"POST /api/v1/plan":                 one("plan", directors),
		"POST /api/v1/clock":                one("clock", directors),
		"GET /api/v1/blocks":                one("blocks", directors),
		"POST /api/v1/blocks":               one("blocks", directors),
		"GET /api/v1/bookings":              one("bookings", desks),
		"POST /api/v1/bookings":             one("bookings", desks),
		"POST /api/v1/bookings/{id}/cancel": one("bookings/b1/cancel", desks),

		"POST /api/v1/help":                            one("help", givers),
		"POST /api/v1/help/{place}/come":               one("help/kiosk-1/come", workers),
		"POST /api/v1/scans":                           one("scans", givers),
		"POST /api/v1/pictures":                        one("pictures", ""), // see TestPicturesOfAKiosk
		"POST /api/v1/ratings":                         one("ratings", machines+" citizen"),
		"GET /api/v1/voice/{w}":                        one("voice/1", everybodyInside),
		"POST /api/v1/notices/shown":                   one("notices/shown", "screen"),
		"GET /api/v1/notices/{group}/{version}/{path}": one("notices/hall/7/01.png", everybodyInside),
		"GET /api/v1/say":                              one("say", givers),

		"GET /api/v1/devices":               one("devices", "staff ops clerk guide manager lead"),
		"POST /api/v1/devices/{name}/test":  one("devices/kiosk-1.printer/test", technicians),
		"GET /api/v1/devices/{name}/trace":  one("devices/kiosk-1.printer/trace", technicians),
		"POST /api/v1/devices/{name}/trace": one("devices/kiosk-1.printer/trace", technicians),

		"GET /api/v1/cameras":               one("cameras", "staff ops clerk guide manager lead"),
		"POST /api/v1/cameras/{code}/adopt": one("cameras/440900000000001-CM001/adopt", technicians),

		"POST /api/v1/staff/{id}/card":        one("staff/w01/card", directors),
		"POST /api/v1/staff/{id}/card/remove": one("staff/w01/card/remove", directors),

		"GET /api/v1/pairings":              one("pairings", technicians),
		"POST /api/v1/pairings":             one("pairings", technicians),
		"POST /api/v1/pairings/{id}/revoke": one("pairings/x/revoke", technicians),
	}
	for _, verb := range []string{
		"open", "pause", "unpause", "close", "call-next", "call", "recall", "start", "finish", "pass", "transfer", "hold", "resume", "abandon", "reopen",
	} {
		const at = "POST /api/v1/windows/{w}/{verb}"
		out[at] = append(out[at], visit{v1 + "windows/1/" + verb, "staff clerk"}, visit{v1 + "windows/2/" + verb, "staff lead"})
	}
	return out
}

// recorder is a mux that knows its patterns.
type recorder struct {
	http.ServeMux
	patterns []string
}

func (m *recorder) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, h)
}

// Who may do what is written down for every route, and nobody may do more.
func TestWhoMayDoWhat(t *testing.T) {
	s := open(t)
	own := s.take("A")
	other := s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk"}).want(t, 201, "").text("ticket", "id")
	var mux recorder
	must(t, s.server.Register(&mux))
	table, rooms := routes(own, other), doors()
	for _, pattern := range mux.patterns {
		if len(table[pattern]) == 0 && rooms[pattern].path == "" {
			t.Errorf("nobody has said who may use %s", pattern)
		}
	}
	all := s.askers(own)
	for pattern, visits := range table {
		method, _, _ := strings.Cut(pattern, " ")
		for _, v := range visits {
			req, err := http.NewRequestWithContext(t.Context(), method, v.path, nil)
			must(t, err)
			if _, found := mux.Handler(req); found != pattern {
				t.Errorf("%s %s is %q, not %q", method, v.path, found, pattern)
			}
			if status, code := s.ask(asker{client: s.client}, method, v.path); status != 401 || code != "sign_in" {
				t.Errorf("%s %s: nobody: %d %s", method, v.path, status, code)
			}
			for _, a := range all {
				status, code := s.ask(a, method, v.path)
				may, let := slices.Contains(strings.Fields(v.may), a.name), status != http.StatusForbidden && status != http.StatusUnauthorized && status != http.StatusLocked
				refusal := "not_allowed"
				if a.name == "locked" {
					refusal = "session_locked"
				}
				if may != let || !let && code != refusal || may && method == "POST" && code != "idempotency_key_missing" {
					t.Errorf("%s %s: %s: %d %s, may: %v", method, v.path, a.name, status, code, may)
				}
			}
		}
	}
}

// A rating tablet rates. It is no kiosk, whoever set it up.
func TestATabletIsNoKiosk(t *testing.T) {
	for name, token := range map[string]string{"kiosk": kioskToken, "staff": staffToken} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			id := s.take("A")
			tablet := s.browser()
			tablet.do("GET", "/rate/2?token="+token, "").want(t, 200, "")
			for _, r := range [][3]string{
				{"GET", "tickets", ""}, {"GET", "tickets/" + id, ""}, {"GET", "tickets/" + id + "/qr", ""}, {"GET", "say?text=A", ""},
				{"POST", "tickets", `{"queue":"A","channel":"kiosk"}`}, {"POST", "tickets/" + id + "/withdraw", ""}, {"POST", "scans", `{"payload":"A"}`},
				{"POST", "windows/2/open", ""},
			} {
				path, query, _ := strings.Cut(r[1], "?")
				tablet.do(r[0], "/api/v1/"+path+"?as=rate-2&"+query, r[2], "Idempotency-Key", path).want(t, 403, "not_allowed")
			}
			hall := tablet.do("GET", "/api/v1/hall?as=rate-2", "").want(t, 200, "")
			if windows, _ := hall.at("windows").([]any); len(windows) != 1 {
				t.Errorf("it sees the windows %v", windows)
			}
			if status, _ := s.ask(asker{page: "kiosk-1", client: tablet.client}, "GET", "/api/v1/hall"); status != 401 {
				t.Errorf("its cookie is good at a kiosk: %d", status)
			}
		})
	}
}

// What a window has noted about its tickets is for whoever works there.
func TestAConsoleIsOfItsWindow(t *testing.T) {
	s := open(t)
	clerk := s.browser()
	clerk.signIn("w01", "window-1").want(t, 204, "")
	for window, sees := range map[string]bool{"1": true, "2": false} {
		r := clerk.do("GET", "/api/v1/hall?as=window-1&window="+window, "").want(t, 200, "")
		if has := r.at("console") != nil; has != sees {
			t.Errorf("the console of window %s: %v", window, has)
		}
	}
}

// The code of a slip lets its holder act as the citizen, so a kiosk shows it to whom it belongs.
func TestAKioskShowsTheCodesOfThoseWhoStandThere(t *testing.T) {
	s := open(t)
	here := s.take("A")
	there := s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk"}).want(t, 201, "").text("ticket", "id")
	qr := func(id string) string { return "/api/v1/tickets/" + id + "/qr" }
	s.get(kioskToken, qr(here)).want(t, 200, "")
	s.get(kioskToken, qr(there)).want(t, 403, "not_allowed")
	s.post(kioskToken, "/api/v1/scans", map[string]string{"payload": s.signer.TicketURL(ticketID(there))}).want(t, 200, "")
	s.get(kioskToken, qr(there)).want(t, 200, "")
	s.later(11 * time.Minute)
	s.get(kioskToken, qr(here)).want(t, 403, "not_allowed")
	s.get(staffToken, qr(here)).want(t, 200, "")
	s.get(kioskToken, qr("01NONE")).want(t, 404, "unknown_ticket")
}

// What a queue asks of those who come to a kiosk is not got round by another channel's name.
func TestTheChannelIsThatOfThePlace(t *testing.T) {
	s := open(t)
	clerk, guide, manager := s.browser(), s.browser(), s.browser()
	clerk.signIn("w01", "window-1").want(t, 204, "")
	guide.signIn("w01", "desk").want(t, 204, "")
	manager.signIn("m01", "board").want(t, 204, "")
	at := func(b *browser, page string) func(string) reply {
		return func(channel string) reply {
			return b.do("POST", "/api/v1/tickets?as="+page, `{"queue":"A","channel":"`+channel+`"}`, "Idempotency-Key", page+channel)
		}
	}
	bearer := func(token string) func(string) reply {
		return func(channel string) reply {
			return s.post(token, "/api/v1/tickets", map[string]string{"queue": "A", "channel": channel})
		}
	}
	for _, tc := range []struct {
		name string
		take func(channel string) reply
		is   string // the channel it becomes; empty: as said
	}{
		{"kiosk", bearer(kioskToken), "kiosk"}, {"staff", bearer(staffToken), ""}, {"clerk", at(clerk, "window-1"), "window"},
		{"guide", at(guide, "desk"), "desk"}, {"manager", at(manager, "board"), "desk"},
	} {
		for _, channel := range []string{"kiosk", "desk", "window", "online"} {
			id := tc.take(channel).want(t, 201, "").text("ticket", "id")
			var got hallsync.Channel
			s.hall.Read(func(st *queue.State, _ hallsync.Seq) {
				taken, _ := st.Ticket(ticketID(id))
				got = taken.Channel
			})
			if want := hallsync.Channel(cmp.Or(tc.is, channel)); got != want {
				t.Errorf("%s by %s: %s, want %s", tc.name, channel, got, want)
			}
		}
	}
	for _, channel := range []string{"kiosk", "desk", "window", "online"} {
		s.post(kioskToken, "/api/v1/tickets", map[string]string{"queue": "C", "channel": channel}).want(t, 422, "identity_required")
	}
}

// Over the interface, too, nobody picks among those who wait; whoever directs the hall may, and says why.
func TestOnlyTheManagerReachesIntoOtherLines(t *testing.T) {
	s := open(t)
	clerk, lead := s.browser(), s.browser()
	clerk.signIn("w01", "window-1").want(t, 204, "")
	lead.signIn("m01", "window-2").want(t, 204, "")
	do := func(b *browser, window, verb, body string) reply {
		return b.do("POST", "/api/v1/windows/"+window+"/"+verb+"?as=window-"+window, body, "Idempotency-Key", verb+body)
	}
	id := s.take("B") // window 1 serves it, window 2 does not
	s.verb("1", "open", nil).want(t, 200, "")
	s.verb("2", "open", nil).want(t, 200, "")
	move := func(reason string) string {
		return `{"ticket":"` + id + `","to":{"window":"2","position":"front"},"reason":"` + reason + `"}`
	}
	s.verb("2", "transfer", move("想办")).want(t, 409, "window_not_entitled")
	s.verb("2", "abandon", `{"ticket":"`+id+`","reason":"没来"}`).want(t, 409, "window_not_entitled")
	do(clerk, "1", "transfer", move("")).want(t, 422, "reason_required")
	clerk.do("POST", "/api/v1/tickets/"+id+"/withdraw?as=window-1", "", "Idempotency-Key", "w").want(t, 403, "not_allowed")
	do(lead, "2", "transfer", move("")).want(t, 422, "reason_required")
	do(lead, "2", "transfer", move("1 号窗口停电")).want(t, 200, "")
	do(lead, "2", "call-next", "").want(t, 200, "")
}
