package evdev

import "unicode/utf8"

// Alt says what the number is that is typed on the keypad while Alt is held.
type Alt string

// The meanings. Makers call GBK "Alt + GBK" or "Windows, code page 936".
const (
	AltGBK     Alt = "gbk"     // one byte, or above 255 two, the higher first
	AltUnicode Alt = "unicode" // a code point; it becomes UTF-8
	AltBytes   Alt = "bytes"   // one byte
)

// Broken stands where a character is lost or is none: CAN, which is in no code.
const Broken = 0x18

// maxDigits is as many as the highest code point has.
const maxDigits = 7

// Typed turns the events of a scanner that plays a keyboard (keyboard wedge) into the bytes of its codes. The scanner must be set to the
// US keyboard; characters that have no key there it types by Alt and the digits of the keypad. What is no character, such as F1 or a
// key with Alt, becomes Broken.
//
// Sources: USB HID Usage Tables, section 10 (the keys of a US keyboard), and the manuals of scanners for Alt and Ctrl.
type Typed struct {
	alt    Alt
	events Decoder
	held   map[KeyCode]bool // modifiers
	caps   bool
	deaf   bool // events are lost until the next SyncReport

	number  int // typed while Alt is held
	digits  int
	strange bool // and something else
}

// NewTyped makes a Typed for a scanner that was just opened, with no key held.
func NewTyped(alt Alt) *Typed { return &Typed{alt: alt, held: map[KeyCode]bool{}} }

// Feed takes what came from the input device and gives the bytes that were typed. Enter is CR.
func (t *Typed) Feed(p []byte) []byte {
	var out []byte
	t.events.Push(p)
	for e, ok := t.events.Next(); ok; e, ok = t.events.Next() {
		out = t.take(out, e)
	}
	return out
}

// Garbage counts the bytes that were no events.
func (t *Typed) Garbage() int { return int(t.events.Garbage()) }

// Begun reports whether Alt is held, so that a character is on its way.
func (t *Typed) Begun() bool { return t.altHeld() }

func (t *Typed) take(out []byte, e Event) []byte {
	switch {
	case e.Type == Sync && e.Code == SyncDropped:
		clear(t.held) // a release may be among what was lost
		t.number, t.digits, t.strange, t.deaf = 0, 0, false, true
		return append(out, Broken)
	case e.Type == Sync && e.Code == SyncReport:
		t.deaf = false
	case t.deaf || e.Type != Keys || e.Value == Repeated:
	default:
		return t.key(out, KeyCode(e.Code), e.Value == Pressed)
	}
	return out
}

func (t *Typed) key(out []byte, k KeyCode, down bool) []byte {
	switch {
	case modifier(k) != 0:
		was := t.altHeld()
		t.held[k] = down
		if was && !t.altHeld() {
			return t.typed(out)
		}
	case !down, k == keyNumLock:
	case k == keyCapsLock:
		t.caps = !t.caps
	case t.altHeld():
		d, ok := keypadDigit(k)
		t.digits++
		if !ok || t.digits > maxDigits {
			t.strange = true
			break
		}
		t.number = 10*t.number + d
	default:
		return append(out, t.plain(k))
	}
	return out
}

// plain gives the character of a key without Alt.
func (t *Typed) plain(k KeyCode) byte {
	shift := t.held[KeyLeftShift] || t.held[KeyRightShift]
	ctrl := t.held[KeyLeftCtrl] || t.held[KeyRightCtrl]
	c := character(k, shift, t.caps)
	switch {
	case c == 0, t.held[KeyLeftMeta], t.held[KeyRightMeta]:
		return Broken
	case ctrl && (c > '@' && c <= '_' || c >= 'a' && c <= 'z'): // A to Z and [ \ ] ^ _ are the control characters 1 to 31
		return c & 0x1f
	case ctrl:
		return Broken
	}
	return c
}

// typed ends a character that was typed by its number.
func (t *Typed) typed(out []byte) []byte {
	n, digits, strange := t.number, t.digits, t.strange
	t.number, t.digits, t.strange = 0, 0, false
	const most = 0xff
	switch {
	case strange:
	case digits == 0: // Alt alone types nothing
		return out
	case t.alt == AltUnicode && utf8.ValidRune(rune(n)):
		return utf8.AppendRune(out, rune(n))
	case t.alt == AltUnicode:
	case n <= most:
		return append(out, byte(n))
	case t.alt == AltGBK && n <= most<<8|most:
		return append(out, byte(n>>8), byte(n))
	}
	return append(out, Broken)
}

func (t *Typed) altHeld() bool { return t.held[KeyLeftAlt] || t.held[KeyRightAlt] }
