// Package evdev gives the events of Linux input devices (keyboards, keypads, buttons) as /dev/input/event* delivers them: a stream
// of struct input_event without any frame around it. It is the form of 64-bit little-endian machines, with the clock in two 64-bit
// numbers.
//
// Sources: Linux include/uapi/linux/input.h (the struct), input-event-codes.h (types and codes) and
// Documentation/input/event-codes.rst (what SYN_REPORT, SYN_DROPPED and the values of EV_KEY mean).
package evdev

import "encoding/binary"

// Size is the length of an event in bytes.
const Size = 24

// Type is the kind of an event (EV_* in the kernel).
type Type uint16

// The types this package knows by name.
const (
	Sync Type = 0x00 // EV_SYN: marks between events
	Keys Type = 0x01 // EV_KEY: a key or button
	Misc Type = 0x04 // EV_MSC: such as the scan code that comes before a key

	maxType Type = 0x1f // EV_MAX
)

// Codes of Sync events.
const (
	SyncReport  = 0 // SYN_REPORT: what came since the last one belongs together
	SyncDropped = 3 // SYN_DROPPED: the reader was too slow and events are lost, also those up to the next SyncReport

	maxSync = 0x0f // SYN_MAX
)

// Values of Keys events.
const (
	Released int32 = 0
	Pressed  int32 = 1
	Repeated int32 = 2 // the key is still held
)

// Event is one struct input_event.
type Event struct {
	Sec  int64 // time of day, seconds since 1970
	Usec int64 // and microseconds
	Type Type
	// Code is a KeyCode for Keys, one of SyncReport, SyncDropped and their like for Sync.
	Code  uint16
	Value int32
}

// Append adds the event's bytes to b.
func (e Event) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Sec))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Usec))
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Type))
	b = binary.LittleEndian.AppendUint16(b, e.Code)
	return binary.LittleEndian.AppendUint32(b, uint32(e.Value))
}

// parse reads the event in the first Size bytes of b.
func parse(b []byte) Event {
	return Event{
		Sec:   int64(binary.LittleEndian.Uint64(b)),
		Usec:  int64(binary.LittleEndian.Uint64(b[8:])),
		Type:  Type(binary.LittleEndian.Uint16(b[16:])),
		Code:  binary.LittleEndian.Uint16(b[18:]),
		Value: int32(binary.LittleEndian.Uint32(b[20:])),
	}
}

// farAway is a second no clock shows: that of the year 3058.
const farAway = 1 << 35

// plausible says whether a kernel could have sent e. An event read from the wrong byte on has nearly always an impossible time.
func (e Event) plausible() bool {
	if e.Sec < 0 || e.Sec >= farAway || e.Usec < 0 || e.Usec >= 1_000_000 || e.Type > maxType {
		return false
	}
	switch e.Type {
	case Sync:
		return e.Code <= maxSync
	case Keys:
		return KeyCode(e.Code) <= maxKey && e.Value >= Released && e.Value <= Repeated
	}
	return true
}
