package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/sealed"
	"halledge/cloud/internal/sealed/sealedtest"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// TestSealedGivesTheSame sends a sealed and chained log in any order, with repetitions, restarts of the cloud, and keys that come late, in facts
// of their own and in hellos. In the end the projections are those of the same facts in the clear, and no chain is broken.
func TestSealedGivesTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	st, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	v := openVault(t, filepath.Join(t.TempDir(), "vault"))
	halls := 0
	rapid.Check(t, func(rt *rapid.T) {
		halls++
		id := hallsync.HallID(fmt.Sprintf("4408%011d", halls))
		b := sealedtest.New(t, v.Keys().Open, id, epoch, start)
		b.Begin(chain.First, chain.Point{})
		b.NewKey("2026-11-23", rapid.Bool().Draw(rt, "early"))
		for i, p := range rapid.SliceOfN(rapid.Custom(anyPayload), 20, 30).Draw(rt, "log") {
			if i == 12 {
				b.NewKey("2026-11-24", rapid.Bool().Draw(rt, "early again"))
			}
			if i%7 == 6 {
				b.Checkpoint()
			}
			b.Add(p)
		}
		r := &arrival{rt: rt, t: t, st: st, vault: v, signers: b.Signers, hall: id, arrived: map[hallsync.Seq]bool{}, log: b.Log, raw: b.Raw, keys: b.Keys}
		r.in = withVault(st, v, r.signers)
		r.run(path)
		st = r.st
		r.late = true
		r.hello()
		r.check(rt)
		unread, err := st.Unread(t.Context(), id)
		faults, err2 := st.ChainFaults(t.Context(), id)
		if err != nil || err2 != nil || unread != 0 || len(faults) != 0 {
			rt.Fatalf("%d facts unread, faults %v, %v, %v", unread, faults, err, err2)
		}
		segments, err := st.Segments(t.Context(), id, epoch)
		if err != nil || len(segments) != 1 {
			rt.Fatalf("%d segments, %v", len(segments), err)
		}
		if end, err := chain.ParseCheckpoint(segments[0].Head); err != nil || end.Point != b.State.Point() {
			rt.Fatalf("the chain is at %v, the hall's at %v, %v", end.Point, b.State.Point(), err)
		}
	})
}

// sealedHall is a hall that seals, and a centre that opens.
type sealedHall struct {
	*sealedtest.Box
	st *store.Store
	v  *vault.Vault
	in *ingest.Ingester
}

func beginSealed(t *testing.T) *sealedHall {
	t.Helper()
	v := openVault(t, filepath.Join(t.TempDir(), "vault"))
	h := &sealedHall{Box: sealedtest.New(t, v.Keys().Open, hall, epoch, start), st: newStore(t), v: v}
	h.in = withVault(h.st, v, h.Signers)
	return h
}

func (h *sealedHall) faults(t *testing.T) []string {
	t.Helper()
	list, err := h.st.ChainFaults(t.Context(), hall)
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{}
	for _, f := range list {
		kinds = append(kinds, fmt.Sprint(f.Seq, " ", f.Kind))
	}
	return kinds
}

func (h *sealedHall) wantFaults(t *testing.T, want ...string) {
	t.Helper()
	if got := h.faults(t); !slices.Equal(got, want) {
		t.Errorf("faults %q, want %q", got, want)
	}
}

