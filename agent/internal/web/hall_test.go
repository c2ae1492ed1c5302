package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

func TestHallShape(t *testing.T) {
	s := open(t)
	s.take("A")
	s.verb("1", "open", nil)
	s.verb("1", "call-next", nil)
	s.verb("1", "recall", nil)
	for _, token := range []string{kioskToken, screenToken, staffToken, opsToken} {
		r := s.get(token, "/api/v1/hall").want(t, 200, "")
		wantKeys(t, "hall", r.body, "seq", "hall", "business_day", "queues", "windows", "calls", "missed", "health")
		if r.text("hall") != hallCode || len(r.text("business_day")) != len("2006-01-02") || r.at("seq").(float64) < 4 {
			t.Errorf("%s", r.Raw)
		}
		q := r.at("queues").([]any)[0]
		wantKeys(t, "queue", q, "id", "name", "waiting", "wait")
		c := r.at("calls").([]any)[0].(map[string]any)
		wantKeys(t, "call", c, "number", "window", "at", "times")
		if c["number"] != "A001" || c["window"] != "1" || c["times"] != 2.0 {
			t.Errorf("%v", c)
		}
		w := r.at("windows").([]any)[0].(map[string]any)
		wantKeys(t, "W", w, "id", "name", "state", "queues", "ticket", "staff", "since")
		wantKeys(t, "T", w["ticket"], ticketKeys...)
	}
	s.get("", "/api/v1/hall").want(t, 401, "sign_in")
}

func TestWaitNeedsFiveServices(t *testing.T) {
	s := open(t)
	s.verb("1", "open", nil)
	for i := range 5 {
		s.take("A")
		s.verb("1", "call-next", nil)
		s.later(6 * time.Minute)
		s.verb("1", "finish", nil)
		wait := s.get(kioskToken, "/api/v1/hall").at("queues").([]any)[0].(map[string]any)["wait"]
		if (wait != nil) != (i == 4) {
			t.Fatalf("after %d services: %v", i+1, wait)
		}
	}
	id := s.take("A")
	w := s.get(kioskToken, "/api/v1/tickets/"+id)
	wantKeys(t, "wait", w.at("ticket", "wait"), "low_s", "high_s")
}

func TestEachReaderSeesItsOwn(t *testing.T) {
	s := open(t)
	s.take("A")
	s.verb("1", "open", nil)
	s.verb("1", "call-next", nil)
	s.mu.Lock()
	s.found = []hallsync.Condition{{Code: "disk_slow", Severity: "warning", Title: "磁盘慢"}, {Code: "uplink_down", Severity: "warning", Title: "断网"}}
	s.mu.Unlock()
	codesOf := func(token string) (out []string) {
		for _, c := range s.get(token, "/api/v1/hall").at("health").([]any) {
			out = append(out, c.(map[string]any)["code"].(string))
		}
		return out
	}
	if got := codesOf(staffToken); len(got) != 2 {
		t.Errorf("staff see %v", got)
	}
	if got := codesOf(screenToken); len(got) != 1 || got[0] != "uplink_down" {
		t.Errorf("a screen sees %v", got)
	}
	if got := codesOf(kioskToken); len(got) != 0 {
		t.Errorf("a kiosk sees %v", got)
	}
	s.devices.set("window-1.pad", "offline", "offline")
	for _, printer := range []struct{ state, code, severity string }{
		{"degraded", "paper_out", "error"}, {"degraded", "paper_low", "warning"}, {"offline", "timeout", "error"}, {"unusable", "unsupported", "error"},
	} {
		s.devices.set("kiosk-1.printer", printer.state, printer.code)
		found := s.get(kioskToken, "/api/v1/hall").at("health").([]any)
		if len(found) != 1 || found[0].(map[string]any)["code"] != "device_"+printer.code || found[0].(map[string]any)["severity"] != printer.severity {
			t.Errorf("%+v: the kiosk sees %v", printer, found)
		}
	}
	c := s.get(staffToken, "/api/v1/hall?window=1")
	if c.at("console", "window") != "1" {
		t.Errorf("%s", c.Raw)
	}
	if k := s.get(kioskToken, "/api/v1/hall?window=1"); k.at("console") != nil {
		t.Errorf("a kiosk sees a console: %s", k.Raw)
	}
}

