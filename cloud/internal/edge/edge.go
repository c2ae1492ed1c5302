// Package edge gives the centre's HTTP door for halls' boxes: enrolment by a code, renewal of certificates, and the questions about
// citizens' codes. People and browsers have no business here.
package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/cert"
	"halledge/agent/kit/limit"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/gate"
	"halledge/cloud/internal/guard"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/pki"
	"halledge/cloud/internal/province"
	"halledge/firmware-protocols/hallsync"
)

// Bounds of the server.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 20 * time.Second
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
	maxConns      = 2048

	// retry is when a box asks again that has to wait for somebody.
	retry = 5 * time.Minute

	// answerLife is how long the answer to a renewal is good. The clocks of halls are wrong by less.
	answerLife = 24 * time.Hour

	// Signed questions of boxes whose certificate is over: from one network, as many at once and then one in each pause.
	lateBurst = 20
	latePause = time.Second
	lateKeys  = 4096
)

// Vault has the centre's SM2 keys.
type Vault interface {
	// Sign signs with the key in force.
	Sign(message []byte) ([]byte, error)
	// For gives the newest signing key of those that a box knows.
	For(known ...string) hallsync.MessageSigner
}

// Options are the parts of a Server.
type Options struct {
	Register *pki.Register
	Vault    Vault
	Keys     hallsync.CentreKeys // the public halves of the vault's keys
	// Index gives the keys of a hall's index of people, wrapped for one of the box's keys; nil: there are none.
	Index func(ctx context.Context, hall hallsync.HallID, to gm.PublicKey) ([]hallsync.IndexKey, error)
	// Logs counts the logs of a hall that were heard from since its last business day began; nil: there are none.
	Logs      func(ctx context.Context, hall hallsync.HallID) (int, error)
	Addresses hallsync.CentreAddresses // where boxes reach the centre
	Changed   func()                   // certificates were revoked or issued; may be nil
	Codes     http.Handler             // answers questions about citizens' codes at /edge/v1/codes; nil: nobody does
	Bundles   http.Handler             // gives halls their notices at /edge/v1/bundles/{id}, see HallOf; nil: nobody does
	Catalog   *problem.Catalog
	Now       func() time.Time
	Log       *slog.Logger
}

// HallOf gives the hall whose certificate a request came with.
func HallOf(r *http.Request) (hall hallsync.HallID, ok bool) {
	p, ok := r.Context().Value(proofKey{}).(proof)
	return p.hall, ok
}

// Server answers boxes.
type Server struct {
	o    Options
	late *origin.Limit
	door *gm.Door
	mux  *http.ServeMux
}

// The codes of the answers, beside those of package pki.
const (
	codeMessage  problem.Code = "edge_message"
	codeNoHall   problem.Code = "edge_no_hall"
	codeUnproved problem.Code = "edge_unproved"
	codeFailed   problem.Code = "edge_failed"
	codeNotFound problem.Code = "not_found"
	codeMethod   problem.Code = "method_not_allowed" // method
)

// New gives a server.
func New(o Options) *Server {
	s := &Server{o: o, late: origin.NewLimit(latePause, lateBurst, lateKeys), mux: http.NewServeMux()}
	s.door = gm.NewDoorOf(func(believed string, message []byte) ([]byte, error) { return o.Vault.For(believed).Sign(message) }, s.keyOf)
	for _, m := range s.mounts() {
		if m.handler != nil {
			s.mux.Handle(m.pattern, m.handler)
		}
	}
	return s
}

// mount is a part of the server and where it is.
type mount struct {
	pattern string
	handler http.Handler // nil: there is none
}

// mounts lists everything that is answered.
func (s *Server) mounts() []mount {
	return []mount{
		{"POST " + hallsync.PathEnrol, http.HandlerFunc(s.enrol)},
		{"POST " + hallsync.PathRenew, http.HandlerFunc(s.renew)},
		{"POST " + hallsync.PathRenewal, http.HandlerFunc(s.renewal)},
		{"POST " + province.Path, s.o.Codes},
		{"GET /edge/v1/bundles/{id}", s.o.Bundles},
	}
}

