package web_test

import (
	"bytes"
	"crypto/rand"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/codes"
	"halledge/drivers/device"
)

func (s *stage) scan(token, payload string) reply {
	s.t.Helper()
	return s.post(token, "/api/v1/scans", map[string]string{"payload": payload})
}

func TestScans(t *testing.T) {
	s := open(t)
	id := s.take("A")
	own := s.scan(kioskToken, s.signer.TicketURL(ticketID(id))).want(t, 200, "")
	wantKeys(t, "answer", own.body, "kind", "ticket", "actions")
	if own.text("kind") != "ticket" || own.text("ticket", "id") != id || len(own.at("actions").([]any)) != 2 {
		t.Errorf("%s", own.Raw)
	}
	person := s.scan(kioskToken, "YSS-SIM-0001").want(t, 200, "")
	if person.text("kind") != "yss_code" || person.text("identity") == "" || person.at("actions").([]any)[0] != "take" {
		t.Errorf("%s", person.Raw)
	}
	number := s.scan(kioskToken, "991101198811120021").want(t, 200, "")
	if number.text("kind") != "idcard_no" || number.at("identity") != nil {
		t.Errorf("%s", number.Raw)
	}
	unknown := s.scan(kioskToken, "hello").want(t, 422, "scan_unknown")
	if unknown.at("length") != 5.0 || unknown.text("symbology") != "unknown" || strings.Contains(unknown.Raw, "hello") {
		t.Errorf("%s", unknown.Raw)
	}
	s.scan(kioskToken, "YSS-SIM-EXPIRED").want(t, 422, "code_expired")
	s.scan(kioskToken, "YSS-SIM-OFFLINE").want(t, 503, "resolver_offline")
	s.scan(staffToken, "YSS-SIM-0001").want(t, 409, "code_used")
	s.scan(kioskToken, s.signer.TicketURL("01YESTERDAY")).want(t, 404, "unknown_ticket")
	s.scan(screenToken, "YSS-SIM-0002").want(t, 403, "not_allowed")
	s.scan(kioskToken, "").want(t, 400, "field_missing")
	s.post(kioskToken, "/api/v1/scans", nil).want(t, 400, "field_missing")
	s.post(kioskToken, "/api/v1/scans", `{"payload":"x","kind":"ticket"}`).want(t, 400, "field_unknown")
	s.do("POST", "/api/v1/scans", kioskToken, "", `{"payload":"x"}`).want(t, 400, "idempotency_key_missing")
}

func TestScansOfPictures(t *testing.T) {
	s := open(t)
	picture := func(m image.Image) []byte {
		var b bytes.Buffer
		must(t, png.Encode(&b, m))
		return b.Bytes()
	}
	qr := func(text string) []byte {
		m, err := codes.QR(text, 300)
		must(t, err)
		return picture(m)
	}
	post := func(body []byte, kind string) reply {
		return s.do("POST", "/api/v1/scans", kioskToken, rand.Text(), body, "Content-Type", kind)
	}
	id := s.take("A")
	for _, kind := range []string{"image/png", "application/octet-stream", ""} {
		r := post(qr(s.signer.TicketURL(ticketID(id))), kind).want(t, 200, "")
		if r.text("ticket", "id") != id {
			t.Errorf("%s: %s", kind, r.Raw)
		}
	}
	unknown := post(qr("some other code"), "image/png").want(t, 422, "scan_unknown")
	if unknown.at("length") != 15.0 || unknown.text("symbology") != "qr_code" {
		t.Errorf("%s", unknown.Raw)
	}
	post(picture(image.NewGray(image.Rect(0, 0, 120, 120))), "image/png").want(t, 422, "scan_unreadable")
	post([]byte("not a picture"), "image/jpeg").want(t, 422, "scan_unreadable")
	post(bytes.Repeat([]byte{0xff}, 9<<20), "image/png").want(t, 413, "body_too_large")
}

// A picture costs memory from its first byte on: of many that come at once few are taken in, and the others asked to come again.
func TestPicturesAreHeldFewAtATime(t *testing.T) {
	s := open(t)
	patient := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}} // sends no body before it is read
	t.Cleanup(patient.CloseIdleConnections)
	ends, answers := make([]*io.PipeWriter, 4), make(chan int, 4)
	for i := range ends {
		body, end := io.Pipe()
		ends[i] = end
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/api/v1/scans", body)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+kioskToken)
		req.Header.Set("Idempotency-Key", rand.Text())
		req.Header.Set("Expect", "100-continue")
		go func() {
			defer func() { _ = body.Close() }()
			res, err := patient.Do(req)
			if err != nil {
				answers <- 0
				return
			}
			_ = res.Body.Close()
			answers <- res.StatusCode
		}()
	}
	large := bytes.Repeat([]byte{0xff}, 100<<10)
	send := func() reply { return s.do("POST", "/api/v1/scans", kioskToken, rand.Text(), large) }
	for _, end := range ends {
		_, err := end.Write(large[:10<<10])
		must(t, err)
	}
	if r := send().want(t, 503, "overloaded"); r.Header.Get("Retry-After") == "" {
		t.Error("nobody says when to come again")
	}
	s.scan(kioskToken, "hello").want(t, 422, "scan_unknown") // a code that was read needs no room
	for _, end := range ends {
		must(t, end.Close())
		if status := <-answers; status != 422 {
			t.Errorf("a picture that came slowly: %d", status)
		}
	}
	send().want(t, 422, "scan_unreadable")
}

