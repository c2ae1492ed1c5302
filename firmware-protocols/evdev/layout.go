package evdev

import (
	"strconv"
	"strings"
)

// Keys that only change what others mean.
const (
	keyCapsLock KeyCode = 58
	keyNumLock  KeyCode = 69
)

// row is keys side by side, whose codes follow each other.
type row struct {
	first        KeyCode
	low, shifted string
}

// rows are the characters of a US keyboard. Those of the keypad are the same with Shift.
func rows() []row {
	return []row{
		{Key1, "1234567890-=", "!@#$%^&*()_+"},
		{KeyTab, "\t", "\t"},
		{16, "qwertyuiop[]\r", "QWERTYUIOP{}\r"}, // and Enter
		{30, "asdfghjkl;'`", `ASDFGHJKL:"~`},
		{43, `\zxcvbnm,./`, "|ZXCVBNM<>?"},
		{57, " ", " "},
		{KeyKPAsterisk, "*", "*"},
		{KeyKP7, "789-456+1230.", "789-456+1230."},
		{KeyKPEnter, "\r", "\r"},
		{KeyKPSlash, "/", "/"},
		{KeyKPEqual, "=", "="},
	}
}

// character gives what a key types, 0 for nothing.
func character(k KeyCode, shift, caps bool) byte {
	for _, r := range rows() {
		if k < r.first || int(k-r.first) >= len(r.low) {
			continue
		}
		low := r.low[k-r.first]
		letter := low >= 'a' && low <= 'z'
		if shift != (caps && letter) {
			return r.shifted[k-r.first]
		}
		return low
	}
	return 0
}

// keypadDigit gives the digit of a key of the keypad.
func keypadDigit(k KeyCode) (int, bool) {
	if k < KeyKP7 || k > KeyKP0 {
		return 0, false
	}
	c := character(k, false, false)
	return int(c) - '0', c >= '0' && c <= '9'
}

// Strokes gives the events that type a text, as a scanner does: characters of the US keyboard by their keys, others by Alt and the
// numbers that code gives for them, control characters by Ctrl. It leaves out what cannot be typed.
func Strokes(text string, code func(rune) (number int, ok bool)) []Event {
	var s typist
	for _, c := range text {
		if k, shift, ok := keyFor(c); ok {
			s.with(shift, KeyLeftShift, k)
		} else if k, shift, ok := keyFor(c | 0x40); c < ' ' && ok {
			s.move(KeyLeftCtrl, Pressed)
			s.with(shift, KeyLeftShift, k)
			s.move(KeyLeftCtrl, Released)
		} else if n, ok := code(c); ok {
			s.number(n)
		}
	}
	return s.events
}

// typist makes the events of keys.
type typist struct{ events []Event }

// move is a key that goes down or up: its place, the key, and the end of the report.
func (s *typist) move(k KeyCode, value int32) {
	const scanCode, keyboardPage = 4, 0x70000
	at := Event{Sec: 1_700_000_000}
	place, key, report := at, at, at
	place.Type, place.Code, place.Value = Misc, scanCode, keyboardPage+int32(k)
	key.Type, key.Code, key.Value = Keys, uint16(k), value
	report.Type, report.Code = Sync, SyncReport
	s.events = append(s.events, place, key, report)
}

func (s *typist) with(held bool, modifier, k KeyCode) {
	if held {
		s.move(modifier, Pressed)
	}
	s.move(k, Pressed)
	s.move(k, Released)
	if held {
		s.move(modifier, Released)
	}
}

// number types a number on the keypad while Alt is held.
func (s *typist) number(n int) {
	s.move(KeyLeftAlt, Pressed)
	for _, c := range strconv.Itoa(n) {
		for k := KeyKP7; k <= KeyKP0; k++ {
			if character(k, false, false) == byte(c) {
				s.with(false, 0, k)
			}
		}
	}
	s.move(KeyLeftAlt, Released)
}

// keyFor gives the key of a character. CR is Enter.
func keyFor(c rune) (k KeyCode, shift, ok bool) {
	for _, r := range rows() {
		if i := strings.IndexRune(r.low, c); i >= 0 {
			return r.first + KeyCode(i), false, true
		}
		if i := strings.IndexRune(r.shifted, c); i >= 0 {
			return r.first + KeyCode(i), true, true
		}
	}
	return 0, false, false
}
