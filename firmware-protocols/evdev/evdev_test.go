package evdev

import (
	"bytes"
	"slices"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

// at gives an event at a moment of the year 2023.
func at(kind Type, code uint16, value int32) Event {
	return Event{Sec: 1_700_000_000, Usec: 123_456, Type: kind, Code: code, Value: value}
}

func key(code KeyCode, value int32) Event { return at(Keys, uint16(code), value) }

func report() Event { return at(Sync, SyncReport, 0) }

func all(d *Decoder) []Event {
	var events []Event
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		events = append(events, e)
	}
	return events
}

func stream(events ...Event) []byte {
	var b []byte
	for _, e := range events {
		b = e.Append(b)
	}
	return b
}

func TestEveryVector(t *testing.T) {
	want := map[string]Event{
		"key-a-down":     {Sec: 1_700_000_000, Usec: 1000, Type: Keys, Code: 30, Value: Pressed},
		"syn":            {Sec: 1_700_000_000, Usec: 1000, Type: Sync, Code: SyncReport},
		"key-enter-down": {Sec: 1_700_000_000, Usec: 9000, Type: Keys, Code: uint16(KeyEnter), Value: Pressed},
	}
	for _, v := range vectors.For(t, "evdev") {
		e, known := want[v.Name]
		if !known {
			t.Errorf("no meaning for the vector %s", v.Name)
			continue
		}
		var d Decoder
		d.Push(v.Bytes)
		if got := all(&d); len(got) != 1 || got[0] != e {
			t.Errorf("%s: got %+v, want %+v", v.Name, got, e)
		}
		if b := e.Append(nil); !bytes.Equal(b, v.Bytes) {
			t.Errorf("%s: made %x, want %x", v.Name, b, v.Bytes)
		}
	}
}

func TestPiecesOfAnySize(t *testing.T) {
	want := []Event{at(Misc, 4, 0x70058), key(KeyKPEnter, Pressed), report(), key(KeyKPEnter, Released), report()}
	for size := 1; size <= 2*Size+1; size++ {
		var d Decoder
		var got []Event
		for piece := range slices.Chunk(stream(want...), size) {
			d.Push(piece)
			got = append(got, all(&d)...)
		}
		if !slices.Equal(got, want) || d.Garbage() != 0 {
			t.Errorf("pieces of %d bytes: %+v, %d bytes of garbage", size, got, d.Garbage())
		}
	}
}

func TestNoiseIsSkipped(t *testing.T) {
	want := []Event{key(KeyKPPlus, Pressed), report()}
	for n := 1; n <= 3*Size; n++ {
		var d Decoder
		d.Push(bytes.Repeat([]byte{0xA5}, n))
		if got := all(&d); got != nil {
			t.Fatalf("%d bytes of noise are %+v", n, got)
		}
		d.Push(stream(want...))
		if got := all(&d); !slices.Equal(got, want) || d.Garbage() != uint64(n) {
			t.Errorf("after %d bytes of noise: %+v, %d bytes of garbage", n, got, d.Garbage())
		}
	}
}

func TestEventsNoKernelSends(t *testing.T) {
	for name, e := range map[string]Event{
		"before 1970":         {Sec: -1, Type: Keys, Code: 30, Value: 1},
		"far future":          {Sec: farAway, Type: Keys, Code: 30, Value: 1},
		"negative fraction":   {Sec: 1, Usec: -1, Type: Keys, Code: 30, Value: 1},
		"more than a second":  {Sec: 1, Usec: 1_000_000, Type: Keys, Code: 30, Value: 1},
		"type beyond EV_MAX":  at(maxType+1, 0, 0),
		"key beyond KEY_MAX":  key(maxKey+1, Pressed),
		"key value 3":         key(KeyEnter, 3),
		"key value -1":        key(KeyEnter, -1),
		"sync beyond SYN_MAX": at(Sync, maxSync+1, 0),
	} {
		var d Decoder
		d.Push(stream(e))
		if got := all(&d); got != nil {
			t.Errorf("%s passes as %+v", name, got)
		}
		d.Push(stream(key(KeyDot, Pressed)))
		if got := all(&d); len(got) == 0 || got[len(got)-1] != key(KeyDot, Pressed) {
			t.Errorf("%s hides the next event: %+v", name, got)
		}
	}
}

