package chain_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
)

var noon = time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC)

func newKey(t testing.TB) gm.PrivateKey {
	t.Helper()
	k, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// begun gives a segment with no entry yet.
func begun(t testing.TB) (chain.Start, chain.Key, *chain.State) {
	t.Helper()
	key := chain.NewKey()
	start := chain.Start{Log: "991101000000001", Name: "epoch-1", First: 1, At: noon, Why: chain.First, Key: key.ID()}
	s, err := chain.Begin(start, key)
	if err != nil {
		t.Fatal(err)
	}
	return start, key, s
}

// entry gives entry n of the tests.
func entry(n uint64) chain.Entry {
	return chain.Entry{Number: n, Clear: fmt.Appendf(nil, `{"seq":%d,"kind":"ticket_called"}`, n), Body: fmt.Appendf(nil, "sealed body of %d", n)}
}

func appended(t testing.TB, s *chain.State, e chain.Entry) chain.Stored {
	t.Helper()
	link, err := s.Append(e)
	if err != nil {
		t.Fatal(err)
	}
	return chain.Stored{Entry: e, Link: link}
}

// The formulas of the package comment, written down once more: whoever verifies with another program needs no more than this.
func TestHeadsAndCodesAreWhatIsWrittenDown(t *testing.T) {
	fields := func(parts ...string) []byte {
		var b []byte
		for _, p := range parts {
			b = append(b, byte(len(p)>>24), byte(len(p)>>16), byte(len(p)>>8), byte(len(p)))
			b = append(b, p...)
		}
		return b
	}
	sum := func(parts ...string) string { d := gm.Sum(fields(parts...)); return string(d[:]) }
	const domain = "hall-edge/chain/1/"
	start, _, s := begun(t)
	state := s.Bytes()
	key := string(state[len(state)-gm.Size:])
	if id := sum(domain+"key", key); id != string(start.Key[:]) {
		t.Errorf("the key's name is %x, want %x", start.Key, id)
	}
	head := sum(domain+"start", string(start.Bytes()))
	if p := start.Point(); string(p.Segment[:]) != head || p.Head != p.Segment || p.Number != 0 || p != s.Point() {
		t.Errorf("begins at %v, want %x", p, head)
	}
	for n := uint64(1); n <= 3; n++ {
		e, num := entry(n), string([]byte{0, 0, 0, 0, 0, 0, 0, byte(n)})
		body := gm.Sum(e.Body)
		head = sum(domain+"head", head, num, sum(domain+"entry", num, string(e.Clear), string(body[:])))
		mac := gm.HMAC([]byte(key), domain+"mac", head, num)
		key = sum(domain+"ratchet", key)
		if l := appended(t, s, e).Link; string(l.Head[:]) != head || l.MAC != chain.Digest(mac) {
			t.Errorf("entry %d: head %v, code %v; want %x and %x", n, l.Head, l.MAC, head, mac)
		}
	}
}

// The layout lasts: what a first release wrote is read, and gives the same heads, for ever.
func TestFirstReleaseIsRead(t *testing.T) {
	start := chain.Start{Log: "991101000000001", Name: "e1", First: 7, At: noon, Why: chain.Broken,
		Old: chain.Point{Segment: chain.Digest{1}, Number: 6, Head: chain.Digest{2}}, Key: chain.Digest{3}}
	p := start.Point()
	const want = "a2c50802a34786c3f96645020a8882c095fa3c9da95534b8a6128a91ac9d8b88"
	if p.Segment.String() != want {
		t.Errorf("segment %v", p.Segment)
	}
	raw := append([]byte{'T', 1}, p.Segment[:]...)
	raw = append(raw, 0, 0, 0, 0, 0, 0, 0, 6)
	raw = append(append(raw, p.Head[:]...), bytes.Repeat([]byte{9}, 32)...)
	s, err := chain.ParseState(raw)
	if err != nil || s.Point() != p || !bytes.Equal(s.Bytes(), raw) {
		t.Fatalf("state at %v, %v", s, err)
	}
	link := hex.EncodeToString(appended(t, s, entry(7)).Link.Bytes())
	const wantLink = "4c0121a0fc7992513357a8d39bcdbec9fec694eda06f101ba1d6d84f8aa12cb2011623cd12232567e137a9d53720ac2468b147b67b76153f9ac09e61b31e4786e560"
	if link != wantLink { // of a key of nines
		t.Errorf("link %s", link)
	}
}

func TestOldKeysAreGone(t *testing.T) {
	_, first, s := begun(t)
	clone := s.Clone()
	var old [][]byte
	for n := uint64(1); n <= 5; n++ {
		b := s.Bytes()
		old = append(old, b[len(b)-gm.Size:])
		appended(t, s, entry(n))
	}
	for i, k := range old {
		if bytes.Contains(s.Bytes(), k) {
			t.Errorf("the key of entry %d is still there", i+1)
		}
	}
	if b := clone.Bytes(); !bytes.Contains(b, old[0]) {
		t.Error("a clone went with the state it was made of")
	}
	later, err := first.Forward(4)
	if err != nil {
		t.Fatal(err)
	}
	b := s.Clone()
	b.Forget()
	first.Forget()
	if k := later.ID(); k == first.ID() || !bytes.Equal(b.Bytes()[len(b.Bytes())-gm.Size:], make([]byte, gm.Size)) {
		t.Error("a forgotten key can be used")
	}
	if _, err := b.Append(entry(6)); !errors.Is(err, chain.ErrKey) {
		t.Errorf("appended with a forgotten key: %v", err)
	}
	if _, err := first.Forward(0); !errors.Is(err, chain.ErrKey) {
		t.Errorf("forward from a forgotten key: %v", err)
	}
	if _, err := first.Wrap(newKey(t).Public()); !errors.Is(err, chain.ErrKey) {
		t.Errorf("wrapped a forgotten key: %v", err)
	}
	if _, err := later.Forward(math.MaxUint64); !errors.Is(err, chain.ErrKey) {
		t.Errorf("a key at the end of time: %v", err)
	}
	if _, err := (chain.Key{}).Forward(1); !errors.Is(err, chain.ErrKey) {
		t.Errorf("a key of none: %v", err)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	_, key, s := begun(t)
	b := s.Bytes()
	secret := b[len(b)-gm.Size:]
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "key", key, "state", s, "value", *s)
	text, err := json.Marshal(map[string]any{"k": key, "s": s, "v": *s})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q", "%d"} {
		shown += fmt.Sprintf(verb+verb+verb, key, s, *s)
	}
	for _, form := range []string{hex.EncodeToString(secret), string(secret), strings.Trim(fmt.Sprintf("%d", secret), "[]"),
		strings.Trim(strings.ReplaceAll(fmt.Sprintf("%d", secret), " ", ","), "[]")} {
		if strings.Contains(shown, form) {
			t.Errorf("the key is in %s", shown)
		}
	}
}

