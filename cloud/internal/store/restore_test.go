package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"halledge/firmware-protocols/hallsync"
)

// The test binary is its own victim: called with these it restores, and dies by SIGKILL before a step.
const (
	victimPath = "HALLEDGE_TEST_RESTORE_PATH"
	victimFrom = "HALLEDGE_TEST_RESTORE_FROM"
	victimStep = "HALLEDGE_TEST_RESTORE_STEP" // counted from 0
)

func TestMain(m *testing.M) {
	if path := os.Getenv(victimPath); path != "" {
		os.Exit(beVictim(path, os.Getenv(victimFrom), os.Getenv(victimStep)))
	}
	os.Exit(m.Run())
}

var restoreTime = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

func beVictim(path, from, step string) int {
	left, err := strconv.Atoi(step)
	if err != nil {
		return 2
	}
	r := restoration{path: path, step: func(name string) {
		if left--; left < 0 {
			fmt.Println(name)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}}
	if _, err := r.run(context.Background(), from, restoreTime); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// kill restores in a process that dies before a step. It gives the step's name; empty when there were fewer steps.
func kill(t *testing.T, path, from string, step int) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimPath+"="+path, victimFrom+"="+from, victimStep+"="+strconv.Itoa(step))
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return strings.TrimSpace(string(out))
	}
	t.Fatalf("restore: %v\n%s", err, out)
	return ""
}

