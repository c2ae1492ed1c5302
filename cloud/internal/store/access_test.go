package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/cloud/internal/store"
)

func TestSessionsEnd(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	li := store.User{Name: "li", FullName: "李四", Password: "1", Role: store.Admin, Origin: store.FromCLI, Created: start}
	put := func(u store.User) { write(t, st, func(tx *store.Tx) error { return tx.PutUser(u) }) }
	signIn := func(n byte, at, until time.Time) {
		write(t, st, func(tx *store.Tx) error {
			return tx.AddSession(store.Session{TokenHash: [32]byte{n}, Name: "li", Created: at, Used: at, Expires: until}, at)
		})
	}
	there := func(n byte) bool {
		x, u, found, err := st.Session(t.Context(), [32]byte{n})
		if err != nil || found && (x.Name != "li" || u.FullName != "李四" || u.Role != li.Role) {
			t.Fatalf("%+v %+v, %v", x, u, err)
		}
		return found
	}
	put(li)
	signIn(1, start, start.Add(time.Hour))
	signIn(2, start.Add(2*time.Hour), start.Add(4*time.Hour))
	if there(1) || !there(2) {
		t.Errorf("expired %t, live %t", there(1), there(2))
	}
	li.Role = store.Viewer
	put(li)
	if !there(2) {
		t.Error("another role ended the session")
	}
	li.Password = "2"
	put(li)
	if there(2) {
		t.Error("the session outlived a change of password")
	}
	signIn(3, start, start.Add(time.Hour))
	li.Disabled = true
	put(li)
	if there(3) {
		t.Error("the session outlived its user's being disabled")
	}
	signIn(4, start, start.Add(time.Hour)) // a sign-in that was under way
	if list, err := st.Sessions(t.Context()); there(4) || err != nil || len(list) != 0 {
		t.Errorf("a disabled user is signed in: %+v, %v", list, err)
	}
	if users, err := st.Users(t.Context()); err != nil || len(users) != 1 || !users[0].Disabled || users[0].Role != store.Viewer || users[0].Name != "li" {
		t.Errorf("users %+v, %v", users, err)
	}
}

func TestOneUserHasNoEndlessSessions(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	write(t, st, func(tx *store.Tx) error {
		for _, name := range []string{"a", "b"} {
			if err := tx.PutUser(store.User{Name: name, Created: start}); err != nil {
				return err
			}
		}
		if err := tx.AddSession(store.Session{TokenHash: [32]byte{255}, Name: "b", Used: start, Expires: start.Add(time.Hour)}, start); err != nil {
			return err
		}
		for n := range byte(100) {
			at := start.Add(time.Duration(n) * time.Second)
			if err := tx.AddSession(store.Session{TokenHash: [32]byte{n}, Name: "a", Used: at, Expires: start.Add(time.Hour)}, start); err != nil {
				return err
			}
		}
		return nil
	})
	list, err := st.Sessions(t.Context())
	if err != nil || len(list) < 2 || len(list) > 40 {
		t.Fatalf("%d sessions, %v", len(list), err)
	}
	for n, want := range map[byte]bool{0: false, 99: true, 255: true} {
		if _, _, found, err := st.Session(t.Context(), [32]byte{n}); err != nil || found != want {
			t.Errorf("session %d there: %t, %v", n, found, err)
		}
	}
}

