package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// BackupFault says what makes a file useless as a backup.
type BackupFault string

// The faults.
const (
	BackupDamaged BackupFault = "damaged" // it is no database, or not a whole one
	BackupForeign BackupFault = "foreign" // a database, and not one of this program
	BackupNewer   BackupFault = "newer"   // written by a later version of this program
)

// BackupError says that a file can not be restored from.
type BackupError struct {
	Path  string
	Fault BackupFault
	Err   error
}

func (e *BackupError) Error() string {
	return fmt.Sprintf("backup %s is %s: %v", e.Path, e.Fault, e.Err)
}

// Unwrap gives what was found.
func (e *BackupError) Unwrap() error { return e.Err }

// Backup writes a consistent copy of the database to a new file while the service goes on.
func (s *Store) Backup(ctx context.Context, to string) error {
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("backup to %s: %w", to, os.ErrExist)
	}
	// VACUUM INTO counts as a write for query_only, so it needs a connection of its own. It only reads our database.
	db, err := sql.Open("sqlite", dsn(s.path))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer db.Close()
	partial := to + ".partial"
	// SQLite takes an empty file as it is, and would make a missing one readable by all.
	if err := errors.Join(removeIfThere(partial), os.WriteFile(partial, nil, 0o600)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, partial)
	if err == nil {
		err = settle(partial, to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("backup: %w", err), removeIfThere(partial))
	}
	return nil
}

