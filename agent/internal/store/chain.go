package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"halledge/agent/internal/store/track"
	"halledge/agent/kit/chain"
	"halledge/agent/kit/gm"
	"halledge/agent/kit/whole"
	"halledge/firmware-protocols/hallsync"
)

// ReceiptName is the file, beside the database, with the centre's last receipt: an older copy of the database does not have it.
const ReceiptName = "hall.receipt"

var (
	bucketSegments = []byte("segments") // SegmentBegun by its first sequence
	bucketReceipts = []byte("receipts") // by the sequence they reach to

	keyTrack = []byte("chain")       // the end of the chain with its key, sealed
	keyBase  = []byte("chain_base")  // the link of the last fact that is not held any more
	keyLeft  = []byte("chain_left")  // the segment of the last receipt when the present one began
	keyFault = []byte("chain_fault") // what was wrong with an earlier segment
)

// receiptsKept is how many receipts the file holds.
const receiptsKept = 4

// signAgain is how long a signer that failed is left alone: a module that is gone must not hold up every command.
const signAgain = time.Minute

// preface writes what has to be there before anything else of a commit.
func (t *Tx) preface() error {
	keys := t.store.opts.Keys
	if !keys.on() {
		return nil
	}
	var err error
	switch {
	case t.track == nil:
		err = errors.Join(t.putFault(), t.beginSegment(t.store.why, t.store.known))
	case t.track.Blind() && len(keys.centre()) > 0:
		err = t.beginSegment(chain.Enrolled, t.track.Point())
	}
	if err == nil && !t.freshKey() {
		err = t.makeKey()
	}
	if err == nil && !t.sealing {
		err = t.adopt()
	}
	return err
}

// putFault stores what was found wrong with a segment before another one begins.
func (t *Tx) putFault() error {
	if t.fault == nil {
		return nil
	}
	raw, err := json.Marshal(t.fault)
	if err != nil {
		return err
	}
	return t.tx.Bucket(bucketMeta).Put(keyFault, raw)
}

// beginSegment begins a segment of the chain with the next fact.
func (t *Tx) beginSegment(why chain.Reason, old chain.Point) error {
	start := chain.Start{
		Log: string(t.store.opts.Hall), Name: t.epoch, First: uint64(t.next), At: t.store.opts.Now().Truncate(time.Millisecond).UTC(), Why: why, Old: old,
	}
	begun, fact, err := track.Begin(start, t.store.opts.Keys.centre())
	if err != nil {
		return err
	}
	t.track.Forget()
	t.track = begun
	raw, err := json.Marshal(fact)
	if err != nil {
		return err
	}
	if out, ok := t.store.outside(); ok {
		if err := t.tx.Bucket(bucketMeta).Put(keyLeft, out.Segment[:]); err != nil {
			return err
		}
	}
	if err := t.tx.Bucket(bucketSegments).Put(bytes8(start.First), raw); err != nil {
		return err
	}
	return t.note(fact)
}

// sealTrack stores the end of the chain, with a checkpoint if it is time for one.
func (t *Tx) sealTrack() error {
	if t.track == nil {
		return nil
	}
	if t.forked {
		if err := errors.Join(t.putFault(), t.beginSegment(chain.Broken, t.track.Point())); err != nil {
			return err
		}
	}
	now := t.store.opts.Now()
	if t.track.Due(now) && now.Sub(t.store.unsigned) >= signAgain {
		fact, err := t.track.Checkpoint(now, t.store.opts.Keys.Signer)
		if err == nil {
			err = t.note(fact)
		} else { // what was decided is stored all the same
			t.store.unsigned, err = now, nil
			t.store.opts.Log.Error("log not signed", "error", err)
		}
		if err != nil {
			return err
		}
	}
	plain := t.track.Bytes()
	defer clear(plain)
	sealed, err := t.ring.Seal(plain, t.store.about(bucketMeta, keyTrack)...)
	if err != nil {
		return err
	}
	t.records++
	meta := t.tx.Bucket(bucketMeta)
	return errors.Join(meta.Put(keyTrack, sealed), meta.Put(keyRecords, bytes8(t.records)))
}

