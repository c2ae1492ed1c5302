package chain

import (
	"time"

	"halledge/agent/kit/gm"
)

// A checkpoint is due after so many entries, or so long after the last one if entries came since.
const (
	CheckpointEntries = 256
	CheckpointTime    = 5 * time.Minute
)

// Checkpoint is a place in a chain that its writer signed. An entry may hold it, behind that place.
type Checkpoint struct {
	Point
	At        time.Time // in milliseconds
	Signature []byte    // SM2, DER; nil until it is signed
}

// Sign gives the checkpoint with a signature. It fails as gm.PrivateKey.Sign does.
func (c Checkpoint) Sign(k gm.PrivateKey) (Checkpoint, error) {
	sig, err := k.Sign(c.message())
	if err != nil {
		return Checkpoint{}, err
	}
	c.Signature = sig
	return c, nil
}

// Signed reports whether one of the keys signed the checkpoint.
func (c Checkpoint) Signed(by ...gm.PublicKey) bool { return signed(c.message(), c.Signature, by) }

// Due reports whether it is time for another checkpoint of a chain that is at now. The entry that holds this one is none that came since.
func (c Checkpoint) Due(at Point, now time.Time) bool {
	if at.Segment != c.Segment || at.Number < c.Number {
		return true
	}
	came := at.Number - c.Number
	return came >= CheckpointEntries || came > 1 && now.Sub(c.At).Abs() >= CheckpointTime
}

func (c Checkpoint) message() []byte {
	return c.appendTo(appendField(nil, []byte(domain+"checkpoint")))
}

// appendTo appends all but the signature.
func (c Checkpoint) appendTo(b []byte) []byte {
	return appendTime(appendPoint(b, c.Point), c.At)
}

// Receipt says that the other side has everything up to a checkpoint whose signature it found good. The writer keeps it: what it names
// cannot be taken away any more without being missed.
type Receipt struct {
	Point
	At        time.Time // by the clock of who gives it, in milliseconds
	Signature []byte
}

// Receive signs a receipt for a place that its giver has come to by itself, or verified. It fails as gm.PrivateKey.Sign does.
func Receive(p Point, at time.Time, k gm.PrivateKey) (Receipt, error) {
	r := Receipt{Point: p, At: at.Truncate(time.Millisecond).UTC()}
	sig, err := k.Sign(r.message())
	if err != nil {
		return Receipt{}, err
	}
	r.Signature = sig
	return r, nil
}

// Signed reports whether one of the keys signed the receipt.
func (r Receipt) Signed(by ...gm.PublicKey) bool { return signed(r.message(), r.Signature, by) }

func (r Receipt) message() []byte { return r.appendTo(appendField(nil, []byte(domain+"receipt"))) }

func (r Receipt) appendTo(b []byte) []byte {
	return appendTime(appendPoint(b, r.Point), r.At)
}

func signed(message, signature []byte, by []gm.PublicKey) bool {
	for _, k := range by {
		if k.Verify(message, signature) {
			return true
		}
	}
	return false
}
