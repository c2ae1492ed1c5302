package sdt

import (
	"bytes"
	"testing"

	"halledge/firmware-protocols/internal/vectors"
)

func frame(t testing.TB, s Status, data ...byte) []byte {
	t.Helper()
	b, err := AppendReply(nil, s, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func statuses(d *ReplyDecoder) []Status {
	var got []Status
	for {
		r, ok := d.Next()
		if !ok {
			return got
		}
		got = append(got, r.Status)
	}
}

func TestFramesAreFoundInNoise(t *testing.T) {
	ok, none := frame(t, StatusOK), frame(t, StatusNoCard)
	badCheck := bytes.Clone(ok)
	badCheck[len(badCheck)-1] ^= 1
	tooLong := []byte(preamble + "\xFF\xFF")
	tooShort := []byte(preamble + "\x00\x03\x00\x00\x03")
	for name, tc := range map[string]struct {
		in      [][]byte
		want    []Status
		garbage uint64
	}{
		"two together":        {[][]byte{ok, none}, []Status{StatusOK, StatusNoCard}, 0},
		"noise before":        {[][]byte{{0x00, 0xAA, 0x96, 0x69}, ok}, []Status{StatusOK}, 4},
		"one AA too many":     {[][]byte{{0xAA}, ok}, []Status{StatusOK}, 1},
		"wrong check":         {[][]byte{badCheck, none}, []Status{StatusNoCard}, uint64(len(badCheck))},
		"length too long":     {[][]byte{tooLong, none}, []Status{StatusNoCard}, 7},
		"length too short":    {[][]byte{tooShort, none}, []Status{StatusNoCard}, 10},
		"cut frame":           {[][]byte{frame(t, StatusOK, 1, 2, 3, 4, 5)[:11], ok, none}, []Status{StatusOK, StatusNoCard}, 11},
		"preamble inside":     {[][]byte{frame(t, StatusOK, []byte(preamble)...)}, []Status{StatusOK}, 0},
		"only half of it yet": {[][]byte{ok[:8]}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			all := bytes.Join(tc.in, nil)
			for size := 1; size <= len(all); size++ {
				var d ReplyDecoder
				var got []Status
				for rest := all; len(rest) > 0; rest = rest[min(size, len(rest)):] {
					d.Push(rest[:min(size, len(rest))])
					got = append(got, statuses(&d)...)
				}
				if !equal(got, tc.want) || d.Garbage() != tc.garbage {
					t.Fatalf("in pieces of %d: %v, %d bytes of garbage; want %v, %d", size, got, d.Garbage(), tc.want, tc.garbage)
				}
			}
		})
	}
}

func TestReplyHasBegun(t *testing.T) {
	whole := frame(t, StatusOK, 1, 2, 3)
	spoilt := bytes.Clone(whole)
	spoilt[len(spoilt)-1] ^= 1
	for name, tc := range map[string]struct {
		in   []byte
		want bool
	}{
		"nothing":             {nil, false},
		"noise":               {[]byte{0, 0xFF, 0xAA}, false},
		"a preamble":          {whole[:5], false},
		"a request":           {AppendRequest(nil, CmdFind), false},
		"a head":              {whole[:7], true},
		"a whole one":         {whole, true},
		"a damaged one":       {spoilt, true},
		"one that breaks off": {whole[:len(whole)-1], true},
	} {
		var d ReplyDecoder
		d.Push(tc.in)
		d.Next()
		if d.Begun() != tc.want {
			t.Errorf("%s: begun is %v", name, d.Begun())
		}
		if d.Reset(); d.Begun() {
			t.Errorf("%s: begun after a reset", name)
		}
	}
}

func equal(a, b []Status) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestThreat14TheLongestFrame(t *testing.T) {
	var d ReplyDecoder
	d.Push(frame(t, StatusOK, make([]byte, MaxLength-minReply)...))
	if r, ok := d.Next(); !ok || r.Len() != MaxLength-minReply {
		t.Errorf("got %v, %v", r, ok)
	}
	if _, err := AppendReply(nil, StatusOK, make([]byte, MaxLength-minReply+1)); err == nil {
		t.Error("a longer frame was encoded")
	}
}

func TestThreat14EndlessInputKeepsBounded(t *testing.T) {
	var d ReplyDecoder
	for range 100 {
		d.Push(bytes.Repeat([]byte(preamble+"\x10\x00"), 1000)) // each asks for 4096 bytes more
	}
	d.Push(make([]byte, 3*maxBuffered))
	if len(d.s.buf) > maxBuffered {
		t.Errorf("%d bytes kept", len(d.s.buf))
	}
	d.Push(frame(t, StatusOK))
	if got := statuses(&d); !equal(got, []Status{StatusOK}) {
		t.Errorf("after the flood: %v", got)
	}
}

func TestCardIsWipedFromTheBuffer(t *testing.T) {
	var d ReplyDecoder
	d.Push(cardReply(t, sample(), nil))
	r, ok := d.Next()
	if !ok || bytes.Count(r.data, []byte{0x20, 0x5F}) == 0 {
		t.Fatal("the name is not in the reply")
	}
	kept := d.s.buf[:cap(d.s.buf)]
	d.Next()
	if !bytes.Equal(kept, make([]byte, len(kept))) {
		t.Error("Next left bytes of the card behind")
	}
	d.Push(cardReply(t, sample(), nil))
	kept = d.s.buf[:cap(d.s.buf)]
	d.Reset()
	if !bytes.Equal(kept, make([]byte, len(kept))) {
		t.Error("Reset left bytes of the card behind")
	}
	if _, ok := d.Next(); ok {
		t.Error("Reset kept a reply")
	}
}

func TestStatusTable(t *testing.T) {
	for s, want := range map[Status]Action{
		StatusOK: Proceed, StatusFound: Proceed, StatusBadChecksum: Resend, StatusBadLength: Resend, StatusBadCommand: GiveUp,
		StatusUnrecognised: ResetOnce, StatusCardRefuses: ReplaceCard, StatusModuleRefuses: ReplaceCard, StatusCheckFailed: ReplaceCard,
		StatusWrongCard: WrongCard, StatusReadFailed: FindAgain, StatusRandomFailed: FindAgain, StatusSelfTest: ResetOnce,
		StatusUnauthorised: OutOfService, StatusNoCard: KeepLooking, StatusSelectFailed: FindAgain, StatusNoItem: TakeAsEmpty,
		Status(0xEE): GiveUp,
	} {
		if s.Action() != want || s.OK() != (want == Proceed) || s.Meaning() == "" {
			t.Errorf("%v: action %s, want %s", s, s.Action(), want)
		}
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[string]string{"01": "汉", "05": "维吾尔", "46": "德昂", "56": "基诺", "97": "其他", "98": "外国血统中国籍人士",
		"00": "00", "57": "57", "1": "1", "+1": "+1", "": "", "汉": "汉"} {
		if got := EthnicName(code); got != want {
			t.Errorf("ethnic code %q reads %q, want %q", code, got, want)
		}
	}
	for code, want := range map[Sex]string{'0': "未知", '1': "男", '2': "女", '9': "未说明", '7': "未知"} {
		if code.String() != want {
			t.Errorf("sex %c reads %s, want %s", code, code, want)
		}
	}
}

// FuzzReplies feeds a stream in two pieces: whatever comes out encodes to a frame that decodes to the same, the buffer stays
// bounded, and a good frame behind the noise is found when the noise is done.
func FuzzReplies(f *testing.F) {
	for _, v := range vectors.For(f, "sdt") {
		f.Add(v.Bytes, 5)
	}
	f.Add([]byte(preamble+preamble+"\x00\x04\x00\x00\x90\x94"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		cut = min(max(cut, 0), len(stream))
		var d ReplyDecoder
		for _, piece := range [][]byte{stream[:cut], stream[cut:]} {
			d.Push(piece)
			for {
				r, ok := d.Next()
				if !ok {
					break
				}
				again, err := AppendReply(nil, r.Status, r.data)
				if err != nil {
					t.Fatalf("a decoded reply does not encode: %v", err)
				}
				var d2 ReplyDecoder
				d2.Push(again)
				if r2, ok := d2.Next(); !ok || r2.Status != r.Status || string(r2.data) != string(r.data) {
					t.Fatalf("%v became %v", r, r2)
				}
				_, _ = r.SAMNumber()
				_, _ = r.NewestAddress()
				_, _ = r.Photo()
				_, _ = r.Card()
			}
			if len(d.s.buf) > maxBuffered {
				t.Fatalf("%d bytes kept", len(d.s.buf))
			}
		}
		d.Reset()
		d.Push(frame(t, StatusOK))
		if r, ok := d.Next(); !ok || r.Status != StatusOK {
			t.Fatal("a good frame after a reset was not found")
		}
	})
}

// FuzzRequests is the reader's side: what comes out encodes to a frame that decodes to the same.
func FuzzRequests(f *testing.F) {
	for _, v := range vectors.For(f, "sdt") {
		f.Add(v.Bytes, 5)
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		cut = min(max(cut, 0), len(stream))
		var d RequestDecoder
		for _, piece := range [][]byte{stream[:cut], stream[cut:]} {
			d.Push(piece)
			for q, ok := d.Next(); ok; q, ok = d.Next() {
				var d2 RequestDecoder
				d2.Push(AppendRequest(nil, q.Command, q.Data...))
				if q2, ok := d2.Next(); !ok || q2.Command != q.Command || string(q2.Data) != string(q.Data) {
					t.Fatalf("%04X with %d bytes became %04X with %d", q.Command, len(q.Data), q2.Command, len(q2.Data))
				}
			}
			if len(d.s.buf) > maxBuffered {
				t.Fatalf("%d bytes kept", len(d.s.buf))
			}
		}
	})
}

// FuzzCard decodes any text; what can be read encodes to a card that reads the same.
func FuzzCard(f *testing.F) {
	for _, v := range vectors.For(f, "sdt") {
		if len(v.Bytes) == 1295 {
			f.Add(v.Bytes[14:270])
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) != textLen {
			return
		}
		c, err := parseText(text)
		if err != nil {
			return
		}
		again, err := cardText(c)
		if err != nil {
			t.Fatalf("a decoded card does not encode: %v", err)
		}
		c2, err := parseText(again)
		if err != nil {
			t.Fatalf("an encoded card does not decode: %v", err)
		}
		if reveal(c) != reveal(c2) {
			t.Fatalf("got  %+v\nwant %+v", reveal(c2), reveal(c))
		}
	})
}
