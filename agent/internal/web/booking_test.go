package web_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/queue"
	"halledge/firmware-protocols/hallsync"
)

// idNumber is of the person of card.
const idNumber = "991101199003070016"

func TestStaffMakeAppointmentsAtTheHall(t *testing.T) {
	s := office(t)
	begin := monday(9, 10)
	body := map[string]any{"queue": "A", "start": begin, "end": begin.Add(30 * time.Minute), "id_number": idNumber}
	s.post(kioskToken, "/api/v1/bookings", body).want(t, 403, "not_allowed")
	made := s.post(staffToken, "/api/v1/bookings", body).want(t, 201, "")
	wantKeys(t, "booking", made.at("booking"), "booking", "queue", "start", "end", "state")
	id := made.text("booking", "booking")
	if id == "" || made.text("booking", "state") != "booked" || strings.Contains(made.Raw, idNumber) {
		t.Errorf("%s", made.Raw)
	}
	s.server.CardShown("kiosk-1", card())
	shown := s.shown(t)
	if bookings, _ := shown.at("input", "bookings").([]any); len(bookings) != 1 || bookings[0].(map[string]any)["booking"] != id {
		t.Fatalf("the card does not find it: %s", shown.Raw)
	}
	body["booking"], body["start"] = id, begin.Add(10*time.Minute)
	if moved := s.post(staffToken, "/api/v1/bookings", body).want(t, 201, ""); moved.text("booking", "booking") != id || moved.text("booking", "start") == made.text("booking", "start") {
		t.Errorf("%s", moved.Raw)
	}
	if gone := s.post(staffToken, "/api/v1/bookings/"+id+"/cancel", nil).want(t, 200, ""); gone.text("booking", "state") != "cancelled" {
		t.Errorf("%s", gone.Raw)
	}
	s.post(kioskToken, "/api/v1/tickets", map[string]string{"channel": "kiosk", "booking": id}).want(t, 409, "booking_used")

	nobody := map[string]any{"booking": "AP7", "queue": "A", "start": begin, "end": begin.Add(30 * time.Minute)}
	s.post(staffToken, "/api/v1/bookings", nobody).want(t, 201, "")
	s.post(kioskToken, "/api/v1/tickets", map[string]string{"channel": "kiosk", "booking": "AP7"}).want(t, 201, "")
	s.post(staffToken, "/api/v1/bookings/AP7/cancel", nil).want(t, 409, "booking_used")
	s.post(staffToken, "/api/v1/bookings/AP8/cancel", nil).want(t, 404, "booking_unknown")
}

func TestStaffSeeTheAppointmentsOfADay(t *testing.T) {
	s := office(t)
	begin := monday(9, 10)
	for id, start := range map[string]time.Time{"AP2": begin.Add(time.Hour), "AP1": begin, "AP3": begin.AddDate(0, 0, 1)} {
		body := map[string]any{"booking": id, "queue": "A", "start": start, "end": start.Add(30 * time.Minute)}
		if id == "AP1" {
			body["id_number"] = idNumber
		}
		s.post(staffToken, "/api/v1/bookings", body).want(t, 201, "")
	}
	s.get(kioskToken, "/api/v1/bookings").want(t, 403, "not_allowed")
	s.get(opsToken, "/api/v1/bookings").want(t, 403, "not_allowed")
	s.get(staffToken, "/api/v1/bookings?day=5.3.2035").want(t, 400, "field_type")
	of := func(path string, ids ...string) (items []reply) {
		t.Helper()
		r := s.get(staffToken, path).want(t, 200, "")
		list, _ := r.at("items").([]any)
		if len(list) != len(ids) || r.at("total") != float64(len(ids)) {
			t.Fatalf("%s: %s, want %v", path, r.Raw, ids)
		}
		for i, id := range ids {
			items = append(items, reply{body: list[i].(map[string]any)})
			if items[i].text("booking") != id {
				t.Errorf("%s: %s, want %v", path, r.Raw, ids)
			}
		}
		return items
	}
	first := of("/api/v1/bookings", "AP1", "AP2")[0]
	wantKeys(t, "listed", first.body, "booking", "queue", "start", "end", "state", "from", "until", "known", "ticket")
	if first.at("known") != true || first.at("ticket") != nil || first.text("from") != "2035-03-05T08:55:00+08:00" || first.text("until") != "2035-03-05T09:55:00+08:00" {
		t.Errorf("%v", first.body)
	}
	of("/api/v1/bookings?day=2035-03-06", "AP3")
	of("/api/v1/bookings?day=2035-03-07")
	s.post(staffToken, "/api/v1/tickets", map[string]string{"channel": "desk", "booking": "AP1"}).want(t, 201, "")
	s.post(staffToken, "/api/v1/bookings/AP2/cancel", nil).want(t, 200, "")
	both := of("/api/v1/bookings", "AP1", "AP2")
	if both[0].text("state") != "arrived" || both[0].text("ticket", "number") != "A001" || both[1].text("state") != "cancelled" {
		t.Errorf("%v", both)
	}
}

