package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store"
	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// forger changes what lies in the file, inside the next commit.
type forger struct {
	*store.Store
	forge func(tx *bbolt.Tx)
}

func forged(t *testing.T, dir string, o store.Options) *forger {
	t.Helper()
	f := &forger{forge: func(*bbolt.Tx) {}}
	f.Store, _ = running(t, dir, o.Committing(func(tx *bbolt.Tx) error {
		f.forge(tx)
		return tx.Commit()
	}))
	return f
}

// do forges and gives what Verify says.
func (f *forger) do(t *testing.T, forge func(tx *bbolt.Tx), holders ...gm.PrivateKey) error {
	t.Helper()
	f.forge = forge
	touch(t, f.Store)
	f.forge = func(*bbolt.Tx) {}
	_, err := f.Verify(holders...)
	return err
}

// touch commits something that is no fact.
func touch(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Update(context.Background(), func(tx *store.Tx) error { tx.SetCursor("touch", 1); return nil }); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, tx *bbolt.Tx, bucket string, seq uint64, value []byte) {
	t.Helper()
	if err := tx.Bucket([]byte(bucket)).Put(bytes8(seq), value); err != nil {
		t.Fatal(err)
	}
}

func get(tx *bbolt.Tx, bucket string, seq uint64) []byte {
	return bytes.Clone(tx.Bucket([]byte(bucket)).Get(bytes8(seq)))
}

func wantFault(t *testing.T, err error, kind chain.Kind, n uint64) {
	t.Helper()
	var f *chain.Fault
	if !errors.As(err, &f) || f.Kind != kind || f.Number != n {
		t.Errorf("found %v, want %s at %d", err, kind, n)
	}
}

// Whatever byte of a fact or of its link is changed, the very fact is named.
func TestEveryChangedByteIsNamed(t *testing.T) {
	p, now := owner(t), noon
	f := forged(t, t.TempDir(), p.with(&now))
	if err := appendOne(f.Store, 1); err != nil {
		t.Fatal(err)
	}
	now = now.Add(chain.CheckpointTime)
	if err := appendOne(f.Store, 2); err != nil {
		t.Fatal(err)
	}
	if got := kinds(facts(t, f.Store, 4)); !slices.Equal(got, []hallsync.Kind{hallsync.KindLogCheckpointed}) {
		t.Fatalf("the log ends with %v", got)
	}
	if err := f.do(t, func(*bbolt.Tx) {}, p.centre); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 5; seq++ {
		var good []byte
		f.do(t, func(tx *bbolt.Tx) { good = get(tx, "log", seq) })
		for i := range good { // the last of them are its link
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			err := f.do(t, func(tx *bbolt.Tx) { put(t, tx, "log", seq, bad) }, p.centre)
			var fault *chain.Fault
			if !errors.As(err, &fault) || fault.Number != seq {
				t.Fatalf("byte %d of %d of fact %d: %v", i, len(good), seq, err)
			}
		}
		f.do(t, func(tx *bbolt.Tx) { put(t, tx, "log", seq, good) })
	}
}

func TestForgeriesAreNamed(t *testing.T) {
	p, now := owner(t), noon
	cut := func(t *testing.T, tx *bbolt.Tx) {
		if err := errors.Join(tx.Bucket([]byte("log")).Delete(bytes8(12)),
			tx.Bucket([]byte("meta")).Put([]byte("next_seq"), bytes8(12))); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		forge  func(t *testing.T, tx *bbolt.Tx)
		kind   chain.Kind
		number uint64
	}{
		"a fact that is gone": {func(t *testing.T, tx *bbolt.Tx) {
			if err := tx.Bucket([]byte("log")).Delete(bytes8(7)); err != nil {
				t.Fatal(err)
			}
		}, chain.Missing, 7},
		"two that changed places": {func(t *testing.T, tx *bbolt.Tx) {
			a, b := get(tx, "log", 7), get(tx, "log", 8)
			put(t, tx, "log", 7, b)
			put(t, tx, "log", 8, a)
		}, chain.Changed, 7},
		"a tail that is cut off": {cut, chain.CutOff, 12},
		"an erasure nobody ordered": {func(t *testing.T, tx *bbolt.Tx) {
			var e hallsync.Event
			value := get(tx, "log", 9)
			link := len(value) - len(chain.Link{}.Bytes())
			if err := json.Unmarshal(value[:link], &e); err != nil {
				t.Fatal(err)
			}
			digest := gm.Sum(e.Sealed)
			e.Sealed, e.Erased = nil, &hallsync.Erased{Hash: digest[:], Order: "mine"}
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			put(t, tx, "log", 9, append(raw, value[link:]...))
		}, chain.Unordered, 9},
		"a segment's begin that is another": {func(t *testing.T, tx *bbolt.Tx) {
			put(t, tx, "segments", 1, bytes.Replace(get(tx, "segments", 1), []byte(`"start":"U`), []byte(`"start":"V`), 1))
		}, chain.Changed, 1},
		"an end that is gone": {func(t *testing.T, tx *bbolt.Tx) {
			if err := tx.Bucket([]byte("meta")).Delete([]byte("chain")); err != nil {
				t.Fatal(err)
			}
		}, store.EndLost, 12},
	} {
		t.Run(name, func(t *testing.T) {
			f := forged(t, t.TempDir(), p.with(&now))
			for n := range 10 {
				if err := appendOne(f.Store, n); err != nil {
					t.Fatal(err)
				}
			}
			wantFault(t, f.do(t, func(tx *bbolt.Tx) { c.forge(t, tx) }), c.kind, c.number)
		})
	}
}