// checkBackup makes sure that a copy of the backup named name is a whole database of a version this program knows.
func checkBackup(ctx context.Context, name, path string) error {
	refuse := func(fault BackupFault, err error) error { return &BackupError{Path: name, Fault: fault, Err: err} }
	// Immutable: nothing is written beside it.
	db, err := sql.Open("sqlite", address(path, url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&result); err != nil {
		return refuse(BackupDamaged, err)
	}
	if result != "ok" {
		return refuse(BackupDamaged, errors.New(result))
	}
	tables := 0
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('events', 'cursors', 'users', 'audit')`).Scan(&tables)
	if err != nil || tables != 4 {
		return refuse(BackupForeign, errors.Join(err, errors.New("our tables are not in it")))
	}
	p, err := migrator(db)
	if err != nil {
		return err
	}
	version, newest, err := versions(ctx, p)
	switch {
	case err != nil || version == 0:
		return refuse(BackupForeign, errors.Join(err, errors.New("it has no schema version")))
	case version > newest:
		return refuse(BackupNewer, fmt.Errorf("it has schema %d, this program knows 1 to %d", version, newest))
	}
	return nil
}

// settle makes a finished file durable and gives it its name.
func settle(partial, to string) error {
	f, err := os.OpenFile(partial, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(partial, to); err != nil {
		return err
	}
	return syncDirectory(to)
}

// syncDirectory makes the names beside path durable.
func syncDirectory(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// copyFile makes a durable copy that only its owner can read.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func moveIfThere(from, to string) error {
	if err := os.Rename(from, to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// restoration puts another database in the place of the one at path. The new one is first copied beside it, made durable and
// checked. Then a note says under which name the old one is kept: with it the restore is decided, and whatever a crash leaves
// undone, the next Open does. A crash before the note leaves the old database as it was.
type restoration struct {
	path string
	step func(name string) // told before each change on the disk; tests let the power fail there
}

func (r restoration) copied() string { return r.path + ".restoring.copy" }
func (r restoration) note() string   { return r.path + ".restoring" }

// decision is what the note holds.
type decision struct {
	Kept string `json:"kept"` // name beside path
}

// Restored says what a restore did.
type Restored struct {
	Kept   string // new name of the database that was there; empty: there was none
	Undone bool   // what was revoked, erased or changed of users since the backup is undone: it was in no database that can be read
	Erased int    // bodies of facts that are in the backup and were erased since; projections that were made of them are still there
}

// Restore puts a backup in the place of the database at path. The database that was there is kept beside it, as it is and with
// its journal (-wal) if the service did not end well. The restored one is of this program's version, and nobody is signed in; who is shut out
// and what is erased by the database that was there stays so. Restore fails with *LockedError while anybody has the database open, and with
// *BackupError when from is no sound backup; then nothing was touched.
func Restore(ctx context.Context, path, from string, now time.Time) (Restored, error) {
	return restoration{path: path, step: func(string) {}}.run(ctx, from, now)
}

func (r restoration) run(ctx context.Context, from string, now time.Time) (done Restored, err error) {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return done, fmt.Errorf("make database directory: %w", err)
	}
	owner, err := lockFile(r.path)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, owner.Close()) }()
	guests, err := lockGuests(r.path, true)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, guests.Close()) }()
	if err := r.finish(); err != nil {
		return done, err
	}
	if done, err = r.copy(ctx, from); err != nil {
		return Restored{}, errors.Join(err, r.discard())
	}
	there, err := exists(r.path)
	d := decision{Kept: filepath.Base(r.path) + ".before-restore-" + now.UTC().Format("20060102T150405Z")}
	if err == nil {
		err = r.decide(d)
	}
	if err != nil {
		return Restored{}, errors.Join(fmt.Errorf("restore: %w", err), r.discard())
	}
	if there {
		done.Kept = filepath.Join(filepath.Dir(r.path), d.Kept)
	}
	return done, r.finish()
}

// copy makes a durable copy of a backup beside the database, and checks it there: so what is checked is what will be used.
func (r restoration) copy(ctx context.Context, from string) (Restored, error) {
	source, err := os.Stat(from)
	if err != nil {
		return Restored{}, fmt.Errorf("restore: %w", err)
	}
	if own, err := os.Stat(r.path); err == nil && os.SameFile(source, own) {
		return Restored{}, &BackupError{Path: from, Fault: BackupForeign, Err: errors.New("it is the database itself")}
	}
	r.step("copy")
	if err := copyFile(from, r.copied()); err != nil {
		return Restored{}, fmt.Errorf("restore: %w", err)
	}
	if err := r.copyJournal(ctx, from); err != nil {
		return Restored{}, &BackupError{Path: from + "-wal", Fault: BackupDamaged, Err: err}
	}
	r.step("check")
	if err := checkBackup(ctx, from, r.copied()); err != nil {
		return Restored{}, err
	}
	return r.shutOut(ctx)
}

// shutOut brings the copy up to date, ends all sessions in it, and no network is familiar any more: who was signed out, disabled
// or given another password since the backup was made must not be in again. What else must stay as it is, it takes over.
func (r restoration) shutOut(ctx context.Context) (done Restored, err error) {
	db, err := sql.Open("sqlite", dsn(r.copied(), "synchronous(FULL)", "secure_delete(1)"))
	if err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	defer func() {
		err = errors.Join(err, db.Close(), removeIfThere(r.copied()+"-wal"), removeIfThere(r.copied()+"-shm"))
	}()
	db.SetMaxOpenConns(1)
	r.step("migrate")
	if err := migrate(ctx, db, false); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	r.step("sign out")
	for _, text := range []string{`DELETE FROM sessions`, `DELETE FROM networks`} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return done, fmt.Errorf("restore: end sessions: %w", err)
		}
	}
	r.step("take over")
	if done, err = r.takeOver(ctx, db); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	r.step("checkpoint")
	if err := checkpoint(ctx, db); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	return done, nil
}

// standing are what a restored database (main) takes over from the one that it replaces (before), beside the bodies that were erased: whom the
// centre lets in, and what it has promised to be gone. Each of them is a state, and not what happened.
const standing = `
INSERT OR IGNORE INTO main.certificates SELECT * FROM before.certificates;
UPDATE main.certificates AS m SET revoked_ms = b.revoked_ms, reason = b.reason FROM before.certificates AS b
	WHERE b.serial = m.serial AND b.revoked_ms > 0;
INSERT INTO main.revocation_number (id, number) SELECT id, number + 1 FROM before.revocation_number WHERE TRUE
	ON CONFLICT (id) DO UPDATE SET number = MAX(revocation_number.number + 1, excluded.number);
DELETE FROM main.enrol_codes;
INSERT INTO main.enrol_codes SELECT * FROM before.enrol_codes;
DELETE FROM main.renewals;
INSERT INTO main.renewals SELECT * FROM before.renewals;
DELETE FROM main.quarantines;
INSERT INTO main.quarantines SELECT * FROM before.quarantines;
UPDATE main.users AS m SET password = b.password, roles = b.roles, scope = b.scope, disabled = b.disabled, must_change = b.must_change
	FROM before.users AS b WHERE b.name = m.name;
DELETE FROM main.second_factors WHERE name IN (SELECT name FROM before.users);
INSERT INTO main.second_factors SELECT * FROM before.second_factors WHERE name IN (SELECT name FROM main.users);
DELETE FROM main.recovery_codes WHERE name IN (SELECT name FROM before.users);
INSERT INTO main.recovery_codes SELECT * FROM before.recovery_codes WHERE name IN (SELECT name FROM main.users);
DELETE FROM main.identities WHERE name IN (SELECT name FROM before.users);
INSERT OR IGNORE INTO main.identities SELECT * FROM before.identities WHERE name IN (SELECT name FROM main.users);
INSERT INTO main.data_keys (hall, data_key, key_day, wraps, destroyed_ms)
	SELECT hall, data_key, key_day, wraps, destroyed_ms FROM before.data_keys WHERE destroyed_ms > 0
	ON CONFLICT (hall, data_key) DO UPDATE SET wraps = excluded.wraps, destroyed_ms = excluded.destroyed_ms;
INSERT OR REPLACE INTO main.erasures SELECT * FROM before.erasures;`

// bodies takes the bodies away that were erased since the backup.
const bodies = `UPDATE main.events AS m SET body = b.body, erased = b.erased, data_key = '' FROM before.events AS b
	WHERE b.erased <> '' AND b.hall = m.hall AND b.epoch = m.epoch AND b.seq = m.seq AND m.erased = '' AND m.hash = b.hash`

// takeOver brings the standing of the database that is replaced into the copy. Restoring must be possible when nobody can read that one any
// more, when it is of another centre, or when it is gone: then Undone says so.
func (r restoration) takeOver(ctx context.Context, db *sql.DB) (done Restored, err error) {
	done.Undone = true
	if there, err := exists(r.path); err != nil || !there {
		return done, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// Nothing is changed there: it is kept as it is.
	if _, err := conn.ExecContext(ctx, `ATTACH DATABASE $1 AS before`, address(r.path, url.Values{"mode": {"ro"}})); err != nil {
		return done, nil //nolint:nilerr // said by Undone
	}
	defer func() {
		_, detached := conn.ExecContext(ctx, `DETACH DATABASE before`)
		err = errors.Join(err, detached)
	}()
	if !sameCentre(ctx, conn) {
		return done, nil
	}
	if _, err := conn.ExecContext(ctx, `BEGIN`); err != nil {
		return done, err
	}
	erased, err := apply(ctx, conn)
	if err != nil {
		_, err := conn.ExecContext(ctx, `ROLLBACK`)
		return done, err
	}
	if _, err := conn.ExecContext(ctx, `COMMIT`); err != nil {
		return done, err
	}
	return Restored{Erased: erased}, nil
}

// sameCentre reports whether both databases are whole, of one version, and of one centre: each root of the one that is replaced is in the copy.
func sameCentre(ctx context.Context, conn *sql.Conn) bool {
	var check string
	var foreign, version, newest int
	err := errors.Join(
		conn.QueryRowContext(ctx, `PRAGMA before.integrity_check(1)`).Scan(&check),
		conn.QueryRowContext(ctx, `SELECT (SELECT max(version_id) FROM before.goose_db_version), (SELECT max(version_id) FROM main.goose_db_version)`).Scan(&version, &newest),
		conn.QueryRowContext(ctx, `SELECT count(*) FROM before.certificates WHERE kind IN ('root_tls', 'root_sm2')
			AND serial NOT IN (SELECT serial FROM main.certificates)`).Scan(&foreign),
	)
	return err == nil && check == "ok" && version == newest && foreign == 0
}

func apply(ctx context.Context, conn *sql.Conn) (erased int, err error) {
	if _, err := conn.ExecContext(ctx, standing); err != nil {
		return 0, err
	}
	result, err := conn.ExecContext(ctx, bodies)
	if err != nil {
		return 0, err
	}
	count, err := result.RowsAffected()
	return int(count), err
}

// checkpoint brings all of a database's journal into its file.
func checkpoint(ctx context.Context, db *sql.DB) error {
	var busy, frames, moved int
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved); err != nil {
		return err
	}
	if busy != 0 || frames != moved {
		return fmt.Errorf("%d of %d pages are still in the journal", frames-moved, frames)
	}
	return nil
}

// discard takes the copy away.
func (r restoration) discard() error {
	return errors.Join(removeIfThere(r.copied()), removeIfThere(r.copied()+"-wal"), removeIfThere(r.copied()+"-shm"))
}

// copyJournal brings what stands in a journal beside the backup into the copy: a database that was put aside by an earlier restore has
// its last commits there.
func (r restoration) copyJournal(ctx context.Context, from string) (err error) {
	info, err := os.Stat(from + "-wal")
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if err := copyFile(from+"-wal", r.copied()+"-wal"); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(r.copied()))
	if err != nil {
		return err
	}
	return errors.Join(checkpoint(ctx, db), db.Close(), removeIfThere(r.copied()+"-wal"), removeIfThere(r.copied()+"-shm"))
}

// decide writes the note.
func (r restoration) decide(d decision) error {
	for _, name := range []string{d.Kept, d.Kept + "-wal"} {
		if there, err := exists(filepath.Join(filepath.Dir(r.path), name)); err != nil || there {
			return errors.Join(err, fmt.Errorf("%s: %w", name, os.ErrExist))
		}
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	r.step("write note")
	if err := os.WriteFile(r.note()+".partial", raw, 0o600); err != nil {
		return err
	}
	r.step("place note")
	return settle(r.note()+".partial", r.note())
}

// decided reports whether there is a note.
func (r restoration) decided() (bool, error) { return exists(r.note()) }

// finish does what a decided restore still lacks. Without a note it only takes away what one that was not decided has left.
func (r restoration) finish() error {
	raw, err := os.ReadFile(r.note())
	if errors.Is(err, os.ErrNotExist) {
		return errors.Join(r.discard(), removeIfThere(r.note()+".partial"))
	}
	var d decision
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil || d.Kept == "" || d.Kept != filepath.Base(d.Kept) {
		return fmt.Errorf("finish restore: read %s: %w", r.note(), errors.Join(err, errors.New("it names no file to keep the old database in")))
	}
	if err := r.swap(filepath.Join(filepath.Dir(r.path), d.Kept)); err != nil {
		return fmt.Errorf("finish restore: %w", err)
	}
	r.step("drop note")
	if err := removeIfThere(r.note()); err != nil {
		return fmt.Errorf("finish restore: %w", err)
	}
	return syncDirectory(r.path)
}

// swap moves the old database aside and the new one in. A journal never stays: it would be played into the wrong database.
func (r restoration) swap(kept string) error {
	there, err := exists(r.copied())
	if err != nil || !there {
		return err // the new one is in its place already
	}
	r.step("keep journal")
	if err := moveIfThere(r.path+"-wal", kept+"-wal"); err != nil {
		return err
	}
	r.step("drop index")
	if err := removeIfThere(r.path + "-shm"); err != nil {
		return err
	}
	r.step("keep database")
	if err := r.keep(kept); err != nil {
		return err
	}
	r.step("sync names")
	if err := syncDirectory(r.path); err != nil {
		return err
	}
	r.step("place database")
	return settle(r.copied(), r.path)
}

// keep moves the old database to its new name, unless a crash came after that. Then nothing may be at its place but what somebody
// has put there since, and neither of the two may be lost.
func (r restoration) keep(kept string) error {
	done, err := exists(kept)
	if err != nil {
		return err
	}
	if !done {
		return moveIfThere(r.path, kept)
	}
	if there, err := exists(r.path); err != nil || there {
		return errors.Join(err, fmt.Errorf("%s came into being during the restore: move it away", r.path))
	}
	return nil
}
