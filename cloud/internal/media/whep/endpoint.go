package whep

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"halledge/agent/kit/problem"
)

// ServeHTTP implements http.Handler for /whep/{camera} and /whep/{camera}/{session}.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	camera, id, inSession := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	allow := "POST, OPTIONS"
	if inSession {
		allow = "DELETE, OPTIONS"
	}
	switch {
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", allow)
		w.Header().Set("Accept-Post", "application/sdp")
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost && !inSession:
		s.post(w, r, camera)
	case r.Method == http.MethodDelete && inSession:
		s.delete(w, camera, id)
	default:
		w.Header().Set("Allow", allow)
		s.refuse(w, http.StatusMethodNotAllowed, NotMethod, map[string]string{"method": r.Method})
	}
}

func (s *Server) refuse(w http.ResponseWriter, status int, code problem.Code, args map[string]string) {
	problem.Write(w, s.cfg.Messages.Problem(status, code, args))
}

// post begins a session.
func (s *Server) post(w http.ResponseWriter, r *http.Request, camera string) {
	permit, err := s.cfg.Authorize(r, camera)
	if err != nil {
		var p problem.Problem
		if errors.As(err, &p) {
			problem.Write(w, p)
		} else {
			s.refuse(w, http.StatusForbidden, NotAllowed, nil)
		}
		return
	}
	if permit.Release == nil {
		permit.Release = func() {}
	}
	if !s.admitted(w, r, camera, permit) {
		permit.Release()
	}
}

// admitted begins a session for somebody who may see the camera. Without one it has answered why.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request, camera string, permit Permit) bool {
	if !s.cfg.Known(camera) {
		s.refuse(w, http.StatusNotFound, CameraUnknown, nil)
		return false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/sdp" {
		s.refuse(w, http.StatusUnsupportedMediaType, OfferInvalid, nil)
		return false
	}
	offer, ok := s.read(w, r)
	if !ok {
		return false
	}
	if !s.take(camera) {
		w.Header().Set("Retry-After", "30")
		s.refuse(w, http.StatusServiceUnavailable, ViewersFull, nil)
		return false
	}
	v, refused := s.begin(r.Context(), camera, offer, permit)
	if refused != nil {
		problem.Write(w, *refused)
		return false
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", Prefix+camera+"/"+v.id)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	// A viewer that has gone away never connects, which ends the session.
	_, _ = io.WriteString(w, s.told(v.pc.LocalDescription().SDP))
	return true
}

// told leaves out of an answer the candidates of other addresses than the configured ones: where the library has none to put in the place
// of an interface's own, of IPv6 perhaps, it names that, and viewers would learn of the network inside.
func (s *Server) told(answer string) string {
	if len(s.cfg.Addresses) == 0 {
		return answer
	}
	lines := slices.DeleteFunc(strings.SplitAfter(answer, "\n"), func(line string) bool {
		words := strings.Fields(line) // RFC 8839, section 5.1: foundation, component, transport, priority, address
		return strings.HasPrefix(line, "a=candidate:") && (len(words) < 5 ||
			!slices.ContainsFunc(s.cfg.Addresses, func(a string) bool { return net.ParseIP(a).Equal(net.ParseIP(words[4])) }))
	})
	return strings.Join(lines, "")
}

// read reads an offer. When it can not, it has answered why.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (offer string, ok bool) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOffer))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		s.refuse(w, http.StatusRequestEntityTooLarge, BodyLarge, map[string]string{"limit": strconv.FormatInt(large.Limit, 10)})
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.refuse(w, http.StatusRequestTimeout, BodySlow, nil)
	case err != nil:
		s.refuse(w, http.StatusBadRequest, OfferInvalid, nil)
	}
	return string(raw), err == nil
}

// delete ends a session. Its id is a secret of its viewer, so nothing else is asked for.
func (s *Server) delete(w http.ResponseWriter, camera, id string) {
	s.mu.Lock()
	v := s.sessions[id]
	s.mu.Unlock()
	if v == nil || v.camera != camera {
		s.refuse(w, http.StatusNotFound, SessionGone, nil)
		return
	}
	v.stop()
	<-v.ended
	w.WriteHeader(http.StatusOK)
}
