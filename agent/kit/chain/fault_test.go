package chain_test

import (
	"errors"
	"testing"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
)

func TestCheckpointsAndReceiptsThatAreNone(t *testing.T) {
	const n = 40
	signed := func(h *hall, c chain.Checkpoint, k gm.PrivateKey) chain.Checkpoint {
		c, err := c.Sign(k)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	received := func(p chain.Point, k gm.PrivateKey) chain.Receipt {
		r, err := chain.Receive(p, noon, k)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, c := range map[string]struct {
		do   func(h *hall)
		want chain.Fault
	}{
		"head of a checkpoint": {func(h *hall) { h.checkpoints[1].Head[3]++ }, chain.Fault{Kind: chain.ForgedCheckpoint, Number: 20, Last: 20}},
		"time of a checkpoint": {func(h *hall) { h.checkpoints[1].At = noon.AddDate(0, 0, 1) }, chain.Fault{Kind: chain.ForgedCheckpoint, Number: 20, Last: 20}},
		"number of a checkpoint": {func(h *hall) { h.checkpoints[1].Number = 27 },
			chain.Fault{Kind: chain.ForgedCheckpoint, Number: 27, Last: 27}},
		"number beyond the end": {func(h *hall) { h.checkpoints[1].Number = 1000 }, chain.Fault{Kind: chain.ForgedCheckpoint, Number: 1000, Last: 1000}},
		"checkpoint unsigned":   {func(h *hall) { h.checkpoints[0].Signature = nil }, chain.Fault{Kind: chain.ForgedCheckpoint, Number: 10, Last: 10}},
		"checkpoint of a stranger": {func(h *hall) { h.checkpoints[2] = signed(h, h.checkpoints[2], h.centre) },
			chain.Fault{Kind: chain.ForgedCheckpoint, Number: 30, Last: 30}},
		"receipt of a stranger": {func(h *hall) { h.receipts[0] = received(h.receipts[0].Point, h.box) },
			chain.Fault{Kind: chain.ForgedReceipt, Number: 20, Last: 20}},
		"checkpoint of another segment": {func(h *hall) {
			h.checkpoints[2].Segment[0]++
			h.checkpoints[2] = signed(h, h.checkpoints[2], h.box)
		}, chain.Fault{Kind: chain.OtherSegment, Number: 30, Last: 30}},
		"receipt of another segment": {func(h *hall) {
			p := h.receipts[1].Point
			p.Segment[0]++
			h.receipts[1] = received(p, h.centre)
		}, chain.Fault{Kind: chain.OtherSegment, Number: 40, Last: 40}},
		"cut off behind the last receipt": {func(h *hall) { h.entries = h.entries[:25] }, chain.Fault{Kind: chain.CutOff, Number: 26, Last: n}},
		"cut off, and a forged checkpoint": {func(h *hall) { h.entries, h.checkpoints[3].Head = h.entries[:25], chain.Digest{} },
			chain.Fault{Kind: chain.CutOff, Number: 26, Last: n}},
		"everything gone": {func(h *hall) { h.entries = nil }, chain.Fault{Kind: chain.CutOff, Number: 1, Last: n}},
	} {
		for _, centre := range []bool{true, false} {
			h := newHall(t, n, 10)
			c.do(h)
			if got := wrong(t, name, h.log(centre)); got != c.want {
				t.Errorf("%s: %v, want %v", name, &got, &c.want)
			}
		}
	}
}

// The keys of a box change; what the old ones signed stays good.
func TestOldKeysOfASignerAreKnown(t *testing.T) {
	h := newHall(t, 20, 5)
	old := h.box
	h.box = newKey(t)
	h.entries = append(h.entries, appended(t, h.state, entry(21)))
	h.check(t)
	l := h.log(true)
	if got := wrong(t, "old key unknown", l); got.Kind != chain.ForgedCheckpoint || got.Number != 5 {
		t.Errorf("%v", &got)
	}
	l.Signers = append(l.Signers, old.Public())
	if found, err := chain.Verify(l); err != nil || found.Vouched != 21 || found.Received != 20 {
		t.Errorf("%+v, %v", found, err)
	}
}

// A box that is copied, or goes back to an old image, writes two different pasts, each with good codes and signatures.
func TestForkIsFound(t *testing.T) {
	h := newHall(t, 20, 10)
	copied := h.state.Clone()
	for n := uint64(21); n <= 25; n++ {
		h.entries = append(h.entries, appended(t, h.state, entry(n)))
		e := entry(n)
		e.Body = []byte("of the copy")
		appended(t, copied, e)
	}
	c, err := copied.Checkpoint(noon).Sign(h.box)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t)
	h.checkpoints = append(h.checkpoints, c)
	if got := wrong(t, "fork", h.log(true)); got.Kind != chain.Forked || got.Last != 25 {
		t.Errorf("%v", &got)
	}
	if got := wrong(t, "fork", h.log(false)); got.Kind != chain.Rewritten || got.Last != 25 {
		t.Errorf("%v", &got)
	}
}

// An older image of the disk knows nothing of what was received since.
func TestStateFromBeforeTheReceiptIsFound(t *testing.T) {
	h := newHall(t, 20, 10)
	for _, entries := range [][]chain.Stored{nil, h.entries[15:]} {
		l := h.log(false)
		l.From = h.receipts[0].Point
		l.End = &chain.Point{Segment: l.From.Segment, Number: 15, Head: h.headBefore(15)}
		l.Entries = each(entries)
		found, err := chain.Verify(l)
		var f *chain.Fault
		if !errors.As(err, &f) || *f != (chain.Fault{Kind: chain.CutOff, Number: 16, Last: 20}) || found.At != l.From {
			t.Errorf("%+v, %v", found, err)
		}
	}
}

// A key that was forgotten does not stand for none: then codes would not be looked at.
func TestForgottenKeyChecksNothingAsGood(t *testing.T) {
	h := newHall(t, 3, 2)
	l := h.log(true)
	l.Key.Forget()
	if got := wrong(t, "forgotten", l); got != (chain.Fault{Kind: chain.Rewritten, Number: 1, Last: 1}) {
		t.Errorf("%v", &got)
	}
}

// Entries that somebody adds behind the end have good heads and no good code.
func TestAddedEntriesAreFound(t *testing.T) {
	h := newHall(t, 20, 10)
	h.entries = append(h.entries, chain.Stored{Entry: entry(21)}, chain.Stored{Entry: entry(22)})
	h.relink(20, h.headBefore(20))
	if got := wrong(t, "added", h.log(false)); got != (chain.Fault{Kind: chain.Added, Number: 21, Last: 21}) {
		t.Errorf("%v", &got)
	}
	if got := wrong(t, "added", h.log(true)); got != (chain.Fault{Kind: chain.Rewritten, Number: 21, Last: 21}) {
		t.Errorf("%v", &got)
	}
}

// The first entry that is not in its place is named, and whether what is missing there comes later.
func TestGapsAndDisorderAreToldApart(t *testing.T) {
	for _, c := range []struct {
		order []int
		want  chain.Fault
	}{
		{[]int{1, 5, 6}, chain.Fault{Kind: chain.Missing, Number: 2, Last: 4}},
		{[]int{1, 2, 6, 3, 4, 5}, chain.Fault{Kind: chain.Disordered, Number: 3, Last: 3}},
		{[]int{1, 5, 3, 6}, chain.Fault{Kind: chain.Disordered, Number: 2, Last: 2}},
		{[]int{1, 4, 1, 5, 6}, chain.Fault{Kind: chain.Missing, Number: 2, Last: 3}},
		{[]int{1, 2, 3, 1, 4, 5, 6}, chain.Fault{Kind: chain.Disordered, Number: 1, Last: 1}},
	} {
		h := newHall(t, 6, 3)
		var entries []chain.Stored
		for _, n := range c.order {
			entries = append(entries, h.entries[n-1])
		}
		h.entries = entries
		for _, centre := range []bool{true, false} {
			if got := wrong(t, "order", h.log(centre)); got != c.want {
				t.Errorf("%v: %v, want %v", c.order, &got, &c.want)
			}
		}
	}
}

// Entries of one segment do not pass in another one, though number, body and writer are the same.
func TestSegmentsDoNotMix(t *testing.T) {
	a, b := newHall(t, 10, 5), newHall(t, 10, 5)
	b.entries[4] = a.entries[4]
	if got := wrong(t, "moved", b.log(true)); got != (chain.Fault{Kind: chain.Changed, Number: 5, Last: 5}) {
		t.Errorf("%v", &got)
	}
	a.entries, a.checkpoints, a.receipts = b.entries, nil, nil
	if got := wrong(t, "all of them", a.log(true)); got != (chain.Fault{Kind: chain.Changed, Number: 1, Last: 1}) {
		t.Errorf("%v", &got)
	}
	l := b.log(false)
	end := a.state.Point()
	l.End, l.Entries = &end, each(nil)
	l.Checkpoints, l.Receipts = nil, nil
	if got := wrong(t, "end", l); got != (chain.Fault{Kind: chain.OtherSegment, Number: 10, Last: 10}) {
		t.Errorf("%v", &got)
	}
}

func TestNewSegmentNamesTheOldOne(t *testing.T) {
	old := newHall(t, 10, 5)
	old.entries[6].Body = nil
	found, err := chain.Verify(old.log(true))
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	key := chain.NewKey()
	start := chain.Start{Log: old.start.Log, Name: "epoch-1", First: 11, At: noon, Why: chain.Broken, Old: found.At, Key: key.ID()}
	s, err := chain.Begin(start, key)
	if err != nil {
		t.Fatal(err)
	}
	read, err := chain.ParseStart(start.Bytes())
	if err != nil || !read.Follows(found.At) || read.Point() != s.Point() || read.Old.Number != 6 {
		t.Fatalf("%+v, %v", read, err)
	}
	next := chain.Log{From: read.Point(), Key: key, Entries: each([]chain.Stored{appended(t, s, entry(11))})}
	if found, err := chain.Verify(next); err != nil || found.At != s.Point() {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAnotherKeyFitsNothing(t *testing.T) {
	h := newHall(t, 3, 2)
	l := h.log(true)
	l.Key = chain.NewKey()
	if got := wrong(t, "key", l); got != (chain.Fault{Kind: chain.Rewritten, Number: 1, Last: 1}) {
		t.Errorf("%v", &got)
	}
	for range 2 { // verifying leaves the key as it was
		if _, err := chain.Verify(h.log(true)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEntryThatCannotBeReadIsNoFault(t *testing.T) {
	h := newHall(t, 5, 2)
	broken := errors.New("disk")
	l := h.log(true)
	read := func(entries []chain.Stored) chain.Log {
		l.Entries = func(yield func(chain.Stored, error) bool) {
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			yield(chain.Stored{}, broken)
		}
		return l
	}
	var f *chain.Fault
	if found, err := chain.Verify(read(h.entries[:3])); !errors.Is(err, broken) || errors.As(err, &f) || found.At.Number != 3 {
		t.Errorf("%+v, %v", found, err)
	}
	if got := wrong(t, "gap", read(h.entries[2:4])); got != (chain.Fault{Kind: chain.Missing, Number: 1, Last: 2}) {
		t.Errorf("%v", &got)
	}
}

// Without anybody to ask, or without the name of an order, no erasure is legal.
func TestErasureNeedsItsOrder(t *testing.T) {
	for name, spoil := range map[string]func(*hall, *chain.Log){
		"nobody to ask": func(_ *hall, l *chain.Log) { l.Ordered = nil },
		"no order":      func(h *hall, _ *chain.Log) { h.entries[2].Erased.Order = "" },
		"not of this entry": func(_ *hall, l *chain.Log) {
			l.Ordered = func(e chain.Entry) bool { return e.Number != 3 && e.Erased.Order == order }
		},
	} {
		h := newHall(t, 5, 2)
		h.erase(2)
		l := h.log(true)
		if _, err := chain.Verify(l); err != nil {
			t.Fatal(err)
		}
		spoil(h, &l)
		if got := wrong(t, name, l); got != (chain.Fault{Kind: chain.Unordered, Number: 3, Last: 3}) {
			t.Errorf("%s: %v", name, &got)
		}
	}
}

func TestEmptyChainIsGood(t *testing.T) {
	h := newHall(t, 0, 1)
	for _, centre := range []bool{true, false} {
		if found, err := chain.Verify(h.log(centre)); err != nil || found.At != h.start.Point() {
			t.Errorf("%+v, %v", found, err)
		}
	}
}

func TestFaultsSayWhereTheyAre(t *testing.T) {
	for want, f := range map[string]chain.Fault{
		"chain: missing: entries 3 to 7":      {Kind: chain.Missing, Number: 3, Last: 7},
		"chain: forged_checkpoint: entry 256": {Kind: chain.ForgedCheckpoint, Number: 256, Last: 256},
	} {
		if got := f.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
