package web_test

import (
	"strconv"
	"testing"
	"time"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/queue"
	"halledge/agent/internal/web"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

// book puts an appointment of now into the hall.
func (s *stage) book(id hallsync.BookingID, q hallsync.QueueID, person string) {
	s.t.Helper()
	start := s.now().Truncate(time.Minute)
	_, err := s.hall.Do(s.t.Context(), queue.SetBooking{BookingSet: hallsync.BookingSet{
		Booking: id, Queue: q, Person: person, Start: start, End: start.Add(30 * time.Minute),
	}})
	must(s.t, err)
}

// openWithBookings opens a stage that knows the numbers of appointments.
func openWithBookings(t *testing.T) *stage {
	t.Helper()
	s := open(t)
	s.stop()
	s.build = func(d web.Deps) (*web.Server, error) {
		rules := func() []codes.Rule {
			return append([]codes.Rule{{Kind: codes.KindAppointment, Prefix: "AP"}}, codes.SimRules()...)
		}
		d.Codes = codes.New(codes.Options{Signer: s.signer, Rules: rules, Resolver: codes.Sim{}, Log: d.Log})
		return web.New(d)
	}
	s.start()
	return s
}

func TestAnAppointmentIsFoundByItsCodeAndCheckedIn(t *testing.T) {
	s := openWithBookings(t)
	s.book("AP20260108000045", "A", "")
	found := s.scan(kioskToken, "AP20260108000045").want(t, 200, "")
	if found.text("kind") != "appointment" || found.text("appointment", "booking") != "AP20260108000045" || found.text("appointment", "state") != "booked" ||
		found.text("appointment", "queue") != "A" || found.at("actions").([]any)[0] != "check_in" || found.at("identity") != nil {
		t.Errorf("%s", found.Raw)
	}
	took := s.post(kioskToken, "/api/v1/tickets", map[string]string{"booking": found.text("appointment", "booking"), "channel": "kiosk"}).want(t, 201, "")
	if took.text("ticket", "class") != "appointment" || took.text("ticket", "queue") != "A" {
		t.Errorf("%s", took.Raw)
	}
	again := s.scan(staffToken, "AP20260108000045").want(t, 200, "")
	if again.text("ticket", "id") != took.text("ticket", "id") || again.text("appointment", "state") != string(hallsync.BookingArrived) {
		t.Errorf("%s", again.Raw)
	}
	s.scan(kioskToken, "AP20260108000046").want(t, 404, "booking_unknown")
}

// The page at a scanner learns of an appointment, and of a code that nobody can be asked about what its holder may do meanwhile.
func TestTheScannersPageLearnsWhatCanBeDone(t *testing.T) {
	s := openWithBookings(t)
	s.book("AP20260108000045", "A", "")
	s.server.Scanned(t.Context(), "kiosk-1", device.NewSecret("AP20260108000045"))
	r := s.shown(t)
	if list, _ := r.at("input", "bookings").([]any); r.text("input", "kind") != "appointment" || len(list) != 1 || r.at("input", "identity") != nil {
		t.Errorf("%s", r.Raw)
	}
	s.restart()
	s.server.Scanned(t.Context(), "kiosk-1", device.NewSecret("YSS-SIM-OFFLINE-1"))
	r = s.shown(t)
	if r.text("input", "kind") != "refused" || r.text("input", "code") != "resolver_offline" || len(r.at("input", "actions").([]any)) != 2 {
		t.Errorf("%s", r.Raw)
	}
	take := map[string]string{"queue": "A", "channel": "kiosk", "identity": r.text("input", "identity")}
	took := s.post(kioskToken, "/api/v1/tickets", take).want(t, 201, "")
	s.server.Scanned(t.Context(), "kiosk-1", device.NewSecret("YSS-SIM-OFFLINE-1"))
	r = s.get(kioskToken, "/api/v1/hall?input="+numberOf(r)+"&wait=5").want(t, 200, "")
	if r.text("input", "kind") != "ticket" || r.text("input", "ticket") != took.text("ticket", "id") {
		t.Errorf("%s", r.Raw)
	}
	if w := s.scan(staffToken, "91650400761136527G").want(t, 422, "code_uscc"); w.at("identity") != nil {
		t.Errorf("%s", w.Raw)
	}
}

// numberOf is the number of an answer's input event, as a page sends it back.
func numberOf(r reply) string {
	n, _ := r.at("input", "n").(float64)
	return strconv.FormatFloat(n, 'f', 0, 64)
}

// Of two identities of one code only one leads to a ticket, however they are used.
func TestThreat13OneCodeOneTicket(t *testing.T) {
	s := open(t)
	first := s.scan(kioskToken, "YSS-SIM-1").text("identity")
	second := s.scan(kioskToken, "YSS-SIM-1").text("identity")
	if first == "" || second == "" || first == second {
		t.Fatalf("%q %q", first, second)
	}
	take := func(identity, queue string) reply {
		return s.post(kioskToken, "/api/v1/tickets", map[string]string{"queue": queue, "channel": "kiosk", "identity": identity})
	}
	took := take(second, "A").want(t, 201, "")
	take(first, "C").want(t, 422, "identity_unknown")
	if r := s.scan(kioskToken, "YSS-SIM-1").want(t, 200, ""); r.text("ticket", "id") != took.text("ticket", "id") || r.at("identity") != nil {
		t.Errorf("%s", r.Raw)
	}
}
