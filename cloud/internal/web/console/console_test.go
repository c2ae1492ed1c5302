package console

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"halledge/agent/kit/problem"
	"halledge/configs"
)

const (
	indexHTML = "<!doctype html><title>halls</title>"
	script    = "export const halls = 2028"
)

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func messages(t *testing.T) *problem.Catalog {
	t.Helper()
	c, err := problem.ParseCatalog(configs.Messages())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refusal reads a problem document and gives its code.
func refusal(t *testing.T, r *http.Response) string {
	t.Helper()
	var p struct{ Code, Detail string }
	if text := body(t, r); r.Header.Get("Content-Type") != problem.ContentType || json.Unmarshal([]byte(text), &p) != nil || p.Detail == "" || p.Detail == p.Code {
		t.Fatalf("no problem document: %d %s", r.StatusCode, text)
	}
	return p.Code
}

func builtSite(t *testing.T) http.Handler {
	t.Helper()
	s, err := load(fstest.MapFS{
		"index.html":            {Data: []byte(indexHTML)},
		"favicon.svg":           {Data: []byte("<svg/>")},
		"assets/app-1a2b.js":    {Data: []byte(script)},
		"assets/app-1a2b.js.gz": {Data: zip(t, script)},
	}, messages(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryPagePathServesTheApplication(t *testing.T) {
	h := builtSite(t)
	for _, path := range []string{"/", "/halls", "/halls/440900000000001/tickets", "/cameras/440900000000001-CM001", "/sign-in?next=/halls"} {
		r := get(t, h, http.MethodGet, path)
		if got := body(t, r); r.StatusCode != http.StatusOK || got != indexHTML {
			t.Errorf("%s: %d %q", path, r.StatusCode, got)
		}
		if got := r.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("%s: content type %q", path, got)
		}
		if got := r.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s: cache %q, a page must be asked for again", path, got)
		}
	}
}

func TestPagesMayLoadOnlyFromHere(t *testing.T) {
	h := builtSite(t)
	for _, path := range []string{"/", "/assets/app-1a2b.js", "/assets/missing.js"} {
		r := get(t, h, http.MethodGet, path)
		csp := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: sniffing is allowed", path)
		}
	}
}

func TestHashedAssetsAreKeptForever(t *testing.T) {
	r := get(t, builtSite(t), http.MethodGet, "/assets/app-1a2b.js")
	if got := body(t, r); got != script {
		t.Errorf("body %q", got)
	}
	if got := r.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("cache %q", got)
	}
	if got := r.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
}

func TestGzipTwinIsServedToThoseWhoTakeIt(t *testing.T) {
	h := builtSite(t)
	for accept, zipped := range map[string]bool{
		"gzip, deflate, br": true, "br;q=1.0, GZIP;q=0.5": true, "gzip ; q=1": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip;q=0.000": false, "gzip;q=much": false, "xgzip": false,
	} {
		r := get(t, h, http.MethodGet, "/assets/app-1a2b.js", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding") == "gzip"; got != zipped {
			t.Errorf("Accept-Encoding %q: gzip %v", accept, got)
		}
		if r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: no Vary", accept)
		}
		text := body(t, r)
		if zipped {
			zr, err := gzip.NewReader(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(zr)
			if err != nil {
				t.Fatal(err)
			}
			text = string(plain)
		}
		if text != script {
			t.Errorf("Accept-Encoding %q: body %q", accept, text)
		}
	}
}

func TestKnownETagGivesNotModified(t *testing.T) {
	h := builtSite(t)
	plain := get(t, h, http.MethodGet, "/halls").Header.Get("ETag")
	if r := get(t, h, http.MethodGet, "/cameras", "If-None-Match", plain); r.StatusCode != http.StatusNotModified {
		t.Errorf("known tag %s: %d", plain, r.StatusCode)
	}
	asset := get(t, h, http.MethodGet, "/assets/app-1a2b.js").Header.Get("ETag")
	zipped := get(t, h, http.MethodGet, "/assets/app-1a2b.js", "Accept-Encoding", "gzip").Header.Get("ETag")
	if asset == zipped {
		t.Errorf("both codings have the tag %s", asset)
	}
}

func TestMissingFilesAreNotPages(t *testing.T) {
	h := builtSite(t)
	for _, path := range []string{"/assets/app-old.js", "/favicon.ico", "/assets/app-1a2b.js.gz", "/../console.go"} {
		if r := get(t, h, http.MethodGet, path); r.StatusCode != http.StatusNotFound || refusal(t, r) != "not_found" {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	h := builtSite(t)
	for _, path := range []string{"/", "/halls", "/assets/app-1a2b.js"} {
		r := get(t, h, http.MethodPost, path)
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" || refusal(t, r) != "method_not_allowed" {
			t.Errorf("POST %s: %d, Allow %q", path, r.StatusCode, r.Header.Get("Allow"))
		}
	}
	r := get(t, h, http.MethodHead, "/halls")
	if got := body(t, r); r.StatusCode != http.StatusOK || got != "" || r.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: %d, %d bytes", r.StatusCode, len(got))
	}
}

func TestUnbuiltConsoleSaysHowToBuildIt(t *testing.T) {
	if _, err := load(fstest.MapFS{"favicon.svg": {Data: []byte("<svg/>")}}, messages(t)); err == nil {
		t.Error("a build without index.html was taken for one")
	}
	h := unbuilt(messages(t))
	r := get(t, h, http.MethodGet, "/halls")
	got := body(t, r)
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, cache %q", r.StatusCode, r.Header.Get("Cache-Control"))
	}
	if !strings.Contains(got, "控制台尚未构建") || !strings.Contains(got, "make console") {
		t.Errorf("page %q", got)
	}
	if r := get(t, h, http.MethodGet, "/assets/app.js"); r.StatusCode != http.StatusNotFound {
		t.Errorf("asset: %d", r.StatusCode)
	}
}

func TestHandlerServesThisBuild(t *testing.T) {
	r := get(t, Handler(messages(t)), http.MethodGet, "/")
	if got := body(t, r); !strings.Contains(got, "大厅边缘系统 HallEdge") {
		t.Errorf("page %q", got)
	}
}