func TestKeyIsWrappedForWhoVerifies(t *testing.T) {
	centre := newKey(t)
	start, key, _ := begun(t)
	wrapped, err := key.Wrap(centre.Public())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := chain.UnwrapKey(centre, wrapped); err != nil || got.ID() != start.Key || got.IsZero() {
		t.Errorf("unwrapped %v, %v", got.ID(), err)
	}
	if _, err := chain.UnwrapKey(newKey(t), wrapped); !errors.Is(err, gm.ErrOpen) {
		t.Errorf("somebody else: %v", err)
	}
	short, err := centre.Public().Wrap(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chain.UnwrapKey(centre, short); !errors.Is(err, gm.ErrOpen) {
		t.Errorf("half a key: %v", err)
	}
	if _, err := (chain.Key{}).Wrap(centre.Public()); !errors.Is(err, chain.ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

func TestBeginRefuses(t *testing.T) {
	good, key, _ := begun(t)
	for name, spoil := range map[string]func(*chain.Start){
		"no log":      func(s *chain.Start) { s.Log = "" },
		"long log":    func(s *chain.Start) { s.Log = strings.Repeat("x", chain.MaxName+1) },
		"long name":   func(s *chain.Start) { s.Name = strings.Repeat("x", chain.MaxName+1) },
		"no reason":   func(s *chain.Start) { s.Why = "" },
		"no number":   func(s *chain.Start) { s.First = 0 },
		"another key": func(s *chain.Start) { s.Key[0]++ },
	} {
		s := good
		spoil(&s)
		if _, err := chain.Begin(s, key); !errors.Is(err, chain.ErrStart) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := chain.Begin(chain.Start{Log: "l", First: 1, Why: chain.First}, chain.Key{}); !errors.Is(err, chain.ErrStart) {
		t.Errorf("no key: %v", err)
	}
}

func TestAppendRefusesWhatIsNotNext(t *testing.T) {
	_, _, s := begun(t)
	erased := chain.Erasure{Hash: gm.Sum([]byte("x")), Order: "order-1"}
	for _, e := range []chain.Entry{entry(0), entry(2), {Number: 1, Erased: &erased}} {
		before := s.Bytes()
		if _, err := s.Append(e); !errors.Is(err, chain.ErrOrder) || !bytes.Equal(s.Bytes(), before) {
			t.Errorf("%d: %v", e.Number, err)
		}
	}
	full := s.Bytes()
	copy(full[2+gm.Size:], bytes.Repeat([]byte{0xff}, 8))
	last, err := chain.ParseState(full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := last.Append(entry(0)); !errors.Is(err, chain.ErrOrder) {
		t.Errorf("behind the last number there is: %v", err)
	}
}

// A change to anything a segment begins with gives another segment.
func TestEveryPartOfAStartCounts(t *testing.T) {
	start, _, _ := begun(t)
	seen := []chain.Point{start.Point()}
	for _, change := range []func(*chain.Start){
		func(s *chain.Start) { s.Log, s.Name = s.Log+s.Name[:1], s.Name[1:] },
		func(s *chain.Start) { s.Name = "epoch-2" },
		func(s *chain.Start) { s.First = 2 },
		func(s *chain.Start) { s.At = s.At.Add(time.Millisecond) },
		func(s *chain.Start) { s.Why = chain.Restored },
		func(s *chain.Start) { s.Old.Segment[31]++ },
		func(s *chain.Start) { s.Old.Number++ },
		func(s *chain.Start) { s.Old.Head[0]++ },
		func(s *chain.Start) { s.Key[0]++ },
	} {
		other := start
		change(&other)
		p := other.Point()
		if slices.ContainsFunc(seen, func(q chain.Point) bool { return q.Segment == p.Segment }) {
			t.Errorf("%+v begins as another one does", other)
		}
		seen = append(seen, p)
	}
	next := start
	next.Old, next.First, next.Why = chain.Point{Segment: start.Point().Segment, Number: 3, Head: chain.Digest{5}}, 4, chain.Broken
	if !next.Follows(next.Old) || next.Follows(start.Point()) {
		t.Error("a segment does not know what it follows")
	}
}

func TestCheckpointsAreDue(t *testing.T) {
	c := chain.Checkpoint{Point: chain.Point{Number: 10}, At: noon}
	for _, at := range []struct {
		segment byte
		number  uint64
		after   time.Duration
		want    bool
	}{
		{0, 10, time.Hour, false},
		{0, 11, time.Hour, false}, // the checkpoint's own entry
		{0, 12, chain.CheckpointTime - 1, false},
		{0, 12, chain.CheckpointTime, true},
		{0, 12, -chain.CheckpointTime, true}, // the clock was set back
		{0, 10 + chain.CheckpointEntries - 1, 0, false},
		{0, 10 + chain.CheckpointEntries, 0, true},
		{1, 10, 0, true}, // another segment has none yet
		{0, 9, 0, true},
	} {
		p := chain.Point{Segment: chain.Digest{at.segment}, Number: at.number}
		if got := c.Due(p, noon.Add(at.after)); got != at.want {
			t.Errorf("%+v: %v", at, got)
		}
	}
}

// A receipt is no checkpoint, and neither of them goes with another signature or another key.
func TestSignaturesAreOfOneThing(t *testing.T) {
	box, centre := newKey(t), newKey(t)
	_, _, s := begun(t)
	c, err := s.Checkpoint(noon).Sign(box)
	if err != nil {
		t.Fatal(err)
	}
	r, err := chain.Receive(s.Point(), noon, box)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Signed(centre.Public(), box.Public()) || !r.Signed(box.Public()) {
		t.Error("a good signature is refused")
	}
	if c.Signed() || c.Signed(centre.Public()) || r.Signed(centre.Public()) {
		t.Error("somebody else's signature is good")
	}
	c.Signature, r.Signature = r.Signature, c.Signature
	if c.Signed(box.Public()) || r.Signed(box.Public()) {
		t.Error("a receipt passes for a checkpoint")
	}
	if _, err := s.Checkpoint(noon).Sign(gm.PrivateKey{}); !errors.Is(err, gm.ErrInvalid) {
		t.Errorf("signed with no key: %v", err)
	}
	if _, err := chain.Receive(s.Point(), noon, gm.PrivateKey{}); !errors.Is(err, gm.ErrInvalid) {
		t.Errorf("signed with no key: %v", err)
	}
}
