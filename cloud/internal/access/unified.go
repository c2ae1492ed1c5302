package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access/oidc"
	"halledge/cloud/internal/origin"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

const (
	journeyLife = 10 * time.Minute // from leaving for the platform to coming back
	maxJourneys = 4096             // at once
	maxState    = 128              // bytes looked at
	askAtOnce   = 8                // who wait for the platform

	journeyCookie = "hall_journey"
	journeyPath   = "/api/v1/session/oidc" // where it is sent
)

// The codes of a Refusal of those who come through the unified identity platform.
const (
	CodeUnifiedOff    problem.Code = "oidc_off"       // there is none
	CodePlatformDown  problem.Code = "oidc_down"      // it does not answer
	CodeJourney       problem.Code = "oidc_state"     // came back too late, twice, or with another browser
	CodeDenied        problem.Code = "oidc_denied"    // the platform did not let him in
	CodeNotVouched    problem.Code = "oidc_refused"   // what it says of him is good for nothing
	CodeStranger      problem.Code = "oidc_unknown"   // no account is his
	CodeNoRights      problem.Code = "oidc_no_rights" // no rule speaks of him
	CodeNameTaken     problem.Code = "oidc_taken"     // by an account that is not his
	CodeFactorMissing problem.Code = "oidc_factor"    // an administrator who has not shown enough
)

// OIDC is a unified identity platform, and what it may say of people. An administrator must come by one of AdminAMR and with one of
// AdminACR, where these name any.
type OIDC struct {
	Platform           *oidc.Platform
	Accounts           string // as config has it
	Name, FullName     string // claims
	Rules              []Rule // the first one that speaks of somebody counts alone
	AdminAMR, AdminACR []string
}

// Rule gives those rights of whom a claim has a value.
type Rule struct {
	Claim, Value string
	Roles        rights.Roles
	Scope        rights.Scope
}

// unified is an OIDC and those who are on their way there.
type unified struct {
	OIDC
	slots chan struct{}

	mu   sync.Mutex
	away map[string]journey // by state
}

type journey struct {
	oidc.Journey
	browser [sha256.Size]byte // of its cookie
	until   time.Time
}

func newUnified(o *OIDC) *unified {
	if o == nil {
		return nil
	}
	return &unified{OIDC: *o, slots: make(chan struct{}, askAtOnce), away: map[string]journey{}}
}

// Unified reports whether people may come through a unified identity platform.
func (d *Desk) Unified() bool { return d.unified != nil }

// Leave lets a browser go to the platform: it gives the address, and the cookie that it has to come back with. A *Refusal says why not.
func (d *Desk) Leave(ctx context.Context, remote string) (string, *http.Cookie, error) {
	done, err := d.toPlatform(ctx, remote)
	if err != nil {
		return "", nil, err
	}
	defer done()
	address, j, err := d.unified.Platform.Begin(ctx)
	if err != nil {
		return "", nil, d.unable(err)
	}
	secret := rand.Text()
	d.unified.remember(journey{Journey: j, browser: sha256.Sum256([]byte(secret)), until: d.now().Add(journeyLife)}, d.now())
	return address, d.journeyCookie(secret, int(journeyLife.Seconds())), nil
}

// toPlatform waits for somebody's turn to ask the platform. done must be called then.
func (d *Desk) toPlatform(ctx context.Context, remote string) (done func(), err error) {
	if d.unified == nil {
		return nil, &Refusal{Code: CodeUnifiedOff}
	}
	if !d.tries.Allow(origin.Network(remote)) {
		return nil, &Refusal{Code: CodeTooOften, RetryAfter: attemptPause}
	}
	select {
	case d.unified.slots <- struct{}{}:
		return func() { <-d.unified.slots }, nil
	default:
		return nil, &Refusal{Code: CodeBusy, RetryAfter: busyPause}
	}
}

// unable says to somebody that the platform is of no help.
func (d *Desk) unable(err error) error {
	var down *oidc.DownError
	var refused *oidc.RefusedError
	switch {
	case errors.As(err, &down):
		d.log.Error("identity platform does not answer", "error", err)
		return &Refusal{Code: CodePlatformDown}
	case errors.As(err, &refused):
		d.log.Warn("sign-in refused", "code", CodeNotVouched, "error", err)
		return &Refusal{Code: CodeNotVouched}
	}
	return fmt.Errorf("sign in: %w", err)
}