func TestAScanIsAnsweredOnce(t *testing.T) {
	s := open(t)
	body := `{"payload":"YSS-SIM-0001"}`
	first := s.do("POST", "/api/v1/scans", kioskToken, "k", body).want(t, 200, "")
	again := s.do("POST", "/api/v1/scans", kioskToken, "k", body).want(t, 200, "")
	if again.Raw != first.Raw || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%v %s", again.Header, again.Raw)
	}
	s.do("POST", "/api/v1/scans", kioskToken, "k", `{"payload":"YSS-SIM-0002"}`).want(t, 422, "idempotency_key_reused")
	unknown := s.do("POST", "/api/v1/scans", kioskToken, "u", `{"payload":"hello"}`).want(t, 422, "scan_unknown")
	if r := s.do("POST", "/api/v1/scans", kioskToken, "u", `{"payload":"hello"}`); r.Raw != unknown.Raw || r.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%v %s", r.Header, r.Raw)
	}
	s.do("POST", "/api/v1/scans", kioskToken, "off", `{"payload":"YSS-SIM-OFFLINE"}`).want(t, 503, "resolver_offline")
	if r := s.do("POST", "/api/v1/scans", kioskToken, "off", `{"payload":"YSS-SIM-OFFLINE"}`); r.Header.Get("Idempotency-Replayed") != "" {
		t.Error("a passing fault is remembered")
	}
	s.restart()
	if r := s.do("POST", "/api/v1/scans", kioskToken, "k", body).want(t, 200, ""); r.Raw != first.Raw {
		t.Errorf("after a crash: %s", r.Raw)
	}
}

func TestIdentityTakesOneTicket(t *testing.T) {
	s := open(t)
	take := func(token, identity, queue string) reply {
		return s.post(token, "/api/v1/tickets", map[string]string{"queue": queue, "channel": "kiosk", "identity": identity})
	}
	identity := s.scan(kioskToken, "YSS-SIM-0001").text("identity")
	take(staffToken, identity, "C").want(t, 422, "identity_unknown") // another place
	take(kioskToken, identity, "Z").want(t, 404, "unknown_queue")    // comes to nothing, the identity stays
	if r := take(kioskToken, identity, "C").want(t, 201, ""); r.text("ticket", "number") != "C001" {
		t.Errorf("%s", r.Raw)
	}
	take(kioskToken, identity, "C").want(t, 422, "identity_unknown")

	body := map[string]string{"queue": "C", "channel": "kiosk", "identity": s.scan(kioskToken, "YSH-SIM-0001").text("identity")}
	first := s.do("POST", "/api/v1/tickets", kioskToken, "once", body).want(t, 201, "")
	if again := s.do("POST", "/api/v1/tickets", kioskToken, "once", body).want(t, 201, ""); again.Raw != first.Raw {
		t.Errorf("%s", again.Raw)
	}
}

// No byte of what citizens show may reach the disk: neither plain nor in a digest one could guess.
func TestPayloadsDoNotReachTheDisk(t *testing.T) {
	s := open(t)
	const number = "991101199003070016"
	s.scan(kioskToken, number).want(t, 200, "")
	s.server.Scanned(t.Context(), "kiosk-1", device.NewSecret(number))
	s.stop()
	plain := []byte(number)
	sum := []byte(digestOf(`{"payload":"` + number + `"}`))
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	must(t, err)
	for _, f := range files {
		data, err := os.ReadFile(f)
		must(t, err)
		if bytes.Contains(data, plain) || bytes.Contains(data, sum) {
			t.Errorf("%s holds the number or its digest", filepath.Base(f))
		}
	}
	s.start()
}

func TestDevices(t *testing.T) {
	s := open(t)
	r := s.get(staffToken, "/api/v1/devices").want(t, 200, "")
	list := r.at("devices").([]any)
	if len(list) != 4 {
		t.Fatalf("%s", r.Raw)
	}
	ok := s.post(staffToken, "/api/v1/devices/kiosk-1.printer/test", nil).want(t, 200, "")
	if ok.text("device", "name") != "kiosk-1.printer" {
		t.Errorf("%s", ok.Raw)
	}
	s.post(opsToken, "/api/v1/devices/nothing/test", nil).want(t, 404, "unknown_device")
	s.post(kioskToken, "/api/v1/devices/kiosk-1.printer/test", nil).want(t, 403, "not_allowed")
	s.get(kioskToken, "/api/v1/devices").want(t, 403, "not_allowed")
	s.devices.fail["kiosk-1.printer"] = &device.Error{Op: "test", Code: device.CodePaperOut, Retry: true}
	s.devices.fail["window-1.pad"] = &device.Error{Op: "test", Code: device.CodeUnsupported}
	failed := s.do("POST", "/api/v1/devices/kiosk-1.printer/test", staffToken, "t", nil).want(t, http.StatusServiceUnavailable, "device_paper_out")
	if !strings.Contains(failed.text("advice")+failed.text("detail"), "纸") {
		t.Errorf("%s", failed.Raw)
	}
	delete(s.devices.fail, "kiosk-1.printer")
	s.do("POST", "/api/v1/devices/kiosk-1.printer/test", staffToken, "t", nil).want(t, 200, "") // a fault is not remembered
	s.post(staffToken, "/api/v1/devices/window-1.pad/test", nil).want(t, 409, "device_unsupported")
}
