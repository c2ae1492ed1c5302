package modbus

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"halledge/firmware-protocols/internal/stream"
	"halledge/firmware-protocols/internal/vectors"
)

func requestBytes(t testing.TB, r Request) []byte {
	t.Helper()
	b, err := r.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func responseBytes(t testing.TB, r Response) []byte {
	t.Helper()
	b, err := r.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func a001(t testing.TB) []uint16 {
	t.Helper()
	r, err := PadDisplay{Number: "A001"}.Registers()
	if err != nil {
		t.Fatal(err)
	}
	return r[:PadWaitingAt]
}

func TestEveryRequestVector(t *testing.T) {
	want := map[string]Request{
		"modbus-rtu/read-holding":      {Unit: 1, Function: ReadHolding, Address: 0, Count: 2},
		"modbus-rtu/write-single":      {Unit: 1, Function: WriteRegister, Address: 0x10, Values: []uint16{1}},
		"modbus-rtu/write-text":        {Unit: 1, Function: WriteRegisters, Address: 0x100, Values: []uint16{0x4130, 0x3031, 0xBAC5}},
		"callpad-modbus/poll":          {Unit: 3, Function: ReadInput, Count: 3},
		"callpad-modbus/waiting-count": {Unit: 3, Function: WriteRegister, Address: PadWaitingAt, Values: []uint16{12}},
		"callpad-modbus/led-beep":      {Unit: 3, Function: WriteCoil, Address: PadCoilBeep, Values: []uint16{CoilOn}},
		"rater-modbus/start":           {Unit: 5, Function: WriteRegister, Values: []uint16{1}},
		"rater-modbus/poll":            {Unit: 5, Function: ReadInput, Count: 3},
		"callpad-modbus/display-number": {Unit: 3, Function: WriteRegisters, Address: PadNumberAt,
			Values: a001(t)},
	}
	for _, protocol := range []string{"modbus-rtu", "callpad-modbus", "rater-modbus"} {
		for _, v := range vectors.For(t, protocol) {
			if v.Direction != "host>device" {
				continue
			}
			name := protocol + "/" + v.Name
			got, err := ParseRequest(v.Bytes)
			if err != nil || !reflect.DeepEqual(got, want[name]) {
				t.Errorf("%s: %+v, %v; want %+v", name, got, err, want[name])
				continue
			}
			if again := requestBytes(t, got); !bytes.Equal(again, v.Bytes) {
				t.Errorf("%s: encoded % X, want % X", name, again, v.Bytes)
			}
		}
	}
}

func TestEveryResponseVector(t *testing.T) {
	want := map[string]Response{
		"modbus-rtu/read-holding-reply":        {Unit: 1, Function: ReadHolding, Values: []uint16{1, 3}},
		"modbus-rtu/write-text-reply":          {Unit: 1, Function: WriteRegisters, Address: 0x100, Count: 3},
		"modbus-rtu/exception-illegal-address": {Unit: 1, Function: ReadHolding, Exception: IllegalAddress},
		"modbus-rtu/exception-busy":            {Unit: 1, Function: WriteRegisters, Exception: DeviceBusy},
		"callpad-modbus/poll-reply-next":       {Unit: 3, Function: ReadInput, Values: []uint16{1, uint16(PadNext), 0}},
		"callpad-modbus/poll-reply-recall":     {Unit: 3, Function: ReadInput, Values: []uint16{2, uint16(PadRecall), 0}},
		"rater-modbus/poll-reply-5":            {Unit: 5, Function: ReadInput, Values: []uint16{1, 5, 0x12}},
	}
	for _, protocol := range []string{"modbus-rtu", "callpad-modbus", "rater-modbus"} {
		for _, v := range vectors.For(t, protocol) {
			if v.Direction != "device>host" {
				continue
			}
			name := protocol + "/" + v.Name
			got, err := ParseResponse(v.Bytes)
			if err != nil || !reflect.DeepEqual(got, want[name]) {
				t.Errorf("%s: %+v, %v; want %+v", name, got, err, want[name])
				continue
			}
			if again := responseBytes(t, got); !bytes.Equal(again, v.Bytes) {
				t.Errorf("%s: encoded % X, want % X", name, again, v.Bytes)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	for name, r := range map[string]Request{
		"nothing to read":   {Unit: 1, Function: ReadInput},
		"126 to read":       {Unit: 1, Function: ReadHolding, Count: MaxRead + 1},
		"nothing to write":  {Unit: 1, Function: WriteRegisters},
		"124 to write":      {Unit: 1, Function: WriteRegisters, Values: make([]uint16, MaxWrite+1)},
		"two in one":        {Unit: 1, Function: WriteRegister, Values: []uint16{1, 2}},
		"unknown function":  {Unit: 1, Function: 0x2B},
		"function too high": {Unit: 1, Function: 0x83, Count: 1},
	} {
		if b, err := r.Append([]byte("x")); err == nil || string(b) != "x" {
			t.Errorf("%s: encoded to % X", name, b)
		}
	}
	for name, r := range map[string]Response{
		"nothing read": {Unit: 1, Function: ReadInput}, "too much read": {Unit: 1, Function: ReadHolding, Values: make([]uint16, MaxRead+1)},
		"no value": {Unit: 1, Function: WriteCoil}, "unknown function": {Unit: 1, Function: 0x2B},
	} {
		if b, err := r.Append(nil); err == nil || len(b) != 0 {
			t.Errorf("answer with %s: encoded to % X", name, b)
		}
	}
	longest := requestBytes(t, Request{Unit: 1, Function: WriteRegisters, Values: make([]uint16, MaxWrite)})
	if len(longest) > MaxFrame {
		t.Errorf("longest request has %d bytes", len(longest))
	}
}

// seal gives b a right CRC, so that only its content is wrong.
func seal(b ...byte) []byte { return appendCRC(nil, b) }

func TestWhatIsNoFrame(t *testing.T) {
	good := requestBytes(t, Request{Unit: 1, Function: WriteRegisters, Values: []uint16{7}})
	bad := bytes.Clone(good)
	bad[8] ^= 1
	for name, b := range map[string][]byte{
		"empty": nil, "wrong CRC": bad, "cut": good[:len(good)-1], "too long": append(bytes.Clone(good), 0),
		"unknown function": seal(1, 0x2B, 0, 0, 0, 1), "no registers": seal(1, 3, 0, 0, 0, 0), "too many": seal(1, 3, 0, 0, 0, 126),
		"odd byte count": seal(1, 0x10, 0, 0, 0, 1, 3, 0, 0, 0), "counts differ": seal(1, 0x10, 0, 0, 0, 2, 2, 0, 7),
	} {
		if r, err := ParseRequest(b); !errors.Is(err, ErrFrame) {
			t.Errorf("request, %s: %+v, %v", name, r, err)
		}
	}
	for name, b := range map[string][]byte{
		"empty": nil, "exception 0": seal(1, 0x83, 0), "unknown function": seal(1, 0x2B, 1, 2), "odd byte count": seal(1, 3, 3, 0, 0, 0),
		"no bytes": seal(1, 3, 0), "cut": seal(1, 3, 4, 0, 0),
	} {
		if r, err := ParseResponse(b); !errors.Is(err, ErrFrame) {
			t.Errorf("response, %s: %+v, %v", name, r, err)
		}
	}
}

func TestAnswerIsFoundInNoise(t *testing.T) {
	q := Request{Unit: 3, Function: ReadInput, Count: 3}
	answer := responseBytes(t, Response{Unit: 3, Function: ReadInput, Values: []uint16{9, 1, 0}})
	busy := responseBytes(t, Response{Unit: 3, Function: ReadInput, Exception: DeviceBusy})
	for name, tc := range map[string]struct {
		in      []byte
		found   bool
		garbage bool
	}{
		"clean":               {answer, true, false},
		"exception":           {busy, true, false},
		"noise before":        {append([]byte{0, 3, 4, 0xFF, 3}, answer...), true, true},
		"echo of the request": {append(requestBytes(t, q), answer...), true, true},
		"another unit":        {responseBytes(t, Response{Unit: 4, Function: ReadInput, Values: []uint16{9, 1, 0}}), false, true},
		"another function":    {responseBytes(t, Response{Unit: 3, Function: ReadHolding, Values: []uint16{9, 1, 0}}), false, true},
		"another count":       {append(responseBytes(t, Response{Unit: 3, Function: ReadInput, Values: []uint16{9}}), answer...), true, true},
		"promise of more":     {append([]byte{3, 4, 0xF0, 1}, answer...), true, true},
		"cut":                 {answer[:len(answer)-1], false, false},
	} {
		for size := 1; size <= len(tc.in); size++ {
			var d ResponseDecoder
			d.Expect(q)
			found := false
			for rest := tc.in; len(rest) > 0 && !found; rest = rest[min(size, len(rest)):] {
				d.Push(rest[:min(size, len(rest))])
				var r Response
				if r, found = d.Next(); found && !r.Answers(q) {
					t.Errorf("%s: %+v", name, r)
				}
			}
			if found != tc.found || (d.Garbage() > 0) != tc.garbage {
				t.Errorf("%s in pieces of %d: found %v, %d bytes of garbage", name, size, found, d.Garbage())
			}
		}
	}
}

func TestLateAnswerIsForgotten(t *testing.T) {
	q := Request{Unit: 3, Function: ReadInput, Count: 3}
	var d ResponseDecoder
	d.Expect(q)
	d.Push(responseBytes(t, Response{Unit: 3, Function: ReadInput, Values: []uint16{9, 1, 0}}))
	d.Expect(q)
	if r, ok := d.Next(); ok {
		t.Errorf("%+v answers a question asked later", r)
	}
}

func TestUnitHearsOnlyItself(t *testing.T) {
	mine := Request{Unit: 3, Function: WriteRegister, Address: 3, Values: []uint16{12}}
	all := Request{Unit: Broadcast, Function: WriteRegister, Address: 4, Values: []uint16{1}}
	other := Request{Unit: 4, Function: ReadInput, Count: 3}
	line := bytes.Join([][]byte{{0xFF}, requestBytes(t, other), responseBytes(t, Response{Unit: 4, Function: ReadInput, Values: []uint16{3, 3, 3}}),
		requestBytes(t, mine), requestBytes(t, all)}, nil)
	d := NewRequestDecoder(3)
	var got []Request
	for _, c := range line {
		d.Push([]byte{c})
		for r, ok := d.Next(); ok; r, ok = d.Next() {
			got = append(got, r)
		}
	}
	if !reflect.DeepEqual(got, []Request{mine, all}) {
		t.Errorf("heard %+v", got)
	}
	d.Push(make([]byte, 10*stream.Kept))
	if d.Waiting() > stream.Kept {
		t.Errorf("%d bytes kept", d.Waiting())
	}
}

func TestExceptionsHaveWords(t *testing.T) {
	for e, want := range map[Exception]string{NoException: "no exception", IllegalAddress: "illegal data address", DeviceBusy: "busy", 7: "exception 7"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%d reads %q", byte(e), e.Error())
		}
	}
}

func TestGap(t *testing.T) {
	for baud, want := range map[int]time.Duration{9600: 4010416 * time.Nanosecond, 115200: 1750 * time.Microsecond, 0: 1750 * time.Microsecond} {
		if got := Gap(baud); got != want {
			t.Errorf("at %d baud: %v, want %v", baud, got, want)
		}
	}
}

// FuzzResponses feeds a line with anything: an answer that is found encodes to a frame that parses to the same.
func FuzzResponses(f *testing.F) {
	for _, p := range []string{"modbus-rtu", "callpad-modbus", "rater-modbus"} {
		for _, v := range vectors.For(f, p) {
			if v.Direction == "device>host" {
				f.Add(v.Bytes, byte(v.Bytes[0]), byte(v.Bytes[1]&^exceptionBit), uint16(3))
			}
		}
	}
	f.Fuzz(func(t *testing.T, line []byte, unit, function byte, count uint16) {
		var d ResponseDecoder
		d.Expect(Request{Unit: unit, Function: Function(function), Count: count, Values: make([]uint16, count%4)})
		d.Push(line)
		for r, ok := d.Next(); ok; r, ok = d.Next() {
			again, err := ParseResponse(responseBytes(t, r))
			if err != nil || !reflect.DeepEqual(again, r) {
				t.Fatalf("%+v became %+v, %v", r, again, err)
			}
		}
	})
}

// FuzzRequests feeds a unit with anything: every request found encodes to a frame that parses to the same, and the pad
// answers it without failing.
func FuzzRequests(f *testing.F) {
	for _, p := range []string{"modbus-rtu", "callpad-modbus", "rater-modbus"} {
		for _, v := range vectors.For(f, p) {
			if v.Direction == "host>device" {
				f.Add(v.Bytes, v.Bytes[0])
			}
		}
	}
	f.Fuzz(func(t *testing.T, line []byte, unit byte) {
		d, pad, rater := NewRequestDecoder(unit), NewPad(unit), NewRater(unit)
		d.Push(line)
		for r, ok := d.Next(); ok; r, ok = d.Next() {
			again, err := ParseRequest(requestBytes(t, r))
			if err != nil || !reflect.DeepEqual(again, r) {
				t.Fatalf("%+v became %+v, %v", r, again, err)
			}
			answer, ok := pad.Handle(r)
			if ok == (r.Unit == Broadcast) || ok && !answer.Answers(r) {
				t.Fatalf("%+v answered %v with %+v", r, ok, answer)
			}
			if ok {
				responseBytes(t, answer)
			}
			if answer, ok = rater.Handle(r); ok {
				responseBytes(t, answer)
			}
			rater.Asking()
		}
	})
}