// Who writes the past anew, with heads that fit, is found by the box at its own end, and to the very fact by the centre.
func TestAPastWrittenAnewIsFound(t *testing.T) {
	p, now := owner(t), noon
	f := forged(t, t.TempDir(), p.with(&now))
	for n := range 10 {
		if err := appendOne(f.Store, n); err != nil {
			t.Fatal(err)
		}
	}
	all := facts(t, f.Store, 0)
	all[6].Sealed = bytes.Repeat([]byte("x"), len(all[6].Sealed))
	rewrite := func(tx *bbolt.Tx) {
		var begun hallsync.SegmentBegun
		if err := json.Unmarshal(all[0].Payload, &begun); err != nil {
			t.Fatal(err)
		}
		start, err := chain.ParseStart(begun.Start)
		if err != nil {
			t.Fatal(err)
		}
		head := start.Point()
		for _, e := range all { // a head can be reckoned by everybody, a code only with its key
			state, err := chain.ParseState(slices.Concat([]byte("T\x01"), head.Segment[:], bytes8(head.Number), head.Head[:], bytes.Repeat([]byte{7}, gm.Size)))
			if err != nil {
				t.Fatal(err)
			}
			link, err := state.Append(track.Entry(e))
			if err != nil {
				t.Fatal(err)
			}
			if uint64(e.Seq) < 7 { // the codes before it are good ones
				value := get(tx, "log", uint64(e.Seq))
				old, err := chain.ParseLink(value[len(value)-len(link.Bytes()):])
				if err != nil || old.Head != link.Head {
					t.Fatal(err)
				}
				link = old
			}
			raw, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			put(t, tx, "log", uint64(e.Seq), append(raw, link.Bytes()...))
			head = state.Point()
		}
	}
	wantFault(t, f.do(t, rewrite), chain.Rewritten, 1)
	wantFault(t, f.do(t, func(*bbolt.Tx) {}, p.centre), chain.Rewritten, 7)
}

