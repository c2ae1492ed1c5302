package access

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/kit/phc"
	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// Mux is where routes are put.
type Mux interface {
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// Register puts the routes of the door on a mux: by them people and machines come in.
func (d *Door) Register(mux Mux) {
	mux.HandleFunc("POST /sign-in", d.SignIn)
	mux.HandleFunc("POST /sign-out", d.SignOut)
	mux.HandleFunc("POST /card", d.Card)
	mux.HandleFunc("POST /lock", d.Lock)
	mux.HandleFunc("GET /here", d.Here)
	mux.HandleFunc("POST /here", d.Here)
	mux.HandleFunc("POST /pair", d.Pair)
}

// signIn is the body of POST /sign-in. Page is window-<id>, desk, board or ops.
type signIn struct {
	User string `json:"user"`
	PIN  string `json:"pin"`
	Page string `json:"page"`

	Card     string `json:"card,omitempty"`     // from POST /card: that person's card was shown
	NewPIN   string `json:"new_pin,omitempty"`  // after pin_change
	Takeover bool   `json:"takeover,omitempty"` // after window_in_use: whoever is signed in at the window goes
	Beside   bool   `json:"beside,omitempty"`   // a helper beside the page, such as hall-caller
}

// SignIn answers POST /sign-in: 204 with the session's cookie, or a problem. A person who signs in at his page again ends the older
// session, locked or not; at a window where somebody else is signed in it must be said that he goes.
func (d *Door) SignIn(w http.ResponseWriter, r *http.Request) {
	var in signIn
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		d.problem(w, http.StatusRequestTimeout, BodySlow, nil)
		return
	}
	if err != nil || len(in.User) > 64 || len(in.PIN) > MaxPIN || len(in.NewPIN) > MaxPIN || !ValidPage(in.Page) {
		d.problem(w, http.StatusBadRequest, BodyInvalid, map[string]string{"reason": "user, pin, page"})
		return
	}
	from := senderOf(r)
	if !d.senders.allow(from) {
		d.busy(w)
		return
	}
	somebody, known := d.employed(hallsync.StaffID(in.User))
	card, carded := d.cards.of(in.Card, in.Page, hallsync.StaffID(in.User))
	switch {
	case in.Card != "" && !carded:
		d.problem(w, http.StatusUnauthorized, CardOver, nil)
	case known && carded && !card.badge && in.PIN == "" && !d.bothNeeded():
		d.letIn(w, r, in, somebody)
	default:
		d.byPIN(w, r, in, somebody, known, carded)
	}
}

// byPIN lets somebody in whose PIN is right.
func (d *Door) byPIN(w http.ResponseWriter, r *http.Request, in signIn, somebody person, known, carded bool) {
	one, locked := d.tries.begin(spot{in.User, senderOf(r)}, known)
	if locked.rest > 0 {
		d.locked(w, locked)
		return
	}
	if !known {
		somebody.pin = d.nobody
	}
	ok, err := d.checkPIN(r.Context(), somebody.pin, in.PIN, !one.far)
	if err != nil {
		d.tries.undo(one)
		d.busy(w) // or the client has gone
		return
	}
	if now, works := d.employed(hallsync.StaffID(in.User)); !ok || !known || !works || now.PIN != somebody.PIN { // it may have been changed in this very moment
		d.wrongPIN(w, r, in.Page, one)
		return
	}
	d.tries.right(one)
	if d.cardMissing(somebody, in, carded) {
		d.problem(w, http.StatusUnauthorized, CardFirst, nil)
		return
	}
	if somebody.ChangePIN && d.opts.Repin != nil {
		if somebody, ok = d.changePIN(w, r, in, somebody); !ok {
			return
		}
	}
	d.letIn(w, r, in, somebody)
}

// cardMissing reports whether somebody needs his card too. A helper works beside a page that he was let in at with it.
func (d *Door) cardMissing(p person, in signIn, carded bool) bool {
	if carded || p.Card == "" || !d.bothNeeded() {
		return false
	}
	who, held := d.sessions.holder(in.Page)
	return !in.Beside || !held || string(who.Staff) != p.ID
}

// letIn begins the session of somebody who has proved who he is.
func (d *Door) letIn(w http.ResponseWriter, r *http.Request, in signIn, p person) {
	own := ""
	if c, err := r.Cookie(cookieName(in.Page)); err == nil && !in.Beside {
		own, _ = strings.CutPrefix(c.Value, sessionCookie+".")
	}
	secret, who, code, same := d.admit(p, in, own)
	switch {
	case !same: // his PIN was changed in this very moment
		d.problem(w, http.StatusUnauthorized, PINWrong, nil)
		return
	case code == WindowInUse:
		d.problem(w, http.StatusConflict, code, map[string]string{"name": who.Name})
		return
	case code != "":
		d.problem(w, http.StatusForbidden, code, map[string]string{"window": string(who.Window)})
		return
	}
	d.cards.spend(in.Card)
	d.opts.Log.Info("signed in", "staff", p.ID, "page", in.Page, "card", in.Card != "", "from", r.RemoteAddr)
	d.pairs.stir()
	d.setCookie(w, in.Page, sessionCookie+"."+secret, 0)
	w.WriteHeader(http.StatusNoContent)
}

