package store_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store"
	"halledge/firmware-protocols/hallsync"
)

func bytes8(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// file writes a database as another program would leave it.
func file(t *testing.T, dir string, write func(bucket func(name string) *bbolt.Bucket)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, store.FileName), 0o640, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		write(func(name string) *bbolt.Bucket {
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				t.Fatal(err)
			}
			return b
		})
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// firstKey is that of the answer in a file of the first schema.
func firstKey() store.AnswerKey { return store.KeyOf("kiosk", "POST", "/api/v1/tickets", "k1") }

const firstEpoch = "0123456789abcdef"

// firstSchema writes a file as the first program left it, with five facts, a snapshot behind the third, and an answer.
func firstSchema(t *testing.T, dir, answer string) {
	t.Helper()
	key := firstKey()
	file(t, dir, func(bucket func(string) *bbolt.Bucket) {
		put := func(name string, k, v []byte) {
			if err := bucket(name).Put(k, v); err != nil {
				t.Fatal(err)
			}
		}
		for seq := hallsync.Seq(1); seq <= 5; seq++ {
			e, err := hallsync.NewEvent(hallCode, firstEpoch, seq, noon, note(int(seq)))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			put("log", bytes8(uint64(seq)), raw)
		}
		put("meta", []byte("schema"), bytes8(1))
		put("meta", []byte("epoch"), []byte(firstEpoch))
		put("meta", []byte("next_seq"), bytes8(6))
		put("meta", []byte("snapshot"), append(bytes8(3), `{"state":1}`...))
		put("cursors", []byte("cloud"), bytes8(2))
		put("answers", key[:], fmt.Appendf(nil, `{"status":201,"body":%q,"asked":"abc","at":"2026-03-02T12:00:00Z"}`, base64.StdEncoding.EncodeToString([]byte(answer))))
		put("answers_by_time", append(bytes8(uint64(noon.UnixMilli())), key[:]...), nil)
	})
}

// whole wants a store to have what firstSchema wrote, but for the answer.
func whole(t *testing.T, s *store.Store) {
	t.Helper()
	if s.PutAside() != "" || s.Epoch() != firstEpoch || s.Next() != 6 {
		t.Fatalf("aside %q, epoch %s, next %d", s.PutAside(), s.Epoch(), s.Next())
	}
	var facts []hallsync.Seq
	snapshot := ""
	err := s.Load(
		func(b []byte) error { snapshot = string(b); return nil },
		func(e hallsync.Event, _ hallsync.Payload) error { facts = append(facts, e.Seq); return nil })
	if err != nil || snapshot != `{"state":1}` || fmt.Sprint(facts) != "[4 5]" {
		t.Errorf("snapshot %q, facts %v, %v", snapshot, facts, err)
	}
	if c, err := s.Cursor("cloud"); c != 2 || err != nil {
		t.Errorf("cursor %d, %v", c, err)
	}
	if _, err := s.Verify(); err != nil {
		t.Error(err)
	}
}

// answerTo gives the answer stored under firstKey.
func answerTo(t *testing.T, s *store.Store) (a store.Answer, ok bool) {
	t.Helper()
	if err := s.Update(context.Background(), func(tx *store.Tx) error { a, ok = tx.Answer(firstKey()); return nil }); err != nil {
		t.Fatal(err)
	}
	return a, ok
}

func TestFileOfTheFirstSchemaIsMigrated(t *testing.T) {
	dir := t.TempDir()
	firstSchema(t, dir, "first")
	opts := options()
	opts.Now = func() time.Time { return noon.Add(time.Hour) }
	for range 2 { // the second start finds a file of today
		s, stop := running(t, dir, opts)
		whole(t, s)
		if a, ok := answerTo(t, s); !ok || a.Status != 201 || string(a.Body) != "first" || a.Asked != "abc" || !a.At.Equal(noon) {
			t.Errorf("answer is %+v, %v", a, ok)
		}
		stop()
	}
}

// A disk that has no room for the answers of the new layout costs them, and neither the hall nor a fact.
func TestUpgradeOnAFullDisk(t *testing.T) {
	dir, log := t.TempDir(), new(strings.Builder)
	firstSchema(t, dir, strings.Repeat("x", 100_000))
	opts := options()
	opts.Now = func() time.Time { return noon.Add(time.Hour) }
	opts.MaxBytes, opts.Log = 256<<10, slog.New(slog.NewTextHandler(log, nil))
	s, stop := running(t, dir, opts)
	whole(t, s)
	if a, ok := answerTo(t, s); ok {
		t.Errorf("the quota holds an answer of %d bytes twice: the test does not test what it is for", len(a.Body))
	}
	if err := appendOne(s, 6); err != nil {
		t.Errorf("the hall cannot go on: %v", err)
	}
	stop()
	if text := log.String(); strings.Count(text, "upgraded without the answers") != 1 || !strings.Contains(text, "last 24 hours") {
		t.Errorf("the log does not say what was lost:\n%s", text)
	}
	s, _ = running(t, dir, opts)
	if s.Next() != 7 || s.Epoch() != firstEpoch {
		t.Errorf("afterwards next is %d, epoch %s", s.Next(), s.Epoch())
	}
}

// When not even that goes, the refusal says why, every time, and nothing but the answers is ever lost.
func TestUpgradeOnADiskWithoutAnyRoom(t *testing.T) {
	for name, works := range map[string]int{"no commit": 0, "the one that gives up the answers": 2} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			firstSchema(t, dir, "first")
			for range 2 {
				commits := 0
				_, err := store.Open(dir, options().Committing(func(tx *bbolt.Tx) error {
					if commits++; commits == works { // the first is the upgrade with the answers
						return tx.Commit()
					}
					return syscall.ENOSPC
				}))
				var cramped *store.Error
				if !errors.As(err, &cramped) || cramped.Code != store.Cramped || !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("got %v", err)
				}
			}
			opts := options()
			opts.Now = func() time.Time { return noon.Add(time.Hour) }
			s, _ := running(t, dir, opts)
			whole(t, s)
			if _, ok := answerTo(t, s); ok != (works == 0) {
				t.Errorf("the answer is there: %v", ok)
			}
		})
	}
}

func TestFileOfANewerProgramIsRefused(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, func(bucket func(string) *bbolt.Bucket) {
		for _, name := range []string{"log", "cursors"} {
			bucket(name)
		}
		for k, v := range map[string][]byte{"schema": bytes8(99), "epoch": []byte("0123456789abcdef"), "next_seq": bytes8(1)} {
			if err := bucket("meta").Put([]byte(k), v); err != nil {
				t.Fatal(err)
			}
		}
	})
	for name, open := range map[string]func(string, store.Options) (*store.Store, error){"open": store.Open, "look": store.OpenReadOnly} {
		_, err := open(dir, options())
		var newer *store.Error
		if !errors.As(err, &newer) || newer.Code != store.Newer {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
