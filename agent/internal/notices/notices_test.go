package notices_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/notices"
	"halledge/agent/internal/orders"
	"halledge/agent/kit/bundle"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/private"
	"halledge/firmware-protocols/hallsync"
)

const hall = hallsync.HallID("440900000000001")

// centreKey is drawn once: the tests are of notices, not of keys.
var centreKey = sync.OnceValues(gm.GenerateKey)

// stage is a box with its shelf, and the centre that it asks.
type stage struct {
	t     *testing.T
	dir   string
	key   gm.PrivateKey
	shelf *notices.Shelf

	mu      sync.Mutex
	now     time.Time
	archive map[string][]byte // what the centre gives, by id
	asked   int
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) *stage {
	t.Helper()
	key, err := centreKey()
	must(t, err)
	s := &stage{t: t, dir: t.TempDir(), key: key, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), archive: map[string][]byte{}}
	s.start()
	t.Cleanup(func() { must(t, s.shelf.Close()) })
	return s
}

// Now and Learned make the stage the box's clock.
func (s *stage) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stage) Learned(time.Time) {}

func (s *stage) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *stage) start() { s.startWith(s.log()) }

func (s *stage) startWith(log *slog.Logger) {
	s.t.Helper()
	gate, err := orders.Open(orders.Options{File: filepath.Join(s.dir, "orders.json"), Hall: hall, Keys: s.keys, Clock: s, Log: s.log()})
	must(s.t, err)
	s.shelf, err = notices.Open(notices.Options{
		Dir: filepath.Join(s.dir, notices.Directory), Hall: hall, Keys: s.keys, Now: s.Now, Gate: gate, Fetch: s.fetch, Log: log,
	})
	must(s.t, err)
}

func (s *stage) keys() []gm.PublicKey { return []gm.PublicKey{s.key.Public()} }

func (s *stage) log() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (s *stage) restart() {
	s.t.Helper()
	must(s.t, s.shelf.Close())
	s.start()
}

func (s *stage) fetch(_ context.Context, id string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	data, ok := s.archive[id]
	if !ok {
		return nil, errors.New("not found")
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func picture(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))))
	return b.Bytes()
}

// made is a bundle as the centre makes it.
type made struct {
	manifest bundle.Manifest
	id       string
	data     []byte
}

// bundleOf makes a bundle of one picture and one text; change may alter its manifest before it is signed.
func (s *stage) bundleOf(version int64, change ...func(*bundle.Manifest)) made {
	s.t.Helper()
	content := map[string][]byte{"01.png": picture(s.t, 64, 36), "02.txt": []byte("停电通知\n明天上午检修")}
	m := bundle.Manifest{Hall: hall, Group: "hall", Version: version, From: s.Now().Add(-time.Hour), Until: s.Now().Add(24 * time.Hour)}
	for _, i := range []bundle.Item{{Path: "01.png", Type: bundle.PNG}, {Path: "02.txt", Type: bundle.Text}} {
		i.SM3, i.Size = bundle.DigestOf(content[i.Path]), int64(len(content[i.Path]))
		m.Items = append(m.Items, i)
	}
	for _, c := range change {
		c(&m)
	}
	raw, sig, err := bundle.Sign(m, s.key)
	must(s.t, err)
	var b bytes.Buffer
	must(s.t, bundle.Write(&b, raw, sig, m.Items, func(i bundle.Item) ([]byte, error) { return content[i.Path], nil }))
	return made{m, bundle.ID(raw), b.Bytes()}
}

// install brings a bundle as a file, and gives why it was refused.
func (s *stage) install(b made) bundle.Code {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "notices.zip")
	must(s.t, os.WriteFile(file, b.data, 0o600))
	_, err := s.shelf.Install(file)
	var refused *bundle.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	must(s.t, err)
	return ""
}

func (s *stage) order(seq uint64, bundles ...made) []byte {
	s.t.Helper()
	body := hallsync.NoticesOrdered{Bundles: []hallsync.BundleOrdered{}}
	for _, b := range bundles {
		body.Bundles = append(body.Bundles, hallsync.BundleOrdered{Group: b.manifest.Group, Version: b.manifest.Version, ID: b.id})
	}
	raw, err := json.Marshal(body)
	must(s.t, err)
	signed, err := hallsync.Signed{
		Type: hallsync.SignedNotices, Hall: hall, Seq: seq, At: s.Now(), NotAfter: s.Now().Add(24 * time.Hour), Body: raw,
	}.Sign(s.key)
	must(s.t, err)
	return signed
}

// version is that of the program the hall's screens show; −1 for none, 0 for the page that is built in.
func (s *stage) version() int64 {
	p, ok := s.shelf.Program("hall")
	if !ok {
		return -1
	}
	return p.Version
}

func (s *stage) want(what string, version int64, troubles ...string) {
	s.t.Helper()
	var got []string
	for _, t := range s.shelf.Troubles() {
		got = append(got, string(t.Kind)+" "+t.Subject+" "+t.Detail)
	}
	if v := s.version(); v != version || strings.Join(got, "; ") != strings.Join(troubles, "; ") {
		s.t.Errorf("%s: version %d, %q; want %d, %q", what, v, got, version, troubles)
	}
}

