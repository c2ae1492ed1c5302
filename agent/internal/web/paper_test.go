package web_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// withSpare gives kiosk 1 a second printer: one of its own, or the one a device's name says.
func withSpare(name string) func(*config.Site, *config.Plan) {
	return func(site *config.Site, plan *config.Plan) {
		site.Devices = append(site.Devices, config.Device{Name: name})
		if !strings.HasSuffix(name, ".spare") {
			plan.Kiosks[0].Spare = name
		}
	}
}

// slip says how the printing of a ticket's slip went.
func (s *stage) slip(id string, state hallsync.PrintState, device string, out hallsync.Outcome) {
	s.t.Helper()
	fact := hallsync.SlipChanged{Ticket: hallsync.TicketID(id), State: state, Device: device, Out: out}
	if state == hallsync.SlipFailed {
		fact.Code = "paper_out"
	}
	if _, err := s.hall.Do(context.Background(), queue.SlipProgress{SlipChanged: fact}); err != nil {
		s.t.Fatal(err)
	}
}

func TestTheServerKnowsWhichKiosksAreSilent(t *testing.T) {
	s := open(t)
	if got := s.server.Silent(); len(got) != 0 {
		t.Errorf("before any page was there: %v", got)
	}
	events, cancel := s.listen(kioskToken, "", "")
	next(t, events, "snapshot")
	if got := s.server.Silent(); len(got) != 0 {
		t.Errorf("while it is there: %v", got)
	}
	cancel()
	s.await("the kiosk to be missed", func() bool {
		since, gone := s.server.Silent()["kiosk-1"]
		return gone && time.Since(since) < time.Minute
	})
}

// A frozen page keeps its stream: only its questions tell.
func TestTheServerKnowsHowLongAPageIsQuiet(t *testing.T) {
	s := open(t)
	b := s.browser()
	quiet := func() (any, bool) {
		n, ok := s.get("", "/healthz?page=kiosk-1").want(t, 200, "").body["quiet_s"]
		return n, ok
	}
	s.get("", "/healthz?as=kiosk-1") // anybody may ask, without being the page
	if n, heard := quiet(); heard {
		t.Errorf("nobody was let in at the kiosk: %v", n)
	}
	b.do("GET", "/kiosk/1?token="+kioskToken, "")
	b.do("GET", "/healthz?as=kiosk-1", "")
	if n, heard := quiet(); !heard || n.(float64) > 30 {
		t.Errorf("%v %v", n, heard)
	}
}

// drain takes the signal that nobody waits for.
func (s *stage) drain() { <-s.devices.changed }

