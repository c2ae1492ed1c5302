package bundle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/bundle"
	"halledge/agent/kit/gm"
)

const hall = "440900000000001"

// contentKey is drawn once: the tests are of bundles, not of keys.
var contentKey = sync.OnceValues(gm.GenerateKey)

func key(t testing.TB) gm.PrivateKey {
	t.Helper()
	k, err := contentKey()
	must(t, err)
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func drawn(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.Set(i%w, i/w, color.RGBA{uint8(i), uint8(i / 7), 90, 255})
	}
	return m
}

func pngOf(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, drawn(w, h)))
	return b.Bytes()
}

func jpegOf(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, drawn(w, h), nil))
	return b.Bytes()
}

// files are the items of a good bundle.
func files(t testing.TB) map[string][]byte {
	return map[string][]byte{"01.png": pngOf(t, 64, 36), "02.jpg": jpegOf(t, 40, 30), "03.txt": []byte("国庆节放假通知\n10 月 1 日至 7 日不对外办公。")}
}

func manifest(content map[string][]byte) bundle.Manifest {
	from := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	m := bundle.Manifest{Hall: hall, Group: "hall", Version: 7, From: from, Until: from.Add(30 * 24 * time.Hour)}
	for _, i := range []struct {
		path string
		is   bundle.Type
	}{{"01.png", bundle.PNG}, {"02.jpg", bundle.JPEG}, {"03.txt", bundle.Text}} {
		if data, ok := content[i.path]; ok {
			m.Items = append(m.Items, bundle.Item{Path: i.path, SM3: bundle.DigestOf(data), Size: int64(len(data)), Type: i.is})
		}
	}
	return m
}

