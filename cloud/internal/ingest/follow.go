package ingest

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

// Faults of a chain that are not words of package chain.
const (
	faultKey     = "segment_key" // the first key is not the one that the start names
	faultSegment = "segment_"    // and the reason why a new segment began
)

// follower goes along the chain of an epoch, in the transaction in which its facts are projected. It comes to heads by itself, compares them
// with what the hall has signed, and keeps a link beside each fact.
type follower struct {
	in      *Ingester
	tx      *store.Tx
	c       *store.Cursor
	now     time.Time
	segment *store.Segment // nil: none has begun
	state   *chain.State   // nil: the chain cannot go on before the next checkpoint or segment
	moved   bool
	vouched *chain.Point // a checkpoint was found good: there is a receipt for it
	faults  []store.ChainFault

	resumed chain.Key // of the entry behind the place where the chain was resumed last; zero: it was not, or has no codes
	at      uint64    // the number of that place
}

func (in *Ingester) follow(tx *store.Tx, c *store.Cursor, now time.Time) (*follower, error) {
	f := &follower{in: in, tx: tx, c: c, now: now}
	g, found, err := tx.LastSegment(c.Hall, c.Epoch)
	if err != nil || !found {
		return f, err
	}
	f.segment = &g
	if len(g.State) == 0 {
		return f, nil
	}
	raw, err := in.states.open(&g)
	if err != nil {
		return f, err
	}
	defer clear(raw)
	f.state, err = chain.ParseState(raw)
	return f, err
}

// put stores how far the chain is.
func (f *follower) put() error {
	f.resumed.Forget()
	f.resumed = chain.Key{}
	if f.segment == nil || !f.moved {
		return nil
	}
	f.segment.State = nil
	if f.state != nil {
		raw := f.state.Bytes()
		defer clear(raw)
		var err error
		if f.segment.State, err = f.in.states.seal(f.segment, raw); err != nil {
			return err
		}
		f.segment.Head = chain.Checkpoint{Point: f.state.Point()}.Bytes()
		f.state.Forget()
	}
	return f.tx.PutSegment(*f.segment)
}

// fault notes what is wrong.
func (f *follower) fault(seq hallsync.Seq, kind string) error {
	fault := store.ChainFault{Hall: f.c.Hall, Epoch: f.c.Epoch, Seq: seq, Kind: kind, At: f.now}
	added, err := f.tx.AddChainFault(fault)
	if added {
		f.c.Faults++
		f.faults = append(f.faults, fault)
	}
	return err
}

// take goes on by one fact. Facts come without a hole but for those that are gone.
func (f *follower) take(e store.Event, fact hallsync.Event, readable bool) error {
	if !readable {
		if f.state != nil {
			f.state, f.moved = nil, true
			return f.fault(e.Seq, string(chain.Changed))
		}
		return nil
	}
	if f.state != nil && f.state.Point().Number+1 != uint64(e.Seq) { // what is missing is noted as a gap
		f.state, f.moved = nil, true
	}
	if err := f.turn(e, fact); err != nil {
		return err
	}
	if f.state == nil {
		return nil
	}
	link, err := f.state.Copy(EntryOf(fact))
	if err != nil {
		return err
	}
	f.moved = true
	return f.tx.LinkEvent(e.Hall, e.Epoch, e.Seq, link.Bytes())
}

// turn does what a fact about the chain itself asks for.
func (f *follower) turn(e store.Event, fact hallsync.Event) error {
	if !fact.Kind.InClear() {
		return nil
	}
	p, _ := fact.Decode()
	switch p := p.(type) {
	case hallsync.SegmentBegun:
		return f.begin(e, p)
	case hallsync.LogCheckpointed:
		return f.check(e, p)
	}
	return nil
}

