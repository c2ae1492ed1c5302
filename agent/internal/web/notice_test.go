package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/notices"
	"halledge/agent/kit/bundle"
)

// publish puts notices of the centre on the hall's shelf.
func (s *stage) publish(version int64) {
	s.t.Helper()
	var picture bytes.Buffer
	must(s.t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 36))))
	content := map[string][]byte{"01.png": picture.Bytes(), "02.txt": []byte("停电通知\n<b>明天</b>检修")}
	from := s.now().UTC().Truncate(time.Second)
	m := bundle.Manifest{Hall: hallCode, Group: "hall", Version: version, From: from, Until: from.Add(24 * time.Hour)}
	for _, i := range []bundle.Item{{Path: "01.png", Type: bundle.PNG}, {Path: "02.txt", Type: bundle.Text}} {
		i.SM3, i.Size = bundle.DigestOf(content[i.Path]), int64(len(content[i.Path]))
		m.Items = append(m.Items, i)
	}
	manifest, sig, err := bundle.Sign(m, s.centre)
	must(s.t, err)
	var b bytes.Buffer
	must(s.t, bundle.Write(&b, manifest, sig, m.Items, func(i bundle.Item) ([]byte, error) { return content[i.Path], nil }))
	file := filepath.Join(s.t.TempDir(), "notices.zip")
	must(s.t, os.WriteFile(file, b.Bytes(), 0o600))
	_, err = s.notices.Install(file)
	must(s.t, err)
}

func TestScreensGetTheNoticesOfTheCentre(t *testing.T) {
	s := open(t)
	page, leave := s.listen(screenToken, "?frame=1", "")
	defer leave()
	if first := next(t, page, "snapshot"); first.data["program"] != nil {
		t.Errorf("a screen begins with %v", first.data["program"])
	}
	s.publish(7)
	raw, err := json.Marshal(next(t, page, "program").data["program"])
	must(t, err)
	var p notices.Program
	must(t, json.Unmarshal(raw, &p))
	if p.Group != "hall" || p.Version != 7 || len(p.Items) != 2 || p.Items[0].Width != 64 {
		t.Fatalf("%s", raw)
	}
	picture := s.get(screenToken, "/api/v1/notices/hall/7/01.png").want(t, 200, "")
	text := s.get(screenToken, "/api/v1/notices/hall/7/02.txt").want(t, 200, "")
	if picture.Header.Get("Content-Type") != "image/png" || text.Header.Get("Content-Type") != "text/plain; charset=utf-8" ||
		text.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(text.Raw, "<b>") {
		t.Errorf("%v %v %q", picture.Header, text.Header, text.Raw)
	}
	for _, path := range []string{"hall/6/01.png", "hall/8/01.png", "hall/7/manifest.json", "hall/7/..%2f..%2forders.json", "hall/x/01.png", "windows/7/01.png"} {
		s.get(screenToken, "/api/v1/notices/"+path).want(t, 404, "not_found")
	}
	if plain := s.get(screenToken, "/api/v1/hall"); plain.body["program"] != nil {
		t.Errorf("a program is told %v", plain.body["program"])
	}

	shown := func(p notices.Program) any {
		return s.do("POST", "/api/v1/notices/shown", screenToken, rand.Text(), p).want(t, 200, "").body["good"]
	}
	if shown(p) != true || len(s.notices.Troubles()) != 0 {
		t.Errorf("%v", s.notices.Troubles())
	}
	p.Items[0].Height++
	if tr := s.notices.Troubles; shown(p) != false || len(tr()) != 1 || tr()[0].Subject != "screen-1" {
		t.Errorf("%v", tr())
	}
	p.Group = "other"
	s.do("POST", "/api/v1/notices/shown", screenToken, rand.Text(), p).want(t, 404, "not_found")
	s.do("POST", "/api/v1/notices/shown", screenToken, rand.Text(), `{"group":"hall","url":"http://x"}`).want(t, 400, "field_unknown")

	must(t, os.WriteFile(filepath.Join(s.shelf, "hall-7", "01.png"), []byte("<html>"), 0o600))
	s.get(screenToken, "/api/v1/notices/hall/7/01.png").want(t, 404, "not_found")
	if now := next(t, page, "program").data["program"].(map[string]any); now["version"] != 0.0 {
		t.Errorf("after a file was changed it is told %v", now)
	}
}

// pageOf opens a screen's page in a browser and gives the session that it was made with.
func (s *stage) pageOf(path string) (b *browser, id string, key []byte) {
	s.t.Helper()
	b = s.browser()
	html := b.do("GET", path+"?token="+screenToken, "").want(s.t, 200, "").Raw
	_, rest, _ := strings.Cut(html, `id="setup">`)
	text, _, _ := strings.Cut(rest, "</script>")
	var setup struct {
		Session struct{ ID, Key string }
		Now     int64
	}
	must(s.t, json.Unmarshal([]byte(text), &setup))
	key, err := base64.StdEncoding.DecodeString(setup.Session.Key)
	must(s.t, err)
	if len(key) != sha256.Size || setup.Session.ID == "" || setup.Now == 0 {
		s.t.Fatalf("%s", text)
	}
	return b, setup.Session.ID, key
}

