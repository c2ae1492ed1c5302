// Package journal verifies what the centre has stored: the halls' logs against their chains, and the audit against its own. It names the first
// entry of each that is wrong.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/cloud/internal/ingest"
	"halledge/cloud/internal/store"
	"halledge/cloud/internal/vault"
	"halledge/firmware-protocols/hallsync"
)

// Auditor verifies. Signers gives the keys that a hall signs its checkpoints with; none: they are not looked at.
type Auditor struct {
	Store   *store.Store
	Vault   *vault.Vault
	Signers func(ctx context.Context, hall hallsync.HallID) ([]gm.PublicKey, error)
}

// Fault is the first thing wrong with a segment of a chain.
type Fault struct {
	Epoch string
	chain.Fault
}

// Result is what was found of a hall's chain.
type Result struct {
	Segments int
	Entries  int // looked at
	Erased   int
	Signed   hallsync.Seq // up to this fact of the last segment the hall has signed
	Faults   []Fault
	Noted    []store.ChainFault // what was found when the facts came
}

// Hall verifies the chains of a hall.
func (a Auditor) Hall(ctx context.Context, hall hallsync.HallID) (Result, error) {
	var r Result
	signers, err := a.Signers(ctx, hall)
	if err != nil {
		return r, fmt.Errorf("verify %s: %w", hall, err)
	}
	if r.Noted, err = a.Store.ChainFaults(ctx, hall); err != nil {
		return r, fmt.Errorf("verify %s: %w", hall, err)
	}
	orders, err := a.Store.Erasures(ctx, hall)
	if err != nil {
		return r, fmt.Errorf("verify %s: %w", hall, err)
	}
	cursors, err := a.Store.Cursors(ctx, hall)
	if err != nil {
		return r, fmt.Errorf("verify %s: %w", hall, err)
	}
	for _, c := range cursors {
		segments, err := a.Store.Segments(ctx, hall, c.Epoch)
		if err != nil {
			return r, fmt.Errorf("verify %s: %w", hall, err)
		}
		for i, g := range segments {
			last := c.Contiguous
			if i+1 < len(segments) {
				last = segments[i+1].First - 1
			}
			w := walk{Auditor: a, ctx: ctx, segment: g, last: last, signers: signers, orders: orders, noted: r.Noted}
			if err := w.run(&r); err != nil {
				return r, fmt.Errorf("verify %s: %w", hall, err)
			}
		}
	}
	return r, nil
}

// walk is the verification of one segment, in pieces: between them facts are gone, or the hall has forked its own chain.
type walk struct {
	Auditor
	ctx     context.Context
	segment store.Segment
	last    hallsync.Seq // of the segment
	signers []gm.PublicKey
	orders  map[string]store.Erasure
	noted   []store.ChainFault

	start  chain.Start
	pieces []piece
	fault  *chain.Fault // found while the pieces were made
}

// piece is a part of a segment without a hole.
type piece struct {
	from        chain.Point
	first, last hallsync.Seq
	checkpoints []chain.Checkpoint
}

const page = 512

func (w *walk) run(r *Result) error {
	r.Segments++
	note := func(f chain.Fault) { r.Faults = append(r.Faults, Fault{Epoch: w.segment.Epoch, Fault: f}) }
	var err error
	if w.start, err = chain.ParseStart(w.segment.Start); err != nil {
		note(chain.Fault{Kind: chain.Changed, Number: uint64(w.segment.First), Last: uint64(w.segment.First)})
		return nil
	}
	if err := w.cut(); err != nil {
		return err
	}
	key, err := w.firstKey()
	if err != nil {
		return err
	}
	defer key.Forget()
	for i, p := range w.pieces {
		l := chain.Log{From: p.from, Entries: w.entries(p), Checkpoints: p.checkpoints, Signers: w.signers, Ordered: w.ordered}
		if l.Key, err = ingest.KeyBehind(key, w.start, p.from); err != nil {
			return err
		}
		defer l.Key.Forget()
		if end, err := chain.ParseCheckpoint(w.segment.Head); err == nil && i == len(w.pieces)-1 && w.fault == nil {
			l.End = &end.Point
		}
		found, err := chain.Verify(l)
		r.Entries, r.Erased, r.Signed = r.Entries+found.Entries, r.Erased+found.Erased, hallsync.Seq(found.Vouched)
		var fault *chain.Fault
		if errors.As(err, &fault) {
			note(*fault)
			return nil
		}
		if err != nil {
			return err
		}
	}
	if w.fault != nil {
		note(*w.fault)
	}
	return nil
}

// cut finds the pieces.
func (w *walk) cut() error {
	var p *piece
	next := w.segment.First
	end := func() {
		if p != nil {
			w.pieces, p = append(w.pieces, *p), nil
		}
	}
	start := w.start.Point()
	p = &piece{from: start, first: w.segment.First}
	err := w.each(w.segment.First, func(e store.Event) (bool, error) {
		var fact hallsync.Event
		readable := json.Unmarshal(e.Body, &fact) == nil && len(fact.Epoch) > 0
		c, is := checkpointOf(fact)
		if e.Seq != next {
			gone, err := w.Store.Gone(w.ctx, e.Hall, e.Epoch, hallsync.Range{From: next, To: e.Seq - 1})
			if err != nil {
				return false, err
			}
			if gone {
				end()
			}
		}
		next = e.Seq + 1
		switch {
		case e.Link == nil && p != nil && !readable: // it never was a fact
			end()
			return true, nil
		case e.Link == nil && p != nil:
			w.fault = &chain.Fault{Kind: chain.Changed, Number: uint64(e.Seq), Last: uint64(e.Seq)}
			end()
			return false, nil
		case e.Link == nil: // behind a hole, before the next checkpoint
			return true, nil
		case p != nil && is && w.forked(e):
			end()
		}
		if p == nil && !is {
			w.fault = &chain.Fault{Kind: chain.Changed, Number: uint64(e.Seq), Last: uint64(e.Seq)}
			return false, nil
		}
		if p == nil {
			p = &piece{from: c.Point, first: e.Seq}
		}
		if is && len(w.signers) > 0 {
			p.checkpoints = append(p.checkpoints, c)
		}
		p.last = e.Seq
		return true, nil
	})
	end()
	return err
}

