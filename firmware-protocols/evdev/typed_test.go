package evdev

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"halledge/firmware-protocols/internal/vectors"
)

// gbk gives the number of a character as scanners type it.
func gbk(c rune) (int, bool) {
	b, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(string(c)))
	n := 0
	for _, x := range b {
		n = n<<8 | int(x)
	}
	return n, err == nil
}

func point(c rune) (int, bool) { return int(c), true }

func down(k KeyCode) Event { return key(k, Pressed) }
func up(k KeyCode) Event   { return key(k, Released) }

// feed gives what r reads, in pieces of a few events as a kernel gives them.
func feed(r *Typed, events []Event) (out []byte) {
	for some := range slices.Chunk(events, 7) {
		out = append(out, r.Feed(stream(some...))...)
	}
	return out
}

func TestEveryVectorOfAKeyboard(t *testing.T) {
	want := map[string]string{"key-a-down": "a", "syn": "", "key-enter-down": "\r"}
	for _, v := range vectors.For(t, "evdev") {
		typed, known := want[v.Name]
		if got := string(NewTyped(AltGBK).Feed(v.Bytes)); !known || got != typed {
			t.Errorf("%s types %q, want %q", v.Name, got, typed)
		}
	}
}

func TestAllCharactersOfAUSKeyboard(t *testing.T) {
	var all strings.Builder
	for c := byte(' '); c < 0x7f; c++ {
		all.WriteByte(c)
	}
	all.WriteString("\t\r\x1d\x1e\x1f\x04")
	none := func(rune) (int, bool) { return 0, false }
	if got := string(feed(NewTyped(AltBytes), Strokes(all.String(), none))); got != all.String() {
		t.Errorf("typed\n%q, read\n%q", all.String(), got)
	}
}

func TestChineseIsTypedByNumbers(t *testing.T) {
	const text = "https://a.example/?名=测试甲&区=茂名\r"
	inGBK, err := simplifiedchinese.GBK.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := feed(NewTyped(AltGBK), Strokes(text, gbk)); string(got) != inGBK {
		t.Errorf("by GBK: %x, want %x", got, inGBK)
	}
	if got := feed(NewTyped(AltUnicode), Strokes(text+"𠮷", point)); string(got) != text+"𠮷" {
		t.Errorf("by Unicode: %q", got)
	}
	var bytewise []Event
	for _, b := range []byte("测") {
		bytewise = append(bytewise, Strokes(string(rune(b)), point)...)
	}
	if got := feed(NewTyped(AltBytes), bytewise); string(got) != "测" {
		t.Errorf("by bytes: %q", got)
	}
}

// FNC1 is typed as Alt and 029, and Chinese as a pair of bytes in one number.
func TestNumbersWithLeadingZeros(t *testing.T) {
	alt := func(keys ...KeyCode) (events []Event) {
		events = append(events, down(KeyLeftAlt))
		for _, k := range keys {
			events = append(events, down(k), up(k))
		}
		return append(events, up(KeyLeftAlt))
	}
	for name, c := range map[string]struct {
		mode   Alt
		events []Event
		want   []byte
	}{
		"029 is GS":                     {AltGBK, alt(KeyKP0, KeyKP2, KeyKP9), []byte{0x1d}},
		"50403 is a pair":               {AltGBK, alt(KeyKP5, KeyKP0, KeyKP4, KeyKP0, KeyKP3), []byte{0xc4, 0xe3}},
		"nothing":                       {AltGBK, alt(), nil},
		"a letter":                      {AltGBK, alt(30), []byte{Broken}},
		"a minus of the keypad":         {AltGBK, alt(KeyKP1, KeyKPMinus), []byte{Broken}},
		"99999 is no pair":              {AltGBK, alt(slices.Repeat([]KeyCode{KeyKP9}, 5)...), []byte{Broken}},
		"256 is no byte":                {AltBytes, alt(KeyKP2, KeyKP5, KeyKP6), []byte{Broken}},
		"half of a pair":                {AltUnicode, alt(KeyKP5, KeyKP5, KeyKP3, KeyKP5, KeyKP7), []byte{Broken}},
		"more than there are":           {AltUnicode, alt(slices.Repeat([]KeyCode{KeyKP9}, 7)...), []byte{Broken}},
		"more digits than there can be": {AltUnicode, alt(slices.Repeat([]KeyCode{KeyKP1}, 40)...), []byte{Broken}},
	} {
		if got := feed(NewTyped(c.mode), append(c.events, down(30))); !bytes.Equal(got, append(c.want, 'a')) {
			t.Errorf("%s: %x, want %x and an a", name, got, c.want)
		}
	}
}

