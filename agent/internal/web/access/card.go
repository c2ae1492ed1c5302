package access

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"halledge/agent/kit/problem"
	"halledge/firmware-protocols/hallsync"
)

// A card is waited for at a reader for cardWait, and counts for cardTerm. maxShown bounds those that count.
const (
	cardWait = 30 * time.Second
	cardTerm = 2 * time.Minute
	maxShown = 64
)

// Tap is a card that was held to a reader, or a badge whose code was read. Digest is keyed by the hall: it is no number.
type Tap struct {
	Digest string
	Badge  bool // a code, which can be photographed: it says who somebody is, and proves nothing
}

// cards are the readers at which somebody waits for a card of the staff, and the cards that were shown there.
type cards struct {
	mu    sync.Mutex
	waits map[string]*wait // by place
	shown map[string]shown // by the digest of the token that stands for one
}

// wait is somebody who waits for a card: to sign in, or to enrol it.
type wait struct {
	from  netip.Prefix
	enrol bool
	got   chan Tap
	gone  chan struct{} // closed when another wait takes its place
}

// shown is a card of the staff that was shown for a page.
type shown struct {
	staff hallsync.StaffID
	page  string
	badge bool
	at    time.Time
}

// Tapped gives a card to whoever waits for it at a place. taken is false if nobody does: then it is a citizen's, like the card of a
// member of staff who is a citizen in this moment. Where people sign in, only a card of the staff is taken.
func (d *Door) Tapped(place string, tap Tap) (taken bool) {
	_, staffs := d.ownerOf(tap.Digest)
	d.cards.mu.Lock()
	defer d.cards.mu.Unlock()
	w := d.cards.waits[place]
	if w == nil || !w.enrol && !staffs {
		return false
	}
	select {
	case w.got <- tap:
	default: // one was shown already
	}
	return true
}

func (d *Door) ownerOf(digest string) (person, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.staff {
		if p.Card != "" && p.Card == digest {
			return p, true
		}
	}
	return person{}, false
}

// await waits for a card at one of some places. It fails with CardBusy if somebody else waits there, and ok is false when nobody came.
func (d *Door) await(ctx context.Context, places []string, from netip.Prefix, enrol bool) (tap Tap, ok bool, refused problem.Code) {
	w := &wait{from: from, enrol: enrol, got: make(chan Tap, 1), gone: make(chan struct{})}
	d.cards.mu.Lock()
	for _, p := range places {
		if old := d.cards.waits[p]; old != nil && old.from != from && (old.enrol || !enrol) { // whoever enrols a card comes first
			d.cards.mu.Unlock()
			return Tap{}, false, CardBusy
		}
	}
	for _, p := range places {
		if old := d.cards.waits[p]; old != nil {
			old.leave()
		}
		d.cards.waits[p] = w
	}
	d.cards.mu.Unlock()
	defer func() {
		d.cards.mu.Lock()
		defer d.cards.mu.Unlock()
		for _, p := range places {
			if d.cards.waits[p] == w {
				delete(d.cards.waits, p)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, cardWait)
	defer cancel()
	select {
	case tap = <-w.got:
		return tap, true, ""
	case <-w.gone:
	case <-ctx.Done():
	}
	return Tap{}, false, ""
}

// leave tells a wait that another one has its place; the lock of cards is held.
func (w *wait) leave() {
	select {
	case <-w.gone:
	default:
		close(w.gone)
	}
}

// EnrolAt waits at a place for the card that is to be somebody's. refused is CardReader, CardBusy or CardNone if there is none.
func (d *Door) EnrolAt(r *http.Request, place string) (digest string, refused problem.Code) {
	if !slices.Contains(d.opts.Readers, place) {
		return "", CardReader
	}
	tap, ok, refused := d.await(r.Context(), []string{place}, senderOf(r), true)
	if refused == "" && !ok {
		refused = CardNone
	}
	return tap.Digest, refused
}

// Readers gives the places where staff can show cards.
func (d *Door) Readers() []string { return d.opts.Readers }

// CardsAt gives where cards are shown to sign in at a page. own reports that a reader stands at the page's own place, where nobody else's
// cards are expected while nobody is signed in.
func (d *Door) CardsAt(page string) (places []string, own bool) {
	for _, r := range d.opts.Readers {
		if r == page || page == "desk" && strings.HasPrefix(r, "desk-") {
			places, own = append(places, r), true
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.people.Windows {
		if windowPage+w.ID == page && slices.Contains(d.opts.Readers, w.Reader) {
			places = append(places, w.Reader)
		}
	}
	return places, own
}

// cardShown is the answer of POST /card: whose card it was, and the token by which POST /sign-in knows that it was shown.
type cardShown struct {
	User string `json:"user"`
	Name string `json:"name"`
	Card string `json:"card"`
	PIN  bool   `json:"pin"` // the PIN is needed too
}

// Card answers POST /card {"page"}: it waits for a card of the staff at the page's readers, 200 with cardShown, or 204 if none came in time.
func (d *Door) Card(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Page string `json:"page"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil || !ValidPage(in.Page) {
		d.problem(w, http.StatusBadRequest, BodyInvalid, map[string]string{"reason": "page"})
		return
	}
	places, _ := d.CardsAt(in.Page)
	from := senderOf(r)
	switch {
	case len(places) == 0:
		d.problem(w, http.StatusConflict, CardReader, nil)
		return
	case !d.senders.allow(from):
		d.busy(w)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the body is here, and waiting is meant
	tap, ok, refused := d.await(r.Context(), places, from, false)
	if refused != "" {
		d.opts.Log.Warn("two machines wait for a card at one reader", "page", in.Page, "from", r.RemoteAddr)
		d.problem(w, http.StatusConflict, refused, nil)
		return
	}
	p, known := d.ownerOf(tap.Digest)
	if !ok || !known {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := cardShown{User: p.ID, Name: p.Name, PIN: tap.Badge || d.bothNeeded()}
	out.Card = d.cards.note(shown{hallsync.StaffID(p.ID), in.Page, tap.Badge, time.Now()})
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		d.opts.Log.Debug("card not told", "page", in.Page, "error", err)
	}
}

func (d *Door) bothNeeded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.people.SignIn.CardAndPIN
}

func (c *cards) note(s shown) (token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := ""
	for id, x := range c.shown {
		if s.at.Sub(x.at) >= cardTerm {
			delete(c.shown, id)
		} else if oldest == "" || x.at.Before(c.shown[oldest].at) {
			oldest = id
		}
	}
	if len(c.shown) >= maxShown {
		delete(c.shown, oldest)
	}
	token = rand.Text()
	c.shown[digest(token)] = s
	return token
}

// of gives the card that a token stands for, if it was shown for a page by somebody and still counts.
func (c *cards) of(token, page string, staff hallsync.StaffID) (s shown, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok = c.shown[digest(token)]
	return s, ok && s.page == page && s.staff == staff && time.Since(s.at) < cardTerm
}

// spend ends a token: somebody is signed in by it.
func (c *cards) spend(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.shown, digest(token))
}
