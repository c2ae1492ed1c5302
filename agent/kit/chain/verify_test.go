package chain_test

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
)

// hall is a chain as its box and the centre have it.
type hall struct {
	start       chain.Start
	key         chain.Key
	state       *chain.State
	entries     []chain.Stored
	checkpoints []chain.Checkpoint
	receipts    []chain.Receipt
	box, centre gm.PrivateKey
}

const order = "order-1"

// newHall gives a chain of n entries with a checkpoint behind each so many of them, and a receipt for every second checkpoint.
func newHall(t testing.TB, n, every int) *hall {
	t.Helper()
	start, key, s := begun(t)
	h := &hall{start: start, key: key, state: s, box: newKey(t), centre: newKey(t)}
	for i := range n {
		h.entries = append(h.entries, appended(t, s, entry(uint64(i+1))))
		if (i+1)%every == 0 {
			h.check(t)
			if len(h.checkpoints)%2 == 0 {
				h.receive(t)
			}
		}
	}
	return h
}

// interval draws how many entries there are between two checkpoints of n entries, so that there are up to a few: signatures take time.
func interval(rt *rapid.T, n int) int {
	return max(1, n/rapid.IntRange(1, 8).Draw(rt, "checkpoints"))
}

func (h *hall) check(t testing.TB) {
	t.Helper()
	c, err := h.state.Checkpoint(noon).Sign(h.box)
	if err != nil {
		t.Fatal(err)
	}
	h.checkpoints = append(h.checkpoints, c)
}

func (h *hall) receive(t testing.TB) {
	t.Helper()
	r, err := chain.Receive(h.state.Point(), noon, h.centre)
	if err != nil {
		t.Fatal(err)
	}
	h.receipts = append(h.receipts, r)
}

// log gives what the centre verifies; without the key and with the state's word, what the box does.
func (h *hall) log(centre bool) chain.Log {
	l := chain.Log{
		From: h.start.Point(), Entries: each(h.entries), Checkpoints: h.checkpoints, Signers: []gm.PublicKey{h.box.Public()},
		Receipts: h.receipts, Receivers: []gm.PublicKey{h.centre.Public()},
		Ordered: func(e chain.Entry) bool { return e.Erased.Order != "order-2" },
	}
	if centre {
		l.Key = h.key
	} else {
		end := h.state.Point()
		l.End = &end
	}
	return l
}

