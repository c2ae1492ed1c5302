package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// The kinds of cookie values: a device cookie is derived from its token, and that of a paired device is known by its digest, so both live
// through restarts; a session does not.
const (
	deviceCookie  = "t"
	pairCookie    = "p"
	sessionCookie = "s"
)

// deviceCookieAge is how long a kiosk stays let in; each visit of its page prolongs it.
const deviceCookieAge = 400 * 24 * time.Hour

// ticketPrefix begins the token of a ticket.
const ticketPrefix = "HE1."

// token is a configured credential. The secret itself is not kept, only what it is compared by.
type token struct {
	role   Role
	id     string
	digest [sha256.Size]byte
	key    [sha256.Size]byte // of its cookies
}

func newToken(r Role, id, secret string) token {
	return token{
		role: r, id: id,
		digest: sha256.Sum256([]byte(secret)),
		key:    sha256.Sum256([]byte("cookie\x00" + secret)),
	}
}

func (t *token) who() Who {
	who := Who{Role: t.role, ID: t.id, Credential: t.credential()}
	if t.role == Rater {
		who.Window = hallsync.WindowID(t.id)
	}
	return who
}

func (t *token) credential() string {
	return "token/" + string(t.role) + "/" + t.id + "/" + hex.EncodeToString(t.digest[:8])
}

// cookie is the value that proves, at one page, that the token was shown there once.
func (t *token) cookie(page string) string {
	h := hmac.New(sha256.New, t.key[:])
	h.Write([]byte(page))
	return hex.EncodeToString(h.Sum(nil))
}

// bearer finds who a bearer token belongs to. All tokens are compared, so that time tells nothing.
func (d *Door) bearer(text string) (Who, error) {
	if t := d.match(text); t != nil {
		return t.who(), nil
	}
	if id, ok := d.opts.Tickets.Verify(text); ok {
		return Who{Role: Citizen, Ticket: id, Credential: "ticket/" + string(id)}, nil
	}
	return Who{}, errNotSignedIn
}

func (d *Door) match(text string) *token {
	digest := sha256.Sum256([]byte(text))
	var found *token
	for i := range d.tokens {
		if subtle.ConstantTimeCompare(d.tokens[i].digest[:], digest[:]) == 1 {
			found = &d.tokens[i]
		}
	}
	return found
}

// device finds the token a device cookie was derived from.
func (d *Door) device(page, value string) (Who, error) {
	for i := range d.tokens {
		t := &d.tokens[i]
		who, ok := opens(t.role, t.id, page)
		if ok && subtle.ConstantTimeCompare([]byte(t.cookie(page)), []byte(value)) == 1 {
			who.Credential = t.credential()
			return who, nil
		}
	}
	return Who{}, errNotSignedIn
}

// Enter deals with the token in a page's address: it becomes a cookie, and the browser is sent to the same address without it,
// so that it does not stay on the screen. done is true if the request is answered; refused says why the token opens nothing.
func (d *Door) Enter(w http.ResponseWriter, r *http.Request, page string) (done bool, refused problem.Code) {
	query := r.URL.Query()
	text := query.Get("token")
	if text == "" {
		d.prolong(w, r, page)
		return false, ""
	}
	t := d.match(text)
	if t == nil {
		d.opts.Log.Warn("page asked for with an unknown token", "page", page, "from", r.RemoteAddr)
		return false, SignIn
	}
	if _, ok := opens(t.role, t.id, page); !ok {
		return false, NotAllowed
	}
	d.setCookie(w, page, deviceCookie+"."+t.cookie(page), deviceCookieAge)
	query.Del("token")
	to := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
	return true, ""
}

// prolong renews a good device cookie, because browsers forget cookies after 400 days at most.
func (d *Door) prolong(w http.ResponseWriter, r *http.Request, page string) {
	c, err := r.Cookie(cookieName(page))
	if err != nil || strings.HasPrefix(c.Value, sessionCookie+".") {
		return
	}
	if _, err := d.AtPage(r, page); err == nil {
		d.setCookie(w, page, c.Value, deviceCookieAge)
	}
}

func cookieName(page string) string { return "he-" + page }

// setCookie sets the cookie of a page; age 0 lasts until the browser closes, a negative one deletes it.
func (d *Door) setCookie(w http.ResponseWriter, page, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(page), Value: value, Path: "/", MaxAge: int(age / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: d.opts.Web.Secure(),
	})
}
