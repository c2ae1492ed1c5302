package access_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/store"
)

// begin tries to sign in beside the test and gives the channel of the answer.
func (f *fixture) begin(ctx context.Context, address, user string) <-chan error {
	answer := make(chan error, 1)
	go func() {
		_, _, err := f.SignIn(ctx, access.Attempt{User: user, Password: right, Remote: address})
		answer <- err
	}()
	return answer
}

// waiting waits until so many wait for their passwords to be judged.
func (f *fixture) waiting(n int) {
	f.t.Helper()
	deadline := time.Now().Add(patience)
	for f.Waiting() != n {
		if time.Now().After(deadline) {
			f.t.Fatalf("%d wait, want %d", f.Waiting(), n)
		}
		<-time.After(time.Millisecond)
	}
}

// A crowd of strangers fills the places where strangers wait, and no others.
func TestOnlySoManyWait(t *testing.T) {
	f := start(t)
	if code := f.from(home, "li", right); code != "ok" {
		t.Fatal(code)
	}
	for range 5 {
		f.from("192.0.2.66", "li", "wrong")
	}
	free := f.Occupy()
	var crowd []<-chan error
	for i := range 16 {
		crowd = append(crowd, f.begin(t.Context(), fmt.Sprintf("203.0.113.%d", i), "ghost"))
	}
	f.waiting(16)
	if code, wait := f.wait(foreign, "li"); code != access.CodeBusy || wait <= 0 {
		t.Errorf("one too many: %s for %s", code, wait)
	}
	if code := f.from("192.0.2.66", "li", right); code != access.CodeLocked {
		t.Errorf("who is locked out is told so at once: %s", code)
	}
	familiar := f.begin(t.Context(), home, "li")
	f.waiting(17)
	free()
	if err := <-familiar; err != nil {
		t.Errorf("who works there: %v", err)
	}
	for _, answer := range crowd {
		if code := f.code(<-answer); code != access.CodeWrong {
			t.Errorf("one of the crowd: %s", code)
		}
	}
	if code := f.from(foreign, "li", right); code != "ok" {
		t.Errorf("afterwards: %s", code)
	}
}

func TestWhoLeavesGivesHisPlaceBack(t *testing.T) {
	f := start(t)
	free := f.Occupy()
	defer free()
	ctx, leave := context.WithCancel(t.Context())
	answer := f.begin(ctx, home, "li")
	f.waiting(1)
	leave()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f.waiting(0)
}

// The right password does not help who was locked out while it waited to be judged.
func TestWhatChangesWhileOneWaitsCounts(t *testing.T) {
	f := start(t)
	free := f.Occupy()
	answer := f.begin(t.Context(), foreign, "li")
	f.waiting(1)
	err := f.st.Write(t.Context(), func(tx *store.Tx) error {
		now := f.clock.now()
		return tx.PutFailures(store.Failures{Name: "li", Network: foreign, Failed: 5, Last: now, Locked: now.Add(time.Minute)}, now)
	})
	if err != nil {
		t.Fatal(err)
	}
	free()
	if code := f.code(<-answer); code != access.CodeLocked {
		t.Error(code)
	}
	if lines := f.audit(); len(lines) != 0 {
		t.Errorf("the password was judged: %+v", lines)
	}
}

// A browser has one session: signing in again ends the one before and all that holds on to it, whoever it was.
func TestSigningInAnewEndsTheSessionOfTheBrowser(t *testing.T) {
	f := start(t)
	wu := store.User{Name: "wu", Password: rightHash(), Origin: store.FromCLI, Created: f.clock.now()}
	if err := f.st.Write(t.Context(), func(tx *store.Tx) error { return tx.PutUser(wu) }); err != nil {
		t.Fatal(err)
	}
	held, old, _ := f.hold()
	elsewhere, other, _ := f.hold()
	again := func(user, password, cookie string) (*http.Cookie, problem.Code) {
		c, _, err := f.SignIn(t.Context(), access.Attempt{User: user, Password: password, Remote: foreign, Cookie: cookie})
		return c, f.code(err)
	}
	if _, code := again("wu", "wrong", old.Value); code != access.CodeWrong || held.Err() != nil {
		t.Fatalf("a wrong password: %s, %v", code, held.Err())
	}
	if _, code := f.identify(with(old)); code != "ok" {
		t.Errorf("a wrong password ended the session: %s", code)
	}
	fresh, code := again("wu", right, old.Value)
	if code != "ok" {
		t.Fatal(code)
	}
	if got := ended(t, held); got != access.CodeReplaced {
		t.Errorf("ended as %s", got)
	}
	if _, code := f.identify(with(old)); code != access.CodeSignIn {
		t.Errorf("the old session still opens doors: %s", code)
	}
	if who, code := f.identify(with(fresh)); code != "ok" || who.User != "wu" {
		t.Errorf("the new session: %+v, %s", who, code)
	}
	if _, code := f.identify(with(other)); code != "ok" || elsewhere.Err() != nil {
		t.Errorf("the session of another browser: %s, %v", code, elsewhere.Err())
	}
	lines := f.audit()
	if lines[0].Actor != "wu" || lines[0].Action != store.ActionSignIn || lines[1].Actor != "li" || lines[1].Action != store.ActionSignOut ||
		lines[1].Result != string(access.CodeReplaced) || lines[1].Remote != foreign {
		t.Errorf("audit %+v", lines[:2])
	}
	for _, cookie := range []string{old.Value, "forged"} {
		before := len(f.audit())
		if _, code := again("wu", right, cookie); code != "ok" || len(f.audit()) != before+1 {
			t.Errorf("a cookie of no session: %s, audit %+v", code, f.audit()[0])
		}
	}
}