func TestCheckpointsAreSignedInTime(t *testing.T) {
	p, now := owner(t), noon
	s, _ := running(t, t.TempDir(), p.with(&now))
	count := func() (n int) {
		for _, e := range facts(t, s, 0) {
			if e.Kind == hallsync.KindLogCheckpointed {
				n++
				var f hallsync.LogCheckpointed
				if err := json.Unmarshal(e.Payload, &f); err != nil {
					t.Fatal(err)
				}
				mark, err := chain.ParseCheckpoint(f.Checkpoint)
				if err != nil || !mark.Signed(p.keys.Signer.Public()) || mark.Number != uint64(e.Seq)-1 {
					t.Errorf("checkpoint %+v in fact %d: %v", mark, e.Seq, err)
				}
			}
		}
		return n
	}
	check := func(want int) {
		t.Helper()
		if err := s.Checkpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := count(); got != want {
			t.Errorf("%d checkpoints, want %d", got, want)
		}
	}
	check(0)
	for n := range chain.CheckpointEntries - 2 { // the segment and its key are the first two
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	check(1)
	now = now.Add(chain.CheckpointTime)
	check(1) // nothing came
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	check(2)
	if err := appendOne(s, 2); err != nil {
		t.Fatal(err)
	}
	check(2)
	now = now.Add(chain.CheckpointTime)
	check(3)
	if _, err := s.Verify(p.centre); err != nil {
		t.Error(err)
	}
}

// receipt is what the centre says to the last fact of a log.
func (p *people) receiptFor(t *testing.T, s *store.Store) []byte {
	t.Helper()
	all := facts(t, s, 0)
	var at chain.Point
	var state *chain.State
	for _, e := range all { // the centre reckons the heads by itself
		if e.Kind == hallsync.KindSegmentBegun {
			var begun hallsync.SegmentBegun
			if err := json.Unmarshal(e.Payload, &begun); err != nil {
				t.Fatal(err)
			}
			start, err := chain.ParseStart(begun.Start)
			if err != nil {
				t.Fatal(err)
			}
			key, err := chain.UnwrapKey(p.centre, begun.Keys[0].Wrapped)
			if err != nil {
				t.Fatal(err)
			}
			if state, err = chain.Begin(start, key); err != nil {
				t.Fatal(err)
			}
		}
		if state == nil {
			continue
		}
		if _, err := state.Append(track.Entry(e)); err != nil {
			t.Fatal(err)
		}
		at = state.Point()
	}
	r, err := chain.Receive(at, noon, p.receipt)
	if err != nil {
		t.Fatal(err)
	}
	return r.Bytes()
}

// Threat 26: an older copy of the file does not have what the centre gave a receipt for, and says so at its start.
func TestThreat26RestoredImageIsNoticed(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	file := filepath.Join(dir, store.FileName)
	o := p.with(&now)
	s, stop := running(t, dir, o)
	for n := range 5 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, stop = running(t, dir, o)
	for n := range 5 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	receipt := p.receiptFor(t, s)
	if err := s.KeepReceipt(context.Background(), receipt); err != nil {
		t.Fatal(err)
	}
	st, err := s.Verify()
	if err != nil || st.Received != s.Next()-1 {
		t.Errorf("received up to %d of %d, %v", st.Received, s.Next()-1, err)
	}
	last := s.Next() - 1
	stop()
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it is remembered, and no segment begins twice
		s, stop = running(t, dir, o)
		if f := s.ChainFault(); f == nil || f.Kind != chain.CutOff || f.Last != uint64(last) {
			t.Fatalf("fault %v", f)
		}
		all := facts(t, s, 7)
		var begun hallsync.SegmentBegun
		if len(all) != 1 || json.Unmarshal(all[0].Payload, &begun) != nil {
			t.Fatalf("behind the old copy there are %v", kinds(all))
		}
		start, err := chain.ParseStart(begun.Start)
		if err != nil || start.Why != chain.Restored || start.Old.Number != uint64(last) {
			t.Errorf("segment %+v, %v", start, err)
		}
		stop()
	}
	s, _ = running(t, dir, o)
	if err := appendOne(s, 1); err != nil {
		t.Fatalf("the hall does not go on: %v", err)
	}
	if err := s.KeepReceipt(context.Background(), p.receiptFor(t, s)); err != nil || s.ChainFault() != nil {
		t.Errorf("the centre knows of it, and still: %v, %v", s.ChainFault(), err)
	}
}