func TestConsole(t *testing.T) {
	s := open(t)
	for range 3 {
		s.take("A")
	}
	s.verb("1", "open", nil)
	s.verb("1", "call-next", nil)
	s.verb("1", "pass", nil)
	s.verb("1", "call-next", nil)
	s.verb("1", "start", nil)
	s.verb("1", "hold", nil)
	c := s.get(staffToken, "/api/v1/hall?window=1")
	if c.at("console", "waiting") != 1.0 || len(c.at("console", "held").([]any)) != 1 || len(c.at("console", "passed").([]any)) != 1 {
		t.Errorf("%s", c.Raw)
	}
	if m := c.at("missed").([]any); len(m) != 1 || m[0] != "A001" {
		t.Errorf("%s", c.Raw)
	}
}

func TestLongPoll(t *testing.T) {
	s := open(t)
	now := s.get(kioskToken, "/api/v1/hall")
	after := strconv.Itoa(int(now.at("seq").(float64)))
	if r := s.get(kioskToken, "/api/v1/hall?after="+after+"&wait=0").want(t, 200, ""); r.at("seq") != now.at("seq") {
		t.Errorf("%s", r.Raw)
	}
	answered := make(chan reply, 1)
	go func() {
		r, err := s.try("GET", "/api/v1/hall?after="+after+"&wait=25", kioskToken, "", nil)
		if err != nil {
			t.Error(err)
		}
		answered <- r
	}()
	s.take("A")
	select {
	case r := <-answered:
		if r.at("seq").(float64) <= now.at("seq").(float64) {
			t.Errorf("%s", r.Raw)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the poll did not see the take")
	}
	// What is shown at the kiosk wakes it too.
	first := s.get(kioskToken, "/api/v1/hall?input=")
	n := strconv.FormatInt(int64(first.at("input_n").(float64)), 10)
	after = strconv.Itoa(int(first.at("seq").(float64)))
	go func() {
		r, err := s.try("GET", "/api/v1/hall?wait=25&after="+after+"&input="+n, kioskToken, "", nil)
		if err != nil {
			t.Error(err)
		}
		answered <- r
	}()
	s.server.CardShown("kiosk-1", card())
	select {
	case r := <-answered:
		if r.text("input", "kind") != "idcard" || r.text("input", "identity") == "" || r.at("input_n") != r.at("input", "n") {
			t.Errorf("%s", r.Raw)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the poll did not see the card")
	}
}

// event is one server-sent event.
type event struct {
	name, id string
	data     map[string]any
}

// listen opens the stream and gives its events until the returned function is called.
func (s *stage) listen(token, query, last string) (<-chan event, context.CancelFunc) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", s.base+"/api/v1/stream"+query, nil)
	must(s.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := (&http.Client{}).Do(req)
	must(s.t, err)
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		s.t.Fatalf("stream: %s", res.Status)
	}
	events := make(chan event, 1024)
	go func() {
		defer close(events)
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		var e event
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data)
			case "":
				if e.name != "" {
					events <- e
				}
				e = event{}
			}
		}
	}()
	return events, cancel
}

func next(t *testing.T, events <-chan event, name string) event {
	t.Helper()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before %s", name)
			}
			if e.name == name {
				return e
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no %s came", name)
		}
	}
}

