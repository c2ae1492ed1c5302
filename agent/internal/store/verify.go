package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"

	"go.etcd.io/bbolt"

	"halledge/agent/internal/store/seal"
	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/firmware-protocols/hallsync"
)

func isUnknown(err error) bool {
	var unknown *hallsync.UnknownKindError
	return errors.As(err, &unknown)
}

// Stats describes the log.
type Stats struct {
	Epoch     string       `json:"epoch"`
	First     hallsync.Seq `json:"first"`
	Next      hallsync.Seq `json:"next"`
	Delivered hallsync.Seq `json:"delivered"`
	Facts     int          `json:"facts"`
	Bytes     int64        `json:"bytes"`

	Chained  int          `json:"chained"`            // facts that the chain covers
	Erased   int          `json:"erased,omitempty"`   // of which the body is gone, by order
	Received hallsync.Seq `json:"received,omitempty"` // up to here the centre gave a receipt
	Sealed   int          `json:"sealed,omitempty"`   // facts that could not be looked into, because there is no key
}

// EndLost says that the end of the chain, with its key, is gone or cannot be opened.
const EndLost chain.Kind = "end_lost"

// Verify reads the whole log and gives the first thing wrong with it: a *chain.Fault for an entry that is not what was written, or a hole,
// a fact that is not what its key says, or a payload that does not decode. It also runs bbolt's own check of the file, which bears no writer beside it.
// Codes are checked by the segment's first key, if one of those who are given is its holder; signatures, if there are keys to check them by.
func (s *Store) Verify(holders ...gm.PrivateKey) (Stats, error) {
	st := Stats{Epoch: s.Epoch(), Next: s.Next(), Bytes: s.Size()}
	err := s.view(func(tx *bbolt.Tx) error {
		st.Delivered = hallsync.Seq(number(tx.Bucket(bucketCursors).Get([]byte(s.opts.Delivered))))
		if err := s.verifyChain(tx, &st, holders); err != nil {
			return err
		}
		if err := s.walk(tx, &st); err != nil {
			return err
		}
		// bbolt's check runs on a goroutine of its own, where a damaged page would end the program: each page is read here first.
		err := tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(_, _ []byte) error { return nil })
		})
		if err != nil {
			return err
		}
		for err := range tx.Check() {
			return fmt.Errorf("file: %w", err)
		}
		return nil
	})
	return st, err
}

// walk counts the facts of the log and looks at each.
func (s *Store) walk(tx *bbolt.Tx, st *Stats) error {
	ring, err := s.readRing(tx)
	if err != nil {
		return err
	}
	c, last := tx.Bucket(bucketLog).Cursor(), uint64(0)
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if last == 0 {
			st.First = hallsync.Seq(number(k))
		} else if number(k) != last+1 {
			return fmt.Errorf("hole: %d is followed by %d", last, number(k))
		}
		last = number(k)
		_, _, err := s.decode(ring, k, v)
		var sealed *hallsync.SealedError
		var erased *hallsync.ErasedError
		switch {
		case errors.As(err, &sealed) && !s.opts.Keys.on():
			st.Sealed++
		case errors.As(err, &erased):
		case err != nil:
			return err
		}
		st.Facts++
	}
	if last != 0 && hallsync.Seq(last+1) != st.Next {
		return fmt.Errorf("last fact is %d, next sequence is %d", last, st.Next)
	}
	return nil
}

// verifyChain verifies each segment of the chain.
func (s *Store) verifyChain(tx *bbolt.Tx, st *Stats, holders []gm.PrivateKey) error {
	v, err := s.newVerifier(tx)
	if err != nil || v == nil {
		return err
	}
	for i, seg := range v.segments {
		l := v.log(i, v.begin(seg))
		key, err := seg.keyFor(holders)
		if err == nil && !key.IsZero() {
			l.Key, err = key.Forward(l.From.Number + 1 - seg.First)
			key.Forget()
		}
		if err != nil {
			return err
		}
		found, err := verify(l)
		l.Key.Forget()
		st.Chained += found.Entries
		st.Erased += found.Erased
		st.Received = max(st.Received, hallsync.Seq(found.Received))
		if err != nil {
			return err
		}
	}
	if v.endLost {
		last := uint64(st.Next) - 1
		return &chain.Fault{Kind: EndLost, Number: last, Last: last}
	}
	return nil
}

// verify walks a segment twice, the first time without who vouches for it: a checkpoint that was changed is first of all an entry that was.
func verify(l chain.Log) (chain.Found, error) {
	alone := l
	alone.Checkpoints, alone.Receipts = nil, nil
	if found, err := chain.Verify(alone); err != nil {
		return found, err
	}
	return chain.Verify(l)
}

// verifier knows what a file says of its chain.
type verifier struct {
	tx       *bbolt.Tx
	keys     Keys
	segments []segment
	base     uint64 // the last fact that is not held any more, or 0
	end      *chain.Point
	endLost  bool
	receipts []chain.Receipt
	marks    []chain.Checkpoint
	orders   []hallsync.PersonErased
}

