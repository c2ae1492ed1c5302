package access

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/firmware-protocols/hallsync"
	"halledge/test/await"
)

// left has nobody touch a page for a while.
func (d *Door) left(page string, ago time.Duration) {
	d.sessions.mu.Lock()
	defer d.sessions.mu.Unlock()
	for _, x := range d.sessions.byID {
		if x.who.Page == page && !x.beside {
			x.used = x.used.Add(-ago)
		}
	}
}

// said gives the status and the code of an answer.
func said(t *testing.T, c *http.Client, method, url, body string) (int, string) {
	t.Helper()
	res, raw := ask(t, c, method, url, body)
	var p struct {
		Code string `json:"code"`
	}
	if strings.HasPrefix(raw, "{") {
		if err := json.Unmarshal([]byte(raw), &p); err != nil {
			t.Fatal(err)
		}
	}
	return res.StatusCode, p.Code
}

// locking are options by which window 1 locks after ten minutes and window 2 never does.
func locking(t *testing.T) Options {
	o := options(t)
	never := 0
	o.People.Windows = []config.Window{{ID: "1"}, {ID: "2", LockMin: &never}}
	o.People.SignIn.LockMin = 10
	return o
}

// A page that nobody touches is locked, in the server: by its cookie nobody may do more than look at the hall, until its own person
// has shown again who he is.
func TestThreat21AnIdlePageLocks(t *testing.T) {
	d, srv := openWith(t, locking(t))
	c := browser(t)
	signInAs(t, c, srv.URL, "m01", "9876", "window-1")
	signInAs(t, c, srv.URL, "m01", "9876", "window-2")
	who := func(page string) Who {
		t.Helper()
		var got Who
		res, body := ask(t, c, "GET", srv.URL+"/who?as="+page, "")
		if res.StatusCode == http.StatusOK {
			_, _ = fmt.Sscan(body, &got.Role)
		}
		return got
	}
	d.left("window-1", 9*time.Minute)
	if got := who("window-1").Role; got != Manager {
		t.Fatalf("after nine minutes: %s", got)
	}
	if status, _ := said(t, c, "POST", srv.URL+"/here?as=window-1", ""); status != http.StatusNoContent {
		t.Fatalf("somebody is there: %d", status)
	}
	d.left("window-1", 9*time.Minute)
	if got := who("window-1").Role; got != Manager {
		t.Fatal("the sign of somebody does not count")
	}
	d.left("window-1", time.Minute)
	d.left("window-2", 100*time.Minute)
	if got := who("window-1"); got.Role != Locked || got.May(Work) || got.May(SeeTicket) || got.May(Hear) || got.MayWorkAt("1") || !got.May(SeeHall) {
		t.Fatalf("after ten minutes: %+v", got)
	}
	if got := who("window-2").Role; got != Manager {
		t.Errorf("window 2, which never locks: %s", got)
	}
	for _, method := range []string{"GET", "POST"} { // nor does a locked page unlock itself
		if status, code := said(t, c, method, srv.URL+"/here?as=window-1", ""); status != http.StatusLocked || code != string(SessionLocked) {
			t.Errorf("%s /here: %d %s", method, status, code)
		}
	}
	if status, code := signInAs(t, c, srv.URL, "w01", "1234", "window-1"); status != http.StatusConflict || code != WindowInUse {
		t.Errorf("another person unlocks: %d %s", status, code)
	}
	if status, code := signInAs(t, c, srv.URL, "m01", "0000", "window-1"); status != http.StatusUnauthorized || code != PINWrong {
		t.Errorf("a wrong PIN: %d %s", status, code)
	}
	if got := who("window-1").Role; got != Locked {
		t.Fatalf("still %s", got)
	}
	signInAs(t, c, srv.URL, "m01", "9876", "window-1")
	if got := who("window-1").Role; got != Manager {
		t.Errorf("unlocked: %s", got)
	}
	ask(t, c, "POST", srv.URL+"/lock?as=window-1", "")
	if got := who("window-1").Role; got != Locked {
		t.Errorf("locked on purpose: %s", got)
	}
}