func TestCapsLockAndShift(t *testing.T) {
	const capsLock, a, one = 58, 30, Key1
	var events []Event
	press := func(keys ...KeyCode) {
		for _, k := range keys {
			events = append(events, down(k), up(k))
		}
	}
	press(capsLock, a, one)
	events = append(events, down(KeyRightShift))
	press(a, one)
	events = append(events, up(KeyRightShift))
	press(capsLock, a)
	if got := string(feed(NewTyped(AltGBK), events)); got != "A1a!a" {
		t.Errorf("got %q", got)
	}
}

// What cannot be a character of a code breaks the code that it is in, and only that one.
func TestWhatIsNoCharacter(t *testing.T) {
	const f1 = 59
	for name, events := range map[string][]Event{
		"F1":             {down(f1), up(f1)},
		"Backspace":      {down(KeyBackspace), up(KeyBackspace)},
		"Meta and a key": {down(KeyLeftMeta), down(30), up(30), up(KeyLeftMeta)},
		"Ctrl and 1":     {down(KeyRightCtrl), down(Key1), up(Key1), up(KeyRightCtrl)},
		"lost events": {down(KeyLeftShift), at(Sync, SyncDropped, 0), down(31), up(31),
			report()},
	} {
		r := NewTyped(AltGBK)
		if got := feed(r, append(events, down(30), key(30, Repeated), up(30))); string(got) != "\x18a" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestACharacterOnItsWay(t *testing.T) {
	r := NewTyped(AltGBK)
	feed(r, []Event{down(KeyRightAlt), down(KeyKP6), up(KeyKP6)})
	if !r.Begun() {
		t.Error("a number that is being typed is not seen")
	}
	if got := feed(r, []Event{down(KeyKP5), up(KeyKP5), up(KeyRightAlt)}); string(got) != "A" || r.Begun() {
		t.Errorf("got %q, begun %v", got, r.Begun())
	}
}

// FuzzTyped feeds any bytes: nothing is made out of nothing, and what was typed before is not changed by the pieces it arrives in.
func FuzzTyped(f *testing.F) {
	f.Add(stream(Strokes("YSS-测试\r", gbk)...), uint8(3))
	f.Add(stream(Strokes("\x1d", gbk)...), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		if len(data) > 64*Size {
			return
		}
		whole := NewTyped(AltGBK)
		want := whole.Feed(data)
		if len(want) > 2*len(data)/Size+2 {
			t.Errorf("%d bytes made %d characters", len(data), len(want))
		}
		r := NewTyped(AltGBK)
		var got []byte
		for some := range slices.Chunk(data, int(piece)+1) {
			got = append(got, r.Feed(some)...)
		}
		if !bytes.Equal(got, want) || r.Garbage() != whole.Garbage() {
			t.Errorf("in pieces of %d: %q, whole: %q", int(piece)+1, got, want)
		}
	})
}

func BenchmarkTyped(b *testing.B) {
	events := stream(Strokes("https://a.example/t/01J8Z3K6Q9?n=A023\r", gbk)...)
	r := NewTyped(AltGBK)
	b.SetBytes(int64(len(events)))
	b.ReportAllocs()
	for b.Loop() {
		for some := range slices.Chunk(events, 64*Size) {
			if len(r.Feed(some)) == 0 && r.Garbage() > 0 {
				b.Fatal("nothing was read")
			}
		}
	}
}