// EntryOf gives a fact as the chain has it.
func EntryOf(fact hallsync.Event) chain.Entry {
	entry := chain.Entry{Number: uint64(fact.Seq), Clear: fact.Clear(), Body: fact.Body()}
	if fact.Erased != nil {
		entry.Body, entry.Erased = nil, &chain.Erasure{Order: fact.Erased.Order}
		copy(entry.Erased.Hash[:], fact.Erased.Hash)
	}
	return entry
}

// begin begins a segment with its first fact.
func (f *follower) begin(e store.Event, p hallsync.SegmentBegun) error {
	start, err := chain.ParseStart(p.Start)
	if err != nil || start.Log != string(e.Hall) || start.First != uint64(e.Seq) {
		f.state, f.moved = nil, true
		return f.fault(e.Seq, string(chain.Changed))
	}
	old, err := f.old()
	if err != nil {
		return err
	}
	alone, err := f.wasAlone(start, old)
	if err != nil {
		return err
	}
	if kind := broken(start, old); kind != "" && !alone {
		if err := f.fault(e.Seq, kind); err != nil {
			return err
		}
	}
	if err := f.put(); err != nil { // of the segment that ends
		return err
	}
	key, err := FirstKey(f.in.vault, p, start)
	if errors.Is(err, chain.ErrKey) {
		err = f.fault(e.Seq, faultKey)
	}
	if err != nil {
		return err
	}
	f.segment = &store.Segment{Hall: e.Hall, Epoch: e.Epoch, First: e.Seq, Start: p.Start}
	f.state = chain.Follow(start.Point(), key)
	key.Forget()
	return nil
}

// wasAlone reports whether a segment begins because the hall was enrolled, right behind one whose first key nobody but the hall had.
func (f *follower) wasAlone(start chain.Start, old *chain.Point) (bool, error) {
	if start.Why != chain.Enrolled || old == nil || f.segment == nil || !start.Follows(*old) {
		return false, nil
	}
	before, err := chain.ParseStart(f.segment.Start)
	if err != nil {
		return false, err
	}
	key, err := f.in.keyBehind(f.tx, f.segment, before, before.Point())
	defer key.Forget()
	return key.IsZero(), err
}

// FirstKey opens the first key of a segment; the zero key when it is not for the centre. It fails with chain.ErrKey when it is another one than
// the start names.
func FirstKey(v *vault.Vault, p hallsync.SegmentBegun, start chain.Start) (chain.Key, error) {
	key, err := v.ChainKey(p.Keys)
	switch {
	case errors.Is(err, vault.ErrNoKey):
		return chain.Key{}, nil
	case errors.Is(err, gm.ErrOpen), err == nil && key.ID() != start.Key:
		return chain.Key{}, chain.ErrKey
	}
	return key, err
}

// old gives where the chain before a new segment has come to; nil if there was none.
func (f *follower) old() (*chain.Point, error) {
	if f.state != nil {
		at := f.state.Point()
		return &at, nil
	}
	g := f.segment
	if g == nil {
		cursors, err := f.tx.Cursors(f.c.Hall)
		if err != nil {
			return nil, err
		}
		for _, c := range slices.Backward(cursors) { // the latest epoch before this one that has a chain
			if c.Ordinal >= f.c.Ordinal || g != nil {
				continue
			}
			last, found, err := f.tx.LastSegment(c.Hall, c.Epoch)
			if err != nil {
				return nil, err
			}
			if found {
				g = &last
			}
		}
	}
	if g == nil || len(g.Head) == 0 {
		return nil, nil
	}
	at, err := chain.ParseCheckpoint(g.Head)
	return &at.Point, err
}

// broken names what is wrong with a segment that begins behind another one, empty for nothing.
func broken(s chain.Start, old *chain.Point) string {
	first := s.Why == chain.First || s.Why == chain.Adopted
	switch {
	case old == nil && first:
		return ""
	case old == nil || s.Follows(*old):
		return faultSegment + string(s.Why)
	case s.Old == chain.Point{}:
		return faultSegment + string(s.Why)
	case s.Old.Segment == old.Segment && s.Old.Number < old.Number:
		return string(chain.CutOff)
	case s.Old.Segment == old.Segment && s.Old.Number == old.Number:
		return string(chain.Forked)
	}
	return string(chain.Missing)
}