// A helper that works beside a page keeps it open as long as keys are pressed, and opens no page that is locked.
func TestAHelperKeepsThePageOpen(t *testing.T) {
	d, srv := openWith(t, locking(t))
	page, helper := browser(t), browser(t)
	signInAs(t, page, srv.URL, "w01", "1234", "window-1")
	ask(t, helper, "POST", srv.URL+"/sign-in", `{"user":"w01","pin":"1234","page":"window-1","beside":true}`)
	status := func(c *http.Client, method string) int {
		got, _ := said(t, c, method, srv.URL+"/here?as=window-1", "")
		return got
	}
	d.left("window-1", 9*time.Minute)
	status(helper, "POST")
	d.left("window-1", 9*time.Minute)
	if got := status(page, "GET"); got != http.StatusNoContent {
		t.Fatalf("the helper works: %d", got)
	}
	d.left("window-1", time.Minute)
	if got := status(helper, "POST"); got != http.StatusNoContent {
		t.Errorf("the helper itself: %d", got)
	}
	if got := status(page, "GET"); got != http.StatusLocked {
		t.Errorf("locked, the helper opens it: %d", got)
	}
}

// Whoever is signed out because somebody signed in elsewhere is told so.
func TestWhoTookTheWindow(t *testing.T) {
	_, srv := open(t)
	first, second := browser(t), browser(t)
	signInAs(t, first, srv.URL, "w01", "1234", "window-1")
	takeOver(t, second, srv.URL, "m01", "9876")
	for range 2 {
		if status, code := said(t, first, "GET", srv.URL+"/here?as=window-1", ""); status != http.StatusUnauthorized || code != string(SessionTaken) {
			t.Errorf("%d %s", status, code)
		}
	}
	if status, code := signInAs(t, first, srv.URL, "w01", "1234", "window-1"); status != http.StatusConflict || code != WindowInUse {
		t.Errorf("%d %s", status, code)
	}
	if n := len(sessionsTaken(t)); n > maxSessions {
		t.Errorf("%d are remembered", n)
	}
}

// sessionsTaken is what is remembered after more handovers than there can be sessions.
func sessionsTaken(t *testing.T) map[string]handover {
	t.Helper()
	s := sessions{byID: map[string]*session{}, taken: map[string]handover{}}
	for range 3 * maxSessions {
		s.begin(Who{Role: Clerk, Staff: "w01", Page: "window-1", Window: "1", Credential: "staff/w01/window-1"}, false)
	}
	return s.taken
}

// Each further lock of a person on a machine is longer, and one PIN that is tried with many names locks the machine.
func TestThreat21LocksGrow(t *testing.T) {
	d := door(t)
	guess := func(user, want string) {
		t.Helper()
		status, code := d.from(t.Context(), "192.0.2.66", user, "0000")
		if got := fmt.Sprint(status, " ", code); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", user, got, want)
		}
	}
	for i, term := range []time.Duration{lockTime, 2 * lockTime, 4 * lockTime, 8 * lockTime, longestLock, longestLock} {
		for range maxFailures {
			d.tries.begin(spot{"w01", addr("192.0.2.66")}, true)
		}
		_, l := d.tries.begin(spot{"w01", addr("192.0.2.66")}, true)
		if l.rest > term || l.rest < term-time.Minute || l.device {
			t.Fatalf("lock %d: %+v, want %s", i, l, term)
		}
		d.tries.mu.Lock()
		d.tries.at[spot{"w01", addr("192.0.2.66")}].since = time.Now().Add(-term)
		clear(d.tries.of)
		clear(d.tries.from)
		d.tries.mu.Unlock()
	}
	for i := range maxStrange {
		d.tries.begin(spot{fmt.Sprint("x", i), addr("192.0.2.66")}, false)
	}
	guess("m01", "429")
	if _, l := d.tries.begin(spot{"m01", addr("192.0.2.66")}, true); !l.device {
		t.Error("the machine is not locked")
	}
	wantFrom(t, d, "192.0.2.1", "m01", "9876", http.StatusNoContent, "")
}

// carded is a hall in which the clerk has a card, with a reader at window 1 and a kiosk that stands beside window 2.
func carded(t *testing.T, both bool) Options {
	o := locking(t)
	o.People.SignIn.CardAndPIN = both
	o.People.Staff[0].Card, o.People.Staff[0].Windows = "digest-of-w01", nil
	o.People.Windows[1].Reader = "kiosk-1"
	o.Readers = []string{"window-1", "kiosk-1"}
	return o
}

