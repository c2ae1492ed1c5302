package notices_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/notices"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

const (
	hall  = hallsync.HallID("440900000000001")
	other = hallsync.HallID("440900000000002")
)

var by = notices.Actor{Name: "operator", By: "command"}

// centre is a desk with its database, its keys and its clock, and what halls were sent.
type centre struct {
	*notices.Desk
	t       *testing.T
	st      *store.Store
	content gm.PrivateKey // signs bundles
	orders  gm.PrivateKey // signs orders

	mu   sync.Mutex
	at   time.Time
	sent map[hallsync.HallID][][]byte
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) *centre {
	t.Helper()
	c := &centre{t: t, at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), sent: map[hallsync.HallID][][]byte{}}
	var err error
	c.content, err = gm.GenerateKey()
	must(t, err)
	c.orders, err = gm.GenerateKey()
	must(t, err)
	c.st, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, c.st.Close()) })
	c.Desk = notices.New(notices.Options{Store: c.st, Content: c.content, Sign: c.orders, Publish: c.send, Now: c.now, Log: slog.New(slog.DiscardHandler)})
	return c
}

func (c *centre) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *centre) later(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *centre) send(hall hallsync.HallID, leaf string, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if leaf != hallsync.DownConfig {
		return fmt.Errorf("sent on %s", leaf)
	}
	c.sent[hall] = append(c.sent[hall], payload)
	return nil
}

func (c *centre) publish(group string, halls ...hallsync.HallID) {
	c.t.Helper()
	must(c.t, c.Publish(c.t.Context(), c.order(group, halls...), by))
}

func (c *centre) order(group string, halls ...hallsync.HallID) notices.Order {
	return notices.Order{Halls: halls, Group: group, From: c.now(), Until: c.now().Add(24 * time.Hour), Files: []notices.File{
		{Name: "/home/x/国庆.JPEG", Data: photo(c.t)}, {Name: "b.txt", Data: []byte("\ufeff停电通知\r\n明天检修")},
	}}
}

func photo(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 36)), nil))
	return b.Bytes()
}

// told opens the last order that a hall was sent.
func (c *centre) told(hall hallsync.HallID) (seq uint64, bundles []hallsync.BundleOrdered) {
	c.t.Helper()
	c.mu.Lock()
	raw := c.sent[hall][len(c.sent[hall])-1]
	c.mu.Unlock()
	set, err := hallsync.ParseSettings(raw)
	must(c.t, err)
	s, err := hallsync.OpenSigned(set.Notices, hallsync.SignedNotices, hall, c.orders.Public())
	must(c.t, err)
	var body hallsync.NoticesOrdered
	if !hallsync.Exact(s.Body, hallsync.MaxSigned, &body) {
		c.t.Fatalf("%s", s.Body)
	}
	return s.Seq, body.Bundles
}

// get asks for a bundle as a hall.
func (c *centre) get(as hallsync.HallID, id string) (int, []byte) {
	c.t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /edge/v1/bundles/{id}", c.Handler(func(*http.Request) (hallsync.HallID, bool) { return as, as != "" }))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/edge/v1/bundles/"+id, nil))
	data, err := io.ReadAll(w.Body)
	must(c.t, err)
	return w.Code, data
}

func TestWhatIsPublishedReachesTheHall(t *testing.T) {
	c := open(t)
	if err := c.Tell(t.Context(), hall); err != nil || len(c.sent) != 0 {
		t.Errorf("a hall without notices is told %d, %v", len(c.sent), err)
	}
	c.publish("hall", hall, other)
	must(t, c.Tell(t.Context(), hall))
	first, bundles := c.told(hall)
	if len(bundles) != 1 || bundles[0].Group != "hall" {
		t.Fatalf("%+v", bundles)
	}
	status, data := c.get(hall, bundles[0].ID)
	a, err := bundle.Read(bytes.NewReader(data), int64(len(data)), c.content.Public())
	must(t, err)
	if m := a.Manifest; status != 200 || m.Hall != hall || m.Version != bundles[0].Version || len(m.Items) != 2 || m.Items[0].Path != "01.jpg" || m.Items[1].Path != "02.txt" {
		t.Errorf("%d %+v", status, m)
	}
	if !bytes.Contains(data, []byte("停电通知\n明天检修")) || bytes.Contains(data, []byte("\ufeff")) {
		t.Error("the text is not as halls write it")
	}
	for as, want := range map[hallsync.HallID]int{other: 404, "": 401} {
		if status, _ := c.get(as, bundles[0].ID); status != want {
			t.Errorf("%q gets the bundle of another: %d", as, status)
		}
	}
	c.publish("windows", hall)
	must(t, c.Tell(t.Context(), hall))
	if second, bundles := c.told(hall); second <= first || len(bundles) != 2 {
		t.Errorf("%d, %+v", second, bundles)
	}
	must(t, c.Tell(t.Context(), other))
	if _, bundles := c.told(other); len(bundles) != 1 {
		t.Errorf("the other hall: %+v", bundles)
	}
	lines, n, err := c.st.Audits(t.Context(), store.AuditQuery{Action: "notice_publish", Limit: 10})
	if err != nil || n != 3 || lines[0].Actor != "operator" {
		t.Errorf("%+v, %v", lines, err)
	}
}

