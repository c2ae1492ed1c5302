package identity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/test/await"
)

// run runs the identity's part until the test ends.
func run(t *testing.T, i *identity.Identity) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestRenewsFromTwoThirdsOn(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, dir := identitytest.Box(t, f, options())
	first, signer := i.Status().Until, i.Signer().Public().ID()
	asked := f.Questions()
	run(t, i)
	c.Forward(f.Life / 3 * 2)
	await.That(t, "new certificates", func() bool { return i.Status().Until.After(first) })
	if f.Questions() != asked+1 || i.Signer().Public().ID() != signer || i.Status().State != identity.Good {
		t.Errorf("%d questions, %+v", f.Questions()-asked, i.Status())
	}
	await.That(t, "the old ones gone", func() bool {
		_, err := os.Stat(filepath.Join(dir, "enrolled.before.json"))
		return errors.Is(err, os.ErrNotExist)
	})
	o := options()
	o.Now = c.Now
	if again := open(t, dir, o); !again.Status().Until.Equal(i.Status().Until) {
		t.Error("the new certificates are not on the disk")
	}
}

// A box that was off past the end of its certificates asks with its own key, and waits for somebody to approve it.
func TestPastTheEndSomebodyApproves(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, _ := identitytest.Box(t, f, options())
	for _, want := range []struct {
		after time.Duration
		state identity.State
	}{{0, identity.Good}, {f.Life / 5 * 4, identity.Ending}, {f.Life / 5, identity.Ended}} {
		if c.Forward(want.after); i.Status().State != want.state {
			t.Fatalf("%+v, want %s", i.Status(), want.state)
		}
	}
	f.Do(func() { f.Wait = 1 })
	run(t, i)
	await.That(t, "waiting", func() bool { return i.Status().State == identity.Waiting })
	f.Do(func() { f.Wait = 0 })
	await.That(t, "new certificates", func() bool { return i.Status().State == identity.Good })
}

func TestACentreThatForgotUsIsNotBelieved(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, _ := identitytest.Box(t, f, options())
	c.Forward(2 * f.Life)
	f.Do(func() { f.Known = i.Storage().Public() })
	run(t, i)
	await.That(t, "denied", func() bool {
		var fault *identity.Fault
		return errors.As(i.Status().Fault, &fault) && fault.Code == identity.CodeDenied
	})
	if s := i.Status(); s.State != identity.Ended || !i.Enrolled() {
		t.Errorf("%+v", s)
	}
}

// Somebody has left a code of a centre that nobody reaches: the certificates in force are renewed all the same, and the code waits on.
func TestACodeThatLeadsNowhereLetsNoCertificateRunOut(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, dir := identitytest.Box(t, f, options())
	first := i.Status().Until
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = errors.Join(l.Close(), i.Keep(f.Provision("https://"+l.Addr().String()), ""))
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Forward(f.Life / 3 * 2)
	run(t, i)
	await.That(t, "new certificates", func() bool { return i.Status().Until.After(first) })
	if _, err := os.Stat(filepath.Join(dir, "provision.json")); err != nil {
		t.Errorf("the code is gone: %v", err)
	}
}

func TestFileEnrolsByItselfWhenANetworkComes(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	o := options()
	o.Now = c.Now
	dir := directory(t)
	i := open(t, dir, o)
	run(t, i)
	if i.Status().State != identity.NotEnrolled {
		t.Errorf("%+v", i.Status())
	}
	beside := open(t, dir, o) // the command is another process
	if err := beside.Keep(f.Provision(f.Serve()), ""); err != nil {
		t.Fatal(err)
	}
	await.That(t, "certificates", i.Enrolled)
}