// forked reports whether the hall was found to have signed another chain with a fact: from there on it is followed.
func (w *walk) forked(e store.Event) bool {
	return slices.ContainsFunc(w.noted, func(f store.ChainFault) bool {
		return f.Epoch == e.Epoch && f.Seq == e.Seq && f.Kind == string(chain.Forked)
	})
}

func checkpointOf(fact hallsync.Event) (chain.Checkpoint, bool) {
	var p hallsync.LogCheckpointed
	if fact.Kind != hallsync.KindLogCheckpointed || json.Unmarshal(fact.Payload, &p) != nil {
		return chain.Checkpoint{}, false
	}
	c, err := chain.ParseCheckpoint(p.Checkpoint)
	return c, err == nil
}

// each hands the facts of the segment from one on to do, until it says no.
func (w *walk) each(from hallsync.Seq, do func(store.Event) (bool, error)) error {
	for after := from - 1; ; {
		events, err := w.Store.Facts(w.ctx, w.segment.Hall, w.segment.Epoch, after, page)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Seq > w.last {
				return nil
			}
			after = e.Seq
			if more, err := do(e); err != nil || !more {
				return err
			}
		}
		if len(events) < page {
			return nil
		}
	}
}

func (w *walk) entries(p piece) func(yield func(chain.Stored, error) bool) {
	return func(yield func(chain.Stored, error) bool) {
		err := w.each(p.first, func(e store.Event) (bool, error) {
			if e.Seq > p.last {
				return false, nil
			}
			return yield(stored(e), nil), nil
		})
		if err != nil {
			yield(chain.Stored{}, err)
		}
	}
}

// stored gives a fact as the chain has it. Bytes that are no fact any more cannot have the hash they had.
func stored(e store.Event) chain.Stored {
	s := chain.Stored{Entry: chain.Entry{Number: uint64(e.Seq), Body: e.Body}}
	var fact hallsync.Event
	if json.Unmarshal(e.Body, &fact) == nil && fact.Hall == e.Hall && fact.Epoch == e.Epoch && fact.Seq == e.Seq && fact.Kind == e.Kind {
		s.Entry = ingest.EntryOf(fact)
	}
	if link, err := chain.ParseLink(e.Link); err == nil {
		s.Link = link
	}
	return s
}

// ordered reports whether an order that somebody has to answer for took a body away.
func (w *walk) ordered(e chain.Entry) bool {
	o, known := w.orders[e.Erased.Order]
	return known && o.Hall == w.segment.Hall
}

// firstKey opens K_0; the zero key when it is not for the centre.
func (w *walk) firstKey() (chain.Key, error) {
	e, found, err := w.Store.Event(w.ctx, w.segment.Hall, w.segment.Epoch, w.segment.First)
	if err != nil || !found {
		return chain.Key{}, err
	}
	var fact hallsync.Event
	var begun hallsync.SegmentBegun
	if json.Unmarshal(e.Body, &fact) != nil || json.Unmarshal(fact.Payload, &begun) != nil {
		return chain.Key{}, nil //nolint:nilerr // noted when it came
	}
	key, err := ingest.FirstKey(w.Vault, begun, w.start)
	if errors.Is(err, chain.ErrKey) { // noted when it came
		return chain.Key{}, nil
	}
	return key, err
}

// Audit verifies the chain of the audit. It fails with *chain.Fault for the first line that is wrong.
func (a Auditor) Audit(ctx context.Context) (chain.Found, error) {
	log, err := a.Store.AuditChain(ctx)
	if err != nil {
		return chain.Found{}, fmt.Errorf("verify audit: %w", err)
	}
	if log.Start.First == 0 {
		return chain.Found{}, nil
	}
	entries := func(yield func(chain.Stored, error) bool) { a.Store.ChainedAudits(ctx, yield) }
	signers := a.Vault.Keys().Sign
	found, err := chain.Verify(chain.Log{From: log.From, Entries: entries, Checkpoints: log.Checkpoints, Signers: signers, End: &log.End})
	switch {
	case err != nil:
		return found, err
	case log.Unchained > 0:
		return found, &chain.Fault{Kind: chain.Added, Number: log.End.Number + 1, Last: log.End.Number + uint64(log.Unchained)}
	case log.From == log.Start.Point():
		return found, nil
	}
	for _, c := range log.Checkpoints { // old lines were dropped: up to a place that was signed
		if c.Point == log.From && c.Signed(signers...) {
			return found, nil
		}
	}
	return found, &chain.Fault{Kind: chain.Missing, Number: log.Start.First, Last: log.From.Number}
}
