package access

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/kit/problem"
	"halledge/test/await"
)

// addr is an address of IPv4 as it is counted.
func addr(ip string) netip.Prefix { return netip.PrefixFrom(netip.MustParseAddr(ip), 32) }

// door is one without a server, whose senders have the address the test gives them.
func door(t *testing.T) *Door {
	t.Helper()
	d, err := New(options(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// from signs somebody in at window 1, or the desk for who may not work there, from an address.
func (d *Door) from(ctx context.Context, ip, user, pin string) (int, problem.Code) {
	body := fmt.Sprintf(`{"user":%q,"pin":%q,"page":"desk"}`, user, pin)
	r := httptest.NewRequestWithContext(ctx, "POST", "/sign-in", strings.NewReader(body))
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(ip), 5000).String()
	w := httptest.NewRecorder()
	d.SignIn(w, r)
	for _, c := range []problem.Code{PINWrong, PINLocked, SignInBusy} {
		if strings.Contains(w.Body.String(), string(c)) {
			return w.Code, c
		}
	}
	return w.Code, ""
}

// wantFrom fails unless that has an end.
func wantFrom(t *testing.T, d *Door, ip, user, pin string, status int, code problem.Code) {
	t.Helper()
	if got, said := d.from(t.Context(), ip, user, pin); got != status || said != code {
		t.Errorf("%s as %s: %d %s, want %d %s", ip, user, got, said, status, code)
	}
}

// counted gives how many tries of somebody count at an address.
func (d *Door) counted(ip, user string) int {
	d.tries.mu.Lock()
	defer d.tries.mu.Unlock()
	if x := d.tries.at[spot{user, addr(ip)}]; x != nil {
		return x.count
	}
	return 0
}

// Guesses sent together are no more than guesses sent one by one.
func TestGuessesSentTogether(t *testing.T) {
	d := door(t)
	d.hashing <- struct{}{} // no PIN is compared yet
	var all sync.WaitGroup
	for range maxFailures {
		all.Go(func() { d.from(t.Context(), "192.0.2.1", "w01", "0000") })
	}
	await.That(t, "the guesses", func() bool { return d.counted("192.0.2.1", "w01") == maxFailures })
	right := make(chan int, 1)
	all.Go(func() {
		status, _ := d.from(t.Context(), "192.0.2.1", "w01", "1234")
		right <- status
	})
	select {
	case status := <-right:
		if status != http.StatusTooManyRequests {
			t.Errorf("the right one: %d", status)
		}
	case <-time.After(hashTime / 2):
		t.Error("the right one waits to be compared")
	}
	<-d.hashing
	all.Wait()
	if len(d.sessions.byID) > 0 {
		t.Error("the right one of too many guesses is let in")
	}
	wantFrom(t, d, "192.0.2.1", "w01", "1234", 429, PINLocked)
}

// Whoever invents names does not make the hall forget what was counted of a person.
func TestInventedNamesUnlockNobody(t *testing.T) {
	d := door(t)
	for range maxFailures {
		d.tries.begin(spot{"w01", addr("192.0.2.1")}, true)
	}
	for i := range 3 * maxTallies {
		d.tries.begin(spot{fmt.Sprint("nobody", i), addr("192.0.2.1")}, false)
	}
	if at, of := len(d.tries.at), len(d.tries.of); at > maxTallies || of > maxTallies {
		t.Errorf("%d and %d are remembered", at, of)
	}
	wantFrom(t, d, "192.0.2.1", "w01", "1234", 429, PINLocked)
}

// Wrong PINs sent from somewhere else lock a clerk out of no machine of his own.
func TestNobodyLocksAClerkOut(t *testing.T) {
	d := door(t)
	for i := range maxFailures {
		wantFrom(t, d, "192.0.2.66", "w01", "0000", [...]int{401, 401, 401, 401, 429}[i], [...]problem.Code{PINWrong, PINWrong, PINWrong, PINWrong, PINLocked}[i])
	}
	wantFrom(t, d, "192.0.2.66", "w01", "1234", 429, PINLocked)
	wantFrom(t, d, "192.0.2.1", "w01", "1234", 204, "")
	for i := range maxGuesses { // from as many addresses as he likes
		d.tries.begin(spot{"w01", addr(fmt.Sprint("198.51.100.", i))}, true)
	}
	wantFrom(t, d, "192.0.2.99", "w01", "1234", 429, PINLocked)
	wantFrom(t, d, "192.0.2.1", "w01", "1234", 204, "")
	wantFrom(t, d, "192.0.2.99", "m01", "9876", 204, "")
	if d.counted("192.0.2.1", "w01") != 0 {
		t.Error("a right PIN counts")
	}
}

// A sign-in gives no guesses back to those who guess elsewhere.
func TestSigningInDoesNotClearTheGuessesOfOthers(t *testing.T) {
	d := door(t)
	for i := range maxGuesses - 1 {
		d.tries.begin(spot{"w01", addr(fmt.Sprint("198.51.100.", i))}, true)
	}
	wantFrom(t, d, "192.0.2.1", "w01", "1234", 204, "") // a new machine
	d.tries.begin(spot{"w01", addr("198.51.100.200")}, true)
	wantFrom(t, d, "198.51.100.201", "w01", "1234", 429, PINLocked)
	d.tries.mu.Lock()
	d.tries.of["w01"].since = time.Now().Add(-guessTime)
	d.tries.mu.Unlock()
	wantFrom(t, d, "198.51.100.201", "w01", "1234", 204, "")
}

func TestAnotherPINUnlocks(t *testing.T) {
	d := door(t)
	for i := range maxGuesses {
		d.tries.begin(spot{"w01", addr(fmt.Sprint("198.51.100.", i/10))}, true)
	}
	for range maxFailures {
		d.tries.begin(spot{"w01", addr("192.0.2.1")}, true)
	}
	if err := d.Employ(People{Staff: []config.Staff{clerk(t, "w01", "4321", "clerk")}}); err != nil {
		t.Fatal(err)
	}
	wantFrom(t, d, "192.0.2.1", "w01", "4321", 204, "")
}

// Few strangers wait for their PIN to be compared, and who has signed in from there before waits beside them.
func TestAFloodOfSignIns(t *testing.T) {
	d := door(t)
	wantFrom(t, d, "192.0.2.1", "w01", "1234", 204, "")
	d.hashing <- struct{}{}
	gone, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range maxStranger {
		all.Go(func() { d.from(gone, fmt.Sprint("198.51.100.", i), "m01", "0000") })
	}
	await.That(t, "the strangers", func() bool { return len(d.strangers) == maxStranger })
	wantFrom(t, d, "198.51.100.99", "m01", "9876", 429, SignInBusy)
	at := make(chan int, 1)
	all.Go(func() {
		status, _ := d.from(t.Context(), "192.0.2.1", "w01", "1234")
		at <- status
	})
	await.That(t, "the clerk", func() bool { return d.counted("192.0.2.1", "w01") == 1 })
	cancel() // the strangers go away
	await.That(t, "nobody", func() bool { return len(d.strangers) == 0 })
	<-d.hashing
	if status := <-at; status != http.StatusNoContent {
		t.Errorf("the clerk: %d", status)
	}
	all.Wait()
	for i := range maxStranger {
		if n := d.counted(fmt.Sprint("198.51.100.", i), "m01"); n != 0 {
			t.Errorf("%d guesses count that were compared with nothing", n)
		}
	}
}

// An address asks so often and no oftener, in whatever name, and not for others.
func TestAnAddressIsBounded(t *testing.T) {
	d := door(t)
	for i := range senderBurst {
		if !d.senders.allow(addr("198.51.100.1")) {
			t.Fatalf("sign-in %d is refused", i)
		}
	}
	wantFrom(t, d, "198.51.100.1", "m01", "9876", 429, SignInBusy)
	wantFrom(t, d, "198.51.100.2", "m01", "9876", 204, "")
	for i := range 3 * maxMeters {
		d.senders.allow(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32))
	}
	if n := len(d.senders.by); n > maxMeters {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestSenderOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:1234": "192.0.2.7/32", "[::ffff:192.0.2.7]:1": "192.0.2.7/32", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "nonsense": "invalid Prefix",
	} {
		if got := senderOf(&http.Request{RemoteAddr: remote}).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// Threat 36: a credential has its own measure of commands, and slips without end take no memory without end.
func TestThreat36EachCredentialHasItsMeasure(t *testing.T) {
	d := door(t)
	fill := func(who Who) (passed int) {
		for passed < 100_000 && d.AllowCommand(who) {
			passed++
		}
		return passed
	}
	for name, c := range map[string]struct {
		who   Who
		least int
	}{
		"a window": {Who{Role: Staff, Credential: "staff"}, leastCommands},
		"a kiosk":  {Who{Role: Kiosk, Credential: "kiosk"}, leastCommands},
		"a slip":   {Who{Role: Citizen, Credential: "ticket/1"}, citizenBurst},
	} {
		if n := fill(c.who); n < c.least || n == 100_000 {
			t.Errorf("%s: %d commands", name, n)
		}
	}
	for i := range 5 * maxMeters {
		if !d.AllowCommand(Who{Role: Citizen, Credential: fmt.Sprint("ticket/other", i)}) {
			t.Fatalf("slip %d pays for the others", i)
		}
	}
	if n := len(d.citizens.by); n > maxMeters {
		t.Errorf("%d slips are remembered", n)
	}
}
