package modbus

import (
	"reflect"
	"testing"
)

// ask sends a request to the pad over the wire forms of request and answer.
func ask(t *testing.T, p *Pad, q Request) Response {
	t.Helper()
	parsed, err := ParseRequest(requestBytes(t, q))
	if err != nil {
		t.Fatal(err)
	}
	answer, ok := p.Handle(parsed)
	if !ok {
		t.Fatalf("no answer to %+v", q)
	}
	r, err := ParseResponse(responseBytes(t, answer))
	if err != nil || !r.Answers(q) {
		t.Fatalf("%+v answers %+v, %v", r, q, err)
	}
	return r
}

func TestPadCountsPresses(t *testing.T) {
	p := NewPad(3)
	poll := Request{Unit: 3, Function: ReadInput, Count: PadInputs}
	read := func() PadInput {
		in, err := ParsePadInput(ask(t, p, poll).Values)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	if got := read(); got != (PadInput{Firmware: 1, Map: PadMapVersion}) {
		t.Errorf("fresh pad: %+v", got)
	}
	p.Press(PadNext)
	p.Press(PadDigit0 + 7)
	if got := read(); got.Counter != 2 || got.Key != PadDigit0+7 {
		t.Errorf("after two presses: %+v", got)
	}
	p.input.Counter = 65535
	p.Press(PadRecall)
	if got := read(); got.Counter != 0 || got.Key != PadRecall {
		t.Errorf("after 65536 presses: %+v", got)
	}
	if in := read(); !reflect.DeepEqual(in.Registers(), ask(t, p, poll).Values) {
		t.Errorf("%+v encodes to %v", in, in.Registers())
	}
	if _, err := ParsePadInput(make([]uint16, 3)); err == nil {
		t.Error("three registers taken for a pad's input")
	}
}

func TestPadShowsWhatWasWritten(t *testing.T) {
	p := NewPad(3)
	want := PadDisplay{Number: "A1000", Waiting: 12, State: PadServing}
	r, err := want.Registers()
	if err != nil {
		t.Fatal(err)
	}
	ask(t, p, Request{Unit: 3, Function: WriteRegisters, Address: PadNumberAt, Values: r})
	if p.Display() != want {
		t.Errorf("shows %+v, want %+v", p.Display(), want)
	}
	if back := ask(t, p, Request{Unit: 3, Function: ReadHolding, Count: PadDisplays}); !reflect.DeepEqual(back.Values, r) {
		t.Errorf("reads %v, want %v", back.Values, r)
	}
	ask(t, p, Request{Unit: 3, Function: WriteRegister, Address: PadAckAt, Values: []uint16{41}})
	ask(t, p, Request{Unit: 3, Function: WriteCoil, Address: PadCoilBeep, Values: []uint16{CoilOn}})
	ask(t, p, Request{Unit: 3, Function: WriteCoil, Address: PadCoilBacklight, Values: []uint16{CoilOn}})
	if p.Acknowledged() != 41 || !p.Beeping() || !p.Backlight() {
		t.Errorf("acknowledged %d, beeping %v, backlight %v", p.Acknowledged(), p.Beeping(), p.Backlight())
	}
	for _, bad := range []string{"A100000", "号", "A\x00", "A\n"} {
		if r, err := (PadDisplay{Number: bad}).Registers(); err == nil {
			t.Errorf("%q became %v", bad, r)
		}
	}
	if _, err := ParsePadDisplay(r[:4]); err == nil {
		t.Error("four registers taken for a display")
	}
}

func TestPadRefuses(t *testing.T) {
	p := NewPad(3)
	for name, tc := range map[string]struct {
		q    Request
		want Exception
	}{
		"inputs behind the end":   {Request{Unit: 3, Function: ReadInput, Address: 1, Count: PadInputs}, IllegalAddress},
		"holdings behind the end": {Request{Unit: 3, Function: ReadHolding, Address: 0xFFFF, Count: 1}, IllegalAddress},
		"write behind the end":    {Request{Unit: 3, Function: WriteRegisters, Address: 7, Values: []uint16{1, 2}}, IllegalAddress},
		"third coil":              {Request{Unit: 3, Function: WriteCoil, Address: 2, Values: []uint16{CoilOn}}, IllegalAddress},
		"half a coil":             {Request{Unit: 3, Function: WriteCoil, Values: []uint16{1}}, IllegalValue},
	} {
		if got := ask(t, p, tc.q); got.Exception != tc.want {
			t.Errorf("%s: %v", name, got.Exception)
		}
	}
	if got, _ := p.Handle(Request{Unit: 3, Function: 0x2B}); got.Exception != IllegalFunction {
		t.Errorf("unknown function: %v", got.Exception)
	}
	if got, ok := p.Handle(Request{Unit: 4, Function: ReadInput, Count: 1}); ok {
		t.Errorf("another unit's question: %+v", got)
	}
	if _, ok := p.Handle(Request{Unit: Broadcast, Function: WriteRegister, Address: PadAckAt, Values: []uint16{5}}); ok || p.Acknowledged() != 5 {
		t.Error("a broadcast was answered or not obeyed")
	}
}

// BenchmarkPoll is one poll of a pad, both sides: the question is made and found, answered, and the answer found and read.
func BenchmarkPoll(b *testing.B) {
	pad, requests := NewPad(1), NewRequestDecoder(1)
	pad.Press(PadNext)
	var answers ResponseDecoder
	q := Request{Unit: 1, Function: ReadInput, Count: PadInputs}
	b.ReportAllocs()
	var bytes int64
	for b.Loop() {
		asked, err := q.Append(nil)
		if err != nil {
			b.Fatal(err)
		}
		answers.Expect(q)
		requests.Push(asked)
		heard, ok := requests.Next()
		a, replies := pad.Handle(heard)
		if !ok || !replies {
			b.Fatal("no answer")
		}
		said, err := a.Append(nil)
		if err != nil {
			b.Fatal(err)
		}
		answers.Push(said)
		got, ok := answers.Next()
		if in, err := ParsePadInput(got.Values); !ok || err != nil || in.Key != PadNext {
			b.Fatalf("read %+v, %v", in, err)
		}
		bytes = int64(len(asked) + len(said))
	}
	b.SetBytes(bytes)
}
