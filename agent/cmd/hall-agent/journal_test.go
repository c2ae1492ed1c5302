package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/store"
	"halledge/agent/kit/chain"
)

func dataOf(path string) string { return filepath.Join(filepath.Dir(path), "data") }

func TestJournalIsVerified(t *testing.T) {
	path := sealed(t)
	morning(t, path)
	says := func(want string, args ...string) {
		t.Helper()
		out, err := agentSays(t, append([]string{"journal", "verify"}, args...)...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: %q, %v", args, out, err)
		}
	}
	says("条在链上", "--config", path)
	copied := filepath.Join(t.TempDir(), "copy.db")
	copyFile(t, filepath.Join(dataOf(path), store.FileName), copied)
	if err := os.Chmod(copied, 0o400); err != nil {
		t.Fatal(err)
	}
	says("内容没有打开看", "--file", copied)

	damage(t, filepath.Join(dataOf(path), store.FileName))
	_, err := agentSays(t, "journal", "verify", "--config", path)
	var f *chain.Fault
	if !errors.As(err, &f) || f.Number != 4 || explain(err) != "日志有问题：第 4 条被改动过（changed）" {
		t.Errorf("a changed fact: %v", err)
	}
	if err := os.Rename(filepath.Join(dataOf(path), identity.Directory), filepath.Join(t.TempDir(), "gone")); err != nil {
		t.Fatal(err)
	}
	out, err := agentSays(t, "journal", "verify", "--config", path)
	if !errors.As(err, &f) || f.Number != 4 || !strings.Contains(out, "密钥用不了") {
		t.Errorf("without keys: %q, %v", out, err)
	}
}

// Every kind of fault has its words.
func TestFaultsAreSaidInWords(t *testing.T) {
	for kind, words := range faultWords {
		for last, want := range map[uint64]string{7: "第 7 条", 9: "第 7 条到第 9 条"} {
			err := inWords(&chain.Fault{Kind: kind, Number: 7, Last: last})
			if text := explain(err); !strings.Contains(text, want+words) {
				t.Errorf("%s: %s", kind, text)
			}
		}
	}
	if len(faultWords) != 12 {
		t.Errorf("words for %d kinds", len(faultWords))
	}
}

func TestJournalGoesIntoABackupAndBack(t *testing.T) {
	path := sealed(t)
	morning(t, path)
	file, db := filepath.Join(t.TempDir(), "hall.backup"), filepath.Join(dataOf(path), store.FileName)
	out, err := agentSays(t, "journal", "backup", "--config", path, file)
	if err != nil || !strings.Contains(out, "密钥不在里面") {
		t.Fatalf("%q, %v", out, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	damage(t, db)
	var refused *store.Error
	held, err := store.Lock(dataOf(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agentSays(t, "journal", "restore", "--config", path, file); !errors.As(err, &refused) || refused.Code != store.Locked {
		t.Errorf("restored below an agent that starts: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := agentSays(t, "journal", "restore", "--config", path, file); err != nil {
		t.Fatalf("%q, %v", out, err)
	}
	if out, err := agentSays(t, "journal", "verify", "--config", path); err != nil {
		t.Errorf("%q, %v", out, err)
	}
	kept, err := filepath.Glob(db + ".before-*")
	if err != nil || len(kept) != 1 {
		t.Errorf("what was there is %v, %v", kept, err)
	}
	if err := os.RemoveAll(filepath.Join(dataOf(path), identity.Directory)); err != nil {
		t.Fatal(err)
	}
	if _, err := agentSays(t, "journal", "restore", "--config", path, file); !errors.As(err, &refused) || refused.Code != store.Sealed {
		t.Errorf("restored without keys: %v", err)
	}
	damage(t, file)
	if _, err := agentSays(t, "journal", "verify", "--file", file); err == nil {
		t.Error("a changed backup is good")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// damage changes the fourth fact.
func damage(t *testing.T, file string) {
	t.Helper()
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		log, k := tx.Bucket([]byte("log")), []byte{0, 0, 0, 0, 0, 0, 0, 4}
		raw := bytes.Clone(log.Get(k))
		at := bytes.Index(raw, []byte(`"sealed":"`)) + 60
		raw[at] ^= 1
		return log.Put(k, raw)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
