package web_test

import (
	"testing"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// The guide stands at the desk that has devices: what is shown to its reader comes to the guide's page, and what it recognises gives a
// number there.
func TestACardAtTheDeskIsTheGuides(t *testing.T) {
	s := open(t, func(site *config.Site, _ *config.Plan) {
		site.Devices = append(site.Devices, config.Device{Name: "desk-1.idcard"}, config.Device{Name: "desk-1.printer"})
	})
	s.server.CardShown("desk-1", elder())
	shown := s.get(staffToken, "/api/v1/hall?input=0").want(t, 200, "")
	if shown.text("input", "kind") != "idcard" {
		t.Fatalf("%s", shown.Raw)
	}
	take := map[string]any{"queue": "A", "channel": "desk", "identity": shown.text("input", "identity")}
	got := s.post(staffToken, "/api/v1/tickets", take).want(t, 201, "")
	if got.text("ticket", "class") != "elder" || got.text("ticket", "print") != "pending" {
		t.Errorf("%s", got.Raw)
	}
	s.server.CardShown("kiosk-1", card())
	elsewhere := s.shown(t).text("input", "identity")
	s.post(staffToken, "/api/v1/tickets", map[string]any{"queue": "A", "channel": "desk", "identity": elsewhere}).want(t, 422, "identity_unknown")
}

// A slip that somebody misses at a kiosk comes out at the desk, where that one stands now.
func TestTheGuideReprintsAtTheDesk(t *testing.T) {
	s := open(t, func(site *config.Site, _ *config.Plan) {
		site.Devices = append(site.Devices, config.Device{Name: "desk-1.printer"})
	})
	id := s.take("A")
	s.slip(id, hallsync.SlipFailed, "kiosk-1.printer", hallsync.OutNothing)
	b := s.browser()
	b.signIn("m01", "desk").want(t, 204, "")
	b.do("POST", "/api/v1/tickets/"+id+"/reprint?as=desk", "", "Idempotency-Key", "again").want(t, 200, "")
	printer := ""
	s.hall.Read(func(st *queue.State, _ hallsync.Seq) {
		k, _ := st.Ticket(hallsync.TicketID(id))
		printer = k.Printer
	})
	if printer != "desk-1" {
		t.Errorf("printed at %q", printer)
	}
}
