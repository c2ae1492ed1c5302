package identity_test

import (
	"encoding/json"
	"os"
	"path/filepath"
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
	if err := i.NumbersPassed(); err != nil {
		t.Fatal(err)
	}
	for _, i := range []*identity.Identity{i, open(t, dir, o)} {
		if i.Before() != 0 || !i.Enrolled() {
			t.Errorf("%d logs before", i.Before())
		}
	}
}

// A rotated key of the index is in force at once and after a restart; one that the box cannot open changes nothing.
func TestReindex(t *testing.T) {
	i, dir := identitytest.Box(t, identitytest.NewCentre(t, identitytest.NewClock()), options())
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
	keys := append([]hallsync.IndexKey{{ID: "2", Wrapped: next}}, r.Enrolled.Index...)
	if changed, err := i.Reindex(r.Enrolled.Index); changed || err != nil {
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