func TestAFileIsInstalledAndShown(t *testing.T) {
	s := open(t)
	s.want("nothing yet", -1)
	b := s.bundleOf(7)
	if code := s.install(b); code != "" {
		t.Fatal(code)
	}
	s.want("installed", 7)
	p, _ := s.shelf.Program("hall")
	if len(p.Items) != 2 || p.Items[0].Width != 64 || p.Items[0].Height != 36 || p.Items[1].Type != bundle.Text {
		t.Errorf("%+v", p)
	}
	data, item, ok := s.shelf.Item("hall", 7, "02.txt")
	if !ok || item.Type != bundle.Text || !strings.HasPrefix(string(data), "停电通知") {
		t.Errorf("%q, %v", data, ok)
	}
	for _, no := range [][2]string{{"hall", "03.txt"}, {"hall", "../02.txt"}, {"hall", "manifest.json"}, {"other", "02.txt"}, {"..", "02.txt"}} {
		if _, _, ok := s.shelf.Item(no[0], 7, no[1]); ok {
			t.Errorf("%v is given out", no)
		}
	}
	if _, _, ok := s.shelf.Item("hall", 6, "02.txt"); ok {
		t.Error("another version is given out")
	}
	if code := s.install(b); code != "" {
		t.Errorf("once more: %s", code)
	}
	s.restart()
	s.want("after a restart", 7)
}

// What the centre is told of each group: what is in force, what lies there for later, and whether something is wrong.
// The administrator of the machine installs a bundle as himself: the agent could not read what he left, and did not start any more.
func TestDataOfAnotherAccountIsLeftAlone(t *testing.T) {
	data := "/" // nobody else can give a directory away; this one belongs to root
	if os.Geteuid() == 0 {
		data = t.TempDir()
		must(t, os.Chown(data, 65534, -1))
	}
	_, err := notices.Open(notices.Options{Dir: filepath.Join(data, notices.Directory), Hall: hall, Log: slog.New(slog.DiscardHandler)})
	var unsafe *private.UnsafeError
	if !errors.As(err, &unsafe) || unsafe.Path != data {
		t.Errorf("data of another account: %v", err)
	}
	if _, err := os.Stat(filepath.Join(data, notices.Directory)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was left there: %v", err)
	}
}

func TestStandings(t *testing.T) {
	s := open(t)
	want := func(what string, shows, latest int64, kind notices.Kind) {
		t.Helper()
		if got := s.shelf.Standings()["hall"]; got != (notices.Standing{Shows: shows, Latest: latest, Kind: kind}) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	want("nothing yet", 0, 0, "")
	for _, b := range []made{s.bundleOf(7), s.bundleOf(9, func(m *bundle.Manifest) { m.From = s.Now().Add(time.Hour) })} {
		if code := s.install(b); code != "" {
			t.Fatal(code)
		}
	}
	want("one now and one for later", 7, 9, "")
	p, _ := s.shelf.Program("hall")
	p.Version = 8
	s.shelf.Shown("screen-1", p)
	want("one screen shows something else", 7, 9, "")
	must(t, os.WriteFile(filepath.Join(s.dir, notices.Directory, "hall-7", "02.txt"), []byte("插播"), 0o600))
	s.shelf.Item("hall", 7, "02.txt")
	want("a file was changed", 0, 9, notices.Altered)
}

// Threat 17: what is not of the hall, not signed by the centre, old or over is not shown, whoever brings it; the last good one stays.
func TestThreat17InsertedNoticesAreNotShown(t *testing.T) {
	s := open(t)
	if code := s.install(s.bundleOf(7)); code != "" {
		t.Fatal(code)
	}
	stranger, err := gm.GenerateKey()
	must(t, err)
	own := s.key
	s.key = stranger
	forged := s.bundleOf(8)
	s.key = own
	spoiled := s.bundleOf(8)
	spoiled.data = bytes.Replace(spoiled.data, []byte("停电通知"), []byte("不法内容"), 1)
	for name, c := range map[string]struct {
		b    made
		want bundle.Code
	}{
		"another key":  {forged, bundle.CodeForged},
		"changed":      {spoiled, bundle.CodeForm}, // the archive's own sum is wrong already
		"another hall": {s.bundleOf(8, func(m *bundle.Manifest) { m.Hall = "440900000000002" }), bundle.CodeForeign},
		"old":          {s.bundleOf(6), bundle.CodeOld},
		"same number":  {s.bundleOf(7, func(m *bundle.Manifest) { m.Until = m.Until.Add(time.Hour) }), bundle.CodeOld},
		"over":         {s.bundleOf(8, func(m *bundle.Manifest) { m.Until = s.Now(); m.From = m.Until.Add(-time.Hour) }), bundle.CodeExpired},
		"no bundle":    {made{data: []byte("<html>")}, bundle.CodeForm},
	} {
		if code := s.install(c.b); code != c.want {
			t.Errorf("%s: %q, want %s", name, code, c.want)
		}
		s.want(name, 7)
	}
	if code := s.install(s.bundleOf(9)); code != "" {
		t.Fatal(code)
	}
	if code := s.install(s.bundleOf(7)); code != bundle.CodeOld {
		t.Errorf("the one before: %q", code)
	}
	s.want("the newest", 9)
	if names := s.dirs(); names != "hall-9" {
		t.Errorf("on the disk: %s", names)
	}
}

func (s *stage) dirs() string {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, notices.Directory))
	must(s.t, err)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

