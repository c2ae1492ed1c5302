package wire_test

import (
	"testing"

	"pgregory.net/rapid"

	"halledge/agent/internal/relay/wire"
)

// picture is a frame in packets: a key frame begins with what a viewer can begin with.
type picture struct {
	kinds []wire.Kind
	key   bool
}

func pictures(t *rapid.T) []picture {
	var out []picture
	for range rapid.IntRange(1, 60).Draw(t, "pictures") {
		p := picture{key: rapid.IntRange(0, 4).Draw(t, "gop") == 0}
		if rapid.Bool().Draw(t, "delimiter") {
			p.kinds = append(p.kinds, wire.Other)
		}
		if p.key {
			p.kinds = append(p.kinds, wire.Key)
		}
		for range rapid.IntRange(1, 4).Draw(t, "slices") {
			p.kinds = append(p.kinds, wire.Slice)
		}
		out = append(out, p)
	}
	return out
}

// However the line behaves, every picture that arrives is whole but for a delimiter, and after a hole the next is a key frame.
func TestGate_leavesOutWholeGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g wire.Gate
		hole := false
		left := uint64(0)
		for i, p := range pictures(t) {
			passed, parts := 0, 0
			for _, k := range p.kinds {
				waiting := wire.Level(rapid.IntRange(0, 2).Draw(t, "level"))
				ok := g.Pass(uint32(i*6000), k, waiting)
				if !ok {
					left++
				}
				if k == wire.Other {
					continue
				}
				parts++
				if ok {
					passed++
				}
			}
			if passed != 0 && passed != parts {
				t.Fatalf("picture %d: %d of %d packets", i, passed, parts)
			}
			if passed > 0 && hole && !p.key {
				t.Fatalf("picture %d follows a hole and is no key frame", i)
			}
			hole = passed == 0 || hole && !p.key
		}
		if left != g.Packets {
			t.Fatalf("%d packets left out, counted %d", left, g.Packets)
		}
	})
}

func TestGate_shutSpoilsThePicture(t *testing.T) {
	var g wire.Gate
	if !g.Pass(1, wire.Key, wire.Room) {
		t.Fatal("an open gate with room lets nothing through")
	}
	g.Shut()
	if g.Pass(1, wire.Key, wire.Room) {
		t.Error("opened again in the middle of the picture it cut")
	}
	if !g.Pass(2, wire.Key, wire.Room) {
		t.Error("stays shut at the next key frame")
	}
	if g.Groups != 1 || g.Packets != 1 {
		t.Errorf("counted %d groups and %d packets, want 1 and 1", g.Groups, g.Packets)
	}
}
