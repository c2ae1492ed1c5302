package access

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"halledge/agent/kit/problem"
)

// A code is short, because people carry it from one machine to another. It opens nothing by itself: whoever may let machines in
// enters it, and only the browser that shows it has the secret that is let in.
const (
	codeLetters = "23456789ACDEFGHJKMNPQRTVWXY" // none that look alike: B is an 8, S a 5, Z a 2, U a V
	codeLength  = 8
	codeTime    = 10 * time.Minute
	maxWaiting  = 64
	maxWaitFrom = 16 // of one address
	wrongCodes  = 10 // of one person in a row, then one a minute
)

// waiting is a machine that shows a code.
type waiting struct {
	code   string
	digest string // of its secret
	from   netip.Prefix
	until  time.Time
}

// pairAnswer is the answer of POST /pair: a code and for how long it is good, or the page the machine may open.
type pairAnswer struct {
	Code    string `json:"code,omitempty"`
	Seconds int    `json:"seconds,omitempty"`
	Page    string `json:"page,omitempty"`
}

// Pair answers POST /pair {"page": P}, by which a machine without a token asks again and again to be let in: 200 with the code that it
// shows, at last with the page it is for and that page's cookie. The machine is known by a cookie that no other has.
func (d *Door) Pair(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Page string `json:"page"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10))
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		d.problem(w, http.StatusRequestTimeout, BodySlow, nil)
		return
	}
	if _, ok := machineAt(in.Page); err != nil || !ok {
		d.problem(w, http.StatusBadRequest, BodyInvalid, map[string]string{"reason": "page"})
		return
	}
	jar, secret := "pair-"+in.Page, ""
	if c, err := r.Cookie(cookieName(jar)); err == nil {
		secret = c.Value
	}
	answer, known := d.pairs.ask(secret)
	if !known {
		from := senderOf(r)
		if !d.senders.allow(from) {
			d.pairBusy(w)
			return
		}
		if answer, secret = d.pairs.begin(from); secret == "" {
			d.pairBusy(w)
			return
		}
		d.setCookie(w, jar, secret, 2*codeTime)
	}
	if answer.Page != "" {
		d.setCookie(w, answer.Page, pairCookie+"."+secret, deviceCookieAge)
		d.setCookie(w, jar, "", -time.Second)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer) // a client that has gone away cannot be told anything
}

func (d *Door) pairBusy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	d.problem(w, http.StatusTooManyRequests, PairBusy, nil)
}

// PairError says why a machine is not let in, or not shut out.
type PairError struct{ Code problem.Code }

// Status is the HTTP status of the answer.
func (e *PairError) Status() int {
	switch e.Code {
	case PairCode, PairUnknown:
		return http.StatusNotFound
	case PairTries:
		return http.StatusTooManyRequests
	}
	return http.StatusConflict
}

func (e *PairError) Error() string { return "pairing: " + string(e.Code) }

// Approve lets in the machine that shows a code, at a place such as kiosk-1. The error is a *PairError if the asker can mend it.
func (d *Door) Approve(by Who, code, place string) (Device, error) {
	tries := d.limiter("code "+by.Credential, rate.Every(time.Minute), wrongCodes)
	who := nameOf(by)
	one, refused, err := d.pairs.approve(plainCode(code), place, who, tries)
	if err != nil {
		return one, err
	}
	if refused != "" {
		d.opts.Log.Warn("pairing refused", "place", place, "by", who, "code", string(refused))
		return one, &PairError{refused}
	}
	d.opts.Log.Info("device paired", "device", one.ID, "place", place, "from", one.From, "by", who)
	return one, nil
}

// nameOf says in the log and in the list who did something.
func nameOf(by Who) string { return strings.TrimSpace(string(by.Role) + " " + string(by.Staff)) }

// Revoke shuts a paired device out, and ends its streams.
func (d *Door) Revoke(by Who, id string) (Device, error) {
	one, ok, err := d.pairs.revoke(id)
	if err != nil {
		return one, err
	}
	if !ok {
		return one, &PairError{PairUnknown}
	}
	d.opts.Log.Info("device shut out", "device", id, "place", one.Place, "by", nameOf(by))
	return one, nil
}

// Devices gives what was paired, by place, and how many machines show a code now.
func (d *Door) Devices() (devices []Device, waiting int) { return d.pairs.list() }

// Revoked is closed when a device is shut out, or somebody's session is another or locked; whoever waits then asks for the next.
func (d *Door) Revoked() <-chan struct{} {
	d.pairs.mu.Lock()
	defer d.pairs.mu.Unlock()
	return d.pairs.gone
}

// ask gives how a machine that asked before stands.
func (p *pairs) ask(secret string) (answer pairAnswer, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	id := digest(secret)
	if x := p.devices[id]; x != nil {
		return pairAnswer{Page: x.Place}, true
	}
	for _, one := range p.waiting {
		if one.digest == id {
			return one.answer(), true
		}
	}
	return pairAnswer{}, false
}

// begin gives a machine a code to show, and its secret; none if too many wait.
func (p *pairs) begin(from netip.Prefix) (answer pairAnswer, secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	near := 0
	for _, one := range p.waiting {
		if one.from == from {
			near++
		}
	}
	if near >= maxWaitFrom || len(p.waiting) >= maxWaiting {
		return pairAnswer{}, ""
	}
	secret = rand.Text()
	one := &waiting{code: newCode(), digest: digest(secret), from: from, until: time.Now().Add(codeTime)}
	for p.waiting[one.code] != nil {
		one.code = newCode()
	}
	p.waiting[one.code] = one
	return one.answer(), secret
}

func (one *waiting) answer() pairAnswer {
	return pairAnswer{Code: one.code, Seconds: int(math.Ceil(time.Until(one.until).Seconds()))}
}

// tidy forgets the codes whose time is over.
func (p *pairs) tidy() {
	now := time.Now()
	for code, one := range p.waiting {
		if !now.Before(one.until) {
			delete(p.waiting, code)
		}
	}
}

// newCode draws a code, each letter as likely as any other.
func newCode() string {
	const fair = 256 - 256%len(codeLetters)
	code, drawn := make([]byte, 0, codeLength), make([]byte, 2*codeLength)
	for len(code) < codeLength {
		_, _ = rand.Read(drawn) // never fails
		for _, b := range drawn {
			if int(b) < fair && len(code) < codeLength {
				code = append(code, codeLetters[int(b)%len(codeLetters)])
			}
		}
	}
	return string(code)
}

// plainCode gives a code as it was drawn: people write it small and with a gap.
func plainCode(text string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToUpper(text))
}
