// Package access gives the hall's server its door: who is asking (bearer tokens, device cookies, staff sessions, the token of a
// ticket), what each may do, and what no request may do (foreign hosts and origins, too many takes).
package access

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"halledge/agent/internal/config"
	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// The problems of the door.
const (
	SignIn           problem.Code = "sign_in"            // 401: nobody is signed in
	NotAllowed       problem.Code = "not_allowed"        // 403: this one may not
	PINWrong         problem.Code = "pin_wrong"          // 401
	PINLocked        problem.Code = "pin_locked"         // 429: too many wrong PINs
	SignInBusy       problem.Code = "sign_in_busy"       // 429: too many sign in at a time
	WindowNotAllowed problem.Code = "window_not_allowed" // 403: not one of this person's windows
	ManagerOnly      problem.Code = "manager_only"       // 403
	HostNotAllowed   problem.Code = "host_not_allowed"   // 421
	CrossOrigin      problem.Code = "cross_origin"       // 403: another site's page sent it
	TakeLimited      problem.Code = "take_limited"       // 429: takes come too fast
	BodyInvalid      problem.Code = "body_invalid"       // 400
	BodySlow         problem.Code = "body_slow"          // 408: it took too long to arrive
	PairBusy         problem.Code = "pair_busy"          // 429: too many machines ask to be let in
	PairTries        problem.Code = "pair_tries"         // 429: too many wrong codes
	PairCode         problem.Code = "pair_code"          // 404: no machine shows this code
	PairPlace        problem.Code = "pair_place"         // 409: no machine stands at such a place
	PairFull         problem.Code = "pair_full"          // 409: too many machines are let in
	PairUnknown      problem.Code = "pair_unknown"       // 404: no such device
)

// Tickets checks the token on a slip, which lets its holder see, withdraw and rate that ticket.
type Tickets interface {
	Verify(token string) (hallsync.TicketID, bool)
}

// Options of New. All but TakesPerS are required.
type Options struct {
	Web       config.Web
	Data      string // the directory where the paired devices are kept
	Staff     []config.Staff
	TakesPerS int // takes a second of one credential; 0: 5
	Tickets   Tickets
	Catalog   *problem.Catalog
	Log       *slog.Logger
}

// Door knows who is who. It is safe for concurrent use.
type Door struct {
	opts     Options
	tokens   []token
	hosts    map[string]bool
	origin   *http.CrossOriginProtection
	nobody   phc.Hash // compared when the person is unknown, so that time tells nothing
	sessions sessions
	tries    tries
	senders  senders
	pairs    *pairs

	hashing   chan struct{} // one PIN at a time: each takes a processor
	strangers chan struct{} // who waits for that

	mu     sync.Mutex
	staff  map[hallsync.StaffID]person
	limits map[string]*rate.Limiter // by what is counted, and whose it is
}

// person is a member of staff who can sign in.
type person struct {
	config.Staff
	pin phc.Hash
}

// minToken is the length below which a token could be guessed.
const minToken = 16

// New gives the door of a hall. It fails on tokens and PIN hashes that cannot be used.
func New(o Options) (*Door, error) {
	if o.TakesPerS <= 0 {
		o.TakesPerS = 5
	}
	d := &Door{
		opts: o, nobody: phc.Decoy(), limits: map[string]*rate.Limiter{},
		hashing: make(chan struct{}, 1), strangers: make(chan struct{}, maxStranger),
	}
	d.sessions.byID = map[string]*session{}
	d.tries.at, d.tries.of = map[spot]*tally{}, map[string]*tally{}
	d.senders.by = map[netip.Prefix]*rate.Limiter{}
	for i, t := range o.Web.Tokens {
		if len(t.Secret.Reveal()) < minToken {
			return nil, fmt.Errorf("access: token %d of role %s is shorter than %d characters", i+1, t.Role, minToken)
		}
		if strings.HasPrefix(t.Secret.Reveal(), ticketPrefix) {
			return nil, fmt.Errorf("access: token %d of role %s looks like a ticket's", i+1, t.Role)
		}
		switch r := Role(t.Role); r {
		case Kiosk, Screen, Rater, Staff, Ops:
			d.tokens = append(d.tokens, newToken(r, t.ID, t.Secret.Reveal()))
		default:
			return nil, fmt.Errorf("access: token %d has the unknown role %q", i+1, t.Role)
		}
	}
	if err := d.Employ(o.Staff); err != nil {
		return nil, err
	}
	var err error
	if d.pairs, err = openPairs(o.Data, o.Log); err != nil {
		return nil, err
	}
	return d, d.allowHosts()
}