func TestACommandBesideTheAgentIsTakenOver(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	i, dir := identitytest.Box(t, f, options())
	run(t, i)
	o := options()
	o.Now = c.Now
	c.Forward(time.Hour)
	f.NewCode()
	if _, err := open(t, dir, o).Enrol(t.Context(), f.Provision(f.Serve()), ""); err != nil {
		t.Fatal(err)
	}
	want := open(t, dir, o).Status().Until
	await.That(t, "the new certificates", func() bool { return i.Status().Until.Equal(want) })
	// Until they have worked, those before them are there, and come back in the place of damaged ones.
	if err := os.WriteFile(filepath.Join(dir, "enrolled.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the damage", func() bool { return len(i.Damaged()) == 1 })
	mended := open(t, dir, o) // waits until the other one has looked at all files
	if !i.Status().Until.Equal(want) {
		t.Error("the certificates in force did not stay")
	}
	if !mended.Enrolled() || mended.Status().Until.Equal(want) || len(mended.Damaged()) != 1 {
		t.Errorf("%+v, %q", mended.Status(), mended.Damaged())
	}
}

// A kill or a power cut leaves the first so many of the files of an enrolment. Whatever is there, the box is as it was before, or enrolled;
// and it gets there by itself.
func TestEnrolmentCutShortAtEveryStep(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	o := options()
	o.Now = c.Now
	done, dir := identitytest.Box(t, f, o) // the old identity of a box that is enrolled again
	old := contents(t, dir)
	f.NewCode()
	f.Do(func() { f.Wait = 60 })
	https := f.Serve()
	if _, err := done.Enrol(t.Context(), f.Provision(https), ""); err != nil {
		t.Fatal(err)
	}
	asked := contents(t, dir)
	f.Do(func() { f.Wait = 0 })
	if _, err := done.Enrol(t.Context(), f.Provision(https), ""); err != nil {
		t.Fatal(err)
	}
	got, used := contents(t, dir), f.Used
	steps := []map[string]string{
		{},
		{"provision.json": asked["provision.json"]},
		{"provision.json": asked["provision.json"], "request.json": asked["request.json"]},
		{"provision.json": asked["provision.json"], "request.json": asked["request.json"], "enrolled.before.json": got["enrolled.before.json"]},
		{"provision.json": asked["provision.json"], "request.json": asked["request.json"], "enrolled.before.json": got["enrolled.before.json"],
			"enrolled.json": got["enrolled.json"]},
		{"request.json": asked["request.json"], "enrolled.before.json": got["enrolled.before.json"], "enrolled.json": got["enrolled.json"]},
	}
	if got["enrolled.before.json"] != old["enrolled.json"] || got["enrolled.json"] == old["enrolled.json"] || asked["request.json"] == "" {
		t.Fatal("the files are not what this test takes them for")
	}
	for n, files := range steps {
		dir := directory(t)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range old {
			if files[name] == "" {
				files[name] = text
			}
		}
		files[".new-1"] = got["enrolled.json"][:100]
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		i := open(t, dir, o)
		if !i.Enrolled() || i.Damaged() != nil {
			t.Fatalf("step %d: %+v, %q", n, i.Status(), i.Damaged())
		}
		if n == 1 { // the centre has not seen the code yet
			f.Do(func() { f.Used = nil })
		}
		run(t, i)
		await.That(t, fmt.Sprintf("step %d goes on", n), func() bool {
			_, err := os.Stat(filepath.Join(dir, "provision.json"))
			return errors.Is(err, os.ErrNotExist) && i.Status().Fault == nil
		})
		if n == 1 {
			f.Do(func() { f.Used = used })
		}
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(data)
	}
	return all
}

// No code, key or password stands in a log or an error, whatever goes wrong.
func TestNothingSecretIsLogged(t *testing.T) {
	var logged bytes.Buffer
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	https := f.Serve()
	o := options()
	o.Now, o.Log = c.Now, slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := directory(t)
	i := open(t, dir, o)
	said := &strings.Builder{}
	for _, change := range []func(){
		func() { f.Answer = []byte("<html>") }, func() { f.Answer = nil; f.Status = 429 }, func() { f.Status = 500 }, func() { f.Status = 200; f.Wait = 9 },
		func() { f.Wait = 0 }, func() { f.Code.Secret[0]++ },
	} {
		p := f.Provision(https)
		f.Do(change)
		wait, err := i.Enrol(t.Context(), p, "")
		fmt.Fprintln(said, wait, err, p, i.Status())
	}
	secrets := []string{strings.Split(f.Provision(https).Code.Line(), "-")[2]}
	for _, name := range []string{"sign.key", "storage.key"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, strings.Split(string(text), "\n")[1])
	}
	all := logged.String() + said.String()
	for _, s := range secrets {
		if s = s[1:]; strings.Contains(all, s) { // the first letter is the one the test changed
			t.Errorf("%d letters of a secret are in:\n%s", len(s), all)
		}
	}
}
