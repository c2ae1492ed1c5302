package codes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"halledge/agent/internal/config"
	"halledge/agent/kit/breaker"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/replay"
	"halledge/drivers/device"
	"halledge/firmware-protocols/hallsync"
)

const (
	hallCode = hallsync.HallID("440900000000001")
	ticket   = hallsync.TicketID("01JDA7XW9K3E5V5T7Q2Q0YB4ZC")
)

func signer(t *testing.T) *Signer {
	t.Helper()
	s, err := NewSigner(t.TempDir(), hallCode, "http://hall.example:8080/")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func recogniser(t *testing.T, r Resolver, log *slog.Logger) *Recogniser {
	t.Helper()
	return New(Options{Signer: signer(t), Rules: SimRules, Resolver: r, Log: log})
}

func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestRecognise(t *testing.T) {
	r := recogniser(t, Sim{}, slog.New(slog.DiscardHandler))
	foreign := signer(t)
	for name, tc := range map[string]struct {
		payload string
		kind    Kind
		proof   hallsync.Proof
		code    Code
	}{
		"slip address":         {r.opts.Signer.TicketURL(ticket), KindTicket, hallsync.ProofNone, ""},
		"bare token":           {r.opts.Signer.Token(ticket), KindTicket, hallsync.ProofNone, ""},
		"token with line end":  {r.opts.Signer.Token(ticket) + "\r\n", KindTicket, hallsync.ProofNone, ""},
		"another hall's token": {foreign.Token(ticket), "", "", Unknown},
		"changed token":        {strings.Replace(r.opts.Signer.Token(ticket), "01JDA", "01JDB", 1), "", "", Unknown},
		"person":               {"YSS-SIM-0001", KindYSS, hallsync.ProofYSS, ""},
		"business":             {"YSH-SIM-0001", KindYSH, hallsync.ProofYSH, ""},
		"expired":              {"YSS-SIM-EXPIRED-1", "", "", Expired},
		"refused":              {"YSS-SIM-REFUSED-1", "", "", Refused},
		"prefix alone":         {"YSS-SIM-", "", "", Refused},
		"down":                 {"YSS-SIM-OFFLINE-1", "", "", Offline},
		"identity number":      {"991101199003070016", KindIDNumber, hallsync.ProofNone, ""},
		"wrong check digit":    {"991101199003070017", "", "", Unknown},
		"no such date":         {"991101199013070013", "", "", Unknown},
		"nothing":              {" \r\n", "", "", Unknown},
		"a web address":        {"https://example.org/x", "", "", Unknown},
		"too long":             {strings.Repeat("9", maxPayload+1), "", "", Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret(tc.payload))
			if codeOf(err) != tc.code || res.Kind != tc.kind || res.Proof != tc.proof {
				t.Fatalf("got %+v, %v", res, err)
			}
			if tc.kind == KindTicket && res.Ticket != ticket {
				t.Fatalf("ticket %q", res.Ticket)
			}
		})
	}
}

func TestErrorTellsTheLength(t *testing.T) {
	_, err := recogniser(t, Sim{}, slog.New(slog.DiscardHandler)).Recognise(t.Context(), "desk", device.NewSecret("hello"))
	var e *Error
	if !errors.As(err, &e) || e.Length != 5 {
		t.Fatalf("got %v", err)
	}
}

func TestPayloadsAreNeverLogged(t *testing.T) {
	var out bytes.Buffer
	r := recogniser(t, Sim{}, slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, p := range []string{"991101199003070016", "YSS-SIM-77777", "YSS-SIM-OFFLINE-77777", "nonsense-77777"} {
		_, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret(p))
		fmt.Fprintf(&out, "%v %+v", err, err)
		if strings.Contains(out.String(), p) {
			t.Fatalf("log has a payload: %s", out.String())
		}
	}
	if !strings.Contains(out.String(), "scan recognised") {
		t.Fatalf("nothing logged: %s", out.String())
	}
}