func TestAttemptsAreCountedApartAndForgotten(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	later := start.Add(time.Hour)
	put := func(f store.Failures, forget time.Time) {
		write(t, st, func(tx *store.Tx) error { return tx.PutFailures(f, forget) })
	}
	read := func(name, network string) store.Attempts {
		a, err := st.Attempts(t.Context(), name, network, start.Add(30*time.Minute), start)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	put(store.Failures{Name: "li", Network: "::1", Failed: 4, Last: start}, start) // too old to count for anybody else
	put(store.Failures{Name: "li", Network: "10.0.0.1", Failed: 5, Last: later, Locked: later.Add(time.Hour)}, start)
	put(store.Failures{Name: "li", Network: "10.0.0.2", Failed: 2, Last: later.Add(time.Second)}, start)
	put(store.Failures{Name: "wu", Network: "10.0.0.2", Failed: 1, Last: later}, start)
	a := read("li", "10.0.0.2")
	if a.Failures.Failed != 2 || !a.Failures.Locked.IsZero() || a.Familiar || a.ByName.Failed != 7 || a.ByNetwork.Failed != 3 ||
		!a.ByName.Last.Equal(later.Add(time.Second)) || !a.ByNetwork.Last.Equal(later.Add(time.Second)) {
		t.Errorf("%+v", a)
	}
	if a := read("zhao", "10.0.0.9"); a.Failures.Failed != 0 || a.ByName != (store.Tally{}) || a.ByNetwork != (store.Tally{}) {
		t.Errorf("nobody from nowhere: %+v", a)
	}
	write(t, st, func(tx *store.Tx) error { return tx.SignedIn("li", "10.0.0.2", later, start) })
	if a := read("li", "10.0.0.2"); !a.Familiar || a.Failures.Failed != 0 || a.ByName.Failed != 5 || a.ByNetwork.Failed != 1 {
		t.Errorf("after signing in: %+v", a)
	}
	if a := read("wu", "10.0.0.2"); a.Familiar {
		t.Error("one user's network is familiar of another")
	}
	put(store.Failures{Name: "wu", Network: "10.0.0.3", Failed: 1, Last: later.Add(30 * time.Minute)}, later.Add(time.Minute))
	if a := read("wu", "10.0.0.2"); a.Failures.Failed != 0 {
		t.Errorf("old failures are still there: %+v", a)
	}
	if a := read("li", "10.0.0.1"); a.Failures.Failed != 5 || a.Failures.Locked.IsZero() {
		t.Errorf("a lock was forgotten: %+v", a)
	}
	write(t, st, func(tx *store.Tx) error { return tx.ClearFailures("li") })
	if a := read("li", "10.0.0.1"); a.Failures.Failed != 0 || a.ByName.Failed != 0 {
		t.Errorf("after clearing: %+v", a)
	}
}

// A name that is guessed from a whole block of addresses is known by the block.
func TestAttemptsAreCountedByBlock(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	for i, network := range []string{"10.0.0.1", "10.0.0.200", "10.0.1.1", "2001:db8:1:1::/64", "2001:db8:1:2::/64", "2001:db8:2::/64"} {
		write(t, st, func(tx *store.Tx) error {
			return tx.PutFailures(store.Failures{Name: "li", Network: network, Failed: 1, Last: start.Add(time.Duration(i+1) * time.Second)}, start)
		})
	}
	for network, want := range map[string]store.Tally{
		"10.0.0.9": {Failed: 2, Last: start.Add(2 * time.Second)}, "10.0.1.9": {Failed: 1, Last: start.Add(3 * time.Second)},
		"2001:db8:1:9::/64": {Failed: 2, Last: start.Add(5 * time.Second)}, "10.9.9.9": {},
	} {
		a, err := st.Attempts(t.Context(), "li", network, start, start)
		if err != nil || a.ByBlock.Failed != want.Failed || !a.ByBlock.Last.Equal(want.Last) || a.ByName.Failed != 6 {
			t.Errorf("%s: %+v, want %+v, %v", network, a, want, err)
		}
	}
}

func TestAuditIsFound(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	write(t, st, func(tx *store.Tx) error {
		if err := tx.PutUser(store.User{Name: "li", FullName: "李四", Created: start}); err != nil {
			return err
		}
		for i := range 6 {
			a := store.Audit{
				At: start.Add(time.Duration(i) * time.Hour), Actor: []string{"li", "wu"}[i%2], By: []string{"password", "token", "password"}[i%3],
				Action: []string{store.ActionSignIn, store.ActionSignIn, store.ActionWatch}[i%3], Subject: fmt.Sprint(i), Result: "ok", Remote: "127.0.0.1",
			}
			if err := tx.AddAudit(a); err != nil {
				return err
			}
		}
		return nil
	})
	for name, c := range map[string]struct {
		query store.AuditQuery
		want  string
	}{
		"all":       {store.AuditQuery{Limit: 9}, "543210 6"},
		"page":      {store.AuditQuery{Limit: 2, Offset: 2}, "32 6"},
		"past end":  {store.AuditQuery{Limit: 2, Offset: 6}, " 6"},
		"actor":     {store.AuditQuery{Actor: "li", Limit: 9}, "420 3"},
		"action":    {store.AuditQuery{Action: store.ActionWatch, Limit: 9}, "52 2"},
		"both":      {store.AuditQuery{Actor: "wu", Action: store.ActionWatch, Limit: 9}, "5 1"},
		"from":      {store.AuditQuery{From: start.Add(4 * time.Hour), Limit: 9}, "54 2"},
		"to":        {store.AuditQuery{To: start.Add(time.Hour), Limit: 9}, "0 1"},
		"day":       {store.AuditQuery{Actor: "li", From: start.Add(time.Hour), To: start.Add(5 * time.Hour), Limit: 9}, "42 2"},
		"injection": {store.AuditQuery{Actor: "li' OR '1'='1", Limit: 9}, " 0"},
	} {
		lines, total, err := st.Audits(t.Context(), c.query)
		got := ""
		for _, l := range lines {
			got += l.Subject
			if known := l.Actor == "li" && l.By == "password"; known != (l.Name == "李四") {
				t.Errorf("%s: the name of %s by %s is %q", name, l.Actor, l.By, l.Name)
			}
		}
		if got = fmt.Sprint(got, " ", total); err != nil || got != c.want {
			t.Errorf("%s: %s, want %s, %v", name, got, c.want, err)
		}
	}
}

func TestAuditIsPrunedFromItsBeginning(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	left := func() string {
		lines, _, err := st.Audits(t.Context(), store.AuditQuery{Limit: 9})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, l := range lines {
			got += l.Subject
		}
		return got
	}
	write(t, st, func(tx *store.Tx) error {
		for _, hour := range []int{3, 0, 2, 1, 4} { // not in order of time
			if err := tx.AddAudit(store.Audit{At: start.Add(time.Duration(hour) * time.Hour), Subject: fmt.Sprint(hour)}); err != nil {
				return err
			}
		}
		return nil
	})
	for _, want := range []string{"432 2", "43 1", "43 0"} {
		dropped := 0
		write(t, st, func(tx *store.Tx) (err error) {
			dropped, err = tx.PruneAudit(start.Add(3*time.Hour), 2)
			return err
		})
		if got := fmt.Sprint(left(), " ", dropped); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A database of the version before keeps its people and its audit, except what may be a password.
func TestOldDatabaseIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	st := open(t, path, store.Options{})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	store.MigrateDown(t, path, 1)
	execute(t, path, `INSERT INTO users (name, full_name, password, origin, created_ms) VALUES ('li', '李四', 'x', 'cli', 1)`)
	execute(t, path, `INSERT INTO failures (name, failed, last_ms, locked_ms) VALUES ('li', 5, 1, 9)`)
	execute(t, path, `INSERT INTO audit (at_ms, actor, action, subject, result, remote) VALUES (1, 'li', 'sign_in', '', 'ok', ''),
		(2, 'li', 'sign_in', '', 'sign_in_wrong', ''), (3, 'MyPassw0rd!', 'sign_in', '', 'sign_in_wrong', ''), (4, 'demo', 'watch', 'cam', 'ok', '')`)
	st = open(t, path, store.Options{})
	lines, total, err := st.Audits(t.Context(), store.AuditQuery{Limit: 9})
	got := ""
	for _, l := range lines {
		got += l.Actor + l.Name + " "
	}
	if err != nil || total != 4 || got != "demo ? li李四 li李四 " {
		t.Errorf("audit %q of %d, %v", got, total, err)
	}
	if u, found, err := st.User(t.Context(), "li"); err != nil || !found || u.Role != store.Viewer || u.Disabled {
		t.Errorf("user %+v, %v", u, err)
	}
}

// Who has signed in before the networks were remembered comes from where he came from, not from nowhere.
func TestNetworksAreTakenFromTheAudit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	st := open(t, path, store.Options{})
	write(t, st, func(tx *store.Tx) error {
		for _, name := range []string{"li", "wu"} {
			if err := tx.PutUser(store.User{Name: name, Created: start}); err != nil {
				return err
			}
		}
		for i, a := range []store.Audit{
			{Actor: "wu", Action: store.ActionSignIn, Result: "ok", Remote: "192.0.2.1"}, // before he got another password
			{Actor: "root", Action: store.ActionUserAdd, Subject: "wu", Result: "ok"},
			{Actor: "li", Action: store.ActionSignIn, Result: "ok", Remote: "192.0.2.1"},
			{Actor: "li", Action: store.ActionSignIn, Result: "ok", Remote: "2001:db8::7"},
			{Actor: "li", Action: store.ActionSignIn, Result: "sign_in_wrong", Remote: "192.0.2.2"},
			{Actor: "li", Action: store.ActionWatch, Result: "ok", Remote: "192.0.2.3"},
			{Actor: "gone", Action: store.ActionSignIn, Result: "ok", Remote: "192.0.2.4"},
			{Actor: "wu", Action: store.ActionSignIn, Result: "ok", Remote: "192.0.2.5"},
			{Actor: "li", Action: store.ActionSignIn, Result: "ok", Remote: "192.0.2.1"},
		} {
			a.At = start.Add(time.Duration(i) * time.Hour)
			if err := tx.AddAudit(a); err != nil {
				return err
			}
		}
		return tx.SignedIn("li", "192.0.2.6", start.Add(time.Hour), start)
	})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	store.MigrateDown(t, path, 3)
	st = open(t, path, store.Options{})
	for place, want := range map[string]bool{
		"li 192.0.2.1": true, "li 2001:db8::/64": true, "li 192.0.2.6": true, "wu 192.0.2.5": true,
		"li 192.0.2.2": false, "li 192.0.2.3": false, "li 192.0.2.4": false, "gone 192.0.2.4": false, "wu 192.0.2.1": false,
	} {
		name, network, _ := strings.Cut(place, " ")
		a, err := st.Attempts(t.Context(), name, network, start, start.Add(-time.Hour))
		if err != nil || a.Familiar != want {
			t.Errorf("%s: familiar %t, %v", place, a.Familiar, err)
		}
	}
	if a, err := st.Attempts(t.Context(), "li", "192.0.2.1", start, start.Add(7*time.Hour)); err != nil || !a.Familiar {
		t.Errorf("the last time does not count: %+v, %v", a, err)
	}
}