// fill makes a database with facts.
func fill(t *testing.T, path string, facts int) *Store {
	t.Helper()
	st, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for seq := range facts {
		body := fmt.Appendf(nil, `{"seq":%d}`, seq+1)
		e := Event{Hall: "440900000000001", Epoch: "e", Seq: hallsync.Seq(seq + 1), At: restoreTime, Received: restoreTime, Hash: HashOf(body), Body: body}
		if err := st.Write(t.Context(), func(tx *Tx) error { return tx.AddEvent(e) }); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// factsIn opens a database as the service does and counts its facts.
func factsIn(t *testing.T, path string) int {
	t.Helper()
	st, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, total, err := st.Events(t.Context(), EventQuery{Hall: "440900000000001", Epoch: "e", Limit: 1})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	return total
}

// crashed makes a database of three facts as a power cut leaves it: the facts are in the journal only.
func crashed(t *testing.T, path string) {
	t.Helper()
	live := filepath.Join(t.TempDir(), "live.db")
	st := fill(t, live, 3)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		raw, err := os.ReadFile(live + suffix)
		if err == nil {
			err = os.WriteFile(path+suffix, raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

const (
	oldFacts = 3
	newFacts = 5
)

// Whatever moment the power fails at, the service starts with the old database or the new one, and with the new one the old one
// is kept whole.
func TestRestoreSurvivesDeathAtEachStep(t *testing.T) {
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := fill(t, backup, newFacts).Close(); err != nil {
		t.Fatal(err)
	}
	decided := false
	steps := 0
	for ; ; steps++ {
		path := filepath.Join(t.TempDir(), "cloud.db")
		crashed(t, path)
		name := kill(t, path, backup, steps)
		if name == "" {
			break
		}
		got := factsIn(t, path)
		switch {
		case got == newFacts:
			decided = true
			if kept := factsIn(t, path+".before-restore-20261123T010000Z"); kept != oldFacts {
				t.Errorf("killed before %q: the kept database has %d facts, want %d", name, kept, oldFacts)
			}
		case got != oldFacts || decided:
			t.Errorf("killed before %q: %d facts", name, got)
		}
		left, err := filepath.Glob(path + ".restoring*")
		if err != nil || len(left) != 0 {
			t.Errorf("killed before %q: %v is left, %v", name, left, err)
		}
	}
	if steps < 8 || !decided {
		t.Errorf("died at %d steps only, decided %t", steps, decided)
	}
}

// A second restore may follow a first one that was cut short, and again be cut short.
func TestRestoreAfterRestoreThatDied(t *testing.T) {
	dir := t.TempDir()
	backup, other := filepath.Join(dir, "backup.db"), filepath.Join(dir, "other.db")
	for name, facts := range map[string]int{backup: newFacts, other: 7} {
		if err := fill(t, name, facts).Close(); err != nil {
			t.Fatal(err)
		}
	}
	var path string
	for step := 0; ; step++ {
		path = filepath.Join(t.TempDir(), "cloud.db")
		crashed(t, path)
		name := kill(t, path, backup, step)
		if name == "" {
			t.Fatal("never died between the two names")
		}
		if name == "place database" {
			break
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the database is at its place at the worst moment: %v", err)
	}
	later := restoreTime.Add(time.Hour)
	done, err := Restore(t.Context(), path, other, later)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{path: 7, done.Kept: newFacts, path + ".before-restore-20261123T010000Z": oldFacts} {
		if got := factsIn(t, name); got != want {
			t.Errorf("%s: %d facts, want %d", filepath.Base(name), got, want)
		}
	}
}

// A damaged database is what restoring is for: it is kept as it is, its journal beside it.
func TestRestoreReplacesADamagedDatabase(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "backup.db")
	if err := fill(t, backup, newFacts).Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{path: "this was a database once, long ago", path + "-wal": "and this its journal"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	done, err := Restore(t.Context(), path, backup, restoreTime)
	if err != nil || !done.Undone {
		t.Fatal(err)
	}
	if got := factsIn(t, path); got != newFacts {
		t.Errorf("%d facts, want %d", got, newFacts)
	}
	for name, want := range map[string]string{done.Kept: "this was", done.Kept + "-wal": "and this"} {
		if raw, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(raw), want) {
			t.Errorf("%s: %q, %v", filepath.Base(name), raw, err)
		}
	}
}

// A backup that is not sound changes nothing, whatever is wrong with it.
func TestRestoreRefusesDamageBeforeItTouchesAnything(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "backup.db")
	if err := fill(t, backup, 400).Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	crashed(t, path)
	before := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		if before[suffix], err = os.ReadFile(path + suffix); err != nil {
			t.Fatal(err)
		}
	}
	turned := bytes.Clone(sound)
	for i := len(turned) / 2; i < len(turned)/2+4096; i++ {
		turned[i] ^= 0xff
	}
	for name, raw := range map[string][]byte{"empty": nil, "half": sound[:len(sound)/2], "turned": turned, "text": []byte("no database at all, by any means")} {
		if err := os.WriteFile(backup, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		var unsound *BackupError
		if _, err := Restore(t.Context(), path, backup, restoreTime); !errors.As(err, &unsound) || unsound.Path != backup {
			t.Errorf("%s: %v", name, err)
		}
		for suffix, want := range before {
			if got, err := os.ReadFile(path + suffix); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: the database%s was changed, %v", name, suffix, err)
			}
		}
		if left, err := filepath.Glob(path + ".*restor*"); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
	var unsound *BackupError
	if _, err := Restore(t.Context(), path, path, restoreTime); !errors.As(err, &unsound) {
		t.Errorf("the database as its own backup: %v", err)
	}
}

func TestRestoreWaitsForNobodyWhoHasTheDatabaseOpen(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "backup.db")
	if err := fill(t, backup, newFacts).Close(); err != nil {
		t.Fatal(err)
	}
	owner := fill(t, path, oldFacts)
	guest, err := Open(t.Context(), path, Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(who string) {
		t.Helper()
		var locked *LockedError
		if _, err := Restore(t.Context(), path, backup, restoreTime); !errors.As(err, &locked) {
			t.Errorf("beside %s: %v", who, err)
		}
	}
	refused("the service and a guest")
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	refused("a guest that outlived the service")
	if err := guest.Close(); err != nil {
		t.Fatal(err)
	}
	if got := factsIn(t, path); got != oldFacts {
		t.Errorf("%d facts, want %d", got, oldFacts)
	}
	if _, err := Restore(t.Context(), path, backup, restoreTime); err != nil {
		t.Errorf("when all have gone: %v", err)
	}
}

func TestRestoreOnANewMachine(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "new", "cloud.db"), filepath.Join(dir, "backup.db")
	if err := fill(t, backup, newFacts).Close(); err != nil {
		t.Fatal(err)
	}
	if done, err := Restore(t.Context(), path, backup, restoreTime); err != nil || done != (Restored{Undone: true}) {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := factsIn(t, path); got != newFacts {
		t.Errorf("%d facts, want %d", got, newFacts)
	}
}

func TestADamagedNoteIsNotGuessedAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := fill(t, path, oldFacts).Close(); err != nil {
		t.Fatal(err)
	}
	note := restoration{path: path}.note()
	for _, text := range []string{"", "{", `{"kept":""}`, `{"kept":"../elsewhere"}`} {
		if err := os.WriteFile(note, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, Options{}); err == nil {
			t.Errorf("%q was followed", text)
		}
	}
	if err := os.Remove(note); err != nil {
		t.Fatal(err)
	}
	if got := factsIn(t, path); got != oldFacts {
		t.Errorf("%d facts, want %d", got, oldFacts)
	}
}

// The last commits of a database that was put aside are in its journal: undoing a restore must bring them back.
func TestRestoreTakesTheJournalBesideTheBackup(t *testing.T) {
	dir := t.TempDir()
	aside, path := filepath.Join(dir, "aside.db"), filepath.Join(dir, "cloud.db")
	crashed(t, aside)
	if _, err := Restore(t.Context(), path, aside, restoreTime); err != nil {
		t.Fatal(err)
	}
	if got := factsIn(t, path); got != oldFacts {
		t.Errorf("%d facts, want the %d of the journal", got, oldFacts)
	}
}

// A restore that was cut short is finished only while nobody has the old database open, and nobody comes in before it is.
func TestARestoreThatWasCutShortKeepsGuestsOut(t *testing.T) {
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := fill(t, backup, newFacts).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := fill(t, path, oldFacts).Close(); err != nil {
		t.Fatal(err)
	}
	for step := 0; ; step++ {
		if there, err := exists(restoration{path: path}.note()); err != nil {
			t.Fatal(err)
		} else if there {
			break
		}
		if name := kill(t, path, backup, step); name == "" {
			t.Fatal("never died after the decision")
		}
	}
	var locked *LockedError
	owner, err := lockFile(path) // a service that is about to finish it
	if err != nil {
		t.Fatal(err)
	}
	if st, err := Open(t.Context(), path, Options{Shared: true}); !errors.As(err, &locked) {
		t.Errorf("a guest came in: %v, %v", st, err)
	}
	guest, err := lockGuests(path, false) // one that was there before
	if err != nil {
		t.Fatalf("the guest who was refused holds on to the lock: %v", err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {Shared: true}} {
		if st, err := Open(t.Context(), path, o); !errors.As(err, &locked) {
			t.Errorf("%+v: finished under a guest's feet: %v, %v", o, st, err)
		}
	}
	if there, err := exists(restoration{path: path}.note()); err != nil || !there {
		t.Errorf("the note is gone: %v", err)
	}
	if err := guest.Close(); err != nil {
		t.Fatal(err)
	}
	if got := factsIn(t, path); got != newFacts {
		t.Errorf("%d facts, want %d", got, newFacts)
	}
}

// Who is with the service while nothing waits to be finished does not keep it from starting again.
func TestAGuestKeepsNoServiceFromStarting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := fill(t, path, oldFacts).Close(); err != nil {
		t.Fatal(err)
	}
	guest, err := lockGuests(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := factsIn(t, path); got != oldFacts {
		t.Errorf("%d facts, want %d", got, oldFacts)
	}
	if err := guest.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whoever was signed in when the backup was made is not in again: he may have been shut out since.
func TestARestoreBringsNoSessionBack(t *testing.T) {
	for name, version := range map[string]int64{"as it is": 0, "of an older version": 3} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, backup := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "backup.db")
			st := fill(t, backup, newFacts)
			err := st.Write(t.Context(), func(tx *Tx) error {
				return errors.Join(
					tx.PutUser(User{Name: "li", Created: restoreTime}),
					tx.AddSession(Session{TokenHash: [32]byte{1}, Name: "li", Used: restoreTime, Expires: restoreTime.Add(time.Hour)}, restoreTime),
					tx.SignedIn("li", "192.0.2.1", restoreTime, restoreTime),
					tx.AddAudit(Audit{At: restoreTime, Actor: "li", Action: ActionSignIn, Result: "ok", Remote: "192.0.2.1"}),
				)
			})
			if err := errors.Join(err, st.Close()); err != nil {
				t.Fatal(err)
			}
			if version > 0 {
				MigrateDown(t, backup, version)
			}
			if _, err := Restore(t.Context(), path, backup, restoreTime); err != nil {
				t.Fatal(err)
			}
			if st, err = Open(t.Context(), path, Options{}); err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			if list, err := st.Sessions(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("sessions %+v, %v", list, err)
			}
			if a, err := st.Attempts(t.Context(), "li", "192.0.2.1", time.Time{}, time.Time{}); err != nil || a.Familiar {
				t.Errorf("a network is familiar: %+v, %v", a, err)
			}
			if _, found, err := st.User(t.Context(), "li"); err != nil || !found {
				t.Errorf("the user is gone: %v", err)
			}
			if _, total, err := st.Audits(t.Context(), AuditQuery{Limit: 1}); err != nil || total != 1 {
				t.Errorf("audit of %d lines, %v", total, err)
			}
		})
	}
}

// Whoever was shut out since the backup stays out, and what was erased since stays erased: the database that is replaced knows it.
func TestARestoreUndoesNoRevocationAndNoErasure(t *testing.T) {
	const hall = "440900000000001"
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "backup.db")
	st := fill(t, path, newFacts)
	write := func(do func(tx *Tx) error) {
		t.Helper()
		if err := st.Write(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	until := restoreTime.AddDate(1, 0, 0)
	code, user := EnrolCode{Hash: [32]byte{7}, Hall: hall, Created: restoreTime, Until: until}, User{Name: "li", Password: "old", Created: restoreTime}
	key := DataKey{Hall: hall, Key: "k", Day: "2026-11-23", Wraps: []hallsync.KeyWrap{{For: "centre", Wrapped: []byte("wrap")}}}
	write(func(tx *Tx) error {
		_, err := tx.AddDataKey(key)
		return errors.Join(err, tx.AddEnrolCode(code), tx.PutUser(user), tx.PutRecoveryCodes("li", [][32]byte{{1}, {2}}),
			tx.AddCertificate(Certificate{Serial: "1", Kind: "hall_tls", Holder: hall, DER: []byte{1}, Until: until, Issued: restoreTime}))
	})
	if err := st.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	write(func(tx *Tx) error {
		_, err := tx.RevokeCertificates(hall, "stolen", restoreTime)
		_, err2 := tx.AddQuarantine(Quarantine{Hall: hall, Since: restoreTime, Reason: "clone"})
		_, err3 := tx.UseRecoveryCode("li", [32]byte{1})
		user.Password, user.Disabled = "new", true
		return errors.Join(err, err2, err3, tx.UseEnrolCode(code.Hash), tx.PutUser(user), tx.RaiseRevocationNumber(5),
			tx.PutUser(User{Name: "later", Created: restoreTime}), tx.DestroyDataKey(hall, "k", restoreTime),
			tx.PutErasure(Erasure{ID: "o", Hall: hall, Kind: ErasePerson, Made: restoreTime}), tx.EraseEvent(hall, "e", 2, "o", []byte(`{"gone":true}`)))
	})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	done, err := Restore(t.Context(), path, backup, restoreTime)
	if err != nil || done.Undone || done.Erased != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if raw, err := os.ReadFile(path); err != nil || bytes.Contains(raw, []byte(`{"seq":2}`)) || !bytes.Contains(raw, []byte(`{"seq":3}`)) {
		t.Errorf("what was erased is in the file, %v", err)
	}
	if st, err = Open(t.Context(), path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if c, found, err := st.Certificate(t.Context(), "1"); err != nil || !found || c.Revoked.IsZero() || c.Reason != "stolen" {
		t.Errorf("certificate %+v, %v", c, err)
	}
	if n, err := st.RevocationNumber(t.Context()); err != nil || n <= 5 {
		t.Errorf("number %d, %v", n, err)
	}
	if kept, err := st.Quarantined(t.Context(), hall); err != nil || !kept {
		t.Errorf("not in quarantine, %v", err)
	}
	if u, _, err := st.User(t.Context(), "li"); err != nil || !u.Disabled || u.Password != "new" {
		t.Errorf("user %+v, %v", u, err)
	}
	if _, found, err := st.User(t.Context(), "later"); err != nil || found {
		t.Errorf("a user whom the backup does not know, %v", err)
	}
	if n, err := st.RecoveryCodes(t.Context(), "li"); err != nil || n != 1 {
		t.Errorf("%d recovery codes, %v", n, err)
	}
	if k, _, err := st.DataKey(t.Context(), hall, "k"); err != nil || k.Destroyed.IsZero() || len(k.Wraps) != 0 {
		t.Errorf("data key %+v, %v", k, err)
	}
	if e, _, err := st.Event(t.Context(), hall, "e", 2); err != nil || e.Erased != "o" || string(e.Body) != `{"gone":true}` {
		t.Errorf("fact %+v, %v", e, err)
	}
	write(func(tx *Tx) error {
		c, _, err := tx.EnrolCode(code.Hash)
		if c.Uses != 1 {
			t.Errorf("code %+v", c)
		}
		return err
	})
}

// A database of another centre has nothing to say.
func TestARestoreTakesNothingFromAnotherCentre(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "cloud.db"), filepath.Join(dir, "backup.db")
	for name, root := range map[string]string{path: "1", backup: "2"} {
		st := fill(t, name, newFacts)
		err := st.Write(t.Context(), func(tx *Tx) error {
			return tx.AddCertificate(Certificate{Serial: root, Kind: "root_tls", Holder: "root", DER: []byte{1}, Issued: restoreTime})
		})
		if err := errors.Join(err, st.Close()); err != nil {
			t.Fatal(err)
		}
	}
	done, err := Restore(t.Context(), path, backup, restoreTime)
	if err != nil || !done.Undone {
		t.Fatalf("%+v, %v", done, err)
	}
	st, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, found, err := st.Certificate(t.Context(), "1"); err != nil || found {
		t.Errorf("its root is there, %v", err)
	}
}