func each(entries []chain.Stored) iter.Seq2[chain.Stored, error] {
	return func(yield func(chain.Stored, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (h *hall) erase(i int) {
	e := &h.entries[i]
	erased := chain.Erasure{Hash: gm.Sum(e.Body), Order: order}
	e.Body, e.Erased = nil, &erased
}

// relink gives entries from index i on the heads that fit, as somebody without the key can. Their codes stay.
func (h *hall) relink(i int, head chain.Digest) {
	segment := h.start.Point().Segment
	state := append([]byte{'T', 1}, segment[:]...)
	state = append(state, 0, 0, 0, 0, 0, 0, byte(i>>8), byte(i))
	state = append(append(state, head[:]...), bytes.Repeat([]byte{1}, gm.Size)...)
	s, err := chain.ParseState(state)
	if err != nil {
		return
	}
	for ; i < len(h.entries); i++ {
		link, err := s.Append(chain.Entry{Number: uint64(i + 1), Clear: h.entries[i].Clear, Body: h.entries[i].Body})
		if err != nil {
			return
		}
		h.entries[i].Link.Head = link.Head
	}
}

func (h *hall) headBefore(i int) chain.Digest {
	if i == 0 {
		return h.start.Point().Head
	}
	return h.entries[i-1].Link.Head
}

func flip(b []byte, bit int) []byte {
	b = slices.Clone(b)
	b[bit/8%len(b)] ^= 1 << (bit % 8)
	return b
}

// damage is something done to entry i (from 0), of n. It gives what is to be found: the first number and, if more than one, the last.
type damage struct {
	name string
	do   func(h *hall, i, any int) (kind chain.Kind, first, last int)
	key  bool // is seen by who has the key only
}

func damages() []damage {
	at := func(kind chain.Kind, i int) (chain.Kind, int, int) { return kind, i + 1, i + 1 }
	return []damage{
		{name: "body", do: func(h *hall, i, any int) (chain.Kind, int, int) {
			h.entries[i].Body = flip(h.entries[i].Body, any)
			return at(chain.Changed, i)
		}},
		{name: "clear part", do: func(h *hall, i, any int) (chain.Kind, int, int) {
			h.entries[i].Clear = flip(h.entries[i].Clear, any)
			return at(chain.Changed, i)
		}},
		{name: "a byte from one part to the other", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			e := &h.entries[i]
			e.Clear, e.Body = append(slices.Clone(e.Clear), e.Body[0]), e.Body[1:]
			return at(chain.Changed, i)
		}},
		{name: "head", do: func(h *hall, i, any int) (chain.Kind, int, int) {
			h.entries[i].Link.Head = chain.Digest(flip(h.entries[i].Link.Head[:], any))
			return at(chain.Changed, i)
		}},
		{name: "code", key: true, do: func(h *hall, i, any int) (chain.Kind, int, int) {
			h.entries[i].Link.MAC = chain.Digest(flip(h.entries[i].Link.MAC[:], any))
			return at(chain.Rewritten, i)
		}},
		{name: "removed", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			last := i == len(h.entries)-1
			h.entries = slices.Delete(h.entries, i, i+1)
			if last {
				return at(chain.CutOff, i)
			}
			return at(chain.Missing, i)
		}},
		{name: "removed and numbered anew", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			h.entries = slices.Delete(h.entries, i, i+1)
			for j := i; j < len(h.entries); j++ {
				h.entries[j].Number--
			}
			if i == len(h.entries) {
				return at(chain.CutOff, i)
			}
			return at(chain.Changed, i)
		}},
		{name: "inserted", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			e := h.entries[i]
			e.Body = []byte("never written")
			h.entries = slices.Insert(h.entries, i, e)
			return at(chain.Changed, i)
		}},
		{name: "repeated", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			h.entries = slices.Insert(h.entries, i+1, h.entries[i])
			return at(chain.Disordered, i)
		}},
		{name: "inserted and numbered anew", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			e := h.entries[i]
			e.Body = []byte("never written")
			h.entries = slices.Insert(h.entries, i, e)
			for j := i + 1; j < len(h.entries); j++ {
				h.entries[j].Number++
			}
			return at(chain.Changed, i)
		}},
		{name: "tail cut off", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			n := len(h.entries)
			h.entries = h.entries[:i]
			return chain.CutOff, i + 1, n
		}},
		{name: "head cut off", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			n := len(h.entries)
			h.entries = h.entries[i+1:]
			if i == n-1 {
				return chain.CutOff, 1, n
			}
			return chain.Missing, 1, i + 1
		}},
		{name: "erased without an order", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			h.erase(i)
			h.entries[i].Erased.Order = ""
			return at(chain.Unordered, i)
		}},
		{name: "erased by another order", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			h.erase(i)
			h.entries[i].Erased.Order = "order-2"
			return at(chain.Unordered, i)
		}},
		{name: "erased with another hash", do: func(h *hall, i, any int) (chain.Kind, int, int) {
			h.erase(i)
			h.entries[i].Erased.Hash = chain.Digest(flip(h.entries[i].Erased.Hash[:], any))
			return at(chain.Changed, i)
		}},
		{name: "erased and still there", do: func(h *hall, i, _ int) (chain.Kind, int, int) {
			body := h.entries[i].Body
			h.erase(i)
			h.entries[i].Body = body
			return at(chain.Changed, i)
		}},
	}
}

// wrong gives the fault of a log that must have one.
func wrong(t testing.TB, name string, l chain.Log) chain.Fault {
	t.Helper()
	found, err := chain.Verify(l)
	var f *chain.Fault
	if !errors.As(err, &f) {
		t.Fatalf("%s: found %+v, %v", name, found, err)
	}
	if found.At.Number >= max(f.Number, 1) && f.Kind != chain.Disordered { // an entry may be good and come twice
		t.Fatalf("%s: entries up to %d are said to be good, but %v", name, found.At.Number, f)
	}
	return *f
}

