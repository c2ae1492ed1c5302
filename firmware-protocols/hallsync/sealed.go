package hallsync

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sealer seals what a fact says, Opener opens it. Both bind it to the parts that they are given: a data key of the hall's day does.
type (
	Sealer interface {
		Seal(plain []byte, about ...string) (record []byte, err error)
	}
	Opener interface {
		Open(record []byte, about ...string) (plain []byte, err error)
	}
)

// sealedAbout is the first part that a fact is sealed about; its clear part is the second one.
const sealedAbout = "hall-edge/v1/fact"

// SealedError says that what a fact says is sealed, and that nobody opened it.
type SealedError struct{ Kind Kind }

func (e *SealedError) Error() string { return fmt.Sprintf("%s is sealed", e.Kind) }

// ErasedError says that what a fact said is gone.
type ErasedError struct{ Kind Kind }

func (e *ErasedError) Error() string { return fmt.Sprintf("%s was erased", e.Kind) }

// Erased stands where a fact's body was, after a person had it erased. Hash is the SM3 digest of the body, Order names who is to answer
// for it.
type Erased struct {
	Hash  []byte `json:"hash"`
	Order string `json:"order"`
}

// InClear reports whether facts of a kind are written in the clear: those that say with which keys the others are sealed, and how the
// log is chained. They say nothing of anybody.
func (k Kind) InClear() bool {
	switch k {
	case KindKeyMade, KindSegmentBegun, KindLogCheckpointed, KindPersonErased:
		return true
	}
	return false
}

// OfLog reports whether facts of a kind are about the log alone: they change nothing in the hall, and their time is that of the box's clock,
// which need not be the hall's.
func (k Kind) OfLog() bool { return k.InClear() && k != KindPersonErased }

// Clear gives the part of a fact that is never sealed and stays when it is erased, in the one form that keys and chain are bound to: hall,
// epoch, kind and time (RFC 3339 in UTC, to the nanosecond), each after its length in 4 bytes, big-endian, then sequence and version in 8
// bytes each.
func (e Event) Clear() []byte {
	b := make([]byte, 0, 192) // as long as it usually is
	for _, field := range []string{string(e.Hall), e.Epoch, string(e.Kind), e.At.UTC().Format(time.RFC3339Nano)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	return binary.BigEndian.AppendUint64(b, uint64(e.V))
}

// Body gives what is sealed, or the payload of a fact in the clear; nil when it was erased.
func (e Event) Body() []byte {
	if e.Sealed != nil {
		return e.Sealed
	}
	return e.Payload
}

// Seal gives the fact with its payload sealed. A fact whose kind is in the clear stays as it is.
func (e Event) Seal(k Sealer) (Event, error) {
	if e.Kind.InClear() {
		return e, nil
	}
	record, err := k.Seal(e.Payload, sealedAbout, string(e.Clear()))
	if err != nil {
		return Event{}, fmt.Errorf("seal %s: %w", e.Kind, err)
	}
	e.Payload, e.Sealed = nil, record
	return e, nil
}

// Open gives the fact with its payload in the clear. It fails as the opener does, and leaves a fact that is not sealed as it is.
func (e Event) Open(k Opener) (Event, error) {
	if e.Sealed == nil {
		return e, nil
	}
	plain, err := k.Open(e.Sealed, sealedAbout, string(e.Clear()))
	if err != nil {
		return Event{}, fmt.Errorf("open %s %d: %w", e.Kind, e.Seq, err)
	}
	e.Payload, e.Sealed = json.RawMessage(plain), nil
	return e, nil
}

// PersonalMembers gives the names of the members of facts that say who somebody is, or what somebody wrote in his own words.
func PersonalMembers() []string {
	return []string{"person", "staff", "text", "reason", "reasons", "class_reason", "override", "note"}
}

// Personal reports whether a fact in the clear says who somebody is, or what somebody wrote: what is left without it says nothing of anybody.
// A fact that cannot be read is personal.
func (e Event) Personal() bool {
	if e.Erased != nil || e.Kind.InClear() {
		return false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(e.Payload, &members) != nil {
		return true
	}
	return slices.ContainsFunc(PersonalMembers(), func(name string) bool { return members[name] != nil })
}

// KeyWrap is a key encrypted for the holder of an SM2 key: DER of GM/T 0009 §7.2. For is that key's ID.
type KeyWrap struct {
	For     string `json:"for"`
	Wrapped []byte `json:"wrapped"`
}

// KeyMade says with which data key the facts from here on are sealed. It comes before the first of them, and again for the centre in a
// hello. Key is its ID in hexadecimal, Day the day (2006-01-02, UTC) it was made for; Wraps are for the centre's keys, none while the hall has no centre.
type KeyMade struct {
	Key   string    `json:"key"`
	Day   string    `json:"day"`
	Wraps []KeyWrap `json:"wraps,omitempty"`
}

// SegmentBegun begins a chain: Start is what its first head depends on, Keys are the first key, K_0, for the centre. The segment's first entry
// is this fact itself.
type SegmentBegun struct {
	Start []byte    `json:"start"`
	Keys  []KeyWrap `json:"keys,omitempty"`
}

// LogCheckpointed holds a checkpoint of the chain that the box has signed, of the place before this fact.
type LogCheckpointed struct {
	Checkpoint []byte `json:"checkpoint"`
}

// PersonErased says that by this order, whose ID it is, the bodies of facts were erased and a person's digest taken out of tickets,
// appointments and blocks. It says nothing of who the person is.
type PersonErased struct {
	Order    string      `json:"order"`
	Facts    []Range     `json:"facts,omitempty"`
	Tickets  []TicketID  `json:"tickets,omitempty"`
	Bookings []BookingID `json:"bookings,omitempty"`
}

// SignedCommand orders one thing once: its body is a Command, sent on down/commands.
const SignedCommand SignedType = "command"

// CommandErasePerson is the command by which a hall forgets a person; its arguments are an ErasePerson. The answer is the fact PersonErased.
const CommandErasePerson = "person.erase"

// ErasePerson says whom a hall is to forget: by which order, and the digests under which the person may be known, one by each key of the
// hall's index. A digest has its whole length: of a part of it half the hall would be forgotten.
type ErasePerson struct {
	Order   string   `json:"order"`
	Persons []string `json:"persons"`
}

// maxOrderID bounds the name of an order.
const maxOrderID = 64

// personDigest is the length of a person's digest, in lower-case hexadecimal.
const personDigest = 32

// Valid reports whether an order names itself and one person. Orders of an empty name, of nobody and of more than a person are not carried out.
func (e ErasePerson) Valid() bool {
	good := e.Order != "" && len(e.Order) <= maxOrderID && len(e.Persons) > 0 && len(e.Persons) <= MaxIndex
	for _, p := range e.Persons {
		good = good && len(p) == personDigest && strings.Trim(p, "0123456789abcdef") == ""
	}
	return good
}

// ParseErasePerson reads the arguments of CommandErasePerson. It fails with *SignedError, RefusedForm.
func ParseErasePerson(args []byte) (ErasePerson, error) {
	var e ErasePerson
	if json.Unmarshal(args, &e) != nil || !e.Valid() {
		return ErasePerson{}, &SignedError{RefusedForm}
	}
	return e, nil
}
