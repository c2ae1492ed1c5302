package track_test

import (
	"testing"
	"time"

	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func newKey(t *testing.T) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func start() chain.Start {
	return chain.Start{Log: "440900000000001", Name: "e", First: 1, At: noon, Why: chain.First}
}

func fact(t *testing.T, seq hallsync.Seq) hallsync.Event {
	t.Helper()
	e, err := hallsync.NewEvent("440900000000001", "e", seq, noon, hallsync.DeviceChanged{Device: "d", Class: "printer", State: "ok"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestATrackGoesOnFromItsBytes(t *testing.T) {
	centre := newKey(t)
	a, begun, err := track.Begin(start(), []gm.PublicKey{centre.Public()})
	if err != nil || a.Blind() || len(begun.Keys) != 1 || begun.Keys[0].For != centre.Public().ID() {
		t.Fatalf("%+v, %v", begun, err)
	}
	if _, err := a.Append(fact(t, 1)); err != nil {
		t.Fatal(err)
	}
	b, err := track.Parse(a.Bytes())
	if err != nil || b.Point() != a.Point() || b.Blind() {
		t.Fatalf("%v, %v", b, err)
	}
	c := a.Clone()
	for _, one := range []*track.Track{a, b, c} {
		link, err := one.Append(fact(t, 2))
		if err != nil || link.Head != one.Point().Head || one.Point() != a.Point() {
			t.Errorf("%v, %v", link, err)
		}
	}
	a.Forget()
	if _, err := a.Append(fact(t, 3)); err == nil {
		t.Error("a forgotten track goes on")
	}
	if _, err := c.Append(fact(t, 3)); err != nil {
		t.Errorf("and its clone does not: %v", err)
	}
	for _, bad := range []string{"", "{}", "noise", `{"state":"AA==","last":"AA=="}`} {
		if _, err := track.Parse([]byte(bad)); err == nil {
			t.Errorf("%q is a track", bad)
		}
	}
}

func TestASegmentWithoutACentreIsBlind(t *testing.T) {
	a, begun, err := track.Begin(start(), nil)
	if err != nil || !a.Blind() || len(begun.Keys) != 0 {
		t.Errorf("%+v, %v", begun, err)
	}
	if b, err := track.Parse(a.Bytes()); err != nil || !b.Blind() {
		t.Errorf("it sees after a start: %v", err)
	}
	var none *track.Track
	none.Forget()
	if none.Clone() != nil {
		t.Error("something came of nothing")
	}
	if _, _, err := track.Begin(chain.Start{}, nil); err == nil {
		t.Error("a segment of nobody's log began")
	}
}

func TestCheckpointsAreDue(t *testing.T) {
	signer := newKey(t)
	a, _, err := track.Begin(start(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Due(noon.Add(chain.CheckpointTime)) {
		t.Error("due before anything came")
	}
	for n := range hallsync.Seq(2) {
		if _, err := a.Append(fact(t, n+1)); err != nil {
			t.Fatal(err)
		}
	}
	later := noon.Add(chain.CheckpointTime)
	if a.Due(noon) || !a.Due(later) {
		t.Errorf("due %v, later %v", a.Due(noon), a.Due(later))
	}
	if _, err := a.Checkpoint(later, gm.PrivateKey{}); err == nil || !a.Due(later) {
		t.Error("signed by nobody")
	}
	f, err := a.Checkpoint(later, signer)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := chain.ParseCheckpoint(f.Checkpoint)
	if err != nil || !mark.Signed(signer.Public()) || mark.Point != a.Point() || a.Due(later) {
		t.Errorf("%+v, %v", mark, err)
	}
	b, err := track.Parse(a.Bytes())
	if err != nil || b.Due(later) {
		t.Errorf("due again after a start: %v", err)
	}
}

// An erased fact is the same entry to the chain as before.
func TestErasedFactsAreTheSameEntry(t *testing.T) {
	whole := fact(t, 1)
	whole.Sealed, whole.Payload = []byte("record"), nil
	digest := gm.Sum(whole.Sealed)
	gone := whole
	gone.Sealed, gone.Erased = nil, &hallsync.Erased{Hash: digest[:], Order: "o"}
	a, b := track.Entry(whole), track.Entry(gone)
	if b.Erased == nil || b.Erased.Hash != chain.Digest(gm.Sum(a.Body)) || b.Erased.Order != "o" || string(a.Clear) != string(b.Clear) || b.Body != nil {
		t.Errorf("%+v and %+v", a, b)
	}
}

func FuzzParse(f *testing.F) {
	a, _, err := track.Begin(start(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.Bytes())
	f.Add([]byte(`{"state":"","last":"","blind":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := track.Parse(b); err == nil {
			if again, err := track.Parse(got.Bytes()); err != nil || again.Point() != got.Point() {
				t.Errorf("%x does not come back: %v", b, err)
			}
		}
	})
}
