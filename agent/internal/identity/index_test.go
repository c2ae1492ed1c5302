package identity_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"halledge/agent/internal/identity"
	"halledge/agent/internal/identity/identitytest"
	"halledge/agent/kit/gm/cert"
	"halledge/firmware-protocols/hallsync"
)

// That numbers of other boxes are to be passed over is known until they are, also after a power cut; and a day later it is of no use.
func TestNumbersOfTheBoxesBeforeArePassed(t *testing.T) {
	c := identitytest.NewClock()
	f := identitytest.NewCentre(t, c)
	f.Do(func() { f.Spoil = func(e *hallsync.Enrolled) { e.Before = 2 } })
	i, dir := identitytest.Box(t, f, options())
	o := options()
	o.Now = c.Now
	for _, i := range []*identity.Identity{i, open(t, dir, o)} {
		if i.Before() != 2 {
			t.Errorf("%d logs before", i.Before())
		}
	}
	c.Forward(72 * time.Hour)
	if i.Before() != 0 {
		t.Error("numbers of another day are passed over")
	}
	c.Forward(-72 * time.Hour)
	if err := i.NumbersPassed(1); err != nil || i.Before() != 2 {
		t.Errorf("fewer were passed: %d logs before, %v", i.Before(), err)
	}
	if err := i.NumbersPassed(2); err != nil {
		t.Fatal(err)
	}
	for _, i := range []*identity.Identity{i, open(t, dir, o)} {
		if i.Before() != 0 || !i.Enrolled() {
			t.Errorf("%d logs before", i.Before())
		}
	}
}

// rekeyed gives the keys of a box's index as the centre rotates them: one more.
func rekeyed(t *testing.T, dir string) (before, after []hallsync.IndexKey) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "enrolled.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Enrolled hallsync.Enrolled }
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	own, err := cert.Parse(r.Enrolled.Encrypt)
	if err != nil {
		t.Fatal(err)
	}
	next, err := own.PublicKey().Wrap([]byte("fedcba9876543210"))
	if err != nil {
		t.Fatal(err)
	}
	return r.Enrolled.Index, append([]hallsync.IndexKey{{ID: "2", Wrapped: next}}, r.Enrolled.Index...)
}

// Two who change the papers at once both have their way, in force and after a restart.
func TestPapersAreChangedFromTwoSides(t *testing.T) {
	f := identitytest.NewCentre(t, identitytest.NewClock())
	f.Do(func() { f.Spoil = func(e *hallsync.Enrolled) { e.Before = 2 } })
	for range 20 { // one time is often not enough to show it
		f.NewCode()
		i, dir := identitytest.Box(t, f, options())
		_, keys := rekeyed(t, dir)
		var both sync.WaitGroup
		both.Go(func() {
			if changed, err := i.Reindex(keys); !changed || err != nil {
				t.Errorf("keys: %t, %v", changed, err)
			}
		})
		both.Go(func() {
			if err := i.NumbersPassed(2); err != nil {
				t.Errorf("numbers: %v", err)
			}
		})
		both.Wait()
		for _, i := range []*identity.Identity{i, open(t, dir, options())} {
			if i.Before() != 0 || len(i.Index()) != len(keys) {
				t.Fatalf("%d thousands before, keys %v", i.Before(), i.Index())
			}
		}
	}
}

// A rotated key of the index is in force at once and after a restart; one that the box cannot open changes nothing.
func TestReindex(t *testing.T) {
	i, dir := identitytest.Box(t, identitytest.NewCentre(t, identitytest.NewClock()), options())
	before, keys := rekeyed(t, dir)
	if changed, err := i.Reindex(before); changed || err != nil {
		t.Errorf("the same keys: %v, %v", changed, err)
	}
	foreign, err := identitytest.NewKey(t).Public().Wrap([]byte("of another box .."))
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := i.Reindex([]hallsync.IndexKey{{ID: "3", Wrapped: foreign}}); changed || err == nil || len(i.Index()) != 1 {
		t.Errorf("a key of another box: %v, %v", changed, err)
	}
	if changed, err := i.Reindex(keys); !changed || err != nil {
		t.Fatal(changed, err)
	}
	for _, i := range []*identity.Identity{i, open(t, dir, options())} {
		k := i.Index()
		if len(k) != 2 || k[0].ID != "2" || string(k[0].Reveal()) != "fedcba9876543210" || string(k[1].Reveal()) != "0123456789abcdef" || !i.Enrolled() {
			t.Errorf("%v", k)
		}
	}
}