// Threat 17: a file that is changed under the agent's feet is not given to a screen, nor any other of its bundle; somebody is told.
func TestThreat17AChangedFileIsNotShown(t *testing.T) {
	s := open(t)
	b := s.bundleOf(7)
	if code := s.install(b); code != "" {
		t.Fatal(code)
	}
	text := filepath.Join(s.dir, notices.Directory, "hall-7", "02.txt")
	was, err := os.ReadFile(text)
	must(t, err)
	must(t, os.WriteFile(text, bytes.Repeat([]byte("x"), len(was)), 0o600))
	if _, _, ok := s.shelf.Item("hall", 7, "02.txt"); ok {
		t.Error("it is given out")
	}
	s.want("changed", 0, "notice_altered hall 02.txt")
	if _, _, ok := s.shelf.Item("hall", 7, "01.png"); ok {
		t.Error("the rest of the bundle is given out")
	}
	s.restart()
	s.want("after a restart", 0, "notice_altered hall 02.txt")
	if code := s.install(b); code != "" {
		t.Fatal(code)
	}
	s.want("installed anew", 7)

	must(t, os.WriteFile(filepath.Join(s.dir, notices.Directory, "hall-7", "manifest.json"), []byte(`{"hall":"x"}`), 0o600))
	s.restart()
	s.want("another manifest", 0, "notice_altered hall hall-7")
	if code := s.install(b); code != "" {
		t.Fatal(code)
	}
	must(t, os.Mkdir(filepath.Join(s.dir, notices.Directory, "hall-99"), 0o700))
	s.restart()
	s.want("a bundle that somebody put there", 7, "notice_altered hall hall-99")
}

// What a screen says it shows is compared with what it was given.
func TestScreensAreReadBack(t *testing.T) {
	s := open(t)
	if !s.shelf.Shown("screen-1", notices.Program{Group: "hall"}) {
		t.Error("the page that is built in")
	}
	if code := s.install(s.bundleOf(7)); code != "" {
		t.Fatal(code)
	}
	given, _ := s.shelf.Program("hall")
	if !s.shelf.Shown("screen-1", given) {
		t.Error("what it was given")
	}
	for name, change := range map[string]func(*notices.Program){
		"another version": func(p *notices.Program) { p.Version = 6 }, "fewer": func(p *notices.Program) { p.Items = p.Items[:1] },
		"more": func(p *notices.Program) { p.Items = append(p.Items, p.Items[0]) }, "another size": func(p *notices.Program) { p.Items[0].Width++ },
		"another digest": func(p *notices.Program) { p.Items[0].SM3 = strings.Repeat("0", 64) }, "another order": func(p *notices.Program) { p.Items[0], p.Items[1] = p.Items[1], p.Items[0] },
	} {
		p := given
		p.Items = append([]notices.Slide{}, given.Items...)
		change(&p)
		if s.shelf.Shown("screen-1", p) {
			t.Errorf("%s is taken for what it was given", name)
		}
		if tr := s.shelf.Troubles(); len(tr) != 1 || tr[0].Kind != notices.Altered || tr[0].Subject != "screen-1" {
			t.Errorf("%s: %+v", name, tr)
		}
		if !s.shelf.Shown("screen-1", given) || len(s.shelf.Troubles()) != 0 {
			t.Errorf("%s: it is not forgiven", name)
		}
	}
	if code := s.install(s.bundleOf(8)); code != "" {
		t.Fatal(code)
	}
	if !s.shelf.Shown("screen-1", given) {
		t.Error("a screen has no time to change")
	}
	s.later(3 * time.Minute)
	if s.shelf.Shown("screen-1", given) {
		t.Error("a screen may show the last program for ever")
	}
}

func TestTimeOfNotices(t *testing.T) {
	s := open(t)
	if code := s.install(s.bundleOf(7)); code != "" {
		t.Fatal(code)
	}
	tomorrow := s.bundleOf(8, func(m *bundle.Manifest) { m.From = s.Now().Add(6 * time.Hour) })
	if code := s.install(tomorrow); code != "" {
		t.Fatal(code)
	}
	s.want("before its time", 7)
	s.later(7 * time.Hour)
	s.restart()
	s.want("when its time has come", 8)
	s.later(-7 * time.Hour)
	s.restart()
	s.want("with the clock set back", -1) // the one before is gone
	s.later(48 * time.Hour)
	s.restart()
	s.want("when it is over", -1)
}
