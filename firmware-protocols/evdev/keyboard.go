package evdev

// KeyCode is a key's number (KEY_* in the kernel): its place on a US keyboard, whatever is printed on it and however NumLock stands.
type KeyCode uint16

// The keys of a numeric keypad, and those of the main block that small keypads send instead.
const (
	Key1          KeyCode = 2 // KEY_1; KEY_2 to KEY_9 follow
	Key0          KeyCode = 11
	KeyMinus      KeyCode = 12
	KeyEqual      KeyCode = 13
	KeyBackspace  KeyCode = 14
	KeyTab        KeyCode = 15
	KeyEnter      KeyCode = 28
	KeyDot        KeyCode = 52
	KeySlash      KeyCode = 53
	KeyKPAsterisk KeyCode = 55
	KeyKP7        KeyCode = 71
	KeyKP8        KeyCode = 72
	KeyKP9        KeyCode = 73
	KeyKPMinus    KeyCode = 74
	KeyKP4        KeyCode = 75
	KeyKP5        KeyCode = 76
	KeyKP6        KeyCode = 77
	KeyKPPlus     KeyCode = 78
	KeyKP1        KeyCode = 79
	KeyKP2        KeyCode = 80
	KeyKP3        KeyCode = 81
	KeyKP0        KeyCode = 82
	KeyKPDot      KeyCode = 83
	KeyKPEnter    KeyCode = 96
	KeyKPSlash    KeyCode = 98
	KeyKPEqual    KeyCode = 117

	maxKey KeyCode = 0x2ff // KEY_MAX
)

// The keys that change what another one means.
const (
	KeyLeftCtrl   KeyCode = 29
	KeyLeftShift  KeyCode = 42
	KeyRightShift KeyCode = 54
	KeyLeftAlt    KeyCode = 56
	KeyRightCtrl  KeyCode = 97
	KeyRightAlt   KeyCode = 100
	KeyLeftMeta   KeyCode = 125
	KeyRightMeta  KeyCode = 126
)

// Press is one key that went down. Modified says that Shift, Ctrl, Alt or Meta was held.
type Press struct {
	Key      KeyCode
	Modified bool
}

// Keyboard finds the presses in the events of one device. A new one knows of no held key, as after opening the device.
type Keyboard struct {
	held    uint8 // modifiers, a bit each
	deaf    bool  // events are lost until the next SyncReport
	dropped uint64
}

// Take gives the press that e is. Releases, repeats and modifiers themselves are none. After SyncDropped nothing counts up to and with
// the next SyncReport, and no key is held: its release may be among what was lost.
func (k *Keyboard) Take(e Event) (Press, bool) {
	switch {
	case e.Type == Sync && e.Code == SyncDropped:
		k.held, k.deaf = 0, true
		k.dropped++
	case e.Type == Sync && e.Code == SyncReport:
		k.deaf = false
	case k.deaf || e.Type != Keys:
	default:
		return k.key(KeyCode(e.Code), e.Value)
	}
	return Press{}, false
}

// Dropped counts how often events were lost.
func (k *Keyboard) Dropped() uint64 { return k.dropped }

func (k *Keyboard) key(code KeyCode, value int32) (Press, bool) {
	if bit := modifier(code); bit != 0 {
		if value == Released {
			k.held &^= bit
		} else {
			k.held |= bit
		}
		return Press{}, false
	}
	return Press{Key: code, Modified: k.held != 0}, value == Pressed
}

// modifier gives the bit of a modifier, 0 for other keys.
func modifier(code KeyCode) uint8 {
	switch code {
	case KeyLeftShift:
		return 1 << 0
	case KeyRightShift:
		return 1 << 1
	case KeyLeftCtrl:
		return 1 << 2
	case KeyRightCtrl:
		return 1 << 3
	case KeyLeftAlt:
		return 1 << 4
	case KeyRightAlt:
		return 1 << 5
	case KeyLeftMeta:
		return 1 << 6
	case KeyRightMeta:
		return 1 << 7
	}
	return 0
}
