package web_test

import (
	"bytes"
	"crypto/rand"
	"image"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"halledge/agent/internal/codes"
	"halledge/agent/internal/config"
)

// openWithCamera opens a stage whose first kiosk has a camera in its browser.
func openWithCamera(t *testing.T) *stage {
	return open(t, func(_ *config.Site, plan *config.Plan) { plan.Kiosks[0].Camera = "page" })
}

// seen is what a camera makes of a code, or of nothing where it is empty.
func seen(t *testing.T, code string) []byte {
	t.Helper()
	var m image.Image = image.NewGray(image.Rect(0, 0, 720, 720))
	if code != "" {
		var err error
		m, err = codes.QR(code, 400)
		must(t, err)
	}
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, m, nil))
	return b.Bytes()
}

func (s *stage) picture(token, key string, body []byte) reply {
	s.t.Helper()
	return s.do("POST", "/api/v1/pictures", token, key, body, "Content-Type", "image/jpeg")
}

// A code before the camera of a kiosk's page reaches the page as one of a scanner does, once.
func TestPicturesOfAKiosk(t *testing.T) {
	s := openWithCamera(t)
	for range 2 { // nothing is kept of what has no effect
		if r := s.picture(kioskToken, "empty", seen(t, "")).want(t, 200, ""); r.at("read") != false || r.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%v %s", r.Header, r.Raw)
		}
	}
	code := seen(t, "YSS-SIM-0001")
	if r := s.picture(kioskToken, "code", code).want(t, 200, ""); r.at("read") != true || len(r.body) != 1 {
		t.Errorf("%s", r.Raw)
	}
	r := s.shown(t)
	if r.text("input", "kind") != "yss_code" || r.text("input", "identity") == "" {
		t.Fatalf("%s", r.Raw)
	}
	s.picture(kioskToken, "code", code).want(t, 200, "")
	if n := numberOf(s.shown(t)); n != numberOf(r) {
		t.Error("one picture was told twice")
	}
	take := map[string]string{"queue": "C", "channel": "kiosk", "identity": r.text("input", "identity")}
	s.post(kioskToken, "/api/v1/tickets", take).want(t, 201, "")
	s.stop()
	defer s.start()
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	must(t, err)
	for _, f := range files {
		data, err := os.ReadFile(f)
		must(t, err)
		if bytes.Contains(data, code[len(code)/2:]) || bytes.Contains(data, []byte(digestOf(string(code)))) {
			t.Errorf("%s holds the picture or its digest", filepath.Base(f))
		}
	}
}

func TestPicturesAreForKiosksWithACamera(t *testing.T) {
	s := openWithCamera(t)
	picture := seen(t, "YSS-SIM-0002")
	for name, token := range map[string]string{"screen": screenToken, "staff": staffToken, "ops": opsToken} {
		if r := s.picture(token, rand.Text(), picture); r.Status != 403 || r.text("code") != "not_allowed" {
			t.Errorf("%s: %d %s", name, r.Status, r.Raw)
		}
	}
	s.do("POST", "/api/v1/pictures", "", "k", picture).want(t, 401, "sign_in")
	s.do("POST", "/api/v1/pictures", kioskToken, "", picture).want(t, 400, "idempotency_key_missing")
	s.picture(kioskToken, "large", bytes.Repeat([]byte{0xff}, 600<<10)).want(t, 413, "body_too_large")
	open(t).picture(kioskToken, "none", picture).want(t, 403, "not_allowed")
}

func TestTooManyPicturesAreRefused(t *testing.T) {
	s := openWithCamera(t)
	s.await("too many pictures", func() bool {
		r := s.picture(kioskToken, rand.Text(), []byte("no picture"))
		return r.Status == http.StatusTooManyRequests && r.text("code") == "overloaded" && r.Header.Get("Retry-After") != ""
	})
}

// No page may use a camera but that of a kiosk that has one, and only once the kiosk is let in.
func TestACameraIsOnePagesAlone(t *testing.T) {
	s := openWithCamera(t)
	camera := func(r reply) string {
		rule, _, _ := strings.Cut(r.Header.Get("Permissions-Policy"), ",")
		return rule
	}
	kiosk := s.browser()
	page := kiosk.do("GET", "/kiosk/1?token="+kioskToken, "").want(t, 200, "")
	if camera(page) != "camera=(self)" || !strings.Contains(page.Raw, `id="camera"`) || !strings.Contains(page.Raw, "/assets/kiosk-camera.js") {
		t.Errorf("the kiosk has no camera: %v", page.Header)
	}
	for _, path := range append([]string{"/t/" + s.signer.Token("01X"), "/assets/kiosk-camera.js", "/kiosk/2"}, allPages...) {
		r := s.get("", path)
		if camera(r) != "camera=()" || strings.Contains(r.Raw, `id="camera"`) {
			t.Errorf("%s may use the camera: %v", path, r.Header)
		}
	}
	plain := open(t).browser().do("GET", "/kiosk/1?token="+kioskToken, "").want(t, 200, "")
	if camera(plain) != "camera=()" || strings.Contains(plain.Raw, "camera") {
		t.Errorf("a kiosk without a camera: %v", plain.Header)
	}
}
