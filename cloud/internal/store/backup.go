package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
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