func TestDecoderIsBounded(t *testing.T) {
	var d Decoder
	const events = 300
	for n := range events {
		d.Push(stream(at(Misc, 4, int32(n))))
	}
	got := all(&d)
	if len(got)*Size != maxBuffered || got[0].Value != events-int32(len(got)) || d.Garbage() != (events-uint64(len(got)))*Size {
		t.Errorf("%d events are kept from %d on, %d bytes of garbage", len(got), got[0].Value, d.Garbage())
	}
}

// presses gives what a keyboard makes of events.
func presses(k *Keyboard, events ...Event) []Press {
	var got []Press
	for _, e := range events {
		if p, ok := k.Take(e); ok {
			got = append(got, p)
		}
	}
	return got
}

func TestOnlyGoingDownIsAPress(t *testing.T) {
	var k Keyboard
	got := presses(&k, at(Misc, 4, 0x70058), key(KeyKPEnter, Pressed), report(),
		key(KeyKPEnter, Repeated), at(Sync, SyncReport, 1), key(KeyKPEnter, Repeated), at(Sync, SyncReport, 1),
		key(KeyKPEnter, Released), report(), key(KeyKPEnter, Pressed), key(KeyKPEnter, Released), report())
	if want := []Press{{Key: KeyKPEnter}, {Key: KeyKPEnter}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestModifiers(t *testing.T) {
	for _, m := range []KeyCode{KeyLeftShift, KeyRightShift, KeyLeftCtrl, KeyRightCtrl, KeyLeftAlt, KeyRightAlt, KeyLeftMeta, KeyRightMeta} {
		var k Keyboard
		got := presses(&k, key(m, Pressed), key(m, Repeated), key(Key1, Pressed), key(Key1, Released), key(m, Released), key(Key0, Pressed))
		if want := []Press{{Key: Key1, Modified: true}, {Key: Key0}}; !slices.Equal(got, want) {
			t.Errorf("with key %d held: %+v", m, got)
		}
	}
	var k Keyboard
	got := presses(&k, key(KeyLeftShift, Pressed), key(KeyRightShift, Pressed), key(KeyLeftShift, Released), key(Key1, Pressed))
	if want := []Press{{Key: Key1, Modified: true}}; !slices.Equal(got, want) {
		t.Errorf("with one Shift still held: %+v", got)
	}
}

func TestLostEvents(t *testing.T) {
	var k Keyboard
	got := presses(&k, key(KeyLeftShift, Pressed), report(),
		at(Sync, SyncDropped, 0), key(KeyKPMinus, Pressed), report(), // cut: belongs to what was lost
		key(KeyKPPlus, Pressed), report())
	if want := []Press{{Key: KeyKPPlus}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if k.Dropped() != 1 {
		t.Errorf("events were lost %d times", k.Dropped())
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(stream(key(KeyKPEnter, Pressed), report()), 7)
	f.Add(stream(at(Sync, SyncDropped, 0), key(KeyLeftShift, Pressed)), 24)
	f.Add(bytes.Repeat([]byte{0}, 3*Size), 1)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		size = min(max(size, 1), maxBuffered-Size)
		var whole, pieces Decoder
		var want, got []Event
		for piece := range slices.Chunk(data, maxBuffered-Size) {
			whole.Push(piece)
			want = append(want, all(&whole)...)
		}
		var k Keyboard
		for piece := range slices.Chunk(data, size) {
			pieces.Push(piece)
			for _, e := range all(&pieces) {
				got = append(got, e)
				if p, ok := k.Take(e); ok && (e.Value != Pressed || modifier(p.Key) != 0) {
					t.Fatalf("%+v is the press %+v", e, p)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d bytes %+v, at once %+v", size, got, want)
		}
		if sum := len(got)*Size + int(pieces.Garbage()) + len(pieces.buf); sum != len(data) || len(pieces.buf) >= Size {
			t.Fatalf("%d of %d bytes are accounted for, %d kept", sum, len(data), len(pieces.buf))
		}
	})
}