func TestBlocksAreListedAndEnded(t *testing.T) {
	s := open(t)
	until := s.now().AddDate(0, 1, 0)
	s.post(staffToken, "/api/v1/blocks", map[string]any{"id_number": idNumber, "until": until, "reason": "三次预约未到"}).want(t, 200, "")
	for _, token := range []string{kioskToken, screenToken, opsToken} {
		s.get(token, "/api/v1/blocks").want(t, 403, "not_allowed")
	}
	r := s.get(staffToken, "/api/v1/blocks").want(t, 200, "")
	list, _ := r.at("items").([]any)
	if len(list) != 1 || r.at("total") != 1.0 || strings.Contains(r.Raw, idNumber) {
		t.Fatalf("%s", r.Raw)
	}
	one := reply{body: list[0].(map[string]any)}
	wantKeys(t, "block", one.body, "person", "until", "everywhere", "reason", "staff")
	if one.text("reason") != "三次预约未到" || one.at("everywhere") != false {
		t.Errorf("%s", r.Raw)
	}
	lift := map[string]any{"person": one.text("person"), "until": s.now(), "reason": "申诉成立"}
	s.post(staffToken, "/api/v1/blocks", lift).want(t, 200, "")
	if r := s.get(staffToken, "/api/v1/blocks").want(t, 200, ""); r.at("total") != 0.0 {
		t.Errorf("%s", r.Raw)
	}
	s.post(staffToken, "/api/v1/blocks", map[string]any{"person": one.text("person"), "until": until, "reason": "x"}).want(t, 422, "person_required")
}

func TestAppointmentsThatCannotBeAreRefused(t *testing.T) {
	s := office(t)
	begin := monday(9, 10)
	with := func(member string, value any) map[string]any {
		body := map[string]any{"queue": "A", "start": begin, "end": begin.Add(30 * time.Minute), "id_number": idNumber}
		body[member] = value
		return body
	}
	for _, c := range []struct {
		member string
		value  any
		status int
		code   string
	}{
		{"queue", "Z", 404, "unknown_queue"}, {"end", begin, 422, "booking_invalid"}, {"end", begin.AddDate(0, 0, -1), 422, "booking_invalid"},
		{"start", begin.AddDate(2, 0, 0), 422, "booking_invalid"}, {"id_number", idNumber[:17] + "0", 422, "id_number_invalid"},
		{"id_number", "测试甲", 422, "id_number_invalid"}, {"booking", strings.Repeat("x", 65), 400, "field_too_long"}, {"name", "测试甲", 400, "field_unknown"},
	} {
		s.post(staffToken, "/api/v1/bookings", with(c.member, c.value)).want(t, c.status, c.code)
	}
	s.hall.Read(func(st *queue.State, _ hallsync.Seq) {
		if all := st.Bookings(); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}

func TestABlockedPersonStillGetsNumbersAtTheHall(t *testing.T) {
	s := open(t)
	until := s.now().AddDate(0, 1, 0)
	body := map[string]any{"id_number": idNumber, "until": until, "reason": "三次预约未到"}
	s.post(kioskToken, "/api/v1/blocks", body).want(t, 403, "not_allowed")
	s.post(staffToken, "/api/v1/blocks", map[string]any{"id_number": idNumber, "until": until}).want(t, 422, "reason_required")
	s.post(staffToken, "/api/v1/blocks", map[string]any{"id_number": "1", "until": until, "reason": "x"}).want(t, 422, "id_number_invalid")
	if r := s.post(staffToken, "/api/v1/blocks", body).want(t, 200, ""); r.at("everywhere") != false || strings.Contains(r.Raw, idNumber) {
		t.Errorf("%s", r.Raw)
	}
	take := func(queue string, status int, code string) {
		t.Helper()
		s.server.CardShown("kiosk-1", card())
		identity := s.shown(t).text("input", "identity")
		s.post(kioskToken, "/api/v1/tickets", map[string]string{"queue": queue, "channel": "kiosk", "identity": identity}).want(t, status, code)
	}
	take("A", 201, "")
	body["everywhere"] = true
	s.post(staffToken, "/api/v1/blocks", body).want(t, 200, "")
	take("B", 409, "person_blocked")
	body["until"] = s.now().Add(-time.Second)
	s.post(staffToken, "/api/v1/blocks", body).want(t, 200, "")
	take("B", 201, "")
	s.stop()
	err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), idNumber) {
			t.Errorf("the identity number stands in %s", path)
		}
		return err
	})
	must(t, err)
}

// Who stands at a kiosk has the class that his card gives, whatever the machine asks for.
func TestAKioskGivesNoClassOfItsOwn(t *testing.T) {
	s := open(t)
	ask := func(class, identity string) map[string]string {
		body := map[string]string{"queue": "A", "channel": "kiosk", "class": class}
		if identity != "" {
			body["identity"] = identity
		}
		return body
	}
	for _, class := range []string{"elder", "priority", "appointment"} {
		s.post(kioskToken, "/api/v1/tickets", ask(class, "")).want(t, 403, "not_allowed")
	}
	s.post(kioskToken, "/api/v1/tickets", ask("king", "")).want(t, 422, "class_invalid")
	s.post(kioskToken, "/api/v1/tickets", ask("normal", "")).want(t, 201, "")
	s.server.CardShown("kiosk-1", elder())
	identity := s.shown(t).text("input", "identity")
	s.post(kioskToken, "/api/v1/tickets", ask("priority", identity)).want(t, 403, "not_allowed")
	if r := s.post(kioskToken, "/api/v1/tickets", ask("elder", identity)).want(t, 201, ""); r.text("ticket", "class") != "elder" {
		t.Errorf("%s", r.Raw)
	}
	s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk", "class": "priority"}).want(t, 422, "reason_required")
	s.post(staffToken, "/api/v1/tickets", map[string]string{"queue": "A", "channel": "desk", "class": "priority", "reason": "烈士家属"}).want(t, 201, "")
}
