// Package access decides who may come in: people by password and session cookie, programs by bearer token, halls by the password
// of their MQTT user. Every sign-in is written to the audit.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/cloud/internal/store"
)

const (
	maxFailures  = 5                // wrong passwords in a row before the name is locked
	lockFor      = 15 * time.Minute // and the time after which failures are forgotten
	sessionLife  = 12 * time.Hour
	sessionIdle  = 2 * time.Hour
	touchEvery   = time.Minute
	hashesAtOnce = 2 // argon2id takes 19 MiB and a core each

	maxUser     = 64  // bytes looked at
	maxPassword = 256 // bytes looked at

	cookieName = "hall_session"
)

// The codes of a Refusal.
const (
	CodeSignIn problem.Code = "sign_in"        // nobody is signed in, or no longer
	CodeWrong  problem.Code = "sign_in_wrong"  // user or password
	CodeLocked problem.Code = "sign_in_locked" // too many failures; RetryAfter says how long

	CodeTooOften problem.Code = "rate_limited" // too many attempts from one address
)

// How somebody came in.
const (
	ByPassword = "password"
	ByToken    = "token"
)

// Refusal says that somebody may not come in.
type Refusal struct {
	Code       problem.Code
	RetryAfter time.Duration
}

func (e *Refusal) Error() string { return "access refused: " + string(e.Code) }

// Who is somebody who is in. Expires is zero for a token.
type Who struct {
	User    string
	Name    string
	By      string
	Expires time.Time
	session [32]byte
}

// Token lets a program in.
type Token struct {
	Name   string
	Secret string
}

// Options are the parts of a Desk.
type Options struct {
	Store  *store.Store
	Tokens []Token
	Secure bool             // mark cookies for https only
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger
}

// Desk lets people and programs in.
type Desk struct {
	store    *store.Store
	tokens   []tokenHash
	secure   bool
	now      func() time.Time
	log      *slog.Logger
	hashes   chan struct{}
	attempts *attempts
	decoy    phc.Hash // so that an unknown name takes as long as a known one
}

type tokenHash struct {
	name string
	hash [32]byte
}

// New makes a Desk.
func New(o Options) *Desk {
	d := &Desk{
		store: o.Store, secure: o.Secure, now: o.Now, log: o.Log, hashes: make(chan struct{}, hashesAtOnce),
		attempts: &attempts{from: map[string]*rate.Limiter{}}, decoy: phc.New([]byte(rand.Text())),
	}
	if d.now == nil {
		d.now = time.Now
	}
	for _, t := range o.Tokens {
		d.tokens = append(d.tokens, tokenHash{name: t.Name, hash: sha256.Sum256([]byte(t.Secret))})
	}
	return d
}

// SignIn checks a password. On success it gives the cookie to set; a *Refusal says why not. After five failures in a row the name
// is locked for a quarter of an hour, whether there is such a user or not. The audit has every password that was judged.
func (d *Desk) SignIn(ctx context.Context, user, password, remote string) (*http.Cookie, Who, error) {
	if !d.attempts.allow(remote) {
		return nil, Who{}, &Refusal{Code: CodeTooOften, RetryAfter: attemptPause}
	}
	if len(user) > maxUser || len(password) > maxPassword || user == "" {
		return nil, Who{}, &Refusal{Code: CodeWrong}
	}
	select {
	case d.hashes <- struct{}{}:
		defer func() { <-d.hashes }()
	case <-ctx.Done():
		return nil, Who{}, ctx.Err()
	}
	failures, err := d.store.Failures(ctx, user)
	if err != nil {
		return nil, Who{}, fmt.Errorf("sign in: %w", err)
	}
	if wait := failures.Locked.Sub(d.now()); wait > 0 {
		return nil, Who{}, &Refusal{Code: CodeLocked, RetryAfter: wait}
	}
	u, known, err := d.store.User(ctx, user)
	if err != nil {
		return nil, Who{}, fmt.Errorf("sign in: %w", err)
	}
	hash := d.decoy
	if known {
		if hash, err = phc.Parse(u.Password); err != nil {
			return nil, Who{}, fmt.Errorf("sign in: password of %s: %w", user, err)
		}
	}
	if !hash.Matches([]byte(password)) || !known {
		return nil, Who{}, d.failed(ctx, user, remote)
	}
	return d.open(ctx, u, remote)
}

