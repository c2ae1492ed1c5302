package seal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"halledge/agent/internal/store/seal"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

func boxKey(t interface{ Fatal(...any) }) gm.PrivateKey {
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func draw(t interface{ Fatal(...any) }, box gm.PrivateKey, number uint64, from hallsync.Seq) seal.Key {
	k, err := seal.Draw(number, "2026-03-02", from, box.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAKeyComesBackFromItsFile(t *testing.T) {
	box := boxKey(t)
	k := draw(t, box, 7, 12)
	got, err := seal.Parse(7, k.Bytes(), box)
	if err != nil || got.ID() != k.ID() || got.Number != 7 || got.Day != "2026-03-02" || got.From != 12 {
		t.Errorf("%+v, %v", got, err)
	}
	ring := seal.Ring{}.With(k)
	if again, ok := ring.Has(7, k.Bytes()); !ok || again.ID() != k.ID() {
		t.Error("a key that is there is not found")
	}
	if _, ok := ring.Has(8, k.Bytes()); ok {
		t.Error("a key is found under another number")
	}
	if _, ok := ring.Has(7, draw(t, box, 7, 12).Bytes()); ok {
		t.Error("a key is found for other bytes")
	}
	foreign, err := seal.Parse(7, k.Bytes(), boxKey(t))
	if err != nil || !foreign.IsZero() {
		t.Errorf("for another box: %v, %v", foreign, err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "noise": []byte("noise"), "no name": []byte(`{}`)} {
		if _, err := seal.Parse(7, bad, box); err == nil {
			t.Errorf("%s is a key", name)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", k, []seal.Key{k}, k); text != "*** [***] ***" {
		t.Errorf("a key prints as %s", text)
	}
}

func TestTheNewestSealsAndAllOpen(t *testing.T) {
	box := boxKey(t)
	var ring seal.Ring
	if _, err := ring.Seal([]byte("x")); err == nil {
		t.Error("a ring without keys seals")
	}
	var records [][]byte
	for n := range uint64(3) {
		ring = ring.With(draw(t, box, n+1, hallsync.Seq(10*n)))
		r, err := ring.Seal([]byte("plain"), "about")
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	for i, r := range records {
		if plain, err := ring.Open(r, "about"); err != nil || string(plain) != "plain" {
			t.Errorf("record %d: %q, %v", i, plain, err)
		}
		if _, err := ring.Open(r, "other"); err == nil {
			t.Errorf("record %d stands elsewhere", i)
		}
	}
	less := ring.Without(1)
	if _, err := less.Open(records[0], "about"); err == nil {
		t.Error("a destroyed key opens")
	}
	if _, err := ring.Open(records[0], "about"); err != nil {
		t.Error("the ring before it has changed")
	}
}

func TestAKeyIsSpentWithTheLastThingItOpens(t *testing.T) {
	box := boxKey(t)
	var ring seal.Ring
	var records [][]byte
	for n := range uint64(4) {
		ring = ring.With(draw(t, box, n+1, hallsync.Seq(10*(n+1))))
		r, err := ring.Seal(nil)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	for _, c := range []struct {
		first  hallsync.Seq
		others [][]byte
		want   []uint64
	}{
		{1, nil, nil}, {19, nil, nil}, {20, nil, []uint64{1}}, {39, nil, []uint64{1, 2}}, {1000, nil, []uint64{1, 2, 3}},
		{1000, records[1:], []uint64{1}}, {1000, [][]byte{records[0]}, nil}, {1000, [][]byte{nil, []byte("noise"), records[2]}, []uint64{1, 2}},
	} {
		if got := ring.Spent(c.first, c.others...); !slices.Equal(got, c.want) {
			t.Errorf("first fact %d: spent %v, want %v", c.first, got, c.want)
		}
	}
	if got := ring.Rebased().Spent(1); !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("in a new log %v are spent", got)
	}
}

// What is long comes back whole, and no piece can be left out, doubled or exchanged.
func TestLongThingsComeBackWhole(t *testing.T) {
	ring := seal.Ring{}.With(draw(t, boxKey(t), 1, 1))
	for _, n := range []int{0, 1, gm.MaxPlain - 1, gm.MaxPlain, gm.MaxPlain + 1, 2*gm.MaxPlain + 5} {
		plain := bytes.Repeat([]byte{7}, n)
		sealed, err := ring.Long(plain, "a")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ring.OpenLong(sealed, "a"); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d, %v", n, len(got), err)
		}
		if _, err := ring.OpenLong(sealed, "b"); err == nil {
			t.Errorf("%d bytes stand elsewhere", n)
		}
		piece := 4 + gm.Sealed + gm.MaxPlain
		for name, bad := range map[string][]byte{
			"nothing": nil, "the head": sealed[:3], "all but a byte": sealed[:len(sealed)-1], "more": append(slices.Clone(sealed), 0),
			"twice": slices.Concat(sealed, sealed), "the first piece": sealed[:min(piece, len(sealed)-1)], "the rest": sealed[min(piece, len(sealed)-1):],
		} {
			if _, err := ring.OpenLong(bad, "a"); err == nil {
				t.Errorf("%d bytes: %s is taken for all", n, name)
			}
		}
		id, err := gm.RecordKey(seal.First(sealed))
		if newest, _ := ring.Newest(); err != nil || id != newest.ID() {
			t.Errorf("the key is %s, %v", id, err)
		}
	}
}

func TestMadeIsForItsHolders(t *testing.T) {
	box, centre := boxKey(t), boxKey(t)
	k := draw(t, box, 1, 1)
	wrap := func(k seal.Key, to gm.PublicKey) ([]byte, error) { return k.Wrap(to) }
	made, err := k.Made(wrap, []gm.PublicKey{centre.Public()})
	if err != nil || made.Key != k.ID().String() || made.Day != "2026-03-02" || len(made.Wraps) != 1 {
		t.Fatalf("%+v, %v", made, err)
	}
	got, err := centre.UnwrapDataKey(made.Wraps[0].Wrapped)
	if err != nil || got.ID() != k.ID() {
		t.Errorf("the centre gets %s, %v", got.ID(), err)
	}
	if _, err := k.Made(wrap, []gm.PublicKey{{}}); err == nil {
		t.Error("wrapped for nobody")
	}
	if raw, err := json.Marshal(made); err != nil || bytes.Contains(raw, []byte("null")) {
		t.Errorf("told as %s, %v", raw, err)
	}
}

// Whatever is taken for a sealed thing: no panic, and nothing comes out.
func FuzzOpen(f *testing.F) {
	ring := seal.Ring{}.With(draw(f, boxKey(f), 1, 1))
	sealed, err := ring.Long([]byte("plain"), "a")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := ring.OpenLong(b, "a"); err == nil && !bytes.Equal(b, sealed) {
			t.Errorf("%q came out of %x", plain, b)
		}
	})
}

// The keys that are there are those that were put in and not taken out, in their order.
func TestRingsAreLists(t *testing.T) {
	box := boxKey(t)
	rapid.Check(t, func(rt *rapid.T) {
		var ring seal.Ring
		var want []uint64
		for n := range uint64(rapid.IntRange(1, 12).Draw(rt, "steps")) {
			if len(want) > 0 && rapid.Bool().Draw(rt, "take") {
				gone := rapid.SampledFrom(want).Draw(rt, "which")
				ring = ring.Without(gone)
				want = slices.DeleteFunc(want, func(w uint64) bool { return w == gone })
				continue
			}
			ring = ring.With(draw(rt, box, n+1, hallsync.Seq(n)))
			want = append(want, n+1)
		}
		var got []uint64
		for _, k := range ring.Live() {
			got = append(got, k.Number)
		}
		if !slices.Equal(got, want) || len(ring.All()) != len(want) {
			rt.Fatalf("%v, want %v", got, want)
		}
	})
}
