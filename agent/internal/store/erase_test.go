package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"halledge/agent/internal/store"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

func erase(s *store.Store, ranges ...hallsync.Range) error {
	return s.Update(context.Background(), func(tx *store.Tx) error {
		if err := tx.Erase(hallsync.PersonErased{Order: "0198-order", Facts: ranges}, noon); err != nil {
			return err
		}
		tx.SetSnapshot([]byte(`{"without":"them"}`))
		return nil
	})
}

func TestErasedFactsLeaveTheirPlaceAndTheirDigest(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	s, stop := running(t, dir, p.with(&now))
	for n := range 5 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	before := facts(t, s, 0)
	if err := erase(s, hallsync.Range{From: 2, To: 4}, hallsync.Range{From: 6, To: 6}, hallsync.Range{From: 3, To: 3}); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	all := facts(t, s, 0)
	for i, e := range all[:len(before)] {
		gone := e.Seq == 3 || e.Seq == 4 || e.Seq == 6 // 2 is a key's, which says nothing of anybody
		if (e.Erased != nil) != gone {
			t.Errorf("fact %d is %+v", e.Seq, e)
		}
		if digest := gm.Sum(before[i].Sealed); gone && (!bytes.Equal(e.Erased.Hash, digest[:]) || e.Erased.Order != "0198-order" || e.Body() != nil) {
			t.Errorf("fact %d is left as %+v", e.Seq, e.Erased)
		}
	}
	if last := all[len(all)-1]; last.Kind != hallsync.KindPersonErased || last.Payload == nil {
		t.Errorf("the last fact is %+v", last)
	}
	for range 2 {
		st, err := s.Verify(p.centre)
		if err != nil || st.Erased != 3 {
			t.Errorf("log %+v, %v", st, err)
		}
		stop()
		s, stop = running(t, dir, p.with(&now))
		if s.ChainFault() != nil || s.PutAside() != "" {
			t.Fatalf("fault %v, aside %q", s.ChainFault(), s.PutAside())
		}
	}
	stop()
	raw, err := os.ReadFile(filepath.Join(dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	was, err := json.Marshal(before[3].Sealed)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, bytes.Trim(was, `"`)) {
		t.Error("what was erased lies in the file still")
	}
}

// What the next start needs cannot be erased, and nothing without an order.
func TestErasuresThatAreRefused(t *testing.T) {
	p, now := owner(t), noon
	s, _ := running(t, t.TempDir(), p.with(&now))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	update := func(do func(*store.Tx) error) error { return s.Update(context.Background(), do) }
	for name, err := range map[string]error{
		"to come":     erase(s, hallsync.Range{From: 3, To: 9}),
		"upside down": erase(s, hallsync.Range{From: 3, To: 2}),
		"no order": update(func(tx *store.Tx) error {
			tx.SetSnapshot([]byte(`{}`))
			return tx.Erase(hallsync.PersonErased{}, noon)
		}),
		"no snapshot": update(func(tx *store.Tx) error {
			return tx.Erase(hallsync.PersonErased{Order: "x", Facts: []hallsync.Range{{From: 3, To: 3}}}, noon)
		}),
	} {
		var own *store.Error
		if err == nil || errors.As(err, &own) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st, err := s.Verify(); err != nil || st.Facts != 3 || st.Erased != 0 {
		t.Errorf("log %+v, %v", st, err)
	}
}

// A new epoch does not speak of the old one's numbers.
func TestErasuresAndANewEpoch(t *testing.T) {
	p, now := owner(t), noon
	s, _ := running(t, t.TempDir(), p.with(&now))
	for n := range 5 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := erase(s, hallsync.Range{From: 4, To: 5}); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(context.Background(), func(tx *store.Tx) error { return tx.Renew([]byte(`{}`)) }); err != nil {
		t.Fatal(err)
	}
	all := facts(t, s, 0)
	var f hallsync.PersonErased
	last := all[len(all)-1]
	if err := json.Unmarshal(last.Payload, &f); err != nil || f.Order != "0198-order" || len(f.Facts) != 0 || len(all) != 6 {
		t.Errorf("%d facts, the last one %s, %v", len(all), last.Payload, err)
	}
	if st, err := s.Verify(p.centre); err != nil || st.Erased != 0 {
		t.Errorf("log %+v, %v", st, err)
	}
}

// What is left of an erased answer is sealed with today's key, and keeps no earlier one from the answers behind it.
func TestAnErasedAnswerCostsNoOther(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	o := p.with(&now)
	o.Retain = time.Hour
	s, stop := running(t, dir, o)
	update := func(do func(*store.Tx) error) {
		t.Helper()
		if err := s.Update(context.Background(), do); err != nil {
			t.Fatal(err)
		}
	}
	key := func(name string) store.AnswerKey { return store.KeyOf("x", "POST", "/", name) }
	update(func(tx *store.Tx) error {
		tx.PutAnswer(key("his"), store.Answer{Status: 201, Body: []byte("ticket-of-his")})
		tx.PutAnswer(key("hers"), store.Answer{Status: 201, Body: []byte("ticket-of-hers")})
		_, err := tx.Append(note(1), now)
		return err
	})
	now = now.Add(23 * time.Hour)
	update(func(tx *store.Tx) error {
		if err := tx.Erase(hallsync.PersonErased{Order: "0198-order"}, now, "ticket-of-his"); err != nil {
			return err
		}
		tx.SetSnapshot([]byte(`{}`))
		tx.SetCursor("cloud", s.Next()-1)
		return nil
	})
	for range 2 {
		update(func(tx *store.Tx) error { // whose commit destroys what nobody needs
			_, err := tx.Append(note(2), now)
			return err
		})
		update(func(tx *store.Tx) error {
			if a, ok := tx.Answer(key("hers")); !ok || string(a.Body) != "ticket-of-hers" {
				t.Errorf("the other answer is %+v, %t", a, ok)
			}
			if a, ok := tx.Answer(key("his")); !ok || a.Status != 201 || len(a.Body) > 0 {
				t.Errorf("of the erased one is left %+v, %t", a, ok)
			}
			return nil
		})
		stop()
		s, stop = running(t, dir, o)
	}
}