func (d *Desk) journeyCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: journeyCookie, Value: value, Path: journeyPath, MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: d.secure,
	}
}

// remember keeps a journey. Those that have taken too long are forgotten, and when there are too many the one that ends first.
func (u *unified) remember(j journey, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.away) >= maxJourneys {
		first := ""
		for state, other := range u.away {
			if now.After(other.until) {
				delete(u.away, state)
			} else if first == "" || other.until.Before(u.away[first].until) {
				first = state
			}
		}
		if len(u.away) >= maxJourneys {
			delete(u.away, first)
		}
	}
	u.away[j.State] = j
}

// take gives the journey that a browser comes back from, once.
func (u *unified) take(state, cookie string, now time.Time) (oidc.Journey, bool) {
	if len(state) > maxState {
		return oidc.Journey{}, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	j, found := u.away[state]
	browser := sha256.Sum256([]byte(cookie))
	// Somebody else's browser does not use it up.
	if !found || subtle.ConstantTimeCompare(browser[:], j.browser[:]) != 1 {
		return oidc.Journey{}, false
	}
	delete(u.away, state)
	return j.Journey, now.Before(j.until)
}

// Return is what a browser comes back from the platform with.
type Return struct {
	State, Code string
	Failure     string // the platform's word for why there is no code
	Remote      string // address of the client
	Journey     string // the cookie it left with, as JourneyOf gives it
	Cookie      string // of the session it has, as Carried gives it: that one ends when a new one begins
}

// JourneyOf gives the value of the cookie that a request carries back from the platform.
func JourneyOf(r *http.Request) string {
	c, err := r.Cookie(journeyCookie)
	if err != nil || len(c.Value) > maxState {
		return ""
	}
	return c.Value
}

// Arrive lets somebody in whom the platform vouches for. It gives the cookies to set; a *Refusal says why not. The audit has
// everybody the platform has named.
func (d *Desk) Arrive(ctx context.Context, r Return) ([]*http.Cookie, Who, error) {
	done, err := d.toPlatform(ctx, r.Remote)
	if err != nil {
		return nil, Who{}, err
	}
	defer done()
	j, ours := d.unified.take(r.State, r.Journey, d.now())
	switch {
	case !ours:
		return nil, Who{}, &Refusal{Code: CodeJourney}
	case r.Failure != "":
		return nil, Who{}, &Refusal{Code: CodeDenied}
	}
	person, err := d.unified.Platform.Finish(ctx, j, r.Code)
	if err != nil {
		return nil, Who{}, d.unable(err)
	}
	return d.welcome(ctx, person, r)
}

// welcome begins a session of somebody.
func (d *Desk) welcome(ctx context.Context, p oidc.Person, r Return) (cookies []*http.Cookie, who Who, err error) {
	var refusal *Refusal
	text, now := "", d.now()
	note := store.Audit{At: now, Actor: d.mark(p.Subject), By: ByOIDC, Action: store.ActionSignIn, Result: "ok", Remote: r.Remote}
	err = d.store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		u, code, err := d.account(tx, p, r.Remote, now)
		if err != nil {
			return err
		}
		if u.Name != "" {
			note.Actor = u.Name
		}
		switch {
		case code != "":
			refusal, note.Result = &Refusal{Code: code}, string(code)
		case u.Disabled:
			refusal, note.Result = &Refusal{Code: CodeStranger}, resultDisabled
		case !d.mayEnter(u, p):
			refusal, note.Result = &Refusal{Code: CodeFactorMissing}, string(CodeFactorMissing)
		}
		if refusal != nil {
			return tx.AddAudit(note)
		}
		if text, who, err = d.session(tx, u, ByOIDC, r.Remote, bound{}); err != nil {
			return err
		}
		if err := d.replace(tx, Attempt{Cookie: r.Cookie, Remote: r.Remote}, now); err != nil {
			return err
		}
		return tx.AddAudit(note)
	})
	switch {
	case err != nil:
		return nil, Who{}, fmt.Errorf("sign in: %w", err)
	case refusal != nil:
		d.log.Warn("sign-in refused", "code", refusal.Code, "remote", r.Remote)
		return nil, Who{}, refusal
	}
	if r.Cookie != "" {
		old := sessionOf(r.Cookie)
		d.end(CodeReplaced, func(h *hold) bool { return h.session == old })
	}
	return []*http.Cookie{d.cookie(text, int(sessionLife.Seconds())), d.journeyCookie("", -1)}, who, nil
}
