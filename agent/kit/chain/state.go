package chain

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// State is the end of a chain that is being written: where it is, and the key of the next entry. A store clones it for a transaction,
// appends to the clone, stores it sealed with the entries, and forgets the old one when the transaction is on disk, or else the clone.
// It cannot be printed or encoded; only Bytes gives it out. It is not safe for concurrent use.
type State struct {
	at   Point
	next secret
}

// ErrOrder is an entry that does not have the next number, or has been erased before it came.
var ErrOrder = errors.New("chain: not the next entry")

// Begin gives the state before a segment's first entry. The caller wraps the key for those who will verify, and then forgets it. It
// fails with ErrStart.
func Begin(s Start, k Key) (*State, error) {
	if !s.valid() || k.k == nil || s.Key != k.ID() {
		return nil, ErrStart
	}
	return &State{at: s.Point(), next: *k.k}, nil
}

// Append adds an entry and gives what is to be kept beside it. The key is replaced by that of the entry to come. It fails with
// ErrOrder, and with ErrKey when the key was forgotten.
func (s *State) Append(e Entry) (Link, error) {
	if s.next == (secret{}) {
		return Link{}, ErrKey
	}
	if s.at.Number == math.MaxUint64 || e.Number != s.at.Number+1 || e.Erased != nil {
		return Link{}, ErrOrder
	}
	head := e.headBehind(s.at.Head)
	link := Link{Head: head, MAC: s.next.mac(head, e.Number)}
	s.next.ratchet()
	s.at.Number, s.at.Head = e.Number, head
	return link, nil
}

// Point gives the place behind the last entry.
func (s *State) Point() Point { return s.at }

// Checkpoint gives what is to be signed of the chain as it is now.
func (s *State) Checkpoint(at time.Time) Checkpoint {
	return Checkpoint{Point: s.at, At: at.Truncate(time.Millisecond).UTC()}
}

// Clone gives a state that goes its own way.
func (s *State) Clone() *State {
	c := *s
	return &c
}

// Forget overwrites the key. Nothing can be appended afterwards.
func (s *State) Forget() { clear(s.next[:]) }

// Format implements fmt.Formatter for every verb: the number of the last entry, nothing of the key.
func (s State) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "chain at %d", s.at.Number) } // a State takes what it is given

// LogValue implements slog.LogValuer.
func (s State) LogValue() slog.Value { return slog.Uint64Value(s.at.Number) }

// MarshalText implements encoding.TextMarshaler, and with it JSON and YAML: three stars.
func (s State) MarshalText() ([]byte, error) { return []byte(hidden), nil }
