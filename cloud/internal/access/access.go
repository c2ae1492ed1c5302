// Package access decides who may come in: people by password, second factor and session cookie, programs by bearer token, halls by the
// password of their MQTT user. What people do is written to the audit.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

const (
	sessionLife  = 12 * time.Hour
	sessionIdle  = 2 * time.Hour // without a request and without an open page
	touchEvery   = time.Minute
	hashesAtOnce = 2 // argon2id takes 19 MiB and a core each

	// So many may wait for their turn, and those who sign in where they did before have places of their own: strangers who come
	// in a crowd keep nobody from his work.
	maxWaiting = 16
	busyPause  = 5 * time.Second

	maxUser     = 64  // bytes looked at
	maxPassword = 256 // bytes looked at

	cookieName = "hall_session"
)

// The codes of a Refusal.
const (
	CodeSignIn   problem.Code = "sign_in"        // nobody is signed in, or no longer
	CodeWrong    problem.Code = "sign_in_wrong"  // user or password
	CodeLocked   problem.Code = "sign_in_locked" // too many failures from here; RetryAfter says how long
	CodeSlowed   problem.Code = "sign_in_slowed" // too many failures from elsewhere or under other names; RetryAfter
	CodeTooOften problem.Code = "rate_limited"   // too many attempts from one network; RetryAfter
	CodeBusy     problem.Code = "sign_in_busy"   // too many wait for their passwords to be judged; RetryAfter

	CodeNeedsCode problem.Code = "sign_in_code"       // the password is right, and a code of the second factor is missing
	CodeWrongCode problem.Code = "sign_in_code_wrong" // or was used before
	// the password is right, and the certificate is missing that he proves himself with, or is another one or not good any more
	CodeNeedsCertificate problem.Code = "sign_in_certificate"

	CodeSignedOut problem.Code = "session_signed_out" // by another page of the same browser
	CodeReplaced  problem.Code = "session_replaced"   // somebody signed in anew with the same browser
	CodeExpired   problem.Code = "session_expired"
	CodeEnded     problem.Code = "session_ended" // the user was disabled, or has another password
)

// How somebody came in.
const (
	ByPassword = "password"
	ByOIDC     = "oidc" // through the unified identity platform
	ByToken    = "token"
	ByCommand  = "command" // an account of the machine, with hall-cloud
)

// Refusal says that somebody may not come in, or not stay.
type Refusal struct {
	Code       problem.Code
	RetryAfter time.Duration
}

func (e *Refusal) Error() string { return "access refused: " + string(e.Code) }

// What somebody has to do before anything else.
const (
	MustPassword = "password"      // choose a password of his own
	MustFactor   = "second_factor" // set up a second factor
)

// Who is somebody who is in. Expires is zero for a token.
type Who struct {
	User         string
	Name         string
	Roles        rights.Roles
	Scope        rights.Scope
	By           string
	Must         string // what comes first: MustPassword, MustFactor or nothing
	SecondFactor bool   // has codes of one
	Expires      time.Time
	session      sessionID
	certificate  string // that the session was begun with, and is of no use without
}

// InSession reports whether somebody is in with a browser, and not with a token.
func (w Who) InSession() bool { return isPerson(w.By) }

// isPerson reports whether people come in so.
func isPerson(by string) bool { return by == ByPassword || by == ByOIDC }

// May reports whether somebody may do one of the things now.
func (w Who) May(some rights.Right) bool { return w.Must == "" && w.Roles.May(some) }

// WithWho lets a context say who is in.
func WithWho(ctx context.Context, who Who) context.Context {
	return context.WithValue(ctx, whoKey{}, who)
}

// WhoOf gives who is in, as WithWho said; nobody when it was not said.
func WhoOf(ctx context.Context) (Who, bool) {
	who, ok := ctx.Value(whoKey{}).(Who)
	return who, ok
}

type whoKey struct{}

// sessionID is the SHA-256 of a cookie.
type sessionID = [sha256.Size]byte

// Token lets a program in.
type Token struct {
	Name   string
	Secret string
	Roles  rights.Roles
	Scope  rights.Scope
}

// Options are the parts of a Desk.
type Options struct {
	Store  *store.Store
	Tokens []Token
	Secure bool             // mark cookies for https only
	Factor bool             // administrators must have a second factor
	Vault  Vault            // seals the secrets of second factors; nil: they are kept as they are
	OIDC   *OIDC            // nil: there is no unified identity platform
	Keep   time.Duration    // how long the audit is kept; 0: for ever
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger
}

