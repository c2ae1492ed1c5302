// Package track gives the chain of a hall's log as its file keeps it: the end it is written at, and what is told about it.
package track

import (
	"encoding/json"
	"fmt"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// Track is the end of a chain that is being written. A writer clones it for a transaction, and forgets the one that did not come true.
// It is not safe for concurrent use.
type Track struct {
	state *chain.State
	last  chain.Checkpoint // or where the segment began
	blind bool
}

// Begin begins a segment, and gives what is said about it in its first fact. The segment's first key is wrapped for the centre's keys; a
// segment without any is blind: nobody will be able to check its codes. It fails as chain.Begin and chain.Key.Wrap do.
func Begin(s chain.Start, centre []gm.PublicKey) (*Track, hallsync.SegmentBegun, error) {
	key := chain.NewKey()
	defer key.Forget()
	s.Key = key.ID()
	begun := hallsync.SegmentBegun{Start: s.Bytes()}
	for _, c := range centre {
		wrapped, err := key.Wrap(c)
		if err != nil {
			return nil, begun, fmt.Errorf("wrap chain key: %w", err)
		}
		begun.Keys = append(begun.Keys, hallsync.KeyWrap{For: c.ID(), Wrapped: wrapped})
	}
	state, err := chain.Begin(s, key)
	if err != nil {
		return nil, begun, err
	}
	return &Track{state: state, last: chain.Checkpoint{Point: s.Point(), At: s.At}, blind: len(centre) == 0}, begun, nil
}

// Entry gives a fact as an entry of the chain.
func Entry(e hallsync.Event) chain.Entry {
	entry := chain.Entry{Number: uint64(e.Seq), Clear: e.Clear(), Body: e.Body()}
	if e.Erased != nil {
		erased := &chain.Erasure{Order: e.Erased.Order}
		copy(erased.Hash[:], e.Erased.Hash)
		entry.Erased = erased
	}
	return entry
}

// Append adds a fact, as it is stored. It fails as chain.State.Append does.
func (t *Track) Append(e hallsync.Event) (chain.Link, error) { return t.state.Append(Entry(e)) }

// Point is the place behind the last fact.
func (t *Track) Point() chain.Point { return t.state.Point() }

// Blind reports whether nobody but the box knew the segment's first key.
func (t *Track) Blind() bool { return t.blind }

// Due reports whether it is time for another checkpoint.
func (t *Track) Due(now time.Time) bool { return t.last.Due(t.state.Point(), now) }

// Checkpoint signs the place the chain is at. It fails as gm.PrivateKey.Sign does.
func (t *Track) Checkpoint(now time.Time, signer gm.PrivateKey) (hallsync.LogCheckpointed, error) {
	c, err := t.state.Checkpoint(now).Sign(signer)
	if err != nil {
		return hallsync.LogCheckpointed{}, fmt.Errorf("sign checkpoint: %w", err)
	}
	t.last = c
	return hallsync.LogCheckpointed{Checkpoint: c.Bytes()}, nil
}

// Clone gives a track that goes its own way.
func (t *Track) Clone() *Track {
	if t == nil {
		return nil
	}
	c := *t
	c.state = t.state.Clone()
	return &c
}

// Forget overwrites the key: nothing can be appended afterwards.
func (t *Track) Forget() {
	if t != nil {
		t.state.Forget()
	}
}

// stored is a track as it lies in its file, sealed.
type stored struct {
	State []byte `json:"state"`
	Last  []byte `json:"last"`
	Blind bool   `json:"blind"`
}

// Bytes gives the track with its key. Whoever stores it seals it first, and clears the bytes.
func (t *Track) Bytes() []byte {
	state := t.state.Bytes()
	defer clear(state)
	raw, _ := json.Marshal(stored{state, t.last.Bytes(), t.blind}) // bytes can be written
	return raw
}

// Parse reads a track. It fails with chain.ErrForm.
func Parse(raw []byte) (*Track, error) {
	var s stored
	if json.Unmarshal(raw, &s) != nil {
		return nil, chain.ErrForm
	}
	defer clear(s.State)
	state, err := chain.ParseState(s.State)
	if err != nil {
		return nil, err
	}
	last, err := chain.ParseCheckpoint(s.Last)
	if err != nil {
		return nil, err
	}
	return &Track{state: state, last: last, blind: s.Blind}, nil
}
