package ingest

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
)

// How far a chain is opens in this run, in the next one, and when an earlier program has stored it; of another segment it opens nowhere.
func TestStatesOutliveTheRun(t *testing.T) {
	v, err := vault.Open(vault.Options{Directory: filepath.Join(t.TempDir(), "vault"), Make: true})
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte("how far the chain is")
	first, next := &states{vault: v}, &states{vault: v}
	g := store.Segment{Hall: "440900000000001", Epoch: "e", First: 7}
	if g.State, err = first.seal(&g, raw); err != nil || bytes.Contains(g.State, raw) {
		t.Fatalf("%s, %v", g.State, err)
	}
	if _, err := next.seal(&store.Segment{Hall: g.Hall, Epoch: "f"}, raw); err != nil { // has a key of its own by now
		t.Fatal(err)
	}
	for name, s := range map[string]*states{"this run": first, "the next": next, "the one behind": {vault: v}} {
		if got, err := s.open(&g); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s opens %q, %v", name, got, err)
		}
	}
	other := g
	other.First = 8
	if got, err := first.open(&other); err == nil {
		t.Errorf("another segment opens %q", got)
	}
	wraps, err := v.Wrap(func(to gm.PublicKey) ([]byte, error) { return to.Wrap(raw) })
	if err == nil {
		g.State, err = json.Marshal(wraps)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := next.open(&g); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("of an earlier program it opens %q, %v", got, err)
	}
	g.State = []byte(`{"record":"AAAA"}`)
	if got, err := next.open(&g); err == nil {
		t.Errorf("what is no state opens %q", got)
	}
}