func TestReceiptsOfOthersAreRefused(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	s, _ := running(t, dir, p.with(&now))
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	good, err := chain.ParseReceipt(p.receiptFor(t, s))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := chain.Receive(good.Point, noon, p.centre) // of a key that gives none
	if err != nil {
		t.Fatal(err)
	}
	other := good.Point
	other.Segment[0]++
	foreign, err := chain.Receive(other, noon, p.receipt)
	if err != nil {
		t.Fatal(err)
	}
	var refused *store.ReceiptError
	for name, raw := range map[string][]byte{"noise": []byte("noise"), "forged": forged.Bytes()} {
		if err := s.KeepReceipt(context.Background(), raw); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.KeepReceipt(context.Background(), foreign.Bytes()); err != nil {
		t.Errorf("one of another segment is passed over, but: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, store.ReceiptName)); err == nil || s.ChainFault() != nil {
		t.Errorf("something was kept, %v", s.ChainFault())
	}
	fork := good.Point
	fork.Head[0]++
	forked, err := chain.Receive(fork, noon, p.receipt)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.KeepReceipt(context.Background(), forked.Bytes()); !errors.As(err, &refused) {
		t.Errorf("forked: %v", err)
	}
	if f := s.ChainFault(); f == nil || f.Kind != chain.Forked || f.Number != good.Number {
		t.Errorf("fault %v", f)
	}
	if got := kinds(facts(t, s, 3)); !slices.Equal(got, []hallsync.Kind{hallsync.KindSegmentBegun}) {
		t.Errorf("behind the fork there are %v", got)
	}
	if _, err := s.Verify(p.centre); err != nil {
		t.Error(err)
	}
}

// What happens to the file while nobody runs is noticed at the start, and the hall goes on in a new segment.
func TestAChangedLogStartsANewSegment(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	o := p.with(&now)
	s, stop := running(t, dir, o)
	for n := range 5 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	file(t, dir, func(bucket func(string) *bbolt.Bucket) {
		fact := bytes.Clone(bucket("log").Get(bytes8(4)))
		fact[len(fact)-60] ^= 1 // of its link
		if err := bucket("log").Put(bytes8(4), fact); err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		s, stop = running(t, dir, o)
		if s.PutAside() != "" {
			t.Fatal("the file was put aside")
		}
		wantFault(t, s.ChainFault(), chain.Changed, 4)
		if got := kinds(facts(t, s, 7)); !slices.Equal(got, []hallsync.Kind{hallsync.KindSegmentBegun}) {
			t.Errorf("behind the fault there are %v", got)
		}
		_, err := s.Verify()
		wantFault(t, err, chain.Changed, 4)
		stop()
	}
	s, _ = running(t, dir, o)
	if err := appendOne(s, 1); err != nil {
		t.Error(err)
	}
}

// Delivered facts go, and the chain of those that stay can be verified, by the box and by the centre.
func TestAChainWhoseBeginIsGone(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	o := p.with(&now)
	o.Retain = time.Hour
	s, stop := running(t, dir, o)
	for n := range 20 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(context.Background(), func(tx *store.Tx) error {
		tx.SetCursor("cloud", 10)
		tx.SetSnapshot([]byte(`{}`))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	touch(t, s)
	st, err := s.Verify(p.centre)
	if err != nil || st.First != 11 || st.Chained != st.Facts {
		t.Errorf("log %+v, %v", st, err)
	}
	now = now.Add(2 * time.Hour)
	if err := s.Update(context.Background(), func(tx *store.Tx) error {
		tx.SetCursor("cloud", s.Next()-1)
		tx.SetSnapshot([]byte(`{}`))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // nothing is left
		if st, err = s.Verify(p.centre); err != nil || st.Facts != 0 {
			t.Errorf("log %+v, %v", st, err)
		}
		stop()
		s, stop = running(t, dir, o)
		if f := s.ChainFault(); f != nil {
			t.Fatal(f)
		}
	}
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	if st, err = s.Verify(p.centre); err != nil || st.Chained != 2 { // the fact and a checkpoint
		t.Errorf("log %+v, %v", st, err)
	}
}

// A new epoch has its own segment and key, seals what was not delivered anew, and names the old end.
func TestANewEpochIsSealedAndChained(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	s, stop := running(t, dir, p.with(&now))
	for n := range 5 {
		if err := appendOne(s, n); err != nil {
			t.Fatal(err)
		}
	}
	old := s.Next() - 1
	if err := s.Update(context.Background(), func(tx *store.Tx) error { tx.SetCursor("cloud", 5); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(context.Background(), func(tx *store.Tx) error { return tx.Renew([]byte(`{"state":2}`)) }); err != nil {
		t.Fatal(err)
	}
	all := facts(t, s, 0)
	var begun hallsync.SegmentBegun
	if len(all) != 4 || json.Unmarshal(all[0].Payload, &begun) != nil || all[1].Kind != hallsync.KindKeyMade || s.Next() != 5 {
		t.Fatalf("the epoch begins with %v, next is %d", kinds(all), s.Next())
	}
	if start, err := chain.ParseStart(begun.Start); err != nil || start.Why != chain.Restored || start.Old.Number != uint64(old) || start.Name != s.Epoch() {
		t.Errorf("segment %+v, %v", start, err)
	}
	for range 2 {
		if _, err := s.Verify(p.centre); err != nil {
			t.Fatal(err)
		}
		stop()
		s, stop = running(t, dir, p.with(&now))
		if f := s.ChainFault(); f != nil || s.PutAside() != "" {
			t.Fatalf("fault %v, aside %q", f, s.PutAside())
		}
	}
}

// What usually follows a restored image: the centre says that it knows better, and the hall begins an epoch. That is one alarm, not two.
func TestANewEpochAfterARestoredImage(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	file := filepath.Join(dir, store.FileName)
	o := p.with(&now)
	_, stop := running(t, dir, o)
	stop()
	old := read(t, file)
	s, stop := running(t, dir, o)
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepReceipt(context.Background(), p.receiptFor(t, s)); err != nil {
		t.Fatal(err)
	}
	stop()
	write(t, file, old)
	s, stop = running(t, dir, o)
	if err := s.Update(context.Background(), func(tx *store.Tx) error { return tx.Renew([]byte(`{}`)) }); err != nil {
		t.Fatal(err)
	}
	next := s.Next()
	stop()
	s, _ = running(t, dir, o)
	if s.Next() != next {
		t.Errorf("another segment began: %v", kinds(facts(t, s, 0)))
	}
	if err := s.KeepReceipt(context.Background(), p.receiptFor(t, s)); err != nil || s.ChainFault() != nil {
		t.Errorf("the centre knows of it, and still: %v, %v", s.ChainFault(), err)
	}
}

// A log that is lost with its file is missed, because of its receipt, and the new one names its end.
func TestALostLogIsMissed(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, file string){
		"taken away": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
		"damaged": func(t *testing.T, file string) { write(t, file, []byte("noise")) },
	} {
		t.Run(name, func(t *testing.T) {
			p, now, dir := owner(t), noon, t.TempDir()
			s, stop := running(t, dir, p.with(&now))
			if err := appendOne(s, 1); err != nil {
				t.Fatal(err)
			}
			if err := s.KeepReceipt(context.Background(), p.receiptFor(t, s)); err != nil {
				t.Fatal(err)
			}
			stop()
			lose(t, filepath.Join(dir, store.FileName))
			for range 2 {
				s, stop = running(t, dir, p.with(&now))
				if f := s.ChainFault(); f == nil || f.Kind != chain.CutOff || f.Last != 3 {
					t.Errorf("fault %v", f)
				}
				var begun hallsync.SegmentBegun
				all := facts(t, s, 0)
				if err := json.Unmarshal(all[0].Payload, &begun); err != nil {
					t.Fatal(err)
				}
				if start, err := chain.ParseStart(begun.Start); err != nil || start.Why != chain.Lost || start.Old.Number != 3 || len(all) != 2 {
					t.Errorf("%d facts, segment %+v, %v", len(all), start, err)
				}
				stop()
			}
		})
	}
}

// A file of a program without keys keeps its facts as they are, and its chain begins behind them.
func TestAFileWithoutKeysIsAdopted(t *testing.T) {
	p, now, dir := owner(t), noon, t.TempDir()
	firstSchema(t, dir, "first")
	s, stop := running(t, dir, p.with(&now))
	all := facts(t, s, 0)
	for _, e := range all[:5] {
		if e.Sealed != nil {
			t.Errorf("fact %d was sealed afterwards", e.Seq)
		}
	}
	var begun hallsync.SegmentBegun
	if err := json.Unmarshal(all[5].Payload, &begun); err != nil || all[5].Kind != hallsync.KindSegmentBegun {
		t.Fatalf("behind them comes %s, %v", all[5].Kind, err)
	}
	if start, err := chain.ParseStart(begun.Start); err != nil || start.Why != chain.Adopted || start.First != 6 {
		t.Errorf("segment %+v, %v", start, err)
	}
	if err := appendOne(s, 1); err != nil {
		t.Fatal(err)
	}
	st, err := s.Verify(p.centre)
	if err != nil || st.Facts != 8 || st.Chained != 3 {
		t.Errorf("log %+v, %v", st, err)
	}
	stop()
	s, _ = running(t, dir, p.with(&now))
	if s.ChainFault() != nil || s.PutAside() != "" || s.Next() != 9 {
		t.Errorf("fault %v, aside %q, next %d", s.ChainFault(), s.PutAside(), s.Next())
	}
}
