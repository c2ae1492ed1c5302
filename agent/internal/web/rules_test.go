package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// monday is a working day to come: the stage's clock only goes forward.
func monday(hour, minute int) time.Time {
	return time.Date(2035, 3, 5, hour, minute, 0, 0, time.FixedZone("CST", 8*3600))
}

// office gives a stage on a Monday at nine whose queue A has office hours.
func office(t *testing.T) *stage {
	s := open(t, func(_ *config.Site, p *config.Plan) {
		p.Queues[0].Admission = config.Admission{Hours: []string{"mon-fri 08:30-12:00"}, Quota: 3}
	})
	s.later(monday(9, 0).Sub(s.now()))
	return s
}

func TestQueuesGiveNumbersInTheirHours(t *testing.T) {
	s := office(t)
	see := func() reply { return s.get(kioskToken, "/api/v1/hall?gives").want(t, 200, "") }
	if r := see(); r.at("gives", "A", "open") != true || r.at("gives", "A", "left") != 3.0 || r.text("gives", "A", "closes") != "2035-03-05T12:00:00+08:00" ||
		r.at("gives", "B", "open") != true || r.at("gives", "B", "left") != nil {
		t.Errorf("%s", r.Raw)
	}
	if r := s.get(kioskToken, "/api/v1/hall").want(t, 200, ""); r.at("gives") != nil {
		t.Errorf("who does not ask is told: %s", r.Raw)
	}
	s.later(23 * time.Hour)
	if r := see(); r.at("gives", "A", "open") != false || r.text("gives", "A", "reason") != "queue_closed" || r.text("gives", "A", "opens") != "2035-03-06T08:30:00+08:00" {
		t.Errorf("%s", r.Raw)
	}
	take := map[string]string{"queue": "A", "channel": "kiosk"}
	if r := s.post(kioskToken, "/api/v1/tickets", take).want(t, 409, "queue_closed"); r.text("opens") != "2035-03-06T08:30:00+08:00" {
		t.Errorf("%s", r.Raw)
	}
	mine := s.post(kioskToken, "/api/v1/tickets", take).want(t, 409, "queue_closed")
	theirs := s.post(staffToken, "/api/v1/tickets", take).want(t, 409, "queue_closed")
	if mine.text("detail") == theirs.text("detail") || mine.text("staff") != theirs.text("detail") || !strings.Contains(theirs.text("detail"), "写明原因") {
		t.Errorf("the citizen reads %s, staff %s", mine.Raw, theirs.Raw)
	}
	take["override"] = "主管同意"
	s.post(kioskToken, "/api/v1/tickets", take).want(t, 403, "not_allowed")
	take["channel"] = "desk"
	s.post(staffToken, "/api/v1/tickets", take).want(t, 201, "")
}

func TestTheStreamTellsWhenAQueueOpens(t *testing.T) {
	s := office(t)
	events, stop := s.listen(kioskToken, "?gives=1", "")
	defer stop()
	next(t, events, "snapshot")
	s.later(4 * time.Hour)                // nothing happens but that it is noon
	s.server.CardShown("kiosk-1", card()) // wakes the reader, as its clock does now and then
	e := reply{body: next(t, events, "gives").data}
	if e.at("gives", "A", "open") != false || e.text("gives", "A", "reason") != "queue_closed" || e.at("gives", "B", "open") != true {
		t.Errorf("%v", e.body)
	}
}

// shown gives the token of somebody whose card was just read at kiosk 1.
func (s *stage) shown(t *testing.T) reply {
	t.Helper()
	return s.get(kioskToken, "/api/v1/hall?input=0&wait=5").want(t, 200, "")
}

func TestACardGivesOneNumberPerQueue(t *testing.T) {
	s := open(t)
	s.server.CardShown("kiosk-1", card())
	take := func(identity string) map[string]string {
		return map[string]string{"queue": "A", "channel": "kiosk", "identity": identity}
	}
	first := s.post(kioskToken, "/api/v1/tickets", take(s.shown(t).text("input", "identity"))).want(t, 201, "")
	s.server.CardShown("kiosk-1", card())
	again := s.shown(t)
	if waiting, _ := again.at("input", "waiting").([]any); len(waiting) != 1 || waiting[0] != first.text("ticket", "id") {
		t.Errorf("the page is not told: %s", again.Raw)
	}
	if r := s.post(kioskToken, "/api/v1/tickets", take(again.text("input", "identity"))).want(t, 409, "already_waiting"); r.text("ticket") != first.text("ticket", "id") {
		t.Errorf("%s", r.Raw)
	}
	s.server.CardShown("kiosk-1", elder())
	if r := s.post(kioskToken, "/api/v1/tickets", take(s.shown(t).text("input", "identity"))).want(t, 201, ""); r.text("ticket", "class") != "elder" {
		t.Errorf("an elder's class: %s", r.Raw)
	}
}

