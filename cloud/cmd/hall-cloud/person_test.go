package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/command"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/person"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

const (
	sealedHall   = hallsync.HallID("440900000000001")
	personNumber = "991101199003070016"
	personSaid   = "办事员态度很好"
)

// newSealedSite is a site with a hall that a person has been at.
func newSealedSite(t *testing.T) site {
	t.Helper()
	s := newSite(t)
	yaml, err := os.ReadFile(s.path("cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("cloud.yaml", string(yaml)+`halls:
  - {code: "440900000000001", name: 一号大厅, password: "$argon2id$v=19$m=19456,t=2,p=1$AnTbzF3glLNhizCK8osIQQ$rrFPVcSA5llpb8bPJBRit/R3trgXa75vuOmJh5q/j24"}
  - {code: "440900000000002", name: 二号大厅, password: "$argon2id$v=19$m=19456,t=2,p=1$AnTbzF3glLNhizCK8osIQQ$rrFPVcSA5llpb8bPJBRit/R3trgXa75vuOmJh5q/j24"}
`)
	st, err := store.Open(t.Context(), s.path("cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(vault.Options{Directory: s.path("vault"), Make: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &sealedtest.Centre{Store: st, Vault: v, Opener: sealed.New(v), Now: time.Now()}
	c.Box = sealedtest.New(t, v.Keys().Open, sealedHall, "e", c.Now)
	c.Ingest = ingest.New(c.Options())
	desk := person.New(person.Options{Store: st, Vault: v, Opener: c.Opener, Rebuild: c.Ingest.RebuildHall, Term: time.Hour})
	c.Begin(chain.First, chain.Point{})
	c.NewKey(c.Now.UTC().Format(time.DateOnly), false)
	c.Add(hallsync.TicketTaken{Ticket: "T1", Number: "A001", BusinessDay: "2026-11-23", Queue: "A", Person: gm.Pseudonym(indexKey(t, desk), personNumber)})
	c.Add(hallsync.TicketRated{Ticket: "T1", Window: "1", Grade: hallsync.Fair, Text: personSaid})
	c.Send(0)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// indexKey gives the key of the hall's index as its box has it.
func indexKey(t *testing.T, desk *person.Desk) []byte {
	t.Helper()
	box, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := desk.IndexKeys(context.Background(), sealedHall, box.Public())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := box.Unwrap(keys[0].Wrapped)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// A person is found, exported and erased by the number on standard input; the number is in no argument, no output and no file.
func TestPersonCommands(t *testing.T) {
	s := newSealedSite(t)
	in := personNumber + "\n"
	s.want(0, "大厅 440900000000001：2 条", in, "person", "find")
	s.want(0, "大厅 440900000000002：0 条", in, "person", "find", "--hall", "440900000000002")
	s.want(command.Usage, "证件号码", "", "person", "find")
	s.want(0, "", in, "person", "export", s.path("export.json"))
	raw, err := os.ReadFile(s.path("export.json"))
	if err != nil || !strings.Contains(string(raw), personSaid) || strings.Contains(string(raw), personNumber) {
		t.Errorf("export %s, %v", raw, err)
	}
	if info, err := os.Stat(s.path("export.json")); err != nil || info.Mode() != 0o600 {
		t.Errorf("export %v, %v", info, err)
	}
	s.want(command.Failure, "exist", in, "person", "export", s.path("export.json"))
	s.want(command.Usage, "--reason", in, "person", "erase")
	s.want(0, "中心删除了 2 条", in, "person", "erase", "--reason", "申请书 7 号")
	s.want(0, "大厅 440900000000001：0 条", in, "person", "find")
	s.want(0, "已抹去 2 条", "", "journal", "verify", "--hall", string(sealedHall))
	s.want(0, "没有问题", "", "journal", "verify", "--audit")
	files, err := filepath.Glob(s.path("cloud.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil || strings.Contains(string(data), personNumber) || strings.Contains(string(data), personSaid) {
			t.Errorf("%s tells, %v", name, err)
		}
	}
}

// Facts that nobody can read are counted to who asks: the answer may not be all.
func TestUnreadFactsAreCounted(t *testing.T) {
	s := newSealedSite(t)
	in := personNumber + "\n"
	st, err := store.Open(t.Context(), s.path("cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := st.DataKeys(t.Context(), "", store.DataKey{}, 9)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	err = st.Write(t.Context(), func(tx *store.Tx) error { return tx.DestroyDataKey(sealedHall, keys[0].Key, time.Now()) })
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	s.want(0, "另有 2 条", in, "person", "find")
	s.want(0, "有 2 条打不开", in, "person", "export", s.path("export.json"))
	s.want(0, "没有收到命令", in, "person", "erase", "--reason", "申请书 7 号")
	s.want(0, "有 2 条打不开", in, "person", "erase", "--reason", "申请书 7 号", "--hall", string(sealedHall))
}

// A person who was erased does not come back with a backup of the days before.
func TestARestoreBringsNobodyBack(t *testing.T) {
	s := newSealedSite(t)
	s.want(0, "", "", "backup", s.path("backup.db"))
	noted(t, s, store.ActionBackup)
	s.want(0, "中心删除了 2 条", personNumber+"\n", "person", "erase", "--reason", "申请书 7 号")
	s.want(0, "重算", "", "restore", s.path("backup.db"))
	noted(t, s, store.ActionRestore)
	s.want(0, "大厅 440900000000001：0 条", personNumber+"\n", "person", "find")
	s.want(0, "已抹去 2 条", "", "journal", "verify", "--hall", string(sealedHall))
	files, err := filepath.Glob(s.path("cloud.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files { // the disk is lost
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	s.want(0, "请照登记再做一遍", "", "restore", s.path("backup.db"))
}

// noted fails the test unless the audit has one line of an action, with the backup's name.
func noted(t *testing.T, s site, action string) {
	t.Helper()
	st, err := store.Open(t.Context(), s.path("cloud.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lines, _, err := st.Audits(t.Context(), store.AuditQuery{Action: action, Limit: 9})
	if err := errors.Join(err, st.Close()); err != nil || len(lines) != 1 || lines[0].Subject != "backup.db" || lines[0].Actor == "" {
		t.Errorf("audit of %s: %+v, %v", action, lines, err)
	}
}

// Keys are rotated beside the service; a database that knows keys refuses others.
func TestVaultCommands(t *testing.T) {
	s := newSealedSite(t)
	s.want(0, "", "", "vault", "rotate")
	if _, err := os.Stat(s.path("vault/open-2.key")); err != nil {
		t.Fatal(err)
	}
	s.want(0, "2 条", personNumber+"\n", "person", "find", "--hall", string(sealedHall))
	if err := os.Chmod(s.path("vault/open-1.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.want(command.Failure, "0600", "", "vault", "rotate")
	if err := os.RemoveAll(s.path("vault")); err != nil {
		t.Fatal(err)
	}
	s.want(command.Failure, "没有数据库记着的密钥", "", "rebuild")
	if _, err := os.Stat(s.path("vault")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the vault was made anew")
	}
}