// tapAt waits for a card at a page as its browser does, shows one at a place meanwhile, and gives what the page is answered.
func tapAt(t *testing.T, d *Door, c *http.Client, base, page, place string, tap Tap) (shown cardShown, status int, taken bool) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		res, body := ask(t, c, "POST", base+"/card", fmt.Sprintf(`{"page":%q}`, page))
		if status = res.StatusCode; status == http.StatusOK {
			if err := json.Unmarshal([]byte(body), &shown); err != nil {
				t.Error(err)
			}
		}
	}()
	await.That(t, "the page at the reader", func() bool {
		d.cards.mu.Lock()
		defer d.cards.mu.Unlock()
		return d.cards.waits[place] != nil
	})
	if taken = d.Tapped(place, tap); !taken {
		d.cards.mu.Lock()
		d.cards.waits[place].leave()
		d.cards.mu.Unlock()
	}
	<-done
	return shown, status, taken
}

// A card lets its person in where he waits for it, and nobody else; a citizen's card stays a citizen's.
func TestSigningInByCard(t *testing.T) {
	d, srv := openWith(t, carded(t, false))
	mine := Tap{Digest: "digest-of-w01"}
	if d.Tapped("window-1", mine) || d.Tapped("kiosk-1", mine) {
		t.Fatal("nobody waits, and the card is no citizen's")
	}
	c := browser(t)
	if _, status, taken := tapAt(t, d, c, srv.URL, "window-1", "window-1", Tap{Digest: "somebody else's"}); taken || status != http.StatusNoContent {
		t.Errorf("a citizen's card: %d %t", status, taken)
	}
	in := func(shown cardShown, page, more string) (int, string) {
		t.Helper()
		return said(t, c, "POST", srv.URL+"/sign-in", fmt.Sprintf(`{"user":%q,"page":%q,"card":%q,"pin":""%s}`, shown.User, page, shown.Card, more))
	}
	shown, _, taken := tapAt(t, d, c, srv.URL, "window-2", "kiosk-1", mine)
	if !taken || shown.User != "w01" || shown.PIN {
		t.Fatalf("%+v %t", shown, taken)
	}
	if status, code := in(shown, "window-1", ""); status != http.StatusUnauthorized || code != string(CardOver) {
		t.Errorf("at another page: %d %s", status, code)
	}
	if status, code := in(cardShown{User: "m01", Card: shown.Card}, "window-2", ""); status != http.StatusUnauthorized || code != string(CardOver) {
		t.Errorf("as somebody else: %d %s", status, code)
	}
	if status, code := in(shown, "window-2", ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, code)
	}
	if status, code := in(shown, "window-2", ""); status != http.StatusUnauthorized || code != string(CardOver) {
		t.Errorf("twice: %d %s", status, code)
	}
	badge, _, _ := tapAt(t, d, c, srv.URL, "window-1", "window-1", Tap{Digest: "digest-of-w01", Badge: true})
	if status, code := in(badge, "window-1", ""); !badge.PIN || status != http.StatusUnauthorized || code != string(PINWrong) {
		t.Errorf("a badge that was photographed: %d %s", status, code)
	}
	d.cards.mu.Lock()
	for id, x := range d.cards.shown {
		x.at = x.at.Add(-cardTerm)
		d.cards.shown[id] = x
	}
	d.cards.mu.Unlock()
	if status, code := in(badge, "window-1", ""); status != http.StatusUnauthorized || code != string(CardOver) {
		t.Errorf("late: %d %s", status, code)
	}
	if status, code := said(t, c, "POST", srv.URL+"/card", `{"page":"board"}`); status != http.StatusConflict || code != string(CardReader) {
		t.Errorf("where nothing reads cards: %d %s", status, code)
	}
}

