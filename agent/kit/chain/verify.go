package chain

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"halledge/agent/kit/gm"
)

// Kind is what is wrong with a chain.
type Kind string

// The kinds of faults.
const (
	Changed          Kind = "changed"           // the entry or its link is not what was written
	Missing          Kind = "missing"           // entries Number to Last are not there
	Disordered       Kind = "out_of_order"      // the entry stands elsewhere, or twice
	CutOff           Kind = "cut_off"           // the log ends before Number, and once went on to Last at least
	Added            Kind = "added"             // there are entries from Number on that the writer does not know
	Rewritten        Kind = "rewritten"         // the entry, or without the key one of Number to Last, was changed and given a fitting head
	Forked           Kind = "forked"            // the writer itself has signed, or was given a receipt for, another one of Number to Last
	ForgedCheckpoint Kind = "forged_checkpoint" // no key of the writer signed the checkpoint at Number
	ForgedReceipt    Kind = "forged_receipt"    // no key of the other side signed the receipt at Number
	OtherSegment     Kind = "other_segment"     // the checkpoint, receipt or end at Number belongs to another segment
	Unordered        Kind = "erased_unordered"  // the entry was erased without an order that is known
)

// Fault is the first thing wrong with a chain.
type Fault struct {
	Kind   Kind
	Number uint64 // of the first entry it concerns
	Last   uint64 // of the last one
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Last > f.Number {
		return fmt.Sprintf("chain: %s: entries %d to %d", f.Kind, f.Number, f.Last)
	}
	return fmt.Sprintf("chain: %s: entry %d", f.Kind, f.Number)
}

// Stored is an entry with its link.
type Stored struct {
	Entry
	Link Link
}

// Log is a segment, or the end of one, and what is known about it. What is not known is left out.
type Log struct {
	From        Point                    // the entries come behind it: a start, or a place that is vouched for
	Key         Key                      // of the first entry behind From; zero: codes are not checked
	Entries     iter.Seq2[Stored, error] // as they lie in the store
	Checkpoints []Checkpoint             // in any order
	Signers     []gm.PublicKey           // the writer's keys, now and before
	Receipts    []Receipt                // in any order
	Receivers   []gm.PublicKey           // the other side's
	End         *Point                   // where the writer says it is
	Ordered     func(Entry) (legal bool) // whether the order an erased entry names is known and speaks of it; nil: no erasure is legal
}

// Found is how far a chain was found good.
type Found struct {
	At       Point // behind the last entry that is good
	Entries  int   // looked at, the erased ones too
	Erased   int
	Vouched  uint64 // up to this number there is a good checkpoint, receipt or end
	Received uint64 // up to this number there is a good receipt
}

// Verify walks a log once, front to back. It fails with *Fault for the first entry that is wrong, and with another error when an entry
// cannot be read. Without the key nobody can tell which entry was rewritten, only between which two checkpoints it lies.
func Verify(l Log) (Found, error) {
	w := walk{log: l, marks: l.marks(), found: Found{At: l.From, Vouched: l.From.Number}, vouched: l.From}
	if !l.Key.IsZero() {
		key := *l.Key.k
		defer clear(key[:])
		w.key = &key
	}
	if f := w.passMarks(); f != nil {
		return w.found, f
	}
	var gap *Fault // entries that are missing, unless they come later
	for e, err := range l.Entries {
		switch {
		case err != nil && gap == nil:
			return w.found, fmt.Errorf("chain: read entry %d: %w", w.found.At.Number+1, err)
		case err != nil:
			return w.found, gap
		case gap != nil && e.Number >= gap.Number && e.Number <= gap.Last:
			return w.found, &Fault{Disordered, gap.Number, gap.Number}
		case gap != nil:
			continue
		case e.Number > w.found.At.Number+1:
			gap = &Fault{Missing, w.found.At.Number + 1, e.Number - 1}
			continue
		}
		if f := w.take(e); f != nil {
			return w.found, f
		}
	}
	if gap != nil {
		return w.found, gap
	}
	if f := w.rest(); f != nil {
		return w.found, f
	}
	return w.found, nil
}