func TestAKioskKnowsItsPaper(t *testing.T) {
	s := open(t)
	for _, c := range []struct {
		state, code string
		blind       bool
		want        string
	}{
		{"ok", "", false, "ok"}, {"ok", "", true, "unknown"}, {"starting", "", false, "unknown"}, {"degraded", "paper_low", false, "low"},
		{"degraded", "paper_out", false, "out"}, {"degraded", "cover_open", false, "cover_open"}, {"degraded", "cutter", false, "fault"},
		{"offline", "timeout", false, "offline"}, {"unusable", "bad_config", false, "offline"},
	} {
		s.devices.mu.Lock()
		s.devices.list[0].Blind = c.blind
		s.devices.mu.Unlock()
		s.devices.set("kiosk-1.printer", c.state, c.code)
		s.drain()
		p := s.get(kioskToken, "/api/v1/hall?paper").at("paper")
		wantKeys(t, "paper", p, "state", "printer", "spare", "at")
		if got := p.(map[string]any); got["state"] != c.want || got["printer"] != "kiosk-1.printer" || got["spare"] != false {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if v := s.get(staffToken, "/api/v1/hall?paper"); v.at("paper") != nil {
		t.Errorf("a desk has paper: %s", v.Raw)
	}
	none := open(t, func(site *config.Site, _ *config.Plan) { site.Devices = site.Devices[1:] })
	if got := none.get(kioskToken, "/api/v1/hall?paper").text("paper", "state"); got != "none" {
		t.Errorf("without a printer: %s", got)
	}
}

func TestTheSparePrinterKeepsAKioskGoing(t *testing.T) {
	for name, at := range map[string]string{"kiosk-1.spare": "", "kiosk-2.printer": "2 号取号机", "desk-1.printer": "导办台"} {
		s := open(t, withSpare(name))
		if p := s.get(kioskToken, "/api/v1/hall?paper"); p.at("paper", "spare") != false || p.text("paper", "state") != "ok" {
			t.Errorf("%s is used without need: %s", name, p.Raw)
		}
		s.devices.set("kiosk-1.printer", "degraded", "paper_out")
		s.drain()
		v := s.get(kioskToken, "/api/v1/hall?paper")
		if v.at("paper", "spare") != true || v.text("paper", "printer") != name || v.text("paper", "at") != at || v.text("paper", "state") != "ok" {
			t.Errorf("%s: %s", name, v.Raw)
		}
		for _, c := range v.at("health").([]any) {
			if c.(map[string]any)["severity"] == "error" {
				t.Errorf("citizens are told of a trouble that is none: %v", c)
			}
		}
		s.devices.set(name, "offline", "offline")
		s.drain()
		v = s.get(kioskToken, "/api/v1/hall?paper")
		if v.at("paper", "spare") != false || v.text("paper", "state") != "out" {
			t.Errorf("both are out: %s", v.Raw)
		}
	}
}

func TestPaperIsToldLive(t *testing.T) {
	s := open(t)
	events, cancel := s.listen(kioskToken, "?paper", "")
	defer cancel()
	if first := next(t, events, "snapshot"); first.data["paper"].(map[string]any)["state"] != "ok" {
		t.Errorf("%v", first.data["paper"])
	}
	s.devices.set("kiosk-1.printer", "degraded", "paper_out")
	if told := next(t, events, "paper"); told.data["paper"].(map[string]any)["state"] != "out" {
		t.Errorf("%v", told.data)
	}
}

func TestASlipThatFailedIsExplained(t *testing.T) {
	s := open(t, withSpare("desk-1.printer"))
	id, unsure := s.take("A"), s.take("A")
	s.slip(id, hallsync.SlipFailed, "kiosk-1.printer", hallsync.OutNothing)
	s.slip(unsure, hallsync.SlipFailed, "desk-1.printer", hallsync.OutUnknown)
	got := s.get(kioskToken, "/api/v1/tickets/"+id)
	wantKeys(t, "T", got.at("ticket"), ticketKeys...)
	wantKeys(t, "slip", got.at("slip"), "code", "sure", "at", "left")
	if got.at("slip", "sure") != true || got.text("slip", "at") != "" || got.text("slip", "code") != "paper_out" || got.at("slip", "left") != nil {
		t.Errorf("%s", got.Raw)
	}
	got = s.get(kioskToken, "/api/v1/tickets/"+unsure)
	if got.at("slip", "sure") != false || got.text("slip", "at") != "导办台" || got.text("ticket", "print") != "failed" {
		t.Errorf("%s", got.Raw)
	}
	list := s.get(staffToken, "/api/v1/hall").at("slips").([]any)
	if len(list) != 2 {
		t.Fatalf("%v", list)
	}
	wantKeys(t, "slips", list[0], "ticket", "number", "queue", "place", "code", "sure")
	if first := list[0].(map[string]any); first["number"] != "A001" || first["place"] != "kiosk-1" || first["sure"] != true {
		t.Errorf("%v", first)
	}
	if v := s.get(screenToken, "/api/v1/hall"); v.at("slips") != nil {
		t.Errorf("a screen tells of slips: %s", v.Raw)
	}
}

func TestAKioskReprintsSeldom(t *testing.T) {
	s := open(t, func(_ *config.Site, plan *config.Plan) { plan.Rules.Reprints = 1 })
	id := s.take("A")
	again := "/api/v1/tickets/" + id + "/reprint"
	s.slip(id, hallsync.SlipPrinted, "kiosk-1.printer", "")
	soon := s.post(kioskToken, again, nil).want(t, 409, "slip_just_printed")
	if !strings.Contains(soon.text("advice")+soon.text("detail"), "秒") {
		t.Errorf("%s", soon.Raw)
	}
	s.later(time.Minute)
	if left := s.get(kioskToken, "/api/v1/tickets/"+id).at("slip", "left"); left != 1.0 {
		t.Errorf("left %v", left)
	}
	s.post(kioskToken, again, nil).want(t, 200, "")
	s.slip(id, hallsync.SlipPrinted, "kiosk-1.printer", "")
	s.later(time.Minute)
	no := s.post(kioskToken, again, nil).want(t, 409, "reprint_limit")
	if !strings.Contains(no.text("detail"), "用完") {
		t.Errorf("%s", no.Raw)
	}
	s.post(staffToken, again, nil).want(t, 200, "")
	s.slip(id, hallsync.SlipPrinted, "kiosk-1.printer", "")
	s.post(kioskToken, "/api/v1/tickets/"+id+"/withdraw", nil).want(t, 200, "")
	s.post(staffToken, again, nil).want(t, 409, "ticket_state")
}
