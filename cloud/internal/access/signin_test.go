package access_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/store"
)

const (
	home    = "192.0.2.7"    // where li works
	foreign = "198.51.100.9" // where li does not
)

// wait gives how long a refused attempt has to wait.
func (f *fixture) wait(address, user string) (problem.Code, time.Duration) {
	f.t.Helper()
	_, _, err := f.SignIn(f.t.Context(), access.Attempt{User: user, Password: right, Remote: address})
	var refusal *access.Refusal
	if !errors.As(err, &refusal) {
		f.t.Fatalf("signing in as %s from %s: %v", user, address, err)
	}
	return refusal.Code, refusal.RetryAfter
}

// seed stores failures as attempts that were judged leave them, without the time that judging takes.
func (f *fixture) seed(name, network string, failed int) {
	f.t.Helper()
	err := f.st.Write(f.t.Context(), func(tx *store.Tx) error {
		return tx.PutFailures(store.Failures{Name: name, Network: network, Failed: failed, Last: f.clock.now()}, f.clock.now().Add(-time.Hour))
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestNameIsLockedWhereItFailed(t *testing.T) {
	for name, user := range map[string]string{"user": "li", "nobody": "ghost"} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			for i := range 4 {
				if code := f.from(foreign, user, "wrong"); code != access.CodeWrong {
					t.Fatalf("failure %d: %s", i+1, code)
				}
			}
			if code := f.from(foreign, user, "wrong"); code != access.CodeLocked {
				t.Fatalf("fifth failure: %s", code)
			}
			if code, wait := f.wait(foreign, user); code != access.CodeLocked || wait != 15*time.Minute {
				t.Fatalf("the right password while locked: %s for %s", code, wait)
			}
			want := problem.Code("ok")
			if user == "ghost" {
				want = access.CodeWrong
			}
			if code := f.from(home, user, right); code != want {
				t.Errorf("from elsewhere, meanwhile: %s", code)
			}
			f.clock.pass(15*time.Minute + time.Second)
			if code := f.from(foreign, user, right); code != want {
				t.Errorf("after the lock: %s", code)
			}
		})
	}
}

func TestLocksSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	f := startAt(t, path)
	for range 5 {
		f.from(foreign, "li", "wrong")
	}
	if err := f.st.Close(); err != nil {
		t.Fatal(err)
	}
	f = startAt(t, path)
	if code := f.from(foreign, "li", right); code != access.CodeLocked {
		t.Errorf("after a restart: %s", code)
	}
	if code := f.from(home, "li", right); code != "ok" {
		t.Errorf("from elsewhere: %s", code)
	}
}

func TestOneIPv6LineIsOneNetwork(t *testing.T) {
	f := start(t)
	for i := range 5 {
		f.from(fmt.Sprintf("2001:db8:0:7::%d", i+1), "li", "wrong")
	}
	if code := f.from("2001:db8:0:7:ffff::9", "li", right); code != access.CodeLocked {
		t.Errorf("another address of the line: %s", code)
	}
	if code := f.from("2001:db8:0:8::1", "li", right); code != "ok" {
		t.Errorf("the line next door: %s", code)
	}
	if code := f.from("::ffff:"+home, "li", right); code != "ok" {
		t.Errorf("IPv4 written as IPv6: %s", code)
	}
}

// A name that is guessed from everywhere is slowed for strangers, each block of addresses by itself: whoever guesses keeps nobody
// out who comes from elsewhere, and nobody at all where he always comes from.
func TestGuessedNameIsSlowedForStrangersOnly(t *testing.T) {
	f := start(t)
	if code := f.from(home, "li", right); code != "ok" {
		t.Fatal(code)
	}
	guess := func() {
		for i := range 13 {
			f.seed("li", fmt.Sprintf("203.0.113.%d", i+1), 4)
		}
		f.seed("li", "2001:db8:5:1::/64", 4)
	}
	guess()
	for _, near := range []string{"203.0.113.200", "2001:db8:5:2::9"} {
		if code, wait := f.wait(near, "li"); code != access.CodeSlowed || wait <= 0 || wait > 30*time.Second {
			t.Errorf("a stranger beside those who guess: %s for %s", code, wait)
		}
	}
	if code := f.from(foreign, "li", "wrong"); code != access.CodeWrong {
		t.Errorf("a stranger from elsewhere: %s", code)
	}
	for _, near := range []string{foreign, "198.51.100.77"} {
		if code := f.from(near, "li", right); code != access.CodeSlowed {
			t.Errorf("%s, right after that: %s", near, code)
		}
	}
	if code := f.from(home, "li", right); code != "ok" {
		t.Errorf("the owner at home: %s", code)
	}
	f.clock.pass(30 * time.Second)
	guess()
	if code := f.from(foreign, "li", right); code != "ok" {
		t.Errorf("the owner abroad, after a pause in which others went on guessing: %s", code)
	}
	if code := f.from("203.0.113.200", "li", right); code != access.CodeSlowed {
		t.Errorf("a stranger beside those who guess: %s", code)
	}
}

