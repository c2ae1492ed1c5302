package access_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"halledge/agent/kit/problem"
	"halledge/cloud/internal/access"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

const factorSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// factored is a desk whose li has a second factor.
func factored(t *testing.T) *fixture {
	t.Helper()
	f := start(t)
	if err := f.st.Write(t.Context(), func(tx *store.Tx) error { return tx.PutSecondFactor("li", store.SecondFactor{Secret: factorSecret}) }); err != nil {
		t.Fatal(err)
	}
	return f
}

// code gives the code of a moment before or after now.
func (f *fixture) codeAt(shift time.Duration) string {
	f.t.Helper()
	code, err := totp.GenerateCode(factorSecret, f.clock.now().Add(shift))
	if err != nil {
		f.t.Fatal(err)
	}
	return code
}

func (f *fixture) withCode(password, code string) problem.Code {
	f.t.Helper()
	_, _, err := f.SignIn(f.t.Context(), access.Attempt{User: "li", Password: password, Code: code, Remote: remote})
	return f.code(err)
}

// A code is good for its half minute and those beside it, once, and never after a later one.
func TestCodesAreTakenOnce(t *testing.T) {
	f := factored(t)
	for _, step := range []struct {
		what string
		code string
		want problem.Code
	}{
		{"none", "", access.CodeNeedsCode}, {"of a minute ago", f.codeAt(-time.Minute), access.CodeWrongCode}, {"of in a minute", f.codeAt(time.Minute), access.CodeWrongCode},
		{"of the step before", f.codeAt(-30 * time.Second), "ok"}, {"the same again", f.codeAt(-30 * time.Second), access.CodeWrongCode},
		{"of now", f.codeAt(0), "ok"}, {"of the step before, too late", f.codeAt(-30 * time.Second), access.CodeWrongCode}, {"of the step after", f.codeAt(30 * time.Second), "ok"},
		{"of now, too late", f.codeAt(0), access.CodeWrongCode}, {"five digits", f.codeAt(0)[:5], access.CodeWrongCode},
	} {
		if got := f.withCode(right, step.code); got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
	if got := f.withCode("wrong", f.codeAt(time.Minute)); got != access.CodeWrong {
		t.Errorf("a code and a wrong password: %s", got)
	}
	if last := f.audit()[0]; last.Result != string(access.CodeWrong) {
		t.Errorf("%+v", last)
	}
}

// Wrong codes and wrong passwords are counted together.
func TestWrongCodesLock(t *testing.T) {
	f := factored(t)
	for i, password := range []string{right, "wrong", right, right} {
		if got := f.withCode(password, "000000"); got == "ok" || got == access.CodeLocked {
			t.Fatalf("failure %d: %s", i+1, got)
		}
	}
	if got := f.withCode(right, "000000"); got != access.CodeLocked {
		t.Fatalf("fifth failure: %s", got)
	}
	if got := f.withCode(right, f.codeAt(0)); got != access.CodeLocked {
		t.Errorf("the right code while locked: %s", got)
	}
	f.clock.pass(15*time.Minute + time.Second)
	if got := f.withCode(right, f.codeAt(0)); got != "ok" {
		t.Errorf("after the lock: %s", got)
	}
}

// An administrator without a second factor may do nothing, where one is demanded, and everything where not; others need none.
func TestAdministratorsNeedASecondFactor(t *testing.T) {
	for _, c := range []struct {
		roles  rights.Roles
		demand bool
		must   string
	}{
		{rights.Roles{rights.Viewer, rights.Admin}, true, access.MustFactor}, {rights.Roles{rights.Viewer, rights.Admin}, false, ""}, {rights.Roles{rights.Viewer}, true, ""},
	} {
		f := start(t)
		desk := access.New(access.Options{Store: f.st, Factor: c.demand, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
		if err := f.st.Write(t.Context(), func(tx *store.Tx) error {
			u, _, err := tx.User("li")
			if err != nil {
				return err
			}
			u.Roles = c.roles
			return tx.PutUser(u)
		}); err != nil {
			t.Fatal(err)
		}
		_, who, err := desk.SignIn(t.Context(), access.Attempt{User: "li", Password: right, Remote: remote})
		if err != nil || who.Must != c.must || who.May(rights.Halls) != (c.must == "") {
			t.Errorf("%s, demanded %t: %+v, %v", c.roles, c.demand, who, err)
		}
	}
}

func TestPasswordsThatAreGuessedFirst(t *testing.T) {
	for password, want := range map[string]problem.Code{
		"short": access.CodeWeak, "九个字的密码不够长": access.CodeWeak, "十个字的密码刚刚好了": "ok", "correct horse": "ok",
		"1234567890": access.CodeCommon, "PassWord123": access.CodeCommon, "aaaaaaaaaaaa": access.CodeCommon, "abababababab": access.CodeCommon,
		"abcdefghijkl": access.CodeCommon, "lisi@2026lisi": access.CodeCommon, "Lisi123456": access.CodeCommon, "lisi likes plums": "ok",
	} {
		got := problem.Code("ok")
		if err := access.CheckPassword("lisi", password); err != nil {
			got = err.(*access.Fault).Code
		}
		if got != want {
			t.Errorf("%s: %s, want %s", password, got, want)
		}
	}
}
