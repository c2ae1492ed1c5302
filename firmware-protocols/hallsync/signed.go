package hallsync

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// Signed is what the centre orders a hall, of whatever type, in the one envelope for all of it. Body is what is ordered, as the bytes that
// were signed: nobody decodes it before OpenSigned has found the signature good. Both times are in UTC.
type Signed struct {
	Type     SignedType `json:"type"`
	Hall     HallID     `json:"hall"`
	Seq      uint64     `json:"seq"` // rises with every order of a type to a hall
	At       time.Time  `json:"at"`  // when it was signed
	NotAfter time.Time  `json:"not_after"`
	Body     []byte     `json:"body"`
	Sig      []byte     `json:"sig"`
}

// SignedType says what a body is: an order of one type can never stand for one of another.
type SignedType string

// SignedNotices orders which notices the screens of a hall show: its body is a NoticesOrdered.
const SignedNotices SignedType = "notices"

// Verifier finds signatures good or not: a public SM2 key does.
type Verifier interface {
	Verify(message, sig []byte) bool
}

// MessageSigner signs messages: a private SM2 key does.
type MessageSigner interface {
	Sign(message []byte) (sig []byte, err error)
}

// Bounds of what is signed.
const (
	MaxSigned     = 256 << 10 // bytes of an encoded order
	MaxSignedLife = 400 * 24 * time.Hour
	maxSignature  = 128
)

// signedDomain begins what is signed, so that it can stand for nothing else that the same key signs.
const signedDomain = "hall-edge/v1/signed\n"

// Refusal is why an order is not followed.
type Refusal string

// The refusals.
const (
	RefusedForm    Refusal = "form"    // not as orders are written
	RefusedForeign Refusal = "foreign" // for another hall, or of another type
	RefusedForged  Refusal = "forged"  // not signed by the centre
	RefusedExpired Refusal = "expired"
	RefusedOld     Refusal = "old"  // a later one was followed
	RefusedMany    Refusal = "many" // too many came one after the other; it is good later
)

// SignedError is an order that is not followed.
type SignedError struct{ Why Refusal }

func (e *SignedError) Error() string { return "hallsync: order refused: " + string(e.Why) }

// message gives the bytes that are signed: type, hall, both times (RFC 3339 in UTC, to the nanosecond) and body, each after its length in
// 4 bytes, big-endian, then the sequence in 8 bytes.
func (s Signed) message() []byte {
	b := []byte(signedDomain)
	for _, part := range []string{string(s.Type), string(s.Hall), s.At.UTC().Format(time.RFC3339Nano), s.NotAfter.UTC().Format(time.RFC3339Nano), string(s.Body)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return binary.BigEndian.AppendUint64(b, s.Seq)
}

// proper reports whether the members are what an order may have.
func (s Signed) proper() bool {
	life := s.NotAfter.Sub(s.At)
	return s.Type != "" && s.Hall.Valid() && s.Seq > 0 && s.Seq <= maxExact && life > 0 && life <= MaxSignedLife &&
		s.At.Location() == time.UTC && s.NotAfter.Location() == time.UTC && len(s.Body) > 0
}

// maxExact is the largest whole number that every reader of JSON reads exactly.
const maxExact = 1 << 53

// Sign gives the encoded order with its signature. Of the times what is finer than a second is dropped.
func (s Signed) Sign(key MessageSigner) ([]byte, error) {
	s.At, s.NotAfter = s.At.UTC().Truncate(time.Second), s.NotAfter.UTC().Truncate(time.Second)
	if !s.proper() {
		return nil, fmt.Errorf("sign order %s %d: %w", s.Type, s.Seq, &SignedError{RefusedForm})
	}
	sig, err := key.Sign(s.message())
	if err != nil {
		return nil, fmt.Errorf("sign order %s %d: %w", s.Type, s.Seq, err)
	}
	s.Sig = sig
	raw, err := json.Marshal(s)
	if err == nil && len(raw) > MaxSigned {
		err = &SignedError{RefusedForm}
	}
	if err != nil {
		return nil, fmt.Errorf("sign order %s %d: %w", s.Type, s.Seq, err)
	}
	return raw, nil
}

// OpenSigned reads an order of a type to a hall that was signed by the holder of one of the keys. Whether it is still good, and the newest,
// depends on time and on what came before: who follows orders asks that too. It fails with *SignedError.
func OpenSigned[V Verifier](raw []byte, of SignedType, hall HallID, keys ...V) (Signed, error) {
	var s Signed
	if !Exact(raw, MaxSigned, &s) || !s.proper() || len(s.Sig) == 0 || len(s.Sig) > maxSignature {
		return Signed{}, &SignedError{RefusedForm}
	}
	if s.Hall != hall || s.Type != of {
		return Signed{}, &SignedError{RefusedForeign}
	}
	message := s.message()
	for _, k := range keys {
		if k.Verify(message, s.Sig) {
			return s, nil
		}
	}
	return Signed{}, &SignedError{RefusedForged}
}

// Exact reads JSON of at most limit bytes that stands exactly as this program would write it, and reports whether it did. So there is one
// form of what is signed: no member stands twice, in other letters or beside those that are known, and no number has a second spelling.
func Exact(raw []byte, limit int, into any) bool {
	if len(raw) > limit || json.Unmarshal(raw, into) != nil {
		return false
	}
	written, err := json.Marshal(into)
	return err == nil && bytes.Equal(written, raw)
}

// NoticesOrdered is the body of SignedNotices: all bundles that a hall is to show, in the order of their groups. A group that is not among
// them shows nothing of the centre.
type NoticesOrdered struct {
	Bundles []BundleOrdered `json:"bundles"`
}

// BundleOrdered names a bundle of notices. ID is the SM3 digest of its manifest in hexadecimal.
type BundleOrdered struct {
	Group   string `json:"group"`
	Version int64  `json:"version"`
	ID      string `json:"id"`
}