// sent is an event as it travels to a screen.
type sent struct {
	name  string
	N     uint64
	Until int64
	MAC   string
	Data  string
}

// proven reports whether an event carries the code of a key, as the page computes it.
func (e sent) proven(key []byte) bool {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s\n%d\n%d\n%s", e.name, e.N, e.Until, e.Data)
	return e.MAC == base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// follow reads the stream of a screen's page. last is what the browser says it has seen.
func (b *browser) follow(query, last string) (<-chan sent, context.CancelFunc) {
	b.s.t.Helper()
	ctx, cancel := context.WithCancel(b.s.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", b.s.base+"/api/v1/stream?as=screen-1&"+query, nil)
	must(b.s.t, err)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := (&http.Client{Jar: b.client.Jar}).Do(req)
	must(b.s.t, err)
	events := make(chan sent, 256)
	go func() {
		defer close(events)
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		var e sent
		for lines.Scan() {
			switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
			case "event":
				e.name = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e)
			case "":
				if e.name != "" {
					events <- e
				}
				e = sent{}
			}
		}
	}()
	return events, cancel
}

func (b *browser) hear(events <-chan sent, name string) sent {
	b.s.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case e := <-events:
			if e.name == name {
				return e
			}
		case <-late:
			b.s.t.Fatalf("no %s came", name)
		}
	}
}

// Threat 16: what a screen is told can be told from what it was told before, from what another screen was told and from what somebody made
// up; it ends after ten seconds, and who comes again gets the whole hall first. That the page heeds it is tested in a browser.
func TestThreat16CallsOfScreensAreProven(t *testing.T) {
	s := open(t)
	s.take("A")
	s.verb("1", "open", nil).want(t, 200, "")
	b, id, key := s.pageOf("/screen/1")
	events, leave := b.follow("session="+id, "")
	before := time.Now()
	first := b.hear(events, "snapshot")
	s.verb("1", "call-next", nil).want(t, 200, "")
	call := b.hear(events, "change")
	if !first.proven(key) || !call.proven(key) || !strings.Contains(call.Data, `"A001"`) {
		t.Errorf("%+v, %+v", first, call)
	}
	if call.N <= first.N {
		t.Errorf("number %d after %d", call.N, first.N)
	}
	if end := time.UnixMilli(first.Until); end.Before(before.Add(9*time.Second)) || end.After(time.Now().Add(10*time.Second)) {
		t.Errorf("it ends at %s", end)
	}
	for what, e := range map[string]sent{
		"another name":   {"snapshot", call.N, call.Until, call.MAC, call.Data},
		"another number": {call.name, call.N + 1, call.Until, call.MAC, call.Data},
		"another end":    {call.name, call.N, call.Until + 60000, call.MAC, call.Data},
		"another call":   {call.name, call.N, call.Until, call.MAC, strings.Replace(call.Data, "A001", "A002", 1)},
	} {
		if e.proven(key) {
			t.Errorf("%s passes", what)
		}
	}
	leave()
	again, leaveAgain := b.follow("session="+id, "")
	defer leaveAgain()
	if e := b.hear(again, "snapshot"); e.N <= call.N || !e.proven(key) {
		t.Errorf("who comes again hears %d after %d", e.N, call.N)
	}

	other, otherID, otherKey := s.pageOf("/screen/1")
	if bytes.Equal(key, otherKey) {
		t.Error("two pages have one key")
	}
	theirs, leaveTheirs := other.follow("session="+otherID, "")
	defer leaveTheirs()
	if e := other.hear(theirs, "snapshot"); e.proven(key) || !e.proven(otherKey) {
		t.Error("what one page is told passes at another")
	}
	kiosk := s.browser()
	if html := kiosk.do("GET", "/kiosk/1?token="+kioskToken, "").want(t, 200, "").Raw; strings.Contains(html, `"session"`) {
		t.Error("a page that is no screen has a key")
	}
	poll := b.do("GET", "/api/v1/hall?as=screen-1&session="+id, "").want(t, 200, "")
	if n, _ := poll.at("proof", "n").(float64); n == 0 {
		t.Errorf("who polls gets no number: %v", poll.at("proof"))
	}
	s.restart()
	b.client.CloseIdleConnections()
	after, leaveAfter := b.follow("session="+id, "")
	defer leaveAfter()
	if e := b.hear(after, "snapshot"); e.proven(key) {
		t.Error("a key outlives the process")
	}
}