// Patterns lists where the parts of the server are, also those that not every centre has: each has to say who is let in.
func Patterns() (all []string) {
	for _, m := range new(Server).mounts() {
		all = append(all, m.pattern)
	}
	return all
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard.Headers(w.Header(), true)
	r.Body = http.MaxBytesReader(w, r.Body, hallsync.MaxEnrolMessage)
	s.mux.ServeHTTP(&worded{ResponseWriter: w, catalog: s.o.Catalog, method: r.Method}, r)
}

// Serve answers on listeners of package gate until ctx ends.
func (s *Server) Serve(ctx context.Context, doors ...net.Listener) error {
	limited := limit.New(limit.Join(doors...), maxConns)
	srv := &http.Server{
		Handler: s, ConnState: limited.State, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: 2 * bodyTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if hall, ok := gate.HallOf(c); ok {
				return context.WithValue(ctx, proofKey{}, proof{hall, gate.SerialOf(c)})
			}
			return ctx
		},
	}
	if err := guard.Serve(ctx, srv, limited); err != nil {
		return fmt.Errorf("serve boxes: %w", err)
	}
	return nil
}

// proof is the hall that a connection has proved, and the serial number of the certificate it did so with. A request has it under proofKey.
type proof struct {
	hall   hallsync.HallID
	serial string
}

type proofKey struct{}

// keyOf gives the key with which a hall signs its questions.
func (s *Server) keyOf(name string) (gm.PublicKey, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), bodyTimeout)
	defer cancel()
	key, _, err := s.o.Register.SigningKey(ctx, hallsync.HallID(name))
	var f *pki.Fault
	if err != nil && !errors.As(err, &f) {
		s.o.Log.Error("signing key not read", "error", err)
	}
	return key, err == nil
}

func (s *Server) enrol(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var ask hallsync.EnrolAsk
	if err == nil {
		ask, err = hallsync.ParseEnrolAsk(body)
	}
	if err != nil {
		s.refuse(w, http.StatusBadRequest, codeMessage)
		return
	}
	issued, err := s.o.Register.Enrol(r.Context(), pki.Ask{
		Hall: ask.Hall, Secret: ask.Secret, Serial: ask.Serial, Requests: ask.Requests, Remote: remote(r),
	})
	s.answer(w, r, ask.Hall, nil, issued, err)
}

func (s *Server) renew(w http.ResponseWriter, r *http.Request) {
	by, proved := r.Context().Value(proofKey{}).(proof)
	if !proved {
		s.refuse(w, http.StatusUnauthorized, codeNoHall)
		return
	}
	body, err := io.ReadAll(r.Body)
	var ask hallsync.RenewAsk
	if err == nil {
		ask, err = hallsync.ParseRenewAsk(body)
	}
	if err != nil {
		s.refuse(w, http.StatusBadRequest, codeMessage)
		return
	}
	issued, err := s.o.Register.Renew(r.Context(), by.hall, by.serial, ask.Requests, remote(r))
	s.answer(w, r, by.hall, &ask, issued, err)
}

// renewal answers boxes whose certificate is over, by questions that they have signed.
func (s *Server) renewal(w http.ResponseWriter, r *http.Request) {
	if !s.late.Allow(origin.Network(remote(r))) {
		s.refuse(w, http.StatusTooManyRequests, problem.Code(pki.CodeTooMany))
		return
	}
	s.door.Handler(func(ctx context.Context, name string, body []byte) (int, []byte) {
		ask, err := hallsync.ParseRenewAsk(body)
		if err != nil {
			return http.StatusBadRequest, s.problem(http.StatusBadRequest, codeMessage).Body()
		}
		hall := hallsync.HallID(name)
		issued, err := s.o.Register.RenewLate(ctx, hall, ask.Requests, remote(r))
		return s.outcome(ctx, hall, &ask, issued, err)
	}).ServeHTTP(w, r)
}