func TestCheckInForAnAppointment(t *testing.T) {
	s := office(t)
	s.server.CardShown("kiosk-1", card())
	begin := monday(9, 10)
	set := hallsync.BookingSet{Booking: "AP1", Queue: "A", Start: begin, End: begin.Add(30 * time.Minute), Person: s.signer.Names(card().Number)[0]}
	if _, err := s.hall.Do(t.Context(), queue.SetBooking{BookingSet: set}); err != nil {
		t.Fatal(err)
	}
	s.server.CardShown("kiosk-1", card())
	r := s.shown(t)
	bookings, _ := r.at("input", "bookings").([]any)
	if len(bookings) != 1 {
		t.Fatalf("%s", r.Raw)
	}
	body := map[string]string{"channel": "kiosk", "identity": r.text("input", "identity"), "booking": "AP1"}
	if r := s.post(kioskToken, "/api/v1/tickets", body).want(t, 201, ""); r.text("ticket", "queue") != "A" || r.text("ticket", "class") != "appointment" {
		t.Errorf("%s", r.Raw)
	}
	s.post(kioskToken, "/api/v1/tickets", map[string]string{"channel": "kiosk", "booking": "AP1"}).want(t, 409, "booking_used")
	s.post(kioskToken, "/api/v1/tickets", map[string]string{"channel": "kiosk", "booking": "AP9"}).want(t, 404, "booking_unknown")
}

func TestTheDirectorSetsDutiesRollAndTime(t *testing.T) {
	s := open(t)
	s.verb("2", "open", nil).want(t, 200, "")
	until := s.now().Add(time.Hour).Format(time.RFC3339)
	s.post(kioskToken, "/api/v1/windows/2/duty", map[string]string{"queue": "C", "until": until}).want(t, 403, "not_allowed")
	s.post(staffToken, "/api/v1/windows/2/duty", map[string]string{"queue": "Z", "until": until}).want(t, 404, "unknown_queue")
	s.post(staffToken, "/api/v1/windows/2/duty", map[string]string{"queue": "A"}).want(t, 400, "field_missing")
	s.post(staffToken, "/api/v1/windows/2/duty", map[string]string{"queue": "A", "until": until}).want(t, 200, "")
	if r := s.post(staffToken, "/api/v1/roll", map[string]any{"queue": "A", "on": true, "next": 5}).want(t, 200, ""); r.at("next") != 5.0 {
		t.Errorf("%s", r.Raw)
	}
	if r := s.verb("2", "call-next", nil).want(t, 200, ""); r.text("ticket", "number") != "AR005" {
		t.Errorf("%s", r.Raw)
	}
	s.post(staffToken, "/api/v1/roll", map[string]any{"queue": "A", "on": true, "next": -1}).want(t, 400, "field_type")
	s.post(staffToken, "/api/v1/clock", map[string]string{"time": "1999-01-01T00:00:00+08:00"}).want(t, 400, "field_type")
	s.post(staffToken, "/api/v1/clock", map[string]string{"time": s.now().Format(time.RFC3339Nano)}).want(t, 200, "")
}

// What somebody says about the time holds for the clocks of the pages, and for appointments.
func TestPagesShowTheHallsTime(t *testing.T) {
	s := open(t)
	told := s.now().Add(3 * time.Hour)
	s.post(staffToken, "/api/v1/clock", map[string]any{"time": told.Format(time.RFC3339Nano), "sure": true}).want(t, 200, "")
	shown, err := http.ParseTime(s.get(staffToken, "/healthz").want(t, 200, "").Header.Get("Date"))
	if err != nil || shown.Sub(told) < -time.Second || shown.Sub(told) > time.Minute {
		t.Errorf("it is %s, pages show %s %v", told, shown, err)
	}
	over := map[string]any{"queue": "A", "start": told.Add(-time.Hour), "end": told.Add(-30 * time.Minute)}
	s.post(staffToken, "/api/v1/bookings", over).want(t, 422, "booking_invalid")
}

func TestAnEditIsBoundedAndLeavesAManager(t *testing.T) {
	s := open(t)
	plan := func() map[string]any { return s.get(staffToken, "/api/v1/plan").want(t, 200, "").body }
	member := func(id, role, pin string) map[string]any {
		return map[string]any{"id": id, "name": "测试", "role": role, "windows": []string{}, "pin": pin}
	}
	edit := plan()
	edit["staff"] = []any{member("m01", "clerk", "")}
	s.post(staffToken, "/api/v1/plan", edit).want(t, 422, "plan_no_manager")
	many := []any{member("m01", "manager", "")}
	for i := range 21 {
		many = append(many, member(fmt.Sprintf("w%02d", i+10), "clerk", "4321"))
	}
	edit["staff"] = many
	s.post(staffToken, "/api/v1/plan", edit).want(t, 422, "pins_too_many")
	edit["staff"] = []any{member("m01", "manager", "43a1")}
	s.post(staffToken, "/api/v1/plan", edit).want(t, 422, "pin_form")
}
