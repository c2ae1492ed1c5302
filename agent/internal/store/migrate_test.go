package store_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
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

func TestFileOfTheFirstSchemaIsMigrated(t *testing.T) {
	dir, epoch := t.TempDir(), "0123456789abcdef"
	key := store.KeyOf("kiosk", "POST", "/api/v1/tickets", "k1")
	file(t, dir, func(bucket func(string) *bbolt.Bucket) {
		put := func(name string, k, v []byte) {
			if err := bucket(name).Put(k, v); err != nil {
				t.Fatal(err)
			}
		}
		for seq := hallsync.Seq(1); seq <= 5; seq++ {
			e, err := hallsync.NewEvent(hallCode, epoch, seq, noon, note(int(seq)))
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
		put("meta", []byte("epoch"), []byte(epoch))
		put("meta", []byte("next_seq"), bytes8(6))
		put("meta", []byte("snapshot"), append(bytes8(3), `{"state":1}`...))
		put("cursors", []byte("cloud"), bytes8(2))
		put("answers", key[:], []byte(`{"status":201,"body":"Zmlyc3Q=","asked":"abc","at":"2026-03-02T12:00:00Z"}`))
		put("answers_by_time", append(bytes8(uint64(noon.UnixMilli())), key[:]...), nil)
	})
	opts := options()
	opts.Now = func() time.Time { return noon.Add(time.Hour) }
	for range 2 { // the second start finds a file of today
		s, stop := running(t, dir, opts)
		if s.PutAside() != "" || s.Epoch() != epoch || s.Next() != 6 {
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
		var a store.Answer
		var ok bool
		if err := s.Update(context.Background(), func(tx *store.Tx) error { a, ok = tx.Answer(key); return nil }); err != nil {
			t.Fatal(err)
		}
		if !ok || a.Status != 201 || string(a.Body) != "first" || a.Asked != "abc" || !a.At.Equal(noon) {
			t.Errorf("answer is %+v, %v", a, ok)
		}
		stop()
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
