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
	"time"
)

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
	if err := removeIfThere(partial); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, partial); err != nil {
		return errors.Join(fmt.Errorf("backup: %w", err), removeIfThere(partial))
	}
	if err := os.Chmod(partial, 0o600); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return settle(partial, to)
}

// Restore puts a backup in the place of the database at path. The database that was there is kept beside it; its new name is
// returned, empty if there was none. It needs the database alone and fails with *LockedError while a service runs.
func Restore(ctx context.Context, path, from string, now time.Time) (kept string, err error) {
	if err := checkBackup(ctx, from); err != nil {
		return "", err
	}
	lock, err := lockFile(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	partial := path + ".partial"
	if err := copyFile(from, partial); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if _, err := os.Stat(path); err == nil {
		kept = path + ".before-restore-" + now.UTC().Format("20060102T150405Z")
		if err := foldJournal(ctx, path); err != nil {
			return "", err
		}
		if err := os.Rename(path, kept); err != nil {
			return "", fmt.Errorf("restore: keep the old database: %w", err)
		}
	}
	for _, journal := range []string{path + "-wal", path + "-shm"} {
		if err := removeIfThere(journal); err != nil {
			return kept, fmt.Errorf("restore: %w", err)
		}
	}
	return kept, settle(partial, path)
}

// checkBackup makes sure that a file is a whole database of a version this program knows.
func checkBackup(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	// Immutable: nothing is written beside the backup, which may lie on a read-only medium.
	db, err := sql.Open("sqlite", address(path, url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&result); err != nil {
		return fmt.Errorf("restore: check %s: %w", path, err)
	}
	if result != "ok" {
		return fmt.Errorf("restore: %s is damaged: %s", path, result)
	}
	p, err := migrator(db)
	if err != nil {
		return err
	}
	version, newest, err := versions(ctx, p)
	if err != nil {
		return fmt.Errorf("restore: check %s: %w", path, err)
	}
	if version == 0 || version > newest {
		return fmt.Errorf("restore: %s has schema %d, this program knows 1 to %d", path, version, newest)
	}
	return nil
}

// foldJournal moves what is in the write-ahead journal into the database file, so that the file can be kept alone.
func foldJournal(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if _, err := db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return errors.Join(fmt.Errorf("restore: fold the journal of the old database: %w", err), db.Close())
	}
	return db.Close()
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
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

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
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
