// Package trace gives a record of the bytes that pass between the host and one device, for whoever looks for a fault on a line. It is
// off until somebody switches it on for a while, keeps only the latest, and never keeps what may be personal data.
package trace

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"halledge/drivers/device"
)

// Bounds of a record.
const (
	MaxEntries = 500
	MaxBytes   = 96 // kept of one piece; its length is told in any case
	MaxTime    = time.Hour
)

// Way says where a piece went.
type Way string

// The ways.
const (
	In   Way = "in"   // from the device
	Out  Way = "out"  // to the device
	Note Way = "note" // nothing passed: the line was opened or closed, or failed
)

// Entry is one piece as it was read or written.
type Entry struct {
	Seq    uint64    `json:"seq"` // without gaps but for what the record had no room for
	At     time.Time `json:"at"`
	Way    Way       `json:"way"`
	Length int       `json:"length"`
	Bytes  []byte    `json:"bytes,omitempty"` // the beginning; less than Length where it was long or may be personal data
	Text   string    `json:"text,omitempty"`  // of a note
}

// Record is what a tape has.
type Record struct {
	Until   time.Time `json:"until"`  // when it ends or ended; zero: it was never switched on
	On      bool      `json:"on"`     // it goes on
	Masked  bool      `json:"masked"` // the device's class deals with personal data
	Entries []Entry   `json:"entries"`
}

// Tape records one device. Its methods may be called from any goroutine; Wrap and Typed of a nil Tape do nothing.
type Tape struct {
	class device.Class
	typed atomic.Bool // see Typed

	mu      sync.Mutex
	until   time.Time
	seq     uint64
	entries []Entry // the latest, oldest first
}

// New gives the tape of a device.
func New(class device.Class) *Tape { return &Tape{class: class} }

// Typed says, before anything is recorded, that the device types like a keyboard: whatever it is taken for, it may be a scanner or what
// somebody writes on.
func (t *Tape) Typed() {
	if t != nil {
		t.typed.Store(true)
	}
}

// Start begins a new record that ends by itself after d, at most MaxTime, and forgets the old one. It goes on with the numbers.
func (t *Tape) Start(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until, t.entries = time.Now().Add(min(d, MaxTime)), nil
}

// Stop ends the record; what it has stays.
func (t *Tape) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Before(t.until) {
		t.until = now
	}
}

// On reports whether it records.
func (t *Tape) On() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.until)
}

// Record gives what came after the entry with the number given.
func (t *Tape) Record(after uint64) Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Record{Until: t.until, On: time.Now().Before(t.until), Masked: t.typed.Load() || personal(t.class), Entries: []Entry{}}
	for _, e := range t.entries {
		if e.Seq > after {
			r.Entries = append(r.Entries, e)
		}
	}
	return r
}

func (t *Tape) passed(way Way, b []byte) {
	if len(b) > 0 {
		t.add(Entry{Way: way, Length: len(b), Bytes: bytes.Clone(b[:min(t.open(way, b), MaxBytes)])})
	}
}

func (t *Tape) note(text string) { t.add(Entry{Way: Note, Text: text}) }

func (t *Tape) add(e Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.At = time.Now(); !e.At.Before(t.until) {
		return
	}
	t.seq++
	e.Seq = t.seq
	if len(t.entries) == MaxEntries {
		t.entries = append(t.entries[:0], t.entries[1:]...)
	}
	t.entries = append(t.entries, e)
}

// personal reports whether devices of a class send what may be personal data.
func personal(class device.Class) bool {
	return class == device.ClassIDCard || class == device.ClassScanner
}

// Head of a frame of a card reader: the preamble, two bytes of length and three of status (GA/T 450). Nothing in it is of the card.
const readerHead = 10

// open gives how many of the first bytes of a piece may be kept. What is sent to a reader or scanner are commands.
func (t *Tape) open(way Way, b []byte) int {
	switch {
	case way == Out || !t.typed.Load() && !personal(t.class):
		return len(b)
	case !t.typed.Load() && t.class == device.ClassIDCard && bytes.HasPrefix(b, []byte{0xaa, 0xaa, 0xaa, 0x96, 0x69}):
		return min(len(b), readerHead)
	}
	return 0
}