// Desk lets people and programs in. Run watches over those who stay.
type Desk struct {
	store     *store.Store
	tokens    []tokenHash
	secure    bool
	factor    bool
	vault     Vault
	unified   *unified      // nil: there is none
	keep      time.Duration // of the audit
	now       func() time.Time
	log       *slog.Logger
	tries     *origin.Limit // by network
	hashes    chan struct{}
	regulars  chan struct{} // those who wait for hashes on a network they are familiar on
	strangers chan struct{} // the others who wait
	decoy     phc.Hash      // so that an unknown name takes as long as a known one
	markKey   []byte        // for names nobody has; dies with the process

	mu    sync.Mutex
	holds map[*hold]struct{}
}

type tokenHash struct {
	who  Who
	hash [sha256.Size]byte
}

// New makes a Desk.
func New(o Options) *Desk {
	d := &Desk{
		store: o.Store, secure: o.Secure, factor: o.Factor, vault: o.Vault, keep: o.Keep, now: o.Now, log: o.Log, tries: origin.NewLimit(attemptPause, attemptBurst, maxNetworks),
		hashes: make(chan struct{}, hashesAtOnce), regulars: make(chan struct{}, maxWaiting), strangers: make(chan struct{}, maxWaiting),
		decoy: phc.Decoy(), unified: newUnified(o.OIDC), markKey: []byte(rand.Text()), holds: map[*hold]struct{}{},
	}
	if d.now == nil {
		d.now = time.Now
	}
	for _, t := range o.Tokens {
		who := Program(t.Name)
		who.Roles, who.Scope = t.Roles, t.Scope
		d.tokens = append(d.tokens, tokenHash{who: who, hash: sha256.Sum256([]byte(t.Secret))})
	}
	return d
}

// Program names a program that has shown the secret of a token, for the audit.
func Program(token string) Who { return Who{User: token, Name: token, By: ByToken} }

func (d *Desk) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: d.secure,
	}
}

// Carried gives the value of the session cookie that a request carries; empty when there is none that could be ours.
func Carried(r *http.Request) string {
	c, err := r.Cookie(cookieName)
	if err != nil || len(c.Value) > maxPassword {
		return ""
	}
	return c.Value
}

// Identify says who sends a request. It fails with a *Refusal when nobody is signed in. A request with Authorization is judged by
// that alone.
func (d *Desk) Identify(r *http.Request) (Who, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return d.bearer(header)
	}
	cookie := Carried(r)
	if cookie == "" {
		return Who{}, &Refusal{Code: CodeSignIn}
	}
	ctx := r.Context()
	id := sessionOf(cookie)
	s, u, found, err := d.store.Session(ctx, id)
	if err != nil {
		return Who{}, fmt.Errorf("identify: %w", err)
	}
	now := d.now()
	if !found || over(s, now) || s.Certificate != "" && s.Certificate != printOf(Shown(r)) {
		return Who{}, &Refusal{Code: CodeSignIn}
	}
	if now.Sub(s.Used) >= touchEvery {
		if err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.TouchSession(id, now) }); err != nil {
			return Who{}, fmt.Errorf("identify: %w", err)
		}
	}
	return d.person(u, s), nil
}

// person is a user in a session.
func (d *Desk) person(u store.User, s store.Session) Who {
	who := Who{
		User: u.Name, Name: u.FullName, Roles: u.Roles, Scope: u.Scope, By: s.By, SecondFactor: u.SecondFactor, Expires: s.Expires, session: s.TokenHash,
		certificate: s.Certificate,
	}
	switch {
	case s.By == ByOIDC: // how he proves himself is the platform's matter
	case u.MustChange:
		who.Must = MustPassword
	case d.factor && u.Roles.Has(rights.Admin) && !u.SecondFactor && s.Certificate == "":
		who.Must = MustFactor
	}
	return who
}

// over reports whether a session has ended by itself.
func over(s store.Session, now time.Time) bool {
	return !now.Before(s.Expires) || now.Sub(s.Used) >= sessionIdle
}

func (d *Desk) bearer(header string) (Who, error) {
	scheme, token, _ := strings.Cut(header, " ")
	sum := sha256.Sum256([]byte(token))
	var found tokenHash
	for _, t := range d.tokens { // all of them, so that the time says nothing
		if subtle.ConstantTimeCompare(t.hash[:], sum[:]) == 1 {
			found = t
		}
	}
	if !strings.EqualFold(scheme, "Bearer") || found.who.User == "" {
		return Who{}, &Refusal{Code: CodeSignIn}
	}
	return found.who, nil
}
