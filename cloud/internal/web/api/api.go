package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"mime"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/halls"
	"halledge/cloud/internal/notices"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/store"
)

// maxBody bounds the body of a request.
const maxBody = 64 << 10

// The codes of the problems this package answers with, beside those of package access.
const (
	codeNotFound       problem.Code = "not_found"
	codeMethod         problem.Code = "method_not_allowed" // method
	codeBodyInvalid    problem.Code = "body_invalid"       // reason
	codeBodyLarge      problem.Code = "body_too_large"     // limit
	codeBodySlow       problem.Code = "body_slow"
	codeNotAllowed     problem.Code = "not_allowed"
	codeQueryInvalid   problem.Code = "query_invalid" // name
	codeHallUnknown    problem.Code = "hall_unknown"  // hall
	codeForeignOrigin  problem.Code = "foreign_origin"
	codeTooManyStreams problem.Code = "too_many_streams"
	codeHostUnknown    problem.Code = "host_unknown"
	codeInternal       problem.Code = "internal" // id
	codePasswordFirst  problem.Code = "password_first"
	codeFactorFirst    problem.Code = "factor_first"
	codePasswordWrong  problem.Code = "password_wrong"
)

// KnownCamera is a camera the cloud's configuration names.
type KnownCamera struct {
	Code  string
	Name  string
	Scene int
	Hall  halls.Hall
}

// Live is what the video node knows of a camera.
type Live struct {
	Arriving bool
	Viewers  int
}

// Options are the parts the API answers from.
type Options struct {
	Store   *store.Store
	Opener  *sealed.Opener
	Board   *halls.Board
	Desk    *access.Desk
	Notices *notices.Desk
	Catalog *problem.Catalog
	Cameras []KnownCamera            // in order of code
	Live    func(camera string) Live // nil: there is no video node
	Zone    *time.Location           // of the times in answers
	Version string
	Closing context.Context // ends with the program: streams end then
	Log     *slog.Logger
}

// API answers under /api/v1.
type API struct {
	Options
	mux        *http.ServeMux
	cross      *http.CrossOriginProtection
	streams    chan struct{}
	publishing chan struct{}
	doc        []byte // openapi.json
}

// New makes the API. It is an http.Handler for all of /api/.
func New(o Options) (*API, error) {
	a := &API{
		Options: o, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), streams: make(chan struct{}, maxStreams),
		publishing: make(chan struct{}, maxPublishing),
	}
	if a.Live == nil {
		a.Live = func(string) Live { return Live{} }
	}
	routes := a.routes()
	doc, err := describe(routes, o.Version)
	if err != nil {
		return nil, err
	}
	a.doc = doc
	methods := map[string][]string{}
	for _, rt := range routes {
		a.mux.HandleFunc(rt.method+" "+rt.path, a.serve(rt))
		methods[rt.path] = append(methods[rt.path], rt.method)
		if rt.method == http.MethodGet {
			methods[rt.path] = append(methods[rt.path], http.MethodHead)
		}
	}
	for path, allowed := range methods {
		a.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			a.refuse(w, http.StatusMethodNotAllowed, codeMethod, "method", r.Method)
		})
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { a.refuse(w, http.StatusNotFound, codeNotFound) })
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	a.mux.ServeHTTP(w, r)
}

// call is one request that has come through the door. who is zero on public routes.
type call struct {
	w   http.ResponseWriter
	r   *http.Request
	who access.Who
}

// board is the board as the one who asks may see it. Nothing here reads it otherwise.
func (a *API) board(c *call) halls.View { return a.Board.In(c.who.Scope) }

func (a *API) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		err := a.enter(c, rt)
		if err == nil {
			err = rt.handle(c)
		}
		if err != nil {
			a.Fail(w, r, err)
		}
	}
}

// enter checks origin, sign-in and rights.
func (a *API) enter(c *call, rt route) error {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, cmp.Or(rt.limit, maxBody))
	if rt.public {
		return a.sameOrigin(c.r)
	}
	var err error
	c.who, err = a.identify(c.r)
	if err == nil && !rt.self {
		err = a.allowed(c.who, rt.may)
	}
	return err
}