// newVerifier is nil for a file without a chain.
func (s *Store) newVerifier(tx *bbolt.Tx) (*verifier, error) {
	segments := tx.Bucket(bucketSegments)
	if segments == nil {
		return nil, nil
	}
	v := &verifier{tx: tx, keys: s.opts.Keys}
	err := segments.ForEach(func(k, raw []byte) error {
		seg, err := parseSegment(raw)
		if err != nil || seg.First != number(k) || s.opts.Hall != "" && seg.Log != string(s.opts.Hall) {
			return &chain.Fault{Kind: chain.Changed, Number: number(k), Last: number(k)}
		}
		v.segments = append(v.segments, seg)
		return nil
	})
	if err != nil || len(v.segments) == 0 {
		return nil, err
	}
	v.base = number(tx.Bucket(bucketMeta).Get(keyNext)) - 1 // all may be gone
	if k, _ := tx.Bucket(bucketLog).Cursor().First(); k != nil {
		v.base = number(k) - 1
	}
	if s.opts.Keys.on() {
		ring, err := s.readRing(tx)
		if err != nil {
			return nil, err
		}
		if t := s.readTrack(tx, ring); t == nil {
			v.endLost = true
		} else {
			at := t.Point()
			v.end = &at
			t.Forget()
		}
	}
	if len(s.opts.Keys.receipts()) > 0 {
		v.readReceipts()
		if r, ok := s.outside(); ok {
			v.receipts = append(v.receipts, r)
		}
	}
	return v, nil
}

// readTrack gives the end of the chain; nil if there is none that can be opened.
func (s *Store) readTrack(tx *bbolt.Tx, ring seal.Ring) *track.Track {
	plain, err := ring.Open(tx.Bucket(bucketMeta).Get(keyTrack), s.about(bucketMeta, keyTrack)...)
	if err != nil {
		return nil
	}
	defer clear(plain)
	t, err := track.Parse(plain)
	if err != nil {
		return nil
	}
	return t
}

func (v *verifier) readReceipts() {
	c := v.tx.Bucket(bucketReceipts).Cursor()
	for k, raw := c.First(); k != nil; k, raw = c.Next() {
		r, err := chain.ParseReceipt(raw)
		if err != nil {
			r.Number = number(k) // which nobody has signed
		}
		v.receipts = append(v.receipts, r)
	}
}

// begin gives the first place of a segment that its facts can be verified from.
func (v *verifier) begin(seg segment) chain.Point {
	at := seg.Point()
	if v.base > at.Number {
		at = v.at(seg, v.base)
	}
	return at
}

// at gives the place behind a fact, by its link.
func (v *verifier) at(seg segment, n uint64) chain.Point {
	raw := v.tx.Bucket(bucketMeta).Get(keyBase)
	if n != v.base {
		_, raw = split(v.tx.Bucket(bucketLog).Get(bytes8(n)))
	}
	link, _ := chain.ParseLink(raw) // one that is none makes the next one wrong
	return chain.Point{Segment: seg.Point().Segment, Number: n, Head: link.Head}
}

// log gives what is known of a segment behind a place.
func (v *verifier) log(i int, from chain.Point) chain.Log {
	last, end := uint64(math.MaxUint64), v.end
	if i+1 < len(v.segments) {
		last, end = v.segments[i+1].First-1, nil
	}
	v.read(from.Number+1, last)
	l := chain.Log{From: from, Entries: v.entries(from.Number+1, last), End: end, Ordered: v.ordered}
	if l.Signers = v.keys.signers(); len(l.Signers) > 0 {
		l.Checkpoints = v.marks
	}
	l.Receivers = v.keys.receipts()
	for _, r := range v.receipts {
		if r.Segment == from.Segment || !r.Signed(l.Receivers...) {
			l.Receipts = append(l.Receipts, r)
		}
	}
	return l
}

// read gathers the checkpoints of a segment and the orders to erase its facts, which may stand in later ones.
func (v *verifier) read(from, last uint64) {
	v.marks, v.orders = nil, nil
	c := v.tx.Bucket(bucketLog).Cursor()
	for k, raw := c.Seek(bytes8(from)); k != nil; k, raw = c.Next() {
		raw, _ := split(raw)
		switch {
		case number(k) <= last && bytes.Contains(raw, []byte(hallsync.KindLogCheckpointed)):
			if f, ok := payloadOf(raw).(hallsync.LogCheckpointed); ok {
				if mark, err := chain.ParseCheckpoint(f.Checkpoint); err == nil && mark.Segment == v.segmentOf(number(k)) {
					v.marks = append(v.marks, mark)
				}
			}
		case bytes.Contains(raw, []byte(hallsync.KindPersonErased)):
			if f, ok := payloadOf(raw).(hallsync.PersonErased); ok {
				v.orders = append(v.orders, f)
			}
		}
	}
}

