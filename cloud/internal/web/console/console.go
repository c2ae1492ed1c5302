// Package console gives the operators' web pages: the built Vue application, embedded. Its sources are in src/, its built
// files in dist/www are made by `make console` and not committed; without them every page says how to make them.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/problem"
)

//go:embed dist
var embedded embed.FS

// policy lets a page run only what this server sent: no inline script or style, no foreign host, no framing.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; " +
	"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const (
	foreverCache = "public, max-age=31536000, immutable" // names under assets/ carry a hash of the content
	askCache     = "no-cache"                            // may be kept, is asked for again by ETag
)

// file is one built file and its gzip twin, if the build made one.
type file struct {
	raw, zipped []byte
	contentType string
	etag        string
	cache       string
}

type site struct {
	files map[string]file // by path without the leading slash
	page  file            // answers every path that is a page of the application
	code  int             // status of page: 503 while the console is not built
	said  *problem.Catalog
}

// The codes of what is refused here.
const (
	codeNotFound problem.Code = "not_found"
	codeMethod   problem.Code = "method_not_allowed" // method
)

// Handler serves the console: GET and HEAD of the built files, and the application's page for every other path without
// a file name's ending, because the application finds its own pages.
//
// What it refuses it says with the texts of said.
func Handler(said *problem.Catalog) http.Handler {
	built, err := fs.Sub(embedded, "dist/www")
	if err != nil {
		return unbuilt(said)
	}
	s, err := load(built, said)
	if err != nil {
		return unbuilt(said)
	}
	return s
}

func unbuilt(said *problem.Catalog) http.Handler {
	raw, err := embedded.ReadFile("dist/unbuilt.html")
	if err != nil {
		raw = []byte("console not built: make console")
	}
	return &site{page: newFile("unbuilt.html", raw, nil), code: http.StatusServiceUnavailable, said: said}
}

// load reads all built files. It fails when there is no index.html.
func load(built fs.FS, said *problem.Catalog) (*site, error) {
	s := &site{files: map[string]file{}, code: http.StatusOK, said: said}
	err := fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".gz") {
			return err
		}
		raw, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		zipped, err := fs.ReadFile(built, name+".gz")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.files[name] = newFile(name, raw, zipped)
		return nil
	})
	if err != nil {
		return nil, err
	}
	index, ok := s.files["index.html"]
	if !ok {
		return nil, fs.ErrNotExist
	}
	s.page = index
	return s, nil
}

func newFile(name string, raw, zipped []byte) file {
	sum := sha256.Sum256(raw)
	f := file{raw: raw, zipped: zipped, contentType: contentType(name), etag: hex.EncodeToString(sum[:8]), cache: askCache}
	if strings.HasPrefix(name, "assets/") {
		f.cache = foreverCache
	}
	return f
}

// contentType does not ask the machine's own tables: they differ, and a browser refuses scripts of another type.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		problem.Write(w, s.said.Problem(http.StatusMethodNotAllowed, codeMethod, map[string]string{"method": r.Method}))
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if f, ok := s.files[name]; ok {
		f.serve(w, r)
		return
	}
	if path.Ext(name) != "" {
		problem.Write(w, s.said.Problem(http.StatusNotFound, codeNotFound, nil))
		return
	}
	if s.code != http.StatusOK {
		h.Set("Content-Type", s.page.contentType)
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(s.code)
		_, _ = w.Write(s.page.raw) // a reader that has gone is nobody's error
		return
	}
	s.page.serve(w, r)
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", f.cache)
	body, etag := f.raw, f.etag
	if f.zipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, etag = f.zipped, etag+"-gz"
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reports whether one of the codings is gzip with a weight other than 0 (RFC 9110 §12.5.3).
func acceptsGzip(headers []string) bool {
	for _, coding := range strings.Split(strings.Join(headers, ","), ",") {
		name, params, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		value, weighted := strings.CutPrefix(strings.TrimSpace(params), "q=")
		if !weighted {
			return true
		}
		weight, err := strconv.ParseFloat(value, 64)
		return err == nil && weight > 0
	}
	return false
}
