// Package access gives the hall's server its door: who is asking (bearer tokens, device cookies, staff sessions, the token of a
// ticket), what each may do, and what no request may do (foreign hosts and origins, too many takes).
package access

import (
	"context"
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
	SignIn           problem.Code = "sign_in"             // 401: nobody is signed in
	NotAllowed       problem.Code = "not_allowed"         // 403: this one may not
	PINWrong         problem.Code = "pin_wrong"           // 401
	PINLocked        problem.Code = "pin_locked"          // 429: too many wrong PINs of one person
	DeviceLocked     problem.Code = "device_locked"       // 429: too many wrong PINs on one machine
	PINChange        problem.Code = "pin_change"          // 403: another PIN must be chosen first
	PINWeak          problem.Code = "pin_weak"            // 422: the new PIN is not one to keep
	PINNotChanged    problem.Code = "pin_not_changed"     // 503
	SessionLocked    problem.Code = "session_locked"      // 423: nobody was there for too long
	SessionTaken     problem.Code = "session_taken"       // 401: somebody has signed in elsewhere
	WindowInUse      problem.Code = "window_in_use"       // 409: somebody else is signed in there
	CardFirst        problem.Code = "card_first"          // 401: the PIN was right, the card is missing
	CardOver         problem.Code = "card_over"           // 401: it was shown too long ago
	CardBusy         problem.Code = "card_busy"           // 409: somebody else waits at that reader
	CardReader       problem.Code = "card_reader_missing" // 409: nothing reads cards there
	CardTaken        problem.Code = "card_taken"          // 409: somebody else's card
	CardNone         problem.Code = "card_none"           // 408: nobody showed a card
	SignInBusy       problem.Code = "sign_in_busy"        // 429: too many sign in at a time
	WindowNotAllowed problem.Code = "window_not_allowed"  // 403: not one of this person's windows
	ManagerOnly      problem.Code = "manager_only"        // 403
	HostNotAllowed   problem.Code = "host_not_allowed"    // 421
	CrossOrigin      problem.Code = "cross_origin"        // 403: another site's page sent it
	TakeLimited      problem.Code = "take_limited"        // 429: takes come too fast
	BodyInvalid      problem.Code = "body_invalid"        // 400
	BodySlow         problem.Code = "body_slow"           // 408: it took too long to arrive
	PairBusy         problem.Code = "pair_busy"           // 429: too many machines ask to be let in
	PairTries        problem.Code = "pair_tries"          // 429: too many wrong codes
	PairCode         problem.Code = "pair_code"           // 404: no machine shows this code
	PairPlace        problem.Code = "pair_place"          // 409: no machine stands at such a place
	PairFull         problem.Code = "pair_full"           // 409: too many machines are let in
	PairUnknown      problem.Code = "pair_unknown"        // 404: no such device
)

// Tickets checks the token on a slip, which lets its holder see, withdraw and rate that ticket.
type Tickets interface {
	Verify(token string) (hallsync.TicketID, bool)
}

// People are the hall's people, and how they sign in where.
type People struct {
	Staff   []config.Staff
	Windows []config.Window
	SignIn  config.SignIn
}

// Options of New. All but Names, TakesPerS, Readers and Repin are required.
type Options struct {
	Web       config.Web
	Names     func() []string // of the server's certificate; nil: it has none
	Data      string          // the directory where the paired devices are kept
	People    People
	Readers   []string // the places where a device reads cards or codes
	TakesPerS int      // takes a second of one credential; 0: 5
	// Repin writes the hash of a PIN that somebody has chosen himself into the plan; Employ follows. Nil: nobody can.
	Repin   func(ctx context.Context, id hallsync.StaffID, hash string) error
	Tickets Tickets
	Catalog *problem.Catalog
	Log     *slog.Logger
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
	senders  *meters[netip.Prefix]
	citizens *meters[string] // by credential
	pairs    *pairs
	cards    cards

	hashing   chan struct{} // one PIN at a time: each takes a processor
	strangers chan struct{} // who waits for that

	mu     sync.Mutex
	staff  map[hallsync.StaffID]person
	people People
	hired  chan struct{}            // closed when people changes
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
	d.sessions.byID, d.sessions.taken = map[string]*session{}, map[string]handover{}
	d.cards.waits, d.cards.shown = map[string]*wait{}, map[string]shown{}
	d.hired = make(chan struct{})
	d.tries.at, d.tries.of, d.tries.from = map[spot]*tally{}, map[string]*tally{}, map[netip.Prefix]*tally{}
	d.senders, d.citizens = newMeters[netip.Prefix](senderRate, senderBurst), newMeters[string](citizenRate, citizenBurst)
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
	if err := d.Employ(o.People); err != nil {
		return nil, err
	}
	var err error
	if d.pairs, err = openPairs(o.Data, o.Log); err != nil {
		return nil, err
	}
	return d, d.allowHosts()
}

// Employ says who works here from now on. Whoever may not do any more what a session lets him do, or has another PIN, is signed out.
func (d *Door) Employ(people People) error {
	next := map[hallsync.StaffID]person{}
	for _, s := range people.Staff {
		pin, err := phc.Parse(s.PIN)
		if err != nil {
			return fmt.Errorf("access: PIN of %s: %w", s.ID, err)
		}
		next[hallsync.StaffID(s.ID)] = person{Staff: s, pin: pin}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.staff
	d.staff, d.people = next, people
	close(d.hired)
	d.hired = make(chan struct{})
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

// Of commands of any kind, one credential of the hall may send as many as it may take tickets, times commandsPerTake, and leastCommands at
// least; it may have codes read for scansPerTake of them. The holder of a slip may send a few, whoever else does.
const (
	commandsPerTake = 10
	leastCommands   = 50
	scansPerTake    = 2
	citizenRate     = 0.5
	citizenBurst    = 10
)

// AllowCommand counts a command and reports whether it is within its rate.
func (d *Door) AllowCommand(who Who) bool {
	if who.Role == Citizen {
		return d.citizens.allow(who.Credential)
	}
	return d.allow("command "+who.Credential, max(leastCommands, commandsPerTake*d.opts.TakesPerS))
}

// AllowScan counts a code that is to be told apart, and reports whether it is within its rate: others outside may be asked for it.
func (d *Door) AllowScan(who Who) bool {
	return d.allow("scan "+who.Credential, scansPerTake*d.opts.TakesPerS)
}

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
		return d.sessions.find(value, page, r.Method == http.MethodPost, d.lockAfter(page))
	case pairCookie:
		return d.pairs.find(value, page)
	}
	return Who{}, errNotSignedIn
}

// NotIn gives the status and the code for an error of Identify, with the code's arguments.
func NotIn(err error) (status int, code problem.Code, args map[string]string) {
	var taken *TakenError
	if errors.As(err, &taken) {
		return http.StatusUnauthorized, SessionTaken, map[string]string{"name": taken.Name}
	}
	return http.StatusUnauthorized, SignIn, nil
}

// MayNot gives the status and the code for somebody who is let in and lacks a right.
func MayNot(who Who) (status int, code problem.Code) {
	if who.Role == Locked {
		return http.StatusLocked, SessionLocked
	}
	return http.StatusForbidden, NotAllowed
}

func (d *Door) problem(w http.ResponseWriter, status int, code problem.Code, args map[string]string) {
	problem.Write(w, d.opts.Catalog.Problem(status, code, args))
}
