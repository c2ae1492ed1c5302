// Package chain makes changes to a log visible. Each entry is hashed together with all that came before it, the head so reached is
// authenticated with a key that is replaced at once, and now and then a head is signed and the other side gives a receipt for it:
//
//	hash_i = SM3("entry" ‖ number ‖ clear part ‖ SM3(body))
//	head_i = SM3("head" ‖ head_{i-1} ‖ number ‖ hash_i)
//	mac_i  = HMAC-SM3(K_i, head_i ‖ number)
//	K_{i+1} = SM3("ratchet" ‖ K_i)
//
// with every field after its length. Who takes over a machine has the key of the next entry and none of those before it, so that the past
// cannot be written anew. Who holds K_0, which is the centre, checks every code and finds the very entry; who has it no more, which is the
// machine itself, checks heads, checkpoints and receipts.
//
// A segment is one unbroken chain. What breaks it is never mended: a new segment begins, and its first head names the old one and why.
//
// The law lets a person have his data erased (PIPL article 47): then an entry loses its body and keeps the body's hash, and verification
// wants an order that is known. The hash of something that can be guessed gives it away, so that a body is sealed with a random nonce, or
// holds random bytes, before it comes here.
//
// Nothing here keeps anything: a store puts links, state and checkpoints into its own transaction.
package chain

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"halledge/agent/kit/gm"
)

// Digest is an SM3 digest.
type Digest [gm.Size]byte

// String gives the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Point is a place in a chain: the head behind the entry of that number. Segment is the head before the segment's first entry.
type Point struct {
	Segment Digest
	Number  uint64
	Head    Digest
}

// Reason is why a segment begins. Others than these may follow.
type Reason string

// The reasons.
const (
	First    Reason = "first"    // there was no log before
	Adopted  Reason = "adopted"  // its first entries were written before there was a chain
	Lost     Reason = "lost"     // the file of the old segment is gone or cannot be read
	Restored Reason = "restored" // the log came back from a backup
	Broken   Reason = "broken"   // something is wrong with the old segment
	Enrolled Reason = "enrolled" // nobody else had the first key of the old segment, because there was nobody else
)

// Start is what a segment begins with. Its first head depends on all of it.
type Start struct {
	Log   string    // whose log it is, such as a hall's code: 1 to MaxName bytes
	Name  string    // of the segment, such as the epoch: up to MaxName bytes
	First uint64    // number of its first entry, from 1
	At    time.Time // in milliseconds
	Why   Reason    // 1 to MaxName bytes
	Old   Point     // where the segment before it ended, as far as is known; zero for none
	Key   Digest    // Key.ID of K_0
}

// MaxName is the length in bytes of the longest name or reason.
const MaxName = 64

// ErrStart is a start that is none.
var ErrStart = errors.New("chain: start of a segment without its log, reason or first number, or not for this key")

func (s Start) valid() bool {
	return s.Log != "" && len(s.Log) <= MaxName && len(s.Name) <= MaxName && s.Why != "" && len(s.Why) <= MaxName && s.First > 0
}

// Point gives the place before the segment's first entry.
func (s Start) Point() Point {
	head := digest("start", s.Bytes())
	return Point{Segment: head, Number: s.First - 1, Head: head}
}

// Follows reports whether the segment goes on from where another one ended.
func (s Start) Follows(old Point) bool { return s.Old == old }

// Entry is one entry of a log, or what an erasure left of it.
type Entry struct {
	Number uint64
	Clear  []byte   // what stays when the entry is erased
	Body   []byte   // what does not
	Erased *Erasure // nil: it has its body
}

// Erasure stands for the body of an erased entry. Order names who is to answer for it.
type Erasure struct {
	Hash  Digest
	Order string
}

// hash gives what the chain holds of an entry. It is the same after an erasure.
func (e Entry) hash() Digest {
	body := Digest(gm.Sum(e.Body))
	if e.Erased != nil {
		body = e.Erased.Hash
	}
	return digest("entry", number(e.Number), e.Clear, body[:])
}

// headBehind gives the head behind an entry whose predecessor's head is old.
func (e Entry) headBehind(old Digest) Digest {
	hash := e.hash()
	return digest("head", old[:], number(e.Number), hash[:])
}

// Link is what a store keeps beside an entry: the head behind it and its code. Only who has the key notices a change of the code alone.
type Link struct {
	Head Digest
	MAC  Digest
}

// domain keeps what is hashed, authenticated and signed here apart from everything else.
const domain = "hall-edge/chain/1/"

// digest gives the SM3 digest of fields, each after its length.
func digest(what string, fields ...[]byte) Digest {
	var room [256]byte
	b := appendField(room[:0], []byte(domain+what))
	for _, f := range fields {
		b = appendField(b, f)
	}
	return gm.Sum(b)
}

func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
	return append(b, field...)
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