func TestThreat13ACodeCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recogniser(t, Sim{}, slog.New(slog.DiscardHandler))
		show := func(place string) Code {
			_, err := r.Recognise(t.Context(), place, device.NewSecret("YSS-SIM-1"))
			return codeOf(err)
		}
		for i, step := range []struct {
			wait  time.Duration
			place string
			want  Code
		}{
			{0, "kiosk-1", ""},
			{30 * time.Second, "kiosk-1", ""}, // the scanner read it twice
			{0, "kiosk-2", Used},
			{40 * time.Second, "kiosk-1", Used},
			{10 * time.Minute, "kiosk-2", ""},
		} {
			time.Sleep(step.wait)
			if got := show(step.place); got != step.want {
				t.Fatalf("step %d: %q, want %q", i, got, step.want)
			}
		}
	})
}

func TestAFailedCodeMayBeShownAgain(t *testing.T) {
	down := &flaky{}
	down.fail.Store(true)
	r := recogniser(t, down, slog.New(slog.DiscardHandler))
	if _, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret("YSS-SIM-1")); codeOf(err) != Offline {
		t.Fatalf("got %v", err)
	}
	down.fail.Store(false)
	if _, err := r.Recognise(t.Context(), "kiosk-2", device.NewSecret("YSS-SIM-1")); err != nil {
		t.Fatal(err)
	}
}

func TestSlowResolverIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recogniser(t, Sim{}, slog.New(slog.DiscardHandler))
		begin := time.Now()
		_, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret("YSS-SIM-SLOW"))
		if codeOf(err) != Slow || time.Since(begin) != resolveTime {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
	})
}

// flaky is a resolver whose far end can be switched off; it counts the questions that reach it.
type flaky struct {
	fail  atomic.Bool
	asked atomic.Int64
}

func (f *flaky) Resolve(ctx context.Context, q Question) (Answer, error) {
	f.asked.Add(1)
	if f.fail.Load() {
		return Answer{}, errors.New("connection refused")
	}
	return Sim{}.Resolve(ctx, q)
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &flaky{}
		far.fail.Store(true)
		r := recogniser(t, far, slog.New(slog.DiscardHandler))
		n := 0
		show := func() Code {
			n++
			_, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret(fmt.Sprint("YSS-SIM-", n)))
			return codeOf(err)
		}
		for range breaker.Failures + 3 {
			if got := show(); got != Offline {
				t.Fatalf("got %q", got)
			}
		}
		if far.asked.Load() != breaker.Failures {
			t.Fatalf("asked %d times", far.asked.Load())
		}
		time.Sleep(breaker.Rest)
		show() // the probe fails
		show()
		if far.asked.Load() != breaker.Failures+1 {
			t.Fatalf("asked %d times after one rest", far.asked.Load())
		}
		far.fail.Store(false)
		time.Sleep(breaker.Rest)
		for range 3 {
			if got := show(); got != "" {
				t.Fatalf("got %q after recovery", got)
			}
		}
	})
}

func TestSignerKeepsItsKey(t *testing.T) {
	dir := t.TempDir()
	first, err := NewSigner(dir, hallCode, "http://a")
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewSigner(dir, hallCode, "http://a")
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := again.Verify(first.Token(ticket)); !ok || id != ticket {
		t.Fatal("token of the earlier process is not accepted")
	}
	other, err := NewSigner(dir, "440900000000002", "http://a")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.Verify(first.Token(ticket)); ok {
		t.Fatal("another hall accepts the token")
	}
	fi, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("key file %v, %v", fi.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, KeyFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range 2 { // the second start finds the new key
		next, err := NewSigner(dir, hallCode, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := next.Verify(first.Token(ticket)); ok || len(next.Damaged()) != 1-n {
			t.Fatalf("start %d: the old token is accepted: %v, put aside: %q", n, ok, next.Damaged())
		}
	}
	if kept, err := os.ReadFile(filepath.Join(dir, KeyFile+".bad")); err != nil || string(kept) != "short" {
		t.Errorf("put aside is %q, %v", kept, err)
	}
}

func TestACodeThatLedToATicketGivesItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recogniser(t, Sim{}, slog.New(slog.DiscardHandler))
		show := func(place, payload string) (Result, Code) {
			res, err := r.Recognise(t.Context(), place, device.NewSecret(payload))
			return res, codeOf(err)
		}
		first, _ := show("kiosk-1", "YSS-SIM-1")
		r.Took("kiosk-1", first.Code, first.Kind, ticket)
		for _, wait := range []time.Duration{0, time.Minute, 8 * time.Minute} {
			time.Sleep(wait)
			if res, code := show("kiosk-1", "YSS-SIM-1"); code != "" || res.Ticket != ticket || res.Kind != KindYSS {
				t.Fatalf("after %s: %+v %s", wait, res, code)
			}
			if _, code := show("kiosk-2", "YSS-SIM-1"); code != Used {
				t.Fatalf("elsewhere: %s", code)
			}
		}
		r.Took("kiosk-1", replay.Mark{}, KindYSS, ticket) // of a card, which may be shown as often as one likes
		if _, code := show("kiosk-1", "YSS-SIM-2"); code != "" {
			t.Fatal(code)
		}
	})
}

func TestWhenNobodyCanBeAskedATicketIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &flaky{}
		far.fail.Store(true)
		r := recogniser(t, far, slog.New(slog.DiscardHandler))
		pending := func(place string) *Result {
			_, err := r.Recognise(t.Context(), place, device.NewSecret("YSH-SIM-1"))
			var e *Error
			if !errors.As(err, &e) || e.Code != Offline {
				t.Fatal(err)
			}
			return e.Pending
		}
		if pending("window-1") != nil {
			t.Error("at a window there is nothing to have for the time being")
		}
		p := pending("kiosk-1")
		if p == nil || p.Kind != KindYSH || p.Proof != hallsync.ProofYSH || p.Names != nil || p.Code == (replay.Mark{}) {
			t.Fatalf("%+v", p)
		}
		r.Took("kiosk-1", p.Code, p.Kind, ticket)
		far.fail.Store(false)
		if res, err := r.Recognise(t.Context(), "kiosk-1", device.NewSecret("YSH-SIM-1")); err != nil || res.Ticket != ticket {
			t.Errorf("%+v %v", res, err)
		}
		if _, err := r.Recognise(t.Context(), "kiosk-2", device.NewSecret("YSH-SIM-1")); codeOf(err) != Used {
			t.Errorf("elsewhere: %v", err)
		}
	})
}

func TestPersonsHaveOneNameForAllWhoShareTheKey(t *testing.T) {
	number := device.NewSecret("991101199003070016")
	a, b := signer(t), signer(t)
	if a.Names(number)[0] == b.Names(number)[0] {
		t.Error("two halls call a person alike without having said so")
	}
	shared := func() []Key { return []Key{NewKey("2026", []byte("a long random word"))} }
	a.ShareNames(shared)
	b.ShareNames(shared)
	mine, theirs := a.Names(number), b.Names(number)
	if len(mine) != 2 || mine[0] != theirs[0] || mine[0] != gm.Pseudonym([]byte("a long random word"), number.Reveal()) || mine[1] == theirs[1] {
		t.Errorf("%s and %s", mine, theirs)
	}
	if none := a.Names(device.NewSecret(" ")); len(none) != 0 {
		t.Errorf("nobody is called %s", none)
	}
}

// Whoever was recognised before a key came has none of its names: until he is forgotten, the key is known and not used.
func TestAKeyThatComesWhileTheHallWorksIsUsedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		number := device.NewSecret("991101199003070016")
		s := signer(t)
		var keys []Key
		s.ShareNames(func() []Key { return keys })
		own := s.Names(number)[0]
		name := func(k Key) string { return gm.Pseudonym([]byte(k.secret.Reveal()), number.Reveal()) }
		first, second := NewKey("2026", []byte("the first")), NewKey("2027", []byte("the second"))

		keys = []Key{first} // the hall enrols
		if got := s.Names(number); !slices.Equal(got, []string{own, name(first)}) || !slices.Equal(s.Index(), []string{s.OwnKey().ID, "2026"}) {
			t.Fatalf("at once: %s", got)
		}
		time.Sleep(freshTime)
		if got := s.Names(number); !slices.Equal(got, []string{name(first), own}) {
			t.Fatalf("a day later: %s", got)
		}
		keys = []Key{second, first} // a year later
		if got := s.Names(number); !slices.Equal(got, []string{name(first), own, name(second)}) {
			t.Fatalf("the next key: %s", got)
		}
		time.Sleep(freshTime)
		if got := s.Names(number); !slices.Equal(got, []string{name(second), name(first), own}) {
			t.Fatalf("the next key, a day later: %s", got)
		}
		s.ShareNames(func() []Key { return keys }) // as after a restart
		if got := s.Names(number); got[0] != name(second) {
			t.Fatalf("after a restart: %s", got)
		}
	})
}

