package access_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/store"
)

const patience = 30 * time.Second

// run lets the desk watch over sessions in use.
func (f *fixture) run() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	f.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			f.t.Error(err)
		}
	})
}

// hold signs in and holds on to the session.
func (f *fixture) hold() (context.Context, *http.Cookie, access.Who) {
	f.t.Helper()
	cookie, who, err := f.SignIn(f.t.Context(), access.Attempt{User: "li", Password: right, Remote: remote})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, release := f.Hold(f.t.Context(), who)
	f.t.Cleanup(release)
	return ctx, cookie, who
}

// ended waits for the end of a hold and gives why it ended.
func ended(t *testing.T, ctx context.Context) problem.Code {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Fatal("the hold does not end")
	}
	var refusal *access.Refusal
	if !errors.As(context.Cause(ctx), &refusal) {
		t.Fatalf("ended by %v", context.Cause(ctx))
	}
	return refusal.Code
}

// What holds on to a session ends with it, whatever ends it, and nobody else's does.
func TestHoldEndsWithItsSession(t *testing.T) {
	change := func(do func(*store.User)) func(*fixture, access.Who) error {
		return func(f *fixture, who access.Who) error { // as another process does it
			return f.st.Write(f.t.Context(), func(tx *store.Tx) error {
				u, _, err := tx.User(who.User)
				if err != nil {
					return err
				}
				do(&u)
				return tx.PutUser(u)
			})
		}
	}
	for name, c := range map[string]struct {
		end  func(*fixture, access.Who) error
		want problem.Code
	}{
		"sign-out": {func(f *fixture, who access.Who) error {
			_, err := f.SignOut(f.t.Context(), who, remote)
			return err
		}, access.CodeSignedOut},
		"expiry":        {func(f *fixture, _ access.Who) error { f.clock.pass(12 * time.Hour); return nil }, access.CodeExpired},
		"disabled user": {change(func(u *store.User) { u.Disabled = true }), access.CodeEnded},
		"new password":  {change(func(u *store.User) { u.Password = "another" }), access.CodeEnded},
		"deleted user": {func(f *fixture, who access.Who) error {
			if err := change(func(u *store.User) { u.Origin = store.FromConfig })(f, who); err != nil {
				return err
			}
			return f.st.Write(f.t.Context(), func(tx *store.Tx) error { return tx.ReplaceConfigUsers(nil) })
		}, access.CodeEnded},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			held, cookie, who := f.hold()
			program, release := f.Hold(t.Context(), access.Program("demo"))
			defer release()
			f.run()
			if err := c.end(f, who); err != nil {
				t.Fatal(err)
			}
			if got := ended(t, held); got != c.want {
				t.Errorf("ended as %s, want %s", got, c.want)
			}
			if _, code := f.identify(with(cookie)); code != access.CodeSignIn {
				t.Errorf("the session still opens doors: %s", code)
			}
			if program.Err() != nil {
				t.Error("a token ended too")
			}
		})
	}
}

func TestSignOutEndsOneSessionOnly(t *testing.T) {
	f := start(t)
	first, _, who := f.hold()
	second, _, _ := f.hold()
	again, release := f.Hold(t.Context(), who) // another page of the first browser
	defer release()
	if _, err := f.SignOut(t.Context(), who, remote); err != nil {
		t.Fatal(err)
	}
	if ended(t, first) != access.CodeSignedOut || ended(t, again) != access.CodeSignedOut {
		t.Error("a page of the session that was signed out goes on")
	}
	if second.Err() != nil {
		t.Error("the other session ended too")
	}
}

// An open page is use: its session does not fall idle, but it ends at its time.
func TestHoldKeepsItsSessionFromFallingIdle(t *testing.T) {
	f := start(t)
	held, cookie, _ := f.hold()
	f.run()
	for range 5 { // 7 h 30 min, each step less than what makes a session idle
		f.clock.pass(90 * time.Minute)
		deadline := time.Now().Add(patience)
		for {
			sessions, err := f.st.Sessions(t.Context())
			if err != nil || len(sessions) != 1 {
				t.Fatalf("%+v, %v", sessions, err)
			}
			if f.clock.now().Sub(sessions[0].Used) < time.Minute {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the session is not in use")
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	if _, code := f.identify(with(cookie)); code != "ok" || held.Err() != nil {
		t.Errorf("%s, %v", code, held.Err())
	}
}

func TestHoldEndsWithItsParent(t *testing.T) {
	f := start(t)
	_, who, err := f.SignIn(t.Context(), access.Attempt{User: "li", Password: right, Remote: remote})
	if err != nil {
		t.Fatal(err)
	}
	parent, stop := context.WithCancel(t.Context())
	held, release := f.Hold(parent, who)
	defer release()
	stop()
	<-held.Done()
	if cause := context.Cause(held); !errors.Is(cause, context.Canceled) {
		t.Errorf("ended by %v", cause)
	}
}