func TestStream(t *testing.T) {
	s := open(t)
	events, cancel := s.listen(screenToken, "", "")
	first := <-events
	if first.name != "snapshot" || first.id == "" {
		t.Fatalf("%+v", first)
	}
	wantKeys(t, "snapshot", first.data, "seq", "hall", "business_day", "queues", "windows", "calls", "missed", "health")
	s.take("A")
	s.verb("1", "open", nil)
	s.verb("1", "call-next", nil)
	id, _ := strconv.Atoi(first.id)
	var last event
	for _, kind := range []string{"ticket.taken", "window.opened", "ticket.called"} {
		last = next(t, events, "change")
		id++
		if last.id != strconv.Itoa(id) || last.data["kind"] != kind || last.data["seq"] != float64(id) {
			t.Fatalf("%s: %+v", kind, last)
		}
	}
	wantKeys(t, "the last change", last.data, "seq", "kind", "hall", "business_day", "queues", "windows", "calls", "missed", "health")
	cancel()

	// A reader that comes back misses nothing, twice nothing, and gets no snapshot.
	s.verb("1", "finish", nil)
	again, cancel := s.listen(screenToken, "", strconv.Itoa(id))
	for _, kind := range []string{"ticket.started", "ticket.finished"} {
		id++
		e := <-again // both at once: the hall comes with the last
		if e.name != "change" || e.id != strconv.Itoa(id) || e.data["kind"] != kind || (e.data["windows"] != nil) != (kind == "ticket.finished") {
			t.Fatalf("%s: %+v", kind, e)
		}
	}
	cancel()

	for _, last := range []string{"99999999", "junk"} {
		events, cancel := s.listen(screenToken, "", last)
		if e := <-events; e.name != "snapshot" || e.id != strconv.Itoa(id) {
			t.Fatalf("after %s: %+v", last, e)
		}
		cancel()
	}
}

func TestStreamTellsInputsAndHealth(t *testing.T) {
	s := open(t)
	kiosk, cancel := s.listen(kioskToken, "", "")
	defer cancel()
	screen, cancelScreen := s.listen(screenToken, "", "")
	defer cancelScreen()
	next(t, kiosk, "snapshot")
	next(t, screen, "snapshot")
	s.server.Scanned(t.Context(), "kiosk-1", device.NewSecret("YSS-SIM-1"))
	if e := next(t, kiosk, "input"); e.data["kind"] != "yss_code" || e.data["identity"] == nil || e.id != "" {
		t.Errorf("%+v", e)
	}
	s.server.Scanned(t.Context(), "kiosk-1", device.NewSecret("nonsense"))
	if e := next(t, kiosk, "input"); e.data["kind"] != "refused" || e.data["code"] != "scan_unknown" || e.data["detail"] == "" {
		t.Errorf("%+v", e)
	}
	s.server.CardShown("kiosk-2", card())
	s.devices.set("kiosk-1.printer", "offline", "paper_out")
	e := next(t, kiosk, "health")
	if found := e.data["health"].([]any); len(found) != 1 || found[0].(map[string]any)["code"] != "device_paper_out" {
		t.Errorf("%+v", e)
	}
	s.take("A")
	if e := <-screen; e.name != "change" {
		t.Errorf("a screen was told of %s", e.name)
	}
}

// What cannot be read is told at its place with what to do, leaves who was recognised there alone, and writes nothing.
func TestStreamTellsWhatCouldNotBeRead(t *testing.T) {
	s := open(t, func(site *config.Site, _ *config.Plan) {
		site.Web.Tokens = append(site.Web.Tokens, config.Token{Role: "kiosk", ID: "2", Secret: config.NewSecret("kiosk-2-token-0123456789")})
	})
	kiosk, cancel := s.listen(kioskToken, "", "")
	defer cancel()
	other, cancelOther := s.listen("kiosk-2-token-0123456789", "", "")
	defer cancelOther()
	seq := next(t, kiosk, "snapshot").id
	next(t, other, "snapshot")
	s.server.CardShown("kiosk-1", card())
	identity := next(t, kiosk, "input").data["identity"]
	s.server.Unreadable("kiosk-1", device.CardUnreadable)
	e := next(t, kiosk, "input")
	if e.data["kind"] != "unreadable" || e.data["code"] != "card_unreadable" || e.data["identity"] != nil || e.id != "" ||
		e.data["detail"] != "没有读到证件。请把身份证平放在读卡区，停留 2 秒。" {
		t.Errorf("%+v", e)
	}
	s.server.Unreadable("kiosk-2", device.ScanTooLong)
	if e := <-other; e.name != "input" || e.data["code"] != "scan_too_long" {
		t.Errorf("another kiosk was told %+v", e)
	}
	clerk := s.browser() // a window that has a scanner is told, too, also without a stream
	clerk.signIn("w01", "window-1").want(t, 204, "")
	n := clerk.do("GET", "/api/v1/hall?as=window-1&input=", "").want(t, 200, "").at("input_n").(float64)
	s.server.Unreadable("window-1", device.ScanUnreadable)
	path := fmt.Sprintf("/api/v1/hall?as=window-1&after=%s&input=%.0f", seq, n)
	if r := clerk.do("GET", path, "").want(t, 200, ""); r.text("input", "code") != "scan_unreadable" || r.text("input", "detail") == "" {
		t.Errorf("the window was told %s", r.Raw)
	}
	if now := s.get(kioskToken, "/api/v1/hall").at("seq").(float64); strconv.Itoa(int(now)) != seq {
		t.Errorf("the log went from %s to %v", seq, now)
	}
	s.post(kioskToken, "/api/v1/tickets", map[string]any{"queue": "C", "channel": "kiosk", "identity": identity}).want(t, 201, "")
}

