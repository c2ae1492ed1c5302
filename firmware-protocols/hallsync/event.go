// Package hallsync gives the contract between a hall's agent and the cloud: the facts a hall records, the batches and
// acknowledgements that move them, the central commands, and the MQTT topics they travel on.
//
// Everything is JSON in UTF-8. Times are RFC 3339 with offset, durations are whole seconds or milliseconds as the field
// name says. Unknown fields are ignored by the reader and kept by the cloud, which stores the original bytes.
// A sequence number is a JSON number up to 2^53 and a JSON string beyond it, so that JavaScript tools never round it.
package hallsync

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// HallID is the 15-digit hall code: 12 digits of region (zero-padded GB/T 2260 and statistical code) and a 3-digit serial.
// It is at the same time the MQTT user, the client id and the certificate CN of the hall's edge box.
type HallID string

// Valid reports whether the code has 15 decimal digits.
func (h HallID) Valid() bool {
	if len(h) != 15 {
		return false
	}
	for i := range len(h) {
		if h[i] < '0' || h[i] > '9' {
			return false
		}
	}
	return true
}

// Seq is a position in a hall's log. The first fact of an epoch has sequence 1; there are no holes.
type Seq uint64

// maxNumberSeq is the largest integer every JSON reader keeps exact (2^53).
const maxNumberSeq = 1 << 53

// MarshalJSON writes a number up to 2^53 and a string beyond it.
func (s Seq) MarshalJSON() ([]byte, error) {
	text := strconv.FormatUint(uint64(s), 10)
	if s > maxNumberSeq {
		return []byte(`"` + text + `"`), nil
	}
	return []byte(text), nil
}

// UnmarshalJSON reads a number or a string of decimal digits.
func (s *Seq) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("sequence %q is not an unsigned integer", string(b))
	}
	*s = Seq(v)
	return nil
}

// Event is one fact of one hall. Epoch is drawn when the hall's database file is made; (Hall, Epoch, Seq) identifies the
// fact for ever. At is the hall's wall clock when the fact was decided; order is Seq, never At.
type Event struct {
	Hall    HallID          `json:"hall"`
	Epoch   string          `json:"epoch"`
	Seq     Seq             `json:"seq"`
	Kind    Kind            `json:"kind"`
	V       int             `json:"v"` // version of the payload's shape
	At      time.Time       `json:"at"`
	Payload json.RawMessage `json:"payload,omitempty"` // in the clear
	Sealed  []byte          `json:"sealed,omitempty"`  // the payload, sealed with the data key that the record names
	Erased  *Erased         `json:"erased,omitempty"`  // instead of both: the body is gone
}

// Decode returns the event's payload as its Go type. It fails with *UnknownKindError for a kind or version this program does not know,
// with *PayloadError for bad JSON, and with *SealedError or *ErasedError when there is no payload to read.
func (e Event) Decode() (Payload, error) {
	switch {
	case e.Erased != nil:
		return nil, &ErasedError{Kind: e.Kind}
	case e.Sealed != nil:
		return nil, &SealedError{Kind: e.Kind}
	}
	return decodePayload(e.Kind, e.V, e.Payload)
}

// NewEvent wraps a payload as the fact numbered seq.
func NewEvent(hall HallID, epoch string, seq Seq, at time.Time, p Payload) (Event, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return Event{}, fmt.Errorf("encode %s: %w", p.Kind(), err)
	}
	return Event{Hall: hall, Epoch: epoch, Seq: seq, Kind: p.Kind(), V: 1, At: at, Payload: raw}, nil
}

// Limits of one message on up/events. A fact larger than MaxEventBytes is refused where it is made: that is a PlanEdited of MaxPlanBytes,
// written in JSON, sealed, and written in base64. A fact larger than MaxBatchBytes is a batch of its own.
const (
	MaxBatchEvents = 64
	MaxBatchBytes  = 64 << 10
	MaxEventBytes  = 96 << 10
)

// Batch is the body of up/events: facts in rising order of Seq, at most MaxBatchEvents of them. The facts stay raw here so
// that the cloud keeps the bytes the hall wrote.
type Batch struct {
	Events []json.RawMessage `json:"events"`
}

// Range is a closed interval of sequence numbers.
type Range struct {
	From Seq `json:"from"`
	To   Seq `json:"to"`
}

// Rejection names a fact the cloud will never store, with a stable code. Its sequence counts as delivered.
type Rejection struct {
	Seq  Seq    `json:"seq"`
	Code string `json:"code"`
}

// Ack is the body of down/acks, sent after the cloud's own commit and never before. Every fact up to and including UpTo is
// stored. Acks are cumulative and idempotent: losing one costs nothing.
type Ack struct {
	Hall       HallID      `json:"hall"`
	Epoch      string      `json:"epoch"`
	UpTo       Seq         `json:"upto"`
	Want       *Range      `json:"want,omitempty"`        // facts missing below what has arrived
	PauseMS    int         `json:"pause_ms,omitempty"`    // wait this long before sending more
	ServerMS   int64       `json:"server_ms"`             // the cloud's clock, Unix milliseconds
	EpochStale bool        `json:"epoch_stale,omitempty"` // this epoch was seen further ahead: open a new one
	Logs       int         `json:"logs,omitempty"`        // thousands of numbers that this hall has begun (Enrolled.Before); in the answer to a hello
	Rejected   []Rejection `json:"rejected,omitempty"`
	Receipt    []byte      `json:"receipt,omitempty"`
}

// Hello is the body of up/hello, sent once on each connection before any fact.
type Hello struct {
	Hall     HallID `json:"hall"`
	Epoch    string `json:"epoch"`
	First    Seq    `json:"first"` // oldest fact still held
	Next     Seq    `json:"next"`  // sequence the next fact will get
	Boot     string `json:"boot"`  // drawn at each start of the agent
	Version  string `json:"version"`
	ClockMS  int64  `json:"clock_ms"` // the hall's clock, Unix milliseconds
	Revision int64  `json:"revision"` // revision of hall.yaml in force

	Keys  []KeyMade    `json:"keys,omitempty"`  // the data keys that are in use, for a centre that does not know them
	Index *OwnIndexKey `json:"index,omitempty"` // the hall's own
}

// TimeReply is the body of down/time: the cloud's answer to a hello or a time question.
type TimeReply struct {
	AskedMS  int64 `json:"asked_ms"` // the hall's clock as it was sent
	ServerMS int64 `json:"server_ms"`
}

// Command is the body of down/commands: one order of the centre. ID is a UUIDv7 and the idempotency key.
type Command struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Args     json.RawMessage `json:"args,omitempty"`
	NotAfter time.Time       `json:"not_after"`
	Issued   time.Time       `json:"issued"`
}

// Result is the body of up/results. State is received, done, failed, expired or rejected.
type Result struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Code  string `json:"code,omitempty"`
}
