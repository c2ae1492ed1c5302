package modbus

import (
	"reflect"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

func answers(t *testing.T, r *Rater, q Request) Response {
	t.Helper()
	parsed, err := ParseRequest(requestBytes(t, q))
	if err != nil {
		t.Fatal(err)
	}
	a, ok := r.Handle(parsed)
	if !ok {
		t.Fatalf("no answer to %+v", q)
	}
	back, err := ParseResponse(responseBytes(t, a))
	if err != nil || !back.Answers(q) {
		t.Fatalf("%+v answers %+v, %v", back, q, err)
	}
	return back
}

func input(t *testing.T, r *Rater) RaterInput {
	t.Helper()
	in, err := ParseRaterInput(answers(t, r, Request{Unit: 5, Function: ReadInput, Count: RaterInputs}).Values)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestRaterAsksAndEchoesTheTag(t *testing.T) {
	r := NewRater(5)
	if r.End(5) {
		t.Error("somebody rated who was not asked")
	}
	q, err := RaterQuestion(0x12, 30, "3号窗口 张三")
	if err != nil {
		t.Fatal(err)
	}
	answers(t, r, Request{Unit: 5, Function: WriteRegisters, Address: RaterTagAt, Values: q})
	if _, _, _, asking := r.Asking(); asking {
		t.Error("it asks before it was told to")
	}
	start, err := ParseRequest(vectors.One(t, "rater-modbus", "start").Bytes)
	if err != nil {
		t.Fatal(err)
	}
	answers(t, r, start)
	if tag, seconds, text, ok := r.Asking(); tag != 0x12 || seconds != 30 || text != "3号窗口 张三" || !ok {
		t.Errorf("asks %d, %d s, %q, %v", tag, seconds, text, ok)
	}
	if in := input(t, r); in != (RaterInput{Waiting: true}) {
		t.Errorf("%+v", in)
	}
	r.End(5)
	if in := input(t, r); in != (RaterInput{Counter: 1, Rating: 5, Tag: 0x12}) {
		t.Errorf("%+v", in)
	}
	three := answers(t, r, Request{Unit: 5, Function: ReadInput, Count: 3})
	if want := vectors.One(t, "rater-modbus", "poll-reply-5").Bytes; !reflect.DeepEqual(responseBytes(t, three), want) {
		t.Errorf("answers % X, want % X", responseBytes(t, three), want)
	}
}

func TestRaterStops(t *testing.T) {
	r := NewRater(5)
	stop := Request{Unit: 5, Function: WriteRegister, Address: RaterOrderAt, Values: []uint16{RaterStop}}
	answers(t, r, stop)
	if in := input(t, r); in.Counter != 0 {
		t.Errorf("nothing was asked, %+v", in)
	}
	answers(t, r, Request{Unit: 5, Function: WriteRegister, Address: RaterOrderAt, Values: []uint16{RaterStart}})
	answers(t, r, stop)
	if in := input(t, r); in != (RaterInput{Counter: 1, Rating: RaterCancelled}) {
		t.Errorf("%+v", in)
	}
}

func TestRaterQuestion(t *testing.T) {
	r, err := RaterQuestion(1, 2, "一二三四五六七八九十一二三四五六七")
	if err != nil || len(r) != RaterHoldings-RaterTagAt {
		t.Errorf("%d registers, %v", len(r), err)
	}
	if r, err := RaterQuestion(1, 2, "a一二三四五六七八九十一二三四五六"); err != nil || r[len(r)-1]&0xFF != 0 {
		t.Errorf("a character was cut in two: %x, %v", r, err)
	}
	if r, err := RaterQuestion(1, 2, "\U0001F600"); err == nil {
		t.Errorf("no GB2312 became %v", r)
	}
	for _, bad := range [][]uint16{nil, {1, 2, 3}, {1, 2, 3, 2}} {
		if in, err := ParseRaterInput(bad); err == nil {
			t.Errorf("%v became %+v", bad, in)
		}
	}
}