// admit begins a session for a person, or has his own go on, by what he may do now, or says why there is none. same is false if what he has proved is not so any
// more. With WindowInUse, who is the one who is signed in there.
func (d *Door) admit(p person, in signIn, own string) (secret string, who Who, refused problem.Code, same bool) {
	d.mu.Lock() // an Employ comes before or after all of this
	defer d.mu.Unlock()
	now, works := d.staff[hallsync.StaffID(p.ID)]
	if !works || now.PIN != p.PIN || now.Card != p.Card {
		return "", Who{}, "", false
	}
	if who, refused = staffAt(now.Staff, in.Page); refused != "" {
		return "", who, refused, true
	}
	if other, held := d.sessions.holder(in.Page); held && other.Staff != who.Staff && !in.Takeover {
		return "", other, WindowInUse, true
	}
	if own != "" && d.sessions.renew(own, who) {
		return own, who, "", true
	}
	return d.sessions.begin(who, in.Beside), who, "", true
}

// SignOut answers POST /sign-out: it ends the session of the page that the as parameter names and deletes its cookie.
func (d *Door) SignOut(w http.ResponseWriter, r *http.Request) {
	page := r.URL.Query().Get("as")
	if c, err := r.Cookie(cookieName(page)); err == nil {
		_, id, _ := strings.Cut(c.Value, ".")
		d.sessions.end(id)
		d.setCookie(w, page, "", -time.Second)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d *Door) locked(w http.ResponseWriter, l lock) {
	s := int((l.rest + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(s))
	code := PINLocked
	if l.device {
		code = DeviceLocked
	}
	d.problem(w, http.StatusTooManyRequests, code, map[string]string{"minutes": strconv.Itoa((s + 59) / 60)})
}

// busy says that too many people sign in at a time.
func (d *Door) busy(w http.ResponseWriter) {
	const wait = "2" // seconds
	w.Header().Set("Retry-After", wait)
	d.problem(w, http.StatusTooManyRequests, SignInBusy, map[string]string{"seconds": wait})
}

// wrongPIN answers a wrong PIN.
func (d *Door) wrongPIN(w http.ResponseWriter, r *http.Request, page string, one try) {
	l := d.tries.wrong(one)
	d.opts.Log.Warn("sign-in refused", "page", page, "from", r.RemoteAddr, "locked", l.rest > 0)
	if l.rest > 0 {
		d.locked(w, l)
		return
	}
	d.problem(w, http.StatusUnauthorized, PINWrong, nil)
}

// PINs are compared one at a time: the hall goes on beside it. Only few strangers wait for their turn, for hashTime at most, and whoever has
// signed in from there before need not fear their crowd.
const (
	hashTime    = 3 * time.Second
	maxStranger = 8
)

// errBusy says that too many wait for their PIN to be compared.
var errBusy = errors.New("too many PINs to compare")

// checkPIN compares a PIN when its turn comes.
func (d *Door) checkPIN(ctx context.Context, hash phc.Hash, pin string, home bool) (bool, error) {
	if !home {
		select {
		case d.strangers <- struct{}{}:
			defer func() { <-d.strangers }()
		default:
			return false, errBusy
		}
	}
	ctx, cancel := context.WithTimeout(ctx, hashTime)
	defer cancel()
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer debug.FreeOSMemory() // a comparison takes as much memory as all the rest of a village's hall, and the next may come tomorrow
	return hash.Matches([]byte(pin)), nil
}

// staffAt gives a person at a page, or the code of why not there.
func staffAt(s config.Staff, page string) (Who, problem.Code) {
	who := Who{Role: Clerk, Name: s.Name, Staff: hallsync.StaffID(s.ID), Page: page, Credential: "staff/" + s.ID + "/" + page}
	switch {
	case s.Role == string(Manager):
		who.Role = Manager
	case page == "desk":
		who.Role = Guide
	}
	window, atWindow := strings.CutPrefix(page, windowPage)
	if atWindow {
		who.Window = hallsync.WindowID(window)
		for _, id := range s.Windows {
			if id == window {
				return who, ""
			}
		}
		if len(s.Windows) > 0 {
			return who, WindowNotAllowed
		}
	}
	if (page == "ops" || page == "board") && who.Role != Manager {
		return who, ManagerOnly
	}
	return who, ""
}

// ValidPage reports whether a page is one that people sign in at.
func ValidPage(page string) bool {
	window, ok := strings.CutPrefix(page, windowPage)
	return ok && ValidID(window) || page == "desk" || page == "board" || page == "ops"
}

// ValidID reports whether the id of a kiosk, screen or window can stand in an address and in a cookie's name.
func ValidID(id string) bool {
	if id == "" || len(id) > 32 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}
