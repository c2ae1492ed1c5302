package edge

import (
	"net/http"
	"strings"

	"halledge/agent/kit/problem"
)

// worded gives refusals that come without words, such as those of a mux or of a door for signed questions, as problems.
type worded struct {
	http.ResponseWriter
	catalog *problem.Catalog
	method  string
	said    bool // the problem is written, and nothing else is
}

// WriteHeader implements http.ResponseWriter.
func (w *worded) WriteHeader(status int) {
	h := w.Header()
	if status < http.StatusBadRequest || strings.HasPrefix(h.Get("Content-Type"), "application/") {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.said = true
	h.Del("Content-Length")
	code, args := codeFailed, map[string]string(nil)
	switch {
	case status == http.StatusNotFound:
		code = codeNotFound
	case status == http.StatusMethodNotAllowed:
		code, args = codeMethod, map[string]string{"method": w.method}
	case status == http.StatusUnauthorized:
		code = codeUnproved
	case status < http.StatusInternalServerError:
		code = codeMessage
	}
	problem.Write(w.ResponseWriter, w.catalog.Problem(status, code, args))
}

// Write implements http.ResponseWriter.
func (w *worded) Write(p []byte) (int, error) {
	if w.said {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *worded) Unwrap() http.ResponseWriter { return w.ResponseWriter }