func tickets(t *testing.T, st *store.Store) int {
	t.Helper()
	_, total, err := st.Tickets(t.Context(), store.TicketQuery{Hall: hall, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// A fact whose key has not come is stored, counted, and blocks nothing; what follows is read, and it itself when the key comes.
func TestKeyUnknown(t *testing.T) {
	h := beginSealed(t)
	h.NewKey("2026-11-23", true)
	h.Add(taken(1))
	h.NewKey("2026-11-24", false)
	h.Add(taken(2))
	ack := send(t, h.in, h.Raw...)
	if ack.UpTo != 4 || ack.Rejected != nil {
		t.Fatalf("ack %+v", ack)
	}
	if n := tickets(t, h.st); n != 1 {
		t.Errorf("%d tickets before the key", n)
	}
	if n, err := h.st.Unread(t.Context(), hall); n != 1 || err != nil {
		t.Errorf("%d facts unread, %v", n, err)
	}
	told := hallsync.Hello{Hall: hall, Epoch: epoch, First: 1, Next: 5, Keys: h.Keys, ClockMS: start.UnixMilli()}
	if _, err := h.in.Hello(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	pay(t, h.in)
	if n := tickets(t, h.st); n != 2 {
		t.Errorf("%d tickets after the key", n)
	}
	if n, err := h.st.Unread(t.Context(), hall); n != 0 || err != nil {
		t.Errorf("%d facts unread after the key, %v", n, err)
	}
}

// What is sealed and does not open under the key that it names is refused by name, and its bytes are kept.
func TestUnsealable(t *testing.T) {
	h := beginSealed(t)
	h.NewKey("2026-11-23", false)
	raw := h.Add(taken(1))
	var e hallsync.Event
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	e.Sealed[len(e.Sealed)-1] ^= 1
	changed := encode(t, e)
	ack := send(t, h.in, h.Raw[0], changed)
	if len(ack.Rejected) != 1 || ack.Rejected[0] != (hallsync.Rejection{Seq: 2, Code: ingest.FactUnsealable}) {
		t.Fatalf("rejected %+v", ack.Rejected)
	}
	if again := send(t, h.in, changed); len(again.Rejected) != 1 {
		t.Errorf("the second time %+v", again.Rejected)
	}
	kept, found, err := h.st.Event(t.Context(), hall, epoch, 2)
	if err != nil || !found || string(kept.Body) != string(changed) || kept.Refused != ingest.FactUnsealable {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

// A record of another hall, or of another place in the log, does not open here.
func TestRecordsStayWhereTheyBelong(t *testing.T) {
	h := beginSealed(t)
	h.NewKey("2026-11-23", false)
	h.Add(taken(1))
	var e hallsync.Event
	if err := json.Unmarshal(h.Raw[1], &e); err != nil {
		t.Fatal(err)
	}
	e.Seq = 3
	if ack := send(t, h.in, h.Raw[0], h.Raw[1], encode(t, e)); len(ack.Rejected) != 1 || ack.Rejected[0].Seq != 3 {
		t.Errorf("rejected %+v", ack.Rejected)
	}
}

// Who has begun to seal does not go back, whatever the order in which the facts come.
func TestUnsealedIsRefused(t *testing.T) {
	h := beginSealed(t)
	before := h.Add(taken(1))
	h.NewKey("2026-11-23", false)
	h.Add(taken(2))
	h.Key = gm.DataKey{}
	clear := h.Add(taken(3))
	first := send(t, h.in, clear)
	if first.Rejected != nil {
		t.Fatalf("above a gap %+v", first.Rejected)
	}
	ack := send(t, h.in, before, h.Raw[1], h.Raw[2])
	if len(ack.Rejected) != 1 || ack.Rejected[0] != (hallsync.Rejection{Seq: 4, Code: ingest.FactUnsealed}) {
		t.Errorf("rejected %+v", ack.Rejected)
	}
	if n := tickets(t, h.st); n != 2 {
		t.Errorf("%d tickets", n)
	}
}

// A key that a hall tells is one: its name fits, and the centre can open it.
func TestKeysThatAreNone(t *testing.T) {
	h := beginSealed(t)
	other, err := gm.NewDataKey().Wrap(h.Centre[0])
	if err != nil {
		t.Fatal(err)
	}
	good := gm.NewDataKey()
	wraps := h.Wraps(good.Wrap)
	broken := []hallsync.KeyWrap{{For: wraps[0].For, Wrapped: slices.Clone(wraps[0].Wrapped)}}
	broken[0].Wrapped[20] ^= 1
	for name, made := range map[string]hallsync.KeyMade{
		"another key": {Key: good.ID().String(), Day: "2026-11-23", Wraps: []hallsync.KeyWrap{{For: wraps[0].For, Wrapped: other}}},
		"broken":      {Key: good.ID().String(), Day: "2026-11-23", Wraps: broken},
		"no day":      {Key: good.ID().String(), Day: "soon", Wraps: wraps},
	} {
		if ack := send(t, h.in, h.Add(made)); len(ack.Rejected) != 1 || ack.Rejected[0].Code != ingest.FactPayload {
			t.Errorf("%s: %+v", name, ack.Rejected)
		}
	}
}

// The centre comes to the hall's heads by itself, and gives a receipt for a checkpoint that is good, and again to a hall that comes back.
func TestReceipt(t *testing.T) {
	h := beginSealed(t)
	h.Begin(chain.First, chain.Point{})
	h.NewKey("2026-11-23", false)
	h.Add(taken(1))
	if ack := send(t, h.in, h.Raw...); ack.Receipt != nil {
		t.Error("a receipt without a checkpoint")
	}
	c, raw := h.Checkpoint()
	ack := send(t, h.in, raw)
	r, err := chain.ParseReceipt(ack.Receipt)
	if err != nil || r.Point != c.Point || !r.Signed(h.v.Keys().Sign...) {
		t.Fatalf("receipt %v, %v", r, err)
	}
	back := hello(t, h.in, epoch, 1, 5)
	if r, err := chain.ParseReceipt(back.Receipt); err != nil || r.Point != c.Point {
		t.Errorf("after a hello %v, %v", r, err)
	}
	h.wantFaults(t)
}

// Threat 26: what the chain does not carry is named when it comes, and gets no receipt.
func TestThreat26BrokenChainsAreNamed(t *testing.T) {
	tests := map[string]struct {
		play func(t *testing.T, h *sealedHall)
		want []string
	}{
		"a fact was changed on the way": {func(t *testing.T, h *sealedHall) {
			var e hallsync.Event
			if err := json.Unmarshal(h.Raw[2], &e); err != nil {
				t.Fatal(err)
			}
			e.At = e.At.Add(1)
			h.Raw[2] = encode(t, e)
			h.Checkpoint()
		}, []string{"4 forked"}},
		"somebody else signed": {func(t *testing.T, h *sealedHall) {
			signer, err := gm.GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			own := h.Signer
			h.Signer = signer
			h.Checkpoint()
			h.Signer = own
		}, []string{"4 forged_checkpoint"}},
		"a new segment that knows no old one": {func(t *testing.T, h *sealedHall) { h.Begin(chain.Lost, chain.Point{}) }, []string{"4 segment_lost"}},
		"the end was cut off": {func(t *testing.T, h *sealedHall) {
			old := h.State.Point()
			old.Number--
			h.Begin(chain.Restored, old)
		}, []string{"4 cut_off"}},
		"a checkpoint of another segment": {func(t *testing.T, h *sealedHall) {
			c, err := h.State.Checkpoint(start).Sign(h.Signer)
			if err != nil {
				t.Fatal(err)
			}
			h.Begin(chain.Broken, h.State.Point())
			h.Add(hallsync.LogCheckpointed{Checkpoint: c.Bytes()})
		}, []string{"4 segment_broken", "5 other_segment"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := beginSealed(t)
			h.Begin(chain.First, chain.Point{})
			h.NewKey("2026-11-23", false)
			h.Add(taken(1))
			tt.play(t, h)
			ack := send(t, h.in, h.Raw...)
			if ack.Receipt != nil {
				t.Error("a receipt for it")
			}
			h.wantFaults(t, tt.want...)
			_, raw := h.Checkpoint() // the chain goes on
			if ack := send(t, h.in, raw); ack.Receipt == nil {
				t.Error("no receipt for the next good checkpoint")
			}
			h.wantFaults(t, tt.want...)
		})
	}
}

// Facts that are gone leave a gap; behind it the chain goes on at the next checkpoint.
func TestChainBehindAGap(t *testing.T) {
	h := beginSealed(t)
	h.Begin(chain.First, chain.Point{})
	h.NewKey("2026-11-23", false)
	send(t, h.in, h.Raw...)
	for n := range 4 {
		h.Add(taken(n))
	}
	_, _ = h.Checkpoint()
	h.Add(taken(9))
	hello(t, h.in, epoch, 5, hallsync.Seq(len(h.Raw)+1))
	if ack := send(t, h.in, h.Since(4)...); ack.UpTo != hallsync.Seq(len(h.Raw)) {
		t.Fatalf("ack %+v", ack)
	}
	_, raw := h.Checkpoint()
	if ack := send(t, h.in, raw); ack.Receipt == nil {
		t.Error("no receipt behind the gap")
	}
	h.wantFaults(t)
}

// A hall says itself how large a hole is: what it signs far behind one keeps nobody waiting. The chain goes on there by its heads alone.
func TestThreat31AHoleKeepsNobodyWaiting(t *testing.T) {
	h := beginSealed(t)
	h.Begin(chain.First, chain.Point{})
	send(t, h.in, h.Raw...)
	beyond := hallsync.Seq(1)<<30 + 9 // no key goes so far, and up to there it is half an hour's way
	hello(t, h.in, epoch, beyond, beyond+3)
	at := h.State.Point()
	for n := range hallsync.Seq(3) { // of which two contradict the chain
		at.Number = uint64(beyond+n) - 1
		c, err := chain.Checkpoint{Point: at, At: start}.Sign(h.Signer)
		if err != nil {
			t.Fatal(err)
		}
		e, err := hallsync.NewEvent(hall, epoch, beyond+n, start, hallsync.LogCheckpointed{Checkpoint: c.Bytes()})
		if err != nil {
			t.Fatal(err)
		}
		if ack := send(t, h.in, encode(t, e)); ack.UpTo != beyond+n {
			t.Fatalf("ack %+v", ack)
		}
		stored, _, err := h.st.Event(t.Context(), hall, epoch, beyond+n)
		if err != nil {
			t.Fatal(err)
		}
		if link, err := chain.ParseLink(stored.Link); err != nil || link.Head == (chain.Digest{}) || link.MAC != (chain.Digest{}) {
			t.Errorf("link of %d: %+v, %v", beyond+n, link, err)
		}
	}
	h.wantFaults(t, fmt.Sprint(uint64(beyond+1), " forked"), fmt.Sprint(uint64(beyond+2), " forked"))
}

// A fact that the hall has erased meanwhile and sends again is the one that is stored.
func TestErasedTwin(t *testing.T) {
	h := beginSealed(t)
	h.NewKey("2026-11-23", false)
	h.Add(taken(1))
	send(t, h.in, h.Raw...)
	var e hallsync.Event
	if err := json.Unmarshal(h.Raw[1], &e); err != nil {
		t.Fatal(err)
	}
	hash := gm.Sum(e.Body())
	e.Sealed, e.Erased = nil, &hallsync.Erased{Hash: hash[:], Order: "o"}
	if ack := send(t, h.in, encode(t, e)); ack.EpochStale {
		t.Error("taken for another fact")
	}
	e.Erased.Hash[0] ^= 1
	if ack := send(t, h.in, encode(t, e)); !ack.EpochStale {
		t.Error("another fact taken for it")
	}
}

// A hello tells the keys of two years each time: those that are known are not opened again.
func TestKnownKeysOfHellosAreNotOpened(t *testing.T) {
	h := beginSealed(t)
	h.NewKey("2026-11-23", false)
	send(t, h.in, h.Raw...)
	var log bytes.Buffer
	in := ingest.New(ingest.Options{
		Store: h.st, Vault: h.v, Opener: sealed.New(h.v), Changed: func(hallsync.HallID, ingest.Touched) {}, Metrics: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	greet := func(made hallsync.KeyMade) {
		t.Helper()
		told := hallsync.Hello{Hall: hall, Epoch: epoch, First: 1, Next: 2, Keys: []hallsync.KeyMade{made}}
		if _, err := in.Hello(t.Context(), told); err != nil {
			t.Fatal(err)
		}
	}
	broken := h.Keys[0]
	broken.Wraps = []hallsync.KeyWrap{{For: broken.Wraps[0].For, Wrapped: []byte{1}}} // who opens it says so
	greet(broken)
	if log.Len() != 0 {
		t.Errorf("a known key: %s", &log)
	}
	broken.Key = gm.NewDataKey().ID().String()
	greet(broken)
	if !strings.Contains(log.String(), "left out") {
		t.Errorf("one that is not known: %s", &log)
	}
}

// What a destroyed key sealed cannot be opened any more, however often its key is told.
func TestDestroyedKeyStaysDestroyed(t *testing.T) {
	h := beginSealed(t)
	h.NewKey("2026-11-23", false)
	h.Add(taken(1))
	send(t, h.in, h.Raw...)
	err := h.st.Write(t.Context(), func(tx *store.Tx) error { return tx.DestroyDataKey(hall, h.Keys[0].Key, start) })
	if err != nil {
		t.Fatal(err)
	}
	told := hallsync.Hello{Hall: hall, Epoch: epoch, First: 1, Next: 3, Keys: h.Keys}
	if _, err := h.in.Hello(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	e, _, err := h.st.Event(t.Context(), hall, epoch, 2)
	if err != nil {
		t.Fatal(err)
	}
	var no *sealed.Error
	if _, err := sealed.New(h.v).Open(e, sealed.From(t.Context(), h.st)); !errors.As(err, &no) || no.Why != sealed.KeyDestroyed {
		t.Errorf("opened: %v", err)
	}
}