// answer writes what became of an ask; renewal is nil when it showed a code.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, hall hallsync.HallID, renewal *hallsync.RenewAsk, issued pki.Issued, err error) {
	status, body := s.outcome(r.Context(), hall, renewal, issued, err)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case status >= http.StatusBadRequest:
		w.Header().Set("Content-Type", problem.ContentType)
	case status == http.StatusAccepted:
		w.Header().Set("Retry-After", strconv.Itoa(int(retry.Seconds())))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // who has gone away cannot be told anything
}

// outcome gives the answer to an ask.
func (s *Server) outcome(ctx context.Context, hall hallsync.HallID, renewal *hallsync.RenewAsk, issued pki.Issued, err error) (status int, body []byte) {
	var f *pki.Fault
	switch {
	case errors.Is(err, pki.ErrWaiting):
		return s.said(http.StatusAccepted, hallsync.EnrolAnswer{RetryS: int(retry.Seconds())})
	case errors.As(err, &f):
		status = statusOf(f.Code)
		return status, s.problem(status, problem.Code(f.Code)).Body()
	case err == nil:
		var given hallsync.EnrolAnswer
		if given, err = s.given(ctx, hall, renewal, issued); err == nil {
			if s.o.Changed != nil {
				s.o.Changed()
			}
			return s.said(http.StatusOK, given)
		}
	}
	s.o.Log.Error("box not answered", "hall", hall, "error", err)
	return http.StatusInternalServerError, s.problem(http.StatusInternalServerError, codeFailed).Body()
}

// given gives what a box is answered: to a code as it is, and to a renewal signed with a key that the box knows.
func (s *Server) given(ctx context.Context, hall hallsync.HallID, renewal *hallsync.RenewAsk, issued pki.Issued) (a hallsync.EnrolAnswer, err error) {
	e, err := s.enrolled(ctx, hall, issued)
	if err == nil && renewal == nil && s.o.Logs != nil {
		var logs int
		logs, err = s.o.Logs(ctx, hall)
		e.Before = hallsync.BeforeOf(logs)
	}
	if err != nil || renewal == nil {
		return hallsync.EnrolAnswer{Enrolled: e}, err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return a, err
	}
	now := s.o.Now()
	a.Signed, err = hallsync.Signed{
		Type: hallsync.SignedEnrolled, Hall: hall, Seq: uint64(now.UnixMilli()), At: now, NotAfter: now.Add(answerLife), Body: body,
	}.Sign(s.o.Vault.For(renewal.Knows...))
	return a, err
}

// enrolled gives all that a box is told together with its certificates.
func (s *Server) enrolled(ctx context.Context, hall hallsync.HallID, issued pki.Issued) (*hallsync.Enrolled, error) {
	e := &hallsync.Enrolled{
		TLS: issued.TLS, Sign: issued.Sign, Encrypt: issued.Encrypt, SealedKey: issued.SealedKey, Web: issued.Web,
		Roots: s.o.Register.Roots().Trusted(), Centre: s.o.Keys,
	}
	if s.o.Addresses != (hallsync.CentreAddresses{}) {
		e.Addresses = &s.o.Addresses
	}
	var err error
	if e.Revoked, err = s.o.Register.Revocations(ctx, s.o.Vault.Sign); err != nil || s.o.Index == nil {
		return e, err
	}
	own, err := cert.Parse(issued.Encrypt)
	if err != nil {
		return nil, err
	}
	e.Index, err = s.o.Index(ctx, hall, own.PublicKey())
	return e, err
}

func (s *Server) said(status int, v any) (int, []byte) {
	body, err := json.Marshal(v)
	if err != nil {
		return http.StatusInternalServerError, s.problem(http.StatusInternalServerError, codeFailed).Body()
	}
	return status, body
}

func (s *Server) problem(status int, code problem.Code) problem.Problem {
	return s.o.Catalog.Problem(status, code, nil)
}

func (s *Server) refuse(w http.ResponseWriter, status int, code problem.Code) {
	problem.Write(w, s.problem(status, code))
}

func statusOf(code pki.Code) int {
	switch code {
	case pki.CodeTooMany:
		return http.StatusTooManyRequests
	case pki.CodeRequest:
		return http.StatusUnprocessableEntity
	case pki.CodeClock:
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

// remote gives the peer's address. There is no proxy in front of this door: nobody else could check the certificates.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
