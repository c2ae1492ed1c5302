package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/internal/store"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/gm/gmtest"
	"halledge/firmware-protocols/hallsync"
)

// people are those who have keys: the box, and the centre.
type people struct {
	keys    store.Keys
	centre  gm.PrivateKey
	receipt gm.PrivateKey
}

func owner(t interface{ Fatal(...any) }) *people {
	var all [4]gm.PrivateKey
	for i := range all {
		k, err := gm.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		all[i] = k
	}
	p := &people{centre: all[2], receipt: all[3]}
	p.keys = store.Keys{
		Storage: all[0], Signer: all[1],
		Centre:   func() []gm.PublicKey { return []gm.PublicKey{p.centre.Public()} },
		Receipts: func() []gm.PublicKey { return []gm.PublicKey{p.receipt.Public()} },
	}
	return p
}

// with gives options with keys and a clock that stands at noon.
func (p *people) with(now *time.Time) store.Options {
	o := options()
	o.Keys = p.keys
	o.Now = func() time.Time { return *now }
	return o
}

// facts gives the facts of a log as they are stored, behind a sequence.
func facts(t *testing.T, s *store.Store, after hallsync.Seq) (all []hallsync.Event) {
	t.Helper()
	raws, err := s.Read(after, 1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range raws {
		var e hallsync.Event
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func kinds(all []hallsync.Event) (out []hallsync.Kind) {
	for _, e := range all {
		out = append(out, e.Kind)
	}
	return out
}

func TestALogBeginsWithItsSegmentAndItsKey(t *testing.T) {
	p, now := owner(t), noon
	s, stop := running(t, t.TempDir(), p.with(&now))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	all := facts(t, s, 0)
	if got := kinds(all); !slices.Equal(got, []hallsync.Kind{hallsync.KindSegmentBegun, hallsync.KindKeyMade, all[2].Kind}) {
		t.Fatalf("the log begins with %v", got)
	}
	if all[2].Sealed == nil || all[2].Payload != nil {
		t.Errorf("fact is stored as %+v", all[2])
	}
	for _, made := range []func() (hallsync.KeyMade, error){
		func() (m hallsync.KeyMade, err error) { return m, json.Unmarshal(all[1].Payload, &m) },
		func() (hallsync.KeyMade, error) {
			keys, err := s.Keys()
			if err != nil || len(keys) != 1 {
				return hallsync.KeyMade{}, fmt.Errorf("%d keys, %w", len(keys), err)
			}
			return keys[0], nil
		},
	} {
		m, err := made()
		if err != nil || m.Day != "2026-03-02" || len(m.Wraps) != 1 || m.Wraps[0].For != p.centre.Public().ID() {
			t.Fatalf("key is told as %+v, %v", m, err)
		}
		key, err := p.centre.UnwrapDataKey(m.Wraps[0].Wrapped)
		if err != nil || key.ID().String() != m.Key {
			t.Fatalf("centre unwraps %s: %v", key.ID(), err)
		}
		open, err := all[2].Open(key)
		if err != nil || !strings.Contains(string(open.Payload), `"d1"`) {
			t.Errorf("centre reads %s, %v", open.Payload, err)
		}
	}
	clear, err := s.InClear().Read(2, 10, 1<<20)
	if err != nil || len(clear) != 1 || !strings.Contains(string(clear[0]), `"d1"`) {
		t.Errorf("in the clear it is %s, %v", clear, err)
	}
	stop()
}

func TestWhoHasNoCentreTellsItsKeysLater(t *testing.T) {
	p, now := owner(t), noon
	o := p.with(&now)
	centre := o.Keys.Centre
	o.Keys.Centre = nil
	dir := t.TempDir()
	s, stop := running(t, dir, o)
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.Keys(); err != nil || len(keys) != 0 {
		t.Errorf("nobody can open %v, %v", keys, err)
	}
	stop()
	o.Keys.Centre = centre
	s, _ = running(t, dir, o)
	if keys, err := s.Keys(); err != nil || len(keys) != 1 || len(keys[0].Wraps) != 1 {
		t.Errorf("the centre is told %v, %v", keys, err)
	}
	var begun hallsync.SegmentBegun
	all := facts(t, s, 0)
	last := all[len(all)-1]
	if err := json.Unmarshal(last.Payload, &begun); err != nil || last.Kind != hallsync.KindSegmentBegun || len(begun.Keys) != 1 {
		t.Errorf("no segment began whose key the centre has: %v, %v", kinds(all), err)
	}
	if _, err := s.Verify(p.centre); err != nil {
		t.Error(err)
	}
}

func TestAKeyIsOfOneDayAndOfFewRecords(t *testing.T) {
	p, now := owner(t), noon
	s, _ := running(t, t.TempDir(), p.with(&now).Sealing(5))
	made := func() (days []string) {
		for _, e := range facts(t, s, 0) {
			var m hallsync.KeyMade
			if e.Kind == hallsync.KindKeyMade {
				if err := json.Unmarshal(e.Payload, &m); err != nil {
					t.Fatal(err)
				}
				days = append(days, m.Day)
			}
		}
		return days
	}
	for n := range 4 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	before := len(made())
	if before < 2 {
		t.Errorf("%d keys for eight records of five each", before)
	}
	now = now.Add(11*time.Hour + 59*time.Minute)
	if err := appendOne(s, 5); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if err := appendOne(s, 6); err != nil {
		t.Fatal(err)
	}
	if days := made(); days[len(days)-1] != "2026-03-03" || days[0] != "2026-03-02" {
		t.Errorf("keys are of %v", days)
	}
}

// A key goes with the last fact, answer and snapshot that it seals, and the file is rid of it.
func TestKeysAreDestroyedWhenNothingNeedsThem(t *testing.T) {
	p, now := owner(t), noon
	o := p.with(&now)
	o.Retain = time.Hour
	dir := t.TempDir()
	s, _ := running(t, dir, o)
	day := func(n int, do func(*store.Tx)) {
		t.Helper()
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Append(note(n), now)
			do(tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	live := func() (days []string) {
		keys, err := s.Keys()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			days = append(days, k.Day)
		}
		return days
	}
	day(1, func(tx *store.Tx) { tx.SetSnapshot([]byte(`{}`)) })
	now = now.Add(24 * time.Hour)
	day(2, func(tx *store.Tx) { tx.SetCursor("cloud", s.Next()) })
	if got := live(); len(got) != 2 {
		t.Errorf("the snapshot is of the day whose key is gone: %v", got)
	}
	day(3, func(tx *store.Tx) {
		tx.SetSnapshot([]byte(`{}`))
		tx.PutAnswer(store.KeyOf("x", "POST", "/", "k"), store.Answer{Status: 200, Body: []byte("answer")})
	})
	if got := live(); len(got) != 1 || got[0] != "2026-03-03" {
		t.Errorf("live keys %v", got)
	}
	now = now.Add(24*time.Hour - time.Minute)
	day(4, func(tx *store.Tx) { tx.SetSnapshot([]byte(`{}`)); tx.SetCursor("cloud", s.Next()) })
	if got := live(); len(got) != 2 {
		t.Errorf("the answer is of the day whose key is gone: %v", got)
	}
	now = now.Add(time.Hour)
	day(5, func(*store.Tx) {})
	if got := live(); len(got) != 1 || got[0] != "2026-03-04" {
		t.Errorf("live keys %v", got)
	}
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	day(6, func(*store.Tx) {})
	if _, err := s.Verify(p.centre); err != nil {
		t.Error(err)
	}
}

// Threat 25: who takes the disk finds names and numbers nowhere in it, and no key that is not wrapped.
func TestThreat25StolenDiskTellsNothing(t *testing.T) {
	p, now := owner(t), noon
	dir := t.TempDir()
	const name, number = "丁一凡", "991101199003070016"
	firstSchema(t, dir, name+" "+number) // of a program without keys
	s, stop := running(t, dir, p.with(&now))
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Append(hallsync.PersonBlocked{Person: number, Reason: name, Until: noon}, noon)
		tx.SetSnapshot([]byte(fmt.Sprintf(`{"person":%q,"name":%q}`, number, name)))
		tx.PutAnswer(store.KeyOf("x", "POST", "/", "k"), store.Answer{Status: 200, Body: []byte(name + number), Asked: "x"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	stop()
	storage, err := p.keys.Storage.PEM()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{name, number, storage} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds %s", e.Name(), secret)
			}
		}
	}
	if _, err := store.Open(dir, options()); !isCode(err, store.Sealed) {
		t.Errorf("without keys: %v", err)
	}
	s, _ = running(t, dir, p.with(&now))
	if a, ok := answerTo(t, s); !ok || string(a.Body) != name+" "+number {
		t.Errorf("the answer of the program without keys is %+v, %v", a, ok)
	}
	got := ""
	if err := s.Load(func(b []byte) error { got = string(b); return nil }, func(hallsync.Event, hallsync.Payload) error { return nil }); err != nil || !strings.Contains(got, name) {
		t.Errorf("snapshot is %s, %v", got, err)
	}
}

// Somebody has mistyped the code of the hall. The day's log stays, and is there when the code is right again.
func TestTheLogOfAnotherHallIsLeftAlone(t *testing.T) {
	p, now := owner(t), noon
	for name, right := range map[string]store.Options{"sealed": p.with(&now), "in the clear": options()} {
		dir := t.TempDir()
		s, stop := running(t, dir, right)
		if err := appendOne(s, 1); err != nil {
			t.Fatal(err)
		}
		epoch := s.Epoch()
		stop()
		wrong := right
		wrong.Hall = "440900000000002"
		if _, err := store.Open(dir, wrong); !isCode(err, store.Foreign) {
			t.Errorf("%s: opened for another hall: %v", name, err)
		}
		if s, _ = running(t, dir, right); s.Epoch() != epoch || s.PutAside() != "" {
			t.Errorf("%s: the log is another one", name)
		}
	}
}

func isCode(err error, code store.Code) bool {
	var own *store.Error
	return errors.As(err, &own) && own.Code == code
}

// A box whose storage key is lost goes on with a new log, and keeps the old file.
func TestAFileSealedForAnotherKeyIsPutAside(t *testing.T) {
	p, now := owner(t), noon
	dir := t.TempDir()
	s, stop := running(t, dir, p.with(&now))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	epoch := s.Epoch()
	stop()
	other, log := owner(t), new(strings.Builder)
	o := other.with(&now)
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	s, stop = running(t, dir, o)
	if s.PutAside() == "" || !s.AsideSealed() || s.Epoch() == epoch || s.Lost() != 1 {
		t.Fatalf("aside %q, sealed %v, epoch %s", s.PutAside(), s.AsideSealed(), s.Epoch())
	}
	if err := appendOne(s, 1); err != nil {
		t.Error(err)
	}
	old, err := store.OpenFile(s.PutAside(), p.with(&now))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Verify(); err != nil {
		t.Errorf("the old log with its own key: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	stop()
}

// A plan of the greatest size goes into a fact, sealed.
func TestTheLongestPlanIsAFact(t *testing.T) {
	p, now := owner(t), noon
	s, _ := running(t, t.TempDir(), p.with(&now))
	line := "  - {id: A, name: \"企业开办综合窗口\", service_s: 300} # <备注>\n"
	plan := hallsync.PlanEdited{Revision: 7, Text: strings.Repeat(line, hallsync.MaxPlanBytes/len(line))}
	err := s.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Append(plan, noon)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	raws, err := s.Read(2, 1, hallsync.MaxBatchBytes)
	if err != nil || len(raws) != 1 || len(raws[0]) > hallsync.MaxEventBytes {
		t.Errorf("%d facts, %v", len(raws), err)
	}
}

// A state longer than one record is sealed in pieces.
func TestALongSnapshotIsSealed(t *testing.T) {
	p, now := owner(t), noon
	dir := t.TempDir()
	s, stop := running(t, dir, p.with(&now))
	state := []byte(`"` + strings.Repeat("丁", gm.MaxPlain) + `"`)
	if err := s.Update(context.Background(), func(tx *store.Tx) error { tx.SetSnapshot(state); return nil }); err != nil {
		t.Fatal(err)
	}
	stop()
	s, _ = running(t, dir, p.with(&now))
	if s.PutAside() != "" {
		t.Fatal("put aside")
	}
	err := s.Load(func(b []byte) error {
		if !bytes.Equal(b, state) {
			t.Errorf("%d bytes came back of %d", len(b), len(state))
		}
		return nil
	}, func(hallsync.Event, hallsync.Payload) error { return nil })
	if err != nil {
		t.Error(err)
	}
}

// A module that keeps the storage key and does not answer now is no lost key: the file stays, and the next start may find the module.
func TestAKeyThatCannotBeUsedNow(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	m := gmtest.NewModule(t)
	p.keys.Storage, _ = gmtest.NewKey(t, m)
	s, stop := running(t, dir, p.with(&now))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	stop()
	m.Trouble(t, func() error { return errors.New("locked") })
	if _, err := store.Open(dir, p.with(&now)); !isCode(err, store.Failed) {
		t.Errorf("opened: %v", err)
	}
	m.Trouble(t, nil)
	s, _ = running(t, dir, p.with(&now))
	if s.PutAside() != "" || s.Next() != 4 {
		t.Errorf("aside %q, next %d", s.PutAside(), s.Next())
	}
}

// A signer that fails keeps nobody from being called; the log is signed when it is back.
func TestASignerThatFails(t *testing.T) {
	p, now := owner(t), noon
	m := gmtest.NewModule(t)
	p.keys.Signer, _ = gmtest.NewKey(t, m)
	s, _ := running(t, t.TempDir(), p.with(&now))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	asked := 0
	m.Trouble(t, func() error { asked++; return errors.New("locked") })
	now = now.Add(chain.CheckpointTime)
	for n := range 5 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("the signer was asked %d times within a minute", asked)
	}
	m.Trouble(t, nil)
	now = now.Add(time.Minute)
	if err := s.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := facts(t, s, 0)
	if last := all[len(all)-1]; last.Kind != hallsync.KindLogCheckpointed {
		t.Errorf("the log ends with %s", last.Kind)
	}
}