// rebase lets the chain begin behind the last fact that is not held any more.
func (t *Tx) rebase(last uint64, link []byte) error {
	if err := t.tx.Bucket(bucketMeta).Put(keyBase, link); err != nil {
		return err
	}
	var old [][]byte
	segments := t.tx.Bucket(bucketSegments)
	c := segments.Cursor()
	for k, _ := c.First(); k != nil && number(k) <= last+1; k, _ = c.Next() {
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old[:max(0, len(old)-1)] {
		if err := segments.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoints signs the log when facts came and the last checkpoint is old, until ctx ends.
func (s *Store) Checkpoints(ctx context.Context) error {
	tick := time.NewTicker(chain.CheckpointTime / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := s.Checkpoint(ctx); err != nil && ctx.Err() == nil {
				s.opts.Log.Warn("log not signed", "error", err)
			}
		}
	}
}

// Checkpoint signs the log if it is time for it.
func (s *Store) Checkpoint(ctx context.Context) error {
	return s.Update(ctx, func(tx *Tx) error {
		tx.touched = tx.track != nil && tx.track.Due(s.opts.Now())
		return nil
	})
}

// ReceiptError is a receipt that is none, or not for this log.
type ReceiptError struct{ Reason string }

func (e *ReceiptError) Error() string { return "store: receipt " + e.Reason }

// KeepReceipt keeps the centre's receipt for what it has of the log: in the database, and beside it. One of an older segment, or older than
// the last, is passed over. It fails with *ReceiptError for one that nobody signed whom this box knows, and for one of a place where the
// log was never: then the centre has facts that were not written here, and ChainFault says so from now on.
func (s *Store) KeepReceipt(ctx context.Context, raw []byte) error {
	r, err := chain.ParseReceipt(raw)
	switch {
	case !s.opts.Keys.on():
		return nil
	case err != nil:
		return &ReceiptError{"cannot be read"}
	case !r.Signed(s.opts.Keys.receipts()...):
		return &ReceiptError{"is not signed by the centre"}
	}
	kept, forked := false, false
	err = s.Update(ctx, func(tx *Tx) error {
		kept, forked = tx.receive(r)
		return nil
	})
	switch {
	case err != nil:
		return err
	case forked:
		return &ReceiptError{fmt.Sprintf("is for another fact %d than the one here", r.Number)}
	case !kept:
		return nil
	}
	if err := whole.Write(s.receiptFile(), raw); err != nil {
		return wrap("keep receipt", err)
	}
	return nil
}

func (s *Store) receiptFile() string { return filepath.Join(filepath.Dir(s.path), ReceiptName) }

// receive takes a receipt for the segment that is being written.
func (t *Tx) receive(r chain.Receipt) (kept, forked bool) {
	if t.track == nil || r.Segment != t.track.Point().Segment {
		return false, false
	}
	if last, _ := t.tx.Bucket(bucketReceipts).Cursor().Last(); last != nil && number(last) >= r.Number {
		return false, false
	}
	_, raw := split(t.tx.Bucket(bucketLog).Get(bytes8(r.Number)))
	link, err := chain.ParseLink(raw)
	if err != nil && r.Number <= t.track.Point().Number { // not held any more
		return false, false
	}
	if link.Head != r.Head {
		t.fault, t.forked, t.touched = &chain.Fault{Kind: chain.Forked, Number: r.Number, Last: r.Number}, true, true
		return false, true
	}
	t.receipt = &r
	return true, false
}

// keepReceipt stores a receipt in the place of the oldest. With it the centre knows that this segment follows a broken one.
func (t *Tx) keepReceipt() error {
	all := t.tx.Bucket(bucketReceipts)
	if err := all.Put(bytes8(t.receipt.Number), t.receipt.Bytes()); err != nil {
		return err
	}
	n := 0
	c := all.Cursor()
	for k, _ := c.Last(); k != nil; k, _ = c.Prev() {
		if n++; n > receiptsKept {
			if err := all.Delete(k); err != nil {
				return err
			}
			break
		}
	}
	t.fault = nil
	return t.tx.Bucket(bucketMeta).Delete(keyFault)
}

// ChainFault is the first thing that was wrong with the log, nil for nothing. It is told until the centre has given a receipt for the
// segment that began behind it.
func (s *Store) ChainFault() *chain.Fault {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fault
}

// outside gives the receipt beside the database; ok is false for none that can be believed. It says nothing of files of other names.
func (s *Store) outside() (r chain.Receipt, ok bool) {
	if filepath.Base(s.path) != FileName || len(s.opts.Keys.receipts()) == 0 {
		return r, false
	}
	raw, err := os.ReadFile(s.receiptFile())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.opts.Log.Error("receipt not read", "error", err)
		}
		return r, false
	}
	if r, err = chain.ParseReceipt(raw); err != nil || !r.Signed(s.opts.Keys.receipts()...) {
		s.opts.Log.Error("receipt beside the database is not the centre's", "file", s.receiptFile())
		return r, false
	}
	return r, true
}

// A fact of the chain lies with its link behind it, so that no commit writes more pages than without. A fact is JSON, where there is no
// byte 1.
var (
	linkLength = len(chain.Link{}.Bytes())
	linkBegin  = chain.Link{}.Bytes()[:2]
)

// split gives the bytes of a stored fact, and those of its link, nil for one that came before the chain.
func split(value []byte) (raw, link []byte) {
	at := len(value) - linkLength
	if at < 0 || !bytes.HasPrefix(value[at:], linkBegin) {
		return value, nil
	}
	return value[:at], value[at:]
}

// segment is one of the log's segments.
type segment struct {
	chain.Start
	Keys []hallsync.KeyWrap
}

func parseSegment(raw []byte) (s segment, err error) {
	var f hallsync.SegmentBegun
	if err := json.Unmarshal(raw, &f); err != nil {
		return s, err
	}
	s.Keys = f.Keys
	s.Start, err = chain.ParseStart(f.Start)
	return s, err
}

// keyFor gives a segment's first key to one of those it was wrapped for.
func (s segment) keyFor(holders []gm.PrivateKey) (chain.Key, error) {
	for _, h := range holders {
		for _, w := range s.Keys {
			if w.For == h.Public().ID() {
				return chain.UnwrapKey(h, w.Wrapped)
			}
		}
	}
	return chain.Key{}, nil
}
