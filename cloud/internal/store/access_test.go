package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/rights"
	"halledge/cloud/internal/store"
)

func TestSessionsEnd(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	li := store.User{Name: "li", FullName: "李四", Password: "1", Roles: rights.All(), Scope: rights.Scope{"4409"}, Origin: store.FromCLI, Created: start}
	put := func(u store.User) { write(t, st, func(tx *store.Tx) error { return tx.PutUser(u) }) }
	signIn := func(n byte, at, until time.Time) {
		write(t, st, func(tx *store.Tx) error {
			return tx.AddSession(store.Session{TokenHash: [32]byte{n}, Name: "li", Created: at, Used: at, Expires: until}, at)
		})
	}
	there := func(n byte) bool {
		x, u, found, err := st.Session(t.Context(), [32]byte{n})
		if err != nil || found && (x.Name != "li" || u.FullName != "李四" || u.Roles.String() != li.Roles.String() || u.Scope.String() != li.Scope.String()) {
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
	put(li)
	if !there(2) {
		t.Error("nothing changed, and the session ended")
	}
	for _, change := range []func(){func() { li.Roles = rights.Roles{rights.Viewer} }, func() { li.Scope = rights.Scope{"44"} }} {
		change()
		put(li)
		if there(2) {
			t.Error("the session has rights that its user has no more")
		}
		signIn(2, start.Add(2*time.Hour), start.Add(4*time.Hour))
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
	if users, err := st.Users(t.Context()); err != nil || len(users) != 1 || !users[0].Disabled || users[0].Roles.String() != "viewer" || users[0].Name != "li" {
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
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for hour := range 5 {
		at := start.Add(time.Duration(hour) * time.Hour)
		write(t, st, func(tx *store.Tx) error { return tx.AddAudit(store.Audit{At: at, Subject: fmt.Sprint(hour)}) })
		if hour == 3 {
			continue
		}
		signed, err := st.CheckpointAudit(t.Context(), at, func(c chain.Checkpoint) (chain.Checkpoint, error) { return c.Sign(key) })
		if err != nil || !signed {
			t.Fatalf("line %d: signed %t, %v", hour, signed, err)
		}
	}
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

// What is not signed for yet stays, however old it is: what remains would begin nowhere.
func TestAuditThatNobodySignedIsNotPruned(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	write(t, st, func(tx *store.Tx) error { return tx.AddAudit(store.Audit{At: start}) })
	write(t, st, func(tx *store.Tx) error {
		dropped, err := tx.PruneAudit(start.Add(time.Hour), 100)
		if dropped != 0 {
			t.Errorf("%d dropped", dropped)
		}
		return err
	})
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
	if u, found, err := st.User(t.Context(), "li"); err != nil || !found || u.Roles.String() != "viewer,video" || u.Scope.String() != "all" || u.Disabled {
		t.Errorf("user %+v, %v", u, err)
	}
}

// What the two roles of before allowed stays allowed, for every hall.
func TestOldRolesBecomeSets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := open(t, path, store.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	store.MigrateDown(t, path, 4)
	execute(t, path, `INSERT INTO users (name, full_name, password, origin, role, created_ms) VALUES ('a', '', 'x', 'cli', 'admin', 1), ('v', '', 'x', 'cli', 'viewer', 1)`)
	st := open(t, path, store.Options{})
	for name, want := range map[string]string{"a": "viewer,manager,maintainer,auditor,video,admin", "v": "viewer,video"} {
		if u, _, err := st.User(t.Context(), name); err != nil || u.Roles.String() != want || !u.Scope.Whole() || u.MustChange || u.SecondFactor {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

// What was deleted in the time when nothing was written over it is in no page of the file any more, and clerks of regions are none.
func TestRemnantsOfSecretsAreWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := open(t, path, store.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	store.MigrateDown(t, path, 10)
	secret := func(n int) string { return fmt.Sprintf("REMNANT%04dJBSWY3DPEHPK3PXP", n) }
	old := []string{
		`INSERT INTO users (name, full_name, password, origin, disabled, created_ms, roles, scope) VALUES
			('a', '', '', 'cli', 0, 0, 'viewer,clerk,auditor', '4409'), ('b', '', '', 'cli', 0, 0, 'clerk', '440900000000001,440900000000002'), ('c', '', '', 'cli', 0, 0, 'clerk', 'all')`,
	}
	for n := range 3000 {
		old = append(old, fmt.Sprintf(`INSERT INTO second_factors (name, secret, pending, step) VALUES ('u%d', '%s', '', 1)`, n, secret(n)))
	}
	old = append(old, "COMMIT", `UPDATE second_factors SET secret = 'sealed:short' WHERE name LIKE '%7'`, `DELETE FROM second_factors WHERE name <> 'u7'`)
	execute(t, path, "BEGIN;"+strings.Join(old, ";"))
	raw, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(raw, []byte("REMNANT")) {
		t.Fatalf("the old file has no remnants, %v", err)
	}
	st := open(t, path, store.Options{})
	for name, want := range map[string]string{"a": "viewer,auditor", "b": "clerk", "c": ""} {
		if u, _, err := st.User(t.Context(), name); err != nil || u.Roles.String() != want {
			t.Errorf("%s is %s, %v", name, u.Roles, err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if raw, err = os.ReadFile(path); err != nil || bytes.Contains(raw, []byte("REMNANT")) || !bytes.Contains(raw, []byte("sealed:short")) {
		t.Errorf("%d remnants, %v", bytes.Count(raw, []byte("REMNANT")), err)
	}
}

func TestSecondFactorsAndRecoveryCodes(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	u := store.User{Name: "li", Origin: store.FromConfig, Created: start}
	has := func() bool {
		u, _, err := st.User(t.Context(), "li")
		if err != nil {
			t.Fatal(err)
		}
		return u.SecondFactor
	}
	left := func() int {
		n, err := st.RecoveryCodes(t.Context(), "li")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	put := func(f store.SecondFactor) {
		write(t, st, func(tx *store.Tx) error {
			if err := tx.PutUser(u); err != nil {
				return err
			}
			return tx.PutSecondFactor("li", f)
		})
	}
	put(store.SecondFactor{Pending: "B"})
	if has() {
		t.Error("what is not confirmed counts")
	}
	want := store.SecondFactor{Secret: "A", Pending: "B", Step: 7}
	put(want)
	write(t, st, func(tx *store.Tx) error {
		if err := tx.PutRecoveryCodes("li", [][32]byte{{1}, {2}}); err != nil {
			return err
		}
		for hash, had := range map[byte]bool{1: true, 3: false} {
			if got, err := tx.UseRecoveryCode("li", [32]byte{hash}); err != nil || got != had {
				t.Errorf("code %d: %t, %v", hash, got, err)
			}
		}
		if got, err := tx.UseRecoveryCode("li", [32]byte{1}); err != nil || got {
			t.Errorf("used twice: %v", err)
		}
		got, err := tx.SecondFactor("li")
		if got != want {
			t.Errorf("%+v", got)
		}
		return err
	})
	if !has() || left() != 1 {
		t.Errorf("has one %t, %d codes", has(), left())
	}
	u.Password = "another"
	write(t, st, func(tx *store.Tx) error { return tx.PutUser(u) })
	if !has() {
		t.Error("lost with the password")
	}
	write(t, st, func(tx *store.Tx) error { return tx.DropSecondFactor("li") })
	if has() || left() != 0 {
		t.Errorf("dropped: has one %t, %d codes", has(), left())
	}
	put(want)
	write(t, st, func(tx *store.Tx) error { return tx.ReplaceConfigUsers(nil) })
	write(t, st, func(tx *store.Tx) error { return tx.PutUser(u) })
	if has() {
		t.Error("a user of the same name has the second factor of the one before")
	}
}

// An auditor of some halls reads what was done there, and what was done by and to the people of those halls.
func TestAuditWithinAScope(t *testing.T) {
	st := open(t, filepath.Join(t.TempDir(), "cloud.db"), store.Options{})
	write(t, st, func(tx *store.Tx) error {
		for i, a := range []store.Audit{
			{Actor: "far", By: "password", Subject: "440900000000001-CM001"}, {Actor: "li", By: "password"}, {Actor: "far", By: "password", Subject: "440100000000001-CM001"},
			{Actor: "root", By: "command", Subject: "li"}, {Actor: "li", By: "token"}, {Actor: "?1234", By: "password"},
		} {
			a.At = start.Add(time.Duration(i) * time.Second)
			a.Result = fmt.Sprint(i)
			if err := tx.AddAudit(a); err != nil {
				return err
			}
		}
		return nil
	})
	for name, c := range map[string]struct {
		within store.AuditScope
		want   string
	}{
		"halls": {store.AuditScope{Prefixes: []string{"4409"}}, "0 1"}, "people": {store.AuditScope{Users: []string{"li"}}, "31 2"},
		"both": {store.AuditScope{Users: []string{"li"}, Prefixes: []string{"4409", "4401"}}, "3210 4"}, "nothing": {store.AuditScope{}, " 0"},
	} {
		lines, total, err := st.Audits(t.Context(), store.AuditQuery{Within: &c.within, Limit: 9})
		got := ""
		for _, l := range lines {
			got += l.Result
		}
		if got = fmt.Sprint(got, " ", total); err != nil || got != c.want {
			t.Errorf("%s: %s, want %s, %v", name, got, c.want, err)
		}
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
