package web_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// follow takes an edited plan over as the agent does.
func (s *stage) follow(revision int64) {
	s.t.Helper()
	var e hallsync.PlanEdited
	s.hall.Read(func(st *queue.State, _ hallsync.Seq) { e = st.Edited() })
	if e.Revision != revision {
		s.t.Fatalf("the plan edited last is %d, want %d", e.Revision, revision)
	}
	if strings.Contains(e.Text, "991101199003070016") {
		s.t.Error("the plan has a card's number")
	}
	next, problems := (&config.Config{Site: *s.site, Plan: *s.plan}).WithPlan("hall.yaml", []byte(e.Text))
	must(s.t, problems.Err())
	*s.plan = next.Plan
	must(s.t, s.server.Replan(&next.Plan))
}

// answer runs what is answered only after something else has happened.
func answer(do func() reply) <-chan reply {
	out := make(chan reply, 1)
	go func() {
		defer close(out) // also when do fails the test
		out <- do()
	}()
	return out
}

// A card is enrolled by the manager and signs its person in; it never was a citizen's meanwhile, and is one's own card afterwards.
func TestACardOfTheStaff(t *testing.T) {
	s := open(t, func(site *config.Site, p *config.Plan) {
		site.Devices = append(site.Devices, config.Device{Name: "window-1.idcard"})
		p.Schema = 1
		p.Rules.Voice = config.Voice{Repeat: 1, Languages: []string{"zh-CN"}, Rate: 100, Volume: 80, MaxAgeS: 60}
	})
	manager, clerk := s.browser(), s.browser()
	manager.signIn("m01", "board").want(t, 204, "")
	manager.do("POST", "/api/v1/staff/w01/card?as=board", `{"place":"window-3"}`, "Idempotency-Key", "1").want(t, 409, "card_reader_missing")
	manager.do("POST", "/api/v1/staff/w99/card?as=board", `{"place":"window-1"}`, "Idempotency-Key", "2").want(t, 404, "not_found")

	kept := 0 // cards that no page of citizens heard of
	enrolled := answer(func() reply {
		return manager.do("POST", "/api/v1/staff/w01/card?as=board", `{"place":"window-1"}`, "Idempotency-Key", "3")
	})
	s.await("the card to be taken", func() bool {
		before := s.server.Inputs().Now()
		if s.server.CardShown("window-1", card()); s.server.Inputs().Now() == before {
			kept++
		}
		select {
		case r := <-enrolled:
			r.want(t, 200, "")
			return true
		default:
			return false
		}
	})
	s.follow(1)
	manager.do("POST", "/api/v1/staff/w01/card?as=board", `{"place":"window-1"}`, "Idempotency-Key", "3").want(t, 200, "") // replayed: no card is waited for
	if kept == 0 {
		t.Error("the card that was enrolled was a citizen's, too")
	}

	shown := answer(func() reply { return clerk.do("POST", "/card", `{"page":"window-1"}`) })
	var told reply
	s.await("the card to be recognised", func() bool {
		s.server.CardShown("window-1", elder()) // a citizen's, at the same reader
		s.server.CardShown("window-1", card())
		select {
		case told = <-shown:
			return true
		default:
			return false
		}
	})
	told.want(t, 200, "")
	if told.text("user") != "w01" || told.text("name") != "林晓" || told.at("pin") != false {
		t.Fatalf("%s", told.Raw)
	}
	clerk.do("POST", "/sign-in", fmt.Sprintf(`{"user":"w01","pin":"","page":"window-1","card":%q}`, told.text("card"))).want(t, 204, "")
	if page := clerk.do("GET", "/window/1", ""); strings.Contains(page.Raw, `id="gate"`) {
		t.Error("signed in by a card, the page stays shut")
	}

	other := answer(func() reply {
		return manager.do("POST", "/api/v1/staff/m01/card?as=board", `{"place":"window-1"}`, "Idempotency-Key", "4")
	})
	s.await("the same card for another", func() bool {
		s.server.CardShown("window-1", card())
		select {
		case r := <-other:
			r.want(t, 409, "card_taken")
			return true
		default:
			return false
		}
	})
	manager.do("POST", "/api/v1/staff/w01/card/remove?as=board", `{}`, "Idempotency-Key", "5").want(t, 200, "")
	s.follow(2)
	if s.plan.Staff[0].Card != "" || s.plan.Staff[0].PIN == "" {
		t.Errorf("%+v", s.plan.Staff[0])
	}
}