// mark is a place that somebody vouches for, or seems to.
type mark struct {
	Point
	fault    *Fault // nobody does, or for another segment
	received bool
	end      bool // the writer says that it is here
}

// marks gives the places that can be compared with the log, by number.
func (l Log) marks() []mark {
	var all []mark
	add := func(p Point, good, received bool, forged Kind) {
		m := mark{Point: p, received: received}
		switch {
		case !good:
			m.fault = &Fault{forged, p.Number, p.Number}
		case p.Segment != l.From.Segment:
			m.fault = &Fault{OtherSegment, p.Number, p.Number}
		}
		all = append(all, m)
	}
	for _, c := range l.Checkpoints {
		add(c.Point, c.Signed(l.Signers...), false, ForgedCheckpoint)
	}
	for _, r := range l.Receipts {
		add(r.Point, r.Signed(l.Receivers...), true, ForgedReceipt)
	}
	if l.End != nil {
		add(*l.End, true, false, OtherSegment)
		all[len(all)-1].end = true
	}
	slices.SortStableFunc(all, func(a, b mark) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// walk is a verification on its way.
type walk struct {
	log   Log
	marks []mark // those to come
	found Found
	key   *secret // of the next entry; nil: none

	vouched Point // the last good mark
}

// take looks at one entry, which is not behind a gap.
func (w *walk) take(e Stored) *Fault {
	at := &w.found.At
	switch {
	case e.Number != at.Number+1:
		return &Fault{Disordered, e.Number, e.Number}
	case w.log.End != nil && e.Number > w.log.End.Number:
		return &Fault{Added, e.Number, e.Number}
	case e.Erased != nil && len(e.Body) > 0:
		return &Fault{Changed, e.Number, e.Number}
	case e.Erased != nil && (e.Erased.Order == "" || w.log.Ordered == nil || !w.log.Ordered(e.Entry)):
		return &Fault{Unordered, e.Number, e.Number}
	}
	head := e.headBehind(at.Head)
	if head != e.Link.Head {
		return &Fault{Changed, e.Number, e.Number}
	}
	if w.key != nil {
		if mac := w.key.mac(head, e.Number); !gm.Equal(mac[:], e.Link.MAC[:]) {
			return &Fault{Rewritten, e.Number, e.Number}
		}
		w.key.ratchet()
	}
	before := *at
	at.Number, at.Head = e.Number, head
	w.found.Entries++
	if e.Erased != nil {
		w.found.Erased++
	}
	f := w.passMarks()
	switch {
	case f == nil:
	case f.Number < f.Last: // it lies behind the last place that is vouched for
		*at = w.vouched
	default:
		*at = before
	}
	return f
}

// passMarks compares the place the walk has come to with those who vouch for it.
func (w *walk) passMarks() *Fault {
	at := w.found.At
	for ; len(w.marks) > 0 && w.marks[0].Number <= at.Number; w.marks = w.marks[1:] {
		switch m := w.marks[0]; {
		case m.fault != nil:
			return m.fault
		case m.Number < at.Number && m.end: // an older state came back
			return &Fault{CutOff, m.Number + 1, at.Number}
		case m.Number < at.Number: // before the first entry that is here
			continue
		case m.Head == at.Head:
			w.vouched, w.found.Vouched = at, m.Number
			if m.received {
				w.found.Received = m.Number
			}
		case w.key == nil:
			return &Fault{Rewritten, min(w.found.Vouched+1, m.Number), m.Number}
		default:
			return &Fault{Forked, min(w.found.Vouched+1, m.Number), m.Number}
		}
	}
	return nil
}

// rest looks at the marks behind the last entry.
func (w *walk) rest() *Fault {
	var forged *Fault
	end := w.found.At.Number
	for _, m := range w.marks {
		if m.fault == nil {
			end = m.Number
		} else if forged == nil {
			forged = m.fault
		}
	}
	if end > w.found.At.Number {
		return &Fault{CutOff, w.found.At.Number + 1, end}
	}
	return forged
}