// Versions and orders rise whatever is done, so that no hall takes what it had before for new.
func TestVersionsRise(t *testing.T) {
	c := open(t)
	version, seq := int64(0), uint64(0)
	rises := func(what string, want int) {
		t.Helper()
		must(t, c.Tell(t.Context(), hall))
		n, bundles := c.told(hall)
		if n <= seq || len(bundles) != want || want > 0 && bundles[0].Version <= version {
			t.Errorf("%s: order %d after %d, %+v after %d", what, n, seq, bundles, version)
		}
		if seq = n; want > 0 {
			version = bundles[0].Version
		}
	}
	c.publish("hall", hall)
	rises("published", 1)
	gone := c.archive()
	c.publish("hall", hall)
	rises("again in the same second", 1)
	c.later(-time.Hour)
	c.publish("hall", hall)
	rises("with the clock set back", 1)
	ended, err := c.Withdraw(t.Context(), []hallsync.HallID{hall, other}, "hall", by)
	if err != nil || len(ended) != 1 || ended[0] != hall {
		t.Errorf("%v, %v", ended, err)
	}
	rises("withdrawn", 0)
	if found, err := c.Archive(t.Context(), hall, "hall", io.Discard); found || err != nil {
		t.Errorf("what was withdrawn is given out: %v", err)
	}
	c.publish("hall", hall)
	rises("published anew", 1)
	if bytes.Equal(gone, c.archive()) {
		t.Error("the same bundle twice")
	}
}

func (c *centre) archive() []byte {
	c.t.Helper()
	var b bytes.Buffer
	if found, err := c.Archive(c.t.Context(), hall, "hall", &b); !found || err != nil {
		c.t.Fatal(found, err)
	}
	return b.Bytes()
}

// What no screen shows is not published, and of what is refused nothing stays.
func TestWhatCannotBeShownIsNotPublished(t *testing.T) {
	c := open(t)
	with := func(change func(*notices.Order)) notices.Order {
		o := c.order("hall", hall)
		change(&o)
		return o
	}
	for name, o := range map[string]notices.Order{
		"a page":    with(func(o *notices.Order) { o.Files[0] = notices.File{Name: "a.html", Data: []byte("<p>")} }),
		"a film":    with(func(o *notices.Order) { o.Files[0].Name = "a.mp4" }),
		"a lie":     with(func(o *notices.Order) { o.Files[0].Name = "a.png" }),
		"a drawing": with(func(o *notices.Order) { o.Files[0] = notices.File{Name: "a.svg", Data: []byte("<svg/>")} }),
		"no file":   with(func(o *notices.Order) { o.Files = nil }),
		"many":      with(func(o *notices.Order) { o.Files = make([]notices.File, 60); fill(o.Files) }),
		"over":      with(func(o *notices.Order) { o.Until, o.From = c.now(), c.now().Add(-time.Hour) }),
		"for ever":  with(func(o *notices.Order) { o.Until = c.now().AddDate(3, 0, 0) }),
		"a path":    with(func(o *notices.Order) { o.Group = "../x" }),
		"no hall":   with(func(o *notices.Order) { o.Halls = []hallsync.HallID{"1"} }),
	} {
		var refused *bundle.Error
		if err := c.Publish(t.Context(), o, by); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range bundle.MaxGroups {
		c.publish(fmt.Sprint("g", n), hall)
	}
	if err := c.Publish(t.Context(), c.order("one-more", hall), by); err == nil {
		t.Error("more groups than a box takes")
	}
	list, err := c.List(t.Context())
	if err != nil || len(list) != bundle.MaxGroups {
		t.Errorf("%d, %v", len(list), err)
	}
}

func fill(files []notices.File) {
	for i := range files {
		files[i] = notices.File{Name: "a.txt", Data: []byte("通知")}
	}
}

// Halls that are there learn of what another process publishes, once.
func TestHallsAreTold(t *testing.T) {
	c := open(t)
	c.publish("hall", hall)
	since := int64(0)
	for range 2 {
		var err error
		if since, err = c.TellSince(t.Context(), since); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.sent[hall]); n != 1 {
		t.Errorf("told %d times", n)
	}
	if _, bundles := c.told(hall); len(bundles) != 1 {
		t.Errorf("%+v", bundles)
	}
}