// An order that takes the key in use away, and brings another, makes nobody another person in the middle of a day; and ever other keys fill nothing.
func TestAKeyThatIsTakenAwayIsUsedForADayMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		number := device.NewSecret("991101199003070016")
		s := signer(t)
		first, second := NewKey("2026", []byte("the first")), NewKey("2027", []byte("the second"))
		keys := []Key{first}
		s.ShareNames(func() []Key { return keys })
		own := s.OwnKey().ID
		index := func(want ...string) {
			t.Helper()
			if got := s.Index(); !slices.Equal(got, want) || len(s.Names(number)) != len(want) {
				t.Fatalf("keys %s, want %s", got, want)
			}
		}
		keys = []Key{second}
		index("2026", own, "2027")
		time.Sleep(freshTime - time.Second)
		index("2026", own, "2027")
		time.Sleep(time.Second)
		index("2027", own)
		keys = []Key{first} // it is back
		index("2027", own, "2026")
		keys = []Key{first, second}
		time.Sleep(freshTime)
		index("2026", "2027", own)
		for n := range 100 {
			keys = []Key{NewKey(strconv.Itoa(n), []byte{byte(n)})}
			if got := s.Index(); len(got) > hallsync.MaxIndex || got[0] != "2026" {
				t.Fatalf("keys %s", got)
			}
		}
	})
}

func TestPublicBase(t *testing.T) {
	for want, web := range map[string]config.Web{
		"http://127.0.0.1:8080":      {Listen: "127.0.0.1:8080"},
		"https://hall.example":       {Listen: ":8080", Public: "https://hall.example/"},
		"https://[2001:db8::1]:8080": {Listen: "[2001:db8::1]:8080"},
		"https://hall.example:8080":  {Listen: "hall.example:8080"},
	} {
		if got := PublicBase(web); got != want {
			t.Errorf("%+v: %s, want %s", web, got, want)
		}
	}
	for _, listen := range []string{":8080", "0.0.0.0:8080", "[::]:8080"} {
		got := PublicBase(config.Web{Listen: listen})
		if !strings.HasSuffix(got, ":8080") || strings.Contains(got, "//:") || strings.Contains(got, "0.0.0.0") || strings.Contains(got, "[::]") {
			t.Errorf("%s: %s cannot be opened by others", listen, got)
		}
	}
}

func FuzzRecognise(f *testing.F) {
	for _, s := range []string{"HE1..", "HE1.a.b", "http://x/t/HE1.x.y", "YSS-SIM-1", "991101199003070016", "\x00\xff", "/t/"} {
		f.Add(s)
	}
	s, err := NewSigner(f.TempDir(), hallCode, "http://hall.example")
	if err != nil {
		f.Fatal(err)
	}
	r := New(Options{Signer: s, Rules: SimRules, Resolver: Sim{}, Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, payload string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // SLOW must not wait
		res, err := r.Recognise(ctx, "kiosk-1", device.NewSecret(payload))
		if (err == nil) == (res.Kind == "") {
			t.Fatalf("%+v, %v", res, err)
		}
		if res.Kind == KindTicket && s.Token(res.Ticket) != tokenIn(strings.Trim(payload, " \t\r\n")) {
			t.Fatalf("%q was taken for ticket %s", payload, res.Ticket)
		}
	})
}