// Employ says who works here from now on. Whoever may not do any more what a session lets him do, or has another PIN, is signed out.
func (d *Door) Employ(staff []config.Staff) error {
	next := map[hallsync.StaffID]person{}
	for _, s := range staff {
		pin, err := phc.Parse(s.PIN)
		if err != nil {
			return fmt.Errorf("access: PIN of %s: %w", s.ID, err)
		}
		next[hallsync.StaffID(s.ID)] = person{Staff: s, pin: pin}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.staff
	d.staff = next
	for id, now := range next {
		if before, was := last[id]; was && before.PIN != now.PIN {
			d.tries.forget(string(id))
		}
	}
	d.sessions.review(func(who Who) bool {
		now, works := next[who.Staff]
		allowed, refused := staffAt(now.Staff, who.Page)
		return works && refused == "" && allowed == who && now.PIN == last[who.Staff].PIN
	})
	return nil
}

func (d *Door) employed(id hallsync.StaffID) (person, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.staff[id]
	return p, ok
}

// picturesPerS is how many pictures a second are looked at for one kiosk. Its page sends fewer.
const picturesPerS = 5

// AllowTake counts a take of a credential and reports whether it is within the hall's rate.
func (d *Door) AllowTake(who Who) bool { return d.allow("take "+who.Credential, d.opts.TakesPerS) }

// AllowPicture counts a picture that a kiosk's page sends, and reports whether it is within its rate.
func (d *Door) AllowPicture(place string) bool { return d.allow("picture "+place, picturesPerS) }

func (d *Door) allow(what string, perS int) bool {
	return d.limiter(what, rate.Limit(perS), perS).Allow()
}

// limiter gives what counts something, a fresh one at first.
func (d *Door) limiter(what string, often rate.Limit, burst int) *rate.Limiter {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.limits[what]
	if l == nil {
		l = rate.NewLimiter(often, burst)
		d.limits[what] = l
	}
	return l
}

// errNotSignedIn is the answer to a request that proves nothing.
var errNotSignedIn = errors.New("not signed in")

// Identify tells who is asking: by bearer token, or by the cookie of the page that the as parameter names. A page must say
// which cookie it means, because one browser may show a kiosk and two windows at a time.
func (d *Door) Identify(r *http.Request) (Who, error) {
	if auth := r.Header.Get("Authorization"); auth != "" {
		scheme, text, _ := strings.Cut(auth, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Who{}, errNotSignedIn
		}
		return d.bearer(strings.TrimSpace(text))
	}
	page := r.URL.Query().Get("as")
	if page == "" {
		return Who{}, errNotSignedIn
	}
	return d.AtPage(r, page)
}

// AtPage tells who is signed in at a page, by its cookie.
func (d *Door) AtPage(r *http.Request, page string) (Who, error) {
	c, err := r.Cookie(cookieName(page))
	if err != nil {
		return Who{}, errNotSignedIn
	}
	switch kind, value, _ := strings.Cut(c.Value, "."); kind {
	case deviceCookie:
		return d.device(page, value)
	case sessionCookie:
		return d.sessions.find(value, page, r.Method == http.MethodPost)
	case pairCookie:
		return d.pairs.find(value, page)
	}
	return Who{}, errNotSignedIn
}

func (d *Door) problem(w http.ResponseWriter, status int, code problem.Code, args map[string]string) {
	problem.Write(w, d.opts.Catalog.Problem(status, code, args))
}
