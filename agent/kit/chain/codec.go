package chain

import (
	"encoding/binary"
	"errors"
	"time"
)

// What is stored begins with its kind and the version of its layout. Numbers are big-endian, times are Unix milliseconds, and what has no
// fixed length comes after its length in 4 bytes. There is one form of each value, and nothing follows it.
const (
	kindStart      = 'S'
	kindLink       = 'L'
	kindState      = 'T'
	kindCheckpoint = 'C'
	kindReceipt    = 'R'
	version        = 1
)

// maxSignature is the length in bytes of the longest SM2 signature in DER.
const maxSignature = 72

// ErrForm is all that is said of bytes that are not what they should be.
var ErrForm = errors.New("chain: not in a form this program knows")

// begin begins what is stored, with room for all of it as a rule.
func begin(kind byte) []byte { return append(make([]byte, 0, 160), kind, version) }

// Bytes gives the start as it is stored and sent. Only a start that Begin took can be read again.
func (s Start) Bytes() []byte {
	b := appendField(begin(kindStart), []byte(s.Log))
	b = appendField(b, []byte(s.Name))
	b = binary.BigEndian.AppendUint64(b, s.First)
	b = appendTime(b, s.At)
	b = appendField(b, []byte(s.Why))
	b = appendPoint(b, s.Old)
	return append(b, s.Key[:]...)
}

// ParseStart reads a start. It fails with ErrForm.
func ParseStart(b []byte) (Start, error) {
	r := readerOf(b, kindStart)
	s := Start{Log: r.text(), Name: r.text(), First: r.number(), At: r.time(), Why: Reason(r.text()), Old: r.point(), Key: r.digest()}
	if !r.done() || !s.valid() {
		return Start{}, ErrForm
	}
	return s, nil
}

// Bytes gives the link as it is stored.
func (l Link) Bytes() []byte {
	return append(append(begin(kindLink), l.Head[:]...), l.MAC[:]...)
}

// ParseLink reads a link. It fails with ErrForm.
func ParseLink(b []byte) (Link, error) {
	r := readerOf(b, kindLink)
	l := Link{Head: r.digest(), MAC: r.digest()}
	if !r.done() {
		return Link{}, ErrForm
	}
	return l, nil
}

// Bytes gives the state with its key. Whoever stores it seals it first, and clears the bytes.
func (s *State) Bytes() []byte {
	return append(appendPoint(begin(kindState), s.at), s.next[:]...)
}

// ParseState reads a state. It fails with ErrForm.
func ParseState(b []byte) (*State, error) {
	r := readerOf(b, kindState)
	s := &State{at: r.point(), next: secret(r.digest())}
	if !r.done() {
		return nil, ErrForm
	}
	return s, nil
}

// Bytes gives the checkpoint as it is stored and sent.
func (c Checkpoint) Bytes() []byte {
	return appendField(c.appendTo(begin(kindCheckpoint)), c.Signature)
}

// ParseCheckpoint reads a checkpoint, whose signature is not checked here. It fails with ErrForm.
func ParseCheckpoint(b []byte) (Checkpoint, error) {
	r := readerOf(b, kindCheckpoint)
	c := Checkpoint{Point: r.point(), At: r.time(), Signature: r.field(maxSignature)}
	if !r.done() {
		return Checkpoint{}, ErrForm
	}
	return c, nil
}

// Bytes gives the receipt as it is stored and sent.
func (r Receipt) Bytes() []byte {
	return appendField(r.appendTo(begin(kindReceipt)), r.Signature)
}

// ParseReceipt reads a receipt, whose signature is not checked here. It fails with ErrForm.
func ParseReceipt(b []byte) (Receipt, error) {
	r := readerOf(b, kindReceipt)
	got := Receipt{Point: r.point(), At: r.time(), Signature: r.field(maxSignature)}
	if !r.done() {
		return Receipt{}, ErrForm
	}
	return got, nil
}

func appendPoint(b []byte, p Point) []byte {
	b = append(b, p.Segment[:]...)
	b = binary.BigEndian.AppendUint64(b, p.Number)
	return append(b, p.Head[:]...)
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
}

// reader takes fields off the front of bytes. After the first that is not there it gives zeros, and is never done.
type reader struct {
	rest []byte
	bad  bool
}

func readerOf(b []byte, kind byte) *reader {
	r := &reader{rest: b}
	head := r.take(2)
	r.bad = r.bad || head[0] != kind || head[1] != version
	return r
}

// take gives the next n bytes.
func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() uint64  { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) time() time.Time { return time.UnixMilli(int64(r.number())).UTC() }
func (r *reader) digest() Digest  { return Digest(r.take(len(Digest{}))) }
func (r *reader) point() Point {
	return Point{Segment: r.digest(), Number: r.number(), Head: r.digest()}
}

// field gives a copy of the next field of up to most bytes, nil for an empty one.
func (r *reader) field(most int) []byte {
	n := binary.BigEndian.Uint32(r.take(4))
	if uint64(n) > uint64(most) {
		r.bad = true
		return nil
	}
	return append([]byte(nil), r.take(int(n))...)
}

func (r *reader) text() string { return string(r.field(MaxName)) }
func (r *reader) done() bool   { return !r.bad && len(r.rest) == 0 }