// A PIN that the manager has set holds for one sign-in where the plan says so; the one that follows is a fact like any edit.
func TestAPINOfTheManagerIsChanged(t *testing.T) {
	s := open(t, func(_ *config.Site, p *config.Plan) {
		p.Schema = 1
		p.Staff[0].ChangePIN = true
		p.Rules.Voice = config.Voice{Repeat: 1, Languages: []string{"zh-CN"}, Rate: 100, Volume: 80, MaxAgeS: 60}
	})
	b := s.browser()
	b.signIn("w01", "window-1").want(t, 403, "pin_change")
	chosen := answer(func() reply {
		return b.do("POST", "/sign-in", `{"user":"w01","pin":"1234","new_pin":"902817","page":"window-1"}`)
	})
	s.await("the edit", func() bool {
		var e hallsync.PlanEdited
		s.hall.Read(func(st *queue.State, _ hallsync.Seq) { e = st.Edited() })
		return e.Revision == 1
	})
	s.follow(1)
	(<-chosen).want(t, 204, "")
	b.do("GET", "/api/v1/hall?as=window-1", "").want(t, 200, "")
	s.browser().signIn("w01", "desk").want(t, 401, "pin_wrong")
}

// A locked page still shows the number of its window and no more: no console, nobody's name, nothing that is shown to its reader; what it
// is sent says that it is locked.
func TestThreat21ALockedPageShowsTheNumberAlone(t *testing.T) {
	s := open(t, func(site *config.Site, _ *config.Plan) {
		site.Devices = append(site.Devices, config.Device{Name: "window-1.idcard"})
	})
	s.take("A")
	s.take("B")
	b := s.browser()
	b.signIn("w01", "window-1").want(t, 204, "")
	b.do("POST", "/api/v1/windows/1/open?as=window-1", "", "Idempotency-Key", "o").want(t, 200, "")
	b.do("POST", "/api/v1/windows/1/call-next?as=window-1", "", "Idempotency-Key", "c").want(t, 200, "")
	open := b.do("GET", "/api/v1/hall?as=window-1&window=1", "").want(t, 200, "")
	if open.at("locked") != nil || open.at("console") == nil || !strings.Contains(open.Raw, `"staff":"w01"`) {
		t.Fatalf("%s", open.Raw)
	}
	poll := answer(func() reply {
		return b.do("GET", fmt.Sprintf("/api/v1/hall?as=window-1&window=1&input=&wait=30&after=%v", open.at("seq")), "")
	})
	b.do("POST", "/lock?as=window-1", "").want(t, 204, "")
	s.server.CardShown("window-1", card())
	for name, r := range map[string]reply{"asked": b.do("GET", "/api/v1/hall?as=window-1&window=1&input=", ""), "waited": <-poll} {
		r.want(t, 200, "")
		if r.at("locked") != true || r.at("console") != nil || r.at("input") != nil || strings.Contains(r.Raw, "w01") || !strings.Contains(r.Raw, `"A001"`) {
			t.Errorf("%s: %s", name, r.Raw)
		}
		if windows, _ := r.at("windows").([]any); len(windows) != 1 {
			t.Errorf("%s: it sees %d windows", name, len(windows))
		}
	}
	r := b.do("POST", "/api/v1/windows/1/finish?as=window-1", "", "Idempotency-Key", "f").want(t, http.StatusLocked, "session_locked")
	if !strings.Contains(r.text("advice"), "PIN") {
		t.Errorf("%s", r.Raw)
	}
	page := b.do("GET", "/window/1", "")
	if !strings.Contains(page.Raw, `id="gate"`) || !strings.Contains(page.Raw, `value="w01"`) {
		t.Error("a locked page that is loaded again is no way in")
	}
	signal, told := b.listen("/api/v1/stream?as=window-1&window=1", fmt.Sprint(open.at("seq")))
	defer signal()
	if first := <-told; !strings.Contains(first, `"locked":true`) {
		t.Errorf("a page that comes back to its stream is not told that it is locked: %s", first)
	}
	other := s.browser()
	other.signIn("m01", "window-1").want(t, 409, "window_in_use")
	other.do("POST", "/sign-in", `{"user":"m01","pin":"1234","page":"window-1","takeover":true}`).want(t, 204, "")
	if r := b.do("GET", "/api/v1/hall?as=window-1", "").want(t, 401, "session_taken"); !strings.Contains(r.text("detail"), "陈立 已在别处登录") {
		t.Errorf("%s", r.Raw)
	}
	hall := other.do("GET", "/api/v1/hall?as=window-1", "").want(t, 200, "")
	if w := hall.at("windows").([]any)[0].(map[string]any)["ticket"].(map[string]any); w["number"] != "A001" {
		t.Errorf("the window's work is lost: %v", w)
	}
}

// listen follows a stream from an event on: what comes first is told; the page goes away with stop.
func (b *browser) listen(path, last string) (stop func(), told <-chan string) {
	b.s.t.Helper()
	ctx, cancel := context.WithCancel(b.s.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", b.s.base+path, nil)
	must(b.s.t, err)
	req.Header.Set("Last-Event-ID", last)
	res, err := b.client.Do(req)
	must(b.s.t, err)
	out := make(chan string, 1)
	go func() {
		defer close(out)
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
				out <- data
				return
			}
		}
	}()
	return cancel, out
}
