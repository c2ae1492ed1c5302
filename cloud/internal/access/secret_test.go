package access_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"halledge/cloud/internal/access"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
)

// sealing is a desk with a vault, whose li has a second factor that lies in the clear.
func sealing(t *testing.T) (f *fixture, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "cloud.db")
	f = startAt(t, file)
	v, err := vault.Open(vault.Options{Directory: filepath.Join(t.TempDir(), "vault"), Make: true})
	if err != nil {
		t.Fatal(err)
	}
	f.put("li", store.SecondFactor{Secret: factorSecret})
	f.Desk = access.New(access.Options{Store: f.st, Vault: v, Now: f.clock.now, Log: slog.New(slog.DiscardHandler)})
	return f, file
}

func (f *fixture) put(user string, s store.SecondFactor) {
	f.t.Helper()
	if err := f.st.Write(f.t.Context(), func(tx *store.Tx) error { return tx.PutSecondFactor(user, s) }); err != nil {
		f.t.Fatal(err)
	}
}

// kept is what the database has of somebody's second factor.
func (f *fixture) kept(user string) (s store.SecondFactor) {
	f.t.Helper()
	if err := f.st.Write(f.t.Context(), func(tx *store.Tx) (err error) { s, err = tx.SecondFactor(user); return err }); err != nil {
		f.t.Fatal(err)
	}
	return s
}

// Secrets of second factors are sealed where an earlier centre has left them as they are, and are good as before; nobody else's are.
func TestSecretsOfSecondFactorsAreSealed(t *testing.T) {
	f, file := sealing(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	late := time.After(10 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for len(having(t, file, factorSecret)) > 0 { // nor is anything left of how it lay there
		select {
		case <-late:
			t.Fatal("the secret still lies there as it is")
		case <-look.C:
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := f.withCode(right, f.codeAt(0)); got != "ok" {
		t.Fatalf("with a code of the sealed secret: %s", got)
	}
	if f.kept("li").Step == 0 || strings.Contains(f.kept("li").Secret, factorSecret) {
		t.Errorf("%+v", f.kept("li"))
	}
	other := f.kept("li")
	u, _, err := f.st.User(t.Context(), "li")
	if err != nil {
		t.Fatal(err)
	}
	u.Name = "wu"
	if err := f.st.Write(t.Context(), func(tx *store.Tx) error { return tx.PutUser(u) }); err != nil {
		t.Fatal(err)
	}
	other.Step = 0
	f.put("wu", other) // somebody with the database's file, who gives another account a secret he knows
	if _, _, err := f.SignIn(t.Context(), access.Attempt{User: "wu", Password: right, Code: f.codeAt(0), Remote: remote}); err == nil {
		t.Error("a sealed secret is good for another account")
	}
}

// A secret that is set up with a vault never lies in the database's files.
func TestANewSecretIsNeverInTheDatabase(t *testing.T) {
	f, file := sealing(t)
	f.put("li", store.SecondFactor{})
	_, who, err := f.SignIn(t.Context(), access.Attempt{User: "li", Password: right, Remote: remote})
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.BeginFactor(t.Context(), who, access.Attempt{Password: right, Remote: remote})
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(e.Secret, f.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ConfirmFactor(t.Context(), who, code, remote); err != nil {
		t.Fatal(err)
	}
	if found := having(t, file, e.Secret); found != nil {
		t.Error(found)
	}
}

// having gives the files of a database that have a secret.
func having(t *testing.T, file, secret string) (found []string) {
	t.Helper()
	files, err := filepath.Glob(file + "*")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(secret)) {
			found = append(found, filepath.Base(name))
		}
	}
	return found
}