// Where the plan wants both, neither the card nor the PIN is enough for who has a card.
func TestCardAndPIN(t *testing.T) {
	d, srv := openWith(t, carded(t, true))
	c := browser(t)
	if status, code := signInAs(t, c, srv.URL, "w01", "1234", "window-1"); status != http.StatusUnauthorized || code != CardFirst {
		t.Errorf("the PIN alone: %d %s", status, code)
	}
	if status, code := signInAs(t, c, srv.URL, "w01", "0000", "window-1"); status != http.StatusUnauthorized || code != PINWrong {
		t.Errorf("a wrong PIN tells whether there is a card: %d %s", status, code)
	}
	if status, code := signInAs(t, c, srv.URL, "m01", "9876", "window-2"); status != http.StatusNoContent {
		t.Errorf("who has none: %d %s", status, code)
	}
	shown, _, _ := tapAt(t, d, c, srv.URL, "window-1", "window-1", Tap{Digest: "digest-of-w01"})
	for _, tc := range []struct {
		pin    string
		status int
	}{{"", http.StatusUnauthorized}, {"0000", http.StatusUnauthorized}, {"1234", http.StatusNoContent}} {
		if status, code := said(t, browser(t), "POST", srv.URL+"/sign-in", fmt.Sprintf(`{"user":"w01","pin":%q,"page":"window-1","card":%q}`, tc.pin, shown.Card)); status != tc.status {
			t.Errorf("with the card and %q: %d %s", tc.pin, status, code)
		}
	}
}

// Two machines cannot wait for a card at one reader: the second might catch it. Who enrols a card comes before who signs in.
func TestOneMachineWaitsAtAReader(t *testing.T) {
	d, _ := openWith(t, carded(t, false))
	wait := func(ip string, enrol bool) (result chan string) {
		result = make(chan string, 1)
		go func() {
			tap, ok, refused := d.await(t.Context(), []string{"window-1"}, addr(ip), enrol)
			result <- fmt.Sprint(tap.Digest, ok, refused)
		}()
		return result
	}
	at := func(ip string) func() bool {
		return func() bool {
			d.cards.mu.Lock()
			defer d.cards.mu.Unlock()
			w := d.cards.waits["window-1"]
			return w != nil && w.from == addr(ip)
		}
	}
	first := wait("192.0.2.1", false)
	await.That(t, "the first", at("192.0.2.1"))
	if got := <-wait("192.0.2.2", false); got != "false"+string(CardBusy) {
		t.Errorf("a second machine: %s", got)
	}
	enrol := wait("192.0.2.3", true)
	if got := <-first; got != "false" {
		t.Errorf("the first: %s", got)
	}
	await.That(t, "who enrols", at("192.0.2.3"))
	if got := <-wait("192.0.2.1", false); got != "false"+string(CardBusy) {
		t.Errorf("while a card is enrolled: %s", got)
	}
	if !d.Tapped("window-1", Tap{Digest: "new"}) {
		t.Error("the card goes past who enrols it")
	}
	if got := <-enrol; got != "newtrue" {
		t.Errorf("enrolled: %s", got)
	}
	if at("192.0.2.3")() {
		t.Error("it is still waited for")
	}
}

// Whose PIN somebody else has chosen chooses his own before he is let in.
func TestChoosingOnesOwnPIN(t *testing.T) {
	o := options(t)
	o.People.Staff[0].ChangePIN = true
	var d *Door
	o.Repin = func(_ context.Context, id hallsync.StaffID, hash string) error {
		next := o.People
		next.Staff = append([]config.Staff{}, o.People.Staff...)
		next.Staff[0].PIN, next.Staff[0].ChangePIN = hash, false
		return d.Employ(next)
	}
	d, srv := openWith(t, o)
	in := func(pin, next string) (int, string) {
		t.Helper()
		return said(t, browser(t), "POST", srv.URL+"/sign-in", fmt.Sprintf(`{"user":"w01","pin":%q,"new_pin":%q,"page":"desk"}`, pin, next))
	}
	for _, tc := range []struct {
		pin, next string
		status    int
		code      string
	}{
		{"1234", "", 403, string(PINChange)}, {"0000", "", 401, string(PINWrong)},
		{"1234", "1234", 422, string(PINWeak)}, {"1234", "123", 422, string(PINWeak)}, {"1234", "777777", 422, string(PINWeak)},
		{"1234", "345678", 422, string(PINWeak)}, {"1234", "8765", 422, string(PINWeak)}, {"1234", "90ab12", 422, string(PINWeak)},
		{"1234", "902817", 204, ""}, {"902817", "", 204, ""},
	} {
		if status, code := in(tc.pin, tc.next); status != tc.status || code != tc.code {
			t.Errorf("%s then %q: %d %s, want %d %s", tc.pin, tc.next, status, code, tc.status, tc.code)
		}
	}
	if !Guessable("1234", "w1234") || Guessable("2580", "w01") {
		t.Error("one's own number")
	}
}