// open begins a session.
func (d *Desk) open(ctx context.Context, u store.User, remote string) (*http.Cookie, Who, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	text := base64.RawURLEncoding.EncodeToString(secret)
	now := d.now()
	who := Who{User: u.Name, Name: u.FullName, By: ByPassword, Expires: now.Add(sessionLife), session: sha256.Sum256([]byte(text))}
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ClearFailures(u.Name); err != nil {
			return err
		}
		s := store.Session{TokenHash: who.session, Name: u.Name, Created: now, Used: now, Expires: who.Expires}
		if err := tx.AddSession(s, now); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: now, Actor: u.Name, Action: "sign_in", Result: "ok", Remote: remote})
	})
	if err != nil {
		return nil, Who{}, fmt.Errorf("sign in: %w", err)
	}
	return d.cookie(text, int(sessionLife.Seconds())), who, nil
}

// failed counts a failure, and locks the name at the last one.
func (d *Desk) failed(ctx context.Context, user, remote string) error {
	now := d.now()
	refusal := &Refusal{Code: CodeWrong}
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		f, err := tx.Failures(user)
		if err != nil {
			return err
		}
		if now.Sub(f.Last) > lockFor {
			f = store.Failures{Name: user}
		}
		f.Failed, f.Last = f.Failed+1, now
		if f.Failed >= maxFailures {
			f.Locked = now.Add(lockFor)
			refusal = &Refusal{Code: CodeLocked, RetryAfter: lockFor}
		}
		if err := tx.PutFailures(f, now.Add(-lockFor)); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: now, Actor: user, Action: "sign_in", Result: string(refusal.Code), Remote: remote})
	})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	d.log.Warn("sign-in refused", "code", refusal.Code, "remote", remote)
	return refusal
}

// Note writes an audit line. Its time is set here.
func (d *Desk) Note(ctx context.Context, a store.Audit) error {
	a.At = d.now()
	if err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.AddAudit(a) }); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// SignOut ends a session, and gives the cookie that takes the browser's away. A token has no session to end.
func (d *Desk) SignOut(ctx context.Context, who Who, remote string) (*http.Cookie, error) {
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.DropSession(who.session); err != nil {
			return err
		}
		return tx.AddAudit(store.Audit{At: d.now(), Actor: who.User, Action: "sign_out", Result: "ok", Remote: remote})
	})
	if err != nil {
		return nil, fmt.Errorf("sign out: %w", err)
	}
	return d.cookie("", -1), nil
}

func (d *Desk) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: d.secure,
	}
}

// Identify says who sends a request. It fails with a *Refusal when nobody is signed in. A request with Authorization is judged by
// that alone.
func (d *Desk) Identify(r *http.Request) (Who, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return d.bearer(header)
	}
	c, err := r.Cookie(cookieName)
	if err != nil || len(c.Value) > maxPassword {
		return Who{}, &Refusal{Code: CodeSignIn}
	}
	ctx := r.Context()
	hash := sha256.Sum256([]byte(c.Value))
	s, u, found, err := d.store.Session(ctx, hash)
	if err != nil {
		return Who{}, fmt.Errorf("identify: %w", err)
	}
	now := d.now()
	if !found || !now.Before(s.Expires) || now.Sub(s.Used) >= sessionIdle {
		return Who{}, &Refusal{Code: CodeSignIn}
	}
	if now.Sub(s.Used) >= touchEvery {
		if err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.TouchSession(hash, now) }); err != nil {
			return Who{}, fmt.Errorf("identify: %w", err)
		}
	}
	return Who{User: u.Name, Name: u.FullName, By: ByPassword, Expires: s.Expires, session: hash}, nil
}

func (d *Desk) bearer(header string) (Who, error) {
	scheme, token, _ := strings.Cut(header, " ")
	sum := sha256.Sum256([]byte(token))
	found := ""
	for _, t := range d.tokens { // all of them, so that the time says nothing
		if subtle.ConstantTimeCompare(t.hash[:], sum[:]) == 1 {
			found = t.name
		}
	}
	if !strings.EqualFold(scheme, "Bearer") || found == "" {
		return Who{}, &Refusal{Code: CodeSignIn}
	}
	return Who{User: found, Name: found, By: ByToken}, nil
}
