package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

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

// Restore puts a backup in the place of the database at path. The database that was there is kept beside it, as it is and with
// its journal (-wal) if the service did not end well; its new name is returned, empty if there was none. The restored one is of this
// program's version, and nobody is signed in. Restore fails with *LockedError while anybody has the database open, and with
// *BackupError when from is no sound backup; then nothing was touched.
func Restore(ctx context.Context, path, from string, now time.Time) (kept string, err error) {
	return restoration{path: path, step: func(string) {}}.run(ctx, from, now)
}

func (r restoration) run(ctx context.Context, from string, now time.Time) (kept string, err error) {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return "", fmt.Errorf("make database directory: %w", err)
	}
	owner, err := lockFile(r.path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, owner.Close()) }()
	guests, err := lockGuests(r.path, true)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, guests.Close()) }()
	if err := r.finish(); err != nil {
		return "", err
	}
	if err := r.copy(ctx, from); err != nil {
		return "", errors.Join(err, r.discard())
	}
	there, err := exists(r.path)
	d := decision{Kept: filepath.Base(r.path) + ".before-restore-" + now.UTC().Format("20060102T150405Z")}
	if err == nil {
		err = r.decide(d)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("restore: %w", err), r.discard())
	}
	if there {
		kept = filepath.Join(filepath.Dir(r.path), d.Kept)
	}
	return kept, r.finish()
}

// copy makes a durable copy of a backup beside the database, and checks it there: so what is checked is what will be used.
func (r restoration) copy(ctx context.Context, from string) error {
	source, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if own, err := os.Stat(r.path); err == nil && os.SameFile(source, own) {
		return &BackupError{Path: from, Fault: BackupForeign, Err: errors.New("it is the database itself")}
	}
	r.step("copy")
	if err := copyFile(from, r.copied()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := r.copyJournal(ctx, from); err != nil {
		return &BackupError{Path: from + "-wal", Fault: BackupDamaged, Err: err}
	}
	r.step("check")
	if err := checkBackup(ctx, from, r.copied()); err != nil {
		return err
	}
	return r.signOut(ctx)
}

// signOut brings the copy up to date and ends all sessions in it, and no network is familiar any more: who was signed out, disabled
// or given another password since the backup was made must not be in again.
func (r restoration) signOut(ctx context.Context) (err error) {
	db, err := sql.Open("sqlite", dsn(r.copied(), "synchronous(FULL)"))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer func() {
		err = errors.Join(err, db.Close(), removeIfThere(r.copied()+"-wal"), removeIfThere(r.copied()+"-shm"))
	}()
	db.SetMaxOpenConns(1)
	r.step("migrate")
	if err := migrate(ctx, db, false); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	r.step("sign out")
	for _, text := range []string{`DELETE FROM sessions`, `DELETE FROM networks`} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("restore: end sessions: %w", err)
		}
	}
	r.step("checkpoint")
	if err := checkpoint(ctx, db); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
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