// A number that proves nothing, or that cannot be one, gives nobody an identity and leaves who was recognised alone.
func TestNumbersThatProveNothing(t *testing.T) {
	s := open(t)
	kiosk, cancel := s.listen(kioskToken, "", "")
	defer cancel()
	next(t, kiosk, "snapshot")
	s.server.CardShown("kiosk-1", card())
	known := next(t, kiosk, "input")
	s.server.Scanned(t.Context(), "kiosk-1", card().Number)
	if e := next(t, kiosk, "input"); e.data["kind"] != "idcard_no" || e.data["identity"] != nil {
		t.Errorf("a scanned number: %+v", e)
	}
	path := fmt.Sprintf("/api/v1/hall?after=0&input=%.0f", known.data["n"].(float64)-1)
	if r := s.get(kioskToken, path); r.text("input", "identity") != known.data["identity"] {
		t.Errorf("a page that comes late finds %s", r.Raw)
	}
}

func TestCardWithoutARightNumberIsUnreadable(t *testing.T) {
	for what, bad := range map[string]device.IDCard{
		"no number":               {Birth: card().Birth},
		"a wrong check character": {Number: device.NewSecret("991101199003070017")},
		"a short one":             {Number: device.NewSecret("99110119900307")},
		"too short for its kind":  {Kind: "foreigner_2017", Number: device.NewSecret("99110119900307")},
	} {
		t.Run(what, func(t *testing.T) {
			s := open(t)
			kiosk, cancel := s.listen(kioskToken, "", "")
			defer cancel()
			next(t, kiosk, "snapshot")
			s.server.CardShown("kiosk-1", bad)
			e := next(t, kiosk, "input")
			if e.data["kind"] != "unreadable" || e.data["code"] != "card_unreadable" || e.data["identity"] != nil || e.data["detail"] == "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestStreamEndsWithTheServer(t *testing.T) {
	s := open(t)
	events, cancel := s.listen(screenToken, "", "")
	defer cancel()
	next(t, events, "snapshot")
	s.stop()
	for range events { // closed by the server, or the test hangs and fails
	}
}

func TestStreamEndsWithTheSession(t *testing.T) {
	s := open(t)
	b := s.browser()
	b.signIn("w01", "window-1").want(t, 204, "")
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.base+"/api/v1/stream?as=window-1", nil)
	must(t, err)
	res, err := b.client.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatal("no stream")
	}
	b.do("POST", "/sign-out?as=window-1", "").want(t, 204, "")
	s.take("A")
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ticket.taken") {
			t.Fatal("told after signing out")
		}
	}
}

func TestABoardAndALog(t *testing.T) {
	s := open(t)
	for range 3 {
		s.take("A")
	}
	s.verb("1", "open", nil)
	s.verb("1", "call-next", nil)
	s.later(4 * time.Minute)
	s.verb("1", "finish", nil)
	s.verb("1", "call-next", nil)
	b := s.get(opsToken, "/api/v1/board").want(t, 200, "")
	if b.at("taken") != 3.0 || b.at("done") != 1.0 || b.at("waiting") != 1.0 || b.at("mean_serve_s") != 240.0 {
		t.Errorf("%s", b.Raw)
	}
	a := b.at("queues").([]any)[0].(map[string]any)
	if a["longest_s"].(float64) < 240 || a["open"] != 1.0 || a["done"] != 1.0 {
		t.Errorf("%v", a)
	}
	s.get(kioskToken, "/api/v1/board").want(t, 403, "not_allowed")
	s.get(kioskToken, "/api/v1/log").want(t, 403, "not_allowed")
	if l := s.get(opsToken, "/api/v1/log").want(t, 200, ""); l.at("lines") == nil {
		t.Errorf("%s", l.Raw)
	}
}