// check compares a checkpoint with where the chain has come to by itself. A chain that could not go on resumes at a good checkpoint.
func (f *follower) check(e store.Event, p hallsync.LogCheckpointed) error {
	signers := f.in.signers(e.Hall)
	if len(signers) == 0 || f.segment == nil {
		return nil // nobody can say who signed
	}
	start, err := chain.ParseStart(f.segment.Start)
	if err != nil {
		return err
	}
	c, err := chain.ParseCheckpoint(p.Checkpoint)
	switch {
	case err != nil || !c.Signed(signers...):
		return f.fault(e.Seq, string(chain.ForgedCheckpoint))
	case c.Segment != start.Point().Segment:
		return f.fault(e.Seq, string(chain.OtherSegment))
	case f.state != nil && c.Point == f.state.Point():
		f.segment.Vouched, f.vouched, f.moved = p.Checkpoint, &c.Point, true
		return nil
	case f.state != nil || c.Number+1 != uint64(e.Seq):
		if err := f.fault(e.Seq, string(chain.Forked)); err != nil {
			return err
		}
	}
	if c.Number+1 != uint64(e.Seq) {
		return nil
	}
	return f.resume(start, c.Point)
}

// resume goes on at a place that the hall has signed. A hall that signs one place after the other makes nobody go the whole way each time.
func (f *follower) resume(start chain.Start, at chain.Point) error {
	var key chain.Key
	var err error
	switch {
	case far(start, at):
	case !f.resumed.IsZero() && at.Number >= f.at:
		key, err = f.resumed.Forward(at.Number - f.at)
	default:
		key, err = f.in.keyBehind(f.tx, f.segment, start, at)
	}
	if err != nil {
		return err
	}
	f.state, f.moved = chain.Follow(at, key), true
	f.resumed.Forget()
	f.resumed, f.at = key, at.Number
	return nil
}

// keyBehind gives the key of the entry behind a place of a segment; the zero key when nobody knows it.
func (in *Ingester) keyBehind(tx *store.Tx, g *store.Segment, start chain.Start, at chain.Point) (chain.Key, error) {
	e, found, err := tx.Event(g.Hall, store.FactRef{Epoch: g.Epoch, Seq: g.First})
	if err != nil || !found {
		return chain.Key{}, err
	}
	var fact hallsync.Event
	var begun hallsync.SegmentBegun
	if json.Unmarshal(e.Body, &fact) != nil || json.Unmarshal(fact.Payload, &begun) != nil {
		return chain.Key{}, nil
	}
	first, err := FirstKey(in.vault, begun, start)
	if errors.Is(err, chain.ErrKey) {
		return chain.Key{}, nil
	}
	if err != nil {
		return chain.Key{}, err
	}
	defer first.Forget()
	return KeyBehind(first, start, at)
}

// maxBehind bounds the way from the first key of a segment to where its chain goes on behind a hole: it is gone in the transaction that all
// halls wait for, and a hall says itself how large the hole is. Farther on, the chain has heads and no codes; the hall signs the heads.
const maxBehind = 1 << 18

func far(start chain.Start, at chain.Point) bool { return at.Number+1-start.First > maxBehind }

// KeyBehind gives, by the first key of a segment, the key of the entry behind a place at which its chain is resumed; the zero key when there
// is no first one, or when the chain has no codes so far on.
func KeyBehind(first chain.Key, start chain.Start, at chain.Point) (chain.Key, error) {
	if first.IsZero() || far(start, at) {
		return chain.Key{}, nil
	}
	return first.Forward(at.Number + 1 - start.First)
}