func (v *verifier) segmentOf(n uint64) (d chain.Digest) {
	for _, seg := range v.segments {
		if seg.First <= n {
			d = seg.Point().Segment
		}
	}
	return d
}

// payloadOf gives what a fact in the clear says, nil if it says nothing that is known.
func payloadOf(raw []byte) hallsync.Payload {
	var e hallsync.Event
	if json.Unmarshal(raw, &e) != nil {
		return nil
	}
	p, err := e.Decode()
	if err != nil {
		return nil
	}
	return p
}

// ordered reports whether an erased fact is among those that its order speaks of.
func (v *verifier) ordered(e chain.Entry) bool {
	for _, o := range v.orders {
		for _, r := range o.Facts {
			if o.Order == e.Erased.Order && uint64(r.From) <= e.Number && e.Number <= uint64(r.To) {
				return true
			}
		}
	}
	return false
}

// entries gives the facts of a segment with their links. A fact that is not written as it was is an entry that cannot fit.
func (v *verifier) entries(from, last uint64) iter.Seq2[chain.Stored, error] {
	return func(yield func(chain.Stored, error) bool) {
		c := v.tx.Bucket(bucketLog).Cursor()
		for k, value := c.Seek(bytes8(from)); k != nil && number(k) <= last; k, value = c.Next() {
			raw, behind := split(value)
			entry := chain.Entry{Number: number(k), Body: raw}
			var e hallsync.Event
			if json.Unmarshal(raw, &e) == nil && uint64(e.Seq) == number(k) {
				if s, err := encode(e); err == nil && bytes.Equal(s.raw, raw) {
					entry = track.Entry(e)
				}
			}
			link, err := chain.ParseLink(behind)
			if err != nil {
				link = chain.Link{}
			}
			if !yield(chain.Stored{Entry: entry, Link: link}, nil) {
				return
			}
		}
	}
}

// resume finds out at a start where the chain goes on, and what is wrong with it since the last receipt: then a new segment begins, which
// names the old one, and ChainFault says what was found.
func (s *Store) resume(tx *bbolt.Tx) {
	s.why, s.known = chain.First, chain.Point{}
	v, err := s.newVerifier(tx)
	out, has := s.outside()
	var fault *chain.Fault
	switch {
	case errors.As(err, &fault):
		s.breakOff(chain.Broken, fault, chain.Point{})
		return
	case v == nil && has:
		s.breakOff(chain.Lost, &chain.Fault{Kind: chain.CutOff, Number: uint64(s.next), Last: max(uint64(s.next), out.Number)}, out.Point)
		return
	case v == nil && s.reset != "":
		s.why = chain.Lost
		return
	case v == nil && s.next > 1:
		s.why = chain.Adopted
		return
	case v == nil:
		return
	}
	i := len(v.segments) - 1
	seg := v.segments[i]
	switch {
	case v.endLost:
		last := uint64(s.next) - 1
		s.breakOff(chain.Broken, &chain.Fault{Kind: EndLost, Number: last, Last: last}, v.at(seg, last))
		return
	case has && !v.knows(out):
		s.breakOff(chain.Restored, &chain.Fault{Kind: chain.CutOff, Number: uint64(s.next), Last: max(uint64(s.next), out.Number)}, out.Point)
		return
	}
	found, err := verify(v.log(i, v.recent(seg)))
	switch {
	case errors.As(err, &fault) && fault.Kind == chain.CutOff && has && out.Segment == seg.Point().Segment:
		s.breakOff(chain.Restored, fault, out.Point)
	case errors.As(err, &fault):
		s.breakOff(chain.Broken, fault, found.At)
	}
}

// breakOff ends the segment that was written to.
func (s *Store) breakOff(why chain.Reason, fault *chain.Fault, old chain.Point) {
	s.track.Forget()
	s.track, s.why, s.known, s.fault = nil, why, old, fault
	s.opts.Log.Error("log is not what was written, a new segment begins", "why", string(why), "fault", fault)
}

// knows reports whether a receipt is for one of the segments that the file knows of.
func (v *verifier) knows(r chain.Receipt) bool {
	for _, seg := range v.segments {
		if r.Segment == seg.Point().Segment || r.Segment == seg.Old.Segment {
			return true
		}
	}
	return bytes.Equal(v.tx.Bucket(bucketMeta).Get(keyLeft), r.Segment[:])
}

// recent gives the last place of a segment that somebody else vouches for, and else the one of the snapshot, which is at most a business
// day old.
func (v *verifier) recent(seg segment) chain.Point {
	at := v.begin(seg)
	known := false
	for _, r := range v.receipts {
		if r.Segment == at.Segment && r.Number >= at.Number && (v.end == nil || r.Number <= v.end.Number) && r.Signed(v.keys.receipts()...) {
			at, known = r.Point, true
		}
	}
	if snap := number(snapshotSeq(v.tx.Bucket(bucketState).Get(keySnapshot))); !known && snap > at.Number && (v.end == nil || snap < v.end.Number) {
		at = v.at(seg, snap)
	}
	return at
}
