package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"halledge/agent/kit/gm"
	"halledge/cloud/internal/store"
	"halledge/firmware-protocols/hallsync"
)

// The codes under which a fact is refused by name. Its sequence is consumed and its bytes are kept, so that a mistake of this
// program can be repaired later.
const (
	FactUnreadable = "fact_unreadable" // the envelope is not what hallsync.Event says
	FactTooLarge   = "fact_too_large"  // above hallsync.MaxEventBytes
	FactHall       = "fact_hall"       // names another hall than the one that sent it
	FactPayload    = "fact_payload"    // the payload is not what its kind requires
	FactUnsealed   = "fact_unsealed"   // in the clear, and it must not be
	FactUnsealable = "unsealable"      // sealed, and its key does not open it
)

// EpochsTooMany is the reason why a new epoch is not begun. Facts of the one in force are taken all the same.
const EpochsTooMany = "epochs_too_many"

// BatchError says that a message on up/events could not be taken at all: nothing of it is stored and nothing is acknowledged.
type BatchError struct {
	Hall   hallsync.HallID
	Reason string
}

func (e *BatchError) Error() string { return "batch of hall " + string(e.Hall) + ": " + e.Reason }

// unreadable wraps an error of the decoder, which may quote what it read: only its beginning is kept.
func unreadable(hall hallsync.HallID, err error) *BatchError {
	text := err.Error()
	return &BatchError{Hall: hall, Reason: text[:min(len(text), maxReason)]}
}

const (
	maxReason = 120 // bytes of a BatchError's reason

	// maxFacts bounds one message far above what halls send: all halls share the writer that has to take it at once.
	maxFacts = 16 * hallsync.MaxBatchEvents

	maxEpoch = 64 // characters of an epoch
	maxKind  = 64 // characters of a kind
	maxID    = 64 // characters of a ticket or window id
)

// batch is a message on up/events after checking: facts of one hall and one epoch.
type batch struct {
	hall    hallsync.HallID
	epoch   string
	facts   []store.Event
	unnamed int // elements so broken that they do not even name their sequence
}

// position is the least a fact must say to be refused by name.
type position struct {
	Epoch string       `json:"epoch"`
	Seq   hallsync.Seq `json:"seq"`
}

func (p position) valid() bool {
	return isWord(p.Epoch, maxEpoch) && p.Seq > 0 && p.Seq <= math.MaxInt64
}

// isWord reports whether s is a name of at most limit characters out of the visible ones of ASCII.
func isWord(s string, limit int) bool {
	for _, r := range []byte(s) {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

func parseBatch(hall hallsync.HallID, payload []byte, now time.Time) (batch, error) {
	var wire hallsync.Batch
	if err := json.Unmarshal(payload, &wire); err != nil {
		return batch{}, unreadable(hall, err)
	}
	if len(wire.Events) > maxFacts {
		return batch{}, &BatchError{Hall: hall, Reason: fmt.Sprintf("%d facts, more than %d", len(wire.Events), maxFacts)}
	}
	b := batch{hall: hall}
	for _, raw := range wire.Events {
		fact, ok := parseFact(hall, raw, now)
		if !ok {
			b.unnamed++
			continue
		}
		if b.epoch == "" {
			b.epoch = fact.Epoch
		}
		if fact.Epoch != b.epoch {
			return batch{}, &BatchError{Hall: hall, Reason: "facts of two epochs"}
		}
		b.facts = append(b.facts, fact)
	}
	if len(b.facts) == 0 {
		return batch{}, &BatchError{Hall: hall, Reason: fmt.Sprintf("no fact with epoch and sequence among %d", len(wire.Events))}
	}
	return b, nil
}

// parseFact checks one element. ok is false when it does not name its epoch and sequence.
func parseFact(hall hallsync.HallID, raw []byte, now time.Time) (store.Event, bool) {
	var e hallsync.Event
	if err := json.Unmarshal(raw, &e); err != nil || !utf8.Valid(raw) || !(position{e.Epoch, e.Seq}).valid() {
		var p position
		if err := json.Unmarshal(raw, &p); err != nil || !p.valid() {
			return store.Event{}, false
		}
		e = hallsync.Event{Epoch: p.Epoch, Seq: p.Seq, At: now}
		return stored(hall, e, raw, now, FactUnreadable), true
	}
	return stored(hall, e, raw, now, refusal(hall, e, len(raw))), true
}

func stored(hall hallsync.HallID, e hallsync.Event, raw []byte, now time.Time, refused string) store.Event {
	s := store.Event{
		Hall: hall, Epoch: e.Epoch, Seq: e.Seq, Kind: e.Kind, V: e.V, At: e.At, Received: now,
		Hash: store.HashOf(raw), Refused: refused, Body: raw,
	}
	if id, err := gm.RecordKey(e.Sealed); err == nil {
		s.DataKey = id.String()
	}
	return s
}

// refusal gives the code under which a readable fact is refused, empty for a good one. A kind or version this program does not
// know is good: it is stored as it came, for a later program to read.
func refusal(hall hallsync.HallID, e hallsync.Event, size int) string {
	switch {
	case size > hallsync.MaxEventBytes:
		return FactTooLarge
	case e.Hall != hall:
		return FactHall
	case !isWord(string(e.Kind), maxKind):
		return FactUnreadable
	}
	bodies := 0
	for _, there := range []bool{e.Payload != nil, e.Sealed != nil, e.Erased != nil} {
		if there {
			bodies++
		}
	}
	switch {
	case bodies > 1, e.Kind.InClear() && e.Sealed != nil, e.Erased != nil && len(e.Erased.Hash) != gm.Size:
		return FactPayload
	case e.Erased != nil:
		return ""
	case e.Sealed != nil: // what it says is judged when it is opened
		if _, err := gm.RecordKey(e.Sealed); err != nil {
			return FactUnsealable
		}
		return ""
	}
	_, code := decode(e)
	return code
}

// decode gives what a fact says, or the code under which it is refused for that. Of a kind or version this program does not know it gives
// nothing.
func decode(e hallsync.Event) (p hallsync.Payload, refused string) {
	p, err := e.Decode()
	var unknown *hallsync.UnknownKindError
	if errors.As(err, &unknown) {
		return nil, ""
	}
	if err != nil || !subjectNamed(p) {
		return nil, FactPayload
	}
	return p, ""
}

// subjectNamed reports whether a fact says which ticket, window or day it is about. A kind that is about none of them is good.
func subjectNamed(p hallsync.Payload) bool {
	switch f := p.(type) {
	case hallsync.DayOpened:
		return isDay(f.BusinessDay)
	case hallsync.DayClosed:
		return isDay(f.BusinessDay)
	case hallsync.TicketTaken:
		return isID(string(f.Ticket)) && isDay(f.BusinessDay)
	}
	about := p.Subject()
	switch family, _, _ := strings.Cut(string(p.Kind()), "."); family {
	case "ticket", "slip":
		return isID(string(about.Ticket)) && len(about.Window) <= maxID
	case "window":
		return isID(string(about.Window))
	}
	return true
}

func isID(s string) bool { return s != "" && len(s) <= maxID }

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