// Admit says who sends a request, for handlers beside this API, if he has one of the rights.
func (a *API) Admit(r *http.Request, some rights.Right) (access.Who, error) {
	who, err := a.identify(r)
	if err == nil {
		err = a.allowed(who, some)
	}
	return who, err
}

// RefuseHost answers a request that names a host which is not ours.
func (a *API) RefuseHost(w http.ResponseWriter) {
	a.refuse(w, http.StatusMisdirectedRequest, codeHostUnknown)
}

// identify says who sends a request. A browser's request that changes something must come from the console's own origin; a program
// with a bearer token has none.
func (a *API) identify(r *http.Request) (access.Who, error) {
	who, err := a.Desk.Identify(r)
	if err != nil {
		return access.Who{}, err
	}
	if who.InSession() {
		err = a.sameOrigin(r)
	}
	return who, err
}

// allowed refuses somebody who has none of the rights, or something to do first.
func (a *API) allowed(who access.Who, some rights.Right) error {
	switch {
	case who.Must == access.MustPassword:
		return a.problem(http.StatusForbidden, codePasswordFirst)
	case who.Must == access.MustFactor:
		return a.problem(http.StatusForbidden, codeFactorFirst)
	case !who.May(some):
		return a.problem(http.StatusForbidden, codeNotAllowed)
	}
	return nil
}

func (a *API) sameOrigin(r *http.Request) error {
	if err := a.cross.Check(r); err != nil {
		return a.problem(http.StatusForbidden, codeForeignOrigin)
	}
	return nil
}

// Fail answers with the problem an error stands for. What is nobody's fault but ours is logged under a number that the answer
// names.
func (a *API) Fail(w http.ResponseWriter, r *http.Request, err error) {
	var p problem.Problem
	var refusal *access.Refusal
	var fault *access.Fault
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		problem.Write(w, p)
	case errors.As(err, &fault):
		problem.Write(w, a.Catalog.Problem(statusOf(fault.Code), fault.Code, fault.Args))
	case errors.As(err, &refusal):
		a.refusal(w, refusal)
	case errors.As(err, &large):
		a.refuse(w, http.StatusRequestEntityTooLarge, codeBodyLarge, "limit", strconv.FormatInt(large.Limit, 10))
	case errors.Is(err, os.ErrDeadlineExceeded):
		a.refuse(w, http.StatusRequestTimeout, codeBodySlow)
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		// the client has gone
	default:
		id := rand.Text()[:8]
		a.Log.Error("request failed", "id", id, "method", r.Method, "path", r.URL.Path, "error", err)
		a.refuse(w, http.StatusInternalServerError, codeInternal, "id", id)
	}
}

func (a *API) refusal(w http.ResponseWriter, e *access.Refusal) {
	status := http.StatusUnauthorized
	if e.RetryAfter > 0 {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	switch e.Code {
	case access.CodeUnifiedOff:
		status = http.StatusNotFound
	case access.CodeBusy, access.CodePlatformDown:
		status = http.StatusServiceUnavailable
	case access.CodeSignIn:
		w.Header().Set("WWW-Authenticate", `Bearer realm="hall-cloud"`)
	}
	// Rounded up: who comes back when told so is let in.
	minutes, seconds := math.Ceil(e.RetryAfter.Minutes()), math.Ceil(e.RetryAfter.Seconds())
	a.refuse(w, status, e.Code, "minutes", strconv.Itoa(int(minutes)), "seconds", strconv.Itoa(int(seconds)))
}

// problem makes a problem; args are pairs of name and value.
func (a *API) problem(status int, code problem.Code, args ...string) problem.Problem {
	m := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return a.Catalog.Problem(status, code, m)
}

func (a *API) refuse(w http.ResponseWriter, status int, code problem.Code, args ...string) {
	problem.Write(w, a.problem(status, code, args...))
}

// read decodes the body of a request strictly.
func (a *API) read(c *call, into any) error {
	bad := func(reason string) error { return a.problem(http.StatusBadRequest, codeBodyInvalid, "reason", reason) }
	if t, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return bad("Content-Type: application/json")
	}
	d := json.NewDecoder(c.r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case err != nil:
		return bad("JSON")
	case d.More():
		return bad("JSON")
	}
	return nil
}

// write answers with JSON.
func (a *API) write(c *call, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // a client that has gone cannot be told
	return nil
}

// remote is the address of the client without its port.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