func code(err error) bundle.Code {
	var e *bundle.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestManifestsAreSignedAndOpened(t *testing.T) {
	k := key(t)
	m := manifest(files(t))
	raw, sig, err := bundle.Sign(m, k)
	must(t, err)
	got, err := bundle.Open(raw, sig, k.Public())
	if err != nil || got.Version != 7 || len(got.Items) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	if !got.InForce(m.From) || got.InForce(m.From.Add(-time.Second)) || got.InForce(m.Until) || !got.Over(m.Until) {
		t.Error("the life of a bundle")
	}
	other, err := gm.GenerateKey()
	must(t, err)
	if _, err := bundle.Open(raw, sig, other.Public()); code(err) != bundle.CodeForged {
		t.Errorf("another key: %v", err)
	}
	if _, err := bundle.Open(raw, sig, other.Public(), k.Public()); err != nil {
		t.Errorf("one of two keys: %v", err)
	}
	if _, err := bundle.Open[gm.PublicKey](raw, sig); code(err) != bundle.CodeForged {
		t.Errorf("no key: %v", err)
	}
	if _, err := bundle.Open(bytes.Replace(raw, []byte(`"version":7`), []byte(`"version":9`), 1), sig, k.Public()); code(err) != bundle.CodeForged {
		t.Errorf("another version: %v", err)
	}
}

// signRaw signs what a centre that went mad would.
func signRaw(t testing.TB, raw string) []byte {
	t.Helper()
	sig, err := key(t).Sign([]byte("hall-edge/v1/bundle\n" + raw))
	must(t, err)
	return sig
}

// Threat 32: a manifest has one form and bounds, whoever signed it.
func TestThreat32ManifestsHaveOneForm(t *testing.T) {
	good, err := json.Marshal(manifest(files(t)))
	must(t, err)
	if _, err := bundle.Open(good, signRaw(t, string(good)), key(t).Public()); err != nil {
		t.Fatal(err)
	}
	text := string(good)
	for name, raw := range map[string]string{
		"empty": "{}", "twice": strings.Replace(text, `"version":7`, `"version":7,"version":8`, 1),
		"letters": strings.Replace(text, `"version"`, `"Version"`, 1), "space": text + " ", "float": strings.Replace(text, `"version":7`, `"version":7.0`, 1),
		"unknown member":  strings.Replace(text, `"version":7`, `"version":7,"url":"http://x"`, 1),
		"upper hex":       strings.Replace(text, text[strings.Index(text, `"sm3":"`):][:20], strings.ToUpper(text[strings.Index(text, `"sm3":"`):][:20]), 1),
		"another zone":    strings.Replace(text, `"2026-03-02T00:00:00Z"`, `"2026-03-02T08:00:00+08:00"`, 1),
		"part of seconds": strings.Replace(text, `"2026-03-02T00:00:00Z"`, `"2026-03-02T00:00:00.5Z"`, 1),
		"ends first":      strings.Replace(text, `"2026-04-01T`, `"2026-02-01T`, 1),
		"for ever":        strings.Replace(text, `"2026-04-01T`, `"2029-04-01T`, 1),
		"version 0":       strings.Replace(text, `"version":7`, `"version":0`, 1),
		"huge version":    strings.Replace(text, `"version":7`, `"version":9007199254740993`, 1),
		"no hall":         strings.Replace(text, hall, "44090000000000x", 1),
		"group":           strings.Replace(text, `"hall","version"`, `"../x","version"`, 1),
		"group of dots":   strings.Replace(text, `"hall","version"`, `"..","version"`, 1),
		"kept group":      strings.Replace(text, `"hall","version"`, `"con","version"`, 1),
		"type":            strings.Replace(text, `image/png`, `text/html`, 1),
		"drawing":         strings.Replace(text, `image/png`, `image/svg+xml`, 1),
		"address":         strings.Replace(text, `"01.png"`, `"http://x/01.png"`, 1),
		"type and ending": strings.Replace(text, `"01.png"`, `"01.jpg"`, 1),
		"size 0":          strings.Replace(text, `"size":`, `"size":0,"size":`, 1),
		"deep":            strings.Repeat(`[`, 20000),
	} {
		if _, err := bundle.Open([]byte(raw), signRaw(t, raw), key(t).Public()); code(err) != bundle.CodeForm {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, change := range []func(*bundle.Manifest){
		func(m *bundle.Manifest) { m.Items = nil },
		func(m *bundle.Manifest) { m.Items = append(m.Items, m.Items[0]) },
		func(m *bundle.Manifest) { m.Items[0].Size = bundle.MaxItem + 1 },
		func(m *bundle.Manifest) {
			for i := range m.Items {
				m.Items[i].Size = bundle.MaxItem
			}
			for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
				m.Items = append(m.Items, bundle.Item{Path: name + ".txt", Size: bundle.MaxItem, Type: bundle.Text})
			}
		},
		func(m *bundle.Manifest) { m.Items = make([]bundle.Item, bundle.MaxItems+1) },
	} {
		m := manifest(files(t))
		change(&m)
		if _, _, err := bundle.Sign(m, key(t)); code(err) != bundle.CodeForm {
			t.Errorf("signed %+v: %v", m, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, good := range []string{"01.png", "a.txt", "open-day_2.jpg", strings.Repeat("a", 40) + ".png", "console.txt"} {
		if !bundle.ValidPath(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", ".png", "a", "a.PNG", "A.png", "a.html", "a.svg", "a.png.html", "a.mp4", "../a.png", "/a.png", "a/b.png", `a\b.png`, "c:a.png", "a..png", "a.png ",
		"a.png\x00", "a\x00.png", "con.png", "nul.txt", "com1.jpg", "lpt9.png", "公告.png", "a\u202e.png", "manifest.json", strings.Repeat("a", 41) + ".png", "a.png\n",
	} {
		if bundle.ValidPath(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestContentIsLookedThrough(t *testing.T) {
	if size, err := bundle.Look(bundle.PNG, pngOf(t, 64, 36)); err != nil || size != image.Pt(64, 36) {
		t.Error(size, err)
	}
	if size, err := bundle.Look(bundle.JPEG, jpegOf(t, 64, 36)); err != nil || size != image.Pt(64, 36) {
		t.Error(size, err)
	}
	if _, err := bundle.Look(bundle.Text, []byte("请 A001 号\n到　三号窗口")); err != nil {
		t.Error(err)
	}
	whole := pngOf(t, 64, 36)
	huge := bytes.Clone(whole) // says that it has 2³¹−1 columns
	copy(huge[16:], []byte{0x7f, 0xff, 0xff, 0xff})
	for name, c := range map[string]struct {
		is   bundle.Type
		data []byte
	}{
		"a page as a picture": {bundle.PNG, []byte("<html><script>alert(1)</script>")}, "of another type": {bundle.JPEG, whole},
		"cut short": {bundle.PNG, whole[:len(whole)-20]}, "empty": {bundle.PNG, nil}, "a bomb": {bundle.PNG, huge}, "a dot": {bundle.PNG, pngOf(t, 1, 1)},
		"too wide": {bundle.PNG, pngOf(t, 4097, 16)}, "jpeg cut short": {bundle.JPEG, jpegOf(t, 64, 36)[:300]},
		"a page": {"text/html", []byte("<p>")}, "no type": {"", []byte("x")},
		"no UTF-8": {bundle.Text, []byte{0xb4, 0xf3}}, "escapes": {bundle.Text, []byte("a\x1b[2J")}, "turned": {bundle.Text, []byte("a\u202eb")},
		"NUL": {bundle.Text, []byte("a\x00")}, "blank": {bundle.Text, []byte(" \n ")}, "long": {bundle.Text, []byte(strings.Repeat("长", 601))},
		"many lines": {bundle.Text, []byte(strings.Repeat("a\n", 30))}, "carriage return": {bundle.Text, []byte("a\rb")},
	} {
		if _, err := bundle.Look(c.is, c.data); code(err) != bundle.CodeContent {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := key(f)
	raw, sig, err := bundle.Sign(manifest(files(f)), k)
	must(f, err)
	f.Add(raw, sig)
	f.Fuzz(func(t *testing.T, m, s []byte) {
		if _, err := bundle.Open(m, s, k.Public()); err == nil && !bytes.Equal(m, raw) {
			t.Errorf("nobody signed %q", m)
		}
	})
}
