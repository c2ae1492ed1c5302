// Package sealedtest plays the box of a hall to tests: it writes a log as boxes do, sealed with keys of days, chained, with signed checkpoints.
package sealedtest

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

// Box is a box. Its fields may be changed between facts.
type Box struct {
	T      testing.TB
	Hall   hallsync.HallID
	Epoch  string
	Start  time.Time // each fact is a second later
	Signer gm.PrivateKey
	Centre []gm.PublicKey // keys of the centre that open
	Key    gm.DataKey     // zero: what is written is in the clear
	State  *chain.State   // nil: there is no chain
	Log    []hallsync.Payload
	Raw    []json.RawMessage
	Keys   []hallsync.KeyMade // as a hello tells them
}

// New gives a box that has written nothing.
func New(t testing.TB, centre []gm.PublicKey, hall hallsync.HallID, epoch string, start time.Time) *Box {
	t.Helper()
	signer, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return &Box{T: t, Hall: hall, Epoch: epoch, Start: start, Signer: signer, Centre: centre}
}

// Signers gives the key that the box signs with.
func (b *Box) Signers(hallsync.HallID) []gm.PublicKey { return []gm.PublicKey{b.Signer.Public()} }

// Wraps wraps a key for the centre.
func (b *Box) Wraps(wrap func(gm.PublicKey) ([]byte, error)) []hallsync.KeyWrap {
	b.T.Helper()
	var wraps []hallsync.KeyWrap
	for _, k := range b.Centre {
		w, err := wrap(k)
		if err != nil {
			b.T.Fatal(err)
		}
		wraps = append(wraps, hallsync.KeyWrap{For: k.ID(), Wrapped: w})
	}
	return wraps
}

// Add writes one fact, and gives it as it is sent.
func (b *Box) Add(p hallsync.Payload) json.RawMessage {
	b.T.Helper()
	seq := hallsync.Seq(len(b.Raw) + 1)
	e, err := hallsync.NewEvent(b.Hall, b.Epoch, seq, b.Start.Add(time.Duration(seq)*time.Second), p)
	if err == nil && !b.Key.IsZero() {
		e, err = e.Seal(b.Key)
	}
	if err != nil {
		b.T.Fatal(err)
	}
	if b.State != nil {
		if _, err := b.State.Append(chain.Entry{Number: uint64(seq), Clear: e.Clear(), Body: e.Body()}); err != nil {
			b.T.Fatal(err)
		}
	}
	raw, err := json.Marshal(e)
	if err != nil {
		b.T.Fatal(err)
	}
	b.Log, b.Raw = append(b.Log, p), append(b.Raw, raw)
	return raw
}

// NewKey begins to seal with a new key of a day. An early one the centre cannot open when it comes: it is told in a hello.
func (b *Box) NewKey(day string, early bool) json.RawMessage {
	b.T.Helper()
	key := gm.NewDataKey()
	made := hallsync.KeyMade{Key: key.ID().String(), Day: day, Wraps: b.Wraps(key.Wrap)}
	b.Keys = append(b.Keys, made)
	if early {
		made.Wraps = nil
	}
	raw := b.Add(made)
	b.Key = key
	return raw
}

// Begin begins a segment of the chain.
func (b *Box) Begin(why chain.Reason, old chain.Point) json.RawMessage {
	b.T.Helper()
	key := chain.NewKey()
	first := chain.Start{Log: string(b.Hall), Name: b.Epoch, First: uint64(len(b.Raw) + 1), At: b.Start, Why: why, Old: old, Key: key.ID()}
	wraps := b.Wraps(key.Wrap)
	state, err := chain.Begin(first, key)
	if err != nil {
		b.T.Fatal(err)
	}
	b.State = state
	return b.Add(hallsync.SegmentBegun{Start: first.Bytes(), Keys: wraps})
}

// Checkpoint signs where the chain is.
func (b *Box) Checkpoint() (chain.Checkpoint, json.RawMessage) {
	b.T.Helper()
	c, err := b.State.Checkpoint(b.Start).Sign(b.Signer)
	if err != nil {
		b.T.Fatal(err)
	}
	return c, b.Add(hallsync.LogCheckpointed{Checkpoint: c.Bytes()})
}

// Since gives the facts behind a place in the log.
func (b *Box) Since(seq int) []json.RawMessage { return slices.Clone(b.Raw[seq:]) }

// Batch gives the facts behind a place in the log as one message.
func (b *Box) Batch(since int) []byte {
	b.T.Helper()
	raw, err := json.Marshal(hallsync.Batch{Events: b.Raw[since:]})
	if err != nil {
		b.T.Fatal(err)
	}
	return raw
}