// One network that tries many names is slowed as a whole, but for people who come from there.
func TestSprayingNetworkIsSlowed(t *testing.T) {
	f := start(t)
	if code := f.from(home, "li", right); code != "ok" {
		t.Fatal(code)
	}
	for i := range 30 {
		f.seed(fmt.Sprint("user", i), home, 1)
	}
	if code, _ := f.wait(home, "wu"); code != access.CodeSlowed {
		t.Errorf("yet another name: %s", code)
	}
	if code := f.from(home, "li", right); code != "ok" {
		t.Errorf("who works there: %s", code)
	}
	if code := f.from(foreign, "wu", right); code != access.CodeWrong {
		t.Errorf("another network: %s", code)
	}
	f.clock.pass(15*time.Minute + time.Second)
	if code := f.from(home, "wu", right); code != access.CodeWrong {
		t.Errorf("a quarter of an hour later: %s", code)
	}
}

func TestClockSetBackLocksNobodyForLonger(t *testing.T) {
	f := start(t)
	for range 5 {
		f.from(home, "li", "wrong")
	}
	f.clock.pass(-24 * time.Hour)
	if code := f.from(home, "li", right); code != "ok" {
		t.Errorf("locked for a day: %s", code)
	}
}

func TestSuccessAndTimeForgiveFailures(t *testing.T) {
	f := start(t)
	for range 4 {
		f.attempt("li", "wrong")
	}
	if code := f.attempt("li", right); code != "ok" {
		t.Fatalf("after four failures: %s", code)
	}
	for range 4 {
		f.attempt("li", "wrong")
	}
	f.clock.pass(16 * time.Minute)
	if code := f.attempt("li", "wrong"); code != access.CodeWrong {
		t.Fatalf("a failure long after the others: %s", code)
	}
}

func TestParallelGuessesAreLockedToo(t *testing.T) {
	f := start(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	wrong := 0
	for range 20 {
		wg.Go(func() {
			_, _, err := f.SignIn(context.Background(), access.Attempt{User: "li", Password: "wrong", Remote: remote})
			var refusal *access.Refusal
			if errors.As(err, &refusal) && refusal.Code == access.CodeWrong {
				mu.Lock()
				wrong++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if wrong != 4 {
		t.Errorf("%d guesses were judged before the lock, want 4", wrong)
	}
}

func TestOneNetworkCannotTryForEver(t *testing.T) {
	f := start(t)
	for range 30 {
		f.attempt("", "no name costs nothing")
	}
	if code := f.attempt("li", right); code != access.CodeTooOften {
		t.Errorf("the 31st attempt: %s", code)
	}
	if code := f.from("127.0.0.2", "li", right); code != "ok" {
		t.Errorf("another address: %s", code)
	}
	if lines := f.audit(); len(lines) != 1 {
		t.Errorf("audit %+v", lines)
	}
}

// People type their password into the wrong field. It must be nowhere afterwards.
func TestPasswordTypedAsNameIsNotKept(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "cloud.db")
	f := startAt(t, path)
	f.Desk = access.New(access.Options{Store: f.st, Now: f.clock.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	const secret = "My-Passw0rd!"
	for _, user := range []string{secret, "li", secret, "another"} {
		if code := f.attempt(user, "wrong"); code != access.CodeWrong {
			t.Fatalf("%s: %s", user, code)
		}
	}
	lines := f.audit()
	if len(lines) != 4 {
		t.Fatalf("audit %+v", lines)
	}
	mark, other := lines[3].Actor, lines[0].Actor
	if !strings.HasPrefix(mark, "?") || len(mark) != 9 || lines[1].Actor != mark || other == mark || lines[2].Actor != "li" {
		t.Errorf("actors %s, %s, %s, %s", lines[3].Actor, lines[2].Actor, lines[1].Actor, lines[0].Actor)
	}
	backup := filepath.Join(t.TempDir(), "copy.db")
	if err := f.st.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"database": read(t, backup), "log": log.String()} {
		if strings.Contains(text, secret) {
			t.Errorf("the %s holds what was typed", name)
		}
	}
	f.Desk = access.New(access.Options{Store: f.st, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
	f.attempt(secret, "wrong")
	if again := f.audit()[0].Actor; again == mark {
		t.Error("the mark is the same in another run: it could be worked out")
	}
}

func TestDisabledUserIsAStranger(t *testing.T) {
	f := start(t)
	u := store.User{Name: "wu", Disabled: true, Password: rightHash(), Origin: store.FromCLI, Created: f.clock.now()}
	if err := f.st.Write(t.Context(), func(tx *store.Tx) error { return tx.PutUser(u) }); err != nil {
		t.Fatal(err)
	}
	for password, result := range map[string]string{right: "user_disabled", "wrong": "sign_in_wrong"} {
		if code := f.attempt("wu", password); code != access.CodeWrong {
			t.Errorf("%s: %s", password, code)
		}
		if l := f.audit()[0]; l.Actor != "wu" || l.Result != result {
			t.Errorf("%s: audit %+v", password, l)
		}
	}
}