// What somebody wrote when he paused his window is for people of the hall; who looks after the machines sees that it rests.
func TestWordsAreForTheStaff(t *testing.T) {
	s := open(t)
	s.verb("1", "open", nil)
	s.verb("1", "pause", map[string]any{"reason": "陪张三去二楼"})
	for token, want := range map[string]string{staffToken: "陪张三去二楼", opsToken: ""} {
		b := s.get(token, "/api/v1/board").want(t, 200, "")
		w := b.at("windows").([]any)[0].(map[string]any)
		if w["state"] != "paused" || w["reason"] != want || want == "" && strings.Contains(string(b.Raw), "张三") {
			t.Errorf("%s", b.Raw)
		}
		for _, path := range []string{"/api/v1/hall", "/api/v1/devices", "/api/v1/log"} {
			if a := s.get(opsToken, path).want(t, 200, ""); strings.Contains(string(a.Raw), "张三") {
				t.Errorf("%s: %s", path, a.Raw)
			}
		}
	}
}

// A hall whose disk is full says so to everybody who asks, and is ready again by itself.
func TestFullDiskIsNotReady(t *testing.T) {
	s := open(t)
	s.quota = 1 << 20
	s.restart()
	s.get("", "/readyz").want(t, 200, "")
	var err error
	for n := 0; err == nil && n < 20000; n++ {
		_, err = s.hall.Do(t.Context(), queue.Take{Ticket: hallsync.TicketID(fmt.Sprint("t", n)), Queue: "A", Channel: hallsync.AtDesk})
	}
	if err == nil {
		t.Fatal("the disk never gets full")
	}
	if r := s.get("", "/readyz"); r.Status != 503 || r.text("status") != "storage_full" {
		t.Errorf("%d %s", r.Status, r.Raw)
	}
	s.do("POST", "/api/v1/tickets", kioskToken, "k1", `{"queue":"A","channel":"kiosk"}`).want(t, 503, "storage_full")
	s.get(staffToken, "/api/v1/hall").want(t, 200, "")
	s.quota = 0
	s.restart()
	s.get("", "/readyz").want(t, 200, "")
	s.do("POST", "/api/v1/tickets", kioskToken, "k1", `{"queue":"A","channel":"kiosk"}`).want(t, 201, "")
}

func TestReadyNeedsOnlyTheHall(t *testing.T) {
	s := open(t)
	for _, name := range []string{"kiosk-1.printer", "kiosk-1.idcard", "window-1.pad", "window-1.led"} {
		s.devices.set(name, "offline", "offline")
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		s.get("", path).want(t, 200, "")
	}
	day := ""
	s.hall.Read(func(st *queue.State, _ hallsync.Seq) { day = st.Day() })
	if day == "" {
		t.Error("ready without a business day")
	}
	m := s.get("", "/metrics")
	for _, want := range []string{`hall_queue_waiting{queue="A"} 0`, `hall_windows{state="closed"} 3`, `hall_device_ok{class="printer",device="kiosk-1.printer"} 0`, `hall_http_requests_total{route="GET /readyz",status="200"} 1`} {
		if m.Status != 200 || !strings.Contains(m.Raw, want) {
			t.Errorf("no %s in %s", want, m.Raw)
		}
	}
}

// card is an invented person's.
func card() device.IDCard {
	return device.IDCard{Number: device.NewSecret("991101199003070016"), Birth: device.NewSecret("19900307")}
}

// elder is another one's, who is old.
func elder() device.IDCard {
	return device.IDCard{Number: device.NewSecret("991101195003070018"), Birth: device.NewSecret("19500307")}
}