// Whatever is done to one entry of any chain, it is found there, by the centre and by the box.
func TestAnySingleChangeIsFoundWhereItIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 500).Draw(rt, "entries")
		h := newHall(t, n, interval(rt, n))
		h.receive(t) // the centre has all of it
		i, bits := rapid.IntRange(0, n-1).Draw(rt, "entry"), rapid.IntRange(0, 1000).Draw(rt, "bit")
		for range rapid.IntRange(0, 3).Draw(rt, "erasures") {
			if j := rapid.IntRange(0, n-1).Draw(rt, "erased"); j != i && h.entries[j].Erased == nil {
				h.erase(j)
			}
		}
		d := rapid.SampledFrom(damages()).Draw(rt, "damage")
		kind, first, last := d.do(h, i, bits)
		want := chain.Fault{Kind: kind, Number: uint64(first), Last: uint64(last)}
		if got := wrong(t, d.name, h.log(true)); got != want {
			rt.Fatalf("%s of %d of %d: the centre finds %v, want %v", d.name, i+1, n, got, want)
		}
		if _, err := chain.Verify(h.log(false)); d.key {
			if err != nil {
				rt.Fatalf("%s: the box finds %v", d.name, err)
			}
			return
		}
		if got := wrong(t, d.name, h.log(false)); got != want {
			rt.Fatalf("%s of %d of %d: the box finds %v, want %v", d.name, i+1, n, got, want)
		}
	})
}

func TestAnySwapIsFoundWhereItIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 500).Draw(rt, "entries")
		h := newHall(t, n, 64)
		i := rapid.IntRange(0, n-2).Draw(rt, "one")
		j := rapid.IntRange(i+1, n-1).Draw(rt, "other")
		want := chain.Fault{Kind: chain.Disordered, Number: uint64(i + 1), Last: uint64(i + 1)}
		e := h.entries
		e[i], e[j] = e[j], e[i]
		if rapid.Bool().Draw(rt, "each in the place of the other") {
			e[i].Number, e[j].Number = e[j].Number, e[i].Number
			want.Kind = chain.Changed
		}
		for _, centre := range []bool{true, false} {
			if got := wrong(t, "swap", h.log(centre)); got != want {
				rt.Fatalf("%d and %d of %d: %v, want %v", i+1, j+1, n, got, want)
			}
		}
	})
}

// Who can write to the disk but has no keys can change an entry and compute all heads behind it. The centre names the entry; the box
// says between which two signatures it lies.
func TestRewrittenPastIsFound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 500).Draw(rt, "entries")
		every := interval(rt, n)
		h := newHall(t, n, every)
		i := rapid.IntRange(0, n-1).Draw(rt, "entry")
		h.entries[i].Body = []byte("never written")
		h.relink(i, h.headBefore(i))
		one := uint64(i + 1)
		if got := wrong(t, "rewritten", h.log(true)); got != (chain.Fault{Kind: chain.Rewritten, Number: one, Last: one}) {
			rt.Fatalf("the centre finds %v, want %d", got, one)
		}
		first := uint64(i/every*every + 1)
		last := min(first+uint64(every)-1, uint64(n))
		if got := wrong(t, "rewritten", h.log(false)); got != (chain.Fault{Kind: chain.Rewritten, Number: first, Last: last}) {
			rt.Fatalf("the box finds %v, want %d to %d", got, first, last)
		}
	})
}

func TestRandomErasuresAreAccepted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 500).Draw(rt, "entries")
		h := newHall(t, n, interval(rt, n))
		h.receive(t)
		erased := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, n, rapid.ID[int]).Draw(rt, "erased")
		for _, i := range erased {
			h.erase(i)
		}
		for _, centre := range []bool{true, false} {
			found, err := chain.Verify(h.log(centre))
			want := chain.Found{At: h.state.Point(), Entries: n, Erased: len(erased), Vouched: uint64(n), Received: uint64(n)}
			if err != nil || found != want {
				rt.Fatalf("found %+v, %v; want %+v", found, err, want)
			}
		}
	})
}

// A box that has dropped what is old, and one that starts, verify from a place that is vouched for.
func TestVerifiesFromAnyPlace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(rt, "entries")
		h := newHall(t, n, 50)
		from := rapid.IntRange(0, n).Draw(rt, "from")
		for _, centre := range []bool{true, false} {
			l := h.log(centre)
			l.From = chain.Point{Segment: l.From.Segment, Number: uint64(from), Head: h.headBefore(from)}
			l.Entries = each(h.entries[from:])
			if centre {
				key, err := h.key.Forward(uint64(from))
				if err != nil {
					rt.Fatal(err)
				}
				l.Key = key
			}
			if found, err := chain.Verify(l); err != nil || found.Entries != n-from || found.At != h.state.Point() {
				rt.Fatalf("from %d of %d: %+v, %v", from, n, found, err)
			}
			l.From.Head[0]++
			if _, err := chain.Verify(l); err == nil && (from < n || !centre) {
				rt.Fatal("a false place to begin is good")
			}
		}
	})
}
